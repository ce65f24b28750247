"""The JSON schema of a call: one of the agent's tools, with arguments that fit it."""

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import JsonValue

from lookahead.types import Tool

_NAMED: Final = frozenset(("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"))
"""Below these stand schemas by name, so a key there is a name and no keyword."""
_DATA: Final = frozenset(("const", "enum", "default", "examples"))
"""Below these stands no schema at all."""


def call_schema(tools: Sequence[Tool]) -> dict[str, JsonValue]:
    """`{"call": {"tool": …, "arguments": …}}`, where the arguments depend on the tool.

    The root is a plain object, because some engines take no choice there. A schema that points into itself is moved to
    the root's definitions, and its pointers with it.
    """
    call, definitions = _one_of(tools)
    return _rooted("call", call, definitions)


def plan_schema(tools: Sequence[Tool], *, least: int, most: int) -> dict[str, JsonValue]:
    """`{"calls": [{"tool": …, "arguments": …}, …]}`: so many calls, one after the other."""
    call, definitions = _one_of(tools)
    return _rooted("calls", {"type": "array", "items": call, "minItems": least, "maxItems": most}, definitions)


def _rooted(name: str, value: JsonValue, definitions: dict[str, JsonValue]) -> dict[str, JsonValue]:
    schema = _closed({name: value})
    return {**schema, "$defs": definitions} if definitions else schema


def _one_of(tools: Sequence[Tool]) -> tuple[JsonValue, dict[str, JsonValue]]:
    """A call of any of these tools, and the definitions that belong at the root."""
    definitions: dict[str, JsonValue] = {}
    calls: list[JsonValue] = []
    for index, tool in enumerate(tools):
        arguments: JsonValue = {"type": "object"} | {
            key: value for key, value in tool.parameters.items() if key not in ("$schema", "$id")
        }
        if _points(arguments):
            place = f"tool{index}"
            definitions[place] = _moved(arguments, f"#/$defs/{place}")
            arguments = {"$ref": f"#/$defs/{place}"}
        calls.append(_closed({"tool": {"type": "string", "const": tool.name}, "arguments": arguments}))
    return calls[0] if len(calls) == 1 else {"anyOf": calls}, definitions


def _closed(properties: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _points(schema: JsonValue) -> bool:
    return _moved(schema, "#moved") != schema


def _moved(schema: JsonValue, to: str, *, names: bool = False) -> JsonValue:
    """The schema with every pointer into itself turned to its new place."""
    if isinstance(schema, list):
        return [_moved(one, to) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    moved: dict[str, JsonValue] = {}
    for key, value in schema.items():
        if names:
            moved[key] = _moved(value, to)
        elif key == "$ref" and isinstance(value, str) and (value == "#" or value.startswith("#/")):
            moved[key] = to + value[1:]
        else:
            moved[key] = value if key in _DATA else _moved(value, to, names=key in _NAMED)
    return moved
