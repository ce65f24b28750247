"""An exact world for PostgreSQL: the statement runs for real, in a transaction that is rolled back."""

import time
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import anyio

from lookahead.errors import ConfigError, NotMyWorld, WorldError, WorldTimeout, boundary
from lookahead.types import Action, Cost, Effect, Observation, Origin, State
from lookahead.worlds.branch import steps_to_replay
from lookahead.worlds.fork.database import (
    Answer,
    DatabaseLimits,
    SqlCall,
    SqlTools,
    Stop,
    first_word,
    in_thread,
    render,
)
from lookahead.worlds.fork.postgres_guard import split
from lookahead.worlds.fork.postgres_room import Room

if TYPE_CHECKING:
    import psycopg

Connect = Callable[[], "psycopg.Connection[Any]"]
Outcome = tuple[Answer, tuple[Effect, ...]]

_READING = frozenset({"select", "with", "values", "table", "show", "explain"})
_WRITES_AFTER_ALL = "25006"


class PostgresFork:
    """Says exactly what SQL would answer and change in a PostgreSQL database, and rolls it back.

    A reading statement runs in a read-only transaction, a writing one in an ordinary transaction that never commits;
    earlier imagined steps are replayed in it first, so nothing stays open between two calls. Locks on rows and tables
    are held for that long, and waited for no longer than `limits.busy_seconds`. Numbers drawn from a sequence are
    handed back too: the sequence is restarted inside the transaction, which needs its ownership. Without that,
    `sequences="refuse"` abstains and `sequences="advance"` leaves a gap, as any rolled-back insert does.

    Several statements in one call are one transaction, as the server's simple protocol has it. Each call is taken to
    run on a connection of its own. `trust` names further extensions whose functions only compute.
    """

    def __init__(
        self,
        connect: str | Connect,
        *,
        tools: Mapping[str, str] | None = None,
        name: str = "fork:postgres",
        limits: DatabaseLimits | None = None,
        sequences: Literal["refuse", "advance"] = "refuse",
        trust: Collection[str] = (),
        render: Callable[[Answer], str] = render,
    ) -> None:
        self.name = name
        self._driver = _driver()
        self._connect = connect
        self._tools = SqlTools(tools=tools, world=name)
        self._limits = limits or DatabaseLimits()
        self._advance = sequences == "advance"
        self._trust = frozenset(trust)
        self._render = render
        self._limiter = anyio.CapacityLimiter(4)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Nothing stays open between calls."""

    async def discard(self) -> None:
        """No copies are kept: imagined steps are replayed."""

    async def __call__(self, state: State, action: Action, /) -> Observation:
        call = self._tools.read(action)
        replay = steps_to_replay(state, self._tools.knows, self.name)
        earlier = [(self._tools.read(step.action), step.observation) for step in replay]
        started = time.monotonic()
        stop = Stop(seconds=self._limits.seconds)
        answer, effects = await in_thread(lambda: self._preview(earlier, call, stop), stop, self._limiter)
        return Observation(
            content=self._render(answer),
            structured=answer.structured(),
            failed=answer.error is not None,
            effects=effects,
            origin=Origin(kind="exact", world=self.name, confidence=1.0),
            cost=Cost(calls=1, seconds=time.monotonic() - started),
        )

    def _preview(self, earlier: list[tuple[SqlCall, Observation]], call: SqlCall, stop: Stop) -> Outcome:
        stop.begin()
        try:
            if not earlier and all(first_word(statement) in _READING for statement in split(call.sql)):
                with self._transaction(stop, read_only=True) as room:
                    outcome = room.run(call)
                    if room.state != _WRITES_AFTER_ALL:
                        return outcome
            with self._transaction(stop, read_only=False) as room:
                for before, said in earlier:
                    answer, _ = room.run(before, look=False)
                    if (self._render(answer), answer.error is not None) != (said.content, said.failed):
                        raise NotMyWorld(
                            f"{self.name}: an earlier imagined step came out differently when it was replayed, "
                            "so this future is not one of the database as it is now"
                        )
                return room.run(call)
        except self._driver.Error as cause:
            raise self._failure(cause, stop) from cause

    @contextmanager
    def _transaction(self, stop: Stop, *, read_only: bool) -> Generator[Room]:
        with boundary(WorldError, f"{self.name}: connecting"):
            if callable(self._connect):
                connection = self._connect()
            else:
                wait = max(1, round(self._limits.seconds))
                connection = self._driver.connect(self._connect, connect_timeout=wait)
        try:
            connection.autocommit = True
            stop.on_cancel(lambda: _cancel(connection))
            room = Room(
                world=self.name,
                connection=connection,
                driver=self._driver,
                limits=self._limits,
                stop=stop,
                read_only=read_only,
                trust=self._trust,
                advance=self._advance,
            )
            room.enter()
            yield room
        finally:
            stop.on_cancel(None)
            connection.close()  # The server rolls back what a closed connection leaves open.

    def _failure(self, cause: "psycopg.Error", stop: Stop) -> WorldError:
        state = cause.sqlstate or ""
        if stop.late or state == "57014":
            return WorldTimeout(f"{self.name}: the preview took longer than {stop.seconds:g} s; raise limits.seconds")
        if state == "55P03":
            return WorldError(f"{self.name}: the application holds a lock that this needs ({_text(cause)}); try again")
        return WorldError(f"{self.name}: the preview failed, not the statement: {_text(cause)}")


def _text(cause: Exception) -> str:
    return str(cause).strip() or type(cause).__name__


def _cancel(connection: "psycopg.Connection[Any]") -> None:
    with suppress(Exception):
        connection.cancel()


def _driver() -> Any:
    try:
        import psycopg
    except ImportError as cause:
        raise ConfigError(
            'a PostgreSQL fork needs the driver psycopg: pip install "lookahead-agents[postgres]"'
        ) from cause
    return psycopg
