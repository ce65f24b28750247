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
        future = self._started().start_task_soon(function, *args)
        try:
            return future.result()
        except BaseException:
            future.cancel()
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
