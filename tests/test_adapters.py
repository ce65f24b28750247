"""Functions and environments come back as the same kind of thing, with the line in between."""

import functools
import inspect
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from lookahead import Refused, Swapped, with_lookahead
from lookahead.adapters import is_environment, is_function, is_functions, real_functions
from lookahead.errors import CallError, ConfigError, PermitError
from lookahead.functions import ToolFunction
from lookahead.journal import Journal
from lookahead.search import BestOf
from lookahead.session import Session
from lookahead.testing import RecordedCalls, ScriptedCopy, ScriptedCritic, ScriptedProposer, ScriptedWorld, Yes, call
from lookahead.types import Action, Effect, Environment, Hazard, Observation, State, Tool

DANGER = Hazard(rule="files.lost", what="one file is lost", why="nowhere else", severity="danger")


@pytest.fixture
def journal() -> Iterator[Journal]:
    opened = Journal(":memory:")
    yield opened
    opened.close()


@pytest.fixture
def wrap(journal: Journal) -> Callable[..., Any]:
    def wrapped(agent: Any, **options: Any) -> Any:
        return with_lookahead(agent, **{"world": None, "journal": journal, "critic": ScriptedCritic(), **options})

    return wrapped


class Notes:
    """Tools that remember what they really did."""

    def __init__(self) -> None:
        self.done: list[tuple[str, Any]] = []
        self.threads: list[int] = []

    def write(self, path: str, text: str = "", *, times: int = 1) -> str:
        """Write a note."""
        self.done.append(("write", (path, text, times)))
        self.threads.append(threading.get_ident())
        return f"wrote {path}"

    def count(self, words: list[str]) -> int:
        """Count."""
        self.done.append(("count", words))
        return len(words)

    async def fetch(self, address: str) -> dict[str, str]:
        """Fetch a page."""
        self.done.append(("fetch", address))
        await anyio.lowlevel.checkpoint()
        return {"page": address}

    def fail(self, why: str) -> None:
        raise KeyError(why)


@pytest.fixture
def notes() -> Notes:
    return Notes()


def session(wrapped: Any) -> Session:
    return wrapped.lookahead


# The same to look at


def test_a_function_comes_back_with_its_name_its_signature_its_docstring_and_its_types(
    wrap: Callable[..., Any], notes: Notes
):
    guarded = wrap(notes.write)
    assert guarded.__name__ == "write"
    assert guarded.__doc__ == "Write a note."
    assert guarded.__qualname__ == "Notes.write"
    assert guarded.__module__ == __name__
    assert inspect.signature(guarded) == inspect.signature(notes.write)
    assert guarded.__annotations__ == {"path": str, "text": str, "times": int, "return": str}
    assert not inspect.iscoroutinefunction(guarded)


def test_an_async_function_comes_back_as_an_async_function(wrap: Callable[..., Any], notes: Notes):
    guarded = wrap(notes.fetch)
    assert inspect.iscoroutinefunction(guarded)
    assert inspect.signature(guarded) == inspect.signature(notes.fetch)


def test_the_bare_function_is_not_one_attribute_away(wrap: Callable[..., Any], notes: Notes):
    guarded = wrap(notes.write)
    assert not hasattr(guarded, "__wrapped__")
    assert notes.write not in [getattr(guarded, name, None) for name in dir(guarded)]


def test_annotations_written_as_text_are_resolved(wrap: Callable[..., Any]):
    def later(path: "str") -> "int":
        return 1

    assert wrap(later).__annotations__ == {"path": str, "return": int}

    def lost(path: "Nowhere") -> int:  # type: ignore[name-defined] # noqa: F821
        return 1

    assert wrap(lost).__annotations__ == {"path": "Nowhere", "return": int}


class Tools(list[Any]):
    """A list of somebody's own."""


@pytest.mark.parametrize("shape", [list, tuple, set, frozenset, Tools])
def test_a_collection_of_functions_comes_back_as_the_same_kind_of_collection(
    shape: Any, wrap: Callable[..., Any], notes: Notes
):
    guarded = wrap(shape([notes.write, notes.count]))
    assert type(guarded) is shape
    assert sorted(tool.__name__ for tool in guarded) == ["count", "write"]
    assert len({id(session(tool)) for tool in guarded}) == 1


@pytest.mark.parametrize("shape", [dict, OrderedDict])
def test_a_mapping_keeps_its_keys_and_its_order(shape: Any, wrap: Callable[..., Any], notes: Notes):
    guarded = wrap(shape([("b", notes.write), ("a", notes.count)]))
    assert type(guarded) is shape
    assert [(key, tool.__name__) for key, tool in guarded.items()] == [("b", "write"), ("a", "count")]


def test_one_function_under_two_keys_is_one_tool(wrap: Callable[..., Any], notes: Notes):
    write = notes.write
    guarded = wrap({"a": write, "b": write})
    assert [str(path) for path in session(guarded["a"]).covered] == ["write: guarded"]
    assert guarded["b"]("x") == "wrote x"


def test_two_functions_of_one_name_cannot_be_told_apart(wrap: Callable[..., Any], notes: Notes):
    with pytest.raises(ConfigError, match="two tools are called 'write': a policy could not tell them apart; rename"):
        wrap([notes.write, Notes().write])


def test_the_tools_are_listed_with_the_effects_that_the_policy_gives_them(wrap: Callable[..., Any], notes: Notes):
    guarded = wrap([notes.write, notes.count], policy={"count": {"effect": "reads"}}, goal="tidy")
    made = session(guarded[0])
    assert [(tool.name, tool.effect) for tool in made.state.tools] == [("write", "unknown"), ("count", "reads")]
    assert [path.tool for path in made.coverage] == ["write", "count"]
    assert made.state.goal == "tidy"
    [run] = made.journal.runs()
    assert run.run == made.run


# What counts as what


async def environment(state: State, action: Action, /) -> Observation:
    return Observation()


async def unannotated(state, action):  # pyright: ignore
    return Observation()


async def texts(state: "State", action: "Action") -> Observation:
    return Observation()


async def two_words(query: str, page: int) -> str:
    return ""


async def wrong_names(world, deed):  # pyright: ignore
    return Observation()


async def three(state: State, action: Action, more: int) -> Observation:
    return Observation()


async def with_options(state: State, action: Action, *, fast: bool = False) -> Observation:
    return Observation()


def not_async(state: State, action: Action) -> Observation:
    return Observation()


class World:
    async def __call__(self, anything: Any, other: Any, /) -> Observation:
        return Observation()


@pytest.mark.parametrize(
    ("agent", "found"),
    [
        (environment, True),
        (unannotated, True),
        (texts, True),
        (with_options, True),
        (World(), True),
        (RecordedCalls(), True),
        (World, False),
        (two_words, False),
        (wrong_names, False),
        (three, False),
        (not_async, False),
        (print, False),
        ("text", False),
        (None, False),
    ],
)
def test_an_environment_is_an_async_callable_of_a_state_and_an_action(agent: Any, found: bool):
    assert is_environment(agent) is found


@pytest.mark.parametrize(
    ("agent", "found"),
    [
        (not_async, True),
        (Notes().write, True),
        (functools.partial(not_async), True),
        (len, True),
        ([not_async], True),
        ((not_async, len), True),
        ({not_async}, True),
        (frozenset({not_async}), True),
        ({"a": not_async}, True),
        ([], False),
        ({}, False),
        ([not_async, 1], False),
        ({"a": 1}, False),
        ({not_async: 1}, False),
        (World(), False),
        ("text", False),
        (iter([not_async]), False),
    ],
)
def test_functions_are_one_or_a_collection_of_nothing_else(agent: Any, found: bool):
    assert is_functions(agent) is found


def test_a_class_is_no_function():
    assert not is_function(World)


# Calling


def test_calling_a_function_walks_the_line(wrap: Callable[..., Any], notes: Notes):
    guarded = wrap(notes.write)
    assert guarded("a.txt", times=2) == "wrote a.txt"
    assert notes.done == [("write", ("a.txt", "", 2))]
    made = session(guarded)
    [done] = made.journal.calls()
    assert done.intended is not None
    assert done.intended.action.arguments == {"path": "a.txt", "text": "", "times": 2}
    assert done.resulted is not None
    assert done.resulted.observation == Observation(content="wrote a.txt")
    assert len(made.state.steps) == 1


def test_the_function_runs_on_the_thread_of_its_caller_and_gets_the_very_objects(
    wrap: Callable[..., Any], notes: Notes
):
    wrap(notes.write)("a.txt")
    assert notes.threads == [threading.get_ident()]
    words = ["a", "b"]
    assert wrap(notes.count)(words) == 2
    assert notes.done[-1][1] is words


def test_what_a_function_returns_comes_back_untouched(wrap: Callable[..., Any]):
    result = object()

    def make() -> object:
        return result

    assert wrap(make)() is result


@pytest.mark.anyio
async def test_calling_an_async_function_walks_the_line(wrap: Callable[..., Any], notes: Notes):
    guarded = wrap(notes.fetch)
    assert await guarded("x") == {"page": "x"}
    [done] = session(guarded).journal.calls()
    assert done.resulted is not None
    assert done.resulted.observation.structured == {"page": "x"}
    assert len(session(guarded).state.steps) == 1


def test_a_sync_function_that_hands_back_a_coroutine_has_it_run(wrap: Callable[..., Any], notes: Notes):
    def start(address: str) -> Any:
        return notes.fetch(address)

    assert wrap(start)("x") == {"page": "x"}


def test_a_wrong_call_raises_the_type_error_and_leaves_no_trace(wrap: Callable[..., Any], notes: Notes):
    guarded = wrap(notes.write)
    with pytest.raises(TypeError):
        guarded()
    with pytest.raises(TypeError):
        guarded("a", "b", "c")
    with pytest.raises(CallError):
        guarded(float("nan"))
    assert session(guarded).journal.calls() == []
    assert notes.done == []


def test_what_a_function_raises_is_raised_and_recorded(wrap: Callable[..., Any], notes: Notes):
    guarded = wrap(notes.fail)
    with pytest.raises(KeyError, match="no"):
        guarded("no")
    [done] = session(guarded).journal.calls()
    assert done.status == "failed"
    assert session(guarded).state.steps[0].observation.failed


@pytest.mark.anyio
async def test_what_an_async_function_raises_is_raised_and_recorded(wrap: Callable[..., Any]):
    async def fails() -> None:
        raise KeyError("no")

    guarded = wrap(fails)
    with pytest.raises(KeyError):
        await guarded()
    assert session(guarded).journal.calls()[0].status == "failed"


def test_a_refused_call_raises_with_the_reason_and_the_decision(wrap: Callable[..., Any], notes: Notes):
    guarded = wrap(notes.write, policy={"write": "deny"})
    with pytest.raises(Refused, match=r"^Not done: write") as caught:
        guarded("a.txt")
    assert caught.value.decision.choice == "veto"
    assert caught.value.decision.proposed.arguments["path"] == "a.txt"
    assert notes.done == []
    assert session(guarded).state.steps == ()


@pytest.mark.anyio
async def test_a_refused_call_of_an_async_function_raises_too(wrap: Callable[..., Any], notes: Notes):
    with pytest.raises(Refused):
        await wrap(notes.fetch, policy={"fetch": "deny"})("x")
    assert notes.done == []


def test_a_list_that_changes_while_the_call_is_judged_makes_it_another_call(wrap: Callable[..., Any], notes: Notes):
    words = ["a"]

    class Meddler:
        name = "meddler"

        async def __call__(self, state: State, action: Action, /) -> Observation:
            words.append("b")
            return Observation(content="1", effects=())

    guarded = wrap(notes.count, world=Meddler())
    with pytest.raises(PermitError, match="is not the call that was judged"):
        guarded(words)
    assert notes.done == []
    assert session(guarded).journal.in_doubt() == []


def test_many_threads_may_call_at_once(wrap: Callable[..., Any], notes: Notes):
    guarded = wrap(notes.write)
    barrier = threading.Barrier(4)

    def go(name: str) -> None:
        barrier.wait()
        guarded(name)

    threads = [threading.Thread(target=go, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path for _, (path, _, _) in notes.done) == ["0", "1", "2", "3"]
    assert len(session(guarded).state.steps) == 4


# A dry run


def test_in_a_dry_run_the_imagined_answer_becomes_a_value_of_the_functions_own_type(
    wrap: Callable[..., Any], notes: Notes
):
    world = ScriptedWorld(script={"write": "imagined", "count": "41", "fetch": '{"page": "p"}', "fail": "x"})
    write, count, fail = wrap([notes.write, notes.count, notes.fail], world=world, mode="dry-run")
    assert write("a") == "imagined"
    assert count(["x"]) == 41
    assert fail("x") is None
    assert notes.done == []
    assert len(session(write).state.steps) == 3


def test_in_a_dry_run_an_imagined_answer_of_another_type_cannot_be_handed_on(wrap: Callable[..., Any], notes: Notes):
    count = wrap(notes.count, world=ScriptedWorld(script={"count": "many"}), mode="dry-run")
    with pytest.raises(CallError, match="the answer 'many' cannot be handed on"):
        count([])


# Something else in its place


def swapped(wrap: Callable[..., Any], tools: list[Any], rival: Action) -> list[Any]:
    critic = ScriptedCritic(script={rival.tool: 0.9, "*": DANGER})
    search = BestOf(2, propose=ScriptedProposer([rival]))
    return wrap(
        tools,
        world=ScriptedCopy(script={"*": Observation(content="ok", effects=())}),
        critic=critic,
        search=search,
        policy={"swap": True},
    )


def test_a_swapped_call_says_so_in_its_answer_where_that_is_a_text(wrap: Callable[..., Any], notes: Notes):
    def note(path: str, text: str = "") -> str:
        """Write it elsewhere."""
        notes.done.append(("note", (path, text)))
        return "noted"

    guarded, _ = swapped(wrap, [notes.write, note], call("note", path="b"))
    answer = guarded("a")
    assert answer.startswith("[lookahead] did note")
    assert answer.endswith("\nnoted")
    assert notes.done == [("note", ("b", ""))]
    assert session(guarded).state.steps[0].action.tool == "note"


def test_a_swapped_call_raises_with_the_result_where_the_answer_could_not_say_it(
    wrap: Callable[..., Any], notes: Notes
):
    guarded, _ = swapped(wrap, [notes.write, notes.count], call("count", words=["x", "y"]))
    with pytest.raises(Swapped) as caught:
        guarded("a")
    assert caught.value.result == 2
    assert caught.value.decision.choice == "swap"
    assert str(caught.value).startswith("[lookahead] did count")
    assert str(caught.value).endswith("\n2")
    assert notes.done == [("count", ["x", "y"])]


def test_an_async_rival_of_a_sync_function_is_awaited_for_it(wrap: Callable[..., Any], notes: Notes):
    guarded, _ = swapped(wrap, [notes.write, notes.fetch], call("fetch", address="x"))
    with pytest.raises(Swapped) as caught:
        guarded("a")
    assert caught.value.result == {"page": "x"}


@pytest.mark.anyio
async def test_a_sync_rival_of_an_async_function_is_just_called(wrap: Callable[..., Any], notes: Notes):
    guarded, _ = swapped(wrap, [notes.fetch, notes.count], call("count", words=["x"]))
    with pytest.raises(Swapped) as caught:
        await guarded("a")
    assert caught.value.result == 1


def test_a_rival_whose_arguments_do_not_fit_is_never_done(wrap: Callable[..., Any], notes: Notes):
    guarded, _ = swapped(wrap, [notes.write, notes.count], call("count", words="not a list"))
    with pytest.raises(Refused):
        guarded("a")
    assert notes.done == []


# The functions as an environment


@pytest.mark.anyio
async def test_functions_are_an_environment_too(notes: Notes):
    real = real_functions({name: ToolFunction.of(getattr(notes, name)) for name in ("write", "fetch")})
    assert await real(State(), call("write", path="a")) == Observation(content="wrote a")
    assert (await real(State(), call("fetch", address="x"))).structured == {"page": "x"}
    assert notes.done == [("write", ("a", "", 1)), ("fetch", "x")]


# Environments


@pytest.mark.anyio
async def test_an_environment_comes_back_as_an_environment(wrap: Callable[..., Any]):
    async def shop(state: State, action: Action, /) -> Observation:
        """A shop."""
        return Observation(content="stocked", effects=(Effect(happened="sent", target="x"),))

    guarded = wrap(shop)
    assert (guarded.__name__, guarded.__doc__) == ("shop", "A shop.")
    assert is_environment(guarded)
    state = State(tools=(Tool(name="stock", effect="changes"),))
    assert (await guarded(state, call("stock"))).content == "stocked"
    assert len(session(guarded).journal.calls()) == 1


@pytest.mark.anyio
async def test_a_refused_action_of_an_environment_is_an_observation(wrap: Callable[..., Any]):
    real = RecordedCalls()
    guarded = wrap(real, policy={"stock": "deny"})
    said = await guarded(State(), call("stock"))
    assert said.failed
    assert said.origin.kind == "guard"
    assert real.done == []
    assert guarded.__name__ == "guarded"


@pytest.mark.anyio
async def test_whoever_may_be_asked_is_asked(wrap: Callable[..., Any]):
    yes, real = Yes(), RecordedCalls()
    guarded: Environment = wrap(real, policy={"stock": "ask"}, approve=yes)
    assert (await guarded(State(), call("stock"))).content == "done"
    assert len(yes.asked) == 1
