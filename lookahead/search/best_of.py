"""Look at k candidates, each a few steps ahead, and rank them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lookahead.errors import ConfigError
from lookahead.search.opening import opening
from lookahead.search.plans import Planned, planned
from lookahead.search.thinking import Thinking, after, gather
from lookahead.types import Action, Considered, Proposer, Rollout, State


@dataclass(frozen=True)
class BestOf:
    """The proposed action and k - 1 rivals; where nobody can think of a different one, there is nothing to search.

    Deeper than one step, a proposer that can plan says in one round which calls would follow each candidate, and a
    decision has depth + 1 rounds. What follows is then chosen before anybody knows what the call before it brings. With
    `replan=True`, or a proposer that cannot plan, the next call is proposed anew when the one before has been imagined:
    futures are truer, and a decision has 2 x depth rounds.
    """

    k: int = 3
    depth: int = 1
    propose: Proposer | None = field(default=None, kw_only=True)
    replan: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if self.k < 1 or self.depth < 1:
            raise ConfigError(f"BestOf(k={self.k}, depth={self.depth}): both are at least 1")

    @property
    def calls(self) -> int:
        return self.k * self.depth

    async def __call__(self, thinking: Thinking, state: State, proposed: Action, /) -> Sequence[Considered]:
        further = thinking.horizon(self.depth) - 1
        plans = None if self.replan else planned(self.propose or thinking.proposer, proposed, further)
        each = plans.each if plans is not None else None
        rollouts = await opening(thinking, state, proposed, self.k - 1, self.propose, each=each)
        if len(rollouts) == 1:
            return await thinking.judge(state, rollouts)
        for _ in range(further):
            following = await gather(lambda rollout: self._next(thinking, state, rollout, plans), rollouts)
            going = [(rollout, action) for rollout, action in zip(rollouts, following, strict=True) if action]
            longer = iter(await thinking.extend(state, going) if going else [])
            rollouts = [next(longer) if action else old for old, action in zip(rollouts, following, strict=True)]
        return await thinking.judge(state, rollouts)

    async def _next(self, thinking: Thinking, state: State, rollout: Rollout, plans: Planned | None) -> Action | None:
        if rollout.failure:
            return None
        if plans is not None:
            return plans.following(thinking, state, rollout)
        following = await thinking.propose(after(state, rollout), 1, self.propose)
        return following[0] if following else None
