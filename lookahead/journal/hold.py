"""What this process holds of one journal's file, so that nobody can take its newest rows away unseen.

SQLite's locks belong to the process, and the system drops them all as soon as anything in that process closes the
file: a tool that read it, a copy of its folder. Another process then takes itself for the last one and removes the
log that is still written to. So the file is held by a second lock that no such close can drop (where the system has
one), it is never closed here while a connection is open, and before and after each write the log is looked at.
"""

import atexit
import ctypes
import os
import sqlite3
import struct
import sys
from contextlib import suppress
from threading import RLock
from typing import Final

from lookahead.errors import JournalError

if sys.platform != "win32":
    import fcntl

_SHARED: Final = (0x40000002, 510)
"""The bytes of the database that SQLite locks to say: I am using this."""

_ALIVE: Final = (128, 1)
"""The byte of the shared memory that says the same."""

Identity = tuple[int, int]
"""The device and the number of a file."""


class Hold:
    """One file, for all connections of this process. They share one lock, one log and one shared memory."""

    def __init__(self, path: str, fd: int, identity: Identity) -> None:
        self.path = path
        self.real = os.path.realpath(path)
        self.identity = identity
        self.pid = os.getpid()
        self.lock = RLock()
        self.locked = False
        """Whether the second lock is held: then a connection can be closed without touching the file."""
        self.last: tuple[int, str] | None = None
        """The newest row that this process knows of, and its hash."""
        self.connections: dict[int, sqlite3.Connection] = {}
        self.users: set[int] = set()
        self._fd = fd
        self._memory: int | None = None
        self._log: Identity | None = None

    def begin(self, size: int) -> bytes:
        """The file's first bytes, read without closing it."""
        with _registry:
            os.lseek(self._fd, 0, os.SEEK_SET)
            return os.read(self._fd, size)

    def secure(self) -> None:
        """Called with a connection open, so that the log is there: from now on it must stay."""
        if self._log is None:
            self._log = _identity(f"{self.real}-wal")
        if self._log is None:
            return
        self.locked = self.locked or _locked(self._fd, _SHARED)
        if self._memory is None:
            with suppress(OSError):
                self._memory = _open(f"{self.real}-shm")
                _locked(self._memory, _ALIVE)

    def missing(self) -> str | None:
        """What is no longer the one that we write to; two looks at the folder."""
        return self.file_missing() or self.log_missing()

    def file_missing(self) -> str | None:
        now = _identity(self.path)
        if now is None:
            return (
                f"the journal {self.path} is gone: it was moved or deleted while in use. Start again to begin a new one"
            )
        if now != self.identity:
            return f"the journal {self.path} was replaced while in use. Start again to use the new file"
        return None

    def log_missing(self) -> str | None:
        if self._log is None or _identity(f"{self.real}-wal") == self._log:
            return None
        return (
            f"the log {self.real}-wal was removed or replaced while this process wrote to it. "
            "What was to be recorded just now may not be on the disk, so it does not run. "
            "Start again, and look at the end of the journal: lookahead journal verify, lookahead journal ls"
        )

    def let_go(self) -> None:
        """Close every connection without a word to the file: what they know of the log is no longer true."""
        with _registry:
            for db in list(self.connections.values()):
                db.close()
            self.connections.clear()
            self._log = None
            if self._memory is not None:
                os.close(self._memory)
                self._memory = None

    def unlock(self) -> None:
        """So that SQLite can tidy up when it closes. It must not where the log is not its own any more."""
        if self.locked and self.missing() is None:
            self.locked = not _unlocked(self._fd, _SHARED)

    def release(self, user: int) -> None:
        """One user less. The last one closes the file, after its connection: else its locks would be lost."""
        with _registry:
            if user not in self.users:
                return
            self.users.remove(user)
            if not self.locked and self.connections and self.missing():
                # Closing would write what this log says over what others wrote since, and a new connection would
                # share its memory. So it stays as it is, even when the interpreter ends.
                for db in self.connections.values():
                    ctypes.pythonapi.Py_IncRef(ctypes.py_object(db))
                return
            db = self.connections.pop(user, None)
            if not self.users:
                _holds.pop(self.identity, None)
                self.unlock()
            if db is not None:
                db.close()
            if not self.users:
                os.close(self._fd)
                if self._memory is not None:
                    os.close(self._memory)


_registry = RLock()
_holds: dict[Identity, Hold] = {}
_spare: Final[list[int]] = []
"""Opened twice by chance. Closing one would drop the locks that are meant to be kept."""

_inherited: Final[list[Hold]] = []
"""Of the process we were forked from. Neither used nor closed here: both would harm it."""


def take(path: str, user: int) -> Hold:
    """What this process holds of the file; one more user of it. The file must be there."""
    path = os.path.abspath(path)
    with _registry:
        hold = _holds.get(_identity(path) or (0, 0)) or _taken(path)
        if hold.real != os.path.realpath(path):
            raise JournalError(
                f"the journal {path} is in use as {hold.real}, and a journal has one name. Open it by that one"
            )
        hold.users.add(user)
        return hold


def _taken(path: str) -> Hold:
    fd = _open(path)
    status = os.fstat(fd)
    identity = (status.st_dev, status.st_ino)
    if identity in _holds:
        _spare.append(fd)
    else:
        _holds[identity] = Hold(path, fd, identity)
    return _holds[identity]


def make(path: str) -> None:
    """A new, empty file that its owner alone can read; one that is there is left as it is."""
    with _registry, suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _at_exit() -> None:
    """What nobody closed is closed with the interpreter, and then SQLite may tidy up."""
    with _registry:
        for hold in list(_holds.values()):
            hold.unlock()


atexit.register(_at_exit)


def _forked() -> None:
    global _registry
    _registry = RLock()
    _inherited.extend(_holds.values())
    _holds.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def _open(path: str) -> int:
    return os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))


def _identity(path: str) -> Identity | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _locked(fd: int, where: tuple[int, int]) -> bool:
    return sys.platform == "linux" and _lock(fd, fcntl.F_RDLCK, where)


def _unlocked(fd: int, where: tuple[int, int]) -> bool:
    return sys.platform == "linux" and _lock(fd, fcntl.F_UNLCK, where)


def _lock(fd: int, kind: int, where: tuple[int, int]) -> bool:
    """A lock of the open file, not of the process; False where the file system knows none."""
    if sys.platform != "linux":
        return False
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack("hhqqi0q", kind, os.SEEK_SET, *where, 0))
    except OSError:
        return False
    return True
