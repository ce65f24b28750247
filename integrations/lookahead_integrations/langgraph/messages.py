"""Between the host's messages and the line's nouns, the same each time, so that a resume finds its own."""

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.tools import BaseTool
from langgraph.types import Command
from pydantic import BaseModel, JsonValue, ValidationError

from lookahead.canonical import digest_of
from lookahead.errors import CallError
from lookahead.functions import jsonable
from lookahead.permit import swap_notice
from lookahead.types import REAL, Action, Decision, Observation, Origin, State, Step, Tool, ToolEffect

MARK: Final = "lookahead"
"""Where a message says what became of its call: in the artifact of an imagined one, in the metadata of any other."""


def tool_of(tool: BaseTool) -> Tool:
    """What the line knows of a tool: what the model sees of it. What the host injects is not among its arguments."""
    return Tool(name=tool.name, description=tool.description, parameters=_schema(tool), effect=_declared(tool))


def _schema(tool: BaseTool) -> dict[str, JsonValue]:
    try:
        schema = cast(Any, tool.tool_call_schema)
        if isinstance(schema, dict):
            return cast(dict[str, JsonValue], jsonable(schema))
        return cast(dict[str, JsonValue], jsonable(schema.model_json_schema()))
    except Exception:
        return {}  # one that pydantic cannot describe says nothing of its arguments


def _declared(tool: BaseTool) -> ToolEffect:
    """As a tool of an MCP server declares itself in its annotations."""
    said: Mapping[str, Any] = tool.metadata or {}
    if said.get("readOnlyHint") is True:
        return "reads"
    return "destroys" if said.get("destructiveHint") is True else "unknown"


def injected(tool: BaseTool) -> frozenset[str]:
    """The arguments that the host fills in (state, store, runtime, call id), which no model and no world may see."""
    try:
        full = cast(Any, tool.get_input_schema())
        seen = cast(Any, tool.tool_call_schema)
        if isinstance(full, dict) or isinstance(seen, dict):
            return frozenset()
        return frozenset(cast(type[BaseModel], full).model_fields) - frozenset(cast(type[BaseModel], seen).model_fields)
    except Exception:
        return frozenset()


def action_of(call: ToolCall, name: str | None, hidden: frozenset[str] = frozenset()) -> Action:
    """The call as data, under the name that it has in the conversation."""
    arguments = {key: jsonable(value) for key, value in call["args"].items() if key not in hidden}
    try:
        return Action(tool=call["name"], arguments=arguments, call_id=name)
    except ValidationError as cause:
        said = cause.errors()[0]["msg"]
        raise CallError(f"the call of {call['name']!r} cannot be written down, so it is not done: {said}") from cause


def state_of(session: State, messages: Sequence[Any]) -> State:
    """What has happened so far, as the conversation tells it."""
    history = [one for one in messages if isinstance(one, BaseMessage)]
    return State(goal=session.goal or goal_of(history), tools=session.tools, steps=tuple(_steps(history)))


def goal_of(messages: Sequence[BaseMessage]) -> str:
    """What was asked for: at first, and last."""
    said = [text_of(one.content) for one in messages if isinstance(one, HumanMessage)]
    return "\n".join(dict.fromkeys((said[0], said[-1]))) if said else ""


def _steps(messages: Sequence[BaseMessage]) -> list[Step]:
    calls: dict[str, ToolCall] = {}
    steps: list[Step] = []
    for message in messages:
        if isinstance(message, AIMessage):
            calls.update({call["id"]: call for call in message.tool_calls if call["id"]})
        elif isinstance(message, ToolMessage) and (call := calls.get(message.tool_call_id)):
            steps.append(Step(action=_done(call, message), observation=told(message)))
    return steps


def _done(call: ToolCall, message: ToolMessage) -> Action:
    """What was done: the call of the model, or what was done in its place."""
    mark = _mark(message.response_metadata)
    if isinstance(other := mark.get("did"), dict):
        return Action.model_validate(other)
    return action_of(call, call["id"])


def told(message: ToolMessage) -> Observation:
    """What a message of a tool says, and whether it happened."""
    mark = _mark(message.response_metadata) or _mark(message.artifact)
    origin = Origin.model_validate(mark["origin"]) if isinstance(mark.get("origin"), dict) else REAL
    return Observation(
        content=text_of(message.content),
        failed=message.status == "error",
        effects=() if origin.kind == "guard" else None,
        origin=origin,
    )


def _mark(place: Any) -> dict[str, Any]:
    mark = cast(dict[str, Any], place).get(MARK) if isinstance(place, dict) else None
    return cast(dict[str, Any], mark) if isinstance(mark, dict) else {}


def text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts: list[str] = []
    for block in cast(list[Any], content) if isinstance(content, list) else [content]:
        if isinstance(block, str):
            parts.append(block)
        elif isinstance(block, dict) and isinstance(said := cast(dict[str, Any], block).get("text"), str):
            parts.append(said)
        else:
            parts.append(_written(block))
    return "\n".join(parts)


def _written(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        return f"<{type(value).__name__}>"


def name_of_call(call: ToolCall, messages: Sequence[Any], namespace: str) -> str | None:
    """A name that no other call of the conversation has: some models count their calls anew in each turn.

    An agent inside an agent has a history of its own in the same thread.
    """
    if not call["id"]:
        return None
    asked = [one for one in messages if isinstance(one, AIMessage)]
    # The last of them is the message that this call is of.
    before = sum(known["id"] == call["id"] for one in asked[:-1] for known in one.tool_calls)
    name = f"{call['id']}#{before + 1}" if before else call["id"]
    graph = namespace.rpartition("|")[0]
    return f"{digest_of(graph)[:8]}:{name}" if graph else name


def observation_of(result: Any) -> Observation:
    """What a tool answered, for the record; the agent gets it as it is."""
    messages = [one for one in _messages(result) if isinstance(one, ToolMessage)]
    content = "\n".join(text_of(one.content) for one in messages)
    if not messages:
        content = _written(result) if not isinstance(result, Command) else "handed over"
    artifacts = [_jsonable(one.artifact) for one in messages if one.artifact is not None]
    return Observation(
        content=content,
        structured=artifacts[0] if len(artifacts) == 1 else None,
        failed=bool(messages) and all(one.status == "error" for one in messages),
    )


def _messages(result: Any) -> list[Any]:
    if isinstance(result, list):
        return [message for one in cast(list[Any], result) for message in _messages(one)]
    if isinstance(result, Command):
        update: Any = cast(Any, result).update
        found = cast(dict[str, Any], update).values() if isinstance(update, dict) else [update]
        return [one for value in found if isinstance(value, list) for one in cast(list[Any], value)]
    return [result]


def _jsonable(value: Any) -> JsonValue:
    try:
        return cast(JsonValue, json.loads(json.dumps(value, allow_nan=False)))
    except (TypeError, ValueError, RecursionError):
        return None


def message_of(call: ToolCall, said: Observation, decision: Decision) -> ToolMessage:
    """An answer without the tool: a refusal, a recorded answer, an imagined one. It says which of these it is."""
    mark: dict[str, Any] = {"origin": said.origin.model_dump(mode="json"), "decision": decision.id}
    mark["imagined"] = said.imagined
    if said.origin.kind == "guard":
        mark["refused"] = decision.rule
    artifact = {MARK: mark, "structured": said.structured} if said.imagined else said.structured
    metadata = {} if said.origin.kind == "real" else {MARK: mark}
    if decision.choice == "swap" and decision.chosen is not None:
        metadata = {MARK: {**mark, **_swapped(decision)}}
    return ToolMessage(
        content=said.content,
        name=call["name"],
        tool_call_id=call["id"] or "",
        status="error" if said.failed else "success",
        artifact=artifact,
        response_metadata=metadata,
    )


def _swapped(decision: Decision) -> dict[str, Any]:
    assert decision.chosen is not None
    return {
        "did": decision.chosen.model_dump(mode="json"),
        "proposed": decision.proposed.model_dump(mode="json"),
        "decision": decision.id,
        "swapped": True,
    }


def with_swap(result: Any, decision: Decision, call: ToolCall) -> Any:
    """What another tool answered, saying so. It belongs to the call that the agent made."""
    if isinstance(result, list):
        return [with_swap(one, decision, call) for one in cast(list[Any], result)]
    if isinstance(result, Command) and isinstance(update := cast(Any, result).update, dict):
        changed = {
            key: [with_swap(one, decision, call) for one in cast(list[Any], value)]
            if isinstance(value, list)
            else value
            for key, value in cast(dict[str, Any], update).items()
        }
        return replace(cast(Any, result), update=changed)
    if not isinstance(result, ToolMessage) or result.tool_call_id != call["id"]:
        return cast(Any, result)
    notice = swap_notice(decision)
    content = cast(Any, result).content
    said = f"{notice}\n{content}" if isinstance(content, str) else [{"type": "text", "text": notice}, *content]
    metadata = {**result.response_metadata, MARK: _swapped(decision)}
    return result.model_copy(update={"content": said, "response_metadata": metadata})


def messages_of(state: Any, key: str = "messages") -> list[Any]:
    """The conversation in a graph's state, of whatever kind that is."""
    found: Any = state
    if isinstance(state, Mapping):
        found = cast(Mapping[str, Any], state).get(key)
    elif not isinstance(state, list):
        found = getattr(state, key, None)
    return cast(list[Any], found) if isinstance(found, list) else []


def answered(messages: Sequence[Any], call: ToolCall) -> ToolMessage | None:
    """What a call of the last turn was answered already, by somebody before us: whoever refused it meant it."""
    for message in reversed(messages):
        if isinstance(message, ToolMessage) and message.tool_call_id == call["id"]:
            return message
        if isinstance(message, AIMessage):
            return None
    return None


def unfit(tool: BaseTool, call: ToolCall) -> str:
    """What is wrong with the arguments, in a dry run, where no tool is there to say it."""
    schema = cast(Any, tool.tool_call_schema)
    if not inspect.isclass(schema) or not issubclass(schema, BaseModel):
        return ""
    try:
        schema.model_validate(call["args"])
    except ValidationError as cause:
        said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in cause.errors())
        return f"Error: the arguments do not fit {call['name']!r}: {said}. Please fix them and try again."
    return ""


__all__ = ["MARK", "action_of", "injected", "message_of", "name_of_call", "observation_of"]
