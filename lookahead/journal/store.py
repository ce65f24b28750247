"""The SQLite file: opened with care, written one whole transaction at a time, its troubles named."""

import os
import sqlite3
import threading
import weakref
from collections.abc import Generator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from lookahead.errors import JournalCorrupt, JournalError
from lookahead.journal import chain, hold, schema
from lookahead.journal.hold import Hold
from lookahead.journal.troubles import Named, damaged, primary

MEMORY: Final = ":memory:"
_HEADER: Final = 512
"""Bytes of the smallest database there can be."""

_LOG: Final = 1000
"""Pages that the log holds before SQLite begins it anew."""
_OFTEN: Final = 16
"""After so many writes the log gets its full length at once."""

_users: Final = count(1)


class Store:
    """One connection, behind the one lock that all threads of this process share for this file."""

    def __init__(self, path: str, *, patience: float = 5.0, readonly: bool = False) -> None:
        self._given = path
        # A tool may change the folder that this process is in.
        self.path = path if path == MEMORY else os.path.abspath(path)
        self._patience = patience
        self._readonly = readonly
        self._writes = 0
        self._forced = True
        self._named = Named(self.path, patience)
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._closed = False
        self._lock = threading.RLock()
        self._hold: Hold | None = None
        if self.path == MEMORY:
            self._db = self._connected(None)
            # What nobody closed ends with its last user, as a file does below.
            weakref.finalize(self, self._db.close).atexit = False
            return
        try:
            self._user = next(_users)
            self._hold = self._taken()
            self._lock = self._hold.lock
            release = weakref.finalize(self, _released, self._hold, self._user)
            # Whatever runs last in this process must still be recorded.
            release.atexit = False
            try:
                with self._lock:
                    self._ready()
            except BaseException:
                release()
                raise
        except OSError as error:
            raise JournalError(f"the journal {self.path} cannot be opened: {error.strerror or error}") from error

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """One consistent view, whatever other processes write meanwhile."""
        self._after_fork()
        with self._lock, self._named:
            self._ready()
            with self._transaction("BEGIN") as db:
                yield db

    @contextmanager
    def looking(self) -> Generator[sqlite3.Connection]:
        """For one statement, which is a consistent view by itself."""
        self._after_fork()
        with self._lock, self._named:
            self._ready()
            yield self._db

    @contextmanager
    def turn(self) -> Generator[None]:
        """One at a time, of all threads that use this file."""
        self._after_fork()
        with self._lock:
            yield

    @contextmanager
    def writing(self, *, forced: bool = True) -> Generator[sqlite3.Connection]:
        """All or nothing: what leaves this block without an error is on the disk.

        What is not forced is handed to the system and survives the end of this process, but a power cut before the
        next that is forced may lose it: whole transactions, the newest ones, never a part of one.
        """
        self._after_fork()
        with self._lock, self._named:
            self._still_there()
            self._ready()
            self._force(forced)
            with self._transaction("BEGIN IMMEDIATE") as db:
                self._nothing_lost(db)
                yield db
                head = chain.head(db)
            self._stayed(head)
            self._writes += 1
            if self._writes == _OFTEN:
                self._lengthen()

    def _force(self, forced: bool) -> None:
        """Whether the next transaction waits for the disk."""
        if forced != self._forced:
            self._db.execute(f"PRAGMA synchronous = {'FULL' if forced else 'NORMAL'}")
            self._forced = forced

    def _lengthen(self) -> None:
        """Let the log grow to its full length now, by a transaction that spills into it and is taken back.

        To write over a file takes the disk half the time that it takes to make one longer, and each write waits for
        the disk. Where it cannot be done, the log grows as it is written.
        """
        if self._hold is None or _size_of(f"{self._hold.real}-wal") >= _LOG * 4096:
            return
        db = self._db
        with suppress(sqlite3.Error):
            db.execute("PRAGMA busy_timeout = 0")
            db.execute("PRAGMA cache_size = 16")
            db.execute("BEGIN IMMEDIATE")
            db.execute("CREATE TABLE spilled (zeros)")
            db.execute("INSERT INTO spilled VALUES (zeroblob(?))", (_LOG * 4096,))
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        db.execute("PRAGMA cache_size = -2000")
        db.execute(f"PRAGMA busy_timeout = {int(self._patience * 1000)}")

    @contextmanager
    def _transaction(self, begin: str) -> Generator[sqlite3.Connection]:
        db = self._db
        db.execute(begin)
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            # After some failures SQLite has rolled back by itself.
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise

    def seen(self) -> tuple[tuple[int, str] | None, str | None]:
        """The newest row that this process knows of, and why it may be lost with others; for `verify`."""
        self._after_fork()
        if self._hold is None:
            return None, None
        with self._lock:
            return self._hold.last, self._hold.missing()

    def compact(self) -> bool:
        """Give the space of removed rows back to the disk; False while another process is in the way."""
        self._after_fork()
        with self._lock:
            self._ready()
            self._force(True)
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
            self._closed = True
            if self._hold is None:
                self._db.close()
            else:
                self._hold.release(self._user)

    def _after_fork(self) -> None:
        if os.getpid() == self._pid:
            return
        if self.path == MEMORY:
            raise JournalError("a journal in memory cannot be shared with a child process: give it a path")
        self._begin()

    def _still_there(self) -> None:
        """A journal that was deleted or replaced under us would swallow records without a word."""
        if self._readonly:
            raise JournalError(f"the journal {self.path} was opened to be read only")
        held = self._hold
        if held is None or self._closed:
            return
        if why := held.file_missing():
            raise JournalError(why)
        if why := held.log_missing():
            self._forget(held, why)

    def _forget(self, held: Hold, why: str) -> None:
        """Open anew. Whether something is lost is then read from the file: see `_nothing_lost`."""
        if not held.locked or any(db.in_transaction for db in held.connections.values()):
            raise JournalError(why)
        held.let_go()

    def _nothing_lost(self, db: sqlite3.Connection) -> None:
        """The newest row that we know of is there, or was pruned. What vanished once may vanish again."""
        last = self._hold and self._hold.last
        # The head is changed with the rows, so one that is ours says enough.
        if last and chain.head(db) != last and not chain.holds(db, *last):
            raise JournalCorrupt(
                f"row {last[0]} of the journal {self.path}, which this process wrote or read, is not in it any more: "
                "its log or its file was removed, emptied or overwritten while in use. Nothing more runs. Keep a copy, "
                "look at what was done since the last row that is left, and move the file away to begin a new one"
            )

    def _stayed(self, head: tuple[int, str] | None) -> None:
        """What was written to a log that is no longer there was written nowhere."""
        if self._hold is None:
            return
        if why := self._hold.missing():
            raise JournalError(why)
        self._hold.last = head or self._hold.last

    def _ready(self) -> None:
        """With a connection: the one at hand, or a new one when it had to be given up."""
        held = self._hold
        if held is None or self._closed or self._user in held.connections:
            return
        if held.connections and (why := held.log_missing()):
            self._forget(held, why)
        try:
            self._db = held.connections[self._user] = self._connected(held)
        except UnicodeError as error:
            raise damaged(self.path, error) from error
        held.secure()
        if held.last is None:
            with self._named:
                held.last = chain.head(self._db)

    def _taken(self) -> Hold:
        path = Path(self.path)
        if self._readonly and not path.exists():
            raise JournalError(f"there is no journal at {self._given}: name one with --journal or LOOKAHEAD_JOURNAL")
        if not self._readonly:
            _make(path)
        if not path.is_file():
            raise JournalError(f"the journal {path} cannot be opened: it is not a file. Name another path")
        return hold.take(self.path, self._user)

    def _connected(self, held: Hold | None) -> sqlite3.Connection:
        with self._named:
            if held is None:
                return self._open()
            _begins_well(held)
            return self._open_to_read() if self._readonly else self._open()

    def _open(self) -> sqlite3.Connection:
        db = self._connect(self.path)
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _connect(self, target: str, *, uri: bool = False) -> sqlite3.Connection:
        return sqlite3.connect(
            target, timeout=self._patience, isolation_level=None, check_same_thread=False, uri=uri, cached_statements=64
        )

    def _open_to_read(self) -> sqlite3.Connection:
        uri = Path(self.path).as_uri()
        db = self._connect(f"{uri}?mode=ro", uri=True)
        try:
            _check(db, self.path)
        except sqlite3.OperationalError:
            db.close()
            log = Path(f"{os.path.realpath(self.path)}-wal")
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
        self._forced = True
        # Where an ordinary fsync stops at the drive's cache, ask for more. Elsewhere these do nothing.
        db.execute("PRAGMA fullfsync = 1")
        db.execute("PRAGMA checkpoint_fullfsync = 1")
        db.execute("PRAGMA secure_delete = 1")
        db.execute(f"PRAGMA wal_autocheckpoint = {_LOG}")
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
                if primary(error) != sqlite3.SQLITE_BUSY or monotonic() > until:
                    raise
                sleep(0.01)
            else:
                return


def _size_of(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _make(path: Path) -> None:
    """A new journal can be read by its owner alone: it holds what an agent saw."""
    folder = path.parent
    try:
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.name == ".lookahead":
                (folder / ".gitignore").write_text("*\n")
        hold.make(str(path))
    except OSError as cause:
        raise JournalError(
            f"no journal can be made at {path}: {cause.strerror or cause}. "
            "Nothing runs that is not recorded: name a writable place with journal= or LOOKAHEAD_JOURNAL"
        ) from cause


def _released(held: Hold, user: int) -> None:
    """A child that ends has nothing to close: what it inherited is its parent's."""
    if held.pid == os.getpid():
        held.release(user)


def _begins_well(held: Hold) -> None:
    """SQLite takes a file that is too short to be a database for an empty one, and would write over it."""
    # The log first: another process that makes this journal just now begins the file before it writes to the log.
    logged = _size_of(f"{held.real}-wal") > 0
    start = held.begin(_HEADER)
    emptied = not start and logged
    if emptied or (start and (len(start) < _HEADER or not start.startswith(b"SQLite format 3\0"))):
        raise damaged(held.path, "it does not begin like one")


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
