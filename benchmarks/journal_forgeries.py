"""The ways in which a journal can be altered. Each takes an open connection to a copy and leaves it altered."""

import json
import math
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lookahead.journal.chain import GENESIS, Row, hashed

COLUMNS = ("seq", "at", "run", "call", "kind", "name", "key", "body", "prev", "hash")

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
            lambda: db.execute("INSERT INTO open (call, key, seq) VALUES ('forged', ?, ?)", (key, seq)),
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
        "INSERT INTO open (call, key, seq) SELECT call, key, seq FROM rows AS i WHERE kind = 'intended' AND NOT EXISTS"
        " (SELECT 1 FROM rows AS r WHERE r.kind IN ('resulted', 'resolved') AND r.call = i.call)"
    )
