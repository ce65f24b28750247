"""The tables of a journal, and the views that everything else is."""

import sqlite3
from functools import cache
from typing import Final

FORMAT: Final = 1
APPLICATION: Final = 0x4C4F4F4B
"""Written into the file's header, so that somebody else's database is never taken for a journal."""

STATEMENTS: Final = (
    """
    CREATE TABLE rows (
        seq INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        run TEXT NOT NULL,
        call TEXT,
        kind TEXT NOT NULL,
        name TEXT,
        key TEXT,
        body TEXT NOT NULL,
        prev TEXT NOT NULL,
        hash TEXT NOT NULL
    )
    """,
    # Changed in the transaction that appends, so that rows missing at the end are missed.
    "CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL)",
    # The intents without an end: asked before every call that changes something, so it must not be a search.
    "CREATE TABLE open (key TEXT, call TEXT, seq INTEGER NOT NULL, PRIMARY KEY (key, call)) WITHOUT ROWID",
    # Once, also for two processes: a decision, an act, its result, its settlement, the use of an approval. One index
    # for all that belongs to a call, because each page that a call touches is written to the disk twice.
    "CREATE UNIQUE INDEX once ON rows (call, kind) WHERE call IS NOT NULL",
    "CREATE UNIQUE INDEX once_spent ON rows (key) WHERE kind = 'spent'",
    "CREATE UNIQUE INDEX once_granted ON rows (name) WHERE kind = 'granted'",
    "CREATE INDEX named ON rows (name, kind) WHERE name IS NOT NULL",
    "CREATE INDEX granted_key ON rows (key) WHERE kind = 'granted'",
    "CREATE INDEX started_run ON rows (run) WHERE kind = 'started'",
    "CREATE INDEX pruned_seq ON rows (seq) WHERE kind = 'pruned'",
    """
    CREATE VIEW calls AS
    SELECT d.seq, d.at, d.run, d.call, json_extract(d.body, '$.decision.proposed.call_id') AS call_id,
        json_extract(d.body, '$.decision.proposed.tool') AS tool,
        json_extract(d.body, '$.decision.choice') AS choice,
        json_extract(d.body, '$.decision.rule') AS rule,
        json_extract(d.body, '$.decision.reason') AS reason,
        json_extract(d.body, '$.binding') AS binding,
        json_extract(i.body, '$.effect') AS effect,
        i.at AS intended_at, r.at AS resulted_at,
        json_extract(r.body, '$.seconds') AS seconds,
        json_extract(r.body, '$.observation.failed') AS failed,
        json_extract(r.body, '$.world') AS world,
        json_extract(r.body, '$.agreement.agreed') AS agreed,
        json_extract(s.body, '$.happened') AS happened,
        o.call IS NOT NULL AS is_open
    FROM rows AS d
    LEFT JOIN rows AS i ON i.kind = 'intended' AND i.call = d.call
    LEFT JOIN rows AS r ON r.kind = 'resulted' AND r.call = d.call
    LEFT JOIN rows AS s ON s.kind = 'resolved' AND s.call = d.call
    LEFT JOIN open AS o ON o.call = d.call
    WHERE d.kind = 'decided'
    """,
    """
    CREATE VIEW ledger AS
    SELECT seq,
        json_extract(body, '$.tool') AS tool,
        json_extract(body, '$.world') AS world,
        json_extract(body, '$.agreement.changed') AS changed,
        json_extract(body, '$.agreement.agreed') AS agreed
    FROM rows
    WHERE kind IN ('resulted', 'foreseen') AND json_extract(body, '$.world') IS NOT NULL
        AND json_extract(body, '$.agreement.agreed') IS NOT NULL
    """,
    """
    CREATE VIEW transitions AS
    SELECT r.seq, r.run, r.call,
        json_extract(r.body, '$.tool') AS tool,
        json_extract(d.body, '$.state') AS state,
        json_extract(i.body, '$.action') AS action,
        json_extract(r.body, '$.observation') AS observation
    FROM rows AS r
    JOIN rows AS i ON i.kind = 'intended' AND i.call = r.call
    JOIN rows AS d ON d.kind = 'decided' AND d.call = r.call
    WHERE r.kind = 'resulted' AND json_extract(r.body, '$.observation.origin.kind') = 'real'
    """,
    """
    CREATE VIEW imagined AS
    SELECT rows.seq,
        json_extract(step.value, '$.action.tool') AS tool,
        json_extract(step.value, '$.observation.origin.world') AS world,
        json_extract(step.value, '$.observation.cost') AS cost
    FROM rows,
        json_each(rows.body, '$.decision.considered') AS future,
        json_each(future.value, '$.rollout.steps') AS step
    WHERE rows.kind IN ('decided', 'foreseen')
    """,
    """
    CREATE VIEW approvals AS
    SELECT g.seq, g.at, g.name AS id, g.key AS binding,
        json_extract(g.body, '$.approval.by') AS "by",
        json_extract(g.body, '$.approval.granted_at') AS granted_at,
        json_extract(g.body, '$.approval.expires_at') AS expires_at,
        s.call AS spent_on
    FROM rows AS g
    LEFT JOIN rows AS s ON s.kind = 'spent' AND s.key = g.name
    WHERE g.kind = 'granted'
    """,
)


def create(db: sqlite3.Connection) -> None:
    """Lay the tables out. Inside the caller's transaction."""
    for statement in STATEMENTS:
        db.execute(statement)
    db.execute("INSERT INTO head (one, seq, hash) VALUES (1, 0, ?)", ("0" * 64,))
    db.execute(f"PRAGMA application_id = {APPLICATION}")
    db.execute(f"PRAGMA user_version = {FORMAT}")


def found(db: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """What a file holds, in SQL: a trigger or an altered view could make a good chain lie."""
    query = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    return sorted(db.execute(query).fetchall(), key=repr)


@cache
def expected() -> list[tuple[str, str, str]]:
    """What every journal of this format holds."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    try:
        create(db)
        return found(db)
    finally:
        db.close()
