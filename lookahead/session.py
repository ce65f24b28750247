"""One agent's session: what it has done so far, its line, and what a user may ask of both."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import anyio

from lookahead.act import Line, log
from lookahead.budget import Forecast, forecast
from lookahead.errors import ConfigError
from lookahead.events import Event, Watch
from lookahead.journal import InDoubt, Journal
from lookahead.permit import Answer, Permit, named
from lookahead.search.thinking import name_of
from lookahead.settings import Mode
from lookahead.types import Action, Copying, Cost, Observation, State

KEEP: Final = 1000
"""Steps that stay in memory; older ones are on record in the journal, and in the state's digest."""


@dataclass(kw_only=True)
class Session:
    """What `wrapped.lookahead` is."""

    line: Line
    state: State
    covered: tuple[str, ...] = ()
    """The tools whose every call walks the line."""
    watchers: list[Watch] = field(default_factory=list[Watch])
    closers: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    """What to give back at the end: worlds and journals that were opened for this session."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    async def begin(self, action: Action) -> Permit | Answer:
        return self._begun(action, await self.line.begin(self.state, action))

    def begin_here(self, action: Action) -> Permit | Answer:
        """The same from a thread without an event loop."""
        return self._begun(action, self.line.begin_here(self.state, action))

    def _begun(self, action: Action, begun: Permit | Answer) -> Permit | Answer:
        if isinstance(begun, Answer) and begun.observation.imagined:
            # A dry run goes on from what was imagined.
            self._then(begun.decision.chosen or action, begun.observation)
        return begun

    async def finish(self, permit: Permit, observation: Observation) -> Observation:
        """Shielded: once something has happened, a cancelled caller must not lose the record of it."""
        told = observation
        with anyio.CancelScope(shield=True):
            told = await self.line.finish(permit, observation)
        self._then(permit.action, _with_effects(permit, observation), reads=permit.effect == "reads")
        return told

    def finish_here(self, permit: Permit, observation: Observation) -> None:
        """The same from a thread without an event loop."""
        self.line.finish_here(permit, observation)
        self._then(permit.action, _with_effects(permit, observation), reads=permit.effect == "reads")

    async def failed(self, permit: Permit, error: BaseException) -> None:
        with anyio.CancelScope(shield=True):
            await self.line.failed(permit, error)
        if permit.taken:
            self._then(permit.action, Observation(content=named(error), failed=True))

    def watch(self, watcher: Watch) -> None:
        """Be told of everything that is proposed, imagined, judged, decided and done, as it happens."""
        self.watchers.append(watcher)

    def tell(self, event: Event) -> None:
        for watcher in self.watchers:
            try:
                watcher(event)
            except Exception:
                log.exception("a watcher failed; the line goes on without it")

    def forecast(self, tool: str | None = None) -> Forecast:
        """What looking ahead of the next call would cost at most, before anything is imagined."""
        world = self.line.planner.imagine
        if world is None or self.line.mode == "off":
            return Forecast(calls=0, tokens=0, seconds=0.0, basis="there is no world to ask")
        known = self.state.tool(tool) if tool else None
        if known is not None and self.line.guard.policy.effect_of(known.name, known) == "reads":
            return Forecast(calls=0, tokens=0, seconds=0.0, basis=f"{tool!r} only reads: nothing is imagined")
        bound = forecast(
            self.line.planner.search.calls,
            tool or "*",
            name_of(world),
            self.journal.cost,
            exact=isinstance(world, Copying),
            budget=self.line.meter.budget,
        )
        usual = self.line.experience.of(tool) if tool else None
        return bound if usual is None else bound.model_copy(update={"usual": usual})

    @property
    def mode(self) -> Mode:
        return self.line.mode

    @property
    def coverage(self) -> tuple[str, ...]:
        return self.covered

    @property
    def journal(self) -> Journal:
        return self.line.journal

    @property
    def run(self) -> str:
        return self.line.run

    @property
    def spent(self) -> Cost:
        return self.line.meter.spent

    @property
    def in_doubt(self) -> Sequence[InDoubt]:
        """Calls, of any run in this journal, of which nobody knows whether they happened."""
        return self.journal.in_doubt()

    def settle(self, seconds: float | None = None) -> bool:
        """In shadow mode: wait until everything that is being imagined beside the agent is on record."""
        return self.line.shadow.settle(seconds)

    def close(self) -> None:
        """Give back what the session holds. The journal stays readable on disk."""
        while self.closers:
            self.closers.pop()()

    def _then(self, action: Action, observation: Observation, *, reads: bool = False) -> None:
        with self._lock:
            self.state = self.state.then(action, observation, keep=KEEP, reads=reads)


@dataclass(frozen=True, kw_only=True)
class Off:
    """What `wrapped.lookahead` is where lookahead is switched off: it can be asked the same, and guards nothing."""

    state: State = field(default_factory=State)
    mode: Mode = "off"
    run: str = ""
    covered: tuple[str, ...] = ()
    coverage: tuple[str, ...] = ()
    spent: Cost = field(default_factory=Cost)
    in_doubt: Sequence[InDoubt] = ()

    @property
    def journal(self) -> Journal:
        raise ConfigError(
            "lookahead is switched off, so nothing is recorded and no journal is open; Journal(PATH) opens one"
        )

    def watch(self, watcher: Watch) -> None:
        """Nothing is ever told: there is nothing to watch."""

    def forecast(self, tool: str | None = None) -> Forecast:
        return Forecast(calls=0, tokens=0, seconds=0.0, basis="lookahead is switched off")

    def settle(self, seconds: float | None = None) -> bool:
        return True

    def close(self) -> None:
        pass


def _with_effects(permit: Permit, observation: Observation) -> Observation:
    """What a call did, where nobody looked but an exact copy had shown it and all else came out as shown.

    Only for judging what follows, in memory: the record of what happened says what was seen to happen.
    """
    foretold = permit.foretold
    if observation.effects is not None or foretold is None or foretold.origin.kind != "exact":
        return observation
    return observation.model_copy(update={"effects": foretold.effects})
