"""Values in text: JSON that a tool with a declared result answers, and never a value that is not there."""

import json
from typing import Any, cast

from pydantic import JsonValue

from lookahead.canonical import no_constant, no_duplicates
from lookahead.types import Tool

_DEEPEST = 100
"""Levels. Who keeps and sends values has limits of its own; a prediction that meets them is not worth keeping."""


def structured(text: str, tool: Tool | None) -> JsonValue:
    """What the text holds, where the tool says what it returns. Whether it fits is for the reader to say.

    A tool that returns text has nothing but text: a function's own answer is kept in the same way.
    """
    if tool is None or tool.result is None or tool.result.get("type") == "string":
        return None
    value = as_value(text)
    if isinstance(value, dict) and not _declares(tool, "isError", "content", "type"):
        return _unwrapped(cast(dict[str, Any], value))
    return value


def _declares(tool: Tool, *names: str) -> bool:
    properties = (tool.result or {}).get("properties")
    return isinstance(properties, dict) and any(name in properties for name in names)


def _unwrapped(value: dict[str, Any]) -> JsonValue:
    """Out of the envelopes in which servers answer."""
    if value.get("type") == "text" and isinstance(value.get("text"), str):
        return as_value(value["text"])
    if isinstance(value.get("content"), list) and {"structuredContent", "isError"} & value.keys():
        return value.get("structuredContent")
    return value


def as_value(text: str) -> JsonValue:
    """The text as JSON; None where it is none. A key that occurs twice says two things, so it says nothing."""
    try:
        value: JsonValue = json.loads(text, object_pairs_hook=no_duplicates, parse_constant=no_constant)
    except (ValueError, RecursionError):
        return None
    return value if _keepable(value) else None


def _keepable(value: JsonValue) -> bool:
    """Not too deep, and no text in it that cannot be written down: half of a surrogate pair, a number without end."""
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        if not level:
            return True
        following: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                following += [part for pair in cast(dict[str, Any], item).items() for part in pair]
            elif isinstance(item, list):
                following += cast(list[Any], item)
            elif isinstance(item, str):
                if not item.isascii() and any("\ud800" <= letter <= "\udfff" for letter in item):
                    return False
            elif isinstance(item, float) and (item != item or item in (float("inf"), float("-inf"))):
                return False
        level = following
    return False
