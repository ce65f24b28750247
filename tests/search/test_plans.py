"""Plans: several steps of each candidate are thought of in one round, and imagined level by level."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from lookahead.budget import Budget, Meter, forecast, spend
from lookahead.errors import ProposerError
from lookahead.schema import fits
from lookahead.search import Beam, BestOf
from lookahead.search.plans import Plan
from lookahead.search.thinking import AGREED, Thinking
from lookahead.testing import ScriptedCritic, ScriptedWorld, call, state_of, world_of
from lookahead.types import Action, Cost, State, Tool

pytestmark = pytest.mark.anyio

STATE = state_of(changes=["go"])


def go(to: str) -> Action:
    return call("go", to=to)


def paths(considered: Sequence[Any]) -> list[str]:
    return ["".join(step.action.arguments["to"] for step in one.rollout.steps) for one in considered]


class Planner:
    """Has plans as words, one letter a call; the agent's own comes where it is told to come."""

    def __init__(self, own: str, *rivals: str, last: bool = False, ends: Exception | None = None) -> None:
        self.own, self.rivals, self.last, self.ends = own, rivals, last, ends
        self.asked: list[str] = []
        self.closed = False

    async def __call__(self, state: State, n: int, /) -> Sequence[Action]:
        self.asked.append(f"{len(state.steps)}: {n}")
        return [go(word[0]) for word in self.rivals][:n]

    async def plans(self, state: State, proposed: Action, n: int, steps: int) -> AsyncGenerator[Plan]:
        self.asked.append(f"{n} of {steps + 1}")
        mine = Plan(first=proposed, then=tuple(map(go, self.own)), own=True)
        others = [Plan(first=go(word[0]), then=tuple(map(go, word[1:]))) for word in self.rivals]
        try:
            for plan in [*others, mine] if self.last else [mine, *others]:
                spend(Cost(tokens=10))
                yield plan
            if self.ends is not None:
                raise self.ends
        finally:
            self.closed = True


def thinking(world: Any, proposer: Any, *, depth: int | None = None, spare: bool = False, **budget: Any) -> Thinking:
    return Thinking(
        imagine=world,
        critic=ScriptedCritic(),
        proposer=proposer,
        fits=fits,
        meter=Meter(budget=Budget(**budget)).decision(),
        watch=lambda event: None,
        depth=depth,
        spare=spare,
    )


def echo() -> ScriptedWorld:
    return world_of(lambda state, action: str(action.arguments["to"]))


@pytest.mark.parametrize("last", [False, True])
async def test_one_round_of_proposing_serves_all_levels(last: bool):
    proposer = Planner("xy", "bcd", "efg", last=last)
    think = thinking(echo(), proposer)
    search = BestOf(3, depth=3)
    assert paths(await search(think, STATE, go("a"))) == ["axy", "bcd", "efg"]
    assert proposer.asked == ["2 of 3"]
    assert proposer.closed
    assert think.meter.spent.calls == search.calls == 9
    assert think.meter.spent.tokens == 30


async def test_what_such_a_decision_spends_is_what_was_foretold():
    async def dear(state: State, action: Action) -> Any:
        return (await echo()(state, action)).model_copy(update={"cost": Cost(calls=1, tokens=7)})

    think = thinking(dear, Planner("x", "bc", "de"))
    search = BestOf(3, depth=2)
    told = forecast(search.calls, "go", "dear", lambda *_: Cost(calls=1, tokens=7), exact=False, budget=Budget())
    await search(think, STATE, go("a"))
    assert (think.meter.spent.calls, think.meter.spent.tokens) == (told.calls, (told.tokens or 0) + 30)


async def test_replanning_proposes_anew_after_each_imagined_step():
    proposer = Planner("x", "bc")
    assert paths(await BestOf(2, depth=3, replan=True)(thinking(echo(), proposer), STATE, go("a"))) == ["abb", "bbb"]
    assert proposer.asked == ["0: 1", "1: 1", "1: 1", "2: 1", "2: 1"]


async def test_one_step_ahead_needs_no_plan():
    for search, depth in ((BestOf(2), None), (BestOf(2, depth=3), 1)):
        proposer = Planner("x", "bc")
        assert paths(await search(thinking(echo(), proposer, depth=depth), STATE, go("a"))) == ["a", "b"]
        assert proposer.asked == ["0: 1"]


async def test_other_searches_propose_as_they_did():
    proposer = Planner("x", "bc")
    await Beam(2, depth=2)(thinking(echo(), proposer), STATE, go("a"))
    assert not any("of" in asked for asked in proposer.asked)


async def test_a_searchs_own_proposer_is_the_one_that_plans():
    own, agents = Planner("x", "bc"), Planner("y", "ef")
    considered = await BestOf(2, depth=2, propose=own)(thinking(echo(), agents), STATE, go("a"))
    assert paths(considered) == ["ax", "bc"]
    assert agents.asked == []


async def test_a_future_ends_where_its_plan_does_or_where_the_agent_could_not_go_on():
    tool = Tool(name="go", effect="changes", parameters={"type": "object", "properties": {"to": {"enum": [*"abcde"]}}})
    state = State(tools=(tool,))
    think = thinking(echo(), Planner("", "bc", "dze"))
    assert paths(await BestOf(3, depth=3)(think, state, go("a"))) == ["a", "bc", "d"]
    assert any("do not fit" in note for note in think.notes)


async def test_where_all_agree_a_dear_world_is_spared_and_the_own_plan_is_no_vote():
    for rivals, steps in ((("ab", "ac"), 0), ((), 1)):
        world = echo()
        [only] = await BestOf(3, depth=2)(thinking(world, Planner("x", *rivals), spare=True), STATE, go("a"))
        assert (only.rollout.failure == AGREED) is bool(rivals)
        assert len(world.asked) == steps


async def test_a_rival_that_agrees_says_what_would_follow_where_nobody_else_did():
    for own, path in (("", "ac"), ("x", "ax")):
        for last in (False, True):
            proposer = Planner(own, "ac", "de", last=last)
            assert paths(await BestOf(3, depth=2)(thinking(echo(), proposer), STATE, go("a"))) == [path, "de"]


async def test_a_proposer_that_fails_while_planning_leaves_what_it_said_before():
    proposer = Planner("x", "bc", ends=ProposerError("the line is dead"))
    think = thinking(echo(), proposer)
    assert paths(await BestOf(3, depth=2)(think, STATE, go("a"))) == ["ax", "bc"]
    assert any("the line is dead" in note for note in think.notes)


async def test_a_failed_future_is_not_followed_further():
    world = world_of(lambda state, action: "ok" if action != go("b") else RuntimeError("dark"))
    considered = await BestOf(2, depth=2)(thinking(world, Planner("x", "bc")), STATE, go("a"))
    assert paths(considered) == ["ax", ""]
    assert sorted(action.arguments["to"] for _, action in world.asked) == ["a", "b", "x"]
