"""The first level of a search: candidates come in, and each is imagined as soon as there is a choice between two."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias, cast

import anyio
from anyio.abc import TaskGroup

from lookahead.budget import spending
from lookahead.errors import ProposerError, boundary
from lookahead.search.thinking import AGREED, Thinking, unique
from lookahead.types import Action, Proposer, Rollout, State

Each: TypeAlias = Callable[[State, int], AsyncIterator[Action]]
"""What a proposer may have beside its one verb: the same actions, each as soon as it is thought of."""


async def opening(
    thinking: Thinking,
    state: State,
    proposed: Action,
    rivals: int,
    own: Proposer | None,
    *,
    each: Each | None = None,
) -> list[Rollout]:
    """The first steps of the proposed action and of the rivals that differ from it, the proposed action's first.

    Where all candidates are the same call, a world that costs something is spared: see `Thinking.spare`.
    `each` takes the place of the proposer's own.
    """
    each = each or cast(Each | None, getattr(own or thinking.proposer, "each", None))
    if each is not None and rivals > 0:
        return await _as_they_come(thinking, state, proposed, each(state, rivals), rivals)
    heard = await thinking.heard(state, rivals, own)
    candidates = unique([proposed, *thinking.fitting(state, heard, rivals)])
    thinking.proposed(candidates)
    if thinking.spare and heard and all(one.digest == proposed.digest for one in heard):
        return [Rollout(action=proposed, failure=AGREED)]
    return await thinking.start(state, candidates)


async def _as_they_come(
    thinking: Thinking, state: State, proposed: Action, coming: AsyncIterator[Action], most: int
) -> list[Rollout]:
    """The world works on the first candidates while the others are still being written."""
    mine = proposed.digest
    known: dict[str, Action] = {mine: proposed}
    paid: dict[str, str | None] = {}
    futures: dict[str, Rollout] = {}
    limiter = thinking.limiter(most + 1)
    heard, differ = 0, False

    async def imagine(name: str) -> None:
        futures[name] = await thinking.one(limiter, state, Rollout(action=known[name]), known[name], paid[name])

    async with together() as group:

        def start(*names: str) -> None:
            for name in names:
                if name not in paid:
                    paid[name] = thinking.pay()
                    group.start_soon(imagine, name)

        if not thinking.spare:
            start(mine)
        with spending() as spent:
            try:
                with boundary(ProposerError, "thinking of alternatives"):
                    async for said in coming:
                        rival = Action.model_validate(said)
                        name = rival.digest
                        heard, differ = heard + 1, differ or name != mine
                        if name not in known and len(known) <= most and thinking.may(state, rival):
                            known[name] = rival
                            start(mine, name)
            except ProposerError as cause:
                thinking.notes.append(str(cause))
            finally:
                thinking.meter.finish_call(spent(), spent().seconds)
                if close := cast(Callable[[], Awaitable[None]] | None, getattr(coming, "aclose", None)):
                    with anyio.CancelScope(shield=True):
                        await close()
        if differ or not heard:
            start(mine)
    thinking.proposed(list(known.values()))
    return [futures[name] for name in known] if paid else [Rollout(action=proposed, failure=AGREED)]


@asynccontextmanager
async def together() -> AsyncGenerator[TaskGroup]:
    """A task group whose first failure is raised as itself."""
    try:
        async with anyio.create_task_group() as group:
            yield group
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from failures
