"""What is appended is on the disk, whole or not at all."""

import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookahead.errors import JournalError, PermitError
from lookahead.journal import Journal, Pruned

Reopen = Callable[..., Journal]


def rows(path: str) -> list[tuple[Any, ...]]:
    db = sqlite3.connect(path)
    try:
        return db.execute("SELECT * FROM rows ORDER BY seq").fetchall()
    finally:
        db.close()


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
