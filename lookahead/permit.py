"""What comes out of deciding: leave to do one action once, or an answer without anything being done."""

import threading
from dataclasses import dataclass, field
from time import monotonic, perf_counter

from lookahead.errors import PermitError
from lookahead.journal import Entry
from lookahead.refusal import refusal
from lookahead.shadow import Foresight
from lookahead.show import call_line
from lookahead.types import GUARD, Action, Decision, Observation, Tool, ToolEffect


@dataclass(kw_only=True)
class Permit:
    """Leave to do one action once. Without one, nothing real is called; with one, nothing else is."""

    call: str
    decision: Decision
    action: Action
    digest: str
    tool: Tool | None
    effect: ToolEffect
    expires: float
    """By the monotonic clock: an old decision was judged in an old world."""
    unwritten: tuple[Entry, ...] = ()
    """What a call that only reads writes together with its result: one transaction, not waiting for the disk."""
    started: float = 0.0
    foretold: Observation | None = None
    """What was imagined to come back, where it then did."""
    foresight: Foresight | None = None
    """In shadow mode: what is being imagined beside the act."""
    _taken: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def take(self, action: Action) -> Action:
        """Use it up. What is handed back is what may run; anything but the call that was judged raises."""
        with self._lock:
            if self._taken:
                raise PermitError(f"the permit for call {self.call} was used already: nothing runs twice")
            if action.digest != self.digest:
                raise PermitError(
                    f"call {self.call} is not the call that was judged: it changed since; propose it again"
                )
            if monotonic() > self.expires:
                raise PermitError(f"the decision on call {self.call} is too old; propose it again")
            self._taken = True
        self.started = perf_counter()
        return action

    @property
    def taken(self) -> bool:
        return self._taken


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the agent gets without anything being done: a refusal, a recorded answer, an imagined one."""

    observation: Observation
    decision: Decision


def refused(decision: Decision, how: str | None = None) -> Observation:
    """A refusal as the agent gets it."""
    return Observation(content=refusal(decision, how), failed=True, origin=GUARD, effects=())


def with_notice(decision: Decision, observation: Observation) -> Observation:
    """A swapped call answers a question that the agent did not ask, so the answer says which."""
    if decision.choice != "swap" or decision.chosen is None:
        return observation
    notice = swap_notice(decision)
    return observation.model_copy(update={"content": f"{notice}\n{observation.content}"})


def swap_notice(decision: Decision) -> str:
    assert decision.chosen is not None
    return f"[lookahead] did {call_line(decision.chosen)} instead of {call_line(decision.proposed)}: {decision.reason}"


def named(error: BaseException) -> str:
    """An error in one line; one that cannot say what it is must not hide what happened."""
    try:
        said = str(error)
    except Exception:
        said = ""
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def approvable(decision: Decision) -> bool:
    """Whether a person may allow it after all. What the policy denies only the policy can allow; what may have
    happened already must be settled first."""
    if decision.rule.startswith("doubt:"):
        return False
    return decision.choice == "ask" or (decision.choice == "veto" and bool(decision.considered))
