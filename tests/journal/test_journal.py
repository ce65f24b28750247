"""What a journal keeps, and what can be asked of it."""

import json
import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookahead.errors import JournalCorrupt, JournalError, PermitError
from lookahead.journal import Journal, Pruned, Started
from lookahead.journal.capture import CAP, EFFECTS, MARGIN
from lookahead.types import GUARD, Action, Cost, Effect, Observation, Origin

Reopen = Callable[..., Journal]


def rows(path: str) -> list[tuple[Any, ...]]:
    db = sqlite3.connect(path)
    try:
        return db.execute("SELECT * FROM rows ORDER BY seq").fetchall()
    finally:
        db.close()


# ---- the file ----


def test_a_new_journal_can_be_read_by_its_owner_alone(tmp_path: Path, reopen: Reopen) -> None:
    before = os.umask(0)
    try:
        reopen(str(tmp_path / "new" / "deeper" / "j.db"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new" / "deeper" / "j.db").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new" / "deeper" / "j.db-wal").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new" / "deeper").stat().st_mode) == 0o700


def test_a_new_folder_for_journals_stays_out_of_git_and_others_are_left_alone(tmp_path: Path, reopen: Reopen) -> None:
    reopen(str(tmp_path / ".lookahead" / "journal.db"))
    reopen(str(tmp_path / "mine" / "journal.db"))
    reopen(str(tmp_path / "-" / "journal.db"))
    assert ".gitignore" not in os.listdir(tmp_path / "-")
    assert (tmp_path / ".lookahead" / ".gitignore").read_text() == "*\n"
    assert sorted(os.listdir(tmp_path / "mine")) == ["journal.db", "journal.db-shm", "journal.db-wal"]


def test_it_writes_ahead_and_waits_for_the_disk(journal: Journal, path: str) -> None:
    db = journal._store._db
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert db.execute("PRAGMA secure_delete").fetchone() == (1,)


def test_a_path_object_will_do(tmp_path: Path, make: Any) -> None:
    with Journal(tmp_path / "j.db", redact=make.Plain()) as journal:
        assert journal.path == str(tmp_path / "j.db")


def test_the_default_redactor_is_that_of_the_process(path: str, make: Any) -> None:
    from lookahead.redact import shared

    with Journal(path) as journal:
        assert journal._redact is shared()


def test_a_closed_journal_says_so(journal: Journal, make: Any) -> None:
    journal.close()
    with pytest.raises(JournalError, match="was closed already"):
        journal.append(make.decided())


def test_what_was_appended_is_there_after_opening_again(journal: Journal, reopen: Reopen, make: Any) -> None:
    journal.append(make.decided())
    journal.close()
    assert [call.call for call in reopen().calls()] == ["c1"]


def test_what_was_appended_is_on_disk_while_it_is_open(journal: Journal, reopen: Reopen, make: Any) -> None:
    journal.append(make.decided("c1"), make.intended("c1"))
    assert [row[4] for row in rows(journal.path)] == ["decided", "intended"]


# ---- appending ----


def test_one_append_is_one_transaction(journal: Journal, make: Any) -> None:
    journal.append(make.decided("c1"), make.intended("c1"))
    with pytest.raises(PermitError):
        journal.append(make.decided("c2"), make.intended("c2"), make.intended("c1"))
    assert [row[3] for row in rows(journal.path)] == ["c1", "c1"]
    assert journal.verify().ok


def test_appending_nothing_changes_nothing(journal: Journal) -> None:
    journal.append()
    assert rows(journal.path) == []


@pytest.mark.parametrize("kind", ["decided", "resulted"])
def test_a_record_is_not_overwritten(journal: Journal, make: Any, kind: str) -> None:
    entry = getattr(make, kind)("c1")
    journal.append(entry)
    with pytest.raises(JournalError, match=f"call c1 was {kind} already"):
        journal.append(entry)


def test_nothing_is_begun_twice(journal: Journal, reopen: Reopen, make: Any) -> None:
    journal.append(make.intended("c1"))
    for other in (journal, reopen()):
        with pytest.raises(PermitError, match="call c1 was begun already"):
            other.append(make.intended("c1"))


def test_only_pruning_says_that_rows_were_pruned(journal: Journal) -> None:
    false = Pruned(before=1, removed=1, through=1, anchor="", kept=0, kept_digest="")
    with pytest.raises(JournalError, match="only prune"):
        journal.append(false)
    assert rows(journal.path) == []


def test_threads_may_share_one(journal: Journal, make: Any) -> None:
    def work(name: str) -> None:
        for n in range(20):
            journal.append(*make.whole(f"{name}{n}"))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(journal.calls()) == 80
    assert journal.verify().ok


def test_each_row_has_the_time_of_its_append(journal: Journal, make: Any, clock: Any) -> None:
    journal.append(make.decided("c1"))
    clock.now = 500.0
    journal.append(make.decided("c2"))
    assert [row[1] for row in rows(journal.path)] == [1000.0, 500.0]
    assert [call.call for call in journal.calls()] == ["c1", "c2"]
    assert journal.verify().ok


# ---- in doubt ----


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


# ---- a resumed agent ----


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


# ---- approvals ----


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


# ---- waiting for a person ----


def test_refused_calls_wait_for_a_person(journal: Journal, make: Any) -> None:
    journal.append(make.refused("c1", "b1", "veto"), make.refused("c2", "b2", "ask"), make.refused("c3", None))
    journal.append(make.decided("c4", binding="b4"))
    journal.append(make.decided("c5", binding="b5", choice="ask"))
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


# ---- views ----


def test_a_call_has_all_that_is_known_of_it(journal: Journal, make: Any) -> None:
    decided, intended, resulted = make.whole("c1")
    journal.append(decided, intended, resulted)
    (call,) = journal.calls()
    assert (call.seq, call.at, call.run, call.call, call.status) == (1, 1000.0, "r", "c1", "done")
    assert call.decided == decided
    assert call.intended is not None
    assert call.intended.model_copy(update={"owner": None}) == intended
    assert call.intended.owner is not None
    assert call.intended.owner.pid == os.getpid()
    assert call.resulted == resulted
    assert call.interrupted is None
    assert call.resolved is None


def test_every_way_a_call_can_end_has_a_name(journal: Journal, make: Any) -> None:
    journal.append(make.refused("refused"))
    journal.append(make.decided("imagined"))
    journal.append(make.decided("failed"), make.resulted("failed", observation=Observation(failed=True)))
    assert [(call.call, call.status) for call in journal.calls()] == [
        ("refused", "refused"),
        ("imagined", "imagined"),
        ("failed", "failed"),
    ]


def test_calls_can_be_had_by_run_by_beginning_and_by_number(journal: Journal, make: Any) -> None:
    for call, run in (("aa1", "one"), ("ab2", "two"), ("b%3", "one"), ("bb4", "two")):
        journal.append(make.decided(call, run=run))
    assert [call.call for call in journal.calls("one")] == ["aa1", "b%3"]
    assert [call.call for call in journal.calls(starting="a")] == ["aa1", "ab2"]
    assert [call.call for call in journal.calls(starting="b%")] == ["b%3"]
    assert [call.call for call in journal.calls(limit=2)] == ["b%3", "bb4"]
    assert [call.call for call in journal.calls("one", limit=1)] == ["b%3"]
    assert journal.calls(limit=0) == []


def test_a_run_that_went_on_is_one_run(journal: Journal, make: Any, clock: Any) -> None:
    def start(run: str, goal: str) -> None:
        journal.start(run, goal=goal, mode="guard", world="w", policy="p", tools=[make.tool])

    start("one", "tidy")
    journal.append(make.decided("c1", run="one"), make.decided("c2", run="one"))
    clock.now = 2000.0
    start("two", "sweep")
    start("one", "again")
    first, second = journal.runs()
    assert (first.run, first.at, first.calls) == ("one", 1000.0, 2)
    assert first.started == Started(run="one", goal="tidy", mode="guard", world="w", policy="p", tools=(make.tool,))
    assert (second.run, second.at, second.calls) == ("two", 2000.0, 0)


def test_transitions_are_what_really_happened(journal: Journal, make: Any) -> None:
    journal.append(*make.whole("c1", content="gone"))
    dry = Observation(content="would be gone", origin=Origin(kind="exact", world="fork:directory"))
    journal.append(*make.whole("c2", observation=dry))
    journal.append(make.decided("c3"), make.intended("c3"))
    other = Action(tool="other", arguments={})
    journal.append(*make.whole("c4", action=other, tool="other"))
    first, second = journal.transitions()
    assert (first.run, first.call, first.state, first.action) == ("r", "c1", make.state.digest, make.action())
    assert first.observation == Observation(content="gone")
    assert second.action == other
    assert [one.call for one in journal.transitions("shell")] == ["c1"]
    assert journal.transitions("none") == []


def test_what_imagining_costs_is_known_by_tool_and_world(journal: Journal, make: Any) -> None:
    model = Origin(kind="model", world="lwm")
    for n, (seconds, origin) in enumerate([(1.0, model), (5.0, model), (2.0, model), (9.0, make.imagined().origin)]):
        cost = Cost(calls=1, tokens=100 * n, seconds=seconds)
        journal.append(make.decided(f"c{n}", imagined=make.imagined(cost=cost, origin=origin)))
    assert [cost.seconds for cost in journal.costs("lwm", "shell")] == [1.0, 5.0, 2.0]
    assert [cost.seconds for cost in journal.costs("lwm")] == [1.0, 5.0, 2.0]
    assert journal.costs("lwm", "other") == []
    assert journal.cost("shell", "lwm") == Cost(calls=1, tokens=100, seconds=2.0)
    assert journal.cost("*", "fork:directory") == Cost(calls=1, tokens=300, seconds=9.0)
    assert journal.cost("other", "lwm") is None


def test_only_recent_decisions_say_what_imagining_costs(
    journal: Journal, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lookahead.journal.views.RECENT", 2)
    for n in range(4):
        journal.append(make.decided(f"c{n}", imagined=make.imagined(cost=Cost(seconds=n))))
        journal.append(make.intended(f"c{n}"))
    assert [cost.seconds for cost in journal.costs("fork:directory", "shell")] == [2.0, 3.0]


def test_the_views_can_be_read_with_any_sqlite(journal: Journal, make: Any) -> None:
    journal.append(make.refused("c0", "b9", reason="too much"), make.granted(), make.spent("a1", "c1"))
    journal.append(*make.whole("c1", action=make.action(call_id="x")))
    db = sqlite3.connect(journal.path)
    try:
        db.row_factory = sqlite3.Row
        refused, done = (dict(row) for row in db.execute("SELECT * FROM calls ORDER BY seq"))
        assert (refused["call"], refused["choice"], refused["binding"], refused["reason"]) == (
            "c0",
            "veto",
            "b9",
            "too much",
        )
        assert (done["call_id"], done["tool"], done["rule"], done["effect"]) == ("x", "shell", "default", "changes")
        assert (done["seconds"], done["failed"], done["agreed"], done["is_open"]) == (0.25, 0, 1, 0)
        (approval,) = (dict(row) for row in db.execute("SELECT * FROM approvals"))
        assert (approval["id"], approval["by"], approval["spent_on"]) == ("a1", "ada", "c1")
        assert approval["expires_at"] == 1600.0
    finally:
        db.close()


# ---- what is kept ----


def test_secrets_are_not_kept_and_names_of_ours_are_not_lost(path: str, reopen: Reopen, make: Any) -> None:
    journal = reopen(redact=make.Hiding("hunter2"))
    action = make.action("login hunter2", call_id="id-hunter2", hunter2="key")
    journal.start("r", goal="use hunter2", mode="guard", world="w", policy="p", tools=[make.tool])
    whole = make.whole(
        "c-1", action=action, observation=Observation(content="ok hunter2", structured={"a": ["hunter2"]})
    )
    journal.append(*whole)
    everything = b"".join(Path(f"{path}{tail}").read_bytes() for tail in ("", "-wal"))
    assert b"hunter2" not in everything
    (call,) = journal.calls()
    assert call.decided.decision.chosen is not None
    assert call.decided.decision.chosen.arguments == {"command": "login [redacted]", "[redacted]": "key"}
    assert call.decided.decision.considered[0].rollout.action == call.decided.decision.proposed
    assert call.decided.decision.considered[0].rollout.steps[0].action == call.decided.decision.proposed
    assert journal.finished("r", "id-hunter2", action.digest) is not None
    assert journal.finished("r", "id-[redacted]", action.digest) is None


class Everything:
    """Every string is a secret."""

    def json(self, value: Any) -> Any:
        if isinstance(value, str):
            return "x"
        if isinstance(value, list):
            return [self.json(item) for item in value]
        return {key: self.json(item) for key, item in value.items()} if isinstance(value, dict) else value


def test_our_own_names_pass_a_redactor_that_takes_everything(reopen: Reopen, make: Any) -> None:
    journal = reopen(redact=Everything())
    journal.append(make.granted("a1", binding="b1"))
    found = journal.approval("b1", 1000.0)
    assert found is not None
    assert (found.id, found.binding, found.seen, found.by) == ("a1", "b1", "f" * 64, "x")
    journal.append(make.spent("a1", "c1"))
    journal.append(make.decided("c1", binding="b1"), make.intended("c1"), make.interrupted("c1"))
    bodies = {row[4]: json.loads(row[7]) for row in rows(journal.path)}
    assert bodies["decided"]["decision"]["id"] == "c1"
    assert bodies["decided"]["decision"]["state"] == bodies["decided"]["state"] == make.state.digest
    assert bodies["decided"]["tool_digest"] == bodies["intended"]["tool_digest"] == make.tool.digest
    assert bodies["intended"]["action_digest"] == make.action().digest
    assert bodies["intended"]["owner"]["pid"] == os.getpid()
    assert bodies["spent"]["approval_id"] == "a1"
    assert bodies["interrupted"] == {"kind": "interrupted", "run": "r", "call": "c1", "why": "x"}


def test_a_row_that_is_no_entry_is_a_clear_error(reopen: Reopen, make: Any) -> None:
    journal = reopen(redact=Everything())
    # What such a redactor leaves of a choice is none of the choices.
    journal.append(make.decided())
    with pytest.raises(JournalCorrupt, match="is no entry of one"):
        journal.calls()


def test_long_content_is_cut_and_says_how_long_it_was(journal: Journal, make: Any) -> None:
    whole = "ä" * CAP
    for call, content in (("c1", whole), ("c2", whole + "!")):
        journal.append(make.decided(call, imagined=make.imagined(content)), make.resulted(call, content))
    first, second = journal.calls()
    assert first.resulted is not None
    assert first.resulted.observation.content == whole
    for kept in (second.resulted.observation, second.decided.decision.considered[0].rollout.steps[0].observation):  # type: ignore[union-attr]
        text, _, note = kept.content.partition("\n[lookahead: ")
        assert text == whole
        assert note.startswith(f"the journal keeps the first {CAP} of {CAP + 1} characters, sha256 ")


def test_a_secret_is_not_cut_in_half_and_kept(reopen: Reopen, make: Any) -> None:
    journal = reopen(redact=make.Hiding("0123456789"))
    journal.append(make.decided(), make.resulted(content="a" * (CAP - 5) + "0123456789" + "b" * MARGIN))
    (call,) = journal.calls()
    assert call.resulted is not None
    assert "01234" not in call.resulted.observation.content
    assert call.resulted.observation.content[CAP - 5 : CAP] == "[reda"


def test_a_secret_of_many_lines_is_not_cut_in_half_either(reopen: Reopen, make: Any) -> None:
    secret = "".join(f"line {n} of a private key\n" for n in range(400))
    assert 8_000 < len(secret) < MARGIN
    journal = reopen(redact=make.Hiding(secret))
    journal.append(make.decided(), make.resulted(content="a" * (CAP - 100) + secret))
    (call,) = journal.calls()
    assert call.resulted is not None
    assert "private key" not in call.resulted.observation.content


def test_no_more_is_read_for_secrets_than_needed(reopen: Reopen, make: Any) -> None:
    class Reading:
        longest = 0

        def json(self, value: Any) -> Any:
            if isinstance(value, str):
                self.longest = max(self.longest, len(value))
            for item in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
                self.json(item)
            return value

    reading = Reading()
    journal = reopen(redact=reading)
    journal.append(make.decided(), make.resulted(content="a" * 1_000_000))
    assert reading.longest == CAP + MARGIN


def test_large_structured_answers_are_named_not_kept(journal: Journal, make: Any) -> None:
    fits, large = ["x" * (CAP - 4)], ["x" * (CAP - 3)]
    for call, value in (("c1", fits), ("c2", large), ("c3", "x" * CAP)):
        journal.append(make.decided(call), make.resulted(call, observation=Observation(structured=value)))
    first, second, third = (call.resulted.observation.structured for call in journal.calls())  # type: ignore[union-attr]
    assert first == fits
    assert isinstance(second, dict)
    assert list(second) == ["lookahead.cut"]
    assert str(second["lookahead.cut"]).startswith(f"{CAP + 1} characters, sha256 ")
    assert isinstance(third, dict)


def test_of_very_many_effects_the_first_are_kept_and_the_rest_counted(journal: Journal, make: Any) -> None:
    effects = tuple(
        Effect(happened="deleted", target=f"f{n}", what="file", before=n, unit="bytes") for n in range(EFFECTS + 5)
    )
    for call, some in (("c1", effects[:EFFECTS]), ("c2", effects)):
        journal.append(make.decided(call), make.resulted(call, observation=Observation(effects=some)))
    first, second = (call.resulted.observation.effects for call in journal.calls())  # type: ignore[union-attr]
    assert first == effects[:EFFECTS]
    assert second is not None
    assert len(second) == EFFECTS
    assert second[:-1] == effects[: EFFECTS - 1]
    assert second[-1].detail == "and 6 more effects that the journal does not keep"
    assert (second[-1].target, second[-1].before) == ("…", None)


def test_no_answer_is_too_odd_to_be_kept(journal: Journal, make: Any) -> None:
    odd: Any = {
        "nan": float("nan"),
        "inf": float("-inf"),
        "half": "\udc00!",
        "big": 10**5000,
        "nul": "a\x00b",
        "fine": [1.5, True, None, "😀"],
    }
    journal.append(
        make.decided(), make.intended(), make.resulted(observation=Observation(content="x\ud800", structured=odd))
    )
    (call,) = journal.calls()
    assert call.resulted is not None
    assert call.resulted.observation.content == "x\\ud800"
    assert call.resulted.observation.structured == {
        "nan": "nan",
        "inf": "-inf",
        "half": "\\udc00!",
        "big": hex(10**5000),
        "nul": "a\x00b",
        "fine": [1.5, True, None, "😀"],
    }
    assert len(journal.transitions()) == 1
    assert journal.verify().ok


def test_names_with_half_characters_are_kept(journal: Journal, make: Any) -> None:
    action = make.action("x", call_id="n\ud800")
    journal.append(*make.whole("c1", action=action, run="r\ud800"))
    assert journal.finished("r\ud800", "n\ud800", action.digest) is not None
    assert len(journal.calls("r\ud800")) == 1


def test_an_entry_that_cannot_be_written_is_an_error_and_leaves_nothing(reopen: Reopen, make: Any) -> None:
    class Broken:
        def json(self, value: Any) -> Any:
            raise RuntimeError("no more")

    journal = reopen(redact=Broken())
    with pytest.raises(JournalError, match=r"cannot be recorded in .*RuntimeError: no more"):
        journal.append(make.decided())
    assert rows(journal.path) == []


def test_a_journal_in_memory_keeps_everything_but_itself(reopen: Reopen, make: Any) -> None:
    journal = reopen(":memory:")
    journal.append(*make.whole("c1"))
    assert journal.verify().rows == 3
    assert reopen(":memory:").calls() == []
