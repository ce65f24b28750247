"""How the line writes to the journal without holding up the event loop for long."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import get_ident
from time import perf_counter
from typing import Final

import anyio
import anyio.lowlevel
import anyio.to_thread

from lookahead.journal import MEMORY, Entry, Journal, Written

QUICK: Final = 0.002
"""Seconds that a write may hold up the event loop."""
TURNS: Final = 4
"""So many turns of the event loop a write waits for its siblings: far less than the disk takes."""


@dataclass(kw_only=True)
class Pen:
    """Writes to the journal: at once on a quick disk, from a worker thread on a slow one.

    Handing a write to another thread costs about as much as an fsync of a good disk; blocking the event loop for a
    bad one costs everybody else. Calls that are made at the same time come here at the same time: they are written
    together, and wait for the disk once.
    """

    journal: Journal
    usual: float = 0.0
    """How long a write takes of late."""
    expected: set[str] = field(default_factory=set[str])
    """Calls that are under way, and so may soon have something to write. A guess: who does not come is forgotten."""
    _waiting: dict[int, list[Written]] = field(default_factory=dict[int, list[Written]], repr=False)
    """By the thread whose event loop they wait on."""

    async def write(self, *entries: Entry, unless: Callable[[], Entry] | None = None) -> None:
        """On the disk when this returns, together with what siblings write.

        What happened is written also where the writer was cancelled while it waited for them. What is only about to
        happen is not, given `unless`: that is written where it is on record already, and takes it back.
        """
        if len(self.expected) > 1 and (self.usual < QUICK or self.journal.path == MEMORY):
            wanted = Written(entries=entries)
            await self._with_siblings(wanted, unless)
            wanted.result()
            return
        started = perf_counter()
        if self.usual < QUICK or self.journal.path == MEMORY:
            self.journal.append(*entries)
        else:
            # Siblings meet there: whoever has its turn writes for all who wait.
            with anyio.CancelScope(shield=unless is None):
                await anyio.to_thread.run_sync(self.journal.append, *entries)
        self._learn(started)

    async def flush(self) -> None:
        """What was left to be written with something else is on the disk, or ended with its own error."""
        started = perf_counter()
        if self.usual < QUICK or self.journal.path == MEMORY:
            self.journal.flush()
        else:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self.journal.flush)
        self._learn(started)

    async def _with_siblings(self, wanted: Written, unless: Callable[[], Entry] | None) -> None:
        waiting = self._waiting.setdefault(get_ident(), [])
        waiting.append(wanted)
        try:
            for turn in range(TURNS + 1):
                if wanted.done:
                    return
                if len(waiting) >= len(self.expected) or turn == TURNS:
                    break
                await anyio.lowlevel.cancel_shielded_checkpoint()
        except BaseException:
            # Cancelled by other means than a scope.
            if unless is None and not wanted.done:
                self._all(waiting)
            elif wanted.done and wanted.error is None and unless is not None:
                self.journal.append(unless())
            elif not wanted.done:
                waiting.remove(wanted)
            raise
        if len(waiting) == 1:
            self.expected.clear()
        self._all(waiting)

    def _all(self, waiting: list[Written]) -> None:
        taken = waiting[:]
        waiting.clear()
        started = perf_counter()
        self.journal.put(*taken)
        self._learn(started)

    def _learn(self, started: float) -> None:
        self.usual += (perf_counter() - started - self.usual) / 8
