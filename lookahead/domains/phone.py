"""Two ways to write what is done to a phone: `<invoke name="phone">` with parameters, and an app explorer's words."""

import json
import re
from typing import Final

from pydantic import JsonValue

from lookahead.canonical import no_constant, no_duplicates
from lookahead.domains.blocks import one_line
from lookahead.types import Action

INVOKED: Final = ("phone", "remember")
"""Tools that are called as XML."""

_INVOKE, _INVOKED, _PARAMETER, _ENDED = '<invoke name="', "</invoke>", '<parameter name="', "</parameter>"
_JOINER: Final = "\u2060"

VERBS: Final = ("touch", "long_touch", "set_text", "scroll", "select", "unselect", "intent", "kill_app")
_DIRECTIONS: Final = ("up", "down", "left", "right")
_TAG: Final = re.compile(r"<(\w{1,40})((?:\s[^<>\n]{0,500})?)>")
_ATTRIBUTE: Final = re.compile(r"""(\w{1,40})=('[^']*'|"[^"]*"|\S+)""")
_OWN: Final = ("element", "direction", "text", "input", "trailing", "command")
_FREE: Final = re.compile(r"""[^\s'"<>]+""")


def invocation(action: Action) -> str:
    lines = [f'{_INVOKE}{action.tool}">']
    for name, value in action.arguments.items():
        said = value if isinstance(value, str) else one_line(value)
        # The form has no way to quote: an end that is part of a value is taken apart, and put together when read.
        said = said.replace("</p", f"<{_JOINER}/p").replace("</i", f"<{_JOINER}/i")
        lines.append(f'{_PARAMETER}{name}">{said}{_ENDED}')
    return "\n".join([*lines, _INVOKED])


def invoked(text: str) -> tuple[str, dict[str, JsonValue]] | None:
    """The last invocation: a note that the agent takes for itself may stand before the one that does something."""
    begin = text.rfind(_INVOKE)
    close = text.find('">', begin)
    if begin < 0 or close < 0:
        return None
    tool = text[begin + len(_INVOKE) : close]
    end = text.find(_INVOKED, close)
    body, arguments = text[close + 2 : end if end >= 0 else len(text)], dict[str, JsonValue]()
    place = body.find(_PARAMETER)
    while place >= 0:
        named = body.find('">', place)
        ended = body.find(_ENDED, named)
        if named < 0 or ended < 0:
            return None
        value = body[named + 2 : ended].replace(f"<{_JOINER}/", "</")
        arguments[body[place + len(_PARAMETER) : named]] = _valued(value)
        place = body.find(_PARAMETER, ended)
    return (tool, arguments) if tool else None


def _valued(text: str) -> JsonValue:
    """A number, a truth, a list where it reads as one; else the text."""
    try:
        value: JsonValue = json.loads(text, parse_constant=no_constant, object_pairs_hook=no_duplicates)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, str) else value


def explored(action: Action) -> str | None:
    """`touch <button id=3 bound_box=0,1,2,3>Sign in</button>`; None where this is no such action."""
    verb, arguments = action.tool, action.arguments
    if verb not in VERBS or not all(isinstance(value, str) for value in arguments.values()):
        return None
    said = {name: str(value) for name, value in arguments.items()}
    if verb == "kill_app":
        return verb if not said else None
    if verb == "intent":
        return f"intent {said['command']}" if list(said) == ["command"] else None
    direction = [said["direction"]] if said.get("direction") in _DIRECTIONS else []
    if "element" not in said or ("direction" in said) != bool(direction) or "command" in said:
        return None
    attributes = [_attribute(name, value) for name, value in said.items() if name not in _OWN]
    if not re.fullmatch(r"\w{1,40}", said["element"]) or None in attributes or "</" in said.get("text", ""):
        return None
    head = " ".join([said["element"], *(one for one in attributes if one)])
    element = f"<{head}>{said.get('text', '')}</{said['element']}>"
    return " ".join([verb, *direction, element, *(said[name] for name in ("input", "trailing") if name in said)])


def _attribute(name: str, value: str) -> str | None:
    if not re.fullmatch(r"\w{1,40}", name):
        return None
    if _FREE.fullmatch(value):
        return f"{name}={value}"
    return f"{name}='{value}'" if not set("'<>\n") & set(value) else None


def explorer(text: str) -> tuple[str, dict[str, JsonValue]] | None:
    """The verb, and the element that it is done to."""
    verb, _, rest = text.strip().partition(" ")
    if verb not in VERBS:
        return None
    if verb in ("intent", "kill_app"):
        return (verb, {"command": rest} if rest else {}) if bool(rest) == (verb == "intent") else None
    arguments: dict[str, JsonValue] = {}
    head, _, behind = rest.partition(" ")
    if verb == "scroll" and head in _DIRECTIONS:
        arguments["direction"], rest = head, behind
    tag = _TAG.match(rest.strip())
    if not tag:
        return None
    rest = rest.strip()
    ended = rest.find(f"</{tag[1]}>", tag.end())
    if ended < 0:
        return None
    arguments["element"] = tag[1]
    for name, value in _ATTRIBUTE.findall(tag[2]):
        arguments[name] = value[1:-1] if value[0] in "'\"" and value[-1] == value[0] else value
    if rest[tag.end() : ended]:
        arguments["text"] = rest[tag.end() : ended]
    trailing = rest[ended + len(tag[1]) + 3 :].strip()
    if trailing:
        arguments["input" if verb == "set_text" else "trailing"] = trailing
    return verb, arguments
