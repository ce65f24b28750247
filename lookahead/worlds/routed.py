"""Asks several worlds in order: exact before recorded before imagined."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

from lookahead.errors import ConfigError, NotMyWorld, WorldError
from lookahead.types import Action, Copying, Environment, Message, Observation, Rollout, State
from lookahead.worlds.transcript import transcript

_TOLD = 4


class RoutedWorld:
    """The first world that knows an action answers it, under its own name.

    `NotMyWorld` asks the next one. Another failure is passed on, because the world that failed is the one that knows;
    `fall_through=True` asks the next one all the same. It is `Copying` when one of its parts is.

    A branch may be answered by several worlds. Each part sees by the origins of the imagined steps which of them it
    did not imagine itself, and abstains when it cannot replay one that changed something: an exact world never reads
    the unmodified reality in the middle of somebody else's future (see `lookahead.worlds.branch`).
    """

    def __new__(cls, *worlds: Environment, name: str = "routed", fall_through: bool = False) -> Self:
        copies = any(isinstance(world, Copying) for world in worlds)
        return super().__new__(_CopyingRoutedWorld if copies and cls is RoutedWorld else cls)  # type: ignore[return-value]

    def __init__(self, *worlds: Environment, name: str = "routed", fall_through: bool = False) -> None:
        if not worlds:
            raise ConfigError("a routed world needs at least one world to ask")
        self.name = name
        self._worlds = worlds
        self._fall_through = fall_through

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as entered:
            for world in self._worlds:
                enter: Callable[[], Awaitable[Any]] | None = getattr(world, "__aenter__", None)
                if enter is not None:
                    await enter()
                    entered.push_async_callback(_close, world)
            entered.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every part, also when one of them fails to."""
        async with AsyncExitStack() as parts:
            for world in self._worlds:
                parts.push_async_callback(_close, world)

    async def __call__(self, state: State, action: Action, /) -> Observation:
        reasons: list[str] = []
        failure: WorldError | None = None
        for world in self._worlds:
            try:
                return await world(state, action)
            except NotMyWorld as abstained:
                reasons.append(str(abstained))
            except WorldError as failed:
                if not self._fall_through:
                    raise
                failure = failed
        if failure is not None:
            raise failure
        raise NotMyWorld(f"{self.name}: no world knows {action.tool!r}: {'; '.join(reasons[:_TOLD])}")

    async def transcript(self, state: State, rollout: Rollout, /) -> Sequence[Message]:
        """The chat of the part that foretold the last step, where it has one."""
        for world in self._worlds:
            if chat := await transcript(world, state, rollout):
                return chat
        return ()


class _CopyingRoutedWorld(RoutedWorld):
    async def discard(self) -> None:
        """Pass it on to the parts that keep copies."""
        async with AsyncExitStack() as parts:
            for world in self._worlds:
                if isinstance(world, Copying):
                    parts.push_async_callback(world.discard)


async def _close(world: Environment) -> None:
    close: Callable[[], Awaitable[Any]] | None = getattr(world, "aclose", None)
    if close is not None:
        await close()
