import pytest

from lookahead.errors import NotMyWorld
from lookahead.testing import (
    FixedRecord,
    No,
    RecordedCalls,
    ScriptedCopy,
    ScriptedCritic,
    ScriptedProposer,
    ScriptedWorld,
    Yes,
    call,
    state_of,
    world_of,
)
from lookahead.types import (
    REAL,
    Action,
    Copying,
    Effect,
    Hazard,
    Observation,
    Origin,
    Rollout,
    State,
    Tool,
    Verdict,
)

pytestmark = pytest.mark.anyio

GONE = Effect(happened="deleted", target="a")
WRONG = Hazard(rule="r", what="w", why="y", severity="danger")


def test_a_call_is_written_like_the_call_that_it_is():
    assert call("delete", path="a", tool="b") == Action(tool="delete", arguments={"path": "a", "tool": "b"})


def test_a_state_has_its_tools_by_what_they_do():
    state = state_of(goal="g", reads=["a"], changes=["b"], destroys=["c"], unknown=["d"])
    assert state == State(
        goal="g",
        tools=(
            Tool(name="a", effect="reads"),
            Tool(name="b", effect="changes"),
            Tool(name="c", effect="destroys"),
            Tool(name="d", effect="unknown"),
        ),
    )


async def test_a_scripted_world_says_what_its_script_says():
    world = ScriptedWorld(script={"a": ["one", "two"], "b": GONE, "c": KeyError("down"), "*": Observation(failed=True)})
    origin = Origin(kind="model", world="scripted")
    state = state_of()
    assert await world(state, call("a")) == Observation(content="one", origin=origin)
    assert await world(state, call("b")) == Observation(effects=(GONE,), origin=origin)
    assert await world(state, call("a")) == await world(state, call("a")) == Observation(content="two", origin=origin)
    assert await world(state, call("z")) == Observation(failed=True, origin=origin)
    with pytest.raises(KeyError, match="down"):
        await world(state, call("c"))
    assert [action.tool for _, action in world.asked] == ["a", "b", "a", "a", "z", "c"]


@pytest.mark.parametrize("script", [{"b": "x"}, {}, {"a": []}])
async def test_a_scripted_world_knows_nothing_else(script: dict[str, str]):
    with pytest.raises(NotMyWorld, match="the script of 'scripted' does not name 'a'"):
        await ScriptedWorld(script=script)(state_of(), call("a"))


async def test_a_world_of_a_function_asks_the_function():
    async def slow(state: State, action: Action) -> Observation:
        return Observation(content=state.goal, origin=Origin(kind="recorded", world="mine"))

    quick = world_of(lambda state, action: action.tool, kind="exact", name="q")
    assert await quick(state_of(), call("a")) == Observation(content="a", origin=Origin(kind="exact", world="q"))
    said = await world_of(slow)(state_of(goal="g"), call("a"))
    assert said == Observation(content="g", origin=Origin(kind="recorded", world="mine"))


async def test_a_scripted_copy_counts_how_often_it_was_discarded():
    world = ScriptedCopy(script={"*": "ok"})
    assert isinstance(world, Copying)
    assert not isinstance(ScriptedWorld(script={}), Copying)
    assert (await world(state_of(), call("a"))).origin == Origin(kind="exact", world="copy")
    await world.discard()
    assert world.discarded == 1


async def test_recorded_calls_have_happened():
    real = RecordedCalls()
    assert await real(state_of(), call("a")) == Observation(content="done", origin=REAL)
    assert real.done == [call("a")]
    assert not (await RecordedCalls(script={"a": GONE})(state_of(), call("a"))).imagined


async def test_a_scripted_proposer_thinks_of_its_rows_and_then_of_the_last_one_for_ever():
    proposer = ScriptedProposer([call("a")], ValueError("no idea"), [])
    state = state_of()
    assert await proposer(state, 2) == [call("a")]
    with pytest.raises(ValueError, match="no idea"):
        await proposer(state, 2)
    assert await proposer(state, 1) == await proposer(state, 1) == []
    assert proposer.asked == [(state, 2), (state, 2), (state, 1), (state, 1)]
    assert await ScriptedProposer()(state, 1) == ()


async def test_a_scripted_critic_judges_by_the_name_of_the_first_tool():
    critic = ScriptedCritic(
        script={"a": [0.1, 0.2], "b": WRONG, "c": Verdict(score=1), "d": KeyError("x")}, otherwise=0.6
    )
    state = state_of()

    async def judge(tool: str) -> Verdict:
        return await critic(state, Rollout(action=call(tool)))

    assert [(await judge("a")).score for _ in range(3)] == [0.1, 0.2, 0.2]
    assert await judge("b") == Verdict(score=0.6, hazards=(WRONG,))
    assert await judge("c") == Verdict(score=1)
    assert await judge("z") == Verdict(score=0.6)
    with pytest.raises(KeyError):
        await judge("d")
    assert [rollout.action.tool for rollout in critic.judged] == ["a", "a", "a", "b", "c", "z", "d"]
    by_goal = ScriptedCritic(script=lambda state, rollout: 0.9 if state.goal else 0.1)
    assert (await by_goal(state, Rollout(action=call("a")))).score == 0.1


def test_approvers_remember_what_they_were_asked():
    yes, no = Yes(), No()
    request: object = object()
    assert yes(request) is True  # type: ignore[arg-type]
    assert no(request) is False  # type: ignore[arg-type]
    assert yes.asked == no.asked == [request]


def test_a_fixed_record_speaks_of_one_world():
    record = FixedRecord(bound=0.5, right=0.9, tries=7, world="w", changed=True)
    known = record.standing("any", "w")
    assert (known.bound(True), known.rate(True), known.trials(True)) == (0.5, 0.9, 7)
    assert (known.bound(False), known.rate(False), known.trials(False)) == (0.0, 0.0, 0)
    other = record.standing("any", "other")
    assert (other.bound(True), other.rate(True), other.trials(True)) == (0.0, 0.0, 0)
    assert FixedRecord(bound=0.5).standing("any", "scripted").bound(False) == 0.5
