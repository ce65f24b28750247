"""The two middlewares: all calls of a message are judged when the model has made them, and none runs without."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from importlib import import_module
from time import perf_counter
from typing import Any, Final, cast

import anyio
from pydantic import BaseModel, ValidationError

from lookahead.budget import spend
from lookahead.errors import CallError, PermitError
from lookahead.functions import ToolFunction, jsonable
from lookahead.guard import new_id
from lookahead.held import Held
from lookahead.permit import Answer, Permit, swap_notice
from lookahead.types import Action, Cost, Observation, State
from lookahead_integrations.agent_framework.talk import Hand

framework: Any = import_module("agent_framework")
middleware: Any = import_module("agent_framework._middleware")
exceptions: Any = import_module("agent_framework.exceptions")

Next = Callable[[], Awaitable[None]]
Again = Callable[[], Awaitable[Sequence[Action]]]

_again: Final[ContextVar[Again | None]] = ContextVar("lookahead.agent_framework.again", default=None)
BY: Final = "who answered the agent's approval request"


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


def action_of(name: str, arguments: Any, call_id: str | None = None) -> Action:
    try:
        given = arguments.model_dump() if isinstance(arguments, BaseModel) else dict(arguments or {})
        written = {str(key): jsonable(value) for key, value in cast(Mapping[Any, Any], given).items()}
        return Action(tool=name, arguments=written, call_id=call_id)
    except (ValidationError, TypeError, ValueError, RecursionError) as cause:
        raise CallError(f"the call of {name!r} cannot be written down, so it is not allowed: {cause}") from cause


class Batch(framework.ChatMiddleware):  # type: ignore[misc]
    """Sits at the model: what it has proposed is judged before any of it is done."""

    def __init__(self, hand: Hand) -> None:
        self.hand = hand

    async def process(self, context: Any, call_next: Next) -> None:
        if context.stream:

            async def hook(response: Any) -> Any:
                await self.judge(context, response)
                return response

            context.stream_result_hooks.append(hook)
            await call_next()
            return
        await call_next()
        if isinstance(context.result, framework.ChatResponse):
            await self.judge(context, context.result)

    async def judge(self, context: Any, response: Any) -> None:
        hand = self.hand
        hand.held.clear()
        calls = [(call, action) for call in _calls(response) if (action := self.action(call)) is not None]
        token = _again.set(lambda: self.again(context))
        try:
            async with anyio.create_task_group() as tasks:
                for call, action in calls:
                    tasks.start_soon(self.hold, call.call_id, action)
        finally:
            _again.reset(token)
        asking = {key[0]: one for key, one in hand.held.items() if isinstance(one, Held) and one.asks}
        if asking and hand.talk.session.line.approve is None:
            await hand.talk.session.keep(*asking.values())
            hand.talk.asked.update({call_id: held.action.call_id or "" for call_id, held in asking.items()})
            hand.talk.keep(hand.theirs)

    async def hold(self, call_id: str, action: Action) -> None:
        self.hand.held[call_id, action.digest] = await self.hand.talk.session.hold(action)

    def action(self, call: Any) -> Action | None:
        """As the function will get it; None for what is no action of ours, or cannot be read: that is judged later."""
        tool = self.hand.tools.get(call.name)
        if tool is None or not call.call_id or passes(tool, self.hand):
            return None
        try:
            arguments = tool._prepare_arguments(dict(call.parse_arguments() or {}))
            return action_of(call.name, arguments, f"{call.call_id}:{new_id()}")
        except Exception:
            return None

    async def again(self, context: Any) -> Sequence[Action]:
        begun = perf_counter()
        below = cast(Any, super(middleware.ChatMiddlewareLayer, context.client))
        options = dict(context.options or {})
        response: Any = await below.get_response(messages=list(context.messages), stream=False, options=options)
        usage = cast(Mapping[str, Any], response.usage_details or {})
        tokens = int(usage.get("total_token_count") or 0)
        spend(Cost(calls=1, tokens=tokens, seconds=perf_counter() - begun))
        return [action for call in _calls(response) if (action := self.action(call)) is not None]


class Gate(framework.FunctionMiddleware):  # type: ignore[misc]
    """Sits at the function: it runs by permit, once, or not at all."""

    def __init__(self, hand: Hand) -> None:
        self.hand = hand

    async def process(self, context: Any, call_next: Next) -> None:
        if passes(context.function, self.hand):
            await call_next()
            return
        session = self.hand.talk.session
        held = await self.found(context)
        if isinstance(held, Held) and held.asks:
            if self.answered(context):
                held = await session.answered(held, by=BY)
            elif session.line.approve is None and session.mode == "guard":
                await self.ask(context, held)
                return
        begun = await session.release(held) if isinstance(held, Held) else held
        if isinstance(begun, Answer):
            context.result = begun.observation.content
            return
        await self.through(context, begun, call_next)

    async def found(self, context: Any) -> Held | Answer:
        call_id = context.metadata.get("call_id") or new_id()
        action = action_of(context.function.name, context.arguments)
        if (held := self.hand.held.pop((call_id, action.digest), None)) is not None:
            return held
        known = self.hand.talk.asked.get(call_id) or f"{call_id}:{new_id()}"
        return await self.hand.talk.session.hold(action.model_copy(update={"call_id": known}))

    def answered(self, context: Any) -> bool:
        """A yes counts for what a person was shown. In a session the framework also lets siblings through unseen."""
        if context.metadata.get("approval_response") is None:
            return False
        if not self.hand.talk.lasting:
            return True
        call_id = context.metadata.get("call_id")
        shown = self.hand.talk.asked.pop(call_id, None) is not None
        own = getattr(self.hand.tools.get(context.function.name), "lookahead_asks_always", False)
        return shown or own

    async def ask(self, context: Any, held: Held) -> None:
        """A question that nobody could foresee when the model had spoken: the framework puts it now."""
        await self.hand.talk.session.keep(held)
        call_id = context.metadata["call_id"]
        self.hand.talk.asked[call_id] = held.action.call_id or ""
        self.hand.talk.keep(self.hand.theirs)
        occurrence = context.metadata.get("function_call_occurrence_id")
        call = framework.Content.from_function_call(
            call_id, held.action.tool, arguments=dict(held.action.arguments), id=occurrence
        )
        context.result = framework.Content.from_function_approval_request(occurrence or call_id, call)

    async def through(self, context: Any, permit: Permit, call_next: Next) -> None:
        session = self.hand.talk.session
        try:
            if permit.decision.choice == "swap":
                context.result = await self.instead(context, permit)
            else:
                permit.take(action_of(context.function.name, context.arguments))
                await call_next()
        except exceptions.UserInputRequiredException as pause:
            await session.paused(permit, str(pause))
            raise
        except BaseException as error:
            await session.failed(permit, error)
            raise
        observation = _observed(context.result)
        await session.finish(permit, observation)
        if permit.decision.choice == "swap":
            context.result = f"{swap_notice(permit.decision)}\n{observation.content}"

    async def instead(self, context: Any, permit: Permit) -> Any:
        other = self.hand.tools.get(permit.action.tool)
        if other is None:
            raise PermitError(f"{permit.action.tool!r} is no tool of this run, so nothing was done")
        chosen = permit.take(permit.action)
        made = framework.FunctionInvocationContext(
            function=other, arguments=dict(chosen.arguments), session=context.session, kwargs=dict(context.kwargs)
        )
        return await other.invoke(arguments=dict(chosen.arguments), context=made, tool_call_id=chosen.call_id)


def passes(tool: Any, hand: Hand) -> bool:
    """An agent that serves as a tool and is guarded itself: what it does is judged there."""
    return bool(getattr(tool, "lookahead_agent", False)) and hand.tools.get(tool.name) is tool


def _calls(response: Any) -> list[Any]:
    return [
        item
        for message in response.messages
        for item in message.contents
        if item.type == "function_call" and item.name and not getattr(item, "informational_only", False)
    ]


def _observed(result: Any) -> Observation:
    """What a function handed back, as a record; it goes on to the agent untouched."""
    if isinstance(result, list):
        texts = [getattr(one, "text", None) for one in cast(list[Any], result)]
        if all(isinstance(text, str) for text in texts):
            return Observation(content="\n".join(cast(list[str], texts)))
        return Observation(content="\n".join(str(one) for one in cast(list[Any], result)))
    return ToolFunction(function=_observed, name="result").answer(result)
