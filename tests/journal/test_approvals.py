"""A yes is good for one call, once, and not for long."""

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from lookahead.errors import PermitError
from lookahead.journal import Journal

Reopen = Callable[..., Journal]


def rows(path: str) -> list[tuple[Any, ...]]:
    db = sqlite3.connect(path)
    try:
        return db.execute("SELECT * FROM rows ORDER BY seq").fetchall()
    finally:
        db.close()


def test_an_approval_holds_for_its_binding_until_it_expires(journal: Journal, make: Any) -> None:
    journal.append(make.granted(at=1000.0, lives=600.0))
    assert journal.approval("b1", 1000.0) == make.approval()
    assert journal.approval("b1", 1599.9) is not None
    assert journal.approval("b1", 1600.0) is None
    assert journal.approval("b2", 1000.0) is None


def test_a_clock_that_was_set_back_far_ends_an_approval(journal: Journal, make: Any) -> None:
    journal.append(make.granted(at=1000.0))
    assert journal.approval("b1", 940.0) is not None
    assert journal.approval("b1", 939.0) is None


def test_an_approval_is_spent_once(journal: Journal, reopen: Reopen, make: Any) -> None:
    journal.append(make.granted())
    journal.append(make.spent(call="c1"))
    assert journal.approval("b1", 1000.0) is None
    for other in (journal, reopen()):
        with pytest.raises(PermitError, match="approval a1 was used already"):
            other.append(make.decided("c2", binding="b1"), make.spent(call="c2"), make.intended("c2"))
    assert [row[4] for row in rows(journal.path)] == ["granted", "spent"]


def test_of_several_approvals_the_one_that_lives_longest_is_given(journal: Journal, make: Any) -> None:
    journal.append(make.granted("a1", lives=10.0), make.granted("a2", lives=900.0), make.granted("a3", lives=20.0))
    found = journal.approval("b1", 1000.0)
    assert found is not None
    assert found.id == "a2"
    journal.append(make.spent("a2"))
    found = journal.approval("b1", 1000.0)
    assert found is not None
    assert found.id == "a3"


def test_one_approval_is_recorded_once(journal: Journal, make: Any) -> None:
    journal.append(make.granted())
    with pytest.raises(PermitError, match="approval a1 was recorded already"):
        journal.append(make.granted())


def test_an_approval_that_was_never_given_cannot_be_spent(journal: Journal, make: Any) -> None:
    with pytest.raises(PermitError, match="approval a1 was never given"):
        journal.append(make.spent())
    assert rows(journal.path) == []


def test_an_approval_that_has_expired_cannot_be_spent(journal: Journal, make: Any, clock: Any) -> None:
    journal.append(make.granted(lives=600.0))
    clock.now = 1600.0
    with pytest.raises(PermitError, match="approval a1 has expired"):
        journal.append(make.spent())
    clock.now = 1599.0
    journal.append(make.spent())


@pytest.mark.parametrize("binding", ["b2", None])
def test_an_approval_of_one_call_cannot_be_spent_on_another(journal: Journal, make: Any, binding: str | None) -> None:
    journal.append(make.granted(binding="b1"))
    with pytest.raises(PermitError, match="was given to another call"):
        journal.append(make.decided("c1", binding=binding), make.spent(call="c1"))
    journal.append(make.decided("c1", binding="b1"), make.spent(call="c1"))


def test_refused_calls_wait_for_a_person(journal: Journal, make: Any) -> None:
    journal.append(make.refused("c1", "b1", "veto"), make.refused("c2", "b2", "ask"), make.refused("c3", None))
    journal.append(make.decided("c4", binding="b4"))
    journal.append(make.decided("c5", binding="b5", choice="ask"))
    journal.append(make.refused("c6", "b6", "run"))
    assert [decided.call for decided in journal.waiting()] == ["c1", "c2"]


def test_a_call_that_was_refused_again_waits_once(journal: Journal, make: Any) -> None:
    journal.append(make.refused("c1", "b1"))
    journal.append(make.refused("c2", "b2"))
    journal.append(make.refused("c3", "b1"))
    assert [decided.call for decided in journal.waiting()] == ["c2", "c3"]


def test_a_call_that_was_allowed_waits_no_more_until_the_approval_expires(
    journal: Journal, make: Any, clock: Any
) -> None:
    journal.append(make.refused("c1", "b1"))
    journal.append(make.granted(binding="b1", lives=600.0))
    assert journal.waiting() == []
    clock.now = 1600.0
    assert [decided.call for decided in journal.waiting()] == ["c1"]


def test_a_call_whose_approval_was_used_waits_no_more(journal: Journal, make: Any) -> None:
    journal.append(make.refused("c1", "b1"))
    journal.append(make.granted(binding="b1"))
    journal.append(make.decided("c2", binding="b1", choice="ask"), make.spent(call="c2"), make.intended("c2"))
    assert journal.waiting() == []
    journal.append(make.refused("c3", "b1"))
    assert [decided.call for decided in journal.waiting()] == ["c3"]


def test_a_refusal_whose_approval_was_used_by_another_refused_proposal_waits_no_more(
    journal: Journal, make: Any
) -> None:
    journal.append(make.refused("c1", "b1"))
    journal.append(make.granted(binding="b1"))
    journal.append(make.spent(call="cx"))
    assert journal.waiting() == []
