"""A terminal: keystrokes go in, and the screen comes back."""

from typing import Final

from lookahead.domains.base import Domain, Meaning
from lookahead.domains.blocks import call_block, json_block
from lookahead.domains.failures import call_failed, command_failed
from lookahead.domains.keystrokes import TYPED, typed
from lookahead.types import Action, State

_SIGNS: Final = "#$%>❯»"
"""What a prompt ends with."""


def block(action: Action) -> str:
    keys = typed(action)
    return call_block(action) if keys is None else json_block(keys)


def meaning(text: str, state: State, action: Action) -> Meaning:
    command = _command(action)
    if not command:
        return text, call_failed(text) if typed(action) is None else False
    if TYPED not in action.arguments and not _shows_screens(state):
        text = _output(text, command)
    return text, command_failed(_output(text, command), command)


def _command(action: Action) -> str:
    """The one command of a call; empty where it types several, or none."""
    keys = typed(action)
    only = keys[0] if keys and len(keys) == 1 else None
    return str(only[TYPED]).strip() if isinstance(only, dict) else ""


def _shows_screens(state: State) -> bool:
    """Whether answers are screens with prompts here. A function that runs a command returns its output only."""
    if _prompt(state.situation.rpartition("\n")[2]):
        return True
    return any(_echo(step.observation.content, _command(step.action)) for step in state.steps[-8:])


def _prompt(line: str) -> str:
    """The line, if it is a prompt and nothing else."""
    line = line.rstrip()
    return line if 0 < len(line) <= 200 and line[-1] in _SIGNS and ("@" in line or len(line) < 40) else ""


def _echo(text: str, command: str) -> str:
    """The prompt in front of the command, where the first line shows both."""
    first = text.partition("\n")[0].rstrip()
    return _prompt(first[: -len(command)]) if command and first.endswith(command) and first != command else ""


def _output(text: str, command: str) -> str:
    """What the command printed, out of a screen that shows the command behind a prompt, and perhaps the next prompt."""
    prompt = _echo(text, command)
    if not prompt:
        return text
    rest = text.partition("\n")[2]
    head, _, last = rest.rpartition("\n")
    # The next prompt may name another folder: what is before the colon stays.
    who = prompt.partition(":")[0] if ":" in prompt else prompt
    return head if _prompt(last) and last.startswith(who) else rest


TERMINAL = Domain(name="terminal", block=block, meaning=meaning)
