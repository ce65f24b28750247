"""Reads a user message back: a row of the benchmark, a line of training data, or what we wrote ourselves.

The format has no way to quote, and this is what it leaves open. Sections are found by their headings at the beginning
of a line, so a task or a state that holds such a line is cut there. The *last* action heading counts: a state comes
from the world and an action from the agent, so what a page or a file says cannot pass as the action. A block ends at
the last three backticks of the section. An instruction tail holds no backticks, so what looks like one inside a block
is none.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final, cast

from pydantic import JsonValue, ValidationError

from lookahead.canonical import no_constant, no_duplicates
from lookahead.domains.blocks import FENCE
from lookahead.domains.calltext import called
from lookahead.domains.keystrokes import TYPED
from lookahead.domains.phone import explorer, invoked
from lookahead.domains.shielding import unshielded
from lookahead.errors import Unreadable
from lookahead.types import Action

TASK: Final = "**Task Instruction:**"
STATE: Final = "**Current State:**"
PHONE: Final = "**Current Phone State:**"
"""Begins a state of its own kind, which then needs no other heading."""
ACTION: Final = "**Action:**"
TAIL: Final = "\n\nPlease analyze the input above"
"""How the instruction begins that only the last user message carries."""

_HEADING: Final = re.compile(r"\s*###\s*Turn\s+(\d{1,9})[^\S\n]*(?:\n|\Z)")


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One user message, taken apart."""

    number: int | None
    """From 1; None where no heading says it."""
    task: str = ""
    state: str = ""
    language: str = ""
    """What the block calls itself: json, text, python, xml."""
    body: str = ""
    """The block's text, to the byte."""
    tail: str = ""
    """The instruction that follows the block, its two line ends included."""
    action: Action


def parse_turn(text: str) -> Turn:
    """Take a user message apart. `Unreadable` where it holds no action."""
    text, tail = split_tail(unshielded(text))
    heading = _HEADING.match(text)
    begin = heading.end() if heading else 0
    place = _last_heading(text, ACTION, begin)
    if place < 0:
        raise Unreadable("this is no turn: it has no line that begins with **Action:**; see `lookahead.domains.turns`")
    task, state = _sections(text[begin:place])
    language, body = _block(text[place + len(ACTION) :])
    number = int(heading[1]) if heading else None
    action = _action(language, body)
    return Turn(number=number, task=task, state=state, language=language, body=body, tail=tail, action=action)


def parse_action(text: str) -> Action:
    """The action in a fenced block, or in what would stand in one."""
    return _action(*_block(unshielded(text)))


def split_tail(text: str) -> tuple[str, str]:
    """The turn, and the instruction that follows it in the message that asks for a prediction."""
    place = text.rfind(TAIL)
    if place < 0 or FENCE in text[place:]:
        return text, ""
    return text[:place], text[place:]


def _last_heading(text: str, heading: str, begin: int) -> int:
    place = text.rfind(heading, begin)
    while place > begin and text[place - 1] != "\n":
        place = text.rfind(heading, begin, place)
    return place


def _first_heading(text: str, heading: str) -> int:
    if text.startswith(heading):
        return 0
    place = text.find("\n" + heading)
    return place + 1 if place >= 0 else -1


def _sections(text: str) -> tuple[str, str]:
    task = ""
    if text.startswith(TASK):
        ends = [place for place in (_first_heading(text, STATE), _first_heading(text, PHONE)) if place >= 0]
        end = min(ends, default=len(text))
        task, text = _inside(text[len(TASK) : end]), text[end:]
    if text.startswith(STATE):
        return task, _inside(text[len(STATE) :])
    phone = _first_heading(text, PHONE)
    return task, text[phone:].removesuffix("\n\n") if phone >= 0 else ""


def _inside(text: str) -> str:
    """Behind the heading's line end, and before the empty line that ends the section."""
    line, newline, rest = text.partition("\n")
    return (rest if newline and not line.strip() else text).removesuffix("\n\n")


def _block(text: str) -> tuple[str, str]:
    begin = text.find(FENCE)
    line = text.find("\n", begin)
    if begin < 0 or line < 0 or text[:begin].strip():
        return "", text.strip()
    end = text.rfind(FENCE)
    body = text[line + 1 : end] if end > line else text[line + 1 :]
    return text[begin + len(FENCE) : line].strip().lower(), body.removesuffix("\n")


def _action(language: str, body: str) -> Action:
    tool, arguments = _read(language, body)
    try:
        return Action(tool=tool, arguments=arguments)
    except (ValidationError, RecursionError) as cause:
        raise Unreadable(
            "the action cannot be read: its JSON holds what no call can, or is nested too deeply"
        ) from cause


def _read(language: str, body: str) -> tuple[str, dict[str, JsonValue]]:
    if language in ("json", "") and body.lstrip()[:1] in ("{", "["):
        found = _from_json(_loaded(body))
        if found:
            return found
    if language == "python":
        return "python", {"code": body}
    return invoked(body) or explorer(body) or called(body) or _as_text(body)


def _as_text(body: str) -> tuple[str, dict[str, JsonValue]]:
    # `pyautogui.click(129, 392)`: a call of something's method is code, whatever the block calls itself.
    if re.match(r"\s*[A-Za-z_]\w{0,100}(?:\.[A-Za-z_]\w{0,100}){1,9}\(", body):
        return "python", {"code": body}
    return "action", {"text": body}


def _loaded(body: str) -> JsonValue:
    try:
        return json.loads(body, object_pairs_hook=no_duplicates, parse_constant=no_constant)
    except (ValueError, RecursionError):
        return None


def _from_json(value: JsonValue) -> tuple[str, dict[str, JsonValue]] | None:
    if isinstance(value, list):
        if all(isinstance(key, dict) and TYPED in key for key in value):
            return TYPED, {TYPED: value}
        return _from_json(value[0]) if len(value) == 1 and isinstance(value[0], dict) else None
    if not isinstance(value, dict):
        return None
    name = value.get("name")
    if isinstance(name, str) and name:
        return name, _arguments(value.get("arguments"))
    kind = value.get("action_type")
    if isinstance(kind, str) and kind:
        return kind, {key: item for key, item in value.items() if key != "action_type"}
    return ("android", value) if isinstance(value.get("action"), str) else None


def _arguments(value: JsonValue) -> dict[str, JsonValue]:
    """Arguments as an object, or as the JSON text of one: coding agents write them so."""
    if isinstance(value, dict):
        return value
    if isinstance(value, str):
        parsed = _loaded(value)
        return cast(dict[str, Any], parsed) if isinstance(parsed, dict) else {"raw": value}
    return {} if value is None else {"value": value}
