"""Other messages that the agent's own model could have written: quiet copies, asked at the same time."""

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import anyio

from lookahead.act import log
from lookahead.budget import spend
from lookahead.errors import CallError
from lookahead.types import Action, Cost, State, Step

try:
    from langchain.agents.middleware.internal_call_transformer import internal_call_metadata
    from langchain.agents.middleware.types import ModelRequest, ModelResponse
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, AnyMessage, ToolCall, ToolMessage
    from langchain_core.messages.utils import count_tokens_approximately
    from langchain_core.tools import BaseTool
    from langgraph.constants import TAG_NOSTREAM
except ImportError as missing:
    raise ImportError(
        'the LangChain middleware needs LangChain: pip install "lookahead-agents[langchain]"'
    ) from missing

from lookahead_integrations.langgraph.messages import action_of, injected, name_of_call

Request: TypeAlias = ModelRequest[Any]
Response: TypeAlias = ModelResponse[Any]
Ask: TypeAlias = Callable[[Request], Awaitable[Response]]

SOURCE: Final = {"lc_source": "lookahead"}


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One whole answer of the model: it is taken as it is or left, never taken apart."""

    response: Response
    message: AIMessage
    calls: tuple[ToolCall, ...]
    """The calls that would reach a tool."""
    actions: tuple[Action, ...]

    @property
    def digests(self) -> tuple[str, ...]:
        """What it would do, whatever its words and in whatever order: two of the same are one."""
        return tuple(sorted(action.digest for action in self.actions))


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a message of the model becomes actions: said in which conversation, by an agent with which tools."""

    messages: Sequence[Any]
    namespace: str
    tools: Mapping[str, BaseTool]

    def candidate(self, response: Response) -> Candidate | None:
        """What a response would do; None where it does nothing, or nothing that this agent can do or we can read."""
        message = next((one for one in reversed(response.result) if isinstance(one, AIMessage)), None)
        calls = unanswered(message, response.result) if message is not None else ()
        if message is None or not calls or any(call["name"] not in self.tools for call in calls):
            return None
        try:
            actions = tuple(self.action(call, message) for call in calls)
        except CallError:
            return None
        return Candidate(response=response, message=message, calls=calls, actions=actions)

    def action(self, call: ToolCall, message: AIMessage) -> Action:
        named = name_of_call(call, [*self.messages, message], self.namespace)
        return action_of(call, named, injected(self.tools[call["name"]]))


def unanswered(message: AIMessage, following: Sequence[Any]) -> tuple[ToolCall, ...]:
    """The calls of a message that nothing has answered. A structured answer, which looks like a call, is answered."""
    answered = {one.tool_call_id for one in following if isinstance(one, ToolMessage)}
    return tuple(call for call in message.tool_calls if call["id"] not in answered)


def quiet(model: BaseChatModel) -> BaseChatModel:
    """The same model, which no stream shows, no cache answers for, and whose calls are known as ours."""
    update: dict[str, Any] = {
        "tags": [*(model.tags or ()), TAG_NOSTREAM],
        "metadata": {**(model.metadata or {}), **SOURCE, **internal_call_metadata()},
        "cache": False,
    }
    return model.model_copy(update=update)


def tokens_of(message: AIMessage, asked: Sequence[Any]) -> int:
    """As the provider counted them, else by their length."""
    if message.usage_metadata:
        return message.usage_metadata["total_tokens"]
    return count_tokens_approximately([*asked, message])


@dataclass(kw_only=True)
class Samples:
    """What the agent's model says when it is asked the same once more, and what it would do after an imagined step."""

    request: Request
    ask: Ask
    reading: Reading
    state: State
    heard: list[Candidate] = field(default_factory=list[Candidate])
    """Every other message so far, in the order in which it came."""
    calls: int = 0

    async def __call__(self, state: State, n: int) -> list[Action]:
        """For a search: the other messages that make one call, or what would follow upon an imagined future."""
        imagined = state.steps[len(self.state.steps) :]
        found = await self.sample(n, imagined)
        if not imagined:
            self.heard += found
        return [one.actions[0] for one in found if imagined or len(one.actions) == 1]

    async def sample(self, n: int, imagined: Sequence[Step] = ()) -> list[Candidate]:
        request = self.request.override(model=quiet(self.request.model))
        if imagined:
            request = request.override(messages=[*request.messages, *_as_messages(imagined)])
        found: list[tuple[Response, Candidate | None]] = []

        async def one() -> None:
            try:
                response = await self.ask(request)
                found.append((response, self.reading.candidate(response)))
            except Exception as error:
                # The agent has its own proposal; without this alternative there is one less to choose from.
                log.warning("an alternative could not be had from the agent's model: %s", error)

        self.calls += n
        async with anyio.create_task_group() as group:
            for _ in range(n):
                group.start_soon(one)
        spend(Cost(tokens=sum(_spent(response, request) for response, _ in found)))
        return [candidate for _, candidate in found if candidate is not None]


def _spent(response: Response, request: Request) -> int:
    return sum(tokens_of(one, request.messages) for one in response.result if isinstance(one, AIMessage))


def _as_messages(steps: Sequence[Step]) -> list[AnyMessage]:
    """An imagined past, as the model would have seen it had it happened."""
    messages: list[AnyMessage] = []
    for step in steps:
        call_id = f"call_{uuid.uuid4().hex}"
        call = ToolCall(name=step.action.tool, args=dict(step.action.arguments), id=call_id, type="tool_call")
        status = "error" if step.observation.failed else "success"
        messages.append(AIMessage(content="", tool_calls=[call]))
        messages.append(
            ToolMessage(content=step.observation.content, tool_call_id=call_id, name=step.action.tool, status=status)
        )
    return messages


_samples: Final[ContextVar[Samples | None]] = ContextVar("lookahead_samples", default=None)


class OwnModel:
    """The agent as the one who thinks of alternatives, while it is at it: nobody else's words are put in its mouth."""

    async def __call__(self, state: State, n: int, /) -> Sequence[Action]:
        samples = _samples.get()
        return await samples(state, n) if samples is not None else ()


async def with_samples(samples: Samples, then: Callable[[], Awaitable[Any]]) -> Any:
    """Whatever is judged within may ask the agent's model for alternatives."""
    token = _samples.set(samples)
    try:
        return await then()
    finally:
        _samples.reset(token)


def rivals_wanted(search: object) -> int:
    """How many alternatives a search wants beside the proposed action, from the agent's own model."""
    if getattr(search, "propose", None) is not None:
        return 0
    most = next((size for name in ("k", "width") if isinstance(size := getattr(search, name, None), int)), 1)
    return max(0, most - 1)


__all__ = ["Ask", "Candidate", "OwnModel", "Reading", "Samples", "quiet", "rivals_wanted", "unanswered", "with_samples"]
