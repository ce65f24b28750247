"""An exact world for a SQLite file: the statement runs for real, in a transaction that is rolled back."""

import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from types import TracebackType
from typing import Self, TypeVar

import anyio

from lookahead.errors import NotMyWorld, WorldError
from lookahead.types import Action, Cost, Effect, Observation, Origin, State, Step
from lookahead.worlds.branch import Copies, branch_key, steps_to_replay, up_to
from lookahead.worlds.fork.database import Answer, DatabaseLimits, SqlCall, SqlTools, Stop, in_thread, render
from lookahead.worlds.fork.sqlite_effects import Trace, compare, tables
from lookahead.worlds.fork.sqlite_file import READONLY, File, result_code
from lookahead.worlds.fork.sqlite_guard import Watch, split

T = TypeVar("T")

_OURS = frozenset({5, 6, 7, 9, 10, 11, 13, 14, 15, 18, 26})
"""Busy, locked, out of memory, interrupted, I/O, corrupt, full, cannot open, protocol, too big, not a database: the
preview failed; the database said nothing."""

Outcome = tuple[Answer, tuple[Effect, ...]]


def _no_preparation(connection: sqlite3.Connection) -> None: ...


class SqliteFork:
    """Says exactly what SQL would answer and change in a SQLite database, and leaves its file as it was.

    A reading statement runs on a read-only connection. A writing one runs on the real file inside a transaction that
    is rolled back; nothing is written to disk, and the write lock is held only meanwhile. Scripts, and steps after an
    imagined change, run on a private copy in memory, which is kept for the imagined state that it belongs to.

    Each call is taken to run on a connection of its own in autocommit mode. `prepare` makes a connection like the
    tool's: foreign keys, functions, collations. With `scripts=False` the tool's driver takes one statement at a time.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        tools: Mapping[str, str] | None = None,
        name: str = "fork:sqlite",
        limits: DatabaseLimits | None = None,
        prepare: Callable[[sqlite3.Connection], object] = _no_preparation,
        scripts: bool = True,
        render: Callable[[Answer], str] = render,
    ) -> None:
        if sqlite3.sqlite_version_info < (3, 37):
            raise WorldError(
                f"{name}: SQLite {sqlite3.sqlite_version} is too old; use a Python with SQLite 3.37 or newer"
            )
        self.name = name
        self._limits = limits or DatabaseLimits()
        self._file = File(world=name, path=os.path.abspath(path), limits=self._limits, prepare=prepare)
        self._tools = SqlTools(tools=tools, world=name)
        self._scripts = scripts
        self._render = render
        self._limiter = anyio.CapacityLimiter(4)
        self._copies: Copies[bytes] = Copies(_forget, keep=self._limits.copies)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self.discard()

    async def discard(self) -> None:
        """Throw away the copies: reality has moved on."""
        await self._copies.discard()

    async def __call__(self, state: State, action: Action, /) -> Observation:
        call = self._tools.read(action)
        replay = steps_to_replay(state, self._tools.knows, self.name)
        started, epoch = time.monotonic(), self._copies.epoch
        if replay:
            base = await self._copy_of(state, replay, epoch)
            (answer, effects), after = await self._work(lambda stop: self._on_copy(base, call, stop))
        else:
            (answer, effects), after = await self._work(lambda stop: self._on_reality(call, stop))
        observation = Observation(
            content=self._render(answer),
            structured=answer.structured(),
            failed=answer.error is not None,
            effects=effects,
            origin=Origin(kind="exact", world=self.name, confidence=1.0),
            cost=Cost(calls=1, seconds=time.monotonic() - started),
        )
        if after is not None:
            await self._copies.put(self._key(state.then(action, observation)), after, epoch=epoch)
        return observation

    # Copies for imagined states

    def _key(self, state: State) -> str:
        """The imagined state, and the reality that it grew from: a file that changed since makes other futures."""
        return f"{branch_key(state)}|{self._file.mark()}"

    async def _copy_of(self, state: State, replay: tuple[Step, ...], epoch: int) -> bytes:
        """The database of an imagined state: the copy kept for it, or the nearest one before it and the steps since."""
        ends = [number + 1 for number, step in enumerate(state.steps) if any(step is wanted for wanted in replay)]
        keys = [self._key(up_to(state, end)) for end in ends]
        base, done = None, 0
        for number in range(len(keys), 0, -1):
            async with self._copies.acquire(keys[number - 1]) as kept:
                if kept is not None:
                    base, done = kept, number
                    break
        if base is None:
            base = await self._work(self._snapshot)
        for step in replay[done:]:
            call, before = self._tools.read(step.action), base
            (answer, _), after = await self._work(lambda stop, b=before, c=call: self._on_copy(b, c, stop, look=False))
            said = step.observation
            if (self._render(answer), answer.error is not None) != (said.content, said.failed):
                raise NotMyWorld(
                    f"{self.name}: an earlier imagined step ({step.action.tool}) came out differently when it was "
                    "replayed, so this future is not one of the database as it is now"
                )
            base = base if after is None else after
        if done < len(keys):
            await self._copies.put(keys[-1], base, epoch=epoch)
        return base

    async def _work(self, work: Callable[[Stop], T]) -> T:
        stop = Stop(seconds=self._limits.seconds)
        return await in_thread(lambda: self._translated(work, stop), stop, self._limiter)

    def _translated(self, work: Callable[[Stop], T], stop: Stop) -> T:
        stop.begin()
        try:
            return work(stop)
        except sqlite3.Error as cause:
            raise self._file.failure(cause, stop) from cause

    def _snapshot(self, stop: Stop) -> bytes:
        with self._file.reading(stop) as reader:
            return self._file.serialize(reader)

    # The three ways to run a call

    def _on_reality(self, call: SqlCall, stop: Stop) -> tuple[Outcome, bytes | None]:
        if self._scripts and len(split(call.sql)) > 1:
            return self._on_copy(self._snapshot(stop), call, stop)
        with self._file.reading(stop) as reader:
            watch = Watch()
            answer, error = self._run(reader, call.sql, call, watch)
            if watch.denied or error is None or error.sqlite_errorcode != READONLY:
                return (self._judge(answer, error, call, watch, stop), ()), None
            if not _defers_foreign_keys(reader):
                outcome = self._in_transaction(reader, call, watch, stop)
                if outcome is not None:
                    return outcome, None
            copied = self._file.serialize(reader)
        return self._on_copy(copied, call, stop)

    def _in_transaction(
        self, reader: sqlite3.Connection, call: SqlCall, seen: Watch, stop: Stop, *, traced: bool = True
    ) -> Outcome | None:
        """A writing statement on the real file, rolled back; None where only a real commit would tell."""
        if reader.in_transaction:
            # The reader lets go of its view, or a newer commit would make this one stale; it stays open (see `File`).
            reader.execute("ROLLBACK")
        prefix = f"lookahead_{secrets.token_hex(6)}_"
        with self._file.writing(stop) as writer:
            trace = None
            if traced and not seen.schema and not seen.header:
                known = tables(writer, "main", seen.tables).values()
                trace = Trace(writer, [table for table in known if table.traceable], prefix)
            watch = Watch(own=prefix)
            answer, error = self._run(writer, call.sql, call, watch)
            answer = self._judge(answer, error, call, watch, stop)
            if not writer.in_transaction:
                return answer, ()  # The statement's own conflict clause rolled everything back.
            if answer.error is None:
                before = prefix + "before"
                writer.execute(f"ATTACH ? AS {before}", (f"{self._file.uri}?mode=ro",))
                return answer, compare(
                    writer, before, watch, trace=trace, replaces=_mentions(writer, call.sql, "replace")
                )
            # Alone, a failing statement leaves nothing behind, unless it fails by a clause that keeps the rows so far.
            # In a transaction SQLite keeps more, so what is left here says nothing.
            if trace is None:
                return None if _mentions(writer, call.sql, "fail") else (answer, ())
        # In a broken schema the triggers of the trace may themselves be what fails.
        return self._in_transaction(reader, call, seen, stop, traced=False)

    def _on_copy(self, base: bytes, call: SqlCall, stop: Stop, *, look: bool = True) -> tuple[Outcome, bytes | None]:
        """A whole script on a private copy in memory, where BEGIN and COMMIT mean what they say."""
        statements = split(call.sql) if self._scripts else [call.sql]
        if len(statements) > 1 and call.parameters:
            raise NotMyWorld(f"{self.name}: nobody said which statement of the script the parameters belong to")
        with self._file.copy(base, stop) as copy:
            watch = Watch(script=len(statements) > 1)
            answer = Answer()
            for number, statement in enumerate(statements):
                answer, error = self._run(copy, statement, call, watch, first=number == 0)
                answer = self._judge(answer, error, call, watch, stop)
                if answer.error is not None:
                    break
            if copy.in_transaction:
                if answer.error is None:
                    raise NotMyWorld(f"{self.name}: the script leaves a transaction open; nobody knows how it ends")
                copy.execute("ROLLBACK")
            if not watch.writes:
                return (answer, ()), None
            after = copy.serialize()
            if not look:
                return (answer, ()), after
            before = f"lookahead_{secrets.token_hex(6)}_before"
            copy.execute(f"ATTACH ':memory:' AS {before}")
            if base:
                copy.deserialize(base, name=before)
            return (answer, compare(copy, before, watch)), after

    def _run(
        self, connection: sqlite3.Connection, sql: str, call: SqlCall, watch: Watch, *, first: bool = True
    ) -> tuple[Answer, sqlite3.Error | None]:
        """One statement under watch: what it answers, within bounds."""
        watch.next_statement(sql, first=first)
        if watch.denied:
            return Answer(), None
        connection.set_authorizer(watch)
        try:
            with closing(connection.cursor()) as cursor:
                cursor.execute(sql, call.parameters if first else ())
                columns = tuple(str(column[0]) for column in cursor.description or ())
                rows, truncated = self._fetch(cursor)
                changed = cursor.rowcount if cursor.rowcount >= 0 else None
                return Answer(columns=columns, rows=rows, truncated=truncated, changed=changed), None
        except sqlite3.Error as error:
            if result_code(error) is None:  # The driver's own: bindings that do not fit, two statements at once.
                return Answer(error=str(error)), None
            return Answer(error=str(error)), error
        except (OverflowError, ValueError, TypeError) as error:
            return Answer(error=str(error)), None
        finally:
            connection.set_authorizer(None)

    def _fetch(self, cursor: sqlite3.Cursor) -> tuple[tuple[tuple[object, ...], ...], bool]:
        rows: list[tuple[object, ...]] = []
        room = self._limits.characters
        for row in cursor:
            values = tuple(row)
            room -= sum(len(value) if isinstance(value, str | bytes) else 8 for value in values)
            if len(rows) >= self._limits.rows or room <= 0:
                return tuple(rows), True
            rows.append(values)
        return tuple(rows), False

    def _judge(self, answer: Answer, error: sqlite3.Error | None, call: SqlCall, watch: Watch, stop: Stop) -> Answer:
        """Part what the database says from what only the preview says."""
        if watch.denied:
            raise NotMyWorld(f"{self.name}: {watch.denied}")
        if error is None:
            return answer
        recovering = result_code(error) == READONLY != error.sqlite_errorcode
        if stop.now or recovering or result_code(error) in _OURS:
            raise error
        if call.guessed and ("syntax error" in str(error) or "no such table" in str(error)):
            raise NotMyWorld(
                f"{self.name}: whether this is meant for this database is unsure ({error}); name its tools="
            )
        return answer


async def _forget(copy: bytes) -> None: ...


def _defers_foreign_keys(connection: sqlite3.Connection) -> bool:
    """Whether a violation might be noticed only at the commit, which a rolled-back transaction never reaches."""
    enforced = bool(connection.execute("PRAGMA foreign_keys").fetchone()[0])
    return enforced and _mentions(connection, "", "deferr")


def _mentions(connection: sqlite3.Connection, sql: str, word: str) -> bool:
    """Whether the statement or anything in the schema (a constraint, a trigger) could hold this keyword."""
    ask = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE instr(lower(sql), ?))"
    return word in sql.lower() or bool(connection.execute(ask, (word,)).fetchone()[0])
