"""What really came of calls, read from a journal a little further each time that somebody asks."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from lookahead.journal import Call, Journal
from lookahead.types import Observation

FIRST: Final = 32
"""How many of the last calls are looked at first; more, where that does not reach back to what was read before."""
FARTHEST: Final = 20_000
"""How far back a journal is read at the first time."""
_CUT: Final = "\n[lookahead: the journal keeps the first "

Learn: TypeAlias = Callable[[Call, Observation], None]


@dataclass(kw_only=True)
class Past:
    """Hands each real answer on, once, oldest first. Nothing imagined is among them, and nothing that the guard said.

    A call that is still under way when it is read is looked at again the next time.
    """

    journal: Journal
    learn: Learn
    farthest: int = FARTHEST
    _seen: int = 0
    _open: set[str] = field(default_factory=set[str])
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def read_on(self) -> None:
        """Blocks while it reads."""
        with self._lock:
            calls = self._since(self._seen)
            late = self._open - {call.call for call in calls}
            for call in [*(found for name in sorted(late) for found in self.journal.calls(starting=name)), *calls]:
                self._take(call)

    def _since(self, seen: int) -> list[Call]:
        limit = FIRST
        while True:
            calls = self.journal.calls(limit=limit)
            if len(calls) < limit or calls[0].seq <= seen or limit >= self.farthest:
                return [call for call in calls if call.seq > seen]
            limit = min(self.farthest, limit * 8)

    def _take(self, call: Call) -> None:
        self._seen = max(self._seen, call.seq)
        self._open.discard(call.call)
        if call.resulted is not None and call.intended is not None:
            said = call.resulted.observation
            if said.origin.kind == "real":
                self.learn(call, said)
        elif call.status == "running":
            self._open.add(call.call)


def is_whole(said: Observation) -> bool:
    """False where the journal kept only the beginning of a long answer."""
    cut = isinstance(said.structured, dict) and set(said.structured) == {"lookahead.cut"}
    return not cut and _CUT not in said.content
