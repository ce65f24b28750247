"""Tools as the system prompt lists them: a numbered heading, the description, one line for each parameter."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from lookahead.types import Tool

NO_TOOLS: Final = "No definitions were recorded: go by the names and arguments of the calls."


def tool_definitions(tools: Iterable[Tool]) -> str:
    return "\n\n".join(_definition(number, tool) for number, tool in enumerate(tools, 1)) or NO_TOOLS


def _definition(number: int, tool: Tool) -> str:
    lines = [
        f"### {number}. {tool.name}",
        "#### **Description**:",
        tool.description.strip(),
        "",
        "#### **Parameters**:",
        *(_parameters(tool.parameters) or ["- None"]),
    ]
    if tool.result is not None:
        # Where a tool says what it returns, that is the first thing a prediction has to fit.
        lines += ["", "#### **Returns**:", f"`{_short(tool.result)}`"]
    return "\n".join(lines)


def _parameters(schema: Mapping[str, Any]) -> list[str]:
    properties = schema.get("properties")
    required = schema.get("required")
    names = cast(list[Any], required) if isinstance(required, list) else []
    if not isinstance(properties, dict):
        return []
    return [
        _parameter(name, described, required=name in names)
        for name, described in cast(dict[str, Any], properties).items()
    ]


def _parameter(name: str, schema: object, *, required: bool) -> str:
    return f"- **{name}** `{_type(schema)}` ({'REQUIRED' if required else 'Optional'}): {_text(schema)}".rstrip()


def _type(schema: object) -> str:
    """`string`, `array`, `string|null`: the schema's own words, and `any` where it has none."""
    if not isinstance(schema, dict):
        return "any"
    described = cast(dict[str, Any], schema)
    kind = described.get("type")
    if isinstance(kind, str):
        return kind
    if isinstance(kind, list):
        return "|".join(str(one) for one in cast(list[Any], kind)) or "any"
    for union in ("anyOf", "oneOf"):
        if isinstance(described.get(union), list):
            kinds = (_type(one) if _is_typed(one) else "any" for one in cast(list[Any], described[union]))
            return "|".join(dict.fromkeys(kinds)) or "any"
    return "any"


def _is_typed(schema: object) -> bool:
    return isinstance(schema, dict) and isinstance(cast(dict[str, Any], schema).get("type"), str | list)


def _text(schema: object) -> str:
    """The description on one line, and what the layout has no place for: choices, the default, what is inside."""
    if not isinstance(schema, dict):
        return ""
    described = cast(dict[str, Any], schema)
    said = described.get("description")
    text = " ".join(said.split()) if isinstance(said, str) else ""
    parts: list[str] = []
    if isinstance(described.get("enum"), list):
        parts.append(f"One of {_short(described['enum'])}.")
    if "default" in described:
        parts.append(f"Default: {_short(described['default'])}.")
    inside = {key: described[key] for key in ("items", "properties") if described.get(key)}
    if inside:
        parts.append(f"Inside: {_short(inside)}.")
    if text and parts and text[-1].isalnum():
        text += "."
    return " ".join([text, *parts]).strip()


def _short(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return "unknown"
