"""Propose → imagine → judge. What comes out is every candidate with its future and what was thought of it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from lookahead.budget import Meter
from lookahead.errors import CriticError
from lookahead.events import Watch
from lookahead.search import Preview, Search
from lookahead.search.thinking import AGREED, NOT_MY_WORLD, Thinking, judged, merit
from lookahead.types import Action, Considered, Cost, Critic, Environment, Proposer, Rollout, State, Tool


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What thinking brought: candidates best first, and what went wrong on the way."""

    considered: tuple[Considered, ...]
    proposed: Considered
    """The agent's own action. Its verdict is None only when the rules themselves could not be read."""
    failure: str = ""
    """Why the proposed action could not be imagined although a world knew it, or not be judged; empty otherwise."""
    notes: tuple[str, ...] = ()
    cost: Cost = field(default_factory=Cost)
    forecast: Cost | None = None
    """What it was expected to cost."""


@dataclass(frozen=True, kw_only=True)
class Planner:
    """One world, one critic, one search."""

    imagine: Environment | None
    """None: nothing can be imagined, and the text of each call is all that there is to judge."""
    judge: Critic
    text: Critic
    """The rules: asked at once, and the only ones asked when the budget is spent."""
    search: Search = field(default_factory=Preview)
    propose: Proposer | None = None
    """The agent's own way to think of alternatives; a search that holds one of its own uses that."""
    fits: Callable[[Action, Tool], bool] = field(default=lambda action, tool: True)
    """Whether the arguments fit the tool's schema. A rival's must."""

    async def consider(
        self,
        state: State,
        proposed: Action,
        *,
        meter: Meter,
        depth: int | None = None,
        spare: bool = False,
        forecast: Cost | None = None,
        search: Search | None = None,
        watch: Watch = lambda event: None,
    ) -> Outcome:
        """Think until done or until the budget ends. The proposed action is always among what comes back."""
        thinking = Thinking(
            imagine=self.imagine,
            critic=self.judge,
            proposer=self.propose,
            fits=self.fits,
            meter=meter.decision(),
            watch=watch,
            depth=depth,
            spare=spare,
        )
        thinking.keep(Considered(rollout=Rollout(action=proposed)))
        unread = ended = ""
        with anyio.move_on_after(meter.budget.seconds) as scope:
            try:
                for considered in await (search or self.search)(thinking, state, proposed):
                    thinking.keep(considered)
            except CriticError as cause:
                unread = str(cause)
        if scope.cancelled_caught:
            ended = f"the decision's budget of {meter.budget.seconds:g} seconds ended"
        known = [await self._complete(state, one, ended) for one in thinking.known.values()]
        mine = known[0]  # kept before anybody thought of a rival
        abstained = mine.rollout.failure.startswith((NOT_MY_WORLD, AGREED))
        failure = "" if mine.rollout.steps or abstained else mine.rollout.failure
        return Outcome(
            considered=tuple(sorted(known, key=merit, reverse=True)),
            proposed=mine,
            failure=unread or failure,
            notes=tuple(dict.fromkeys(note for note in (*thinking.notes, ended, unread) if note)),
            cost=thinking.meter.spent,
            forecast=forecast,
        )

    async def warns(self, state: State, action: Action) -> bool:
        """Whether the rules have something against the text of a call that only reads: a secret, say."""
        try:
            verdict = await judged(self.text, state, Rollout(action=action, failure="it only reads"))
        except CriticError:
            return False
        return verdict.worst is not None and verdict.worst.severity != "note"

    async def _complete(self, state: State, one: Considered, ended: str) -> Considered:
        """What the budget left unjudged is judged by what is known so far, never dropped."""
        if one.verdict is not None:
            return one
        rollout = one.rollout
        if not rollout.steps and not rollout.failure:
            rollout = rollout.model_copy(update={"failure": ended or "it was not imagined"})
        try:
            return Considered(rollout=rollout, verdict=await judged(self.text, state, rollout))
        except CriticError:
            return Considered(rollout=rollout)
