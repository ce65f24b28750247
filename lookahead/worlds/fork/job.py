"""Blocking work in a thread of its own that ends, with everything that it started, when its caller is cancelled."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

from lookahead.worlds.fork.sandbox import Line, Outcome, Run

T = TypeVar("T")

_AT_ONCE = 16
_limiters: RunVar[anyio.CapacityLimiter] = RunVar("lookahead_fork_threads")


class Job(Generic[T]):
    """One piece of blocking work. Inside it, confined runs go through `confined`, so that they can be ended."""

    def __init__(self) -> None:
        self.value: T | None = None
        self._lock = threading.Lock()
        self._current: Run | None = None
        self._begun = self._cancelled = False
        self._finished = threading.Event()

    def confined(self, run: Run, connect: Callable[[], Line], result: int | None = None) -> Outcome:
        with self._lock:
            self._current = run
            if self._cancelled:
                run.cancel()
        try:
            return run.wait(connect, result)
        finally:
            with self._lock:
                self._current = None

    def work(self, what: "Callable[[Job[T]], T]") -> T | None:
        with self._lock:
            if self._cancelled:
                return None
            self._begun = True
        try:
            self.value = what(self)
            return self.value
        finally:
            self._finished.set()

    async def cancel(self) -> None:
        """End the work, and come back when it has ended."""
        with self._lock:
            self._cancelled = True
            begun, current = self._begun, self._current
        if current is not None:
            current.cancel()
        if begun:
            await anyio.to_thread.run_sync(self._finished.wait, limiter=anyio.CapacityLimiter(1))


async def in_thread(what: Callable[[Job[T]], T], undo: Callable[[T], None] | None = None) -> T:
    """Do `what` in a thread. When cancelled, wait until nothing of it is left; `undo` takes back what came too late."""
    job: Job[T] = Job()
    try:
        value = await anyio.to_thread.run_sync(job.work, what, abandon_on_cancel=True, limiter=_limiter())
    except anyio.get_cancelled_exc_class():
        with anyio.CancelScope(shield=True):
            await job.cancel()
            if job.value is not None and undo is not None:
                await anyio.to_thread.run_sync(undo, job.value, limiter=anyio.CapacityLimiter(1))
        raise
    assert value is not None
    return value


def _limiter() -> anyio.CapacityLimiter:
    """Our own: many slow previews must not use up the threads that the agent's program lives on."""
    try:
        return _limiters.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(_AT_ONCE)
        _limiters.set(limiter)
        return limiter
