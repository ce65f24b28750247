"""What the database forks share: how a call carries SQL, what an answer looks like, and work in a stoppable thread."""

import json
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TypeVar, cast

import anyio
import anyio.lowlevel
import anyio.to_thread
from pydantic import JsonValue

from lookahead.errors import NotMyWorld, WorldTimeout
from lookahead.types import Action

T = TypeVar("T")
Parameters = Sequence[JsonValue] | Mapping[str, JsonValue]

_SQL_NAMES = ("sql", "query", "statement")
_PARAMETER_NAMES = ("parameters", "params", "bindings", "args", "values")
_WORDS = """
select insert update delete replace with values create drop alter truncate merge pragma explain begin commit end
rollback savepoint release vacuum analyze reindex attach detach copy do call table show set reset grant revoke comment
lock notify listen load prepare execute discard cluster refresh import
"""
_FIRST_WORDS = frozenset(_WORDS.split())


@dataclass(frozen=True, kw_only=True)
class DatabaseLimits:
    """How much one preview may take."""

    seconds: float = 10.0
    busy_seconds: float = 1.0
    """How long to wait for a lock that the application holds."""
    rows: int = 200
    characters: int = 20_000
    """Of rows that are handed back; the statement itself runs to its end."""
    copy_bytes: int = 128 * 1024 * 1024
    """The largest database that is copied for scripts and for second imagined steps."""
    copies: int = 4
    growth_bytes: int = 256 * 1024 * 1024
    """How much a preview may add to the database before it is stopped."""
    value_bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class SqlCall:
    """The SQL of one call, with what is bound to its placeholders."""

    sql: str
    parameters: Parameters = ()
    guessed: bool = False
    """True when only the shape of the call says that this is SQL; then text that does not parse is not ours."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the database said to one call."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[object, ...], ...] = ()
    truncated: bool = False
    changed: int | None = None
    """How many rows the last statement says it changed; None for one that does not say."""
    error: str | None = None

    def structured(self) -> JsonValue:
        rows: list[JsonValue] = [[json_value(value) for value in row] for row in self.rows]
        return {
            "columns": list(self.columns),
            "rows": rows,
            "truncated": self.truncated,
            "changed": self.changed,
            "error": self.error,
        }


def render(answer: Answer) -> str:
    """An answer as most SQL tools give it: the error's text, the rows as JSON objects, or how many rows changed."""
    if answer.error is not None:
        return answer.error
    if answer.columns:
        rows = [dict(zip(answer.columns, map(json_value, row), strict=True)) for row in answer.rows]
        text = json.dumps(rows, ensure_ascii=False)
        return f"{text}\n(only the first {len(rows)} rows are shown)" if answer.truncated else text
    if answer.changed is None:
        return "ok"
    return f"{answer.changed} row{'' if answer.changed == 1 else 's'} changed"


def json_value(value: object) -> JsonValue:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"x'{bytes(cast(bytes, value)).hex()}'"
    if isinstance(value, list | tuple):
        return [json_value(item) for item in cast(Sequence[object], value)]
    if isinstance(value, dict):
        return {str(key): json_value(item) for key, item in cast(dict[object, object], value).items()}
    return str(value)


@dataclass(frozen=True, kw_only=True)
class SqlTools:
    """Which calls carry SQL for this database, and in which argument."""

    tools: Mapping[str, str] | None
    """Tool name (globs allowed) to argument name; None: any call whose one text argument reads as SQL."""
    world: str

    def read(self, action: Action) -> SqlCall:
        """The SQL of `action`; `NotMyWorld` where it has none, or an argument whose meaning is unknown."""
        name = self._argument(action)
        sql = action.arguments.get(name)
        if not isinstance(sql, str):
            raise NotMyWorld(f"{self.world}: the argument {name!r} of {action.tool!r} is not text")
        guessed = self.tools is None
        if guessed and first_word(sql) not in _FIRST_WORDS:
            raise NotMyWorld(f"{self.world}: the argument {name!r} of {action.tool!r} does not read as SQL")
        parameters: Parameters = ()
        for other, value in action.arguments.items():
            if other == name or value is None:
                continue
            if other not in _PARAMETER_NAMES or not isinstance(value, list | dict):
                raise NotMyWorld(f"{self.world}: nobody said what the argument {other!r} of {action.tool!r} means")
            parameters = cast(Parameters, value)
        return SqlCall(sql=sql, parameters=parameters, guessed=guessed)

    def knows(self, action: Action) -> bool:
        try:
            self.read(action)
        except NotMyWorld:
            return False
        return True

    def _argument(self, action: Action) -> str:
        if self.tools is None:
            found = [name for name in _SQL_NAMES if name in action.arguments]
            if len(found) == 1:
                return found[0]
            raise NotMyWorld(f"{self.world}: {action.tool!r} has no single argument named sql, query or statement")
        exact = self.tools.get(action.tool)
        if exact is not None:
            return exact
        for pattern, argument in self.tools.items():
            if fnmatchcase(action.tool, pattern):
                return argument
        raise NotMyWorld(f"{self.world}: {action.tool!r} is not one of this database's tools")


def first_word(sql: str) -> str:
    """The keyword that a statement starts with, in lower case; comments and brackets before it are skipped."""
    rest = sql.lstrip(" \t\r\n\f\v;(\ufeff")
    while rest.startswith(("--", "/*")):
        end = "\n" if rest.startswith("--") else "*/"
        _, found, rest = rest.partition(end)
        rest = rest.lstrip(" \t\r\n\f\v;(") if found else ""
    word = ""
    for letter in rest:
        if not (letter.isalpha() or letter == "_"):
            break
        word += letter
    return word.lower()


@dataclass(kw_only=True)
class Stop:
    """A deadline and a cancellation that work in a thread can ask about."""

    seconds: float
    _event: threading.Event = field(default_factory=threading.Event)
    _interrupt: Callable[[], object] | None = None
    _started: float = field(default_factory=time.monotonic)

    @property
    def now(self) -> bool:
        return self._event.is_set() or self.late

    @property
    def late(self) -> bool:
        return time.monotonic() - self._started > self.seconds

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._started

    def begin(self) -> None:
        """Start the clock: a wait for a free thread is not the statement's time."""
        self._started = time.monotonic()

    def on_cancel(self, interrupt: Callable[[], object] | None) -> None:
        self._interrupt = interrupt

    def cancel(self) -> None:
        self._event.set()
        if (interrupt := self._interrupt) is not None:
            interrupt()

    def wait(self, seconds: float) -> None:
        self._event.wait(seconds)

    def check(self, world: str) -> None:
        if self.late:
            raise WorldTimeout(f"{world}: the preview took longer than {self.seconds:g} s; raise limits.seconds")


async def in_thread(work: Callable[[], T], stop: Stop, limiter: anyio.CapacityLimiter) -> T:
    """Run blocking work in a thread; a cancellation tells the work to stop, and waits until it has cleaned up."""
    finished: list[T] = []
    failed: list[BaseException] = []
    async with anyio.create_task_group() as group:

        async def watch() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                if not finished and not failed:
                    stop.cancel()

        group.start_soon(watch)
        try:
            finished.append(await anyio.to_thread.run_sync(work, limiter=limiter))
        except Exception as error:
            failed.append(error)
        group.cancel_scope.cancel()
    await anyio.lowlevel.checkpoint_if_cancelled()
    if failed:
        raise failed[0]
    return finished[0]
