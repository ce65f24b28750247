"""Says on a terminal that a preview is under way, where that takes longer than a moment."""

import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Final

from lookahead.events import Decided, Event, Judged, Proposed
from lookahead.redact import shared
from lookahead.show import call_line
from lookahead.types import Action

MOMENTS: Final = (1.0, 10.0, 60.0, 600.0)
"""Seconds after which something is said of one call; whoever waits longer knows by then."""

_LOOK: Final = 0.25
"""Seconds between two looks, while something is under way."""


def watched() -> bool:
    """Whether standard error is a terminal, with somebody before it as far as one can know."""
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):
        return False


def on_terminal(line: str) -> None:
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


@dataclass(kw_only=True)
class _Preview:
    action: weakref.ref[Action]
    """Of a call that was given up nobody is told: its action is gone by then."""
    since: float
    said: int = 0


class Progress:
    """Watches lines. Costs a call next to nothing: a thread that looks from time to time does the talking."""

    def __init__(
        self,
        write: Callable[[str], None] = on_terminal,
        *,
        clock: Callable[[], float] = monotonic,
        moments: tuple[float, ...] = MOMENTS,
    ) -> None:
        self._write, self._clock, self._moments = write, clock, moments
        self._previews: dict[int, _Preview] = {}
        self._lock = threading.Lock()
        self._looking: threading.Thread | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, Proposed):
            self._begun(event.candidates[0])
        elif isinstance(event, Judged):
            self.over(event.action)
        elif isinstance(event, Decided):
            self.over(event.decision.proposed)

    def over(self, action: Action) -> None:
        """Nobody waits for this preview any more."""
        self._previews.pop(id(action), None)

    def due(self) -> list[str]:
        """What is to be said now."""
        said: list[str] = []
        for key, preview in list(self._previews.items()):
            action = preview.action()
            if action is None or preview.said == len(self._moments):
                self._previews.pop(key, None)
            elif (seconds := self._clock() - preview.since) >= self._moments[preview.said]:
                shown = shared().text(call_line(action, 60))
                lasting = f", for {seconds:.0f} s by now" if preview.said else ""
                said.append(f"lookahead: looking what would come of {shown}{lasting} …")
                preview.said += 1
        return said

    def _begun(self, action: Action) -> None:
        self._previews[id(action)] = _Preview(action=weakref.ref(action), since=self._clock())
        with self._lock:
            # Threads do not survive a fork.
            if self._looking is None or not self._looking.is_alive():
                self._looking = threading.Thread(target=self._look, name="lookahead progress", daemon=True)
                self._looking.start()

    def _look(self) -> None:
        while True:
            for line in self.due():
                self._write(line)
            with self._lock:
                if not self._previews:
                    self._looking = None
                    return
            sleep(_LOOK)


progress: Final = Progress()
"""The one of this process: there is one terminal."""
