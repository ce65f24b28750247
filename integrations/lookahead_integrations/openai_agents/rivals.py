"""Other calls that the agent's own model could have made: asked anew for the very turn that is being decided."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final, cast

import anyio
from agents import Model, ModelResponse, ModelTracing, RunContextWrapper
from openai.types.responses import ResponseCompletedEvent, ResponseFunctionToolCall

from lookahead.budget import spend
from lookahead.canonical import digest_of
from lookahead.errors import ProposerError
from lookahead.search.thinking import gather
from lookahead.types import Action, Cost, State

_MANY: Final = 256


@dataclass(kw_only=True, repr=False)
class Request:
    """What the model was asked, with all that it was given: the same can be asked again."""

    model: Model
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    async def again(self) -> ModelResponse:
        # What nobody will read must not fill a trace with answers that the agent never gave.
        kwargs = {**self.kwargs, "tracing": ModelTracing.DISABLED} if "tracing" in self.kwargs else self.kwargs
        args = cast(Any, tuple(ModelTracing.DISABLED if isinstance(one, ModelTracing) else one for one in self.args))
        return await self.model.get_response(*args, **kwargs)


@dataclass(kw_only=True, repr=False)
class Requests:
    """The latest requests, by what came of them."""

    known: OrderedDict[str, Request] = field(default_factory=OrderedDict[str, Request])

    def keep(self, request: Request, output: Sequence[Any]) -> None:
        for call in calls_of(output):
            self.known[_name(call.call_id, asked_of(request))] = request
        while len(self.known) > _MANY:
            self.known.popitem(last=False)

    def of(self, call_id: str, asked: Any) -> Request | None:
        return self.known.get(_name(call_id, asked))


class Sampled(Model):
    """The agent's model, which remembers what it was asked."""

    def __init__(self, model: Model, requests: Requests) -> None:
        self._model, self._requests = model, requests

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        response = await self._model.get_response(*args, **kwargs)
        self._requests.keep(Request(model=self._model, args=args, kwargs=kwargs), response.output)
        return response

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:  # type: ignore[override]
        async for event in self._model.stream_response(*args, **kwargs):
            if isinstance(event, ResponseCompletedEvent):
                self._requests.keep(Request(model=self._model, args=args, kwargs=kwargs), event.response.output)
            yield event

    def get_retry_advice(self, request: Any) -> Any:
        return self._model.get_retry_advice(request)

    async def close(self) -> None:
        await self._model.close()


@dataclass(kw_only=True, repr=False)
class Sampling:
    """One turn's alternatives: asked for once, however many of its calls are being decided."""

    context: RunContextWrapper[Any]
    request: Request | None
    responses: list[ModelResponse] = field(default_factory=list[ModelResponse])
    lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def rivals(self, n: int, place: int) -> list[Action]:
        """What stands at the same place in each of n other answers."""
        async with self.lock:
            if (missing := n - len(self.responses)) > 0:
                self.responses += await self._ask(missing)
        found: list[Action] = []
        for response in self.responses[:n]:
            calls = calls_of(response.output)
            if calls:
                call = calls[min(place, len(calls) - 1)]
                try:
                    found.append(Action.parse(name_of(call), call.arguments))
                except ValueError:
                    continue
        return found

    async def _ask(self, n: int) -> list[ModelResponse]:
        if self.request is None:
            raise ProposerError("the model of this run is not the agent's own: RunConfig(model=…) leaves it unasked")
        if self.request.kwargs.get("conversation_id") is not None:
            raise ProposerError("the conversation is kept by the server: an alternative would become a part of it")
        request, started = self.request, perf_counter()
        responses = await gather(lambda _: request.again(), range(n))
        for response in responses:
            self.context.usage.add(response.usage)
        tokens = sum(response.usage.total_tokens for response in responses)
        spend(Cost(calls=n, tokens=tokens, seconds=perf_counter() - started))
        return responses


_now: ContextVar[tuple[Sampling, int] | None] = ContextVar("lookahead_openai_agents_turn", default=None)


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


def calls_of(output: Sequence[Any]) -> list[ResponseFunctionToolCall]:
    return [item for item in output if isinstance(item, ResponseFunctionToolCall)]


def name_of(call: ResponseFunctionToolCall) -> str:
    """A tool in a namespace is another tool than one of the same name outside of it."""
    namespace = getattr(call, "namespace", None)
    return f"{namespace}.{call.name}" if namespace and namespace != call.name else call.name


def asked_of(request: Request) -> Any:
    return request.kwargs["input"] if "input" in request.kwargs else request.args[1]


def _name(call_id: str, asked: Any) -> str:
    return digest_of(call_id, repr(asked))
