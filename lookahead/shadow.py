"""Shadow mode: the real answer at once; beside it the imagined one, compared with it and written down.

This is how a world earns its record before it may hold anything up.
"""

import logging
import threading
from dataclasses import dataclass, field
from typing import Final

from lookahead.errors import LookaheadError
from lookahead.guard import Guard
from lookahead.journal import Foreseen, Journal
from lookahead.ledger import agree
from lookahead.planner import Outcome
from lookahead.policy import Ruling
from lookahead.types import Action, Decision, Observation, State

log: Final = logging.getLogger("lookahead")

MOST: Final = 64
"""Imaginings that may be under way beside an agent. Past that a call goes uncompared: shadow mode never holds up."""


@dataclass(kw_only=True)
class Foresight:
    """One call: what was imagined and what really came, in whichever order they arrive."""

    shadow: "Shadow"
    state: State
    action: Action
    ruling: Ruling
    call: str
    _outcome: Outcome | None = None
    _real: Observation | None = None
    _done: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def imagined(self, outcome: Outcome | None) -> None:
        """None: the imagining itself broke, and there is nothing to compare."""
        with self._lock:
            self._outcome = outcome
            broken = outcome is None
        self._settle(given_up=broken)

    def happened(self, observation: Observation | None) -> None:
        """None: nobody knows what came of the call, so nothing can be compared with it."""
        with self._lock:
            self._real = observation
            unknown = observation is None
        self._settle(given_up=unknown)

    def _settle(self, *, given_up: bool) -> None:
        with self._lock:
            ready = self._outcome is not None and self._real is not None
            if self._done or not (ready or given_up):
                return
            self._done = True
        try:
            if self._outcome is not None and self._real is not None:
                self.shadow.compare(self, self._outcome, self._real)
        except LookaheadError:
            log.exception("what was imagined of call %s could not be recorded", self.call)
        finally:
            self.shadow.leave()


@dataclass(kw_only=True)
class Shadow:
    """The imaginings of one run that are under way beside it."""

    guard: Guard
    journal: Journal
    run: str
    skipped: int = 0
    _pending: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _idle: threading.Condition = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._idle = threading.Condition(self._lock)

    def enter(self, state: State, action: Action, ruling: Ruling, call: str) -> Foresight | None:
        """A place for one more, or None when there are too many under way already."""
        with self._lock:
            if self._pending >= MOST:
                self.skipped += 1
                return None
            self._pending += 1
        return Foresight(shadow=self, state=state, action=action, ruling=ruling, call=call)

    def leave(self) -> None:
        with self._lock:
            self._pending -= 1
            self._idle.notify_all()

    def settle(self, seconds: float | None = None) -> bool:
        """Wait until nothing is under way; False when that took too long."""
        with self._lock:
            return self._idle.wait_for(lambda: self._pending == 0, seconds)

    def compare(self, foresight: Foresight, outcome: Outcome, real: Observation) -> None:
        decision = self.guard.decide(foresight.state, foresight.action, foresight.ruling, outcome)
        steps = outcome.proposed.rollout.steps
        imagined = steps[0].observation if steps else None
        self.journal.append(
            Foreseen(
                run=self.run,
                call=foresight.call,
                tool=foresight.action.tool,
                decision=decision,
                agreement=agree(imagined, real) if imagined else None,
                world=imagined.origin.world if imagined else None,
            )
        )


def would(decision: Decision) -> str:
    """What the guard would have done, in a few words."""
    return f"the guard would {decision.choice} ({decision.rule}): {decision.reason}"
