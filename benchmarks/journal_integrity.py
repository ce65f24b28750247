"""Alter journals at random in every way that leaves the rest of the file alone, and see whether `verify` finds it.

It also does what a chain alone cannot find: it writes the chain anew, as anybody could who can write the file and has
read this code. Only a head that was noted somewhere else shows that.
"""

import argparse
import json
import math
import random
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from lookahead.errors import JournalError
from lookahead.journal import Agreement, Approval, Decided, Granted, Intended, Journal, Resulted, Spent
from lookahead.journal.chain import GENESIS, Row, hashed
from lookahead.types import Action, Decision, Observation, Tool

COLUMNS = ("seq", "at", "run", "call", "kind", "name", "key", "body", "prev", "hash")
CALLS = 40


class Plain:
    """Nothing here is a secret."""

    def json(self, value: JsonValue) -> JsonValue:
        return value


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def written(path: Path, *, pruned: bool) -> str:
    """A journal with something of everything in it; returns its head."""
    clock = Clock()
    tool = Tool(name="shell", effect="changes")
    with Journal(path, redact=Plain(), clock=clock) as journal:
        journal.start("run", goal="tidy", mode="guard", world="fork", policy="p", tools=[tool])
        for n in range(CALLS):
            if pruned and n == CALLS // 2:
                journal.prune(clock.now - 10)
            action = Action(tool="shell", arguments={"command": f"step {n}"}, call_id=f"id{n}")
            call, asked = f"call{n:04}", n % 7 == 3
            approval = Approval(
                id=f"yes{n}", binding=f"b{n}", granted_at=clock.now, expires_at=clock.now + 600, by="ada", seen=""
            )
            decision = Decision(id=call, proposed=action, choice="run", chosen=action, rule="default")
            if asked or n % 11 == 5:
                journal.append(Granted(approval=approval))
            spent = (Spent(approval_id=approval.id, call=call),) if asked else ()
            journal.append(
                Decided(run="run", call=call, state="s", decision=decision, binding=f"b{n}"),
                *spent,
                Intended(run="run", call=call, action=action, action_digest=action.digest, call_id=action.call_id),
            )
            if n % 5:
                agreement = Agreement(agreed=n % 3 > 0, changed=n % 2 > 0, how="exact" if n % 3 else "no")
                said = Observation(content=f"done {n}")
                result = Resulted(
                    run="run", call=call, observation=said, agreement=agreement, world="fork", tool="shell"
                )
                journal.append(result)
        verified = journal.verify()
        assert verified.ok, verified.why
    return verified.head


# ---- tampering ----

Tamper = Callable[[sqlite3.Connection, random.Random], object]


def stored(db: sqlite3.Connection) -> list[tuple[Any, ...]]:
    return db.execute(f"SELECT {', '.join(COLUMNS)} FROM rows ORDER BY seq").fetchall()


def insert(db: sqlite3.Connection, row: tuple[Any, ...]) -> None:
    db.execute(f"INSERT INTO rows VALUES ({', '.join('?' * len(COLUMNS))})", row)


def rehashed(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same row with a hash that fits what it says."""
    seq, at, run, call, kind, name, key, body, prev, _ = row
    return (*row[:9], hashed(prev, seq, at, Row(run=run, call=call, kind=kind, name=name, key=key, body=body)))


def edit(db: sqlite3.Connection, chance: random.Random) -> None:
    """Any column of any row becomes something else."""
    row = chance.choice(stored(db))
    column = chance.choice(COLUMNS)
    value = row[COLUMNS.index(column)]
    if isinstance(value, int):
        new: object = value + chance.choice((-1, 1, 1000))
    elif isinstance(value, float):
        new = chance.choice((math.nextafter(value, 0), value + 1, -value))
    elif value is None:
        new = chance.choice(("", "x"))
    else:
        place = chance.randrange(len(value) + 1)
        new = chance.choice(
            (
                value[:place] + chance.choice("0a \n}") + value[place:],
                value[:place] + value[place + 1 :],
                value.swapcase(),
                value.encode(),
                "" if column in ("kind", "body", "prev", "hash", "run") else None,
            )
        )
    db.execute(f"UPDATE rows SET {column} = ? WHERE seq = ?", (new, row[0]))


def edit_and_hash(db: sqlite3.Connection, chance: random.Random) -> None:
    """A body is changed, and the row's own hash made to fit."""
    row = chance.choice(stored(db))
    body = json.loads(row[7])
    body["forged"] = chance.random()
    new = rehashed((*row[:7], json.dumps(body), *row[8:]))
    db.execute("UPDATE rows SET body = ?, hash = ? WHERE seq = ?", (new[7], new[9], row[0]))


def lose_first(db: sqlite3.Connection, chance: random.Random) -> None:
    found = stored(db)
    db.execute("DELETE FROM rows WHERE seq <= ?", (found[chance.randrange(5)][0],))


def lose_last(db: sqlite3.Connection, chance: random.Random) -> None:
    found = stored(db)
    db.execute("DELETE FROM rows WHERE seq >= ?", (found[-1 - chance.randrange(5)][0],))


def lose_some(db: sqlite3.Connection, chance: random.Random) -> None:
    found = stored(db)
    for row in chance.sample(found, chance.choice((1, 1, 2, 5))):
        db.execute("DELETE FROM rows WHERE seq = ?", (row[0],))


def lose_a_call(db: sqlite3.Connection, chance: random.Random) -> None:
    """Every trace of one call goes, also from the list of open ones."""
    call = chance.choice([row[3] for row in stored(db) if row[3]])
    db.execute("DELETE FROM rows WHERE call = ?", (call,))
    db.execute("DELETE FROM open WHERE call = ?", (call,))


def lose_all(db: sqlite3.Connection, chance: random.Random) -> None:
    db.execute("DELETE FROM rows")
    db.execute("DELETE FROM open")


def lose_and_close_up(db: sqlite3.Connection, chance: random.Random) -> None:
    """A row goes, and those after it move up."""
    found = stored(db)
    gone = chance.choice(found)[0]
    db.execute("DELETE FROM rows WHERE seq = ?", (gone,))
    for row in found:
        if row[0] > gone:
            db.execute("UPDATE rows SET seq = ? WHERE seq = ?", (row[0] - 1, row[0]))


def swap(db: sqlite3.Connection, chance: random.Random) -> None:
    """Two rows change places."""
    one, other = chance.sample(stored(db), 2)
    db.execute("UPDATE rows SET seq = -1 WHERE seq = ?", (one[0],))
    db.execute("UPDATE rows SET seq = ? WHERE seq = ?", (one[0], other[0]))
    db.execute("UPDATE rows SET seq = ? WHERE seq = -1", (other[0],))


def swap_bodies(db: sqlite3.Connection, chance: random.Random) -> None:
    one, other = chance.sample(stored(db), 2)
    db.execute("UPDATE rows SET body = ? WHERE seq = ?", (other[7], one[0]))
    db.execute("UPDATE rows SET body = ? WHERE seq = ?", (one[7], other[0]))


def add_last(db: sqlite3.Connection, chance: random.Random) -> None:
    """A row that fits the chain is put after the last one."""
    last = stored(db)[-1]
    body = json.dumps(
        {"kind": "started", "run": "forged", "goal": "", "mode": "", "world": "", "policy": "", "tools": []}
    )
    insert(db, rehashed((last[0] + 1, last[1], "forged", None, "started", None, None, body, last[9], "")))


def add_anywhere(db: sqlite3.Connection, chance: random.Random) -> None:
    """A copy of a row is put before the first, between two or far behind the last."""
    row = chance.choice([row for row in stored(db) if row[4] == "started"] or stored(db))
    seq = chance.choice((0, -5, 10_000, 10_001))
    new = (seq, *row[1:3], f"new{seq}" if row[3] else None, "interrupted", *row[5:])
    insert(db, chance.choice((new, rehashed(new))))


def move_head(db: sqlite3.Connection, chance: random.Random) -> None:
    row = chance.choice(stored(db)[:-1])
    chance.choice(
        (
            lambda: db.execute("UPDATE head SET seq = ?, hash = ?", (row[0], row[9])),
            lambda: db.execute("UPDATE head SET seq = seq + 1"),
            lambda: db.execute("UPDATE head SET hash = ?", (row[9],)),
            lambda: db.execute("DELETE FROM head"),
            lambda: db.execute("UPDATE head SET hash = x'00'"),
        )
    )()


def forget_doubt(db: sqlite3.Connection, chance: random.Random) -> None:
    """The list of calls without a result is touched, so that a doubt is not seen, or one is made up."""
    call, key, seq = chance.choice(db.execute("SELECT call, key, seq FROM open").fetchall())
    chance.choice(
        (
            lambda: db.execute("DELETE FROM open WHERE call = ?", (call,)),
            lambda: db.execute("UPDATE open SET key = ? WHERE call = ?", (key[::-1], call)),
            lambda: db.execute("INSERT INTO open VALUES ('forged', ?, ?)", (key, seq)),
            lambda: db.execute("UPDATE open SET seq = seq - 1 WHERE call = ?", (call,)),
        )
    )()


def alter_tables(db: sqlite3.Connection, chance: random.Random) -> None:
    """The rows stay, and what reads them lies."""
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")]
    chance.choice(
        (
            lambda: db.execute("CREATE TRIGGER t AFTER INSERT ON rows BEGIN DELETE FROM open; END"),
            lambda: db.execute(f"DROP INDEX {chance.choice(names)}"),
            lambda: db.executescript("DROP VIEW ledger; CREATE VIEW ledger AS SELECT 1 AS seq, 'shell' AS tool"),
            lambda: db.execute("CREATE TABLE more (x)"),
            lambda: db.execute("ALTER TABLE rows ADD COLUMN more"),
            lambda: db.execute("PRAGMA user_version = 0"),
            lambda: db.execute("PRAGMA application_id = 1"),
        )
    )()


IN_SQL: dict[str, Tamper] = {
    "a column edited": edit,
    "a body edited, its hash made to fit": edit_and_hash,
    "first rows deleted": lose_first,
    "last rows deleted": lose_last,
    "some rows deleted": lose_some,
    "a whole call deleted": lose_a_call,
    "all rows deleted": lose_all,
    "a row deleted, the rest moved up": lose_and_close_up,
    "two rows changed places": swap,
    "two bodies changed places": swap_bodies,
    "a fitting row added at the end": add_last,
    "a row added elsewhere": add_anywhere,
    "the head moved": move_head,
    "the list of doubts altered": forget_doubt,
    "tables, indexes or views altered": alter_tables,
}
BYTES = "bytes of the file overwritten"


def content(path: Path) -> object:
    """All that the file says, or what it fails with."""
    db = sqlite3.connect(path)
    try:
        pragmas = [db.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")]
        tables = [db.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall() for name in ("rows", "head", "open")]
        schema = db.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()
        return repr((pragmas, tables, schema))
    except (sqlite3.Error, UnicodeError) as error:
        return error
    finally:
        db.close()


def overwrite(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    place = chance.randrange(len(data))
    for offset in range(chance.choice((1, 1, 4, 64))):
        data[(place + offset) % len(data)] = chance.randrange(256)
    path.write_bytes(data)


def tampered(path: Path, way: str, chance: random.Random) -> None:
    if way == BYTES:
        overwrite(path, chance)
        return
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    try:
        IN_SQL[way](db, chance)
    except sqlite3.IntegrityError:
        # The file's own rules refused it: try another.
        pass
    finally:
        db.close()


def found(path: Path, noted: str | None = None) -> bool:
    try:
        with Journal(path, redact=Plain(), readonly=True) as journal:
            return not journal.verify(noted).ok
    except JournalError:
        return True


def copied(source: Path, folder: Path) -> Path:
    target = folder / "copy.db"
    for stale in folder.glob("copy.db*"):
        stale.unlink()
    shutil.copy(source, target)
    return target


def one(source: Path, folder: Path, way: str, chance: random.Random, before: object) -> bool:
    """Alter a copy until it says something else; whether that was found."""
    while True:
        path = copied(source, folder)
        tampered(path, way, chance)
        if str(content(path)) != before:
            return found(path)


# ---- what a chain alone cannot find ----


def rewrite(db: sqlite3.Connection, chance: random.Random) -> None:
    """One body is changed and every hash after it worked out anew, the head too."""
    db.execute("DELETE FROM rows WHERE kind = 'pruned'")
    rows = stored(db)
    victim = chance.randrange(len(rows))
    prev = GENESIS
    db.execute("DELETE FROM rows")
    for place, row in enumerate(rows):
        body = row[7].replace("step", "forged") if place == victim else row[7]
        new = rehashed((place + 1, *row[1:7], body + (" " if place == victim else ""), prev, ""))
        insert(db, new)
        prev = new[9]
    db.execute("UPDATE head SET seq = ?, hash = ?", (len(rows), prev))
    db.execute("UPDATE open SET seq = (SELECT seq FROM rows WHERE rows.call = open.call AND kind = 'intended')")


def cut_off(db: sqlite3.Connection, chance: random.Random) -> None:
    """The last rows go, and the head with them."""
    last = chance.choice([row for row in stored(db)[-5:-1] if row[4] != "pruned"])
    db.execute("DELETE FROM rows WHERE seq > ?", (last[0],))
    db.execute("UPDATE head SET seq = ?, hash = ?", (last[0], last[9]))
    db.execute("DELETE FROM open")
    db.execute(
        "INSERT INTO open SELECT call, key, seq FROM rows AS i WHERE kind = 'intended' AND NOT EXISTS"
        " (SELECT 1 FROM rows AS r WHERE r.kind IN ('resulted', 'resolved') AND r.call = i.call)"
    )


def beyond(source: Path, folder: Path, head: str, times: int, chance: random.Random) -> dict[str, tuple[int, int]]:
    """How often a forged chain is found without a noted head, and with one."""
    results: dict[str, tuple[int, int]] = {}
    for name, forge in (("the whole file written anew", rewrite), ("cut off, and the head moved back", cut_off)):
        alone = noted = 0
        for _ in range(times):
            path = copied(source, folder)
            db = sqlite3.connect(path, isolation_level=None)
            db.execute("PRAGMA synchronous = OFF")
            forge(db, chance)
            db.close()
            alone += found(path)
            noted += found(path, head)
        results[name] = (alone, noted)
    return results


def measure(times: int, seed: int) -> tuple[Counter[str], Counter[str], dict[str, tuple[int, int]], int]:
    chance = random.Random(seed)
    tried: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = [folder / "whole.db", folder / "pruned.db"]
        heads = [written(path, pruned=path.stem == "pruned") for path in sources]
        before = [str(content(path)) for path in sources]
        false_alarms = sum(found(copied(path, folder), head) for path, head in zip(sources, heads, strict=True))
        ways = [*IN_SQL, BYTES]
        for n in range(times):
            way, which = ways[n % len(ways)], chance.randrange(2)
            tried[way] += 1
            seen[way] += one(sources[which], folder, way, chance, before[which])
        forged = beyond(sources[0], folder, heads[0], max(1, times // 50), chance)
    return tried, seen, forged, false_alarms


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=1000, help="how many alterations (default: 1000)")
    parser.add_argument("--seed", type=int, default=2, help="of the random numbers (default: 2)")
    args = parser.parse_args()
    tried, seen, forged, false_alarms = measure(args.times, args.seed)
    print(f"Journals altered at random (seed {args.seed}), half of them pruned before:\n")
    print("| what was done | times | found |\n|---|---:|---:|")
    for way in tried:
        print(f"| {way} | {tried[way]} | {seen[way]} |")
    print(f"| **all** | **{tried.total()}** | **{seen.total()}** |")
    print(f"\nUnaltered journals called altered: {false_alarms} of 2.")
    print("\nWhat no chain finds by itself, because the forger has made a chain that fits:\n")
    print("| what was done | times | found by the chain | found with a head noted elsewhere |\n|---|---:|---:|---:|")
    times = max(1, args.times // 50)
    for way, (alone, noted) in forged.items():
        print(f"| {way} | {times} | {alone} | {noted} |")
    good = seen.total() == tried.total() and not false_alarms and all(noted == times for _, noted in forged.values())
    print(f"\n{'met' if good else 'MISSED'}: every alteration found (stated: 100 %)")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
