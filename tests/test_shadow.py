import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from lookahead.errors import JournalError
from lookahead.guard import Guard
from lookahead.journal import Entry, Journal
from lookahead.planner import Outcome
from lookahead.policy import Policy, Ruling
from lookahead.shadow import MOST, Foresight, Shadow, would
from lookahead.testing import call, state_of
from lookahead.types import Considered, Observation, Origin, Rollout, Step, Verdict

STATE = state_of(changes=["write"])
WRITE = call("write", path="a")
RULING = Ruling(rule="preview", line="default = preview", effect="changes")


class Notebook(Journal):
    """Keeps what was said to it, or fails with it."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__(":memory:")
        self.error = error
        self.said: list[Any] = []

    def append(self, *entries: Entry) -> None:
        if self.error is not None:
            raise self.error
        self.said += entries


@pytest.fixture
def journal() -> Iterator[Notebook]:
    opened = Notebook()
    yield opened
    opened.close()


def shadow(journal: Journal) -> Shadow:
    return Shadow(guard=Guard(policy=Policy()), journal=journal, run="r")


def entered(made: Shadow) -> Foresight:
    foresight = made.enter(STATE, WRITE, RULING, "c")
    assert foresight is not None
    return foresight


def outcome(content: str | None = "done") -> Outcome:
    origin = Origin(kind="model", world="w")
    said = Observation(content=content or "", effects=(), origin=origin)
    steps = (Step(action=WRITE, observation=said),) if content is not None else ()
    mine = Considered(rollout=Rollout(action=WRITE, steps=steps), verdict=Verdict(score=0.5))
    return Outcome(considered=(mine,), proposed=mine)


DONE = Observation(content="done", effects=())


@pytest.mark.parametrize("first", ["imagined", "happened"])
def test_what_was_imagined_and_what_came_are_compared_in_whichever_order_they_arrive(first: str, journal: Notebook):
    made = shadow(journal)
    foresight = entered(made)
    if first == "imagined":
        foresight.imagined(outcome())
        assert not made.settle(0)
        foresight.happened(DONE)
    else:
        foresight.happened(DONE)
        assert not made.settle(0)
        foresight.imagined(outcome())
    assert made.settle(0)
    [said] = journal.said
    assert (said.run, said.call, said.tool, said.world) == ("r", "c", "write", "w")
    assert said.agreement.agreed
    assert (said.decision.choice, said.decision.rule) == ("run", "default = preview")


def test_what_was_imagined_wrongly_is_on_record_as_wrong(journal: Notebook):
    foresight = entered(shadow(journal))
    foresight.imagined(outcome("something else"))
    foresight.happened(DONE)
    assert not journal.said[0].agreement.agreed


def test_what_could_not_be_imagined_is_on_record_without_a_comparison(journal: Notebook):
    foresight = entered(shadow(journal))
    foresight.imagined(outcome(None))
    foresight.happened(DONE)
    assert (journal.said[0].agreement, journal.said[0].world) == (None, None)


@pytest.mark.parametrize("how", [["imagined"], ["happened"], ["imagined", "happened"], ["happened", "imagined"]])
def test_where_either_half_is_missing_nothing_is_compared_and_the_place_is_free_once(how: list[str], journal: Notebook):
    made = shadow(journal)
    foresight, other = entered(made), entered(made)
    for half in how:
        getattr(foresight, half)(None)
    assert journal.said == []
    assert not made.settle(0)
    other.imagined(None)
    assert made.settle(0)


def test_the_other_half_that_comes_too_late_is_not_compared(journal: Notebook):
    foresight = entered(shadow(journal))
    foresight.imagined(None)
    foresight.happened(DONE)
    foresight = entered(shadow(journal))
    foresight.happened(None)
    foresight.imagined(outcome())
    assert journal.said == []


def test_past_so_many_at_once_a_call_goes_uncompared(journal: Notebook):
    made = shadow(journal)
    places = [entered(made) for _ in range(MOST)]
    assert made.enter(STATE, WRITE, RULING, "c") is None
    assert made.skipped == 1
    places[0].imagined(None)
    assert made.enter(STATE, WRITE, RULING, "c") is not None
    assert made.enter(STATE, WRITE, RULING, "c") is None
    assert made.skipped == 2


def test_a_comparison_that_cannot_be_recorded_is_logged_and_holds_nobody_up(caplog: pytest.LogCaptureFixture):
    journal = Notebook(JournalError("the disk is full"))
    made = shadow(journal)
    foresight = entered(made)
    foresight.imagined(outcome())
    with caplog.at_level(logging.ERROR, "lookahead"):
        foresight.happened(DONE)
    assert "what was imagined of call c could not be recorded" in caplog.text
    assert made.settle(0)
    journal.close()


def test_even_a_bug_gives_the_place_back():
    journal = Notebook(ZeroDivisionError())
    made = shadow(journal)
    foresight = entered(made)
    foresight.imagined(outcome())
    with pytest.raises(ZeroDivisionError):
        foresight.happened(DONE)
    assert made.settle(0)
    journal.close()


def test_whoever_waits_is_woken_when_the_last_one_ends(journal: Notebook):
    made = shadow(journal)
    foresight = entered(made)
    woken: list[bool] = []
    thread = threading.Thread(target=lambda: woken.append(made.settle(60)))
    thread.start()
    foresight.imagined(None)
    thread.join(60)
    assert woken == [True]


def test_what_the_guard_would_have_done_is_said_in_a_few_words(journal: Notebook):
    foresight = entered(shadow(journal))
    foresight.imagined(outcome())
    foresight.happened(DONE)
    assert would(journal.said[0].decision) == "the guard would run (default = preview): nothing speaks against it"
