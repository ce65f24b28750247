"""Taking old rows out on purpose, without losing what is still needed, nor the proof that nothing else is missing."""

import sqlite3

from lookahead.journal.chain import GENESIS, Kept, last_pruned
from lookahead.journal.entries import Pruned, Tally

_CHOOSE = (
    "CREATE TEMP TABLE old (call TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TEMP TABLE doomed (seq INTEGER PRIMARY KEY)",
    # A call goes as a whole, and only when it has an end.
    """
    INSERT INTO old SELECT call FROM rows WHERE call IS NOT NULL
    GROUP BY call HAVING max(at) < :before AND call NOT IN (SELECT call FROM open)
    """,
    # An approval goes when nobody can use it any more, and its use never goes before it: else it could be used again.
    """
    INSERT INTO doomed SELECT g.seq FROM rows AS g LEFT JOIN rows AS s ON s.kind = 'spent' AND s.key = g.name
    WHERE g.kind = 'granted' AND g.at < :before
        AND CASE WHEN s.seq IS NULL THEN json_extract(g.body, '$.approval.expires_at') <= :now
            ELSE s.call IN (SELECT call FROM old) END
    """,
    """
    INSERT INTO doomed SELECT s.seq FROM rows AS s
    WHERE s.kind = 'spent' AND s.call IN (SELECT call FROM old) AND NOT EXISTS (
        SELECT 1 FROM rows AS g WHERE g.kind = 'granted' AND g.name = s.key AND g.seq NOT IN (SELECT seq FROM doomed)
    )
    """,
    """
    INSERT INTO doomed SELECT seq FROM rows WHERE call IN (SELECT call FROM old)
        AND kind IN ('decided', 'intended', 'resulted', 'foreseen', 'interrupted', 'resolved')
    """,
    """
    INSERT INTO doomed SELECT seq FROM rows WHERE kind = 'started' AND at < :before AND run NOT IN (
        SELECT run FROM rows WHERE kind <> 'started' AND seq NOT IN (SELECT seq FROM doomed)
    )
    """,
    "INSERT INTO doomed SELECT seq FROM rows WHERE kind = 'pruned' AND at < :before",
)


def prune(db: sqlite3.Connection, before: float, now: float) -> Pruned | None:
    """Take out what ended before; None when there is nothing. Inside the caller's transaction."""
    earlier = last_pruned(db)
    for statement in _CHOOSE:
        db.execute(statement, {"before": before, "now": now} if ":before" in statement else ())
    removed, last = db.execute("SELECT count(*), max(seq) FROM doomed").fetchone()
    pruned = _pruned(db, earlier, before, removed, last) if removed else None
    db.execute("DELETE FROM rows WHERE seq IN (SELECT seq FROM doomed)")
    db.execute("DROP TABLE temp.old")
    db.execute("DROP TABLE temp.doomed")
    return pruned


def _pruned(db: sqlite3.Connection, earlier: Pruned | None, before: float, removed: int, last: int) -> Pruned:
    through, anchor = (earlier.through, earlier.anchor) if earlier else (0, GENESIS)
    if last > through:
        through, anchor = last, db.execute("SELECT hash FROM rows WHERE seq = ?", (last,)).fetchone()[0]
    kept = Kept()
    staying = "SELECT seq, hash FROM rows WHERE seq <= ? AND seq NOT IN (SELECT seq FROM doomed) ORDER BY seq"
    for seq, this in db.execute(staying, (through,)):
        kept.add(seq, this)
    return Pruned(
        before=before,
        removed=removed,
        through=through,
        anchor=anchor,
        kept=kept.count,
        kept_digest=kept.digest,
        tallies=added(earlier.tallies if earlier else (), tallies(db, "seq IN (SELECT seq FROM doomed)")),
    )


def tallies(db: sqlite3.Connection, where: str, *arguments: int) -> tuple[Tally, ...]:
    """What the ledger counts in some of the rows."""
    counts = "SELECT tool, world, changed, count(*), sum(agreed) FROM ledger"
    query = f"{counts} WHERE {where} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    return tuple(
        Tally(tool=tool, world=world, changed=bool(changed), trials=trials, agreed=agreed)
        for tool, world, changed, trials, agreed in db.execute(query, arguments)
    )


def added(*lists: tuple[Tally, ...]) -> tuple[Tally, ...]:
    """Tallies of the same thing become one."""
    sums: dict[tuple[str, str, bool], tuple[int, int]] = {}
    for tally in (tally for tallies in lists for tally in tallies):
        name = (tally.tool, tally.world, tally.changed)
        trials, agreed = sums.get(name, (0, 0))
        sums[name] = (trials + tally.trials, agreed + tally.agreed)
    return tuple(
        Tally(tool=tool, world=world, changed=changed, trials=trials, agreed=agreed)
        for (tool, world, changed), (trials, agreed) in sorted(sums.items())
    )
