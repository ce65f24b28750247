"""What one assistant has proposed, and the client that hears it say so."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib import import_module
from time import perf_counter
from typing import Any, Final, cast

import anyio
from pydantic import ValidationError

from lookahead.budget import spend
from lookahead.errors import CallError
from lookahead.functions import jsonable
from lookahead.guard import new_id
from lookahead.held import Held
from lookahead.permit import Answer, Permit
from lookahead.session import Session
from lookahead.types import Action, Cost, State

models: Any = import_module("autogen_core.models")

Again = Callable[[], Awaitable[Sequence[Action]]]
_again: Final[ContextVar[Again | None]] = ContextVar("lookahead.autogen.again", default=None)


@dataclass(kw_only=True)
class Stage:
    """All agents of a wrapped tree act in one conversation, until it is reset."""

    _session: Session | None = None
    _conversation: Session | None = None

    @property
    def session(self) -> Session:
        assert self._session is not None, "the session is opened before anything can be called"
        return self._session

    @session.setter
    def session(self, session: Session) -> None:
        self._session = session

    @property
    def conversation(self) -> Session:
        return self._conversation or self.session

    def anew(self) -> None:
        self._conversation = self.session.conversation(new_id())


@dataclass(kw_only=True)
class Hand:
    """The calls of one message of one assistant, judged and not begun."""

    stage: Stage
    tools: Mapping[str, Any]
    """What walks the line; an agent that serves as a tool does not, unless the policy speaks of it."""
    held: dict[tuple[str, str], Held | Answer] = field(default_factory=dict[tuple[str, str], Held | Answer])

    async def hold(self, calls: Sequence[Any], again: Again) -> None:
        """Judge all of them, and put all questions, before the first of them begins."""
        self.held.clear()
        read = [(call.id, action) for call in calls if (action := self.action(call)) is not None]
        conversation = self.stage.conversation

        async def one(call_id: str, action: Action) -> None:
            self.held[call_id, action.digest] = await conversation.hold(action)

        token = _again.set(again)
        try:
            async with anyio.create_task_group() as tasks:
                for call_id, action in read:
                    tasks.start_soon(one, call_id, action)
        finally:
            _again.reset(token)

    def action(self, call: Any) -> Action | None:
        if call.name not in self.tools:
            return None
        try:
            return Action.parse(call.name, call.arguments)
        except ValueError:
            return None  # whatever is wrong with it is said where it is called; there it is judged as well

    async def begin(self, action: Action, call_id: str | None) -> Permit | Answer:
        held = self.held.pop((call_id or "", action.digest), None)
        if held is None:
            return await self.stage.conversation.begin(action)
        return await self.stage.conversation.release(held) if isinstance(held, Held) else held


def action_of(name: str, arguments: Mapping[str, Any] | None) -> Action:
    try:
        return Action(tool=name, arguments={str(key): jsonable(value) for key, value in (arguments or {}).items()})
    except (ValidationError, RecursionError) as cause:
        raise CallError(f"the call of {name!r} cannot be written down, so it is not allowed: {cause}") from cause


def _calls(result: Any) -> list[Any]:
    content: object = result.content
    return cast(list[Any], content) if isinstance(content, list) else []


async def rivals(state: State, n: int, /) -> Sequence[Action]:
    """What the agent's own model says when it is asked the same again."""
    again = _again.get()
    if again is None:
        return []
    found: list[Action] = []

    async def one() -> None:
        found.extend((await again())[:1])

    async with anyio.create_task_group() as tasks:
        for _ in range(n):
            tasks.start_soon(one)
    return found


class Heard(models.ChatCompletionClient):  # type: ignore[misc]
    """The agent's own client; what its model proposes is judged before the agent gets to do it."""

    def __init__(self, inner: Any, hand: Hand) -> None:
        self.inner = inner
        self.hand = hand

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["inner"], name)

    async def create(self, messages: Any, **given: Any) -> Any:
        result = await self.inner.create(messages, **given)
        await self._judge(result, messages, given)
        return result

    async def create_stream(self, messages: Any, **given: Any) -> AsyncGenerator[Any]:
        async for piece in self.inner.create_stream(messages, **given):
            if isinstance(piece, models.CreateResult):
                await self._judge(piece, messages, given)
            yield piece

    async def _judge(self, result: Any, messages: Any, given: dict[str, Any]) -> None:
        calls = _calls(result)
        if not calls:
            return

        async def again() -> Sequence[Action]:
            begun = perf_counter()
            other = await self.inner.create(list(messages), **given)
            tokens = int(other.usage.prompt_tokens + other.usage.completion_tokens)
            spend(Cost(calls=1, tokens=tokens, seconds=perf_counter() - begun))
            return [action for call in _calls(other) if (action := self.hand.action(call)) is not None]

        await self.hand.hold(calls, again)

    async def close(self) -> None:
        await self.inner.close()

    def actual_usage(self) -> Any:
        return self.inner.actual_usage()

    def total_usage(self) -> Any:
        return self.inner.total_usage()

    def count_tokens(self, messages: Any, **given: Any) -> int:
        return self.inner.count_tokens(messages, **given)

    def remaining_tokens(self, messages: Any, **given: Any) -> int:
        return self.inner.remaining_tokens(messages, **given)

    @property
    def capabilities(self) -> Any:
        return self.inner.capabilities

    @property
    def model_info(self) -> Any:
        return self.inner.model_info

    def dump_component(self) -> Any:
        return self.inner.dump_component()
