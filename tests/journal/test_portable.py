"""Out as lines of JSON and in again: the same journal, or none."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookahead.errors import JournalCorrupt, JournalError
from lookahead.journal import Journal, portable

Reopen = Callable[..., Journal]


@pytest.fixture
def filled(journal: Journal, make: Any, clock: Any) -> Journal:
    journal.start("r", goal="tidy", mode="guard", world="w", policy="p", tools=[make.tool])
    for n in range(6):
        clock.now += 100
        journal.append(*make.whole(f"c{n}", content=f"é \ud800 \x1b {n}"))
    journal.append(make.decided("open"), make.intended("open"))
    journal.append(make.interrupted("open"))
    journal.append(make.refused("no"), make.granted(at=clock.now))
    return journal


def lines_of(journal: Journal) -> list[str]:
    out = io.StringIO()
    rows = journal.export(out)
    lines = out.getvalue().splitlines(keepends=True)
    assert rows == len(lines) - 2
    return lines


def same(journal: Journal, lines: list[str], path: str, make: Any) -> Journal:
    loaded = Journal.load(lines, path, redact=make.Plain())
    assert lines_of(loaded) == lines
    assert loaded.verify() == journal.verify()
    return loaded


@pytest.mark.parametrize("where", [":memory:", "new/again.db"])
def test_out_and_in_again_is_the_same_journal(filled: Journal, tmp_path: Path, make: Any, where: str) -> None:
    lines = lines_of(filled)
    assert json.loads(lines[0]) == {"format": "lookahead.journal", "version": 1}
    assert json.loads(lines[-1]) == {"head": {"seq": 24, "hash": filled.verify().head}}
    with same(filled, lines, where if where[0] == ":" else str(tmp_path / where), make) as loaded:
        assert loaded.in_doubt() == filled.in_doubt()
        assert loaded.calls() == filled.calls()
        assert loaded.tallies() == filled.tallies()
        loaded.append(*make.whole("more"))
        assert loaded.verify().ok


def test_a_pruned_journal_travels_too(filled: Journal, make: Any) -> None:
    assert filled.prune(1350.0) == 9
    same(filled, lines_of(filled), ":memory:", make).close()


def test_an_empty_journal_travels_too(journal: Journal, make: Any) -> None:
    same(journal, lines_of(journal), ":memory:", make).close()


def test_a_row_can_be_read_without_us(filled: Journal) -> None:
    row = json.loads(lines_of(filled)[2])
    assert row["seq"] == 2
    assert row["kind"] == "decided"
    assert row["body"]["decision"]["proposed"]["arguments"] == {"command": "rm -r build"}


def test_blank_lines_do_not_matter(filled: Journal, make: Any) -> None:
    Journal.load(["\n", *lines_of(filled), "\n", ""], ":memory:", redact=make.Plain()).close()


def test_a_file_that_exists_is_not_written_over(filled: Journal, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("mine", "link"):
        with pytest.raises(JournalError, match="exists already: an import begins a new file"):
            Journal.load(lines_of(filled), tmp_path / name)
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


def put(lines: list[str], number: int, change: Callable[[dict[str, Any]], object]) -> list[str]:
    line = json.loads(lines[number])
    change(line)
    return [*lines[:number], json.dumps(line) + "\n", *lines[number + 1 :]]


FIRST = "its first line does not say so"
NO_ROW = "line 5: this row cannot be"

ALTERED: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "nothing": (lambda lines: [], FIRST),
    "another file": (lambda lines: ["{}\n", *lines[1:]], FIRST),
    "a list": (lambda lines: ["[1]\n", *lines[1:]], FIRST),
    "no header": (lambda lines: lines[1:], FIRST),
    "an old version": (lambda lines: put(lines, 0, lambda line: line.update(version=0)), FIRST),
    "cut off": (lambda lines: lines[:-1], "the line that ends it is missing"),
    "cut within a line": (lambda lines: [*lines[:-3], lines[-3][:40]], "line 24: this is not JSON"),
    "more after the end": (lambda lines: [*lines, lines[3]], "line 27: there is more after the line that ends"),
    "a row lost": (lambda lines: [*lines[:5], *lines[6:]], "1 row is missing before row 6"),
    "the last row lost": (lambda lines: [*lines[:-2], lines[-1]], "1 row is missing at the end"),
    "rows exchanged": (
        lambda lines: [*put(put(lines, 3, lambda a: a.update(seq=4)), 4, lambda a: a.update(seq=3))],
        "row 3 is not what was written",
    ),
    "a row twice": (lambda lines: [*lines[:4], lines[3], *lines[4:]], NO_ROW),
    "a body altered": (
        lambda lines: put(lines, 4, lambda line: line["body"].update(seconds=9.0)),
        "the export was altered: row 4 is not what was written",
    ),
    "a body of another kind": (
        lambda lines: put(lines, 4, lambda line: line.update(kind="decided")),
        "line 5: a row of kind 'decided' holds an entry of kind 'resulted'",
    ),
    "a body with more in it": (
        lambda lines: put(lines, 4, lambda line: line["body"].update(more=1)),
        "line 5: this is no entry of a journal (1 errors)",
    ),
    "a row with more in it": (
        lambda lines: put(lines, 4, lambda line: line.update(more=1)),
        "line 5: this is no row of a journal (1 errors)",
    ),
    "a number as text": (lambda lines: put(lines, 4, lambda line: line.update(seq="4")), "line 5: this is no row"),
    "a number too large": (lambda lines: put(lines, 4, lambda line: line.update(seq=10**30)), NO_ROW),
    "half a character": (lambda lines: put(lines, 4, lambda line: line.update(run="\ud800")), NO_ROW),
    "a key twice": (
        lambda lines: [*lines[:4], lines[4].replace("{", '{"seq":4,', 1), *lines[5:]],
        "line 5: this is not JSON: a key occurs twice",
    ),
    "no number": (lambda lines: [*lines[:4], lines[4].replace("0.25", "NaN"), *lines[5:]], "NaN is not JSON"),
    "too deep": (lambda lines: [*lines[:4], "[" * 100_000, *lines[5:]], "line 5: this is not JSON"),
    "another head": (
        lambda lines: [*lines[:-1], '{"head": {"seq": 24, "hash": "0"}}'],
        "the last row is not the one that was recorded",
    ),
    "a head that is none": (lambda lines: [*lines[:-1], '{"head": {"seq": "23"}}'], "line 26: this is no row"),
}  # fmt: skip


@pytest.mark.parametrize("way", ALTERED)
def test_an_altered_export_is_refused_and_leaves_no_file(filled: Journal, tmp_path: Path, make: Any, way: str) -> None:
    alter, said = ALTERED[way]
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(JournalCorrupt) as refused:
        Journal.load(alter(lines_of(filled)), tmp_path / "new.db", redact=make.Plain())
    assert said in str(refused.value)
    assert sorted(os.listdir(tmp_path)) == before


def test_an_export_of_a_newer_version_is_named(filled: Journal, make: Any) -> None:
    lines = put(lines_of(filled), 0, lambda line: line.update(version=2))
    with pytest.raises(JournalError, match="has version 2: a newer Lookahead wrote it"):
        Journal.load(lines, ":memory:", redact=make.Plain())


def test_an_export_of_this_version_that_begins_otherwise_is_none_of_a_newer_version(filled: Journal, make: Any) -> None:
    lines = put(lines_of(filled), 0, lambda line: line.update(more=1))
    with pytest.raises(JournalCorrupt, match="this is not an exported journal: its first line does not say so"):
        Journal.load(lines, ":memory:", redact=make.Plain())


def test_what_ends_an_export_is_taken_as_it_is_written(filled: Journal, make: Any) -> None:
    def other(line: Any) -> None:
        line["head"]["seq"] = str(line["head"]["seq"])

    lines = lines_of(filled)
    lines = put(lines, len(lines) - 1, other)
    with pytest.raises(JournalCorrupt, match=f"line {len(lines)}: this is no row of a journal"):
        Journal.load(lines, ":memory:", redact=make.Plain())


def test_what_was_read_is_counted(filled: Journal, reopen: Reopen) -> None:
    lines = lines_of(filled)
    with reopen(":memory:")._store.writing() as db:
        assert portable.load(db, lines, None) == len(lines) - 2


def test_trouble_in_the_source_is_ours_and_leaves_no_file(filled: Journal, tmp_path: Path, make: Any) -> None:
    def lines() -> Any:
        yield from lines_of(filled)[:3]
        raise OSError("the cable was pulled")

    with pytest.raises(JournalError, match="the export cannot be read: OSError: the cable was pulled"):
        Journal.load(lines(), tmp_path / "new.db", redact=make.Plain())
    assert not (tmp_path / "new.db").exists()


def test_a_source_that_is_no_text_is_named(filled: Journal, tmp_path: Path, make: Any) -> None:
    (tmp_path / "latin").write_bytes(b"\n\xe9\n")
    with (
        (tmp_path / "latin").open(encoding="utf-8") as source,
        pytest.raises(JournalError, match="the export cannot be read: UnicodeDecodeError"),
    ):
        Journal.load(source, ":memory:", redact=make.Plain())


def test_trouble_where_it_is_written_to_is_not_ours_to_name(filled: Journal) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        filled.export(Gone())
    assert filled.verify().ok


def test_given_a_head_nothing_but_that_journal_is_accepted(filled: Journal, make: Any) -> None:
    lines, head = lines_of(filled), filled.verify().head
    Journal.load(lines, ":memory:", redact=make.Plain(), head=head).close()
    with pytest.raises(JournalCorrupt, match=f"this is another journal: its head is {head}"):
        Journal.load(lines, ":memory:", redact=make.Plain(), head="0" * 64)


@pytest.mark.parametrize("body", ["{}", '{ "kind": "started" }', "nothing", "null", "[", "x'ff'"])
def test_an_altered_row_is_not_exported(filled: Journal, body: str) -> None:
    db = filled._store._db
    if body == "x'ff'":
        db.execute("UPDATE rows SET body = x'ff' WHERE seq = 3")
    elif body == "{}":
        db.execute("UPDATE rows SET body = body || ' ' WHERE seq = 3")
    else:
        db.execute("UPDATE rows SET body = ? WHERE seq = 3", (body,))
    with pytest.raises(JournalCorrupt, match=r"row 3 is not what was written\. See: lookahead journal verify"):
        filled.export(io.StringIO())
