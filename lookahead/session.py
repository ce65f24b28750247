"""One agent's session: what it has done so far, its line, and what a user may ask of both."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Final, cast

import anyio

from lookahead.act import Line, log
from lookahead.budget import Forecast, Meter, forecast
from lookahead.errors import ConfigError
from lookahead.events import Event, Watch, acting
from lookahead.held import Held
from lookahead.host import ToolPath
from lookahead.journal import InDoubt, Journal, Resulted, Written
from lookahead.permit import Answer, Permit, named
from lookahead.search.thinking import name_of
from lookahead.settings import Mode
from lookahead.types import GUARD, Action, Copying, Cost, Observation, State, Step

KEEP: Final = 1000
"""Steps that stay in memory; older ones are on record in the journal, and in the state's digest."""

ROOM: Final = 4_000_000
"""Characters that they may hold together; of more, the older half is left to the record too."""

CONVERSATIONS: Final = 1000
"""So many that an agent leads at once are remembered; an older one begins anew from what its host tells of it."""


@dataclass(kw_only=True)
class Session:
    """What `wrapped.lookahead` is."""

    line: Line
    state: State
    covered: tuple[ToolPath, ...] = ()
    """Every way from the agent to a tool, and what becomes of a call that takes it."""
    watchers: list[Watch] = field(default_factory=list[Watch])
    closers: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    """What to give back at the end: worlds and journals that were opened for this session."""
    start: Callable[[str], None] = lambda run: None
    """Puts the beginning of a conversation on record, together with the first that happens in it."""
    agent: str = ""
    host: str = ""
    """What the agent and its framework are called; empty where they have no name."""
    _conversations: OrderedDict[str, "Session"] = field(default_factory=OrderedDict[str, "Session"], repr=False)
    _spent: Cost = field(default_factory=Cost, repr=False)
    _held: int = field(default=0, repr=False)
    """Characters in the steps that are in memory, or more."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def conversation(self, run: str) -> "Session":
        """The same line for one of several conversations that an agent leads: its own run, state and budget.

        A host that names its conversations names the run after it, and finds after a restart what it kept before.
        """
        with self._lock:
            found = self._conversations.get(run)
            if found is not None:
                self._conversations.move_to_end(run)
                return found
            line = replace(self.line, run=run, meter=Meter(budget=self.line.meter.budget))
            found = Session(line=line, state=State(goal=self.state.goal, tools=self.state.tools), covered=self.covered)
            self._conversations[run] = found
            if len(self._conversations) > CONVERSATIONS:
                _, oldest = self._conversations.popitem(last=False)
                self._spent += oldest.spent
        self.start(run)
        return found

    def over(self, run: str) -> None:
        """That conversation has ended: what it holds in memory is given back, and the record has the rest."""
        with self._lock:
            ended = self._conversations.pop(run, None)
            if ended is not None:
                self._spent += ended.spent

    async def hold(self, action: Action, state: State | None = None) -> Held | Answer:
        """Judged and not begun. A host whose own history is the truth says what has happened so far."""
        return await self.line.hold(state or self.state, action)

    async def keep(self, *held: Held) -> tuple[Held, ...]:
        """On record, while a person who is asked elsewhere takes time to answer."""
        return await self.line.keep(*held)

    async def answered(self, held: Held, *, by: str) -> Held:
        """With the yes of whom the host has asked; without one, it is released as it is, and not done."""
        return await self.line.answered(held, by=by)

    async def release(self, held: Held) -> Permit | Answer:
        """What was held becomes a permit, with its intent on disk, or an answer without anything being done."""
        return self._begun(held.action, await self.line.release(held))

    async def paused(self, permit: Permit, why: str) -> None:
        """The act stopped itself to ask somebody, and will be done anew from its beginning."""
        said = Observation(content=f"not finished: {why}", failed=True, origin=GUARD)
        ended = Resulted(run=self.line.run, call=permit.call, tool=permit.action.tool, observation=said)
        with anyio.CancelScope(shield=True):
            await self.line.pen.write(*permit.unwritten, ended)

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
        """Once something has happened, a cancelled caller must not lose the record of it: the pen sees to that."""
        told = await self.line.finish(permit, observation)
        self._then(permit.action, _with_effects(permit, observation), reads=permit.effect == "reads")
        return told

    def finish_soon(self, permit: Permit, observation: Observation) -> Callable[[], Written]:
        """For a host that answers first, and then calls this: the state goes on at once, the record a little later.

        It is written with the line's next one, or by `line.pen.flush()`; until then a crash leaves a call that changed
        something in doubt, as it should.
        """
        leave = self.line.finish_soon(permit, observation)
        self._then(permit.action, _with_effects(permit, observation), reads=permit.effect == "reads")
        return leave

    def finish_here(self, permit: Permit, observation: Observation) -> None:
        """The same from a thread without an event loop."""
        self.line.finish_here(permit, observation)
        self._then(permit.action, _with_effects(permit, observation), reads=permit.effect == "reads")

    async def failed(self, permit: Permit, error: BaseException) -> None:
        with anyio.CancelScope(shield=True):
            await self.line.failed(permit, error)
        if permit.taken:
            self._then(permit.action, Observation(content=named(error), failed=True))

    def acting(self, permit: Permit) -> AbstractContextManager[None]:
        """Round the real thing, where it is we who call it: whoever watches is told of its beginning and its end."""
        return acting(self.line.watch, self.line.run, permit.decision, permit.action)

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
    def coverage(self) -> tuple[ToolPath, ...]:
        """Every way from the agent to a tool: guarded, blocked, or opaque."""
        return self.covered

    @property
    def journal(self) -> Journal:
        return self.line.journal

    @property
    def run(self) -> str:
        return self.line.run

    @property
    def spent(self) -> Cost:
        with self._lock:
            told = [one.spent for one in self._conversations.values()]
        return sum(told, self.line.meter.spent + self._spent)

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
            keep, size = KEEP, _size(action, observation)
            self._held += size
            if self._held > ROOM:
                keep, self._held = _latest(self.state.steps, size)
            self.state = self.state.then(action, observation, keep=keep, reads=reads)


@dataclass(frozen=True, kw_only=True)
class Off:
    """What `wrapped.lookahead` is where lookahead is switched off: it can be asked the same, and guards nothing."""

    state: State = field(default_factory=State)
    mode: Mode = "off"
    run: str = ""
    covered: tuple[ToolPath, ...] = ()
    coverage: tuple[ToolPath, ...] = ()
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


def _size(action: Action, observation: Observation) -> int:
    return len(observation.content) + _weight(action.arguments) + _weight(observation.structured)


def _weight(value: object) -> int:
    """Characters, roughly: without writing it out, which some numbers refuse."""
    weight, within = 0, [value]
    while within:
        one = within.pop()
        weight += len(one) if isinstance(one, str) else 8
        if isinstance(one, Mapping):
            within += [*cast(Mapping[str, object], one), *cast(Mapping[str, object], one).values()]
        elif isinstance(one, list | tuple):
            within += cast(Sequence[object], one)
        elif isinstance(one, int):
            weight += one.bit_length() // 4
    return weight


def _latest(steps: Sequence[Step], size: int) -> tuple[int, int]:
    """How many of the latest fit beside one more of that size, which is counted, and what they hold together."""
    kept, held = 1, size
    for step in reversed(steps):
        more = _size(step.action, step.observation)
        if kept == KEEP or held + more > ROOM // 2:
            break
        kept, held = kept + 1, held + more
    return kept, held


def _with_effects(permit: Permit, observation: Observation) -> Observation:
    """What a call did, where nobody looked but an exact copy had shown it and all else came out as shown.

    Only for judging what follows, in memory: the record of what happened says what was seen to happen.
    """
    foretold = permit.foretold
    if observation.effects is not None or foretold is None or foretold.origin.kind != "exact":
        return observation
    return observation.model_copy(update={"effects": foretold.effects})
