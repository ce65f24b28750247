"""Bytes in and out by two file descriptors: without threads, and without a write that is cut in half."""

import os
import select
import stat
from dataclasses import dataclass, field
from typing import Final, Protocol

import anyio
import anyio.lowlevel

_CHUNK: Final = 65536
_SAFE: Final = select.PIPE_BUF
"""Bytes that a pipe takes at once where it says that it takes any."""
_FULL: Final = 64 * 1024 * 1024
"""Bytes that wait for a reader before whoever writes more waits too."""


class Wire(Protocol):
    async def receive(self) -> bytes:
        """What has arrived, at least a byte of it; empty where nothing more comes."""
        ...

    async def send(self, data: bytes, /) -> None:
        """Whole or not at all, also when cancelled. Raises BrokenResourceError where nobody reads any more."""
        ...

    async def pump(self) -> None:
        """Runs beside the above until it is cancelled: writes what did not fit at once."""
        ...


@dataclass(kw_only=True, eq=False)
class Pipes:
    """A wire over descriptors that others may share, which is why their flags stay as they are."""

    read: int
    write: int
    _waiting: bytearray = field(default_factory=bytearray, repr=False)
    _more: anyio.Event = field(default_factory=anyio.Event, repr=False)
    _written: anyio.Event = field(default_factory=anyio.Event, repr=False)
    _broken: bool = False

    def __post_init__(self) -> None:
        self._ready = select.poll()
        self._ready.register(self.write, select.POLLOUT)
        # A file, or nothing at all (/dev/null), never keeps a reader waiting, and cannot be waited for.
        self._waits = not _always_ready(self.read)

    async def receive(self) -> bytes:
        try:
            if self._waits:
                await anyio.wait_readable(self.read)
            else:
                await anyio.lowlevel.checkpoint()
            return os.read(self.read, _CHUNK)
        except (OSError, anyio.ClosedResourceError):
            return b""

    async def send(self, data: bytes, /) -> None:
        if self._broken:
            raise anyio.BrokenResourceError
        if not self._waiting:
            data = data[self._write(data) :]
            if not data:
                return
        while len(self._waiting) > _FULL:
            await self._written.wait()
        if not self._waiting:
            self._written = anyio.Event()
        self._waiting += data
        self._more.set()
        await self._written.wait()
        if self._broken:
            raise anyio.BrokenResourceError

    async def pump(self) -> None:
        while True:
            if not self._waiting:
                self._more = anyio.Event()
                await self._more.wait()
            try:
                await anyio.wait_writable(self.write)
                del self._waiting[: self._write(bytes(self._waiting[: 16 * _CHUNK]))]
            except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
                self._broken = True
                self._waiting.clear()
            if not self._waiting:
                self._written.set()

    def _write(self, data: bytes) -> int:
        """As much as can be written without waiting."""
        done = 0
        try:
            while done < len(data) and self._ready.poll(0):
                done += os.write(self.write, data[done : done + _SAFE])
        except BlockingIOError:
            pass
        except OSError as error:
            self._broken = True
            raise anyio.BrokenResourceError from error
        return done


def _always_ready(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor))
