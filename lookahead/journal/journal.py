"""The journal: the one store of what was imagined, decided, intended and done."""

import os
import sqlite3
import statistics
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from time import time
from typing import Final, Self, TextIO

from lookahead.errors import JournalError, PermitError, boundary
from lookahead.journal import chain, portable, pruning, views
from lookahead.journal.capture import Redact, captured, outer_names, read, storable
from lookahead.journal.chain import Row, Verification
from lookahead.journal.entries import (
    Approval,
    Decided,
    Entry,
    Granted,
    Intended,
    Pruned,
    Resolved,
    Resulted,
    Spent,
    Started,
    Tally,
)
from lookahead.journal.store import MEMORY, Store
from lookahead.journal.together import Together, Unfit, Written
from lookahead.journal.views import Call, InDoubt, Run, Transition
from lookahead.types import Cost, Observation, Tool

ANY: Final = "*"
"""In the place of a tool's name: every tool."""


class Journal:
    """One file, for all threads and for several processes. What is appended is on the disk when `append` returns.

    Of calls that only read it is in the file by then, which outlives this process; the disk is not waited for.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        redact: Redact | None = None,
        patience: float = 5.0,
        readonly: bool = False,
        clock: Callable[[], float] = time,
    ) -> None:
        self.path = os.fspath(path)
        self._redact = _redactor() if redact is None else redact
        self._clock = clock
        self._store = Store(self.path, patience=patience, readonly=readonly)
        self._waiting: dict[str, Started] = {}
        self._together = Together(turn=self._store.turn)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def start(
        self, run: str, *, goal: str, mode: str, world: str, policy: str, tools: Sequence[Tool], late: bool = False
    ) -> None:
        """A run begins, or goes on after a restart. With `late` that is written with the first that happens in it."""
        started = Started(run=run, goal=goal, mode=mode, world=world, policy=policy, tools=tuple(tools))
        if late:
            self._waiting[run] = started
        else:
            self.append(started)

    def append(self, *entries: Entry) -> None:
        """All of them on the disk, with at most one fsync, or none and a `JournalError`."""
        wanted = Written(entries=entries)
        self.put(wanted)
        wanted.result()

    def leave(self, *entries: Entry) -> Written:
        """To be written soon, and nobody waits: with whatever is written next, before it, or by `flush`."""
        left = Written(entries=entries)
        self._together.leave(left)
        return left

    def flush(self) -> None:
        """What was left is on the disk when this returns, or ended with an error of its own."""
        if self._together.left:
            self._together.put((), self._write)

    def put(self, *wanted: Written) -> None:
        """For several writers at once, with one fsync for them all. An error of one of them is its own."""
        if any(isinstance(entry, Pruned) for one in wanted for entry in one.entries):
            raise JournalError("only prune() can say that rows were pruned")
        self._together.put(wanted, self._write)

    def _write(self, wanted: Sequence[Written]) -> None:
        """In one transaction."""
        taken: list[Started] = []
        one_s_own = True
        try:
            groups = [(*self._begun(one.entries, taken), *one.entries) for one in wanted]
            with boundary(JournalError, f"an entry cannot be recorded in {self.path}"):
                rows = iter(captured([entry for group in groups for entry in group], self._redact))
                one_s_own = False
                with self._store.writing(forced=not all(_only_read(group) for group in groups)) as db:
                    linking = chain.Linking(db, self._clock())
                    one_s_own = True
                    for group in groups:
                        self._append(db, linking, group, list(islice(rows, len(group))))
                    one_s_own = False
                    linking.end()
        except BaseException as error:
            self._waiting.update({started.run: started for started in taken})
            if one_s_own and len(wanted) > 1 and isinstance(error, Exception):
                raise Unfit from error
            raise

    def _begun(self, entries: Sequence[Entry], taken: list[Started]) -> list[Started]:
        """What was to be said of these runs first."""
        if not self._waiting:
            return []
        runs = dict.fromkeys(getattr(entry, "run", "") for entry in entries)
        begun = [started for run in runs if (started := self._waiting.pop(run, None)) is not None]
        taken += begun
        return begun

    def _append(
        self, db: sqlite3.Connection, linking: chain.Linking, entries: Sequence[Entry], rows: list[Row]
    ) -> None:
        # What is done in the place of another call is that call being answered.
        proposed = {
            entry.call: (entry.decision.proposed.call_id, row.key)
            for entry, row in zip(entries, rows, strict=True)
            if isinstance(entry, Decided)
        }
        for entry in entries:
            if isinstance(entry, Resolved):
                _settleable(db, entry)
            elif isinstance(entry, Intended) and entry.effect != "reads":
                call_id, digest = proposed.get(entry.call, (entry.action.call_id, entry.action_digest))
                if call_id is not None:
                    _once(db, entry.run, call_id, digest or "")
        ended = {entry.call for entry in entries if isinstance(entry, Resulted)}
        for entry, row, seq in zip(entries, rows, linking.add(rows), strict=True):
            if isinstance(entry, Intended):
                if entry.call in ended:
                    ended.remove(entry.call)  # begun and ended in one: never open
                else:
                    db.execute("INSERT INTO open (call, key, seq) VALUES (?, ?, ?)", (row.call, row.key, seq))
            elif isinstance(entry, Resolved) or (isinstance(entry, Resulted) and entry.call in ended):
                db.execute(_CLOSED, (row.call, row.call))
            elif isinstance(entry, Spent):
                _spendable(db, entry, linking.at)

    def in_doubt(self) -> list[InDoubt]:
        """Calls that may have happened: their process ended, or they were cut off, before there was a result."""
        with self._store.reading() as db:
            found = views.in_doubt(db)
        return [doubt for doubt in found if self._still_open(doubt.call)]

    def doubtful(self, action_digest: str) -> InDoubt | None:
        """Whether this very call, tool and arguments, is in doubt."""
        with self._store.looking() as db:
            if not views.is_open(db, key=action_digest):
                return None
        with self._store.reading() as db:
            found = views.doubtful(db, action_digest)
        return next((doubt for doubt in found if self._still_open(doubt.call)), None)

    def _still_open(self, call: str) -> bool:
        """Looked at anew: a process that ended since the first look may have recorded its result before it ended."""
        with self._store.looking() as db:
            return views.is_open(db, call=call)

    def named(self, run: str, call_id: str) -> bool:
        """Whether anything is on record of a call of this name in this run. Mostly not, so this is asked first."""
        with self._store.looking() as db:
            return views.named(db, outer_names(call_id, run))

    def finished(self, run: str, call_id: str, action_digest: str) -> Observation | None:
        """The recorded answer to this call of this run. With one, it must not be made again."""
        with self._store.reading() as db:
            return views.finished(db, storable(run), outer_names(call_id, run), action_digest)

    def approval(self, binding: str, now: float) -> Approval | None:
        """An approval with this binding that is neither used nor expired."""
        with self._store.reading() as db:
            return views.approval(db, binding, now)

    def kept(self, run: str, call_id: str, action_digest: str, since: float) -> Decided | None:
        """What was decided about this call of this run since then, and has not begun."""
        with self._store.reading() as db:
            return views.kept(db, storable(run), outer_names(call_id, run), action_digest, since)

    def overtaken(self, action_digest: str, now: float) -> tuple[Approval, Decided] | None:
        """A living, unused approval of this call in whatever state, with what was judged: it holds no more."""
        with self._store.reading() as db:
            return views.overtaken(db, action_digest, now)

    def waiting(self) -> list[Decided]:
        """Refused calls that a person could still allow."""
        with self._store.reading() as db:
            return views.waiting(db, self._clock())

    def calls(self, run: str | None = None, *, starting: str = "", limit: int | None = None) -> list[Call]:
        """Calls whose id starts so, with what became of them, oldest first; with a limit, the last so many."""
        with self._store.reading() as db:
            found = views.calls(db, None if run is None else storable(run), storable(starting), limit)
        return [self._again(call) if call.status == "in doubt" else call for call in found]

    def _again(self, call: Call) -> Call:
        """What looked as if it were in doubt, looked at once more: see `_still_open`."""
        if self._still_open(call.call):
            return call
        with self._store.reading() as db:
            return next((one for one in views.calls(db, None, call.call, None) if one.call == call.call), call)

    def runs(self) -> list[Run]:
        with self._store.reading() as db:
            return views.runs(db)

    def transitions(self, tool: str | None = None) -> list[Transition]:
        """What really came of each action, for replay and training."""
        with self._store.reading() as db:
            return views.transitions(db, tool)

    def costs(self, world: str, tool: str = ANY) -> list[Cost]:
        """What the latest imagined steps of this tool by this world cost."""
        with self._store.reading() as db:
            return views.costs(db, world, None if tool == ANY else tool)

    def cost(self, tool: str, world: str) -> Cost | None:
        """The median of those costs; None when there are none."""
        known = self.costs(world, tool)
        if not known:
            return None
        return Cost(
            calls=round(statistics.median(cost.calls for cost in known)),
            tokens=round(statistics.median(cost.tokens for cost in known)),
            seconds=statistics.median(cost.seconds for cost in known),
        )

    def tallies(self, after: int = 0) -> tuple[int, bool, tuple[Tally, ...]]:
        """What the ledger counts in the rows after this one.

        Returns the last row, whether the count began anew because rows were pruned meanwhile, and the counts.
        """
        with self._store.looking() as db:
            # Mostly nothing is new, and to see that takes one statement.
            if views.last(db) == after:
                return after, False, ()
        with self._store.reading() as db:
            return views.counted(db, after)

    def verify(self, noted: str | None = None) -> Verification:
        """Whether every row is what was written, and none is missing.

        Who can write the file can write all of it anew, or take away its newest rows. What this process wrote or read
        is missed in any case; what nobody remembers, only a head that was noted elsewhere shows.
        """
        seen, lost = self._store.seen()
        with self._store.reading() as db:
            verified = chain.verify(db, noted, seen)
        return verified.model_copy(update={"ok": False, "why": lost}) if lost and verified.ok else verified

    def export(self, out: TextIO) -> int:
        """Write the journal as lines of JSON; returns how many rows."""
        with self._store.reading() as db:
            return portable.export(db, out)

    @classmethod
    def load(
        cls,
        lines: Iterable[str],
        path: str | os.PathLike[str],
        *,
        redact: Redact | None = None,
        head: str | None = None,
    ) -> "Journal":
        """A new journal from exported lines. Given the head, nothing but that very journal is accepted."""
        path = os.fspath(path)
        if path != MEMORY and os.path.lexists(path):
            raise JournalError(f"{path} exists already: an import begins a new file. Name another path")
        journal = cls(path, redact=redact)
        try:
            with boundary(JournalError, "the export cannot be read"), journal._store.writing() as db:
                portable.load(db, lines, head)
        except BaseException:
            journal.close()
            if path != MEMORY:
                with suppress(OSError):
                    os.unlink(path)
            raise
        return journal

    def prune(self, before: float) -> int:
        """Take out the calls that ended before, and what belongs to them; returns how many rows.

        What is open stays: calls in doubt, approvals that can still be used. The ledger's counts stay too. A call id
        that was pruned is forgotten, so prune only what no agent will go on with.
        """
        with self._store.writing() as db:
            pruned = pruning.prune(db, before, self._clock())
            if pruned is None:
                return 0
            chain.link(db, captured([pruned], self._redact), self._clock())
        self._store.compact()
        return pruned.removed

    def close(self) -> None:
        try:
            self.flush()
        finally:
            self._store.close()


def _only_read(entries: Sequence[Entry]) -> bool:
    """Whether these say nothing but what was read: to lose it with the power loses nothing that happened."""
    calls = {entry.call for entry in entries if isinstance(entry, Intended) and entry.effect == "reads"}
    return bool(calls) and all(
        isinstance(entry, Started) or (isinstance(entry, Decided | Intended | Resulted) and entry.call in calls)
        for entry in entries
    )


_CLOSED: Final = """
    DELETE FROM open
    WHERE key = (SELECT key FROM rows WHERE call = ? AND kind = 'intended') AND call = ?
"""


def _settleable(db: sqlite3.Connection, entry: Resolved) -> None:
    """Only a call that is in doubt can be settled: not one that is running, nor one that has a result."""
    found = db.execute("SELECT rows.body FROM open JOIN rows USING (seq) WHERE open.call = ?", (entry.call,)).fetchone()
    if found is None:
        raise JournalError(f"call {entry.call} is not in doubt, so there is nothing to settle")
    intended = read(found[0])
    if isinstance(intended, Intended) and views.why_in_doubt(db, intended) is None:
        raise JournalError(f"call {entry.call} is still running: there is nothing to settle before it ends")


def _once(db: sqlite3.Connection, run: str, call_id: str, action_digest: str) -> None:
    """A call that the agent named is made once in its run: not beside itself, and not after it was answered."""
    names = outer_names(call_id, run)
    if not views.named(db, names):
        return
    run = storable(run)
    if views.finished(db, run, names, action_digest) is not None:
        raise PermitError(f"call {call_id} of this run was done already: nothing runs twice")
    for intended in views.begun(db, run, names, action_digest):
        if views.why_in_doubt(db, intended) is None:
            raise PermitError(f"call {call_id} of this run is under way already: nothing runs twice")


def _spendable(db: sqlite3.Connection, entry: Spent, now: float) -> None:
    """The yes must exist, be alive, and be a yes to this very call."""
    query = "SELECT body FROM rows WHERE kind = 'granted' AND name = ?"
    found = db.execute(query, (entry.approval_id,)).fetchone()
    granted = read(found[0]) if found else None
    if not isinstance(granted, Granted):
        raise PermitError(f"approval {entry.approval_id} was never given")
    if now >= granted.approval.expires_at:
        raise PermitError(f"approval {entry.approval_id} has expired: ask again")
    decided = db.execute("SELECT body FROM rows WHERE kind = 'decided' AND call = ?", (entry.call,)).fetchone()
    judged = read(decided[0]) if decided else None
    if isinstance(judged, Decided) and judged.binding != granted.approval.binding:
        raise PermitError(f"approval {entry.approval_id} was given to another call: it does not hold for {entry.call}")


def _redactor() -> Redact:
    # Its patterns take time to build, which whoever only reads types should not pay.
    from lookahead.redact import shared

    return shared()
