"""Journals that were written before a run belonged to the name that a call is looked up by."""

from typing import Any

import pytest

from lookahead.canonical import digest_of
from lookahead.errors import PermitError
from lookahead.journal import Journal
from lookahead.types import Observation


@pytest.fixture
def older(journal: Journal, monkeypatch: pytest.MonkeyPatch, make: Any) -> Journal:
    """With one call that was done, one that was not answered, and one that is kept for an answer."""

    def outer_name(name: str, run: str) -> str:
        return digest_of("call_id", name)

    with monkeypatch.context() as then:
        then.setattr("lookahead.journal.capture.outer_name", outer_name)
        journal.append(*make.whole("c1", action=make.action("a", call_id="done"), content="the answer"))
        for run in ("r", "other"):
            under_way = make.action("b", call_id="begun")
            journal.append(make.decided(f"c2{run}", run=run, action=under_way))
            journal.append(make.intended(f"c2{run}", run=run, action=under_way))
        journal.append(make.refused("c3", choice="ask", action=make.action("c", call_id="kept")))
    return journal


def test_their_names_are_other_ones(older: Journal, make: Any) -> None:
    journal = older
    journal.append(*make.whole("c9", action=make.action("a", call_id="done"), run="another"))
    with journal._store.looking() as db:  # pyright: ignore
        names = {name for (name,) in db.execute("SELECT name FROM rows WHERE name IS NOT NULL")}
    assert {digest_of("call_id", "done"), digest_of("call_id", "another", "done")} <= names


def test_an_answer_on_record_is_found_in_its_run_alone(older: Journal, make: Any) -> None:
    digest = make.action("a").digest
    assert older.named("r", "done")
    assert older.finished("r", "done", digest) == Observation(content="the answer")
    assert older.finished("other", "done", digest) is None


def test_what_was_done_or_begun_there_is_not_done_again(older: Journal, make: Any) -> None:
    with pytest.raises(PermitError, match="was done already"):
        older.append(make.intended("c7", action=make.action("a", call_id="done")))
    with pytest.raises(PermitError, match="is under way already"):
        older.append(make.intended("c8", action=make.action("b", call_id="begun")))
    older.append(make.intended("c9", run="new", action=make.action("a", call_id="done")))


def test_a_question_that_was_kept_there_is_found(older: Journal, make: Any) -> None:
    digest = make.action("c").digest
    kept = older.kept("r", "kept", digest, 0.0)
    assert kept is not None
    assert kept.call == "c3"
    assert older.kept("other", "kept", digest, 0.0) is None
    assert not older.named("r", "nobody said this")
