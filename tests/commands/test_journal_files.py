"""`lookahead journal export|import|verify|prune`, as somebody types them."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookahead.journal import (
    Journal,
)

Run = Callable[..., tuple[int, str, str]]


def test_export_and_import_by_way_of_a_file(run: Run, journal: Journal, place: Path, make: Any) -> None:
    journal.append(make.decided("aa01"), make.intended("aa01"), make.resulted("aa01"))
    head = journal.verify().head
    before = os.umask(0)
    try:
        assert run("journal", "export", "out.jsonl") == (0, "3 rows written to out.jsonl.\n", "")
    finally:
        os.umask(before)
    assert stat.S_IMODE((place / "out.jsonl").stat().st_mode) == 0o600
    code, _, err = run("journal", "export", "out.jsonl")
    assert (code, err) == (1, "lookahead: out.jsonl cannot be written: File exists\n")
    code, out, _ = run("journal", "import", "out.jsonl", "--journal", "new/again.db", "--head", head)
    assert (code, out) == (0, f"3 rows, all as they were written, are now in new/again.db. Head: {head}\n")
    code, _, err = run("journal", "import", "out.jsonl", "--journal", "other.db", "--head", "0" * 64)
    assert code == 1
    assert "this is another journal" in err
    assert not (place / "other.db").exists()
    code, _, err = run("journal", "import", "nowhere.jsonl", "--journal", "other.db")
    assert (code, err) == (1, "lookahead: nowhere.jsonl cannot be read: No such file or directory\n")
    code, out, _ = run("journal", "export", "second.jsonl", "--json")
    assert json.loads(out) == {"format": "lookahead.journal.export", "version": 1, "file": "second.jsonl", "rows": 3}


def test_export_and_import_by_way_of_a_pipe(
    run: Run, journal: Journal, monkeypatch: pytest.MonkeyPatch, make: Any
) -> None:
    journal.append(make.decided("aa01"))
    _, lines, _ = run("journal", "export")
    assert len(lines.splitlines()) == 3
    code, out, _ = run("journal", "import", "-", "--journal", "again.db", "--json", answer=lines)
    answer = json.loads(out)
    assert (code, answer["format"], answer["rows"]) == (0, "lookahead.journal.import", 1)
    assert (answer["journal"], answer["head"]) == ("again.db", journal.verify().head)


def test_half_an_export_is_none(run: Run, journal: Journal, place: Path, make: Any) -> None:
    journal.append(make.decided("aa01"))
    journal.append(make.decided("bb02"))
    journal._store._db.execute("UPDATE rows SET body = body || ' ' WHERE seq = 2")
    code, _, err = run("journal", "export", "out.jsonl")
    assert code == 1
    assert "row 2 is not what was written" in err
    assert not (place / "out.jsonl").exists()


def test_verify_says_what_is_wrong_and_where(run: Run, journal: Journal, make: Any) -> None:
    journal.append(make.decided("aa01"))
    journal.append(make.decided("bb02"))
    head = journal.verify().head
    code, out, _ = run("journal", "verify")
    assert code == 0
    assert out.startswith(f"2 rows, each as it was written and none missing.\nHead: {head}\n")
    assert run("journal", "verify", "--head", head)[0] == 0
    code, out, _ = run("journal", "verify", "--head", "0" * 63 + "1")
    assert code == 2
    assert out.startswith("NOT what was written: the head that was noted is not in it")
    journal._store._db.execute("UPDATE rows SET run = 'forged' WHERE seq = 2")
    code, out, _ = run("journal", "verify")
    assert (code, out) == (
        2,
        "NOT what was written: row 2 is not what was written (row 2). 1 rows before it are good.\n",
    )
    code, out, _ = run("journal", "verify", "--json")
    assert code == 2
    answer = json.loads(out)
    assert (answer["format"], answer["ok"], answer["broken"], answer["rows"]) == (
        "lookahead.journal.verify",
        False,
        2,
        1,
    )


def test_pruning_asks_first(run: Run, journal: Journal, make: Any) -> None:
    journal.append(make.decided("aa01"), make.intended("aa01"), make.resulted("aa01"))
    for answer in (None, "", "n", "yesterday"):
        code, out, err = run("journal", "prune", "--before", "0s", answer=answer)
        assert (code, out) == (3, "")
        assert "every call that ended before 20" in err
        assert "Nothing was pruned." in err
    assert len(journal.calls()) == 1
    assert run("journal", "prune", "--before", "1d", "--yes")[1].startswith("0 rows were pruned.")
    code, out, _ = run("journal", "prune", "--before", "0s", answer=" Y ")
    assert (code, out[:21]) == (0, "3 rows were pruned. C")
    journal.append(make.decided("bb02"))
    code, out, _ = run("journal", "prune", "--before", "2999-01-01", "--yes", "--json")
    answer = json.loads(out)
    assert (code, answer["format"], answer["removed"]) == (0, "lookahead.journal.prune", 2)
    assert answer["before"] > 3e10


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("15m", 900), ("12h", 43200), ("90d", 7776000), ("1.5w", 907200)]
)
def test_a_length_of_time_has_a_unit(text: str, seconds: float) -> None:
    from lookahead.commands._listing import seconds as read

    assert read(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "1y", "tomorrow", "1d2h"])
def test_what_is_no_time_is_an_error_that_says_how_it_is_written(text: str, run: Run) -> None:
    code, _, err = run("journal", "prune", f"--before={text}")
    assert code == 1
    assert "write 2026-01-31, or 90d for ninety days ago" in err
    code, _, err = run("journal", "approve", "x", f"--for={text}")
    assert code == 1
    assert "write 30s, 15m, 12h, 90d or 4w" in err


def test_a_clock_that_was_out_of_its_mind_hides_nothing(run: Run, place: Path, make: Any) -> None:
    with Journal(place / "j.db", redact=make.Plain(), clock=lambda: 1e300) as journal:
        journal.append(make.decided("aa01"))
    assert "1e+300 s  aa01" in run("journal", "ls", "--journal", "j.db")[1]
