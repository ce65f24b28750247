"""A Python function as a tool: schema from signature, arguments to JSON and back, value to answer."""

import base64
import inspect
import typing
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, JsonValue, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic_core import PydanticSerializationError, to_jsonable_python

from lookahead.canonical import digest_of
from lookahead.errors import CallError, ConfigError
from lookahead.types import Action, Observation, Tool

Function: TypeAlias = Callable[..., Any]

_ANYTHING: Final[TypeAdapter[Any]] = TypeAdapter(Any)
_PLAIN: Final = (str, int, float, bool, type(None))


@dataclass(frozen=True, kw_only=True)
class ToolFunction:
    """One function, and everything that is derived from its signature."""

    function: Function
    name: str

    @classmethod
    def of(cls, function: Function) -> "ToolFunction":
        target = inspect.unwrap(function)
        if inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
            raise ConfigError(
                f"{_label(function)} yields its answer piece by piece, so there is no one answer to foresee; "
                "wrap the function that collects the pieces"
            )
        name = getattr(function, "__name__", None) or getattr(getattr(function, "func", None), "__name__", None)
        if not isinstance(name, str) or name == "<lambda>":
            raise ConfigError(f"{function!r} has no name that a policy could speak of; define it with def")
        made = cls(function=function, name=name)
        _ = made.signature
        return made

    @property
    def is_async(self) -> bool:
        target = self.function
        while hasattr(target, "func"):
            target = cast(Any, target).func
        return inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(type(target).__call__)

    @cached_property
    def hints(self) -> Mapping[str, Any]:
        try:
            return typing.get_type_hints(self.function, include_extras=True)
        except (NameError, TypeError, AttributeError):
            return {}

    @cached_property
    def signature(self) -> inspect.Signature:
        """As the function has it, with annotations resolved, so that they mean the same in another module."""
        try:
            signature = inspect.signature(self.function)
        except (TypeError, ValueError) as cause:
            raise ConfigError(f"{_label(self.function)} does not tell its signature; wrap it in a def") from cause
        parameters = [
            parameter.replace(annotation=self.hints.get(name, parameter.annotation))
            for name, parameter in signature.parameters.items()
        ]
        returns = self.hints.get("return", signature.return_annotation)
        return signature.replace(parameters=parameters, return_annotation=returns)

    @cached_property
    def tool(self) -> Tool:
        properties: dict[str, JsonValue] = {}
        required: list[JsonValue] = []
        extra = False
        for name, parameter in self.signature.parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                extra = True
                continue
            schema: dict[str, JsonValue] = _schema(parameter.annotation)
            if parameter.kind is parameter.VAR_POSITIONAL:
                schema = cast(dict[str, JsonValue], {"type": "array", "items": schema})
            elif parameter.default is parameter.empty:
                required.append(name)
            properties[name] = schema
        parameters: dict[str, JsonValue] = {"type": "object", "properties": properties, "additionalProperties": extra}
        if required:
            parameters["required"] = required
        returns = self.signature.return_annotation
        result = None if returns in (inspect.Signature.empty, None, type(None), Any) else _schema(returns) or None
        return Tool(
            name=self.name, description=inspect.getdoc(self.function) or "", parameters=parameters, result=result
        )

    def action(self, args: tuple[Any, ...], kwargs: dict[str, Any], *, call_id: str | None = None) -> Action:
        """The call as data. One that does not fit the signature raises the `TypeError` that the function would."""
        try:
            if self._places is not None and not kwargs and len(args) == len(self._places):
                written = {name: jsonable(value) for name, value in zip(self._places, args, strict=True)}
            else:
                bound = self.signature.bind(*args, **kwargs)
                bound.apply_defaults()
                written = self._written(bound)
            return Action(tool=self.name, arguments=written, call_id=call_id)
        except ValidationError as cause:
            reason = cause.errors()[0]["msg"]
        except RecursionError:
            reason = "a value contains itself, or is too deep"
        raise CallError(f"the call of {self.name!r} cannot be written down, so it is not allowed: {reason}")

    @cached_property
    def _places(self) -> tuple[str, ...] | None:
        """The names of the arguments, where all of them can be given by place."""
        by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = self.signature.parameters
        return tuple(parameters) if all(one.kind in by_place for one in parameters.values()) else None

    def _written(self, bound: inspect.BoundArguments) -> dict[str, JsonValue]:
        arguments: dict[str, JsonValue] = {}
        for name, value in bound.arguments.items():
            if self.signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
                if twice := arguments.keys() & value.keys():
                    raise CallError(f"{self.name!r} is given two arguments called {min(twice)!r}: rename one")
                arguments.update({key: jsonable(item) for key, item in value.items()})
            else:
                arguments[name] = jsonable(value)
        return arguments

    def bind(self, action: Action) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of an action as the function takes them: the inverse of `action`."""
        args: list[Any] = []
        left_out: list[Any] = []
        kwargs: dict[str, Any] = {}
        left = dict(action.arguments)
        for name, parameter in self.signature.parameters.items():
            by_place = parameter.kind is parameter.POSITIONAL_ONLY or (
                parameter.kind is parameter.POSITIONAL_OR_KEYWORD and self._has_varargs
            )
            if parameter.kind is parameter.VAR_KEYWORD:
                continue
            if name not in left:
                # A default that was left out keeps its place before whatever follows it.
                left_out += [parameter.default] if by_place and parameter.default is not parameter.empty else []
                continue
            value: Any = left.pop(name)
            if parameter.kind is parameter.VAR_POSITIONAL:
                items = [self._value(parameter.annotation, item) for item in cast(list[Any], value)]
                args += [*left_out, *items] if items else []
            elif by_place:
                args += [*left_out, self._value(parameter.annotation, value)]
                left_out = []
            else:
                kwargs[name] = self._value(parameter.annotation, value)
        return tuple(args), {**kwargs, **left}

    @cached_property
    def _has_varargs(self) -> bool:
        return any(one.kind is one.VAR_POSITIONAL for one in self.signature.parameters.values())

    def _value(self, annotation: Any, value: Any) -> Any:
        try:
            return _adapter(annotation).validate_python(_unpacked(value))
        except ValidationError as cause:
            raise CallError(f"{self.name!r} cannot take {value!r}: {cause.errors()[0]['msg']}") from cause

    def answer(self, value: Any) -> Observation:
        """What the function returned, as data beside the value itself."""
        if value is None:
            return Observation()
        try:
            if isinstance(value, str):
                return Observation(content=value)
            structured = jsonable(value)
            return Observation(
                content=structured if isinstance(structured, str) else _text(structured), structured=structured
            )
        except Exception:
            # It has happened: whatever came back, there must be a record of it. The value itself is handed on as it is.
            return Observation(content=f"a {type(value).__qualname__} that cannot be written down")

    def value(self, observation: Observation) -> Any:
        """A value of the function's own return type from an answer that it did not give itself."""
        returns = self.signature.return_annotation
        if returns in (str, inspect.Signature.empty, Any):
            return observation.content if observation.structured is None else observation.structured
        if returns in (None, type(None)):
            return None
        adapter = _adapter(returns)
        try:
            if observation.structured is not None:
                return adapter.validate_python(_unpacked(observation.structured))
            if not observation.content and _takes_nothing(adapter):
                return None
            return adapter.validate_json(observation.content)
        except ValidationError:
            try:
                return adapter.validate_python(observation.content)
            except ValidationError as cause:
                reason = f"{self.name!r} returns something else: {cause.errors()[0]['msg']}"
                raise CallError(f"the answer {observation.content[:80]!r} cannot be handed on; {reason}") from cause


def jsonable(value: Any) -> JsonValue:
    """A value as JSON. What has no JSON form is named by its type: it goes to the real call, and nowhere else."""
    if isinstance(value, _PLAIN):
        return value if type(value) in _PLAIN else cast(JsonValue, to_jsonable_python(value))
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, set | frozenset):
        return sorted((jsonable(item) for item in cast(set[Any], value)), key=repr)
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in cast(list[Any], value)]
    if isinstance(value, dict) and all(isinstance(key, str) for key in cast(dict[Any, Any], value)):
        return {key: jsonable(item) for key, item in cast(dict[str, Any], value).items()}
    if _read_once(value):
        return _opaque(value)
    try:
        return cast(JsonValue, to_jsonable_python(value, fallback=_opaque))
    except (PydanticSerializationError, ValueError):
        return _opaque(value)


def _read_once(value: Any) -> bool:
    """Whether it is or holds something that can be read only once, so that to look into it would use it up."""
    seen: set[int] = set()
    left: list[Any] = [value]
    while left:
        one = left.pop()
        if type(one) in _PLAIN or id(one) in seen:
            continue
        if isinstance(one, Iterator):
            return True
        seen.add(id(one))
        if isinstance(one, dict):
            left += cast(dict[Any, Any], one).values()
        elif isinstance(one, list | tuple | set | frozenset | deque):
            left += cast(list[Any], one)
        elif is_dataclass(one) and not inspect.isclass(one):
            left += [getattr(one, field.name, None) for field in fields(one)]
        elif isinstance(one, BaseModel):
            left += [*vars(one).values(), *(one.model_extra or {}).values()]
    return False


def _unpacked(value: Any) -> Any:
    """Bytes that were written down are bytes again."""
    if isinstance(value, list):
        return [_unpacked(item) for item in cast(list[Any], value)]
    if isinstance(value, dict):
        items = cast(dict[str, Any], value)
        if set(items) == {"$python", "at", "holds"}:
            raise CallError(f"an object of {items['$python']} was named in the call, but is not in it")
        if set(items) == {"$bytes"} and isinstance(items["$bytes"], str):
            return base64.b64decode(items["$bytes"])
        return {key: _unpacked(item) for key, item in items.items()}
    return value


def _takes_nothing(adapter: TypeAdapter[Any]) -> bool:
    try:
        return adapter.validate_python(None) is None
    except ValidationError:
        return False


def _opaque(value: Any) -> JsonValue:
    """Its type, which one it is, and what it plainly holds: one that was changed since is another argument."""
    held = {key: item for key, item in getattr(value, "__dict__", {}).items() if isinstance(item, _PLAIN)}
    holds = digest_of(repr(sorted(held.items(), key=repr)))[:16] if held else ""
    return {"$python": f"{type(value).__module__}.{type(value).__qualname__}", "at": id(value), "holds": holds}


def _text(value: JsonValue) -> str:
    return _ANYTHING.dump_json(value).decode()


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    if annotation is inspect.Parameter.empty:
        return _ANYTHING
    for config in (None, ConfigDict(arbitrary_types_allowed=True)):
        try:
            adapter = TypeAdapter[Any](annotation, config=config)
        except (PydanticUserError, PydanticUndefinedAnnotation):
            continue
        if adapter.pydantic_complete:
            return adapter
    # Not even as an object: a name that nobody can resolve, a TypedDict of a Python that pydantic finds too old.
    return _ANYTHING


def _schema(annotation: Any) -> dict[str, JsonValue]:
    try:
        return _adapter(annotation).json_schema()
    except Exception:
        # A type that pydantic cannot describe is a schema that says nothing.
        return {}


def _label(function: Function) -> str:
    return getattr(function, "__qualname__", None) or repr(function)
