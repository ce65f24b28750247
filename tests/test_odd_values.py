"""Whatever a guarded function returns, in whichever mode: the agent gets that very object, and it is on record."""

import collections
import dataclasses
import decimal
import enum
import io
import math
import threading
import types
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pydantic
import pytest

from lookahead import Journal, Observation, with_lookahead
from lookahead.functions import ToolFunction
from lookahead.settings import Mode
from lookahead.testing import ScriptedWorld
from lookahead.types import Environment, ToolEffect


class Mute:
    """Says nothing of itself, and raises when asked."""

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        raise ValueError("no words")

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        raise ValueError("not to be compared")

    def __bool__(self) -> bool:
        raise ValueError("neither true nor false")


class MuteText(str):
    def __str__(self) -> str:
        raise ValueError("no words")

    __repr__ = __str__


class MuteNumber(int):
    def __str__(self) -> str:
        raise ValueError("no words")

    __repr__ = __str__


class Shut:
    """Has no attributes to look at."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(f"no {name} here")


class Shy:
    """Raises even when asked what it is, as a proxy does whose object cannot be had."""

    def __getattribute__(self, name: str) -> object:
        raise RuntimeError(f"no {name} here")


class Endless:
    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        raise RuntimeError("looked into")


class ShutList(list[int]):
    def __iter__(self) -> Iterator[int]:
        raise RuntimeError("looked into")


class Unwritable(pydantic.BaseModel):
    x: int = 1

    @pydantic.field_serializer("x")
    def _fails(self, value: int) -> int:
        raise RuntimeError("not to be written")


@dataclasses.dataclass
class Plain:
    a: float = math.nan
    b: object = None


@dataclasses.dataclass(slots=True)
class Slotted:
    a: bytes = b"\xff"


class Number(enum.IntEnum):
    one = 1


class Thing(enum.Enum):
    one = object()


def _round_list() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def _round_dict() -> dict[str, Any]:
    found: dict[str, Any] = {}
    found["self"] = found
    return found


def _deep(levels: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


def _two() -> Iterator[int]:
    yield from (1, 2)


async def _async_two() -> Any:
    yield 1


VALUES: list[tuple[str, Any]] = [
    ("NaN", math.nan),
    ("infinities", [math.inf, {"a": -math.inf}]),
    ("a huge number", 2**20_000),
    ("huge numbers inside", {"a": [-(10**5000)], "pid": 10**5000, "time": 10**400}),
    ("bytes", b"\xff\x00"),
    ("other bytes", bytearray(b"\xff")),
    ("a view of memory", memoryview(b"x")),
    ("bytes for a key", {b"\xff": 1}),
    ("half a letter", "\udc80"),
    ("half a letter inside", ["\udc80", math.nan]),
    ("half a letter for a key", {"\udc80": 1}),
    ("a zero byte", "a\0b"),
    ("a long text", "x" * 300_000),
    ("nothing", None),
    ("no text", ""),
    ("no list", []),
    ("mute", Mute()),
    ("mute inside", [Mute(), {"a": Mute()}]),
    ("a set of what is mute", {Mute()}),
    ("a mute text", MuteText("x")),
    ("a mute text for a key", {MuteText("x"): MuteText("y")}),
    ("a mute number", MuteNumber(5)),
    ("an error that is mute", ValueError(Mute())),
    ("shut", Shut()),
    ("shut inside", [Shut()]),
    ("shy", Shy()),
    ("shy inside", [Shy()]),
    ("a list that is shut", ShutList([1])),
    ("unwritable", Unwritable()),
    ("a dataclass", Plain()),
    ("a dataclass with what is mute", Plain(b=Mute())),
    ("a dataclass with slots", Slotted()),
    ("a number with a name", Number.one),
    ("a thing with a name", Thing.one),
    ("endless", Endless()),
    ("a generator", _two()),
    ("an asynchronous generator", _async_two()),
    ("a set", {1, "a", None, (1, 2)}),
    ("a range", range(10**9)),
    ("a number with two parts", 1j),
    ("no decimal number", decimal.Decimal("NaN")),
    ("a path", Path("x")),
    ("a class", Mute),
    ("a function", len),
    ("a module", types),
    ("a lock", threading.Lock()),
    ("a view of a mapping", types.MappingProxyType({1: 2})),
    ("numbers for keys", {1: 2, "1": 3, None: 4}),
    ("a key of two", {(1, 2): object()}),
    ("a queue", collections.deque([1])),
    ("itself inside itself", _round_list()),
    ("itself under itself", _round_dict()),
    ("deep", _deep(200)),
    ("too deep", _deep(5000)),
    ("an observation", Observation(content="x")),
]
NAMED = dict(VALUES)

WORLDS: dict[str, Environment | str] = {
    "nobody": "none",
    "a model": ScriptedWorld(script={"*": Observation(structured={"a": [1], "pid": 1, "time": 1.5e9})}),
}


def _tool(give: Callable[[], Any], *, sync: bool) -> Any:
    def odd() -> Any:
        return give()

    async def odd_later() -> Any:
        return give()

    odd_later.__name__ = "odd"
    return odd if sync else odd_later


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.anyio
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("effect", ["reads", "changes"])
@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
@pytest.mark.parametrize("mode", ["guard", "shadow"])
async def test_the_very_object_comes_back_and_its_record_can_be_read_anywhere(
    mode: Mode, sync: bool, effect: ToolEffect, world: str, folder: Path, caplog: pytest.LogCaptureFixture
):
    given: list[Any] = []
    tool = _tool(lambda: given[-1], sync=sync)
    wrong: list[str] = []
    with Journal(folder / "j.db") as journal:
        guarded = with_lookahead(
            tool, mode=mode, world=WORLDS[world], policy={"odd": {"effect": effect}}, journal=journal
        )
        for name, value in VALUES:
            given.append(value)
            came = guarded() if sync else await guarded()
            if came is not value:
                wrong.append(name)
        assert guarded.lookahead.settle(60)
        assert wrong == []
        assert [record.getMessage() for record in caplog.records] == []

        calls = journal.calls()
        assert [call.status for call in calls] == ["done"] * len(VALUES)
        assert journal.in_doubt() == []
        assert journal.verify().ok
        said = [call.resulted.observation.content for call in calls if call.resulted]
        assert [name for (name, _), text in zip(VALUES, said, strict=True) if not text] == ["nothing", "no text"]

        out = io.StringIO()
        journal.export(out)
        with Journal.load(io.StringIO(out.getvalue()), folder / "again.db") as again:
            once_more = io.StringIO()
            again.export(once_more)
            assert once_more.getvalue() == out.getvalue()
            assert again.calls() == calls
            assert again.verify().ok


@pytest.mark.anyio
@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
async def test_switched_off_the_very_object_comes_back(sync: bool, folder: Path):
    given: list[Any] = []
    free = with_lookahead(_tool(lambda: given[-1], sync=sync), mode="off")
    for _, value in VALUES:
        given.append(value)
        assert (free() if sync else await free()) is value


def test_what_the_record_says_of_an_odd_value_names_it():
    def odd() -> None: ...

    answer = ToolFunction.of(odd).answer
    said = {
        "NaN": "null",
        "bytes": '{"$bytes":"/wA="}',
        "half a letter": "\udc80",
        "a number with a name": "1",
        "a set": '["a",1,null,[1,2]]',
        "a dataclass": '{"a":null,"b":null}',
        "itself inside itself": "a list that cannot be written down",
        "too deep": "a list that cannot be written down",
        "a list that is shut": "a ShutList that cannot be written down",
    }
    assert {name: answer(NAMED[name]).content for name in said} == said
    assert '"$python":"builtins.generator"' in answer(NAMED["a generator"]).content


class Holding(pydantic.BaseModel, extra="allow"):
    b: Any = None


HOLDERS: list[Callable[[Any], Any]] = [
    lambda once: once,
    lambda once: [once],
    lambda once: (1, {"a": once}),
    lambda once: {1: once},
    lambda once: {("a", 1): [once]},
    lambda once: Plain(b=once),
    lambda once: Plain(b={"a": [once]}),
    lambda once: Holding(b=once),
    lambda once: Holding(c=once),
    lambda once: [Holding(b=Plain(b=once))],
    lambda once: collections.deque([once]),
]


@pytest.mark.parametrize("make", [_two, lambda: iter([1, 2]), partial(map, int, [1, 2]), lambda: io.StringIO("1\n2\n")])
@pytest.mark.parametrize("hold", HOLDERS)
def test_what_can_be_read_once_is_left_to_the_one_that_it_is_for(hold: Callable[[Any], Any], make: Callable[[], Any]):
    """To write a call down, and its answer, must not use up what a generator in it would give."""
    seen: list[int] = []
    answers = make()

    def pour(given: Any) -> Any:
        seen.extend(int(item) for item in once)
        return hold(answers)

    once = make()
    with Journal(":memory:") as journal:
        with_lookahead(pour, world="none", journal=journal)(hold(once))
    assert seen == [1, 2]
    assert [int(item) for item in answers] == [1, 2]
