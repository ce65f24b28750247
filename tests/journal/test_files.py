"""Files that are damaged, emptied, replaced, or somebody else's: a clear error, and they are left alone."""

import gc
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookahead.errors import JournalCorrupt, JournalError, PermitError
from lookahead.journal import Journal

Reopen = Callable[..., Journal]

NOBODY = 65534


@pytest.mark.parametrize("readonly", [True, False])
@pytest.mark.parametrize("content", [b"hello, I am a text\n" * 300, b"SQLite format 3\x00" + b"\xff" * 5000, b"x"])
def test_what_is_no_database_is_left_alone(path: str, reopen: Reopen, content: bytes, readonly: bool) -> None:
    Path(path).write_bytes(content)
    with pytest.raises(JournalCorrupt, match=r"is damaged or not a journal .*move it away"):
        reopen(readonly=readonly)
    assert Path(path).read_bytes() == content


@pytest.mark.parametrize("readonly", [True, False])
def test_somebody_elses_database_is_left_alone(path: str, reopen: Reopen, readonly: bool) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE mine (x)")
    db.commit()
    db.close()
    before = Path(path).read_bytes()
    with pytest.raises(JournalCorrupt, match="is a database, but not a journal: name another path"):
        reopen(readonly=readonly)
    assert Path(path).read_bytes() == before


def test_a_journal_of_a_newer_format_is_left_alone(journal: Journal, reopen: Reopen, make: Any) -> None:
    journal.append(make.decided())
    journal._store._db.execute("PRAGMA user_version = 2")
    with pytest.raises(JournalError, match=r"newer Lookahead \(journal format 2; this one knows 1\).*pip install"):
        reopen()


def test_a_journal_of_no_known_format_is_corrupt(journal: Journal, reopen: Reopen) -> None:
    journal._store._db.execute("PRAGMA user_version = 0")
    with pytest.raises(JournalCorrupt, match="somebody altered them"):
        reopen()


def test_the_header_of_the_file_says_whose_it_is(journal: Journal, path: str, make: Any) -> None:
    journal.append(make.decided())
    journal.close()
    # Where SQLite's file format has the application's id. Journals that are there already must stay readable.
    assert Path(path).read_bytes()[68:72] == b"LOOK"


@pytest.mark.parametrize("part", [1, 100, 511, 512, 4096, 5000, 0.5, -4096])
def test_a_half_written_file_is_found(path: str, reopen: Reopen, make: Any, part: float) -> None:
    journal = reopen()
    for n in range(50):
        journal.append(*make.whole(f"c{n}"))
    journal.close()
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[: int(part * len(whole) if 0 < part < 1 else part)])
    assert "damaged" in trouble(reopen)


def trouble(reopen: Reopen) -> str:
    """What is said against a file, when it is opened or when it is verified."""
    try:
        return reopen().verify().why.replace("the file cannot be read", "damaged")
    except JournalCorrupt as error:
        return str(error)


def test_a_journal_that_was_emptied_while_in_use_is_found(journal: Journal, reopen: Reopen, make: Any) -> None:
    journal.append(make.decided())
    Path(journal.path).write_bytes(b"")
    assert "does not begin like one" in trouble(reopen)


def test_an_empty_file_becomes_a_journal(path: str, reopen: Reopen, make: Any) -> None:
    Path(path).touch()
    journal = reopen()
    journal.append(make.decided())
    assert journal.verify().ok


def test_a_half_written_log_loses_only_what_was_not_finished(
    path: str, tmp_path: Path, reopen: Reopen, make: Any
) -> None:
    journal = reopen()
    journal.append(make.decided("c1"))
    size = Path(f"{path}-wal").stat().st_size
    journal.append(make.decided("c2"), make.intended("c2"))
    copy = str(tmp_path / "copy.db")
    Path(copy).write_bytes(Path(path).read_bytes())
    Path(f"{copy}-wal").write_bytes(Path(f"{path}-wal").read_bytes()[: size + 5000])
    again = reopen(copy)
    assert [call.call for call in again.calls()] == ["c1"]
    assert again.verify().ok


def test_a_journal_that_was_deleted_under_us_takes_no_more(journal: Journal, path: str, make: Any) -> None:
    os.unlink(path)
    with pytest.raises(JournalError, match="is gone: it was moved or deleted while in use"):
        journal.append(make.decided())


def test_a_journal_that_was_replaced_under_us_takes_no_more(journal: Journal, path: str, make: Any) -> None:
    Path(f"{path}.new").write_bytes(Path(path).read_bytes())
    os.replace(f"{path}.new", path)
    with pytest.raises(JournalError, match="was replaced while in use"):
        journal.append(make.decided())


def test_a_folder_is_no_journal(tmp_path: Path, reopen: Reopen) -> None:
    with pytest.raises(JournalError, match=r"cannot be opened: it is not a file\. Name another path"):
        reopen(str(tmp_path))


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path, reopen: Reopen) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="no journal can be made at"):
        reopen(str(tmp_path / "file" / "j.db"))


def test_bytes_that_are_no_text_are_a_clear_error(journal: Journal, make: Any) -> None:
    journal.append(make.decided())
    journal._store._db.execute("UPDATE rows SET body = CAST(x'ff' AS TEXT)")
    with pytest.raises(JournalCorrupt, match="is damaged"):
        journal.calls()
    assert not journal.verify().ok


def test_names_that_are_no_text_are_damage(journal: Journal, path: str, make: Any) -> None:
    journal.close()
    data = Path(path).read_bytes()
    Path(path).write_bytes(data.replace(b"approvals", b"appr\xff\xfeals"))
    for readonly in (True, False):
        with pytest.raises(JournalCorrupt):
            Journal(path, redact=make.Plain(), readonly=readonly)


def test_an_append_that_is_interrupted_leaves_nothing(journal: Journal, make: Any) -> None:
    class Stop(BaseException): ...

    def stop() -> float:
        raise Stop

    journal._clock = stop
    with pytest.raises(Stop):
        journal.append(make.decided())
    journal._clock = lambda: 1.0
    assert journal.calls() == []
    journal.append(make.decided())
    assert journal.verify().ok


def test_errors_are_ours_whatever_failed(journal: Journal, make: Any) -> None:
    journal.append(make.granted())
    journal.append(make.spent())
    with pytest.raises(PermitError):
        journal.append(make.spent())
    journal._store._db.execute("DROP TABLE open")
    with pytest.raises(JournalError, match=r"cannot be used \(no such table: open\)"):
        journal.append(make.intended())
    assert len(journal.calls()) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="another process is made by fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_journal_that_another_process_makes_just_then_is_not_taken_for_an_emptied_one(
    tmp_path: Path, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lookahead.journal.hold import Hold

    path = tmp_path / "j.db"
    begin, first = Hold.begin, [True]

    def slowly(held: Hold, size: int) -> bytes:
        start = begin(held, size)
        if first.pop() if first else False:
            child = os.fork()
            if child == 0:
                # It dies with its log in place, as one that is still at work would have it.
                theirs = Journal(path)
                theirs.append(make.decided("theirs"))
                os._exit(0)
            os.waitpid(child, 0)
        return start

    monkeypatch.setattr(Hold, "begin", slowly)
    with Journal(path) as journal:
        journal.append(make.decided("ours"))
        assert [call.call for call in journal.calls()] == ["theirs", "ours"]
        assert journal.verify().ok


def test_a_journal_in_memory_that_nobody_closed_ends_with_its_last_user() -> None:
    journal = Journal(":memory:")
    db = journal._store._db
    del journal
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        db.execute("SELECT 1")
