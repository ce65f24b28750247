"""Several calls that come and go together: when all of them may stand in for all of others."""

import pytest

from lookahead.guard import Guard, at_once
from lookahead.policy import Policy
from lookahead.testing import FixedRecord, call, state_of
from lookahead.types import Choice, Considered, Decision, Hazard, Kind, Observation, Origin, Rollout, Step, Verdict

STATE = state_of(reads=["look"], changes=["write", "copy"])
GOOD = FixedRecord(bound=0.9)


def seen(
    tool: str, score: float, *hazards: Hazard, choice: Choice = "run", kind: Kind | None = "model", path: str = "a"
) -> Decision:
    action = call(tool, path=path)
    said = Observation(content="ok", origin=Origin(kind=kind, world="scripted")) if kind else None
    steps = (Step(action=action, observation=said),) if said else ()
    considered = Considered(
        rollout=Rollout(action=action, steps=steps), verdict=Verdict(score=score, hazards=tuple(hazards))
    )
    decision = at_once(STATE, action, choice, "x", "y")
    return decision.model_copy(update={"considered": (considered,)})


def prefers(
    theirs: list[Decision], mine: list[Decision], *, swap: bool = True, record: FixedRecord = GOOD, **more: str
):
    guard = Guard(policy=Policy.read({"swap": swap, **more}, "the policy"), record=record)
    return guard.prefers(STATE, theirs, mine)


BAD = Hazard(rule="files.lost", what="it loses", why="y", severity="danger", predicted=True)
NOTE = Hazard(rule="files.note", what="a word", why="y", severity="note")


def test_a_message_is_as_good_as_the_worst_of_its_calls():
    assert prefers([seen("copy", 0.6), seen("copy", 0.7, path="b")], [seen("write", 0.9), seen("write", 0.5, path="b")])
    assert not prefers([seen("copy", 0.4), seen("copy", 1.0, path="b")], [seen("write", 0.5)])


def test_equally_good_is_not_better():
    assert not prefers([seen("copy", 0.5)], [seen("write", 0.5)])


def test_a_message_in_which_something_is_wrong_gives_way_to_a_worse_score():
    assert prefers([seen("copy", 0.1)], [seen("write", 0.9), seen("write", 0.9, BAD, choice="veto", path="b")])


def test_one_call_that_may_not_be_made_is_enough_against_a_message():
    mine = [seen("write", 0.1)]
    assert not prefers([seen("copy", 0.9), seen("copy", 0.9, choice="ask", path="b")], mine)
    assert not prefers([seen("copy", 0.9), seen("copy", 0.9, BAD, path="b")], mine)
    assert not prefers([seen("copy", 0.9), seen("copy", 0.9, kind=None, path="b")], mine)
    assert not prefers([seen("copy", 0.9), seen("other", 0.9)], mine)
    assert not prefers([seen("copy", 0.9)], mine, copy="ask")
    assert prefers([seen("copy", 0.9, NOTE)], mine)


def test_without_the_users_word_or_a_record_nothing_is_preferred():
    assert not prefers([seen("copy", 0.9)], [seen("write", 0.1)], swap=False)
    assert not prefers([seen("copy", 0.9)], [seen("write", 0.1)], record=FixedRecord(bound=0.5))


@pytest.mark.parametrize("mine", [[], [at_once(STATE, call("look"), "run", "reads", "it only reads")]])
def test_what_only_reads_is_no_reason_to_prefer_or_to_be_preferred(mine: list[Decision]):
    assert not prefers([seen("copy", 0.9)], mine)
    assert not prefers([at_once(STATE, call("look"), "run", "reads", "it only reads")], [seen("write", 0.1)])
