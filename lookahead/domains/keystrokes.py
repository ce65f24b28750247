"""Commands as what is typed into a terminal: `[{"keystrokes": "ls\\n", "duration": 5.0}]`."""

import shlex
from collections.abc import Mapping
from typing import Final, cast

from pydantic import JsonValue

from lookahead.domains.words import COMMANDS, FOLDERS, REMARKS, WAITS, words_of
from lookahead.types import Action

TYPED: Final = "keystrokes"
DURATION: Final = 5.0
"""Seconds for a command of which nobody said how long it may take. The format waits 1 s where nothing is said and shows
what is there by then; a tool that returns when the command has ended is better told by a span in which most have."""


def typed(action: Action) -> list[JsonValue] | None:
    """The keystrokes of a call; None where it holds what cannot be typed, so that it is better told as a call."""
    arguments = dict(action.arguments)
    duration = _duration(arguments)
    if TYPED in arguments:
        keys = arguments.pop(TYPED)
        return None if _unsaid(arguments) else _given(keys, duration)
    found = [name for name in arguments if name.lower() in COMMANDS]
    if len(found) == 1:
        lines = _lines(arguments.pop(found[0]))
        folders = [name for name in arguments if name.lower() in FOLDERS]
        folder = arguments.pop(folders[0]) if folders else None
        if lines is None or _unsaid(arguments) or not (folder is None or isinstance(folder, str)):
            return None
        if folder:
            # In brackets, because the next command starts where this one did.
            lines = [f"(cd {shlex.quote(folder)} && {line.rstrip()})" if _plain(line) else "" for line in lines]
        return [_key(_entered(line), duration) for line in lines] if all(lines) else None
    return _without_command(action, arguments, duration)


def _without_command(action: Action, arguments: dict[str, JsonValue], duration: float) -> list[JsonValue] | None:
    if _unsaid(arguments):
        return None
    name = words_of(action.tool)
    if name[:1] in (("wait",), ("sleep",)) and action.arguments:
        return [_key("", duration)]
    return [] if name[-2:] == ("task", "complete") else None


def _given(keys: JsonValue, duration: float) -> list[JsonValue] | None:
    """What already is keystrokes stays as it is, further fields included."""
    if isinstance(keys, str):
        return [_key(keys, duration)]
    if not isinstance(keys, list):
        return None
    if all(isinstance(key, dict) and isinstance(key.get(TYPED), str) for key in keys):
        return list(keys)
    return [_key(cast(str, key), duration) for key in keys] if all(isinstance(key, str) for key in keys) else None


def _lines(command: JsonValue) -> list[str] | None:
    """One command; or several, one after the other. A list of words that is one command cannot be told from several
    commands but by its first word, which then holds no blank."""
    if isinstance(command, str):
        return [command]
    if not isinstance(command, list) or not command or not all(isinstance(part, str) for part in command):
        return None
    parts = [part for part in command if isinstance(part, str)]
    if len(parts) > 1 and not any(character.isspace() for character in parts[0]):
        return [shlex.join(parts)]
    return parts


def _plain(line: str) -> bool:
    """Whether it can stand in brackets: a here-document or a comment would swallow the closing one."""
    return "\n" not in line.strip() and "<<" not in line and "#" not in line and bool(line.strip())


def _entered(line: str) -> str:
    return line if line.endswith("\n") else line + "\n"


def _key(keys: str, duration: float) -> JsonValue:
    return {TYPED: keys, "duration": duration}


def _unsaid(arguments: Mapping[str, JsonValue]) -> bool:
    """Whether anything is left that would change what the command does."""
    return any(not (value in (None, False, "", [], {}) or name.lower() in REMARKS) for name, value in arguments.items())


def _duration(arguments: dict[str, JsonValue]) -> float:
    """Take out how long to wait, in seconds. What is given in thousands is given in milliseconds."""
    for name in [name for name in arguments if name.lower() in WAITS]:
        value = arguments.pop(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12:
            return float(value) / 1000 if "ms" in words_of(name) or "milli" in name or value >= 1000 else float(value)
    return DURATION
