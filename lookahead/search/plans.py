"""Plans: each candidate with the calls that would follow it, thought of in one round instead of one round a step."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from lookahead.search.thinking import Thinking
from lookahead.types import Action, Proposer, Rollout, State


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A call, and the calls after it. It was thought of before anybody saw what the first one brings."""

    first: Action
    then: tuple[Action, ...] = ()
    own: bool = False
    """The agent's own action, which was given; of a rival, also of one that is the same call, it is a proposal."""


Plans: TypeAlias = Callable[[State, Action, int, int], AsyncGenerator[Plan]]
"""What a proposer may have beside its one verb: (state, the agent's action, n rivals, calls to follow each) -> plans,
in one round. The agent's action comes as a plan of its own; rivals that agree with it come too, as with `each`."""


@dataclass(kw_only=True)
class Planned:
    """Hands the first calls of plans to a search, and keeps the rest of each."""

    plans: Plans
    proposed: Action
    steps: int
    known: dict[str, Plan] = field(default_factory=dict[str, Plan])

    async def each(self, state: State, n: int) -> AsyncIterator[Action]:
        """The rivals, each as soon as it is thought of."""
        async with aclosing(self.plans(state, self.proposed, n, self.steps)) as plans:
            async for plan in plans:
                name = plan.first.digest
                known = self.known.get(name)
                # What was thought of for the agent's own action counts; a rival that agrees only fills a gap.
                if known is None or not known.then or (plan.own and plan.then):
                    self.known[name] = plan
                if not plan.own:
                    yield plan.first

    def following(self, thinking: Thinking, state: State, rollout: Rollout) -> Action | None:
        """The next call of this future. It ends where the agent could not make that call."""
        plan = self.known.get(rollout.action.digest)
        place = len(rollout.steps) - 1
        if rollout.failure or plan is None or not 0 <= place < len(plan.then):
            return None
        return plan.then[place] if thinking.may(state, plan.then[place]) else None


def planned(proposer: Proposer | None, proposed: Action, steps: int) -> Planned | None:
    """Where this proposer plans, and there is anything to plan."""
    plans = cast(Plans | None, getattr(proposer, "plans", None))
    return Planned(plans=plans, proposed=proposed, steps=steps) if plans is not None and steps > 0 else None
