"""How much a world has earned to be believed about a tool."""

import math
import threading
from dataclasses import dataclass, field
from typing import Final

from lookahead.journal import Journal, Tally

Z: Final = 1.959964
"""A 95 % interval, two-sided."""


def wilson(agreed: int, trials: int) -> float:
    """The lower end of the Wilson score interval. Without trials nothing is earned."""
    if trials == 0:
        return 0.0
    share = agreed / trials
    squared = Z * Z
    centre = share + squared / (2 * trials)
    spread = Z * math.sqrt((share * (1 - share) + squared / (4 * trials)) / trials)
    # Rounding must not make nothing right into a little right.
    return 0.0 if agreed == 0 else (centre - spread) / (1 + squared / trials)


@dataclass(frozen=True, kw_only=True)
class Count:
    """How often it was tried and how often it was right."""

    trials: int = 0
    agreed: int = 0


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One world's record on one tool. Calls that change something are another question than calls that do not."""

    tool: str
    world: str
    unchanged: Count = field(default_factory=Count)
    changing: Count = field(default_factory=Count)

    def count(self, changed: bool) -> Count:
        return self.changing if changed else self.unchanged

    def trials(self, changed: bool) -> int:
        return self.count(changed).trials

    def rate(self, changed: bool) -> float:
        """The share that agreed; 0 with no record."""
        count = self.count(changed)
        return count.agreed / count.trials if count.trials else 0.0

    def bound(self, changed: bool) -> float:
        """The lower confidence bound of that share; 0 with no record."""
        count = self.count(changed)
        return wilson(count.agreed, count.trials)


class Ledger:
    """The counts of a journal, kept current with every row that any process appends."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._last = 0
        self._counts: dict[tuple[str, str, bool], Count] = {}

    def standing(self, tool: str, world: str) -> Standing:
        """One world's record on one tool, up to this moment."""
        with self._lock:
            self._catch_up()
            return self._standing(tool, world)

    def standings(self) -> list[Standing]:
        """Every record there is."""
        with self._lock:
            self._catch_up()
            return [self._standing(tool, world) for tool, world in sorted({name[:2] for name in self._counts})]

    def _standing(self, tool: str, world: str) -> Standing:
        nothing = Count()
        return Standing(
            tool=tool,
            world=world,
            unchanged=self._counts.get((tool, world, False), nothing),
            changing=self._counts.get((tool, world, True), nothing),
        )

    def _catch_up(self) -> None:
        last, anew, tallies = self._journal.tallies(self._last)
        if anew:
            self._counts.clear()
        for tally in tallies:
            self._add(tally)
        self._last = last

    def _add(self, tally: Tally) -> None:
        name = (tally.tool, tally.world, tally.changed)
        known = self._counts.get(name, Count())
        self._counts[name] = Count(trials=known.trials + tally.trials, agreed=known.agreed + tally.agreed)
