"""Look deeper along the few futures that look best so far."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lookahead.errors import ConfigError
from lookahead.search.opening import opening
from lookahead.search.thinking import Thinking, after, gather, merit
from lookahead.types import Action, Considered, Proposer, Rollout, State


@dataclass(frozen=True)
class Beam:
    """Keep the `width` best futures at each level, and branch each of them `branch` ways at the next."""

    width: int = 3
    depth: int = 2
    branch: int = 2
    propose: Proposer | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if min(self.width, self.depth, self.branch) < 1:
            raise ConfigError(f"{self}: width, depth and branch are at least 1")

    @property
    def calls(self) -> int:
        # The agent's own action is kept beside the beam, so that it is judged as deep as its rivals.
        return self.width + (self.depth - 1) * (self.width + 1) * self.branch

    async def __call__(self, thinking: Thinking, state: State, proposed: Action, /) -> Sequence[Considered]:
        level = await thinking.judge(state, await opening(thinking, state, proposed, self.width - 1, self.propose))
        best = {one.rollout.action.digest: one for one in level}
        if len(level) == 1:
            return level
        for _ in range(thinking.horizon(self.depth) - 1):
            beam = self._beam(level, proposed)
            following = await gather(lambda one: self._branches(thinking, state, one.rollout), beam)
            going = [(one.rollout, action) for one, actions in zip(beam, following, strict=True) for action in actions]
            if not going:
                break
            level = await thinking.judge(state, await thinking.extend(state, going))
            reached: set[str] = set()
            for one in sorted(level, key=merit, reverse=True):
                # A deeper look replaces the shallower one: the best continuation speaks for its first action.
                if one.rollout.action.digest not in reached:
                    reached.add(one.rollout.action.digest)
                    best[one.rollout.action.digest] = one
        return list(best.values())

    def _beam(self, level: Sequence[Considered], proposed: Action) -> list[Considered]:
        ranked = sorted(level, key=merit, reverse=True)
        beam = ranked[: self.width]
        mine = next((one for one in ranked if one.rollout.action.digest == proposed.digest), None)
        return beam if mine is None or mine in beam else [*beam, mine]

    async def _branches(self, thinking: Thinking, state: State, rollout: Rollout) -> list[Action]:
        if rollout.failure:
            return []
        return await thinking.propose(after(state, rollout), self.branch, self.propose)
