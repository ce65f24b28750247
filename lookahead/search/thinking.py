"""What every search does its thinking with: propose, imagine many futures at once, judge many at once."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final, TypeVar

import anyio

from lookahead.budget import StepMeter, spending
from lookahead.errors import CriticError, NotMyWorld, ProposerError, WorldError, boundary
from lookahead.events import Imagined, Imagining, Judged, Judging, Proposed, Watch
from lookahead.types import (
    Action,
    Considered,
    Cost,
    Critic,
    Environment,
    Observation,
    Origin,
    Proposer,
    Rollout,
    State,
    Step,
    Tool,
    Verdict,
)

T = TypeVar("T")
U = TypeVar("U")

NOT_MY_WORLD: Final = "no world knows this kind of action"
"""How the failure begins where every world abstained; what they said of it follows."""
AGREED: Final = "every candidate is this very call"
"""The failure of a future that was not imagined, because there was nothing to choose: the text is all to judge by."""


@dataclass(kw_only=True)
class Thinking:
    """What a search may do: propose, imagine one more step of many futures at once, judge many at once."""

    imagine: Environment | None
    critic: Critic
    proposer: Proposer | None
    fits: Callable[[Action, Tool], bool]
    meter: StepMeter
    watch: Watch
    depth: int | None
    """As deep as the world's record allows; None: as deep as the search likes."""
    spare: bool = False
    """Whether nothing need be imagined where all candidates are the same call: a world that costs something is asked
    about choices, and about what destroys. A copy costs nothing, and is always looked at."""
    known: dict[str, Considered] = field(default_factory=dict[str, Considered])
    notes: list[str] = field(default_factory=list[str])
    _named: dict[int, tuple[Action, str]] = field(default_factory=dict[int, tuple[Action, str]], repr=False)

    def keep(self, considered: Considered) -> None:
        self.known[self._name(considered.rollout.action)] = considered

    def _name(self, action: Action) -> str:
        """Its digest, worked out once for each candidate. The action is kept, so that no other takes its place."""
        held = self._named.get(id(action))
        if held is None:
            held = self._named[id(action)] = (action, action.digest)
        return held[1]

    def horizon(self, wanted: int) -> int:
        """How deep to look: as asked, or less where the world has not earned it. One step is always imagined."""
        return wanted if self.depth is None else max(1, min(wanted, self.depth))

    async def propose(self, state: State, n: int, own: Proposer | None) -> list[Action]:
        """Up to `n` actions that the agent could take; only its own tools, only arguments that fit them."""
        return self.fitting(state, await self.heard(state, n, own), n)

    async def heard(self, state: State, n: int, own: Proposer | None) -> list[Action]:
        """What a proposer says, whether or not the agent could do it."""
        proposer = own or self.proposer
        if proposer is None or n < 1:
            return []
        with spending() as spent:
            try:
                with boundary(ProposerError, "thinking of alternatives"):
                    return [Action.model_validate(rival) for rival in await proposer(state, n)]
            except ProposerError as cause:
                self.notes.append(str(cause))
                return []
            finally:
                self.meter.finish_call(spent(), spent().seconds)

    def fitting(self, state: State, rivals: Sequence[Action], n: int) -> list[Action]:
        return [rival for rival in rivals if self.may(state, rival)][:n]

    def may(self, state: State, rival: Action) -> bool:
        tool = state.tool(rival.tool)
        if tool is None and state.tools:
            self.notes.append(f"an alternative was dropped: the agent has no tool {rival.tool!r}")
            return False
        if tool is not None and not self.fits(rival, tool):
            self.notes.append(f"an alternative was dropped: its arguments do not fit {rival.tool!r}")
            return False
        return True

    def proposed(self, candidates: Sequence[Action]) -> None:
        for candidate in candidates:
            self.known.setdefault(self._name(candidate), Considered(rollout=Rollout(action=candidate)))
        self.watch(Proposed(candidates=tuple(candidates)))

    async def start(self, state: State, actions: Sequence[Action]) -> list[Rollout]:
        """Imagine the first step of every candidate, all at the same time."""
        return await self.extend(state, [(Rollout(action=action), action) for action in actions])

    async def extend(self, state: State, futures: Sequence[tuple[Rollout, Action]]) -> list[Rollout]:
        """Imagine one more step of every future, all at the same time."""
        limiter = self.limiter(len(futures))
        # Paid for in their order, whichever starts first: where a budget ends, the agent's own action had its share.
        paid = [(*future, self.pay()) for future in futures]
        return await gather(lambda future: self.one(limiter, state, *future), paid)

    def limiter(self, number: int) -> AbstractAsyncContextManager[Any]:
        """So many at the same time as the budget says. One alone has nobody to wait for."""
        return anyio.CapacityLimiter(self.meter.run.budget.at_once) if number > 1 else nullcontext()

    def pay(self) -> str | None:
        """Take one call out of the budget; the reason when there is none left."""
        return self.meter.start_call() if self.imagine is not None else None

    async def one(
        self,
        limiter: AbstractAsyncContextManager[Any],
        state: State,
        rollout: Rollout,
        action: Action,
        refused: str | None,
    ) -> Rollout:
        """One more step of one future, paid for or refused."""
        async with limiter:
            if self.imagine is not None and refused is None:
                self.watch(Imagining(action=rollout.action, step=action, depth=len(rollout.steps)))
            longer = await self._extend(state, rollout, action, refused)
        name = self._name(longer.action)
        known = self.known.get(name)
        if known is None or len(known.rollout.steps) <= len(longer.steps):
            self.known[name] = Considered(rollout=longer)
        self.watch(Imagined(action=longer.action, rollout=longer))
        return longer

    async def judge(self, state: State, rollouts: Sequence[Rollout]) -> list[Considered]:
        """What the critic makes of every future, all at the same time."""
        limiter = self.limiter(len(rollouts))

        async def one(rollout: Rollout) -> Considered:
            if rollout.failure == AGREED:
                return Considered(rollout=rollout)
            async with limiter:
                self.watch(Judging(action=rollout.action))
                verdict = await judged(self.critic, state, rollout)
            self.meter.finish_call(verdict.cost, verdict.cost.seconds)
            considered = Considered(rollout=rollout, verdict=verdict)
            self.keep(considered)
            self.watch(Judged(action=rollout.action, verdict=verdict))
            return considered

        return await gather(one, rollouts)

    async def _extend(self, state: State, rollout: Rollout, action: Action, refused: str | None) -> Rollout:
        if self.imagine is None:
            return rollout.model_copy(update={"failure": NOT_MY_WORLD})
        if refused:
            self.notes.append(refused)
            return rollout.model_copy(update={"failure": refused})
        now = after(state, rollout)
        started = perf_counter()
        with spending() as lost:
            try:
                with boundary(WorldError, f"imagining {action.tool!r}"):
                    observation = Observation.model_validate(await self.imagine(now, action))
            except NotMyWorld as cause:
                return rollout.model_copy(update={"failure": ": ".join(filter(None, (NOT_MY_WORLD, str(cause))))})
            except WorldError as cause:
                self.notes.append(str(cause))
                self.meter.finish_call(lost(), perf_counter() - started)
                return rollout.model_copy(update={"failure": str(cause)})
            except BaseException:
                # Nobody waits any more; what was paid for until then was paid for.
                self.meter.finish_call(lost(), perf_counter() - started)
                raise
        seconds = perf_counter() - started
        cost = Cost(calls=max(1, observation.cost.calls), tokens=observation.cost.tokens, seconds=seconds)
        self.meter.finish_call(cost, seconds)
        said = as_imagined(observation, self.imagine).model_copy(update={"cost": cost})
        return Rollout(
            action=rollout.action,
            steps=(*rollout.steps, Step(action=action, observation=said)),
            failure=rollout.failure,
        )


def after(state: State, rollout: Rollout) -> State:
    """The state at the end of an imagined future."""
    for step in rollout.steps:
        state = state.then(step.action, step.observation)
    return state


def as_imagined(observation: Observation, world: Environment) -> Observation:
    """What a world says did not happen, whatever the world says of it."""
    if observation.imagined:
        return observation
    return observation.model_copy(update={"origin": Origin(kind="model", world=name_of(world))})


def name_of(world: Environment) -> str:
    """What to call a world in the journal: its own name, else that of its function or class."""
    named = getattr(world, "name", None) or getattr(world, "__name__", None) or type(world).__name__
    return str(named)


def merit(considered: Considered) -> tuple[int, float]:
    """Better futures sort higher: first by the worst hazard, then by the score."""
    if considered.verdict is None:
        return (-3, 0.0)
    worst = considered.verdict.worst
    return ({"note": 0, "caution": -1, "danger": -2}[worst.severity] if worst else 0, considered.verdict.score)


def unique(actions: Iterable[Action]) -> list[Action]:
    """Each different call once, in the order first seen."""
    seen: dict[str, Action] = {}
    for action in actions:
        seen.setdefault(action.digest, action)
    return list(seen.values())


async def gather(function: Callable[[T], Awaitable[U]], items: Sequence[T]) -> list[U]:
    """Run `function` over `items` at the same time; one failure cancels the rest and is raised as itself."""
    if len(items) == 1:
        return [await function(items[0])]
    results: dict[int, U] = {}

    async def one(index: int, item: T) -> None:
        results[index] = await function(item)

    try:
        async with anyio.create_task_group() as group:
            for index, item in enumerate(items):
                group.start_soon(one, index, item)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    return [results[index] for index in range(len(items))]


async def judged(critic: Critic, state: State, rollout: Rollout) -> Verdict:
    with boundary(CriticError, f"judging {rollout.action.tool!r}"):
        return Verdict.model_validate(await critic(state, rollout))
