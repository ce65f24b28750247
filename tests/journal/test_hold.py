"""Locks that the system drops because somebody in this process closed the file: no record is lost without a word."""

import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookahead.errors import JournalCorrupt, JournalError
from lookahead.journal import Journal, hold

Reopen = Callable[..., Journal]

LOST = "which this process wrote or read, is not in it any more"

OTHER = """
    journal = opened(sys.argv[1])
    journal.append(*make.whole(sys.argv[2]))
    journal.close()
"""


@pytest.fixture
def another(path: str, child: Any, said: Any) -> Callable[[str], str]:
    """Another process writes one call, and ends."""
    return lambda call: said(child(OTHER, path, call))


def names(reopen: Reopen) -> list[str]:
    journal = reopen()
    assert journal.verify().ok
    return [call.call for call in journal.calls()]


def touched(path: str) -> None:
    """What a tool that searches a folder does: it opens, reads and closes every file."""
    for tail in ("", "-wal", "-shm"):
        Path(path + tail).read_bytes()


READS = """
        for tail in ("", "-wal", "-shm"):
            open(path + tail, "rb").close()
"""


@pytest.mark.parametrize(
    "meanwhile",
    [
        "        more = opened(path)\n        more.append(*make.whole('b'))\n",
        "        more = opened(path)\n        more.close()\n",
        "        opened(path, readonly=True).close()\n",
        "        os.symlink(path, path + '.link')\n        opened(path + '.link').close()\n",
        "        shutil.copytree(os.path.dirname(path), os.path.dirname(path) + '.copy')\n",
        READS,
        READS + "        more = opened(path)\n" + READS,
    ],
)
def test_calls_that_ran_are_in_the_journal_after_a_kill(
    path: str, reopen: Reopen, child: Any, another: Callable[[str], str], meanwhile: str
) -> None:
    code = f"""
        import shutil, signal
        path = sys.argv[1]
        journal = opened(path)
        journal.append(*make.whole("a"))
{meanwhile}
        print("ready", flush=True)
        sys.stdin.readline()
        journal.append(*make.whole("c"))
        journal.append(*make.whole("d"))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    process = child(code, path)
    assert process.stdout.readline() == "ready\n"
    another("x")
    process.communicate("\n", timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert {"a", "x", "c", "d"} <= set(names(reopen))


def test_a_forked_child_holds_the_journal_for_itself(
    path: str, reopen: Reopen, make: Any, another: Callable[[str], str]
) -> None:
    journal = reopen()
    journal.append(*make.whole("parent"))
    to_child, to_parent = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            journal.append(*make.whole("child"))
            os.write(to_parent[1], b"x")
            os.read(to_child[0], 1)
            journal.append(*make.whole("last"))
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.read(to_parent[0], 1)
    journal.close()
    another("x")
    os.write(to_child[1], b"x")
    os.waitpid(pid, 0)
    for end in (*to_child, *to_parent):
        os.close(end)
    assert names(reopen) == ["parent", "child", "x", "last"]


@pytest.mark.skipif(sys.platform != "linux", reason="only there a lock can belong to an open file")
def test_without_its_lock_a_journal_is_opened_anew_and_goes_on(
    path: str, reopen: Reopen, make: Any, another: Callable[[str], str]
) -> None:
    journal, more = reopen(), reopen()
    journal.append(*make.whole("a"))
    held = journal._store._hold
    assert held is not None
    assert held.locked
    held.unlock()
    assert not held.locked
    held.locked = True
    touched(path)
    another("x")
    assert not Path(f"{path}-wal").exists()
    assert "was removed or replaced" in journal.verify().why
    held.secure()
    journal.append(*make.whole("b"))
    more.append(*make.whole("c"))
    assert more.verify().ok
    assert names(reopen) == ["a", "x", "b", "c"]


def test_where_no_such_lock_is_known_nothing_runs_that_would_be_lost(
    path: str,
    reopen: Reopen,
    make: Any,
    child: Any,
    said: Any,
    another: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hold, "_lock", lambda *_: False)
    journal = reopen()
    journal.append(*make.whole("a"))
    touched(path)
    another("x")
    for again in "bc":
        with pytest.raises(JournalError, match=r"-wal was removed or replaced .*lookahead journal verify"):
            journal.append(*make.whole(again))
    with pytest.raises(JournalError, match="was removed or replaced"):
        reopen()
    assert not journal.verify().ok
    journal.close()
    # This process cannot tell any more what is in the file; a new one can.
    with pytest.raises(JournalError, match="was removed or replaced"):
        reopen()
    assert said(child("print([call.call for call in opened(sys.argv[1]).calls()])", path)) == "['a', 'x']\n"


def test_a_log_that_vanishes_during_a_write_lets_nothing_run(journal: Journal, path: str, make: Any) -> None:
    journal.append(make.decided("a"))
    journal._clock = lambda: os.unlink(f"{path}-wal") or 1.0
    with pytest.raises(JournalError, match="may not be on the disk, so it does not run"):
        journal.append(make.decided("b"), make.intended("b"))


def test_rows_that_went_with_a_deleted_log_are_missed(journal: Journal, path: str, make: Any) -> None:
    journal.append(make.decided("a"))
    journal._store._db.execute("PRAGMA wal_checkpoint")
    journal.append(make.decided("b"))
    os.unlink(f"{path}-wal")
    assert not journal.verify().ok
    for _ in range(2):
        with pytest.raises(JournalCorrupt, match=LOST):
            journal.append(make.decided("c"))
    assert LOST in journal.verify().why


def cut(path: str) -> None:
    """Take the last row away, and make the rest look whole."""
    db = sqlite3.connect(path)
    db.execute("DELETE FROM rows WHERE seq = (SELECT max(seq) FROM rows)")
    db.execute("UPDATE head SET (seq, hash) = (SELECT seq, hash FROM rows ORDER BY seq DESC LIMIT 1)")
    db.commit()
    db.close()


def test_a_tail_that_was_cut_off_is_missed_by_who_wrote_or_read_it(
    journal: Journal, path: str, reopen: Reopen, make: Any
) -> None:
    journal.append(make.decided("a"))
    journal.append(make.decided("b"))
    reader = reopen(readonly=True)
    noted = journal.verify().head
    cut(path)
    for one in (journal, reader):
        found = one.verify()
        assert not found.ok
        assert LOST in found.why
        assert found.broken == 2
    with pytest.raises(JournalCorrupt, match=LOST):
        journal.append(make.decided("c"))
    journal.close()
    reader.close()
    # Nobody remembers it now, and only the noted head shows it.
    assert reopen().verify().ok
    assert not reopen().verify(noted).ok


def test_rows_that_another_process_pruned_are_not_missed(
    journal: Journal, path: str, make: Any, child: Any, said: Any
) -> None:
    journal.append(*make.whole("a"))
    said(child("opened(sys.argv[1]).prune(time.time())", path))
    journal.append(*make.whole("b"))
    assert [call.call for call in journal.calls()] == ["b"]
    assert journal.verify().ok


def test_what_is_held_is_given_back(path: str, reopen: Reopen, make: Any) -> None:
    before = sorted(os.listdir("/dev/fd"))
    journal, more = reopen(), reopen(readonly=True)
    journal.append(make.decided())
    journal.close()
    more.close()
    forgotten = Journal(path, redact=make.Plain())
    del forgotten
    Path(f"{path}.x").write_bytes(b"x")
    with pytest.raises(JournalCorrupt):
        reopen(f"{path}.x")
    assert sorted(os.listdir("/dev/fd")) == before
    assert sorted(os.listdir(Path(path).parent)) == ["journal.db", "journal.db.x"]


def test_a_journal_that_nobody_closed_is_whole_in_one_file(path: str, child: Any, said: Any) -> None:
    code = """
        journal = opened(sys.argv[1])
        journal.append(*make.whole("a"))
    """
    said(child(code, path))
    assert not Path(f"{path}-wal").exists()


def test_a_tool_that_changes_the_folder_changes_nothing(
    path: str, tmp_path: Path, reopen: Reopen, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    journal = reopen(os.path.basename(path))
    monkeypatch.chdir("/")
    journal.append(make.decided())
    assert journal.verify().ok
    assert Path(path).exists()


def test_one_file_under_two_names_is_refused(journal: Journal, path: str, reopen: Reopen, make: Any) -> None:
    journal.append(make.decided())
    os.link(path, f"{path}.other")
    with pytest.raises(JournalError, match="a journal has one name"):
        reopen(f"{path}.other")
    journal.append(make.decided("c2"))
    assert journal.verify().rows == 2
