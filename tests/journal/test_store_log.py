"""The log of a journal that is written often gets its full length at once."""

import os
from pathlib import Path
from typing import Any

import pytest

from lookahead.errors import JournalError
from lookahead.journal import Journal
from lookahead.journal.store import _OFTEN

WHOLE = 4_000_000


def length(path: Path) -> int:
    return os.stat(f"{path}-wal").st_size


def written(journal: Journal, make: Any, first: int, count: int) -> None:
    for number in range(first, first + count):
        journal.append(make.decided(f"c{number}"))


def test_a_journal_that_is_written_often_has_a_log_of_full_length(tmp_path: Path, make: Any) -> None:
    path = tmp_path / "j.db"
    with Journal(path) as journal:
        written(journal, make, 0, _OFTEN - 1)
        assert length(path) < WHOLE
        written(journal, make, _OFTEN, 1)
        assert length(path) >= WHOLE
        file = path.stat().st_size
        written(journal, make, 100, 3)
        assert path.stat().st_size == file
        assert journal.verify().ok
        assert len(journal.calls()) == _OFTEN + 3
        # What made it spill is taken back with it.
        assert journal._store._db.execute("PRAGMA cache_size").fetchone()[0] == -2000


def test_what_lengthened_the_log_is_not_in_the_journal(tmp_path: Path, make: Any) -> None:
    path = tmp_path / "j.db"
    with Journal(path) as journal:
        written(journal, make, 0, _OFTEN + 5)
    assert not Path(f"{path}-wal").exists()
    assert path.stat().st_size < WHOLE
    with Journal(path) as again:
        assert again.verify().ok
        assert len(again.calls()) == _OFTEN + 5


def test_another_process_that_writes_just_then_is_not_waited_for(tmp_path: Path, make: Any) -> None:
    path = tmp_path / "j.db"
    with Journal(path, patience=30.0) as journal, Journal(path, patience=30.0) as other:
        written(journal, make, 0, 1)
        store: Any = journal._store
        theirs: Any = other._store._db
        theirs.execute("BEGIN IMMEDIATE")
        store._lengthen()  # would wait for half a minute
        assert length(path) < WHOLE
        assert store._db.execute("PRAGMA busy_timeout").fetchone()[0] == 30_000
        theirs.execute("ROLLBACK")
        written(journal, make, 1, 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits on file sizes are set in a child")
def test_where_there_is_no_room_for_it_the_journal_goes_on(tmp_path: Path, make: Any) -> None:
    import resource

    path = tmp_path / "j.db"
    child = os.fork()
    if child == 0:
        code = 1
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
            with Journal(path) as journal:
                written(journal, make, 0, _OFTEN + 5)
                code = 0 if len(journal.calls()) == _OFTEN + 5 and journal.verify().ok else 2
        except JournalError:
            code = 3
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
