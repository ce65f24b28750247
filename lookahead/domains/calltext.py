"""Reads `browser_click(element="Sign in", ref="e12")` back: one call, spelt as text."""

import ast
import json
import re
from json.decoder import JSONDecodeError
from typing import Final

from pydantic import JsonValue

from lookahead.canonical import no_constant, no_duplicates

_NAME: Final = re.compile(r"[A-Za-z_]\w{0,200}(?=\()")
_KEY: Final = re.compile(r"\s*([A-Za-z_]\w{0,200})\s*=\s*")
_NEXT: Final = re.compile(r"\s*(,|\)\s*\Z)")
_JSON: Final = json.JSONDecoder(object_pairs_hook=no_duplicates, parse_constant=no_constant)
_LONGEST: Final = 20_000
"""Characters of what is read as Python. The grammar's reader is not built for whatever a model may write."""

POSITIONS: Final[dict[str, tuple[str, ...]]] = {
    "noop": ("wait_ms",),
    "mouse_move": ("x", "y"),
    "mouse_click": ("x", "y", "button"),
    "mouse_dblclick": ("x", "y", "button"),
    "mouse_down": ("x", "y", "button"),
    "mouse_up": ("x", "y", "button"),
    "scroll": ("delta_x", "delta_y"),
    "click": ("bid", "button", "modifiers"),
    "keyboard_press": ("key",),
    "keyboard_type": ("text",),
    "fill": ("bid", "value", "enable_autocomplete_menu"),
    "hover": ("bid",),
    "tab_focus": ("index",),
    "goto": ("url",),
    "select_option": ("bid", "options"),
    "send_msg_to_user": ("text",),
    "report_infeasible": ("reason",),
}
"""What an argument without a name means, for the actions that are written so."""


def called(text: str) -> tuple[str, dict[str, JsonValue]] | None:
    """The name and the arguments; None where this is not one call of one name."""
    text = text.strip()
    name = _NAME.match(text)
    if not name or not text.endswith(")"):
        return None
    try:
        arguments = _json_arguments(text, name.end() + 1)
    except (ValueError, RecursionError):
        arguments = None
    if arguments is None:
        arguments = _python_arguments(text, name[0])
    return None if arguments is None else (name[0], arguments)


def _json_arguments(text: str, place: int) -> dict[str, JsonValue] | None:
    found: dict[str, JsonValue] = {}
    if not text[place:-1].strip():
        return found
    while True:
        key = _KEY.match(text, place)
        if not key or key[1] in found:
            return None
        try:
            found[key[1]], place = _JSON.raw_decode(text, key.end())
        except JSONDecodeError:
            return None
        following = _NEXT.match(text, place)
        if not following:
            return None
        if following[1] != ",":
            return found
        place = following.end()


def _python_arguments(text: str, name: str) -> dict[str, JsonValue] | None:
    if len(text) > _LONGEST:
        return None
    try:
        call = ast.parse(text, mode="eval").body
        if not isinstance(call, ast.Call) or len(call.args) > len(POSITIONS.get(name, ())):
            return None
        pairs = list(zip(POSITIONS.get(name, ()), call.args, strict=False))
        pairs += [(keyword.arg or "", keyword.value) for keyword in call.keywords]
        found: dict[str, JsonValue] = {key: ast.literal_eval(value) for key, value in pairs}
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return found if "" not in found and len(found) == len(pairs) else None
