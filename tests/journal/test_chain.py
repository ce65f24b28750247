"""No row can be changed, moved, added or lost unseen."""

import importlib.util
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lookahead.errors import JournalCorrupt
from lookahead.journal import Journal
from lookahead.journal.chain import GENESIS, Row, hashed

Reopen = Callable[..., Journal]


@pytest.fixture
def filled(journal: Journal, make: Any) -> Journal:
    for call in ("c1", "c2", "c3"):
        journal.append(*make.whole(call))
    journal.append(make.decided("c4"), make.intended("c4"))
    return journal


def alter(path: str, *statements: str) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    try:
        for statement in statements:
            db.execute(statement)
    finally:
        db.close()


def test_an_empty_journal_is_good(journal: Journal) -> None:
    verified = journal.verify()
    assert verified.model_dump() == {"ok": True, "rows": 0, "head": GENESIS, "broken": None, "why": ""}


def test_an_unaltered_journal_is_good(filled: Journal) -> None:
    verified = filled.verify()
    last = filled._store._db.execute("SELECT hash FROM rows WHERE seq = 11").fetchone()[0]
    assert verified.model_dump() == {"ok": True, "rows": 11, "head": last, "broken": None, "why": ""}


def test_a_hash_covers_every_column() -> None:
    row = Row(run="r", call="c", kind="k", name="n", key="y", body="{}")
    hashes = {
        hashed("p", 1, 2.0, row),
        hashed("q", 1, 2.0, row),
        hashed("p", 2, 2.0, row),
        hashed("p", 1, 2.5, row),
    }
    for column in ("run", "call", "kind", "name", "key", "body"):
        values = {name: getattr(row, name) for name in ("run", "call", "kind", "name", "key", "body")}
        hashes.add(hashed("p", 1, 2.0, Row(**{**values, column: "other"})))
    hashes.add(hashed("p", 1, 2.0, Row(run="r", call=None, kind="k", name="n", key="y", body="{}")))
    assert len(hashes) == 11


@pytest.mark.parametrize(
    ("statement", "rows", "broken", "why"),
    [
        ("UPDATE rows SET body = body || ' ' WHERE seq = 5", 4, 5, "row 5 is not what was written"),
        ("UPDATE rows SET at = at + 1 WHERE seq = 1", 0, 1, "row 1 is not what was written"),
        ("UPDATE rows SET run = x'00' WHERE seq = 2", 1, 2, "row 2 is not what was written"),
        ("DELETE FROM rows WHERE seq = 5", 4, 5, "1 row is missing before row 6"),
        ("DELETE FROM rows WHERE seq IN (1, 2)", 0, 1, "2 rows are missing before row 3"),
        ("DELETE FROM rows WHERE seq = 11", 10, 11, "1 row is missing at the end"),
        ("DELETE FROM rows WHERE seq > 8", 8, 9, "3 rows are missing at the end"),
        ("DELETE FROM rows", 0, 1, "11 rows are missing at the end"),
        ("UPDATE head SET seq = 10", 11, 11, "the last row is not the one that was recorded as the last"),
        ("UPDATE head SET hash = 'x'", 11, 11, "the last row is not the one that was recorded as the last"),
        ("DELETE FROM head", 0, None, "there should be one record of the last row, and there are 0"),
        ("UPDATE head SET hash = x'00'", 0, None, "the record of the last row cannot be read"),
        ("DELETE FROM open", 11, 11, "the list of calls without a result is wrong about call c4"),
        ("INSERT INTO open VALUES ('k', 'c1', 2)", 11, 2, "the list of calls without a result is wrong about call c1"),
        ("CREATE TABLE more (x)", 0, None, "its tables, indexes or views are not those that Lookahead made"),
    ],
)
def test_an_alteration_is_found_and_named(
    filled: Journal, statement: str, rows: int, broken: int | None, why: str
) -> None:
    alter(filled.path, statement)
    verified = filled.verify()
    assert (verified.ok, verified.rows, verified.broken, verified.why) == (False, rows, broken, why)


def test_a_row_whose_own_hash_fits_still_has_to_follow(filled: Journal) -> None:
    found = filled._store._db.execute("SELECT at, run, call, kind, name, key, prev FROM rows WHERE seq = 4").fetchone()
    at, run, call, kind, name, key, prev = found
    forged = hashed(prev, 4, at, Row(run=run, call=call, kind=kind, name=name, key=key, body="{}"))
    alter(filled.path, f"UPDATE rows SET body = '{{}}', hash = '{forged}' WHERE seq = 4")
    verified = filled.verify()
    assert (verified.broken, verified.why) == (5, "row 5 does not follow the row before it")


def test_a_row_before_the_first_is_found(filled: Journal) -> None:
    row = Row(run="r", call="new", kind="decided", name=None, key=None, body="{}")
    forged = hashed(GENESIS, 0, 1.0, row)
    alter(
        filled.path,
        f"INSERT INTO rows VALUES (0, 1.0, 'r', 'new', 'decided', NULL, NULL, '{{}}', '{GENESIS}', '{forged}')",
    )
    verified = filled.verify()
    assert not verified.ok
    assert verified.why.startswith("of 0 older rows that a prune kept, 1 are there")


def test_an_index_that_lies_is_found(filled: Journal) -> None:
    alter(
        filled.path,
        "PRAGMA writable_schema = 1",
        "UPDATE sqlite_master SET sql = replace(sql, 'UNIQUE', 'unique') WHERE name = 'once_spent'",
    )
    assert filled.verify().why == "its tables, indexes or views are not those that Lookahead made"


def test_a_forged_prune_that_cannot_be_read_is_named(filled: Journal) -> None:
    filled._store._db.execute("DELETE FROM rows WHERE seq < 5")
    filled._store._db.execute("UPDATE rows SET kind = 'pruned', body = '{}' WHERE seq = 9")
    verified = filled.verify()
    assert (verified.broken, verified.why) == (9, "the record of what was pruned cannot be read")


def test_only_a_noted_head_shows_that_the_whole_file_was_written_anew(
    tmp_path: Path, reopen: Reopen, make: Any
) -> None:
    first, second = reopen(str(tmp_path / "1.db")), reopen(str(tmp_path / "2.db"))
    first.append(make.decided("c1"))
    noted = first.verify().head
    first.append(make.decided("c2"))
    second.append(make.decided("c1", reason="forged"))
    second.append(make.decided("c2"))
    assert first.verify(noted).ok
    assert first.verify(GENESIS).ok
    assert second.verify().ok
    verified = second.verify(noted)
    assert not verified.ok
    assert verified.rows == 2
    assert verified.why.startswith("the head that was noted is not in it")


def test_what_is_altered_is_not_opened_to_be_written(filled: Journal, reopen: Reopen) -> None:
    alter(filled.path, "CREATE TRIGGER t AFTER INSERT ON rows BEGIN DELETE FROM open; END")
    with pytest.raises(JournalCorrupt, match="are not as Lookahead made them"):
        reopen()


@pytest.fixture(scope="module")
def integrity() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "journal_integrity.py"
    spec = importlib.util.spec_from_file_location("journal_integrity", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(path.parent)
        spec.loader.exec_module(module)
    return module


def test_alterations_at_random_are_all_found(integrity: ModuleType) -> None:
    tried, seen, forged, false_alarms = integrity.measure(64, random.randrange(2**32))
    assert seen == tried
    assert false_alarms == 0
    # Said honestly: a forger who makes a whole chain that fits is found by a noted head alone.
    assert all(found == (0, 1) for found in forged.values())


def test_a_chain_that_is_damaged_on_disk_is_reported_not_raised(filled: Journal) -> None:
    filled.close()
    db = sqlite3.connect(filled.path)
    pages = [page for (page,) in db.execute("SELECT rootpage FROM sqlite_master WHERE rootpage > 0 AND name = 'rows'")]
    db.close()
    data = bytearray(Path(filled.path).read_bytes())
    place = (pages[0] - 1) * 4096
    data[place : place + 64] = b"\xff" * 64
    Path(filled.path).write_bytes(data)
    with Journal(filled.path, readonly=True) as journal:
        verified = journal.verify()
    assert not verified.ok
    assert verified.broken is None
    assert "the file" in verified.why
