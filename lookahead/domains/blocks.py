"""An action as the fenced block of a user message: a JSON call, to which every domain falls back, or its own form."""

import json
import keyword
from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from lookahead.canonical import as_json
from lookahead.types import Action

FENCE: Final = "```"


def fenced(language: str, body: str) -> str:
    """A block. It ends at the last three backticks of its section, so the body may hold any."""
    return f"{FENCE}{language}\n{body}\n{FENCE}"


def json_block(value: JsonValue) -> str:
    # A number of thousands of digits has no decimal spelling; `as_json` gives it one that can be printed.
    return fenced("json", json.dumps(as_json(value), indent=2, ensure_ascii=False))


def call_block(action: Action) -> str:
    """The call by its name and arguments: what MCP and search do, and any domain with a tool that is not its own."""
    return json_block({"name": action.tool, "arguments": action.arguments})


def one_line(value: JsonValue) -> str:
    return json.dumps(as_json(value), ensure_ascii=False)


def call_text(name: str, arguments: Mapping[str, JsonValue]) -> str | None:
    """`name(key="value", …)`, the values as JSON. None where a name is no name, so that it could not be read back."""
    if not all(is_name(word) for word in (name, *arguments)):
        return None
    return f"{name}({', '.join(f'{key}={one_line(value)}' for key, value in arguments.items())})"


def is_name(word: str) -> bool:
    return word.isidentifier() and not keyword.iskeyword(word)


def bare(tool: str) -> str:
    """The name without the server that it comes from: `mcp__playwright__browser_click`, `playwright-browser_click`."""
    if tool.startswith("mcp__"):
        return tool.rpartition("__")[2] or tool
    server, dash, name = tool.partition("-")
    return name if dash and server.isidentifier() and name.isidentifier() and "_" in name else tool
