"""The one helper that lets synchronous callers use the line: an event loop in a thread of its own.

What goes on beside an agent without holding it up (shadow mode) runs there too.
"""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
import anyio.from_thread

from lookahead.errors import ConfigError

T = TypeVar("T")


class GivenUp(Exception):
    """What a call that nobody waits for any more ends with."""


class Wanted:
    """One call that a synchronous caller waits for, which may be given up from the moment that it was asked for.

    An interrupt may come before the portal has handed out anything that could be cancelled, so the call itself looks
    whether it is still wanted.
    """

    def __init__(self) -> None:
        self._wanted = True
        self._over = False
        self._scope: anyio.CancelScope | None = None

    async def run(self, function: Callable[..., Awaitable[T]], args: tuple[Any, ...]) -> T:
        try:
            with anyio.CancelScope() as self._scope:
                if self._wanted:
                    return await function(*args)
        finally:
            self._over = True
        raise GivenUp

    def give_up(self, running: anyio.from_thread.BlockingPortal) -> None:
        self._wanted = False
        if not self._over:
            running.start_task_soon(self._cancel)

    def _cancel(self) -> None:
        if self._scope is not None and not self._over:
            self._scope.cancel()


class Portal:
    """Starts on the first call, serves the whole process, and ends with it."""

    def __init__(self, backend: str = "asyncio") -> None:
        self._backend = backend
        self._lock = threading.Lock()
        self._portal: anyio.from_thread.BlockingPortal | None = None
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
        wanted = Wanted()
        try:
            return running.start_task_soon(wanted.run, function, args).result()
        except BaseException:
            wanted.give_up(running)
            raise

    def start(self, function: Callable[..., Awaitable[T]], *args: Any) -> None:
        """Run beside the caller, who does not wait."""
        self._started().start_task_soon(function, *args)

    def _started(self) -> anyio.from_thread.BlockingPortal:
        with self._lock:
            # Threads do not survive a fork: a child starts a loop of its own.
            if self._portal is None or self._pid != os.getpid():
                ready: list[anyio.from_thread.BlockingPortal] = []
                up = threading.Event()

                async def serve() -> None:
                    self._thread = threading.get_ident()
                    async with anyio.from_thread.BlockingPortal() as portal:
                        ready.append(portal)
                        up.set()
                        await portal.sleep_until_stopped()

                # A daemon, because the interpreter joins all others before it would let us stop this one.
                threading.Thread(
                    target=anyio.run, args=(serve,), kwargs={"backend": self._backend}, name="lookahead", daemon=True
                ).start()
                up.wait()
                self._portal, self._pid = ready[0], os.getpid()
            return self._portal


portal = Portal()
_portals = {"asyncio": portal, "trio": Portal("trio")}


def beside() -> Portal:
    """The portal of the same kind as the running event loop, so that a world sees one kind only."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _portals["trio"]
    return _portals["asyncio"]
