"""Look at the proposed action alone, one step ahead."""

from collections.abc import Sequence
from dataclasses import dataclass

from lookahead.search.thinking import Thinking
from lookahead.types import Action, Considered, State


@dataclass(frozen=True)
class Preview:
    """The default: it answers the only question that the agent asked."""

    @property
    def calls(self) -> int:
        return 1

    async def __call__(self, thinking: Thinking, state: State, proposed: Action, /) -> Sequence[Considered]:
        thinking.proposed([proposed])
        return await thinking.judge(state, await thinking.start(state, [proposed]))
