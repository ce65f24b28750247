"""The one helper that lets synchronous callers use the line: an event loop in a thread of its own.

What goes on beside an agent without holding it up (shadow mode) runs there too.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import anyio
import anyio.from_thread

from lookahead.errors import ConfigError

T = TypeVar("T")

LOOK: Final = 0.5
"""Seconds between two looks at whether somebody interrupted the caller."""


class GivenUp(Exception):
    """What a call that nobody waits for any more ends with."""


class Turn:
    """One call that a synchronous caller waits for, which may be given up from the moment that it was asked for.

    An interrupt may come before there is anything that could be cancelled, so the call itself looks whether it is
    still wanted.
    """

    def __init__(self, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> None:
        self._function, self._args = function, args
        self._wanted = True
        self._scope: anyio.CancelScope | None = None
        self._over = threading.Lock()
        self._over.acquire()
        self._result: Any = None
        self._error: BaseException | None = None

    async def run(self) -> None:
        """On the loop. What it ends with is for the caller: only being cancelled from outside is for the loop too."""
        try:
            with anyio.CancelScope() as self._scope:
                if not self._wanted:
                    raise GivenUp
                self._result = await self._function(*self._args)
        except BaseException as error:
            self._error = error
            if isinstance(error, anyio.get_cancelled_exc_class()):
                raise
        finally:
            self._scope = None
            self._over.release()

    def stop(self) -> None:
        """On the loop."""
        if self._scope is not None:
            self._scope.cancel()

    def wait(self) -> None:
        """In the caller's thread."""
        # An interrupt that comes just before the wait begins is noticed only when it ends: so it ends now and then.
        while not self._over.acquire(timeout=LOOK):
            pass

    def give_up(self) -> None:
        self._wanted = False

    def result(self) -> Any:
        if self._error is None:
            return self._result
        try:
            raise self._error
        finally:
            self._error = None  # or it would hold itself, by way of its traceback


@dataclass(frozen=True)
class Running:
    """An event loop in its thread."""

    portal: anyio.from_thread.BlockingPortal
    loop: asyncio.AbstractEventLoop | None
    tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def soon(self, turn: Turn) -> None:
        if self.loop is None:
            self.portal.start_task_soon(turn.run)
        else:
            # The way through the portal takes a caller twice as long.
            self.loop.call_soon_threadsafe(self._begin, turn)

    def stop_soon(self, turn: Turn) -> None:
        if self.loop is None:
            self.portal.start_task_soon(turn.stop)
        else:
            self.loop.call_soon_threadsafe(turn.stop)

    def _begin(self, turn: Turn) -> None:
        _say_that_this_is_asyncio()
        task = asyncio.ensure_future(turn.run())
        self.tasks.add(task)  # the loop itself holds its tasks loosely
        task.add_done_callback(self.tasks.discard)


class Portal:
    """Starts on the first call, serves the whole process, and ends with it."""

    def __init__(self, backend: str = "asyncio") -> None:
        self._backend = backend
        self._lock = threading.Lock()
        self._running: Running | None = None
        self._pid = 0
        self._thread = 0

    def call(self, function: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Run to the end and hand back the result. Ctrl-C here cancels it there."""
        if self._thread == threading.get_ident():
            raise ConfigError(
                "a guarded synchronous function was called from an approver, a critic or a world that runs on the loop "
                "on which that very call would have to wait; make the function async there, or call it elsewhere"
            )
        running = self._started()
        turn = Turn(function, args)
        try:
            running.soon(turn)
            turn.wait()
        except BaseException:
            turn.give_up()
            running.stop_soon(turn)
            raise
        return turn.result()

    def start(self, function: Callable[..., Awaitable[T]], *args: Any) -> None:
        """Run beside the caller, who does not wait."""
        self._started().portal.start_task_soon(function, *args)

    def _started(self) -> Running:
        # Threads do not survive a fork: a child starts a loop of its own.
        running = self._running
        if running is not None and self._pid == os.getpid():
            return running
        with self._lock:
            if self._running is None or self._pid != os.getpid():
                ready: list[Running] = []
                up = threading.Event()

                async def serve() -> None:
                    self._thread = threading.get_ident()
                    loop = asyncio.get_running_loop() if self._backend == "asyncio" else None
                    async with anyio.from_thread.BlockingPortal() as portal:
                        ready.append(Running(portal, loop))
                        up.set()
                        await portal.sleep_until_stopped()

                # A daemon, because the interpreter joins all others before it would let us stop this one.
                threading.Thread(
                    target=anyio.run, args=(serve,), kwargs={"backend": self._backend}, name="lookahead", daemon=True
                ).start()
                up.wait()
                self._running, self._pid = ready[0], os.getpid()
            return self._running


def _say_that_this_is_asyncio() -> None:
    """For all that runs in this thread: the context that a call brings along may say which loop its caller is on."""
    # Whoever has not loaded it has not said so.
    if sniffio := sys.modules.get("sniffio"):
        sniffio.thread_local.name = "asyncio"


portal = Portal()
_portals = {"asyncio": portal, "trio": Portal("trio")}


def beside() -> Portal:
    """The portal of the same kind as the running event loop, so that a world sees one kind only."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _portals["trio"]
    return _portals["asyncio"]


async def wait(here: bool, function: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Await it, or have it awaited elsewhere while this thread stands still."""
    return portal.call(function, *args) if here else await function(*args)


def ready(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine comes to that never waits in this thread."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    coroutine.close()
    raise RuntimeError("the rules on text waited for something; they have to answer at once")
