"""One call of one of Inspect's tools on the line."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, cast

from lookahead.approval import somebody_is_there
from lookahead.errors import CallError
from lookahead.functions import ToolFunction
from lookahead.held import Held
from lookahead.permit import Answer, Permit, swap_notice
from lookahead.refusal import prompt
from lookahead.session import Session
from lookahead.types import Observation

_approval: Any = import_module("inspect_ai.approval")
_apply: Any = import_module("inspect_ai.approval._apply")
_call_tools: Any = import_module("inspect_ai.model._call_tools")
_content: Any = import_module("inspect_ai._util.content")
_samples: Any = import_module("inspect_ai.log._samples")
_tool: Any = import_module("inspect_ai.tool")
_tools: Any = import_module("inspect_ai.tool._tool")


@dataclass(kw_only=True)
class Calls:
    """Every guarded tool of what was wrapped. In a dry run nothing real is in here."""

    session: Session
    real: dict[str, Callable[..., Any]] = field(default_factory=dict[str, Callable[..., Any]])
    known: set[str] = field(default_factory=set[str])
    """Names of tools that are guarded, or that lead to agents that are."""
    asks_itself: bool = False
    """The user gave a way of asking people."""

    @property
    def conversation(self) -> Session:
        """One for each sample of an evaluation."""
        sample = _samples.sample_active()
        return self.session if sample is None else self.session.conversation(f"inspect:{sample.sample_uuid}")

    async def call(self, tool: ToolFunction, real: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        session = self.conversation
        try:
            action = tool.action(args, kwargs)
        except CallError as error:
            raise _tools.ToolParsingError(str(error)) from error
        held = await session.hold(action)
        if isinstance(held, Held) and held.asks and not self.asks_itself and await self._human(held):
            held = await session.answered(held, by="the human approver of Inspect")
        begun = held if isinstance(held, Answer) else await session.release(held)
        if isinstance(begun, Answer):
            return _told(begun, tool)
        try:
            value = await self._really(begun, tool, real, args, kwargs)
        except BaseException as error:
            await session.failed(begun, error)
            raise
        await session.finish(begun, seen(value))
        return value if begun.decision.choice != "swap" else with_words(value, swap_notice(begun.decision))

    async def _really(
        self, permit: Permit, tool: ToolFunction, real: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if permit.decision.choice == "swap":
            doing = self.real.get(permit.action.tool)
            if doing is None:
                raise _tool.ToolError(f"{permit.action.tool!r} cannot be reached from here, so nothing was done")
            # Of what does not fit the other tool nothing is used up yet.
            kwargs = _call_tools.tool_params(dict(permit.action.arguments), doing)
            permit.take(permit.action)
            value = doing(**kwargs)
        else:
            permit.take(tool.action(args, kwargs))
            value = real(*args, **kwargs)
        return await value if inspect.isawaitable(value) else value

    async def _human(self, held: Held) -> bool:
        """Inspect's own way of asking. Where nobody is there it would take an empty answer for a yes."""
        if not somebody_is_there():
            return False
        action = held.action
        call = _tool.ToolCall(id=held.decision.id, function=action.tool, arguments=action.arguments, type="function")
        ask = _approval.human_approver(choices=["approve", "reject"])
        said = await ask(message=prompt(held.decision), call=call, view=_tool.ToolCallView(), history=[])
        return said.decision == "approve"

    async def only_known(self, message: str, call: Any, view: Any, history: list[Any]) -> Any:
        """The approver that fails closed: what is called by a name that nobody guarded is rejected."""
        if call.function in self.known:
            return _approval.Approval(decision="escalate")
        why = (
            f"Not done: {call.function} was made inside of the agent, where lookahead cannot guard it. "
            "Give it to the agent as one of its tools"
        )
        return _approval.Approval(decision="reject", explanation=why)

    def closed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same agent or solver; the tools that its turns execute have to be known."""

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            before = _apply._tool_approver.get(None)

            async def approve(message: str, call: Any, view: Any, history: list[Any]) -> Any:
                said = await self.only_known(message, call, view, history)
                if said.decision == "reject":
                    return said
                if before is None:
                    return _approval.Approval(decision="approve")
                return await before(message=message, call=call, view=view, history=history)

            token = _apply._tool_approver.set(approve)
            try:
                return await function(*args, **kwargs)
            finally:
                _apply._tool_approver.reset(token)

        return like(guarded, function)


def like(new: Any, old: Any) -> Any:
    """Looks like it, and does not lead to it."""
    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        if hasattr(old, name):
            setattr(new, name, getattr(old, name))
    marks = cast(dict[str, Any], vars(old))
    for key, value in marks.items():
        if not inspect.isroutine(value):
            setattr(new, key, value)
    new.__signature__ = inspect.signature(old)
    new.__annotations__ = dict(getattr(old, "__annotations__", {}))
    return new


def _told(answer: Answer, tool: ToolFunction) -> Any:
    said = answer.observation
    if said.origin.kind == "guard":
        raise _tools.ToolApprovalError(said.content)
    if said.failed:
        raise _tool.ToolError(said.content)
    return said.content or tool.value(said)


def seen(value: Any) -> Observation:
    """What came back: text as it is, and everything else by its kind."""
    if isinstance(value, list):
        parts = [seen(one) for one in cast(list[Any], value)]
        return Observation(content="\n".join(part.content for part in parts))
    if isinstance(value, _content.ContentText):
        return Observation(content=value.text)
    if isinstance(value, str):
        return Observation(content=value)
    if isinstance(value, int | float):
        return Observation(content=str(value), structured=value if value == value else None)
    return Observation(content=f"[{getattr(value, 'type', type(value).__name__)}]")


def with_words(value: Any, words: str) -> Any:
    if isinstance(value, str | int | float):
        return f"{words}\n{value}"
    rest = cast(list[Any], value) if isinstance(value, list) else [value]
    return [_content.ContentText(text=words), *rest]


__all__ = ["Calls", "like", "seen", "with_words"]
