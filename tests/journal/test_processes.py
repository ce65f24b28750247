"""Several processes on one journal, killed at any moment, forked or in each other's way."""

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookahead.errors import JournalError
from lookahead.journal import Journal

Reopen = Callable[..., Journal]

NOBODY = 65534


def test_a_journal_that_is_held_too_long_is_named(journal: Journal, make: Any) -> None:
    other = sqlite3.connect(journal.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        begun = time.monotonic()
        with pytest.raises(JournalError, match=r"was held by another process for more than 0\.2 seconds"):
            journal.append(make.decided())
        assert time.monotonic() - begun >= 0.19
        assert journal.calls() == []
    finally:
        other.execute("ROLLBACK")
        other.close()
    journal.append(make.decided())
    assert journal.verify().ok


def test_a_short_hold_is_waited_for(reopen: Reopen, make: Any) -> None:
    journal = reopen(patience=60.0)
    other = sqlite3.connect(journal.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.05, lambda: other.execute("ROLLBACK"))
    release.start()
    journal.append(make.decided())
    release.join()
    other.close()
    assert len(journal.calls()) == 1


def test_two_processes_may_share_one(path: str, reopen: Reopen, child: Any, said: Any) -> None:
    code = """
        journal = opened(sys.argv[1], patience=60.0)
        sys.stdin.readline()
        for n in range(60):
            journal.append(*make.whole(f"{sys.argv[2]}{n}"))
    """
    # Neither has made the file yet: making it is part of the race.
    both = [child(code, path, name) for name in "ab"]
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in both:
        said(process)
    journal = reopen()
    calls = [call.call for call in journal.calls()]
    assert sorted(calls) == sorted(f"{name}{n}" for name in "ab" for n in range(60))
    for name in "ab":
        assert [call for call in calls if call[0] == name] == [f"{name}{n}" for n in range(60)]
    assert journal.verify().rows == 360
    assert journal.verify().ok


def test_of_two_processes_only_one_can_use_an_approval(
    path: str, reopen: Reopen, make: Any, child: Any, said: Any
) -> None:
    journal = reopen()
    journal.append(*(make.granted(f"a{n}", f"b{n}", at=time.time()) for n in range(20)))
    code = """
        journal = opened(sys.argv[1], patience=60.0)
        sys.stdin.readline()
        for n in range(20):
            call = f"{sys.argv[2]}{n}"
            try:
                journal.append(make.decided(call, binding=f"b{n}"), make.spent(f"a{n}", call), make.intended(call))
                print(n)
            except PermitError:
                pass
    """
    both = [child(code, path, name) for name in "xy"]
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    used = [int(line) for process in both for line in said(process).split()]
    assert sorted(used) == list(range(20))
    assert journal.verify().rows == 20 + 3 * 20


def test_a_process_that_is_killed_leaves_its_call_in_doubt(path: str, reopen: Reopen, make: Any, child: Any) -> None:
    code = """
        journal = opened(sys.argv[1])
        journal.append(*make.whole("c1"))
        journal.append(make.decided("c2"), make.intended("c2"))
        print("begun", flush=True)
        time.sleep(60)
    """
    process = child(code, path)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    journal = reopen()
    assert journal.in_doubt() == []
    assert [call.status for call in journal.calls()] == ["done", "running"]
    with pytest.raises(JournalError, match="still running"):
        journal.append(make.resolved("c2"))
    process.kill()
    # Not reaped yet, so its number is still in use; but it acts no more.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert [doubt.call for doubt in journal.in_doubt()] == ["c2"]
    process.communicate()
    assert [doubt.call for doubt in journal.in_doubt()] == ["c2"]
    assert journal.doubtful(make.action().digest) is not None
    journal.append(make.resolved("c2", happened=False))
    assert journal.in_doubt() == []
    assert journal.verify().ok


def test_killed_at_any_moment_it_holds_whole_appends_only(path: str, reopen: Reopen, child: Any) -> None:
    code = """
        journal = opened(sys.argv[1])
        print("begun", flush=True)
        for n in range(100_000):
            journal.append(*make.whole(f"{sys.argv[2]}-{n}"))
    """
    for turn in range(4):
        process = child(code, path, str(turn))
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.02 * turn)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        journal = reopen()
        assert journal.verify().ok
        assert all(call.status == "done" for call in journal.calls())
        journal.close()


def test_a_forked_child_opens_the_file_anew(journal: Journal, make: Any) -> None:
    journal.append(make.decided("parent"))
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            journal.append(make.decided("child"), make.intended("child"))
            code = 0 if len(journal.calls()) == 2 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    journal.append(make.decided("again"))
    assert [call.call for call in journal.calls()] == ["parent", "child", "again"]
    assert [doubt.call for doubt in journal.in_doubt()] == ["child"]
    assert journal.verify().ok


def test_a_forked_child_leaves_a_journal_in_memory_alone(reopen: Reopen, make: Any) -> None:
    journal = reopen(":memory:")
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            journal.close()
            journal.append(make.decided())
        except JournalError as error:
            code = 0 if "cannot be shared with a child process" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    journal.append(make.decided())


def test_another_process_number_means_another_connection(
    journal: Journal, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a forked child does, seen from within."""
    journal.append(make.decided("c1"))
    mine = journal._store._db
    with monkeypatch.context() as patched:
        patched.setattr("lookahead.journal.store.os.getpid", lambda: -1)
        journal.append(make.decided("c2"))
        theirs = journal._store._db
        assert theirs is not mine
        assert journal._store.compact()
        assert journal._store._db is theirs
    # And the connection of the other process is neither used nor closed by this one.
    journal.close()
    assert theirs.execute("SELECT count(*) FROM rows").fetchone() == (2,)
    assert mine.execute("SELECT count(*) FROM rows").fetchone() == (2,)
    theirs.close()
    mine.close()


def test_space_is_given_back_when_nobody_is_in_the_way(journal: Journal, make: Any) -> None:
    journal.append(make.decided())
    assert journal._store.compact()
    other = sqlite3.connect(journal.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert not journal._store.compact()
    other.execute("ROLLBACK")
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM rows").fetchone()
    assert not journal._store.compact()
    other.close()
    assert journal._store.compact()


def test_making_a_journal_that_another_process_is_making_waits_for_it(path: str, reopen: Reopen, make: Any) -> None:
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    begun = time.monotonic()
    with pytest.raises(JournalError, match="was held by another process"):
        reopen(patience=0.1)
    assert 0.1 <= time.monotonic() - begun < 60
    release = threading.Timer(0.05, lambda: other.execute("ROLLBACK"))
    release.start()
    journal = reopen(patience=60.0)
    release.join()
    other.close()
    journal.append(make.decided())
    assert journal.verify().ok


def test_making_a_journal_waits_for_somebody_who_only_looks(path: str, reopen: Reopen, make: Any) -> None:
    Path(path).touch()
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN")
    other.execute("SELECT * FROM sqlite_master").fetchall()
    begun = time.monotonic()
    with pytest.raises(JournalError, match="was held by another process"):
        reopen(patience=0.1)
    assert 0.1 <= time.monotonic() - begun < 60
    release = threading.Timer(0.1, lambda: other.execute("ROLLBACK"))
    release.start()
    journal = reopen(patience=60.0)
    release.join()
    other.close()
    journal.append(make.decided())
    assert journal.verify().ok
