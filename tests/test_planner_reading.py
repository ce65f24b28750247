"""A call that only reads is not imagined: what the rules say of its text is all there is."""

from collections.abc import Sequence

import pytest

from lookahead.budget import Budget, Meter
from lookahead.errors import CriticError
from lookahead.planner import Planner
from lookahead.search.thinking import Thinking
from lookahead.testing import ScriptedCritic, ScriptedWorld, call, state_of
from lookahead.types import Action, Considered, Hazard, Rollout, Severity, State, Verdict

pytestmark = pytest.mark.anyio

STATE = state_of(reads=["look"])
LOOK = call("look", path="a")


def judging(thought: Verdict | Hazard | Exception) -> Planner:
    world = ScriptedWorld(script={"*": "never asked"})
    return Planner(imagine=world, judge=ScriptedCritic(), text=ScriptedCritic(script={"look": thought}))


def hazard(severity: Severity) -> Hazard:
    return Hazard(rule="text.secret", what="a secret is in it", why="y", severity=severity)


@pytest.mark.parametrize(("severity", "warned"), [("note", False), ("caution", True), ("danger", True)])
async def test_rules_warn_of_a_call_that_only_reads_when_they_have_more_than_a_note(severity: Severity, warned: bool):
    assert await judging(hazard(severity)).warns(STATE, LOOK) is warned


async def test_rules_that_find_nothing_do_not_warn():
    assert await judging(Verdict(score=0.0)).warns(STATE, LOOK) is False


async def test_rules_that_cannot_be_read_do_not_warn_of_a_call_that_only_reads():
    assert await judging(CriticError("no rules")).warns(STATE, LOOK) is False
    assert await judging(RuntimeError("broken")).warns(STATE, LOOK) is False


class Unjudged:
    """Hands back the proposed action as it could not be imagined, and did not get round to judging it."""

    calls = 1

    async def __call__(self, thinking: Thinking, state: State, proposed: Action, /) -> Sequence[Considered]:
        return [Considered(rollout=Rollout(action=proposed, failure="the world was down"))]


async def test_what_was_left_unjudged_keeps_the_reason_why_it_was_not_imagined():
    made = Planner(
        imagine=ScriptedWorld(script={}), judge=ScriptedCritic(), text=ScriptedCritic(otherwise=0.25), search=Unjudged()
    )
    outcome = await made.consider(STATE, LOOK, meter=Meter(budget=Budget()))
    assert outcome.proposed == Considered(
        rollout=Rollout(action=LOOK, failure="the world was down"), verdict=Verdict(score=0.25)
    )
    assert outcome.failure == "the world was down"
