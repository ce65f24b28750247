"""Of several hazards that are equally bad, which one is named."""

import pytest

from lookahead.guard import Guard
from lookahead.planner import Outcome
from lookahead.policy import Policy, Ruling
from lookahead.testing import call, state_of
from lookahead.types import Considered, Decision, Hazard, Observation, Origin, Rollout, Severity, Step, Verdict

STATE = state_of(changes=["write"])
MINE = call("write", path="a")


def decided(*hazards: Hazard) -> Decision:
    """By a model that has no record."""
    said = Observation(content="ok", origin=Origin(kind="model", world="scripted"))
    mine = Considered(
        rollout=Rollout(action=MINE, steps=(Step(action=MINE, observation=said),)),
        verdict=Verdict(score=0.5, hazards=hazards),
    )
    outcome = Outcome(considered=(mine,), proposed=mine)
    ruling = Ruling(rule="preview", line="write = preview", effect="changes")
    return Guard(policy=Policy.read({}, "the policy")).decide(STATE, MINE, ruling, outcome)


@pytest.mark.parametrize(("severity", "choice"), [("note", "run"), ("caution", "run"), ("danger", "ask")])
@pytest.mark.parametrize("order", [1, -1])
def test_where_none_of_equal_hazards_may_decide_the_first_is_named(severity: Severity, choice: str, order: int):
    hazards = (
        Hazard(rule="model.opinion", what="it thinks", why="y", severity=severity, predicted=True),
        Hazard(rule="files.lost", what="it loses", why="y", severity=severity, predicted=True),
    )[::order]
    decision = decided(*hazards)
    assert (decision.choice, decision.rule, decision.reason) == (choice, hazards[0].rule, hazards[0].what)
