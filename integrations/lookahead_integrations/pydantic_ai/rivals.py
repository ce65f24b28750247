"""Other calls that the model of this very request could have made: the same request, asked again."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import anyio
from pydantic_ai import RunContext
from pydantic_ai.messages import ModelResponse, ToolCallPart
from pydantic_ai.models import ModelRequestContext

from lookahead.budget import spend
from lookahead.functions import jsonable
from lookahead.search.thinking import gather
from lookahead.types import Action, Cost, State


@dataclass(kw_only=True, repr=False)
class Sampling:
    """One turn's alternatives: asked for once, however many of its calls are being decided."""

    context: RunContext[Any]
    request: ModelRequestContext | None
    responses: list[ModelResponse] = field(default_factory=list[ModelResponse])
    lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def rivals(self, n: int, place: int) -> list[Action]:
        """What stands at the same place in each of n other answers."""
        async with self.lock:
            if self.request is not None and (missing := n - len(self.responses)) > 0:
                self.responses += await self._ask(self.request, missing)
        found: list[Action] = []
        for response in self.responses[:n]:
            calls = calls_of(response)
            if calls and (rival := action_of(calls[min(place, len(calls) - 1)])) is not None:
                found.append(Action(tool=rival.tool, arguments=rival.arguments))
        return found

    async def _ask(self, request: ModelRequestContext, n: int) -> list[ModelResponse]:
        started = perf_counter()

        async def one(_: int) -> ModelResponse:
            return await request.model.request(
                list(request.messages), request.model_settings, request.model_request_parameters
            )

        responses = await gather(one, range(n))
        for response in responses:
            self.context.usage.incr(response.usage)
        tokens = sum(response.usage.total_tokens for response in responses)
        spend(Cost(calls=n, tokens=tokens, seconds=perf_counter() - started))
        return responses


_now: ContextVar[tuple[Sampling, int] | None] = ContextVar("lookahead_pydantic_ai_turn", default=None)


@contextmanager
def deciding(sampling: Sampling, place: int) -> Generator[None]:
    token = _now.set((sampling, place))
    try:
        yield
    finally:
        _now.reset(token)


async def propose(state: State, n: int, /) -> Sequence[Action]:
    """The proposer of every wrapped agent: for the turn that is being decided, and for nothing beyond it."""
    now = _now.get()
    if now is None or n < 1:
        return ()
    sampling, place = now
    return await sampling.rivals(n, place)


def calls_of(response: ModelResponse) -> list[ToolCallPart]:
    return [part for part in response.parts if isinstance(part, ToolCallPart)]


def action_of(call: ToolCallPart) -> Action | None:
    """A call as the model wrote it; None where it is no JSON object."""
    try:
        if isinstance(call.args, str):
            return Action.parse(call.tool_name, call.args, call_id=call.tool_call_id)
        arguments: Any = jsonable(call.args or {})
        return Action(tool=call.tool_name, arguments=arguments, call_id=call.tool_call_id)
    except ValueError:
        return None
