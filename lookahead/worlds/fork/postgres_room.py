"""One PostgreSQL transaction that never commits, and what is allowed to happen in it."""

import secrets
from collections.abc import Collection
from typing import Any

from lookahead.errors import NotMyWorld, WorldError
from lookahead.types import Effect
from lookahead.worlds.fork.database import Answer, DatabaseLimits, SqlCall, Stop
from lookahead.worlds.fork.postgres_effects import Look, isolate_sequences
from lookahead.worlds.fork.postgres_guard import objection, reach, split

_OURS = ("08", "25", "40", "53", "57", "58", "XX", "55P03")
"""Connection, transaction state, deadlock, resources, shutdown, I/O, internal, a lock not had: the preview failed."""
_ROWS = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "COPY"})
_DRAWING = frozenset({"insert", "merge", "nextval", "setval", "default"})
"""Words without which no number is drawn from a sequence."""
_DEFERRED = """
SELECT string_agg(DISTINCT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(k.conname), ', ')
FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace WHERE k.condeferred
"""
_SETTINGS = """
SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true),
  set_config('idle_in_transaction_session_timeout', %s, true), set_config('lookahead.preview', %s, true)
"""

Outcome = tuple[Answer, tuple[Effect, ...]]


class Room:
    """Runs calls one after the other inside a transaction; leaving the connection to close is the rollback."""

    def __init__(
        self,
        *,
        world: str,
        connection: Any,
        driver: Any,
        limits: DatabaseLimits,
        stop: Stop,
        read_only: bool,
        trust: Collection[str],
        advance: bool,
    ) -> None:
        self._world = world
        self._connection = connection
        self._driver = driver
        self._limits = limits
        self._stop = stop
        self._read_only = read_only
        self._trust = trust
        self._advance = advance
        self._token = secrets.token_hex(8)
        self.state = ""
        """The SQLSTATE of the last error that the database gave as its answer."""

    def enter(self) -> None:
        left = max(1, round((self._stop.seconds - self._stop.elapsed) * 1000))
        busy = max(1, round(self._limits.busy_seconds * 1000))
        self._connection.execute("BEGIN READ ONLY" if self._read_only else "BEGIN")
        self._connection.execute(_SETTINGS, (str(left), str(busy), str(left + 1000), self._token))

    def run(self, call: SqlCall, *, look: bool = True) -> Outcome:
        """All statements of one call, as one: an error undoes the whole call."""
        statements = split(call.sql)
        if "\0" in call.sql or (len(statements) > 1 and call.parameters):
            raise NotMyWorld(f"{self._world}: nobody said which statement of the script the parameters belong to")
        for statement in statements:
            if (reason := objection(statement)) is not None:
                raise NotMyWorld(f"{self._world}: {reason}")
        with self._connection.cursor() as cursor:
            seen = Look.before(cursor) if look and not self._read_only else None
            cursor.execute("SAVEPOINT lookahead_call")
            answer, names = Answer(), set[str]()
            try:
                for number, statement in enumerate(statements):
                    names |= self._allow(cursor, statement)
                    answer = self._execute(call, statement, last=number == len(statements) - 1)
                    self._stay(cursor)
                self._commit_checks(cursor, look)
            except self._driver.Error as error:
                self.state = error.sqlstate or ""
                failed = self._stop.now or not self.state or self.state.startswith(_OURS)
                if failed and self.state != "25006":
                    raise
                if call.guessed and self.state in ("42601", "42P01"):
                    raise NotMyWorld(
                        f"{self._world}: whether this is meant for this database is unsure; name its tools="
                    ) from error
                cursor.execute("ROLLBACK TO lookahead_call")
                self._stay(cursor)
                return Answer(error=str(error)), ()
            effects = seen.after(cursor, statements, names) if seen is not None else ()
            return answer, effects

    def _allow(self, cursor: Any, statement: str) -> set[str]:
        """Follow what the statement reaches; take care of the sequences that it may draw from."""
        reason, names, own_code = reach(cursor, statement, writes=not self._read_only, trusted=self._trust)
        if reason is not None:
            raise NotMyWorld(f"{self._world}: {reason}")
        draws = own_code or not _DRAWING.isdisjoint(names)
        if draws and not self._read_only and not self._advance:
            foreign = isolate_sequences(cursor, names, every=own_code)
            if foreign is not None:
                raise NotMyWorld(
                    f"{self._world}: it may draw from the sequence {foreign}, which is not ours to hand back; "
                    'allow gaps with sequences="advance", or connect as its owner'
                )
        return names

    def _execute(self, call: SqlCall, statement: str, *, last: bool) -> Answer:
        """One statement through the extended protocol, which takes no second one."""
        raw = "$1" in statement and isinstance(call.parameters, list)
        parameters = call.parameters if call.parameters else None
        with self._driver.RawCursor(self._connection) if raw else self._connection.cursor() as cursor:
            if self._read_only:
                return self._stream(cursor, statement, parameters, last=last)
            cursor.execute(statement.encode(), parameters, prepare=True)
            shown = tuple(column.name for column in cursor.description or ())
            rows, truncated = self._bounded(cursor) if shown else ((), False)
            tag = str(cursor.statusmessage or "").split(" ")[0]
            return Answer(
                columns=shown, rows=rows, truncated=truncated, changed=cursor.rowcount if tag in _ROWS else None
            )

    def _stream(self, cursor: Any, statement: str, parameters: Any, *, last: bool) -> Answer:
        """Rows as they come, so that a large answer is never fetched whole."""
        rows: list[tuple[object, ...]] = []
        room, truncated = self._limits.characters, False
        stream = cursor.stream(statement.encode(), parameters)
        try:
            for row in stream:
                room -= _weight(row)
                truncated = truncated or len(rows) >= self._limits.rows or room <= 0
                if not truncated:
                    rows.append(tuple(row))
                elif last:
                    break
        finally:
            stream.close()
        if cursor.description is None:
            cursor.execute(
                statement.encode(), parameters, prepare=True
            )  # A stream of no rows does not name its columns.
        shown = tuple(column.name for column in cursor.description or ())
        return Answer(columns=shown, rows=tuple(rows), truncated=truncated)

    def _bounded(self, cursor: Any) -> tuple[tuple[tuple[object, ...], ...], bool]:
        rows: list[tuple[object, ...]] = []
        room = self._limits.characters
        for row in cursor:
            room -= _weight(row)
            if len(rows) >= self._limits.rows or room <= 0:
                return tuple(rows), True
            rows.append(tuple(row))
        return tuple(rows), False

    def _commit_checks(self, cursor: Any, look: bool) -> None:
        """What the commit of this call would check, checked now; the next call defers again what it may."""
        if self._read_only:
            return
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        if not look:
            cursor.execute(_DEFERRED)
            deferred = cursor.fetchone()[0]
            if deferred:
                cursor.execute(f"SET CONSTRAINTS {deferred} DEFERRED")

    def _stay(self, cursor: Any) -> None:
        """Make sure that this is still the transaction that will be rolled back."""
        status = self._connection.info.transaction_status
        if status == self._driver.pq.TransactionStatus.INERROR:
            return
        if status == self._driver.pq.TransactionStatus.INTRANS:
            cursor.execute("SELECT pg_catalog.current_setting('lookahead.preview', true)")
            if cursor.fetchone()[0] == self._token:
                return
        raise WorldError(f"{self._world}: the statement left the transaction of its preview; check what it did")


def _weight(row: Any) -> int:
    return sum(len(value) if isinstance(value, str | bytes) else 8 for value in row)
