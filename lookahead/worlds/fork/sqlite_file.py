"""The real SQLite file, opened so that looking at it leaves no trace, and private copies of it in memory."""

import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import quote as url_quote

from lookahead.errors import NotMyWorld, WorldError, WorldTimeout
from lookahead.worlds.fork.database import DatabaseLimits, Stop
from lookahead.worlds.fork.sqlite_guard import OWN_CONNECTION

BUSY, LOCKED, READONLY, CANNOT_OPEN = 5, 6, 8, 14
_STEPS_BETWEEN_LOOKS = 5_000


@dataclass(frozen=True, kw_only=True)
class File:
    """Opens connections to one database file. The file itself is only ever opened by SQLite, whose locks a second
    descriptor of this process would drop."""

    world: str
    path: str
    limits: DatabaseLimits
    prepare: Callable[[sqlite3.Connection], object]

    @property
    def uri(self) -> str:
        return "file:" + url_quote(self.path)

    def mark(self) -> str:
        """Differs after every commit that anybody made."""
        marks: list[str] = []
        for path in (self.path, self.path + "-wal"):
            try:
                found = os.stat(path)
                marks.append(f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}")
            except OSError:
                marks.append("none")
        return "|".join(marks)

    @contextmanager
    def open(self, mode: str, stop: Stop) -> Generator[sqlite3.Connection]:
        """A connection in autocommit mode: `ro` or `rw` to the file, "" to an empty database in memory."""
        target = f"{self.uri}?mode={mode}" if mode else ":memory:"
        connection = sqlite3.connect(target, uri=True, isolation_level=None, timeout=0, check_same_thread=False)
        with closing(connection):
            connection.set_authorizer(_only_the_connection)
            self.prepare(connection)
            connection.set_authorizer(None)
            if connection.in_transaction:
                raise WorldError(f"{self.world}: prepare= must not leave a transaction open")
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, self.limits.value_bytes)
            connection.set_progress_handler(lambda: stop.now, _STEPS_BETWEEN_LOOKS)
            yield connection

    @contextmanager
    def reading(self, stop: Stop) -> Generator[sqlite3.Connection]:
        """A read-only view of the real file, held still by a read transaction."""
        if not os.path.exists(self.path):
            raise WorldError(f"{self.world}: there is no database at {self.path}; create it or correct the path")
        tidy = not os.path.exists(self.path + "-wal")
        with self.open("ro", stop) as connection:
            self.patiently(connection, "BEGIN", stop)
            self.patiently(connection, "SELECT 1 FROM sqlite_master LIMIT 1", stop)
            try:
                yield connection
            finally:
                connection.set_progress_handler(None, 0)
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if tidy and os.path.exists(self.path + "-wal"):
                    self._take_log_away(connection, stop)

    def _take_log_away(self, reader: sqlite3.Connection, stop: Stop) -> None:
        """A reader alone leaves an empty write-ahead log behind; one that could write removes it when it closes last.

        Where a log was there before, the reader must be the last to close: a writer would fold the log into the file.
        """
        with suppress(sqlite3.Error), self.open("rw", stop) as last:
            last.set_progress_handler(None, 0)
            last.execute("PRAGMA schema_version").close()
            reader.close()

    @contextmanager
    def writing(self, stop: Stop) -> Generator[sqlite3.Connection]:
        """A transaction on the real file that is rolled back. What it dirties stays in memory: no spill, no journal."""
        with self.open("rw", stop) as connection:
            connection.execute("PRAGMA cache_spill=OFF").close()
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode=MEMORY").close()
            self.bound_growth(connection)
            self._lock(connection, stop)
            try:
                yield connection
            finally:
                connection.set_progress_handler(None, 0)
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _lock(self, connection: sqlite3.Connection, stop: Stop) -> None:
        try:
            self.patiently(connection, "BEGIN IMMEDIATE", stop)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != READONLY:
                raise
            connection.execute("BEGIN").close()  # The statement itself will say that nothing can be written.

    @contextmanager
    def copy(self, data: bytes, stop: Stop) -> Generator[sqlite3.Connection]:
        """A database in memory that starts as `data` and ends with this block."""
        with self.open("", stop) as connection:
            if data:
                connection.deserialize(data)
            self.bound_growth(connection)
            yield connection

    def patiently(self, connection: sqlite3.Connection, sql: str, stop: Stop) -> None:
        """Run `sql`, waiting a little for the application's locks; a cancelled preview stops waiting at once."""
        while True:
            try:
                connection.execute(sql).close()
                return
            except sqlite3.OperationalError as error:
                if result_code(error) != BUSY or stop.now or stop.elapsed > self.limits.busy_seconds:
                    raise
                stop.wait(0.005)

    def serialize(self, reader: sqlite3.Connection) -> bytes:
        if not reader.in_transaction:
            reader.execute("BEGIN").close()  # So that no commit falls between two pages.
        pages, size = _size(reader)
        if pages * size > self.limits.copy_bytes:
            raise NotMyWorld(
                f"{self.world}: this needs a copy, and the database has {pages * size:,} bytes; "
                f"limits.copy_bytes allows {self.limits.copy_bytes:,}"
            )
        data = reader.serialize() if pages else b""
        # A copy in memory has no write-ahead log: both version bytes of the header say so.
        return data[:18] + b"\x01\x01" + data[20:] if data else data

    def bound_growth(self, connection: sqlite3.Connection) -> None:
        pages, size = _size(connection)
        connection.execute(f"PRAGMA max_page_count={pages + self.limits.growth_bytes // size}").close()

    def failure(self, cause: sqlite3.Error, stop: Stop) -> WorldError:
        """What stopped a preview, in our words, with the next step."""
        if stop.late:
            return WorldTimeout(f"{self.world}: the preview took longer than {stop.seconds:g} s; raise limits.seconds")
        code = result_code(cause)
        if code in (BUSY, LOCKED):
            return WorldError(f"{self.world}: the database is locked by its application ({cause}); try again")
        if not os.path.exists(self.path):
            return WorldError(f"{self.world}: there is no database at {self.path}; create it or correct the path")
        if code in (READONLY, CANNOT_OPEN):
            return WorldError(
                f"{self.world}: the database cannot be read as it is ({cause}); if its application crashed, open it "
                "once with the application so that it can recover"
            )
        return WorldError(f"{self.world}: {type(cause).__name__}: {cause}; the limits of this fork may be too small")


def result_code(error: sqlite3.Error) -> int | None:
    """SQLite's primary result code; None for an error of the driver."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _size(connection: sqlite3.Connection) -> tuple[int, int]:
    return (
        int(connection.execute("PRAGMA page_count").fetchone()[0]),
        int(connection.execute("PRAGMA page_size").fetchone()[0]),
    )


def _only_the_connection(code: int, one: str | None, _: str | None, __: str | None, ___: str | None) -> int:
    """Lets `prepare=` read, and set what lasts as long as the connection.

    A pragma that would change the file, such as its journal mode, is passed over; any other change is an error.
    """
    if code in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION):
        return sqlite3.SQLITE_OK
    if code == sqlite3.SQLITE_PRAGMA:
        return sqlite3.SQLITE_OK if (one or "").lower() in OWN_CONNECTION else sqlite3.SQLITE_IGNORE
    return sqlite3.SQLITE_DENY
