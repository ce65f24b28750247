"""What SQLite complains of, in the words of somebody who keeps a journal."""

import sqlite3
from dataclasses import dataclass
from types import TracebackType

from lookahead.errors import JournalCorrupt, JournalError


@dataclass(frozen=True)
class Named:
    """Gives what SQLite raises in this block a name of ours."""

    path: str
    patience: float

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, cause: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(cause, sqlite3.Error):
            raise translated(cause, self.path, self.patience) from cause


def primary(error: sqlite3.Error) -> int:
    """SQLite's own number for what went wrong; 0 when Python's module complained."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def translated(error: sqlite3.Error, path: str, patience: float) -> JournalError:
    code = primary(error)
    messages: dict[int, str] = {
        sqlite3.SQLITE_FULL: "cannot be written, because the disk is full. Free some space and try again",
        sqlite3.SQLITE_READONLY: "cannot be written: it is read-only. Change its permissions, or name another path",
        sqlite3.SQLITE_CANTOPEN: "cannot be opened. Its folder must exist and be writable; or name another path",
        sqlite3.SQLITE_PERM: "cannot be opened: permission denied. Name another path",
        sqlite3.SQLITE_BUSY: f"was held by another process for more than {patience:g} seconds. Try again",
        sqlite3.SQLITE_LOCKED: f"was held by another process for more than {patience:g} seconds. Try again",
        sqlite3.SQLITE_IOERR: "cannot be used: the disk reports an error, or a limit on file sizes. Look at the disk",
    }
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT) or "UTF-8" in str(error):
        return damaged(path, error)
    if "closed" in str(error) and not code:
        return JournalError(f"the journal {path} was closed already")
    said = messages.get(code, "cannot be used")
    return JournalError(f"the journal {path} {said} ({error}). What is not recorded does not run")


def damaged(path: str, why: object) -> JournalCorrupt:
    return JournalCorrupt(
        f"the journal {path} is damaged or not a journal ({why}). "
        "Keep a copy, move it away to begin a new one, and look at the old one with sqlite3's .recover"
    )
