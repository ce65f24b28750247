"""How the line writes to the journal without holding up the event loop for long."""

from dataclasses import dataclass
from time import perf_counter
from typing import Final

import anyio.to_thread

from lookahead.journal import Entry, Journal

QUICK: Final = 0.002
"""Seconds that a write may hold up the event loop."""


@dataclass(kw_only=True)
class Pen:
    """Writes to the journal: at once on a quick disk, from a worker thread on a slow one.

    Handing a write to another thread costs about as much as an fsync of a good disk; blocking the event loop for a
    bad one costs everybody else.
    """

    journal: Journal
    usual: float = 0.0
    """How long a write takes of late."""

    async def write(self, *entries: Entry) -> None:
        started = perf_counter()
        if self.usual < QUICK:
            self.journal.append(*entries)
        else:
            await anyio.to_thread.run_sync(self.journal.append, *entries)
        self.usual += (perf_counter() - started - self.usual) / 8
