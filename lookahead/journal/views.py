"""What can be asked of a journal. Everything here is a view of its rows, inside the caller's transaction."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, cast

from lookahead.journal.capture import read
from lookahead.journal.chain import HEAD, last_pruned
from lookahead.journal.entries import (
    Approval,
    Decided,
    Foreseen,
    Granted,
    Intended,
    Interrupted,
    Resolved,
    Resulted,
    Started,
    Tally,
)
from lookahead.journal.pruning import added, tallies
from lookahead.types import GUARD, Action, Cost, Noun, Observation, ToolEffect

Status: TypeAlias = Literal[
    "refused", "imagined", "running", "done", "failed", "in doubt", "happened", "did not happen"
]

Names: TypeAlias = tuple[str, str]
"""What a call is looked up by: its name as it is written today, and as older journals have it."""

SKEW: Final = 60.0
"""Seconds by which a clock may have been set back since an approval; further back, nobody knows how old it is."""
OLDEST: Final = 86400.0
NEAR: Final = 1000
"""An approval that was overtaken is worth a word for a day, where its question stands so many rows before it."""
RECENT: Final = 300
"""How many of the last decisions are looked through for what imagining costs."""


class InDoubt(Noun):
    """A call that may have happened: its intent is on record and its result is not."""

    run: str
    call: str
    call_id: str | None = None
    action: Action
    action_digest: str
    effect: ToolEffect
    at: float
    why: str


class Transition(Noun):
    """What really came of an action: for replay and for training."""

    run: str
    call: str
    state: str
    action: Action
    observation: Observation


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call with all that is known of it."""

    seq: int
    at: float
    run: str
    call: str
    status: Status
    decided: Decided
    intended: Intended | None = None
    resulted: Resulted | None = None
    foreseen: Foreseen | None = None
    interrupted: Interrupted | None = None
    resolved: Resolved | None = None


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of an agent."""

    run: str
    at: float
    started: Started
    calls: int


def in_doubt(db: sqlite3.Connection) -> list[InDoubt]:
    """Every call without an end whose process is gone, or that was cut off."""
    return _doubts(db, "SELECT seq FROM open ORDER BY seq", ())


def is_open(db: sqlite3.Connection, *, key: str | None = None, call: str | None = None) -> bool:
    """Whether an intent, of this action or of this call, has no end yet: mostly not, so this is asked first."""
    column, value = ("key", key) if call is None else ("call", call)
    return db.execute(f"SELECT 1 FROM open WHERE {column} = ? LIMIT 1", (value,)).fetchone() is not None


def doubtful(db: sqlite3.Connection, action_digest: str) -> list[InDoubt]:
    """The same, about one very action."""
    return _doubts(db, "SELECT seq FROM open WHERE key = ? ORDER BY seq", (action_digest,))


def _doubts(db: sqlite3.Connection, which: str, arguments: tuple[str, ...]) -> list[InDoubt]:
    found: list[InDoubt] = []
    for at, body in db.execute(f"SELECT at, body FROM rows WHERE seq IN ({which}) ORDER BY seq", arguments):
        intended = cast(Intended, read(body))
        why = why_in_doubt(db, intended)
        if why is not None:
            doubt = InDoubt(
                run=intended.run,
                call=intended.call,
                call_id=intended.call_id,
                action=intended.action,
                action_digest=intended.action_digest,
                effect=intended.effect,
                at=at,
                why=why,
            )
            found.append(doubt)
    return found


def why_in_doubt(db: sqlite3.Connection, intended: Intended) -> str | None:
    cut = _entry(db, "interrupted", intended.call)
    if cut is not None:
        return f"it was cut off: {cast(Interrupted, cut).why}"
    running = intended.owner.running() if intended.owner else None
    if running is None:
        return "its process cannot be seen from here: it may still be running"
    return None if running else "its process ended before the result was recorded"


def named(db: sqlite3.Connection, names: Names) -> bool:
    """Whether anything is on record of a call of this name: mostly not, so this is asked first."""
    query = "SELECT 1 FROM rows WHERE name IN (?, ?) AND kind IN ('intended', 'decided') LIMIT 1"
    return db.execute(query, names).fetchone() is not None


def finished(db: sqlite3.Connection, run: str, names: Names, action_digest: str) -> Observation | None:
    """The answer on record to this very call of this run, if it was made."""
    query = """
        SELECT call FROM rows WHERE kind = 'intended' AND name IN (:name, :old) AND run = :run AND key = :key
        UNION SELECT call FROM rows WHERE kind = 'decided' AND name IN (:name, :old) AND run = :run AND key = :key
    """
    calls = [
        call for (call,) in db.execute(query, {"name": names[0], "old": names[1], "run": run, "key": action_digest})
    ]
    answers: list[tuple[int, Observation]] = []
    for call in calls:
        for seq, body in db.execute("SELECT seq, body FROM rows WHERE kind = 'resulted' AND call = ?", (call,)):
            observation = cast(Resulted, read(body)).observation
            if observation.origin.kind != "guard":
                answers.append((seq, observation))
        for seq, body in db.execute("SELECT seq, body FROM rows WHERE kind = 'resolved' AND call = ?", (call,)):
            settled = cast(Resolved, read(body))
            if settled.happened:
                answers.append((seq, _confirmed(settled)))
    return max(answers, key=lambda answer: answer[0])[1] if answers else None


def begun(db: sqlite3.Connection, run: str, names: Names, action_digest: str) -> list[Intended]:
    """What was begun to answer this call of this run and has not ended: itself, or what is done in its place."""
    query = """
        SELECT rows.body FROM rows JOIN open USING (seq) WHERE open.call IN (
            SELECT call FROM rows WHERE kind = 'intended' AND name IN (:name, :old) AND run = :run AND key = :key
            UNION SELECT call FROM rows WHERE kind = 'decided' AND name IN (:name, :old) AND run = :run AND key = :key
        )
    """
    found = db.execute(query, {"name": names[0], "old": names[1], "run": run, "key": action_digest}).fetchall()
    return [cast(Intended, read(body)) for (body,) in found]


def _confirmed(settled: Resolved) -> Observation:
    said = f"This call was made, and {settled.by} confirmed that it happened; what it answered was lost."
    return Observation(content=said, origin=GUARD)


def approval(db: sqlite3.Connection, binding: str, now: float) -> Approval | None:
    """An approval of exactly this that nobody has used and that has not run out; the one that lives longest."""
    query = """
        SELECT g.body FROM rows AS g WHERE g.kind = 'granted' AND g.key = ?
            AND NOT EXISTS (SELECT 1 FROM rows AS s WHERE s.kind = 'spent' AND s.key = g.name)
    """
    found = [cast(Granted, read(body)).approval for (body,) in db.execute(query, (binding,))]
    alive = [one for one in found if one.granted_at - SKEW <= now < one.expires_at]
    return max(alive, key=lambda one: one.expires_at, default=None)


def kept(db: sqlite3.Connection, run: str, names: Names, action_digest: str, since: float) -> Decided | None:
    """The newest decision on this call that nothing has come of yet, where it is to be done or to be asked about."""
    query = """
        SELECT body FROM rows AS d WHERE kind = 'decided' AND name IN (?, ?) AND run = ? AND key = ? AND at >= ?
            AND NOT EXISTS (SELECT 1 FROM rows AS i WHERE i.call = d.call AND i.kind = 'intended')
        ORDER BY seq DESC LIMIT 1
    """
    found = db.execute(query, (*names, run, action_digest, since)).fetchone()
    decided = cast(Decided, read(found[0])) if found else None
    return decided if decided is not None and decided.decision.choice in ("ask", "run") else None


def overtaken(db: sqlite3.Connection, action_digest: str, now: float) -> tuple[Approval, Decided] | None:
    """The last living, unused approval of this call, whatever state it was given in, and what was judged then."""
    query = """
        SELECT g.seq, g.key, g.body FROM rows AS g WHERE g.kind = 'granted' AND g.at > ?
            AND NOT EXISTS (SELECT 1 FROM rows AS s WHERE s.kind = 'spent' AND s.key = g.name)
        ORDER BY g.seq DESC LIMIT ?
    """
    judged = """
        SELECT body FROM rows WHERE seq BETWEEN ? AND ? AND kind = 'decided' AND key = ?
            AND json_extract(body, '$.binding') = ?
    """
    for seq, binding, body in db.execute(query, (now - OLDEST, RECENT)).fetchall():
        given = cast(Granted, read(body)).approval
        if not given.granted_at - SKEW <= now < given.expires_at:
            continue
        found = db.execute(judged, (seq - NEAR, seq, action_digest, binding)).fetchone()
        if found is not None:
            return given, cast(Decided, read(found[0]))
    return None


def waiting(db: sqlite3.Connection, now: float) -> list[Decided]:
    """Refused calls that a person could still allow; of the same call in the same state only the last."""
    query = """
        SELECT max(seq), body FROM rows
        WHERE kind = 'decided' AND json_extract(body, '$.binding') IS NOT NULL
        GROUP BY json_extract(body, '$.binding') ORDER BY 1
    """
    return [decided for _, body in db.execute(query) if _waits(db, decided := cast(Decided, read(body)), now)]


def _waits(db: sqlite3.Connection, decided: Decided, now: float) -> bool:
    if decided.binding is None or decided.decision.choice not in ("veto", "ask") or decided.decision.chosen is not None:
        return False
    if approval(db, decided.binding, now) is not None:
        return False
    used = """
        SELECT 1 FROM approvals WHERE binding = ? AND spent_on IS NOT NULL
            AND seq > (SELECT seq FROM rows WHERE kind = 'decided' AND call = ?)
    """
    return db.execute(used, (decided.binding, decided.call)).fetchone() is None


def calls(db: sqlite3.Connection, run: str | None, starting: str, limit: int | None) -> list[Call]:
    """Calls, oldest first; with a limit, the last so many."""
    query = """
        SELECT seq, at, body FROM rows
        WHERE kind = 'decided' AND run = ifnull(:run, run) AND substr(call, 1, length(:starting)) = :starting
        ORDER BY seq DESC LIMIT :limit
    """
    asked = {"run": run, "starting": starting, "limit": -1 if limit is None else limit}
    return [_call(db, *found) for found in reversed(db.execute(query, asked).fetchall())]


def _call(db: sqlite3.Connection, seq: int, at: float, body: str) -> Call:
    decided = cast(Decided, read(body))
    intended = cast(Intended | None, _entry(db, "intended", decided.call))
    resulted = cast(Resulted | None, _entry(db, "resulted", decided.call))
    foreseen = cast(Foreseen | None, _entry(db, "foreseen", decided.call))
    interrupted = cast(Interrupted | None, _entry(db, "interrupted", decided.call))
    resolved = cast(Resolved | None, _entry(db, "resolved", decided.call))
    if resulted is not None:
        status: Status = "failed" if resulted.observation.failed else "done"
    elif resolved is not None:
        status = "happened" if resolved.happened else "did not happen"
    elif intended is not None:
        status = "running" if why_in_doubt(db, intended) is None else "in doubt"
    elif decided.decision.chosen is not None:
        status = "imagined"
    else:
        status = "refused"
    return Call(
        seq=seq,
        at=at,
        run=decided.run,
        call=decided.call,
        status=status,
        decided=decided,
        intended=intended,
        resulted=resulted,
        foreseen=foreseen,
        interrupted=interrupted,
        resolved=resolved,
    )


def _entry(db: sqlite3.Connection, kind: str, call: str) -> object:
    # The kind is written out, not bound: otherwise the partial index for it would not be used.
    found = db.execute(f"SELECT body FROM rows WHERE kind = '{kind}' AND call = ? ORDER BY seq DESC LIMIT 1", (call,))
    row = found.fetchone()
    return read(row[0]) if row else None


def runs(db: sqlite3.Connection) -> list[Run]:
    """Runs, oldest first. One that went on after a restart is one run."""
    query = """
        SELECT min(s.seq), s.at, s.body, ifnull(d.calls, 0) FROM rows AS s
        LEFT JOIN (SELECT run, count(*) AS calls FROM rows WHERE kind = 'decided' GROUP BY run) AS d ON d.run = s.run
        WHERE s.kind = 'started' GROUP BY s.run ORDER BY 1
    """
    found: list[Run] = []
    for _, at, body, count in db.execute(query):
        started = cast(Started, read(body))
        found.append(Run(run=started.run, at=at, started=started, calls=count))
    return found


def transitions(db: sqlite3.Connection, tool: str | None) -> list[Transition]:
    """What really happened, oldest first; nothing imagined is among it."""
    where = "" if tool is None else "WHERE tool = ?"
    query = f"SELECT run, call, state, action, observation FROM transitions {where} ORDER BY seq"
    return [
        Transition(
            run=run,
            call=call,
            state=state,
            action=Action.model_validate(json.loads(action)),
            observation=Observation.model_validate(json.loads(observation)),
        )
        for run, call, state, action, observation in db.execute(query, () if tool is None else (tool,))
    ]


def costs(db: sqlite3.Connection, world: str, tool: str | None) -> list[Cost]:
    """What the latest imagined steps by this world cost, of this tool or of all, oldest first."""
    query = """
        SELECT cost FROM imagined WHERE tool = ifnull(?, tool) AND world = ? AND seq >= (
            SELECT ifnull(min(seq), 0) FROM (SELECT seq FROM rows WHERE kind = 'decided' ORDER BY seq DESC LIMIT ?)
        ) ORDER BY seq
    """
    return [Cost.model_validate(json.loads(cost)) for (cost,) in db.execute(query, (tool, world, RECENT))]


def last(db: sqlite3.Connection) -> int:
    """The number of the last row."""
    return db.execute(HEAD).fetchone()[0]


def counted(db: sqlite3.Connection, after: int) -> tuple[int, bool, tuple[Tally, ...]]:
    """The last row; whether the count begins anew, because rows were pruned after that one; and the counts."""
    newest = last(db)
    if newest == after:
        return newest, False, ()
    pruned = db.execute("SELECT max(seq) FROM rows WHERE kind = 'pruned'").fetchone()[0]
    anew = pruned is not None and pruned > after
    earlier = last_pruned(db) if anew else None
    return newest, anew, added(earlier.tallies if earlier else (), tallies(db, "seq > ?", 0 if anew else after))
