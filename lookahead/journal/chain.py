"""The chain: each row names the one before it, so that no row can be changed, moved, added or lost unseen."""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from lookahead.errors import JournalError, LookaheadError, PermitError
from lookahead.journal import schema
from lookahead.journal.entries import Pruned
from lookahead.types import Noun

GENESIS: Final = "0" * 64
COLUMNS: Final = "seq, at, run, call, kind, name, key, body, prev, hash"
HEAD: Final = "SELECT seq, hash FROM head"
_INSERT: Final = f"INSERT INTO rows ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What is stored, before it has its place in the chain."""

    run: str
    call: str | None
    kind: str
    name: str | None
    """The outer name: the agent's for a call, an approval's for its use."""
    key: str | None
    """What it is looked up by: the digest of an action, a binding, an approval."""
    body: str


class Verification(Noun):
    """Whether the journal is what was written."""

    ok: bool
    rows: int
    """How many rows were good before the first broken one."""
    head: str
    """Kept somewhere else, it also proves that nobody wrote the whole file anew."""
    broken: int | None = None
    """The number of the first broken row; None when all are good, or when it is no row that is broken."""
    why: str = ""


class Broken(Exception):
    """A row is not what was written."""

    def __init__(self, why: str, seq: int | None = None) -> None:
        super().__init__(why)
        self.why, self.seq = why, seq


def hashed(prev: str, seq: int, at: float, row: Row) -> str:
    """Over the previous hash and every stored column; the body last, so that it need not be escaped."""
    columns = json.dumps([prev, seq, at, row.run, row.call, row.kind, row.name, row.key])
    return hashlib.sha256((columns + "\n" + row.body).encode("utf-8", "surrogatepass")).hexdigest()


def link(db: sqlite3.Connection, rows: Sequence[Row], at: float) -> list[int]:
    """Append rows at the head. Inside the caller's transaction, so no other process can come between."""
    linking = Linking(db, at)
    places = linking.add(rows)
    linking.end()
    return places


class Linking:
    """The same for rows that come in several lots: the head is read before the first, and set after the last."""

    def __init__(self, db: sqlite3.Connection, at: float) -> None:
        self._db, self.at = db, at
        self._seq, self._prev = db.execute(HEAD).fetchone()

    def add(self, rows: Sequence[Row]) -> list[int]:
        places: list[int] = []
        for row in rows:
            seq, prev = self._seq + 1, self._prev
            this = hashed(prev, seq, self.at, row)
            values = (seq, self.at, row.run, row.call, row.kind, row.name, row.key, row.body, prev, this)
            try:
                self._db.execute(_INSERT, values)
            except sqlite3.IntegrityError as error:
                raise _twice(row) from error
            places.append(seq)
            self._seq, self._prev = seq, this
        return places

    def end(self) -> None:
        self._db.execute("UPDATE head SET seq = ?, hash = ?", (self._seq, self._prev))


def head(db: sqlite3.Connection) -> tuple[int, str] | None:
    """The number and the hash of the last row."""
    return db.execute(HEAD).fetchone()


def holds(db: sqlite3.Connection, seq: int, this: str) -> bool:
    """Whether this very row is there, or was pruned. Inside the caller's transaction."""
    found = db.execute("SELECT hash FROM rows WHERE seq = ?", (seq,)).fetchone()
    if found is not None:
        return found[0] == this
    try:
        return not seq or ((pruned := last_pruned(db)) is not None and seq <= pruned.through)
    except ValidationError:
        return False


def _twice(row: Row) -> LookaheadError:
    """What the file's own uniqueness stands for: it holds for all threads and processes."""
    if row.kind == "spent":
        return PermitError(f"approval {row.key} was used already: one approval allows one call, once")
    if row.kind == "intended":
        return PermitError(f"call {row.call} was begun already: nothing runs twice")
    if row.kind == "granted":
        return PermitError(f"approval {row.name} was recorded already")
    return JournalError(f"call {row.call} was {row.kind} already: a record is not overwritten")


def last_pruned(db: sqlite3.Connection) -> Pruned | None:
    """The one that says where there may be holes: each takes over what the earlier ones said."""
    found = db.execute("SELECT body FROM rows WHERE kind = 'pruned' ORDER BY seq DESC LIMIT 1").fetchone()
    return Pruned.model_validate_json(found[0]) if found else None


class Kept:
    """Counts and names the rows that stayed below a prune."""

    def __init__(self) -> None:
        self.count = 0
        self._digest = hashlib.sha256()

    def add(self, seq: int, this: str) -> None:
        self.count += 1
        self._digest.update(f"{seq}:{this};".encode())

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()


def verify(db: sqlite3.Connection, noted: str | None = None, seen: tuple[int, str] | None = None) -> Verification:
    """Read everything and compare, also with a head that was noted earlier, and with a row that was seen in it.

    Inside the caller's transaction.
    """
    good = 0
    head = ""
    try:
        _sound(db)
        seq, head = _head(db)
        for _ in _rows(db, seq, head):
            good += 1
        _reopened(db)
        _grown_from(db, noted)
        if seen and not holds(db, *seen):
            raise Broken(f"row {seen[0]}, which this process wrote or read, is not in it any more", seen[0])
    except Broken as broken:
        return Verification(ok=False, rows=good, head=head, broken=broken.seq, why=broken.why)
    except (sqlite3.Error, ValueError) as error:
        return Verification(ok=False, rows=good, head=head, why=f"the file cannot be read: {error}")
    return Verification(ok=True, rows=good, head=head)


def _sound(db: sqlite3.Connection) -> None:
    """The file itself: its pages, its indexes, and that it holds our tables and nothing else."""
    said = str(db.execute("PRAGMA integrity_check(1)").fetchone()[0])
    if said != "ok":
        raise Broken(f"the file is damaged: {said}")
    if schema.found(db) != schema.expected():
        raise Broken("its tables, indexes or views are not those that Lookahead made")


def _head(db: sqlite3.Connection) -> tuple[int, str]:
    found = db.execute("SELECT seq, hash FROM head").fetchall()
    if len(found) != 1:
        raise Broken(f"there should be one record of the last row, and there are {len(found)}")
    seq, this = found[0]
    if not isinstance(seq, int) or not isinstance(this, str):
        raise Broken("the record of the last row cannot be read")
    return seq, this


def _rows(db: sqlite3.Connection, last: int, head: str) -> Iterator[int]:
    """Walk the chain; yields the number of each good row."""
    pruned = _pruned(db)
    through, prev = (pruned.through, pruned.anchor) if pruned else (0, GENESIS)
    kept = Kept()
    expected = through + 1
    below = True
    for stored in db.execute(f"SELECT {COLUMNS} FROM rows ORDER BY seq"):
        seq = stored[0]
        _own_hash(stored)
        if seq <= through:
            kept.add(seq, stored[9])
        else:
            if below:
                _all_kept(kept, pruned)
                below = False
            if seq != expected:
                raise Broken(f"{_count(seq - expected)} missing before row {seq}", expected)
            if stored[8] != prev:
                raise Broken(f"row {seq} does not follow the row before it", seq)
            expected, prev = seq + 1, stored[9]
        yield seq
    if below:
        _all_kept(kept, pruned)
    if expected <= last:
        raise Broken(f"{_count(last - expected + 1)} missing at the end", expected)
    if expected != last + 1 or prev != head:
        raise Broken("the last row is not the one that was recorded as the last", expected - 1)


def _pruned(db: sqlite3.Connection) -> Pruned | None:
    try:
        return last_pruned(db)
    except ValidationError as error:
        found = db.execute("SELECT max(seq) FROM rows WHERE kind = 'pruned'").fetchone()
        raise Broken("the record of what was pruned cannot be read", found[0]) from error


def _own_hash(stored: tuple[Any, ...]) -> None:
    seq, at, run, call, kind, name, key, body, prev, this = stored
    row = Row(run=run, call=call, kind=kind, name=name, key=key, body=body)
    try:
        good = hashed(prev, seq, at, row) == this
    except TypeError:
        # A column holds bytes, which nobody here ever wrote.
        good = False
    if not good:
        raise Broken(f"row {seq} is not what was written", seq)


def _all_kept(kept: Kept, pruned: Pruned | None) -> None:
    count, digest = (pruned.kept, pruned.kept_digest) if pruned else (0, Kept().digest)
    if (kept.count, kept.digest) != (count, digest):
        raise Broken(f"of {count} older rows that a prune kept, {kept.count} are there, or they are not the same")


def _reopened(db: sqlite3.Connection) -> None:
    """The list of calls without an end is worked out from the rows once more."""
    one, other = "SELECT call, key, seq FROM open", OPEN
    for left, right in ((one, other), (other, one)):
        found = db.execute(f"SELECT * FROM ({left}) EXCEPT SELECT * FROM ({right}) LIMIT 1").fetchone()
        if found:
            raise Broken(f"the list of calls without a result is wrong about call {found[0]}", found[2])


def _grown_from(db: sqlite3.Connection, noted: str | None) -> None:
    if noted not in (None, GENESIS) and not db.execute("SELECT 1 FROM rows WHERE hash = ?", (noted,)).fetchone():
        raise Broken("the head that was noted is not in it: it was written anew, or that row has been pruned since")


OPEN: Final = """
    SELECT i.call, i.key, i.seq FROM rows AS i
    WHERE i.kind = 'intended'
        AND NOT EXISTS (SELECT 1 FROM rows AS r WHERE r.kind = 'resulted' AND r.call = i.call)
        AND NOT EXISTS (SELECT 1 FROM rows AS s WHERE s.kind = 'resolved' AND s.call = i.call)
"""


def reopen(db: sqlite3.Connection) -> None:
    """Work the list of calls without an end out from the rows."""
    db.execute("DELETE FROM open")
    db.execute(f"INSERT INTO open (call, key, seq) {OPEN}")


def _count(n: int) -> str:
    return "1 row is" if n == 1 else f"{n} rows are"
