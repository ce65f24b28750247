"""Tools that look like the agent's own, and walk the line when they are called."""

import inspect
import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, cast

from pydantic import JsonValue, ValidationError

from lookahead.errors import CallError, ConfigError, Refused, Swapped
from lookahead.functions import ToolFunction, jsonable
from lookahead.permit import Answer, Permit, swap_notice
from lookahead.portal import portal
from lookahead.types import Action, Observation, Tool
from lookahead_integrations.smolagents.stage import Hand, turn

smolagents: Any = import_module("smolagents")

_JSON_TYPES: Final = frozenset({"string", "boolean", "integer", "number", "array", "object", "null"})

Call = Callable[[tuple[Any, ...], dict[str, Any], bool], Any]
"""The arguments by place and by name, and whether values are to be made fit for an agent on their way."""


@dataclass(frozen=True, kw_only=True)
class Described:
    """What can be said of a tool without holding it."""

    tool: Tool
    inputs: Mapping[str, Any]
    output_type: str
    signature: inspect.Signature | None

    @classmethod
    def of(cls, tool: Any, *, name: str | None = None) -> "Described":
        inputs = dict(getattr(tool, "inputs", None) or {})
        result = getattr(tool, "output_schema", None)
        noun = Tool(
            name=name or tool.name,
            description=str(getattr(tool, "description", "") or ""),
            parameters=cast(dict[str, JsonValue], jsonable(_schema(inputs))),
            result=cast(dict[str, JsonValue], jsonable(result)) if result else None,
        )
        output_type = str(getattr(tool, "output_type", "any"))
        return cls(tool=noun, inputs=inputs, output_type=output_type, signature=_signature(tool, inputs))

    def action(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Action:
        """The call as data, with the defaults that the tool would take."""
        written = dict(kwargs)
        if self.signature is not None:
            bound = self.signature.bind(*args, **kwargs)
            bound.apply_defaults()
            written = dict(bound.arguments)
        elif len(args) <= len(self.inputs):
            written = {**dict(zip(self.inputs, args, strict=False)), **kwargs}
        else:
            raise TypeError(f"{self.tool.name!r} takes {len(self.inputs)} arguments, and {len(args)} were given")
        try:
            return Action(tool=self.tool.name, arguments={key: jsonable(value) for key, value in written.items()})
        except ValidationError as cause:
            reason = cause.errors()[0]["msg"]
        except RecursionError:
            reason = "a value contains itself, or is too deep"
        raise CallError(f"the call of {self.tool.name!r} cannot be written down, so it is not allowed: {reason}")

    def value(self, observation: Observation) -> Any:
        """What the tool would hand back, from an answer that it did not give itself."""
        if observation.structured is not None:
            return observation.structured
        if self.output_type in ("string", "any", "image", "audio"):
            return observation.content
        try:
            return json.loads(observation.content)
        except ValueError:
            return observation.content


def _schema(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON schema, which knows neither `nullable` nor smolagents' own types."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    for name, given in inputs.items():
        one = {key: value for key, value in given.items() if key != "nullable"}
        kinds = one.get("type", "any")
        kinds = [kinds] if isinstance(kinds, str) else list(kinds)
        if given.get("nullable"):
            kinds.append("null")
        else:
            required.append(name)
        if _JSON_TYPES.issuperset(kinds):
            one["type"] = kinds if len(kinds) > 1 else kinds[0]
        else:
            one.pop("type", None)
        properties[name] = one
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _signature(tool: Any, inputs: Mapping[str, Any]) -> inspect.Signature | None:
    """Of the arguments that an agent gives; None for a tool that takes whatever comes."""
    try:
        signature = inspect.signature(tool.forward)
    except (AttributeError, TypeError, ValueError):
        return None
    parameters = [one for name, one in signature.parameters.items() if name != "self"]
    by_name = {one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
    return signature.replace(parameters=parameters) if by_name == set(inputs) == {p.name for p in parameters} else None


@dataclass(frozen=True, kw_only=True)
class Door:
    """The way to one tool, by way of the line."""

    described: Described
    hand: Hand
    real: Mapping[str, Call]
    """Everything that this agent may do for real, by name; empty in a dry run."""
    raises: bool
    """In code a refusal stops the code; to a model that calls tools it is the tool's answer."""

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any], fit: bool) -> Any:
        if len(args) == 1 and not kwargs and isinstance(args[0], dict):
            given = cast(dict[str, Any], args[0])
            if all(key in self.described.inputs for key in given):
                args, kwargs = (), given
        action = self.described.action(args, kwargs)
        running = turn.get()
        if running is not None and running.ended:
            raise _too_late(action)
        with running or nullcontext():
            begun = self.hand.begin(action)
        if isinstance(begun, Answer):
            return self._answered(begun)
        try:
            if running is not None and running.ended:
                raise _too_late(action)
            value = self._run(begun, args, kwargs, fit)
        except BaseException as error:
            portal.call(self.hand.stage.conversation.failed, begun, error)
            raise
        observation = observed(value, begun.action.tool)
        self.hand.stage.conversation.finish_here(begun, observation)
        if begun.decision.choice != "swap":
            return value
        said = f"{swap_notice(begun.decision)}\n{observation.content}"
        if self.raises:
            raise Swapped(said, begun.decision, value)
        return said

    def _run(self, permit: Permit, args: tuple[Any, ...], kwargs: dict[str, Any], fit: bool) -> Any:
        if permit.decision.choice == "swap":
            chosen = permit.take(permit.action)
            return self.real[chosen.tool]((), dict(chosen.arguments), fit)
        # Written down anew: a list that was changed while the call was being judged makes it another call.
        permit.take(self.described.action(args, kwargs))
        return self.real[permit.action.tool](args, kwargs, fit)

    def _answered(self, answer: Answer) -> Any:
        if answer.observation.origin.kind != "guard":
            return self.described.value(answer.observation)
        if self.raises:
            raise Refused(answer.observation.content, answer.decision)
        return answer.observation.content


def _too_late(action: Action) -> CallError:
    return CallError(f"{action.tool!r} was not done: the code that calls it ran out of time before")


def observed(value: Any, name: str) -> Observation:
    return ToolFunction(function=observed, name=name).answer(value)


def proxy(tool: Any, call: Call) -> Any:
    """A tool to look at, prompts included; nothing that can be reached from it leads to the real one."""
    code_prompt, calling_prompt = _said(tool, "to_code_prompt"), _said(tool, "to_tool_calling_prompt")

    class Guarded(smolagents.Tool):  # type: ignore[misc]
        skip_forward_signature_validation = True
        name, description = tool.name, tool.description
        inputs, output_type = tool.inputs, tool.output_type
        output_schema = getattr(tool, "output_schema", None)

        def forward(self, *args: Any, **kwargs: Any) -> Any:
            return call(args, kwargs, False)

        def __call__(self, *args: Any, sanitize_inputs_outputs: bool = False, **kwargs: Any) -> Any:
            return call(args, kwargs, sanitize_inputs_outputs)

        def to_code_prompt(self) -> str:
            return code_prompt

        def to_tool_calling_prompt(self) -> str:
            return calling_prompt

        def to_dict(self) -> Any:
            raise ConfigError(
                f"{self.name!r} is guarded by lookahead and has no source of its own; save the agent before it is "
                "wrapped, and wrap what was loaded"
            )

    guarded = Guarded()
    guarded.is_initialized = True
    return guarded


def _said(tool: Any, what: str) -> str:
    try:
        return str(getattr(tool, what)())
    except Exception:
        return f"{tool.name}: {tool.description}"


def real_call(tool: Any) -> Call:
    """The tool itself, as the door calls it."""
    if isinstance(tool, smolagents.Tool):
        return lambda args, kwargs, fit: tool(*args, sanitize_inputs_outputs=fit, **kwargs)
    return lambda args, kwargs, fit: tool(*args, **kwargs)


FINAL: Final = "final_answer"


def only_ends(name: str, tool: Any) -> bool:
    """The framework's own way to say that the agent is done: it does nothing to the world."""
    return name == FINAL and type(tool) is smolagents.FinalAnswerTool
