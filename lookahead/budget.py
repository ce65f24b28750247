"""What looking ahead may cost, what it will cost, and what it has cost."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final, cast

from pydantic import Field, ValidationError, field_validator

from lookahead.errors import ConfigError
from lookahead.explain import explain, shown
from lookahead.types import Cost, Noun

_LATEST: Final = 5
_NOTHING: Final = Cost()
_ONE_CALL: Final = Cost(calls=1)
_ACCEPTED: Final = (
    "A budget is the seconds that each decision may take (budget=5), "
    'or limits by name (budget={"seconds": 5, "calls": 20})'
)


class Budget(Noun):
    """Limits for one decision and for the whole run. None: no limit."""

    seconds: float | None = Field(default=30.0, gt=0)
    calls: int | None = Field(default=64, ge=0)
    tokens: int | None = Field(default=None, ge=0)
    run_seconds: float | None = Field(default=None, gt=0)
    run_calls: int | None = Field(default=None, ge=0)
    run_tokens: int | None = Field(default=None, ge=0)
    at_once: int = Field(default=16, ge=1)
    """How many imagined steps may be under way at the same time within one decision."""

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth(cls, given: Any) -> Any:
        if isinstance(given, bool):
            raise ValueError(f"{given} is no number")
        return given

    @classmethod
    def of(cls, given: "Budget | Mapping[str, Any] | float | None") -> "Budget":
        """A budget from what a user may give; a bare number is seconds for each decision."""
        if given is None:
            return cls()
        if isinstance(given, Budget):
            return given
        if isinstance(cast(object, given), bool) or not isinstance(cast(object, given), Mapping | int | float):
            raise ConfigError(f"the budget cannot be understood: {shown(given)} is no budget; {_ACCEPTED}")
        try:
            return cls.model_validate(dict(given) if isinstance(given, Mapping) else {"seconds": given})
        except ValidationError as cause:
            raise ConfigError(f"{explain(cause, 'the budget', cls)}\n{_ACCEPTED}") from cause


class Forecast(Noun):
    """What the next decision would cost at most, said before the first call is made."""

    calls: int
    tokens: int | None = None
    """None when nothing is on record from which to tell."""
    seconds: float | None = None
    basis: str = ""
    usual: Cost | None = None
    """What the latest decisions on this tool did cost, in this run: the best guess, where the others are the bound."""


@dataclass(kw_only=True)
class Experience:
    """What the latest decisions on each tool cost in this run: the best guess at what the next one will."""

    latest: dict[str, deque[Cost]] = field(default_factory=dict[str, deque[Cost]])

    def learn(self, tool: str, cost: Cost) -> None:
        """Only what was paid for teaches something: a call that the rules alone judged costs nothing."""
        if cost.calls or cost.tokens:
            self.latest.setdefault(tool, deque(maxlen=_LATEST)).append(cost)

    def of(self, tool: str) -> Cost | None:
        known = self.latest.get(tool)
        if not known:
            return None
        return Cost(
            calls=round(median(cost.calls for cost in known)),
            tokens=round(median(cost.tokens for cost in known)),
            seconds=median(cost.seconds for cost in known),
        )


_told: Final[ContextVar[list[Cost] | None]] = ContextVar("told", default=None)


@contextmanager
def spending() -> Generator[Callable[[], Cost]]:
    """What is said to be spent within, for verbs whose answer has no place for a cost."""
    costs: list[Cost] = []
    token = _told.set(costs)
    try:
        yield lambda: sum(costs, Cost())
    finally:
        _told.reset(token)


def spend(cost: Cost) -> None:
    """Said by a proposer of what its answer took."""
    costs = _told.get()
    if costs is not None:
        costs.append(cost)


@dataclass(kw_only=True)
class Meter:
    """What a run has spent. Shared by all its decisions, from whatever thread."""

    budget: Budget
    spent: Cost = field(default_factory=Cost)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    """Held from looking at what is left to taking it."""

    def add(self, cost: Cost) -> None:
        with self.lock:
            self.spent = self.spent + cost

    def decision(self) -> "StepMeter":
        return StepMeter(run=self)

    def exhausted(self, under_way: Cost) -> str | None:
        """Which limit of the run has been reached, if any."""
        return _over(
            self.spent + under_way, self.budget.run_calls, self.budget.run_tokens, self.budget.run_seconds, "run"
        )


@dataclass(kw_only=True)
class StepMeter:
    """What one decision has spent. Counted when a call starts, so that calls at the same time cannot overdraw."""

    run: Meter
    spent: Cost = field(default_factory=Cost)

    def start_call(self) -> str | None:
        """Take one call out of the budget; the reason when there is none left."""
        budget = self.run.budget
        with self.run.lock:
            reason = _over(self.spent, budget.calls, budget.tokens, None, "decision") or self.run.exhausted(_NOTHING)
            if reason is None:
                self._add(_ONE_CALL)
        return reason

    def finish_call(self, cost: Cost, seconds: float) -> None:
        if cost.tokens or seconds:
            self._add(Cost(tokens=cost.tokens, seconds=seconds))

    def _add(self, cost: Cost) -> None:
        self.spent = self.spent + cost
        self.run.add(cost)


def _over(spent: Cost, calls: int | None, tokens: int | None, seconds: float | None, whose: str) -> str | None:
    if calls is not None and spent.calls >= calls:
        return f"the {whose}'s budget of {calls} calls is spent"
    if tokens is not None and spent.tokens >= tokens:
        return f"the {whose}'s budget of {tokens} tokens is spent"
    if seconds is not None and spent.seconds >= seconds:
        return f"the {whose}'s budget of {seconds:g} seconds is spent"
    return None


Past = Callable[[str, str], Cost | None]
"""(tool, world) -> the median cost of one imagined step on record, or None."""


def forecast(calls: int, tool: str, world: str, past: Past, *, exact: bool, budget: Budget) -> Forecast:
    """The most that a search of so many calls can cost, from what such calls cost before."""
    calls = calls if budget.calls is None else min(calls, budget.calls)
    known = past(tool, world)
    if known is None:
        return Forecast(
            calls=calls,
            tokens=0 if exact else budget.tokens,
            seconds=budget.seconds,
            basis=f"no imagined step of {tool!r} by {world!r} is on record yet: the budget is the bound",
        )
    tokens = calls * known.tokens
    seconds = calls * known.seconds
    return Forecast(
        calls=calls,
        tokens=tokens if budget.tokens is None else min(tokens, budget.tokens),
        seconds=seconds if budget.seconds is None else min(seconds, budget.seconds),
        basis=f"the median of the imagined steps of {tool!r} by {world!r} on record, one after the other",
    )
