"""Tools and toolsets that are the agent's own to look at, and do by permit what is asked of them."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final, cast

from lookahead.errors import PermitError
from lookahead.functions import ToolFunction, jsonable
from lookahead.held import Held
from lookahead.permit import Answer, Permit, swap_notice
from lookahead.types import Observation, Tool
from lookahead_integrations.google_adk.talk import Talk, Talks, action_of, fresh

base_tool: Any = import_module("google.adk.tools.base_tool")

BY: Final = "who confirmed the tool call"


@dataclass(kw_only=True)
class Door:
    """The way from one agent to its tools, by way of the line."""

    talks: Talks
    dry: bool
    real: dict[str, Any] = field(default_factory=dict[str, Any])
    """Everything that this agent may do for real, by name; empty in a dry run."""

    async def through(self, name: str, real: Any, args: dict[str, Any], context: Any) -> Any:
        """`real` is the tool itself; None in a dry run."""
        talk = self.talks.of(context)
        held = await self.judged(talk, name, args, context)
        if isinstance(held, Held) and held.asks:
            said = context.tool_confirmation
            if said is not None and talk.asked.pop(context.function_call_id, None) is not None and said.confirmed:
                held = await talk.session.answered(held, by=BY)
            elif said is None and talk.session.line.approve is None and talk.session.mode == "guard":
                return await self.ask(talk, held, context)
        begun = await talk.session.release(held) if isinstance(held, Held) else held
        if isinstance(begun, Answer):
            return _answered(begun)
        return await self.run(talk, begun, name, real, args, context)

    async def judged(self, talk: Talk, name: str, args: dict[str, Any], context: Any) -> Held | Answer:
        theirs = context.function_call_id
        if known := talk.asked.get(theirs):
            return await talk.session.hold(action_of(name, args, known))
        return await talk.judged(context.agent_name, action_of(name, args, fresh(theirs)))

    async def ask(self, talk: Talk, held: Held, context: Any) -> Any:
        """The framework's own question; it calls the tool again when it is answered."""
        await talk.session.keep(held)
        talk.asked[context.function_call_id] = held.action.call_id or ""
        talk.keep(context)
        context.request_confirmation(hint=held.decision.reason)
        context.actions.skip_summarization = True
        return {"error": f"{held.action.tool} waits for a person to confirm it; nothing was done yet"}

    async def run(self, talk: Talk, permit: Permit, name: str, real: Any, args: dict[str, Any], context: Any) -> Any:
        session = talk.session
        try:
            if permit.decision.choice == "swap":
                other, chosen = self.real.get(permit.action.tool), dict(permit.action.arguments)
                if other is None:
                    raise PermitError(f"{permit.action.tool!r} is no tool of this agent, so nothing was done")
                permit.take(permit.action)
                value = await other.run_async(args=chosen, tool_context=context)
            else:
                if real is None:
                    raise PermitError(f"there is nothing that could do {name!r} for real, so nothing was done")
                permit.take(action_of(name, args))
                value = await real.run_async(args=args, tool_context=context)
        except BaseException as error:
            await session.failed(permit, error)
            raise
        if waits := _waits(context):
            await session.paused(permit, waits)
            return value
        observation = _observed(value)
        await session.finish(permit, observation)
        if permit.decision.choice == "swap":
            return {"result": f"{swap_notice(permit.decision)}\n{observation.content}"}
        return value


def _waits(context: Any) -> str:
    """Whether the tool itself has asked for something, and will be called again."""
    if context.function_call_id in (context.actions.requested_tool_confirmations or {}):
        return "the tool asks a person to confirm it"
    if context.function_call_id in (context.actions.requested_auth_configs or {}):
        return "the tool asks for credentials"
    return ""


def _answered(answer: Answer) -> Any:
    said = answer.observation
    if said.failed:
        return {"error": said.content}
    if isinstance(said.structured, dict):
        return said.structured
    return {"result": said.content if said.structured is None else said.structured}


def _observed(value: Any) -> Observation:
    failed = isinstance(value, dict) and set(cast(dict[str, Any], value)) == {"error"}
    said = ToolFunction(function=_observed, name="result").answer(value)
    return said.model_copy(update={"failed": True}) if failed else said


def guarded(tool: Any, door: Door) -> Any:
    """A copy that walks the line. In a dry run it is made anew, and holds nothing of the original."""
    if door.dry:
        return Stub(tool, door)
    made = copy.copy(tool)
    door.real.setdefault(tool.name, tool)

    async def run_async(self: Any, *, args: dict[str, Any], tool_context: Any) -> Any:
        return await door.through(self.name, tool, args, tool_context)

    async def call_live(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise PermitError(f"{self.name!r} streams its answer piece by piece in a live call, which cannot be foreseen")
        yield  # to be what it stands for: something that yields

    kind = made.__class__
    members: dict[str, Any] = {"run_async": run_async}
    if hasattr(kind, "_call_live"):
        members["_call_live"] = call_live
    made.__class__ = type(kind.__name__, (kind,), members)
    return made


class Stub(base_tool.BaseTool):  # type: ignore[misc]
    """The name and the description of a tool, and nothing that could do anything."""

    def __init__(self, tool: Any, door: Door) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            name=tool.name, description=tool.description, is_long_running=bool(tool.is_long_running)
        )
        self._said = tool._get_declaration()
        self._door = door

    def _get_declaration(self) -> Any:
        said = copy.deepcopy(self._said)
        if said is not None:
            said.name = self.name
        return said

    async def run_async(self, *, args: dict[str, Any], tool_context: Any) -> Any:
        return await self._door.through(self.name, None, args, tool_context)


def guarded_set(toolset: Any, door: Door) -> Any:
    """A toolset whose tools are guarded when it tells them."""
    made = copy.copy(toolset)
    kind = made.__class__

    async def get_tools(self: Any, *args: Any, **kwargs: Any) -> list[Any]:
        return [guarded(tool, door) for tool in await kind.get_tools(self, *args, **kwargs)]

    made.__class__ = type(kind.__name__, (kind,), {"get_tools": get_tools})
    return made


def noun(tool: Any) -> Tool:
    """The tool as the line knows it."""
    said = tool._get_declaration()
    schema: Any = {}
    if said is not None:
        schema = said.parameters_json_schema or (
            said.parameters.model_dump(mode="json", exclude_none=True) if said.parameters else {}
        )
    return Tool(name=tool.name, description=tool.description or "", parameters=cast(Any, jsonable(_lower(schema))))


def _lower(schema: Any) -> Any:
    """Gemini's own schemas write types in capitals."""
    if isinstance(schema, Mapping):
        given = cast(Mapping[str, Any], schema)
        return {
            key: value.lower() if key == "type" and isinstance(value, str) else _lower(value)
            for key, value in given.items()
            if key != "property_ordering"
        }
    if isinstance(schema, list):
        return [_lower(one) for one in cast(list[Any], schema)]
    return schema
