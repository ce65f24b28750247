"""The chat in which a world foretold something, for whoever wants to ask behind it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from lookahead.types import Environment, Message, Rollout, State

Tell: TypeAlias = Callable[[State, Rollout], Awaitable[Sequence[Message]]]


async def transcript(world: Environment, state: State, rollout: Rollout) -> Sequence[Message]:
    """What the world says was asked and answered at the last step of a future; empty where it has no chats."""
    tell: Tell | None = getattr(world, "transcript", None)
    return () if tell is None else await tell(state, rollout)
