"""Which bytes are held, for how long, and by whom: what SQLite of any process looks at before it tidies up."""

import gc
import os
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lookahead.errors import JournalError
from lookahead.journal import Journal, hold

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only there a lock can belong to an open file")

Reopen = Callable[..., Journal]

FREE = """
    import fcntl
    with open(sys.argv[1], "r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, int(sys.argv[2]))
            print("free")
        except OSError:
            print("held")
"""
OTHER = """
    journal = opened(sys.argv[1])
    journal.append(*make.whole(sys.argv[2]))
    journal.close()
"""

FIRST, LAST, DEAD_MAN = 0x40000002, 0x40000002 + 509, 128
"""From SQLite's file format: the shared bytes of the database, and the byte of its shared memory that says: in use."""


@pytest.fixture
def another(path: str, child: Any, said: Any) -> Callable[[str], str]:
    """Another process writes one call, and ends."""
    return lambda call: said(child(OTHER, path, call))


def touched(path: str) -> None:
    """What a tool that searches a folder does: SQLite's own locks are gone then."""
    for tail in ("", "-wal", "-shm"):
        Path(path + tail).read_bytes()


def forked(work: Callable[[], bool]) -> bool:
    """Whether this is so in a child process."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if work() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def held_by(journal: Journal) -> hold.Hold:
    held = journal._store._hold
    assert held is not None
    return held


@pytest.mark.parametrize(("tail", "byte"), [("", FIRST), ("", LAST), ("-shm", DEAD_MAN)])
def test_what_says_that_the_file_is_used_stays_said_until_it_is_closed(
    journal: Journal, path: str, reopen: Reopen, make: Any, child: Any, said: Any, tail: str, byte: int
) -> None:
    more = reopen()
    journal.append(make.decided("a"))
    touched(path)
    assert said(child(FREE, path + tail, str(byte))) == "held\n"
    more.close()
    touched(path)
    assert said(child(FREE, path + tail, str(byte))) == "held\n"
    journal.close()
    if not tail:
        assert said(child(FREE, path, str(byte))) == "free\n"


def test_a_child_that_closes_the_journal_leaves_its_parents_hold(
    journal: Journal, path: str, make: Any, another: Callable[[str], str]
) -> None:
    journal.append(*make.whole("a"))

    def works() -> bool:
        journal.append(*make.whole("child"))
        journal.close()
        return True

    assert forked(works)
    touched(path)
    another("x")
    # Not the last that uses it, so the log was left where it is.
    assert Path(f"{path}-wal").exists()
    journal.append(*make.whole("b"))
    assert [call.call for call in journal.calls()] == ["a", "child", "x", "b"]


def test_a_parent_that_closes_the_journal_leaves_its_childs_hold(
    journal: Journal, path: str, make: Any, another: Callable[[str], str]
) -> None:
    journal.append(*make.whole("a"))
    to_child, to_parent = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            journal.append(*make.whole("child"))
            touched(path)
            os.write(to_parent[1], b"x")
            os.read(to_child[0], 1)
            code = 0 if Path(f"{path}-wal").exists() else 1
        finally:
            os._exit(code)
    os.read(to_parent[0], 1)
    journal.close()
    another("x")
    os.write(to_child[1], b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    for end in (*to_child, *to_parent):
        os.close(end)


def test_a_child_that_only_reads_holds_the_journal_for_itself(journal: Journal, path: str, make: Any) -> None:
    journal.append(*make.whole("a"))
    theirs = journal._store._db

    def reads() -> bool:
        return [call.call for call in journal.calls()] == ["a"] and journal._store._db is not theirs

    assert forked(reads)


def test_a_child_does_not_close_what_it_inherited(path: str, make: Any) -> None:
    journals = [Journal(path, redact=make.Plain())]
    journals[0].append(make.decided("a"))
    # With the hold its connection ends, and would tidy up what the parent writes to.
    inherited = weakref.ref(held_by(journals[0]))
    assert inherited() is not None

    def forgets() -> bool:
        journals.clear()
        gc.collect()
        return inherited() is not None

    assert forked(forgets)
    journals[0].append(make.decided("b"))
    journals[0].close()


def test_a_journal_in_memory_is_of_no_use_to_a_child(make: Any) -> None:
    journal = Journal(":memory:", redact=make.Plain())
    journal.append(make.decided("a"))
    ways: list[Callable[[], object]] = [
        journal.calls,
        journal.tallies,
        journal.verify,
        journal._store.compact,
        lambda: journal.append(make.decided("b")),
    ]

    def refused(way: Callable[[], object]) -> bool:
        with pytest.raises(JournalError, match="cannot be shared with a child process: give it a path"):
            way()
        return True

    for way in ways:
        assert forked(lambda way=way: refused(way))
    journal.close()


def test_a_log_that_is_not_ours_any_more_is_not_tidied_up(
    journal: Journal, path: str, make: Any, another: Callable[[str], str], reopen: Reopen
) -> None:
    journal.append(*make.whole("a"))
    journal._store._db.execute("PRAGMA wal_checkpoint")
    journal.append(*make.whole("lost"))
    os.unlink(f"{path}-wal")
    os.unlink(f"{path}-shm")
    another("x")
    journal.close()
    again = reopen()
    assert again.verify().ok
    assert [call.call for call in again.calls()] == ["a", "x"]


def test_when_the_interpreter_ends_sqlite_may_tidy_up(path: str, make: Any, child: Any, said: Any) -> None:
    def ends() -> bool:
        journal = Journal(path, redact=make.Plain())
        journal.append(*make.whole("a"))
        touched(path)
        hold._at_exit()
        journal._store._db.close()
        return not Path(f"{path}-wal").exists()

    assert forked(ends)


def test_where_no_such_lock_is_known_a_closed_journal_is_whole_in_one_file(
    path: str, reopen: Reopen, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold, "_lock", lambda *_: False)
    before = sorted(os.listdir("/dev/fd"))
    journal = reopen()
    journal.append(*make.whole("a"))
    journal.close()
    assert not Path(f"{path}-wal").exists()
    assert sorted(os.listdir("/dev/fd")) == before


def test_on_another_system_no_such_lock_is_held(path: str, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold, "sys", SimpleNamespace(platform="darwin"))
    with Journal(path, redact=make.Plain()) as journal:
        journal.append(make.decided("a"))
        held = held_by(journal)
        assert held.locked is False
        assert hold._lock(held._fd, 0, (FIRST, 1)) is False
        assert journal.verify().ok
