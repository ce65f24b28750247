"""Calls that may have happened, and agents that go on after a crash: nothing runs twice."""

from collections.abc import Callable
from typing import Any

import pytest

from lookahead.errors import JournalError, PermitError
from lookahead.journal import Journal
from lookahead.types import GUARD, Observation

Reopen = Callable[..., Journal]


def dead(make: Any, call: str = "c1", **more: Any) -> Any:
    """An intent whose process has ended: this one never was."""
    from lookahead.journal.owner import me

    gone = me().model_copy(update={"token": "another", "started": "0"})
    return make.intended(call, owner=gone, **more)


def test_a_call_that_this_process_is_making_is_not_in_doubt(journal: Journal, make: Any) -> None:
    journal.append(make.decided(), make.intended())
    assert journal.in_doubt() == []
    assert journal.doubtful(make.action().digest) is None
    assert [call.status for call in journal.calls()] == ["running"]


def test_a_call_that_was_cut_off_is_in_doubt(journal: Journal, make: Any) -> None:
    journal.append(make.decided(), make.intended(action=make.action(call_id="x")))
    journal.append(make.interrupted(why="KeyboardInterrupt"))
    (doubt,) = journal.in_doubt()
    assert (doubt.run, doubt.call, doubt.call_id, doubt.effect) == ("r", "c1", "x", "changes")
    assert doubt.action == make.action(call_id="x")
    assert doubt.action_digest == make.action().digest
    assert doubt.at == 1000.0
    assert doubt.why == "it was cut off: KeyboardInterrupt"
    assert journal.doubtful(make.action().digest) == doubt
    assert [call.status for call in journal.calls()] == ["in doubt"]


def test_a_call_whose_process_ended_is_in_doubt(journal: Journal, make: Any) -> None:
    journal.append(dead(make))
    (doubt,) = journal.in_doubt()
    assert doubt.why == "its process ended before the result was recorded"


def test_a_result_that_is_recorded_between_two_looks_ends_the_doubt(
    journal: Journal, make: Any, reopen: Reopen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process records its result and ends, just after the list of open calls was read and before it is looked for."""
    from lookahead.journal.owner import Owner

    action = make.action()
    journal.append(dead(make, "c1"), dead(make, "c2"), dead(make, "c3"))

    def ended_just_now(left: list[str]) -> Callable[[Owner], bool]:
        def running(owner: Owner) -> bool:
            if left:
                with reopen(journal.path) as theirs:
                    theirs.append(make.resulted(left.pop()))
            return False

        return running

    monkeypatch.setattr(Owner, "running", ended_just_now(["c1"]))
    assert [doubt.call for doubt in journal.in_doubt()] == ["c2", "c3"]
    monkeypatch.setattr(Owner, "running", ended_just_now(["c2"]))
    doubt = journal.doubtful(action.digest)
    assert doubt is not None
    assert doubt.call == "c3"
    monkeypatch.setattr(Owner, "running", ended_just_now(["c3"]))
    assert journal.doubtful(action.digest) is None


def test_what_became_of_a_call_is_looked_at_again_before_it_is_called_in_doubt(
    journal: Journal, make: Any, reopen: Reopen, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lookahead.journal.owner import Owner

    journal.append(make.decided("c1"), dead(make, "c1"))
    left = ["c1"]

    def running(owner: Owner) -> bool:
        if left:
            with reopen(journal.path) as theirs:
                theirs.append(make.resulted(left.pop()))
        return False

    monkeypatch.setattr(Owner, "running", running)
    assert [call.status for call in journal.calls()] == ["done"]


def test_a_call_of_a_process_that_cannot_be_seen_is_in_doubt(journal: Journal, make: Any) -> None:
    from lookahead.journal.owner import me

    elsewhere = me().model_copy(update={"token": "another", "namespace": "pid:[1]"})
    journal.append(make.intended(owner=elsewhere))
    (doubt,) = journal.in_doubt()
    assert doubt.why == "its process cannot be seen from here: it may still be running"


def test_doubts_are_listed_oldest_first(journal: Journal, make: Any) -> None:
    for call in ("z", "a", "m"):
        journal.append(dead(make, call))
    assert [doubt.call for doubt in journal.in_doubt()] == ["z", "a", "m"]
    found = journal.doubtful(make.action().digest)
    assert found is not None
    assert found.call == "z"


def test_a_result_ends_the_doubt_even_late(journal: Journal, make: Any) -> None:
    journal.append(make.decided(), make.intended())
    journal.append(make.interrupted())
    journal.append(make.resulted())
    assert journal.in_doubt() == []
    assert journal.doubtful(make.action().digest) is None
    assert [call.status for call in journal.calls()] == ["done"]


def test_doubt_is_about_the_very_call(journal: Journal, make: Any) -> None:
    journal.append(dead(make, action=make.action("rm -r a")))
    assert journal.doubtful(make.action("rm -r b").digest) is None
    assert journal.doubtful(make.action("rm -r a").digest) is not None


def test_of_two_intents_of_one_call_the_dead_one_is_found(journal: Journal, make: Any) -> None:
    journal.append(make.intended("mine"))
    journal.append(dead(make, "theirs"))
    found = journal.doubtful(make.action().digest)
    assert found is not None
    assert found.call == "theirs"


@pytest.mark.parametrize(("happened", "status"), [(True, "happened"), (False, "did not happen")])
def test_a_person_settles_a_doubt(journal: Journal, make: Any, happened: bool, status: str) -> None:
    journal.append(make.decided(), dead(make))
    journal.append(make.resolved(happened=happened))
    assert journal.in_doubt() == []
    assert journal.doubtful(make.action().digest) is None
    assert [call.status for call in journal.calls()] == [status]


def test_only_a_doubt_can_be_settled_and_only_once(journal: Journal, make: Any) -> None:
    with pytest.raises(JournalError, match="call c1 is not in doubt"):
        journal.append(make.resolved())
    journal.append(make.intended("c2"))
    with pytest.raises(JournalError, match="call c2 is still running"):
        journal.append(make.resolved("c2"))
    journal.append(dead(make, "c3"))
    journal.append(make.resolved("c3"))
    with pytest.raises(JournalError, match="not in doubt"):
        journal.append(make.resolved("c3"))
    assert journal.verify().ok


def test_the_recorded_answer_is_found_by_run_name_and_call(journal: Journal, make: Any) -> None:
    action = make.action(call_id="x")
    journal.append(*make.whole("c1", action=action, content="the answer"))
    found = journal.finished("r", "x", action.digest)
    assert found == Observation(content="the answer")
    assert journal.finished("other", "x", action.digest) is None
    assert journal.finished("r", "y", action.digest) is None
    assert journal.finished("r", "x", make.action("ls").digest) is None


def test_a_call_without_a_result_has_no_recorded_answer(journal: Journal, make: Any) -> None:
    action = make.action(call_id="x")
    journal.append(make.decided(action=action), make.intended(action=action))
    assert journal.finished("r", "x", action.digest) is None


def test_the_answer_to_a_swapped_call_answers_the_proposed_one(journal: Journal, make: Any) -> None:
    proposed, other = make.action("rm -r build", call_id="x"), make.action("mv build old")
    journal.append(make.decided(action=proposed, chosen=other, choice="swap"), make.intended(action=other))
    journal.append(make.resulted(content="moved"))
    found = journal.finished("r", "x", proposed.digest)
    assert found is not None
    assert found.content == "moved"


def test_an_intent_alone_is_enough_to_find_the_answer(journal: Journal, make: Any) -> None:
    action = make.action(call_id="x")
    journal.append(make.intended(action=action), make.resulted(content="yes"))
    found = journal.finished("r", "x", action.digest)
    assert found is not None
    assert found.content == "yes"


def test_the_last_answer_counts(journal: Journal, make: Any) -> None:
    action = make.action(call_id="x")
    for call, content in (("c9", "first"), ("c1", "second")):
        decided, intended, resulted = make.whole(call, action=action, content=content)
        # Only what reads can be made twice under one name.
        journal.append(decided, intended.model_copy(update={"effect": "reads"}), resulted)
    found = journal.finished("r", "x", action.digest)
    assert found is not None
    assert found.content == "second"


def test_a_named_call_that_changes_something_is_made_once_in_its_run(journal: Journal, make: Any) -> None:
    action = make.action(call_id="x")
    journal.append(make.intended("c1", action=action))
    with pytest.raises(PermitError, match="call x of this run is under way already"):
        journal.append(make.intended("c2", action=action))
    journal.append(make.resulted("c1"))
    with pytest.raises(PermitError, match="call x of this run was done already"):
        journal.append(make.intended("c2", action=action))
    journal.append(make.intended("c3", action=action, run="another"))
    journal.append(make.intended("c4", action=make.action(call_id="y")))
    journal.append(make.intended("c5", action=make.action("ls", call_id="x")))
    journal.append(make.intended("c6"), make.intended("c7"))


def test_a_named_call_is_not_made_beside_what_is_done_in_its_place_nor_the_other_way_round(
    journal: Journal, make: Any
) -> None:
    action, rival = make.action(call_id="x"), make.action("mv build trash")
    swapped = make.decided("c1", action=action, choice="swap", chosen=rival)
    journal.append(swapped, make.intended("c1", action=rival))
    with pytest.raises(PermitError, match="call x of this run is under way already"):
        journal.append(make.decided("c2", action=action), make.intended("c2", action=action))
    other = make.action(call_id="y")
    journal.append(make.decided("c3", action=other), make.intended("c3", action=other))
    with pytest.raises(PermitError, match="call y of this run is under way already"):
        journal.append(make.decided("c4", action=other, choice="swap", chosen=rival), make.intended("c4", action=rival))


def test_a_named_call_in_doubt_may_be_begun_again_when_it_was_allowed(journal: Journal, make: Any) -> None:
    action = make.action(call_id="x")
    journal.append(dead(make, action=action))
    journal.append(make.intended("c2", action=action))


def test_what_was_not_started_may_run(journal: Journal, make: Any) -> None:
    action = make.action(call_id="x")
    not_started = Observation(content="not started", failed=True, origin=GUARD)
    journal.append(make.decided(action=action), make.resulted(observation=not_started, agreed=None))
    assert journal.finished("r", "x", action.digest) is None


def test_what_a_person_confirmed_is_not_done_again(journal: Journal, make: Any) -> None:
    action = make.action(call_id="x")
    journal.append(make.decided(action=action), dead(make, action=action))
    journal.append(make.resolved(happened=True))
    found = journal.finished("r", "x", action.digest)
    assert found is not None
    assert "ada confirmed that it happened" in found.content
    assert found.origin == GUARD


def test_what_a_person_denied_may_be_done_again(journal: Journal, make: Any) -> None:
    action = make.action(call_id="x")
    journal.append(make.decided(action=action), dead(make, action=action))
    journal.append(make.resolved(happened=False))
    assert journal.finished("r", "x", action.digest) is None
