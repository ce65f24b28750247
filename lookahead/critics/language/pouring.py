"""Several requests at once, each answer handed over as soon as it is there."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import anyio
from anyio.streams.memory import MemoryObjectSendStream

from lookahead.budget import spend
from lookahead.errors import ModelError, ProposerError
from lookahead.events import asked
from lookahead.types import Asking, Complete, Completion, Message

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Request(Generic[T]):
    """One question, and how its answer is read. ProposerError: it says nothing that is of use."""

    about: str
    """Of several requests about the same thing one has to be answered."""
    messages: Sequence[Message]
    asking: Asking
    read: Callable[[Completion], Sequence[T]]


async def poured(complete: Complete, requests: Sequence[Request[T]], *, name: str) -> AsyncGenerator[T]:
    """What the answers say, as they come; at the end ProposerError, where something was asked and nobody said it."""
    failures: dict[str, list[str]] = {request.about: [] for request in requests}
    said: set[str] = set()
    send, receive = anyio.create_memory_object_stream[tuple[Request[T], Completion]](len(requests))

    async def ask(request: Request[T], say: MemoryObjectSendStream[tuple[Request[T], Completion]]) -> None:
        async with say:
            try:
                await say.send((request, await asked(complete, request.messages, request.asking)))
            except ModelError as cause:
                failures[request.about].append(str(cause))

    async with receive, anyio.create_task_group() as group:
        async with send:
            for request in requests:
                group.start_soon(ask, request, send.clone())
        async for request, completion in receive:
            spend(completion.cost)
            try:
                found = request.read(completion)
            except ProposerError as cause:
                failures[request.about].append(str(cause))
                continue
            said.add(request.about)
            for one in found:
                try:
                    yield one
                except GeneratorExit:
                    # Whoever asked has heard enough.
                    group.cancel_scope.cancel()
                    return
    missing = [f"{about}: {'; '.join(dict.fromkeys(why))}" for about, why in failures.items() if about not in said]
    if missing:
        raise ProposerError(f"{name} gave no answer: {'; '.join(missing)}")
