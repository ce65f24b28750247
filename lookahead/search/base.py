"""What a search is."""

from collections.abc import Sequence
from typing import Protocol

from lookahead.search.thinking import Thinking
from lookahead.types import Action, Considered, State


class Search(Protocol):
    """Chooses which futures to imagine. One of what it returns begins with the proposed action."""

    async def __call__(self, thinking: Thinking, state: State, proposed: Action, /) -> Sequence[Considered]: ...

    @property
    def calls(self) -> int:
        """The most imagined steps that one decision takes: what the forecast is made from."""
        ...
