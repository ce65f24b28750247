"""What a function returned has happened: whatever it is, the agent gets it untouched and a record says so."""

import enum
import math
from collections.abc import Callable
from typing import Any

import pydantic
import pytest

from lookahead.act import Line
from lookahead.adapters import wrap_functions
from lookahead.budget import Budget, Meter
from lookahead.guard import Guard
from lookahead.journal import Journal
from lookahead.planner import Planner
from lookahead.policy import Policy
from lookahead.session import Session
from lookahead.testing import ScriptedCritic
from lookahead.types import State


class Weird:
    def __repr__(self) -> str:
        raise ValueError("no repr")


class Speechless(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


class Unwritable(pydantic.BaseModel):
    x: int = 1

    @pydantic.field_serializer("x")
    def _fails(self, value: int) -> int:
        raise RuntimeError("not to be written")


class Kind(enum.IntEnum):
    one = 1


def _round() -> Any:
    circle: list[Any] = []
    circle.append(circle)
    return circle


def _deep() -> Any:
    nested: Any = []
    for _ in range(5000):
        nested = [nested]
    return nested


ODD: list[Callable[[], Any]] = [
    lambda: math.nan,
    lambda: [math.inf, {"a": -math.inf}],
    lambda: 2**20_000,
    lambda: ["\udc80", math.nan],
    lambda: "\udc80",
    lambda: {"\udc80": 1},
    _round,
    _deep,
    lambda: {(1, 2): object()},
    Weird,
    lambda: [Weird()],
    Unwritable,
    lambda: Kind.one,
    lambda: b"\xff",
    lambda: (number for number in range(3)),
    lambda: {1, "a", None},
    lambda: memoryview(b"x"),
    lambda: 1j,
]


def guarded(function: Any, journal: Journal) -> Any:
    critic = ScriptedCritic()

    def opened(tools: Any, **more: Any) -> Session:
        line = Line(
            planner=Planner(imagine=None, judge=critic, text=critic),
            guard=Guard(policy=Policy()),
            journal=journal,
            meter=Meter(budget=Budget()),
            run="odd",
        )
        return Session(line=line, state=State(tools=tuple(tools)))

    return wrap_functions(function, opened)


@pytest.mark.parametrize("made", ODD)
def test_an_odd_answer_reaches_the_agent_and_the_record(made: Callable[[], Any]):
    value = made()

    def give() -> Any:
        return value

    with Journal(":memory:") as journal:
        tool = guarded(give, journal)
        assert tool() is value
        # The state goes on, and the next call is not held up by what came before it.
        assert tool() is value
        assert [call.status for call in journal.calls()] == ["done", "done"]
        assert journal.in_doubt() == []
        assert journal.verify().ok


@pytest.mark.parametrize("error", [Speechless(), ValueError("\udc80"), UnicodeDecodeError("utf8", b"\xff", 0, 1, "x")])
def test_an_odd_error_reaches_the_agent_and_the_record(error: Exception):
    def fail() -> None:
        raise error

    with Journal(":memory:") as journal:
        tool = guarded(fail, journal)
        with pytest.raises(type(error)) as raised:
            tool()
        assert raised.value is error
        assert [call.status for call in journal.calls()] == ["failed"]
        assert journal.in_doubt() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_being_stopped_in_the_middle_leaves_the_call_in_doubt(error: type[BaseException]):
    def stop() -> None:
        raise error

    with Journal(":memory:") as journal:
        with pytest.raises(error):
            guarded(stop, journal)()
        assert [call.status for call in journal.calls()] == ["in doubt"]
        assert len(journal.in_doubt()) == 1
