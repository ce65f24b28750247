import dataclasses
import datetime
import decimal
import enum
import functools
import inspect
import json
import math
import pathlib
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from lookahead import Journal, with_lookahead
from lookahead.errors import CallError, ConfigError
from lookahead.functions import ToolFunction, jsonable
from lookahead.types import Action, Observation, Tool


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: float = 0.0


class Box(BaseModel):
    name: str
    corners: list[Point] = []


class Pair(NamedTuple):
    left: int
    right: str


class Options(TypedDict, total=False):
    deep: bool


class Engine:
    """Neither data nor describable."""


def bare(a, b=2):  # pyright: ignore
    return a, b


def plain(path: str, times: int = 1, *, force: bool = False) -> str:
    """Write it.

    More than once, if you like.
    """
    return f"{path} {times} {force}"


def kinds(a: int, b: int = 2, /, c: int = 3, *rest: int, d: int, e: int = 5, **more: int) -> str:
    return json.dumps([a, b, c, rest, d, e, more])


def schema(function: Callable[..., Any]) -> dict[str, Any]:
    return dict(ToolFunction.of(function).tool.parameters)


def back_and_forth(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What the function gets when the call went through JSON on its way."""
    tool = ToolFunction.of(function)
    written = tool.action(args, kwargs).model_dump_json()
    bound_args, bound_kwargs = tool.bind(Action.model_validate_json(written))
    return function(*bound_args, **bound_kwargs)


# What kind of function


def test_a_function_is_a_tool_by_its_name_and_its_docstring():
    tool = ToolFunction.of(plain).tool
    assert tool == Tool(
        name="plain",
        description="Write it.\n\nMore than once, if you like.",
        parameters={
            "type": "object",
            "properties": {
                "path": {"type": "string"},
                "times": {"type": "integer"},
                "force": {"type": "boolean"},
            },
            "additionalProperties": False,
            "required": ["path"],
        },
        result={"type": "string"},
    )
    assert tool.effect == "unknown"


def test_every_kind_of_parameter_is_in_the_schema():
    assert schema(kinds) == {
        "type": "object",
        "properties": {
            "a": {"type": "integer"},
            "b": {"type": "integer"},
            "c": {"type": "integer"},
            "rest": {"type": "array", "items": {"type": "integer"}},
            "d": {"type": "integer"},
            "e": {"type": "integer"},
        },
        "required": ["a", "d"],
        "additionalProperties": True,
    }


def test_a_function_that_says_nothing_has_a_schema_that_says_little():
    tool = ToolFunction.of(bare).tool
    assert tool.parameters == {
        "type": "object",
        "properties": {"a": {}, "b": {}},
        "additionalProperties": False,
        "required": ["a"],
    }
    assert (tool.description, tool.result) == ("", None)

    def nothing() -> None: ...

    assert ToolFunction.of(nothing).tool.parameters == {
        "type": "object",
        "properties": {},
        "additionalProperties": False,
    }


def returning(annotation: Any) -> ToolFunction:
    def found() -> Any: ...

    found.__annotations__["return"] = annotation
    return ToolFunction.of(found)


@pytest.mark.parametrize(
    ("annotation", "result"),
    [(None, None), (Any, None), (int, {"type": "integer"}), (type(None), None), (Engine, None)],
)
def test_what_a_function_returns_is_in_the_tool_where_it_says_something(annotation: Any, result: Any):
    assert returning(annotation).tool.result == result


def test_data_types_are_described_and_other_types_say_nothing():
    def many(
        colour: Colour,
        point: Point,
        box: Box,
        when: datetime.datetime,
        path: pathlib.Path,
        mode: Literal["r", "w"],
        size: Annotated[int, Field(gt=0, description="in bytes")],
        engine: Engine,
        call: Callable[[int], int],
    ) -> None: ...

    properties = schema(many)["properties"]
    assert properties["colour"] == {"enum": ["red", "blue"], "title": "Colour", "type": "string"}
    assert properties["point"]["required"] == ["x"]
    assert properties["box"]["required"] == ["name"]
    assert properties["when"] == {"format": "date-time", "type": "string"}
    assert properties["path"] == {"format": "path", "type": "string"}
    assert properties["mode"] == {"enum": ["r", "w"], "type": "string"}
    assert properties["size"] == {"description": "in bytes", "exclusiveMinimum": 0, "type": "integer"}
    assert properties["engine"] == properties["call"] == {}
    assert schema(many)["required"][-2:] == ["engine", "call"]


def test_annotations_written_as_text_mean_what_they_say():
    def later(point: "Point", names: "list[str]" = []) -> "int | None":  # noqa: B006
        return None

    tool = ToolFunction.of(later)
    assert tool.tool.parameters["properties"]["names"] == {"type": "array", "items": {"type": "string"}}  # type: ignore[index,call-overload]
    assert tool.tool.result == {"anyOf": [{"type": "integer"}, {"type": "null"}]}
    assert tool.hints["point"] is Point
    assert tool.signature.parameters["point"].annotation is Point
    assert back_and_forth(lambda_like(later), Point(1, 2.0)) == [Point(1, 2.0), []]


def lambda_like(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same signature, handing back what it got."""

    @functools.wraps(function)
    def got(*args: Any, **kwargs: Any) -> Any:
        return list(inspect.signature(function).bind(*args, **kwargs).arguments.values())

    return got


def test_an_annotation_that_nobody_can_resolve_does_not_stop_the_tool():
    def lost(a: "Nowhere", b: int) -> "Nowhere": ...  # type: ignore[name-defined] # noqa: F821

    tool = ToolFunction.of(lost)
    assert tool.hints == {}
    assert tool.bind(tool.action((1, 2), {})) == ((), {"a": 1, "b": 2})
    assert tool.tool.parameters["required"] == ["a", "b"]
    assert tool.action((1, 2), {}).arguments == {"a": 1, "b": 2}


def test_methods_are_tools_without_their_object():
    class Files:
        """Not this one."""

        def write(self, path: str) -> None:
            """Write."""

        @classmethod
        def make(cls, name: str) -> None: ...

        @staticmethod
        def look(name: str) -> None: ...

    for method, name, parameter in (
        (Files().write, "write", "path"),
        (Files.make, "make", "name"),
        (Files.look, "look", "name"),
    ):
        tool = ToolFunction.of(method)
        assert tool.name == name
        assert list(schema(method)["properties"]) == [parameter]
        assert tool.action(("x",), {}).arguments == {parameter: "x"}
    assert ToolFunction.of(Files().write).tool.description == "Write."


def test_a_partial_is_the_function_that_it_completes():
    tool = ToolFunction.of(functools.partial(plain, "fixed.txt", force=True))
    assert tool.name == "plain"
    assert list(tool.tool.parameters["properties"]) == ["times", "force"]  # type: ignore[arg-type]
    assert "required" not in tool.tool.parameters
    assert tool.action((), {"times": 3}).arguments == {"times": 3, "force": True}
    assert tool.function(times=3) == "fixed.txt 3 True"


def test_a_partial_of_a_partial_and_of_a_method_have_a_name():
    assert ToolFunction.of(functools.partial(functools.partial(plain, "a"), 2)).name == "plain"
    assert ToolFunction.of(functools.partial("a-b".split, "-")).name == "split"


def test_a_decorated_function_has_the_signature_that_it_shows():
    @functools.wraps(plain)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return plain(*args, **kwargs)

    assert ToolFunction.of(wrapped).tool == ToolFunction.of(plain).tool


@pytest.mark.parametrize("nameless", [lambda path: path, functools.partial(lambda path: path, "a")])
def test_a_function_without_a_name_is_refused(nameless: Any):
    with pytest.raises(ConfigError, match="has no name that a policy could speak of; define it with def"):
        ToolFunction.of(nameless)


def test_an_object_without_a_name_is_refused():
    class Callable_:
        def __call__(self) -> None: ...

    with pytest.raises(ConfigError, match="has no name"):
        ToolFunction.of(Callable_())


def test_a_generator_is_refused_because_it_has_no_one_answer():
    def pieces() -> Iterator[int]:
        yield 1

    async def slow_pieces() -> AsyncIterator[int]:
        yield 1

    @functools.wraps(pieces)
    def hidden() -> Any:
        return pieces()

    for function in (pieces, slow_pieces, functools.partial(pieces), hidden):
        with pytest.raises(ConfigError, match="yields its answer piece by piece"):
            ToolFunction.of(function)
    with pytest.raises(ConfigError, match=r"test_a_generator_is_refused.*pieces yields"):
        ToolFunction.of(pieces)


def test_a_builtin_that_tells_no_signature_is_refused():
    with pytest.raises(ConfigError, match="does not tell its signature; wrap it in a def"):
        ToolFunction.of({}.update)


def test_what_must_be_awaited_is_known():
    async def slow() -> None: ...

    class Slow:
        __name__ = "slow"

        async def __call__(self) -> None: ...

    assert ToolFunction.of(slow).is_async
    assert ToolFunction.of(functools.partial(functools.partial(slow))).is_async
    assert ToolFunction.of(Slow()).is_async
    assert not ToolFunction.of(plain).is_async
    assert not ToolFunction.of(functools.partial(plain)).is_async


# A call as data


def test_a_call_is_written_down_with_all_its_defaults():
    tool = ToolFunction.of(plain)
    expected = {"path": "a", "times": 1, "force": False}
    assert tool.action(("a",), {}).arguments == expected
    assert tool.action((), {"path": "a"}).arguments == expected
    assert tool.action(("a", 1), {"force": False}).arguments == expected
    assert tool.action(("a",), {}, call_id="7") == Action(tool="plain", arguments=expected, call_id="7")  # type: ignore[arg-type]


def test_every_kind_of_argument_is_written_down():
    tool = ToolFunction.of(kinds)
    assert tool.action((1, 2, 3, 4, 5), {"d": 6, "z": 7}).arguments == {
        "a": 1,
        "b": 2,
        "c": 3,
        "rest": [4, 5],
        "d": 6,
        "e": 5,
        "z": 7,
    }
    assert tool.action((1,), {"d": 6}).arguments == {"a": 1, "b": 2, "c": 3, "rest": [], "d": 6, "e": 5}


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}),
        ((1,), {}),
        ((), {"a": 1, "d": 1}),
        ((1, 2, 3), {"c": 1, "d": 1}),
        ((), {"b": 1}),
    ],
)
def test_a_wrong_call_raises_the_type_error_that_the_function_raises(args: Any, kwargs: Any):
    with pytest.raises(TypeError):
        kinds(*args, **kwargs)
    # Asked of the whole, because `inspect` lets one of them pass on some Pythons, and then the function itself objects.
    with Journal(":memory:") as journal, pytest.raises(TypeError):
        with_lookahead(kinds, world="none", journal=journal)(*args, **kwargs)


def test_too_many_arguments_and_unknown_names_raise_a_type_error():
    for args, kwargs in ((("a", 1, True), {}), (("a",), {"other": 1}), (("a",), {"path": "b"}), ((), {})):
        with pytest.raises(TypeError):
            plain(*args, **kwargs)  # type: ignore[arg-type,call-arg]
        with pytest.raises(TypeError):
            ToolFunction.of(plain).action(args, kwargs)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [math.nan, math.inf, [-math.inf], {"a": math.nan}])
def test_a_call_that_cannot_be_written_down_is_not_allowed(value: Any):
    with pytest.raises(CallError, match=r"the call of 'bare' cannot be written down, so it is not allowed: .*NaN"):
        ToolFunction.of(bare).action((value,), {})


@pytest.mark.parametrize("value", [10**5000, [-(10**5000)], {"a": 10**5000}], ids=["alone", "listed", "named"])
def test_a_number_of_thousands_of_digits_is_not_allowed(value: Any):
    with pytest.raises(CallError, match=r"cannot be written down, so it is not allowed: .*thousands of digits"):
        ToolFunction.of(bare).action((value,), {})
    assert ToolFunction.of(bare).action((10**2000,), {}).digest


def test_a_value_that_contains_itself_cannot_be_written_down():
    value: list[Any] = []
    value.append(value)
    with pytest.raises(CallError, match="cannot be written down"):
        ToolFunction.of(bare).action((value,), {})


def test_two_arguments_of_one_name_cannot_both_be_judged_so_the_call_is_not_allowed():
    def both(a: int, b: int = 0, /, **more: int) -> None: ...

    with pytest.raises(CallError, match="'both' is given two arguments called 'a': rename one"):
        ToolFunction.of(both).action((1, 2), {"b": 2, "a": 2})
    assert ToolFunction.of(both).action((1,), {"c": 2}).arguments == {"a": 1, "b": 0, "c": 2}


def test_writing_a_call_down_does_not_use_its_arguments_up():
    lines = (line for line in ["a", "b"])
    ToolFunction.of(bare).action((lines,), {})
    assert list(lines) == ["a", "b"]


VALUES: list[tuple[Any, Any]] = [
    (None, None),
    (True, True),
    (1, 1),
    (1.5, 1.5),
    ("é", "é"),
    (Level.HIGH, 2),
    (Colour.RED, "red"),
    (b"\xff\x00", {"$bytes": "/wA="}),
    ([1, [2, (3,)]], [1, [2, [3]]]),
    ({"a": {"b": b"x"}}, {"a": {"b": {"$bytes": "eA=="}}}),
    ({3, 1, 2}, [1, 2, 3]),
    (frozenset({"b", "a"}), ["a", "b"]),
    (set(), []),
    ({1: "a", None: "b"}, {"1": "a", "None": "b"}),
    (Pair(1, "x"), [1, "x"]),
    (Point(1, 2.5), {"x": 1, "y": 2.5}),
    (Box(name="b", corners=[Point(1)]), {"name": "b", "corners": [{"x": 1, "y": 0.0}]}),
    (datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC), "2026-01-02T03:04:00Z"),
    (datetime.date(2026, 1, 2), "2026-01-02"),
    (datetime.timedelta(seconds=90), "PT1M30S"),
    (pathlib.Path("a/b"), "a/b"),
    (decimal.Decimal("1.10"), "1.10"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
]


@pytest.mark.parametrize(("value", "written"), VALUES, ids=lambda value: type(value).__name__)
def test_values_are_written_down_as_json(value: Any, written: Any):
    found = jsonable(value)
    assert found == written
    assert type(found) is type(written)
    assert json.loads(json.dumps(found)) == written


def test_what_has_no_json_form_is_named_by_its_type_and_stays_itself():
    engine, other = Engine(), Engine()
    written = jsonable(engine)
    assert isinstance(written, dict)
    assert written == {"$python": f"{Engine.__module__}.Engine", "at": id(engine), "holds": ""}
    assert jsonable(engine) == written != jsonable(other)
    assert jsonable([engine]) == [written]
    assert jsonable({"a": engine}) == {"a": written}
    tool = ToolFunction.of(bare)
    assert tool.action((engine,), {}).digest == tool.action((engine,), {}).digest != tool.action((other,), {}).digest


def test_data_that_holds_what_has_no_json_form_names_it_inside():
    @dataclasses.dataclass
    class Car:
        engine: Engine

    engine = Engine()
    assert jsonable(Car(engine)) == {"engine": jsonable(engine)}


def test_bytes_inside_data_that_are_no_text_make_the_whole_opaque():
    @dataclasses.dataclass
    class Blob:
        data: bytes

    blob = Blob(b"\xff")
    found = jsonable(blob)
    assert isinstance(found, dict)
    assert (found["$python"], found["at"]) == (f"{Blob.__module__}.{Blob.__qualname__}", id(blob))


def test_an_object_that_was_changed_is_another_argument():
    engine = Engine()
    before = jsonable(engine)
    assert jsonable(engine) == before
    engine.speed = 2  # type: ignore[attr-defined]
    assert jsonable(engine) != before


# Data as a call


def test_the_function_gets_what_was_written_down():
    assert json.loads(back_and_forth(kinds, 1, 2, 3, 4, d=6, z=7)) == [1, 2, 3, [4], 6, 5, {"z": 7}]
    assert json.loads(back_and_forth(kinds, 1, d=6)) == [1, 2, 3, [], 6, 5, {}]
    assert back_and_forth(plain, "a", force=True) == "a 1 True"


def echo(kind: Any) -> Callable[..., Any]:
    def echoed(value: Any) -> Any:
        return value

    echoed.__annotations__["value"] = kind
    return echoed


TYPED: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "int": (int, st.integers(-(2**63), 2**63)),
    "float": (float, st.floats(allow_nan=False, allow_infinity=False)),
    "bool": (bool, st.booleans()),
    "str": (str, st.text(st.characters(exclude_categories=["Cs"]))),
    "optional": (int | None, st.none() | st.integers(0, 9)),
    "list": (list[int], st.lists(st.integers(0, 9))),
    "tuple": (tuple[int, str], st.tuples(st.integers(0, 9), st.sampled_from("ab"))),
    "set": (set[int], st.sets(st.integers(0, 9))),
    "dict of numbers": (dict[int, str], st.dictionaries(st.integers(0, 9), st.sampled_from("ab"))),
    "mapping": (Mapping[str, int], st.dictionaries(st.sampled_from("ab"), st.integers(0, 9))),
    "enum": (Colour, st.sampled_from(Colour)),
    "int enum": (Level, st.sampled_from(Level)),
    "dataclass": (Point, st.builds(Point, x=st.integers(0, 9), y=st.floats(0, 1))),
    "model": (Box, st.builds(Box, name=st.sampled_from("ab"), corners=st.lists(st.builds(Point, x=st.integers(0, 9))))),
    "named tuple": (Pair, st.builds(Pair, left=st.integers(0, 9), right=st.sampled_from("ab"))),
    "typed dict": (Options, st.sampled_from([{}, {"deep": True}])),
    "datetime": (datetime.datetime, st.datetimes(timezones=st.just(datetime.UTC))),
    "date": (datetime.date, st.dates()),
    "duration": (datetime.timedelta, st.timedeltas(datetime.timedelta(0), datetime.timedelta(days=400))),
    "path": (pathlib.Path, st.sampled_from([pathlib.Path("a/b"), pathlib.Path("/"), pathlib.Path("..")])),
    "decimal": (decimal.Decimal, st.decimals(allow_nan=False, allow_infinity=False, places=2)),
    "uuid": (uuid.UUID, st.uuids()),
    "bytes": (bytes, st.binary()),
    "list of bytes": (list[bytes], st.lists(st.binary(max_size=3))),
    "anything": (Any, st.recursive(st.none() | st.integers() | st.sampled_from("ab"), st.lists, max_leaves=4)),
}


@pytest.mark.parametrize("kind", TYPED)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_value_that_went_through_json_comes_back_as_itself(kind: str, data: st.DataObject):
    annotation, values = TYPED[kind]
    value = data.draw(values)
    found = back_and_forth(echo(annotation), value)
    assert found == value
    assert type(found) is type(value)


def test_text_that_looks_like_bytes_written_down_is_not_the_same_call():
    tool = ToolFunction.of(bare)
    assert tool.action((b"x",), {}).digest != tool.action(("eA==",), {}).digest


def test_a_value_that_does_not_fit_its_parameter_is_no_call():
    tool = ToolFunction.of(plain)
    with pytest.raises(CallError, match="'plain' cannot take 'many': Input should be a valid integer"):
        tool.bind(Action(tool="plain", arguments={"path": "a", "times": "many"}))


def test_an_object_that_was_only_named_cannot_be_handed_to_a_function():
    tool = ToolFunction.of(bare)
    with pytest.raises(CallError):
        tool.bind(tool.action((Engine(),), {}))


def test_arguments_that_the_function_has_no_name_for_are_left_to_it():
    tool = ToolFunction.of(plain)
    args, kwargs = tool.bind(Action(tool="plain", arguments={"path": "a", "other": 1}))
    with pytest.raises(TypeError, match="other"):
        plain(*args, **kwargs)


def test_defaults_may_be_left_out():
    tool = ToolFunction.of(plain)
    args, kwargs = tool.bind(Action(tool="plain", arguments={"path": "a", "force": True}))
    assert plain(*args, **kwargs) == "a 1 True"


@pytest.mark.parametrize(
    "arguments", [{"a": 1, "c": 9, "d": 0}, {"a": 1, "rest": [7], "d": 0}, {"a": 1, "b": 4, "rest": [7], "d": 0}]
)
def test_an_argument_after_a_default_that_was_left_out_stays_in_its_place(arguments: dict[str, Any]):
    tool = ToolFunction.of(kinds)
    args, kwargs = tool.bind(Action(tool="kinds", arguments=arguments))
    expected = [1, arguments.get("b", 2), arguments.get("c", 3), arguments.get("rest", []), 0, 5, {}]
    assert json.loads(kinds(*args, **kwargs)) == expected


# Answers


def test_what_a_function_returns_is_kept_as_data_and_as_text():
    tool = ToolFunction.of(bare)
    assert tool.answer("text") == Observation(content="text")
    assert tool.answer("") == Observation(content="")
    assert tool.answer(None) == Observation()
    assert tool.answer(3) == Observation(content="3", structured=3)
    assert tool.answer([1, "é"]) == Observation(content='[1,"é"]', structured=[1, "é"])
    assert tool.answer(Point(1)) == Observation(content='{"x":1,"y":0.0}', structured={"x": 1, "y": 0.0})
    assert tool.answer(pathlib.Path("a")) == Observation(content="a", structured="a")
    assert tool.answer(False) == Observation(content="false", structured=False)


def test_an_answer_that_cannot_be_written_down_is_still_an_answer():
    endless: list[Any] = []
    endless.append(endless)
    assert ToolFunction.of(bare).answer(endless) == Observation(content="a list that cannot be written down")


def test_an_answer_is_real_and_did_not_fail():
    answer = ToolFunction.of(bare).answer({"a": 1})
    assert (answer.imagined, answer.failed, answer.effects) == (False, False, None)


@pytest.mark.parametrize(
    ("returns", "answer", "value"),
    [
        (str, Observation(content="text"), "text"),
        (str, Observation(content="3", structured=3), 3),
        (Any, Observation(content="text"), "text"),
        (Any, Observation(content="[1]", structured=[1]), [1]),
        (inspect.Signature.empty, Observation(content="text"), "text"),
        (None, Observation(content="whatever"), None),
        (type(None), Observation(content="whatever"), None),
        (int, Observation(content="41"), 41),
        (int, Observation(content="ignored", structured=42), 42),
        (Point, Observation(content='{"x": 1}'), Point(1)),
        (Point, Observation(content="{}", structured={"x": 1, "y": 2}), Point(1, 2.0)),
        (list[int], Observation(content="[1, 2]"), [1, 2]),
        (pathlib.Path, Observation(content="a/b"), pathlib.Path("a/b")),
        (Colour, Observation(content="red"), Colour.RED),
        (str | None, Observation(content="not json"), "not json"),
        (bool, Observation(content="false", structured=False), False),
    ],
)
def test_an_answer_that_the_function_did_not_give_becomes_a_value_of_its_own_type(
    returns: Any, answer: Observation, value: Any
):
    found = returning(returns).value(answer)
    assert found == value
    assert type(found) is type(value)


def test_an_answer_of_another_type_cannot_be_handed_on():
    with pytest.raises(
        CallError, match="the answer 'some words' cannot be handed on; 'found' returns something else: Input should be"
    ):
        returning(int).value(Observation(content="some words"))
    with pytest.raises(CallError, match=rf"the answer '{'x' * 80}' cannot"):
        returning(int).value(Observation(content="x" * 99))


@pytest.mark.parametrize("kind", [kind for kind in TYPED if kind != "anything"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_an_answer_of_the_function_itself_becomes_its_value_again(kind: str, data: st.DataObject):
    annotation, values = TYPED[kind]
    value = data.draw(values)
    tool = returning(annotation)
    assert tool.value(tool.answer(value)) == value
