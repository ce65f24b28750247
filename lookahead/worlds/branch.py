"""What every world that copies reality needs: which steps of a state are imagined, and a shelf for the copies.

The rule of a mixed branch lives here. A world that answers from a copy must know every imagined step that may have
changed something; else it would read the unmodified reality and call it the future. It then raises `NotMyWorld`.
"""

from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import anyio

from lookahead.canonical import digest_of
from lookahead.errors import NotMyWorld
from lookahead.types import Action, State, Step

T = TypeVar("T")


def imagined_steps(state: State) -> tuple[Step, ...]:
    """The imagined steps after the last real one, oldest first. Calls that the guard refused did nothing: left out."""
    found: list[Step] = []
    for step in reversed(state.steps):
        if step.observation.imagined:
            found.append(step)
        elif step.observation.origin.kind == "real":
            break
    return tuple(reversed(found))


def up_to(state: State, end: int) -> State:
    """The state as it was after its first `end` steps."""
    return State(
        goal=state.goal,
        tools=state.tools,
        steps=state.steps[:end],
        domain=state.domain,
        situation=state.situation,
        forgotten=state.forgotten,
    )


def branch_key(state: State) -> str:
    """Names the copy that belongs to an imagined state: its digest, and the steps that were wrongly said to read.

    `State.digest` leaves out the steps of tools that are declared to read. One that had an effect all the same
    made another state of it, so here it counts.
    """
    wrong = [step.action.digest for step in imagined_steps(state) if _declared_reads(state, step) and _had_effect(step)]
    return digest_of(state.digest, *wrong) if wrong else state.digest


def steps_to_replay(state: State, knows: Callable[[Action], bool], world: str) -> tuple[Step, ...]:
    """The imagined steps that a copy of reality needs replayed before it is the state's world; else `NotMyWorld`.

    Steps that surely changed nothing are left out. A step that may have changed something and that this world does
    not know, or that was dropped from the state's memory, makes the state one that this world cannot represent.
    """
    imagined = imagined_steps(state)
    everything = all(step.observation.origin.kind != "real" for step in state.steps)
    if state.forgotten and everything:
        raise NotMyWorld(f"{world}: the first steps of this imagined future were dropped, so they cannot be replayed")
    replay = tuple(step for step in imagined if not changed_nothing(state, step))
    for step in replay:
        if not knows(step.action):
            raise NotMyWorld(
                f"{world}: an earlier imagined step ({step.action.tool}, answered by {step.observation.origin.world}) "
                "may have changed the world in a way that this copy cannot show"
            )
    return replay


def changed_nothing(state: State, step: Step) -> bool:
    """True where it is known: an exact world found no effect, or the tool only reads and nobody saw otherwise."""
    if _declared_reads(state, step):
        return not _had_effect(step)
    said = step.observation
    return said.effects == () and said.origin.kind == "exact"


def _declared_reads(state: State, step: Step) -> bool:
    tool = state.tool(step.action.tool)
    return tool is not None and tool.effect == "reads"


def _had_effect(step: Step) -> bool:
    return bool(step.observation.effects)


@dataclass(eq=False)
class _Kept(Generic[T]):
    copy: T
    users: int = 0
    gone: bool = False
    """Off the shelf already: whoever uses it last throws it away."""


class Copies(Generic[T]):
    """A shelf of copies by key: the least recently used is thrown away first, and never one that is in use."""

    def __init__(self, dispose: Callable[[T], Awaitable[object]], *, keep: int = 8) -> None:
        self._dispose = dispose
        self._keep = keep
        self._shelf: OrderedDict[str, _Kept[T]] = OrderedDict()
        self.epoch = 0
        """Counts the discards. A copy begun in an earlier epoch shows a reality that is over."""

    def __len__(self) -> int:
        return len(self._shelf)

    @asynccontextmanager
    async def acquire(self, key: str) -> AsyncGenerator[T | None]:
        """Lend the copy kept under `key`, or None; it is not thrown away while it is lent."""
        kept = self._shelf.get(key)
        if kept is None:
            yield None
            return
        self._shelf.move_to_end(key)
        kept.users += 1
        try:
            yield kept.copy
        finally:
            kept.users -= 1
            if kept.gone and not kept.users:
                await self._throw_away(kept)
            await self._shrink()

    async def put(self, key: str, copy: T, *, epoch: int | None = None) -> None:
        """Hand over `copy`. Where one is kept under `key` already, or `epoch` is over, it is thrown away at once."""
        fresh = _Kept(copy)
        if key in self._shelf or self._keep < 1 or (epoch is not None and epoch != self.epoch):
            await self._throw_away(fresh)
            return
        self._shelf[key] = fresh
        await self._shrink()

    async def discard(self) -> None:
        """Forget every copy; those lent out are thrown away when they come back."""
        self.epoch += 1
        taken, self._shelf = list(self._shelf.values()), OrderedDict()
        for kept in taken:
            kept.gone = True
        for kept in taken:
            if not kept.users:
                await self._throw_away(kept)

    async def _shrink(self) -> None:
        idle = [key for key, kept in self._shelf.items() if not kept.users]
        surplus = [self._shelf.pop(key) for key in idle[: max(0, len(self._shelf) - self._keep)]]
        for kept in surplus:
            await self._throw_away(kept)

    async def _throw_away(self, kept: _Kept[T]) -> None:
        with anyio.CancelScope(shield=True):
            await self._dispose(kept.copy)
