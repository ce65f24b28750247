"""What was decided or allowed before, and is asked for again: it holds for this very call, and not for ever."""

from typing import Any

import pytest

from lookahead.journal import Journal, views


def test_an_approval_that_was_overtaken_is_given_with_what_was_judged_then(journal: Journal, make: Any) -> None:
    refused = make.refused("c1", "b1")
    journal.append(refused)
    journal.append(make.granted("a1", "b1"))
    assert journal.overtaken(make.action().digest, 1000.0) == (make.approval("a1", "b1"), refused)
    assert journal.overtaken(make.action("ls").digest, 1000.0) is None


def test_an_approval_is_overtaken_only_while_it_lives_and_is_unused(journal: Journal, make: Any) -> None:
    digest = make.action().digest
    journal.append(make.refused("c1", "b1"))
    journal.append(make.granted("a1", "b1", at=1000.0, lives=600.0))
    assert journal.overtaken(digest, 940.0) is not None
    assert journal.overtaken(digest, 939.0) is None
    assert journal.overtaken(digest, 1599.0) is not None
    assert journal.overtaken(digest, 1600.0) is None
    journal.append(make.decided("c2", binding="b1"), make.spent("a1", "c2"), make.intended("c2"))
    assert journal.overtaken(digest, 1000.0) is None


def test_behind_a_newer_approval_that_says_nothing_of_the_call_the_older_one_is_found(
    journal: Journal, make: Any, clock: Any
) -> None:
    journal.append(make.refused("c1", "b1"))
    journal.append(make.granted("a1", "b1", lives=900.0))
    journal.append(make.refused("c2", "b2"))
    journal.append(make.granted("a2", "b2", lives=1.0))
    journal.append(make.refused("c3", "b3", action=make.action("ls")))
    journal.append(make.granted("a3", "b3"))
    found = journal.overtaken(make.action().digest, 1500.0)
    assert found is not None
    assert (found[0].id, found[1].call) == ("a1", "c1")


def test_a_question_that_stands_too_far_before_its_answer_is_not_looked_for(
    journal: Journal, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append(make.refused("c1", "b1"), make.decided("x", action=make.action("ls")), make.granted("a1", "b1"))
    monkeypatch.setattr(views, "NEAR", 2)
    assert journal.overtaken(make.action().digest, 1000.0) is not None
    monkeypatch.setattr(views, "NEAR", 1)
    assert journal.overtaken(make.action().digest, 1000.0) is None


def test_an_approval_of_more_than_a_day_ago_is_not_worth_a_word(journal: Journal, make: Any, clock: Any) -> None:
    journal.append(make.refused("c1", "b1"))
    journal.append(make.granted("a1", "b1", lives=10 * 86400.0))
    assert journal.overtaken(make.action().digest, clock.now + 86399.0) is not None
    assert journal.overtaken(make.action().digest, clock.now + 86400.0) is None


@pytest.mark.parametrize("choice", ["run", "ask"])
def test_a_decision_of_which_nothing_has_come_is_kept(journal: Journal, make: Any, choice: str) -> None:
    action = make.action(call_id="x")
    decided = make.decided("c1", action=action, choice=choice)
    journal.append(decided)
    assert journal.kept("r", "x", action.digest, 1000.0) == decided
    assert journal.kept("r", "x", action.digest, 1000.1) is None
    assert journal.kept("r", "y", action.digest, 1000.0) is None
    assert journal.kept("other", "x", action.digest, 1000.0) is None
    assert journal.kept("r", "x", make.action("ls").digest, 1000.0) is None
    journal.append(make.intended("c1", action=action))
    assert journal.kept("r", "x", action.digest, 1000.0) is None


def test_of_several_decisions_on_one_call_the_newest_is_kept(journal: Journal, make: Any) -> None:
    action = make.action(call_id="x")
    journal.append(make.decided("c1", action=action))
    journal.append(make.decided("c2", action=action, choice="ask"))
    found = journal.kept("r", "x", action.digest, 0.0)
    assert found is not None
    assert found.call == "c2"


@pytest.mark.parametrize("choice", ["veto", "swap"])
def test_a_decision_against_a_call_is_made_anew(journal: Journal, make: Any, choice: str) -> None:
    action = make.action(call_id="x")
    journal.append(make.decided("c1", action=action))
    journal.append(make.refused("c2", action=action, choice=choice))
    assert journal.kept("r", "x", action.digest, 0.0) is None
