"""A programmer's machine behind the tools of a coding agent: files, searches, commands, lists of things to do."""

import re
from typing import Final

from lookahead.domains.base import Domain, Meaning
from lookahead.domains.blocks import json_block, one_line
from lookahead.domains.failures import call_failed, command_failed
from lookahead.domains.keystrokes import typed
from lookahead.types import Action, State

_ENVELOPE: Final = re.compile(r"^Exit Code: (-?\d{1,10})$", re.MULTILINE)
_EXITED: Final = re.compile(r"Exit code (\d{1,10})(?:\n|\Z)")
_REFUSED: Final = (
    "File does not exist",
    "File not found",
    "String to replace not found",
    "File has not been read yet",
    "Failed to edit",
    "Error reading ",
    "Error writing ",
    "Error editing ",
)


def block(action: Action) -> str:
    # The arguments are the text of a JSON object: so the agents whose sessions these are wrote them down.
    return json_block({"name": action.tool, "arguments": one_line(action.arguments)})


def meaning(text: str, state: State, action: Action) -> Meaning:
    envelope = _ENVELOPE.search(text) if text.startswith("Command: ") else None
    if envelope:
        return text, int(envelope[1]) != 0
    exited = _EXITED.match(text)
    if exited:
        return text, int(exited[1]) != 0
    keys = typed(action)
    command = str(keys[0]["keystrokes"]) if keys and isinstance(keys[0], dict) else ""
    failed = command_failed(text, command) if command else call_failed(text) or _refused(text)
    return text, failed


def _refused(text: str) -> bool:
    """One line that says why not; a longer text may be a file that begins so."""
    return text.startswith(_REFUSED) and "\n" not in text.strip()


SWE = Domain(name="swe", block=block, meaning=meaning)
