"""The SQLite file: opened with care, written one whole transaction at a time, its troubles named."""

import os
import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from lookahead.errors import JournalCorrupt, JournalError, LookaheadError
from lookahead.journal import schema

MEMORY: Final = ":memory:"
_HEADER: Final = 512
"""Bytes of the smallest database there can be."""

_inherited: Final[list[sqlite3.Connection]] = []
"""Connections that belong to the process we were forked from. Neither used nor closed here: both would harm it."""


class Store:
    """One connection behind one lock, for all threads of this process."""

    def __init__(self, path: str, *, patience: float = 5.0, readonly: bool = False) -> None:
        self.path = path
        self._patience = patience
        self._readonly = readonly
        self._lock = threading.RLock()
        self._db = self._opened()
        self._pid = os.getpid()

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """One consistent view, whatever other processes write meanwhile."""
        yield from self._transaction("BEGIN")

    @contextmanager
    def writing(self) -> Generator[sqlite3.Connection]:
        """All or nothing: what leaves this block without an error is on the disk."""
        yield from self._transaction("BEGIN IMMEDIATE")

    def _transaction(self, begin: str) -> Generator[sqlite3.Connection]:
        self._after_fork()
        with self._lock, self._named():
            db = self._db
            if begin != "BEGIN":
                self._still_there()
            db.execute(begin)
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                # After some failures SQLite has rolled back by itself.
                with suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                raise

    def compact(self) -> bool:
        """Give the space of removed rows back to the disk; False while another process is in the way."""
        self._after_fork()
        with self._lock:
            try:
                self._db.execute("VACUUM")
                busy = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            except sqlite3.OperationalError:
                return False
            return not busy

    def close(self) -> None:
        if os.getpid() != self._pid:
            return
        with self._lock:
            self._db.close()

    def _after_fork(self) -> None:
        if os.getpid() == self._pid:
            return
        if self.path == MEMORY:
            raise JournalError("a journal in memory cannot be shared with a child process: give it a path")
        _inherited.append(self._db)
        self._lock = threading.RLock()
        self._db = self._opened()
        self._pid = os.getpid()

    def _still_there(self) -> None:
        """A journal that was deleted or replaced under us would swallow records without a word."""
        if self._readonly:
            raise JournalError(f"the journal {self.path} was opened to be read only")
        if self.path == MEMORY:
            return
        try:
            now = os.stat(self.path)
        except OSError as cause:
            raise JournalError(
                f"the journal {self.path} is gone: it was moved or deleted while in use. Start again to begin a new one"
            ) from cause
        if (now.st_dev, now.st_ino) != self._identity:
            raise JournalError(f"the journal {self.path} was replaced while in use. Start again to use the new file")

    def _opened(self) -> sqlite3.Connection:
        self._identity = (0, 0)
        try:
            if self.path != MEMORY:
                if not self._readonly:
                    _make(Path(self.path))
                _begins_well(Path(self.path))
            with self._named():
                return self._open_to_read() if self._readonly else self._open()
        except OSError as error:
            raise JournalError(f"the journal {self.path} cannot be opened: {error.strerror or error}") from error
        except UnicodeError as error:
            raise _damaged(self.path, error) from error

    def _open(self) -> sqlite3.Connection:
        db = self._connect(self.path)
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _connect(self, target: str, *, uri: bool = False) -> sqlite3.Connection:
        db = sqlite3.connect(
            target, timeout=self._patience, isolation_level=None, check_same_thread=False, uri=uri, cached_statements=64
        )
        if self.path != MEMORY and not uri:
            now = os.stat(self.path)
            self._identity = (now.st_dev, now.st_ino)
        return db

    def _open_to_read(self) -> sqlite3.Connection:
        path = Path(self.path)
        if not path.is_file():
            raise JournalError(f"there is no journal at {path}: name one with --journal or LOOKAHEAD_JOURNAL")
        uri = path.absolute().as_uri()
        db = self._connect(f"{uri}?mode=ro", uri=True)
        try:
            _check(db, self.path)
        except sqlite3.OperationalError:
            db.close()
            log = Path(f"{path}-wal")
            if log.exists() and log.stat().st_size:
                raise
            # On a read-only medium there is no place for the shared memory of WAL, and no writer either.
            db = self._connect(f"{uri}?immutable=1", uri=True)
            try:
                _check(db, self.path)
            except BaseException:
                db.close()
                raise
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        fresh = _fresh(db)
        if not fresh:
            # Before anything is written: it may be somebody else's database.
            _check(db, self.path)
        self._write_ahead(db)
        db.execute("PRAGMA synchronous = FULL")
        # Where an ordinary fsync stops at the drive's cache, ask for more. Elsewhere these do nothing.
        db.execute("PRAGMA fullfsync = 1")
        db.execute("PRAGMA checkpoint_fullfsync = 1")
        db.execute("PRAGMA secure_delete = 1")
        db.execute("PRAGMA wal_autocheckpoint = 4000")
        db.execute("PRAGMA temp_store = MEMORY")
        if fresh:
            db.execute("BEGIN IMMEDIATE")
            # Another process may have been faster.
            if _fresh(db):
                schema.create(db)
            db.execute("COMMIT")
            _check(db, self.path)

    def _write_ahead(self, db: sqlite3.Connection) -> None:
        """Changing the mode does not wait for a lock by itself when two processes make one new journal."""
        until = monotonic() + self._patience
        while True:
            try:
                db.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if _primary(error) != sqlite3.SQLITE_BUSY or monotonic() > until:
                    raise
                sleep(0.01)
            else:
                return

    @contextmanager
    def _named(self) -> Generator[None]:
        try:
            yield
        except LookaheadError:
            raise
        except sqlite3.Error as error:
            raise _translated(error, self.path, self._patience) from error


def _make(path: Path) -> None:
    """A new journal can be read by its owner alone: it holds what an agent saw."""
    folder = path.parent
    try:
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.name == ".lookahead":
                (folder / ".gitignore").write_text("*\n")
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as cause:
        raise JournalError(
            f"no journal can be made at {path}: {cause.strerror or cause}. "
            "Nothing runs that is not recorded: name a writable place with journal= or LOOKAHEAD_JOURNAL"
        ) from cause


def _begins_well(path: Path) -> None:
    """SQLite takes a file that is too short to be a database for an empty one, and would write over it."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        start = file.read(_HEADER)
    log = Path(f"{path}-wal")
    emptied = not start and log.exists() and log.stat().st_size > 0
    if emptied or (start and (len(start) < _HEADER or not start.startswith(b"SQLite format 3\0"))):
        raise _damaged(str(path), "it does not begin like one")


def _fresh(db: sqlite3.Connection) -> bool:
    return not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]


def _check(db: sqlite3.Connection, path: str) -> None:
    """Only what we wrote, as we wrote it."""
    application = db.execute("PRAGMA application_id").fetchone()[0]
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if application != schema.APPLICATION:
        raise JournalCorrupt(f"{path} is a database, but not a journal: name another path")
    if version > schema.FORMAT:
        raise JournalError(
            f"{path} was written by a newer Lookahead (journal format {version}; this one knows {schema.FORMAT}). "
            "Next: pip install --upgrade lookahead-agents"
        )
    if version < schema.FORMAT or schema.found(db) != schema.expected():
        raise JournalCorrupt(
            f"the tables of {path} are not as Lookahead made them: somebody altered them. "
            "Move the file away to begin a new journal"
        )


def _primary(error: sqlite3.Error) -> int:
    """SQLite's own number for what went wrong; 0 when Python's module complained."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _translated(error: sqlite3.Error, path: str, patience: float) -> JournalError:
    code = _primary(error)
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
        return _damaged(path, error)
    if "closed" in str(error) and not code:
        return JournalError(f"the journal {path} was closed already")
    said = messages.get(code, "cannot be used")
    return JournalError(f"the journal {path} {said} ({error}). What is not recorded does not run")


def _damaged(path: str, why: object) -> JournalCorrupt:
    return JournalCorrupt(
        f"the journal {path} is damaged or not a journal ({why}). "
        "Keep a copy, move it away to begin a new one, and look at the old one with sqlite3's .recover"
    )
