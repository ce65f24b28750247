"""A journal as lines of JSON, and back: the same rows, the same hashes, the same head."""

import json
import sqlite3
from collections.abc import Iterable
from typing import Any, Final, TextIO, cast

from pydantic import ConfigDict, JsonValue, TypeAdapter, ValidationError

from lookahead.errors import JournalCorrupt, JournalError
from lookahead.journal.capture import dumped
from lookahead.journal.chain import COLUMNS, reopen, verify
from lookahead.journal.entries import ENTRY
from lookahead.types import Noun

FORMAT: Final = "lookahead.journal"
VERSION: Final = 1
_NAMES: Final = COLUMNS.split(", ")


class Line(Noun):
    """One row as it travels. Nothing is converted: a number in the place of a text is another row."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    seq: int
    at: float
    run: str
    call: str | None
    kind: str
    name: str | None
    key: str | None
    body: dict[str, JsonValue]
    prev: str
    hash: str


class Head(Noun):
    """The last line: what the last row is, so that a file that was cut off is noticed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    seq: int
    hash: str


_LINE: Final = TypeAdapter(Line)
_HEAD: Final = TypeAdapter(Head)


def export(db: sqlite3.Connection, out: TextIO) -> int:
    """Write every row; returns how many. Inside the caller's transaction, so that it is one moment's journal."""
    out.write(_text({"format": FORMAT, "version": VERSION}))
    rows = 0
    for stored in db.execute(f"SELECT {COLUMNS} FROM rows ORDER BY seq"):
        line: dict[str, Any] = {str(name): value for name, value in zip(_NAMES, stored, strict=True)}
        line["body"] = _object(line)
        out.write(_text(line))
        rows += 1
    seq, this = db.execute("SELECT seq, hash FROM head").fetchone()
    out.write(_text({"head": {"seq": seq, "hash": this}}))
    return rows


def _object(line: dict[str, Any]) -> Any:
    try:
        body = json.loads(line["body"])
    except (TypeError, ValueError):
        body = None
    if body is None or dumped(body) != line["body"]:
        raise JournalCorrupt(f"row {line['seq']} is not what was written. See: lookahead journal verify")
    return body


def load(db: sqlite3.Connection, lines: Iterable[str], head: str | None) -> int:
    """Read what `export` wrote into an empty journal, and verify it. Inside the caller's transaction."""
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    number, first = next(numbered, (1, "null"))
    if (said := _parsed(number, first)) != {"format": FORMAT, "version": VERSION}:
        version = said.get("version") if isinstance(said, dict) and said.get("format") == FORMAT else None
        if isinstance(version, int) and version > VERSION:
            raise JournalError(f"this export has version {version}: a newer Lookahead wrote it, and one must read it")
        raise JournalCorrupt("this is not an exported journal: its first line does not say so")
    rows = 0
    end: Head | None = None
    for number, line in numbered:
        if end is not None:
            raise JournalCorrupt(f"line {number}: there is more after the line that ends the journal")
        parsed = _parsed(number, line)
        if isinstance(parsed, dict) and set(parsed) == {"head"}:
            end = _checked(number, _HEAD, parsed["head"])
            continue
        _insert(db, number, _checked(number, _LINE, parsed))
        rows += 1
    if end is None:
        raise JournalCorrupt("the export was cut off: the line that ends it is missing")
    if head is not None and end.hash != head:
        raise JournalCorrupt(f"this is another journal: its head is {end.hash}")
    db.execute("UPDATE head SET seq = ?, hash = ?", (end.seq, end.hash))
    reopen(db)
    verified = verify(db)
    if not verified.ok:
        raise JournalCorrupt(f"the export was altered: {verified.why}")
    return rows


def _insert(db: sqlite3.Connection, number: int, line: Line) -> None:
    body = dumped(cast(dict[str, Any], line.body))
    try:
        kind = ENTRY.validate_python(line.body).kind
    except ValidationError as error:
        raise JournalCorrupt(f"line {number}: this is no entry of a journal ({error.error_count()} errors)") from error
    if kind != line.kind:
        raise JournalCorrupt(f"line {number}: a row of kind {line.kind!r} holds an entry of kind {kind!r}")
    values = (line.seq, line.at, line.run, line.call, line.kind, line.name, line.key, body, line.prev, line.hash)
    try:
        db.execute(f"INSERT INTO rows ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    except (sqlite3.IntegrityError, OverflowError, UnicodeEncodeError) as error:
        raise JournalCorrupt(f"line {number}: this row cannot be: {error}") from error


def _checked(number: int, model: TypeAdapter[Any], value: object) -> Any:
    try:
        return model.validate_python(value)
    except ValidationError as error:
        raise JournalCorrupt(f"line {number}: this is no row of a journal ({error.error_count()} errors)") from error


def _parsed(number: int, line: str) -> dict[str, JsonValue] | None:
    try:
        parsed = json.loads(line, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise JournalCorrupt(f"line {number}: this is not JSON: {error}") from error
    return cast(dict[str, JsonValue], parsed) if isinstance(parsed, dict) else None


def _once(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _no_constant(text: str) -> JsonValue:
    raise ValueError(f"{text} is not JSON")


def _text(line: dict[str, Any]) -> str:
    return json.dumps(line, separators=(",", ":")) + "\n"
