"""Old rows go; what is still needed stays, and so does the proof that nothing else is missing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookahead.journal import Foreseen, Journal, Tally
from lookahead.journal.owner import me

Reopen = Callable[..., Journal]


def calls(journal: Journal) -> list[str]:
    return [call.call for call in journal.calls()]


def kinds(journal: Journal) -> list[str]:
    return [kind for (kind,) in journal._store._db.execute("SELECT kind FROM rows ORDER BY seq")]


def test_calls_that_ended_before_go_as_a_whole(journal: Journal, make: Any, clock: Any) -> None:
    journal.append(*make.whole("old"))
    journal.append(make.decided("across"), make.intended("across"))
    clock.now = 2000.0
    journal.append(make.resulted("across"))
    journal.append(*make.whole("new"))
    assert journal.prune(2000.0) == 3
    assert calls(journal) == ["across", "new"]
    assert journal.verify().ok
    assert journal.verify().rows == 7


def test_nothing_to_prune_changes_nothing(journal: Journal, make: Any) -> None:
    journal.append(*make.whole("c1"))
    head = journal.verify().head
    assert journal.prune(1000.0) == 0
    assert journal.verify().head == head
    assert journal.prune(1000.1) == 3


def test_what_is_open_stays(journal: Journal, make: Any, clock: Any) -> None:
    gone = me().model_copy(update={"token": "another", "started": "0"})
    journal.append(make.decided("doubt"), make.intended("doubt", owner=gone))
    journal.append(make.decided("running"), make.intended("running", action=make.action("ls")))
    journal.append(make.decided("cut"), make.intended("cut"))
    journal.append(make.interrupted("cut"))
    journal.append(*make.whole("done"))
    clock.now = 9000.0
    assert journal.prune(5000.0) == 3
    assert calls(journal) == ["doubt", "running", "cut"]
    assert [doubt.call for doubt in journal.in_doubt()] == ["doubt", "cut"]
    assert journal.verify().ok
    journal.append(make.resolved("doubt"))
    clock.now = 19_000.0
    assert journal.prune(15_000.0) == 4
    assert calls(journal) == ["running", "cut"]
    assert journal.verify().ok


def test_every_kind_of_row_about_a_call_goes_with_it(journal: Journal, make: Any) -> None:
    seen = Foreseen(run="r", call="c1", decision=make.decision("c1"), tool="shell")
    journal.append(make.decided(), make.intended(), seen)
    journal.append(make.interrupted())
    journal.append(make.resolved(), make.refused("c2"))
    assert journal.prune(2000.0) == 6
    assert kinds(journal) == ["pruned"]


def test_approvals_go_when_nobody_can_use_them(journal: Journal, make: Any, clock: Any) -> None:
    journal.append(make.granted("live", lives=50_000.0), make.granted("expired", lives=10.0))
    journal.append(make.granted("used", "b2"), make.refused("asked", "b2"))
    journal.append(make.decided("c1", binding="b2"), make.spent("used", "c1"), make.intended("c1"), make.resulted("c1"))
    clock.now = 5000.0
    assert journal.prune(4000.0) == 7
    assert kinds(journal) == ["granted", "pruned"]
    found = journal.approval("b1", 5000.0)
    assert found is not None
    assert found.id == "live"
    assert journal.approval("b2", 1000.0) is None
    assert journal.verify().ok


def test_a_used_approval_can_never_be_used_again(journal: Journal, make: Any, clock: Any) -> None:
    # The clock went back between the yes and its use: by its time the use is older than the yes.
    clock.now = 5000.0
    journal.append(make.granted(at=1000.0, lives=90_000.0))
    clock.now = 1000.0
    journal.append(make.decided("c1", binding="b1"), make.spent(), make.intended("c1"), make.resulted("c1"))
    assert journal.prune(3000.0) == 3
    assert kinds(journal) == ["granted", "spent", "pruned"]
    assert journal.approval("b1", 1000.0) is None
    clock.now = 9000.0
    assert journal.prune(8000.0) == 3
    assert kinds(journal) == ["pruned"]
    assert journal.verify().ok


def test_an_approval_whose_call_is_in_doubt_stays_used(journal: Journal, make: Any, clock: Any) -> None:
    journal.append(make.granted(lives=90_000.0), make.refused("old"))
    journal.append(make.decided("c1", binding="b1"), make.spent(), make.intended("c1"))
    journal.append(make.interrupted("c1"))
    clock.now = 5000.0
    assert journal.prune(4000.0) == 1
    assert journal.approval("b1", 5000.0) is None
    assert kinds(journal) == ["granted", "decided", "spent", "intended", "interrupted", "pruned"]


def test_a_run_is_remembered_while_one_of_its_calls_is(journal: Journal, make: Any, clock: Any) -> None:
    def start(run: str) -> None:
        journal.start(run, goal="", mode="guard", world="w", policy="p", tools=[])

    start("over")
    start("going on")
    journal.append(*make.whole("c1", run="over"))
    journal.append(*make.whole("c2", run="going on"))
    clock.now = 2000.0
    journal.append(*make.whole("c3", run="going on"))
    start("new")
    assert journal.prune(2000.0) == 7
    assert [run.run for run in journal.runs()] == ["going on", "new"]


def test_the_ledger_keeps_its_counts(journal: Journal, make: Any, clock: Any) -> None:
    before = (
        Tally(tool="shell", world="fork:directory", changed=False, trials=1, agreed=0),
        Tally(tool="shell", world="fork:directory", changed=True, trials=3, agreed=2),
        Tally(tool="shell", world="lwm", changed=True, trials=1, agreed=1),
    )
    journal.append(*make.whole("c1"))
    journal.append(*make.whole("c2", agreed=False, changed=False))
    journal.append(*make.whole("c3", world="lwm"))
    journal.append(*make.whole("c4", agreed=None))
    clock.now = 2000.0
    journal.append(*make.whole("c5", agreed=False))
    clock.now = 3000.0
    journal.append(*make.whole("c6"))
    assert journal.tallies()[2] == before
    for moment, removed in ((1500.0, 12), (2500.0, 3), (2600.0, 0), (3500.0, 5)):
        assert journal.prune(moment) == removed
        assert journal.tallies()[2] == before
        assert journal.verify().ok
    assert kinds(journal) == ["pruned"]


def test_tallies_say_whether_the_count_began_anew(journal: Journal, make: Any) -> None:
    journal.append(*make.whole("c1"))
    assert journal.tallies() == (3, False, (make_tally(1),))
    assert journal.tallies(3) == (3, False, ())
    journal.append(*make.whole("c2"))
    assert journal.tallies(3) == (6, False, (make_tally(1),))
    journal.prune(2000.0)
    assert journal.tallies(3) == (7, True, (make_tally(2),))
    journal.append(*make.whole("c3"))
    assert journal.tallies(7) == (10, False, (make_tally(1),))
    assert journal.tallies() == (10, True, (make_tally(3),))


def make_tally(trials: int) -> Tally:
    return Tally(tool="shell", world="fork:directory", changed=True, trials=trials, agreed=trials)


def test_after_a_prune_the_chain_goes_on(journal: Journal, make: Any, clock: Any, reopen: Reopen) -> None:
    for n in range(5):
        clock.now += 100
        journal.append(*make.whole(f"c{n}"))
        journal.prune(clock.now - 150)
        assert journal.verify().ok
    again = reopen()
    again.append(*make.whole("more"))
    assert again.verify().ok
    assert calls(again) == ["c3", "c4", "more"]


def test_what_an_earlier_prune_kept_may_go_later(journal: Journal, make: Any, clock: Any) -> None:
    journal.append(make.granted("short", lives=6000.0), make.granted("long", lives=60_000.0))
    journal.append(*make.whole("c1"))
    clock.now = 5000.0
    journal.append(make.decided("c2"))
    assert journal.prune(4000.0) == 3
    clock.now = 8000.0
    # The row goes that lies before the hole, and the hole stays where it was.
    assert journal.prune(4500.0) == 1
    assert kinds(journal) == ["granted", "decided", "pruned", "pruned"]
    assert journal.verify().ok
    journal._store._db.execute("DELETE FROM rows WHERE name = 'long'")
    assert journal.verify().why.startswith("of 1 older rows that a prune kept, 0 are there")


def test_what_a_prune_kept_cannot_be_taken_out(journal: Journal, make: Any, clock: Any) -> None:
    journal.append(make.decided("open"), make.intended("open"))
    journal.append(*make.whole("done"))
    clock.now = 2000.0
    journal.append(*make.whole("new"))
    journal.prune(1500.0)
    journal._store._db.execute("DELETE FROM rows WHERE call = 'open'")
    journal._store._db.execute("DELETE FROM open")
    verified = journal.verify()
    assert not verified.ok
    assert verified.why.startswith("of 2 older rows that a prune kept, 0 are there")


def test_a_journal_of_which_only_kept_rows_are_left_is_checked_too(journal: Journal, make: Any) -> None:
    journal.append(*make.whole("done"))
    journal.prune(2000.0)
    journal._store._db.execute("DELETE FROM rows")
    assert not journal.verify().ok


def test_a_prune_in_which_the_clock_went_back_keeps_what_is_young(journal: Journal, make: Any, clock: Any) -> None:
    clock.now = 5000.0
    journal.append(*make.whole("young"))
    clock.now = 1000.0
    journal.append(*make.whole("old"))
    assert journal.prune(3000.0) == 3
    assert calls(journal) == ["young"]
    assert journal.verify().ok


def test_what_was_pruned_is_not_left_in_the_file(journal: Journal, path: str, make: Any) -> None:
    for n in range(200):
        journal.append(*make.whole(f"c{n}", content="a private word " * 20))
    size = Path(path).stat().st_size
    journal.prune(2000.0)
    everything = b"".join(Path(path + tail).read_bytes() for tail in ("", "-wal"))
    assert b"private" not in everything
    assert Path(path).stat().st_size < size or size <= 90_000


def test_pruning_while_another_reads_prunes_all_the_same(journal: Journal, reopen: Reopen, make: Any) -> None:
    journal.append(*make.whole("c1"))
    other = reopen()
    with other._store.reading() as db:
        db.execute("SELECT count(*) FROM rows").fetchone()
        assert journal.prune(2000.0) == 3
    assert calls(other) == []
    assert other.verify().ok


def test_a_prune_that_fails_takes_nothing_out(journal: Journal, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.append(*make.whole("c1"))

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("lookahead.journal.chain.link", fail)
        with pytest.raises(KeyboardInterrupt):
            journal.prune(2000.0)
    assert calls(journal) == ["c1"]
    assert journal.verify().ok
    assert journal.prune(2000.0) == 3
