"""What waits for the disk, and what is only handed to the system: nothing but the record of what was read."""

import signal
from collections.abc import Callable
from typing import Any

import pytest

from lookahead.journal import Journal, Written


def forced(journal: Journal) -> list[bool]:
    """Of each transaction from now on, whether it waits for the disk."""
    seen: list[bool] = []
    db = journal._store._db  # pyright: ignore
    level = [db.execute("PRAGMA synchronous").fetchone() == (2,)]

    def said(statement: str) -> None:
        if statement.startswith("PRAGMA synchronous ="):
            level[0] = statement.endswith("FULL")
        elif statement.startswith("BEGIN IMMEDIATE"):
            seen.append(level[0])

    db.set_trace_callback(said)
    return seen


def read(make: Any, call: str) -> Written:
    return Written(entries=(make.decided(call), make.intended(call, effect="reads"), make.resulted(call)))


def test_a_call_that_only_reads_does_not_wait_for_the_disk(journal: Journal, make: Any) -> None:
    seen = forced(journal)
    journal.put(read(make, "c1"), read(make, "c2"))
    assert seen == [False]
    assert journal.in_doubt() == []
    assert len(journal.calls()) == 2
    assert journal.verify().ok


def test_the_beginning_of_a_run_that_reads_first_does_not_wait_either(journal: Journal, make: Any) -> None:
    seen = forced(journal)
    journal.start("r", goal="look", mode="guard", world="none", policy="p", tools=(), late=True)
    journal.append(*read(make, "c1").entries)
    assert seen == [False]


def test_everything_else_waits_for_the_disk(journal: Journal, make: Any) -> None:
    wanted = {
        "an intent": (make.decided("c1"), make.intended("c1")),
        "its result": (make.resulted("c1"),),
        "a refusal": (make.refused("c2"),),
        "an approval": (make.granted("a1", "b3", at=900.0),),
        "its use, of a call that reads": (
            make.decided("c3", binding="b3"), make.intended("c3", effect="reads"), make.spent("a1", "c3"),
        ),
        "the result of that": (make.resulted("c3"),),
        "an intent to read, alone": (make.decided("c4"), make.intended("c4")),
        "a read that was cut off": (make.intended("c5", effect="reads"), make.interrupted("c5")),
        "a read with the result of something else": (
            make.intended("c6", effect="reads"), make.resulted("c6"), make.interrupted("c4"),
        ),
        "a beginning": (),
    }  # fmt: skip
    for what, entries in wanted.items():
        journal.append(*read(make, f"before {what}").entries)
        seen = forced(journal)
        if entries:
            journal.append(*entries)
        else:
            journal.start("r2", goal="", mode="guard", world="none", policy="p", tools=())
        assert seen, what
        assert all(seen), what
    assert journal.verify().ok


def test_a_read_that_is_written_together_with_a_change_waits_with_it(journal: Journal, make: Any) -> None:
    seen = forced(journal)
    change = Written(entries=(make.decided("c2"), make.intended("c2")))
    journal.put(read(make, "c1"), change, read(make, "c3"))
    assert seen == [True]


def test_after_pruning_the_file_is_on_the_disk(journal: Journal, make: Any) -> None:
    journal.append(*make.whole("c0"))
    journal.append(*read(make, "c1").entries)
    seen = forced(journal)
    journal.prune(before=2000.0)
    assert seen == [True]
    assert journal._store._db.execute("PRAGMA synchronous").fetchone() == (2,)  # pyright: ignore


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no such signal here")
def test_the_record_of_a_read_outlives_a_process_that_is_killed(
    path: str, child: Callable[..., Any], reopen: Callable[..., Journal]
) -> None:
    process = child(
        """
        import signal
        journal = opened(sys.argv[1])
        journal.append(make.decided("c1"), make.intended("c1", effect="reads"), make.resulted("c1", "what was read"))
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        path,
    )
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    journal = reopen()
    assert [call.status for call in journal.calls()] == ["done"]
    assert journal.verify().ok
