"""Which calls the directory fork answers: those of a shell, and those of functions that it was given."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from lookahead.errors import CallError, ConfigError, NotMyWorld
from lookahead.functions import ToolFunction
from lookahead.types import Action

Shell: TypeAlias = Mapping[str, str] | Callable[[Action], str | Sequence[str] | None]
"""Which argument of which tool is a command; or a function that says what a call would run, None where nothing."""

_Function: TypeAlias = Callable[..., Any] | ToolFunction
_Named: TypeAlias = Mapping[str, _Function]
Tools: TypeAlias = Iterable[_Function] | _Named

_ARGUMENTS: Final = ("command", "cmd", "script")
_WORDS: Final = frozenset(
    (
        "shell", "bash", "sh", "terminal", "console", "exec", "execute", "run", "command", "commands", "cmd", "script",
        "tool", "in", "the", "a", "local", "line",
    )
)  # fmt: skip
_BASH: Final = ("/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash")


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """Something for a shell, or a program with its arguments."""

    argv: tuple[str, ...]

    @property
    def text(self) -> str:
        return self.argv[-1] if self.is_shell else " ".join(self.argv)

    @property
    def is_shell(self) -> bool:
        return len(self.argv) == 3 and self.argv[1] == "-c"


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A function of the agent's own, with its arguments."""

    function: ToolFunction
    action: Action


def _function(given: _Function) -> ToolFunction:
    return given if isinstance(given, ToolFunction) else ToolFunction.of(given)


class Calls:
    """Reads an action as something that can be run in the copy; `NotMyWorld` where it cannot."""

    def __init__(self, shell: Shell | None, tools: Tools, interpreter: Sequence[str] | None, world: str) -> None:
        self._shell = shell
        self._interpreter = tuple(interpreter) if interpreter else None
        self._world = world
        if isinstance(tools, Mapping):
            self._functions = {name: _function(one) for name, one in cast(_Named, tools).items()}
        else:
            self._functions = {one.name: one for one in map(_function, tools)}
        if isinstance(shell, str):
            raise ConfigError('shell= names the argument that holds the command, as in {"run_shell": "command"}')

    @property
    def has_functions(self) -> bool:
        return bool(self._functions)

    def knows(self, action: Action) -> bool:
        try:
            self.read(action)
        except NotMyWorld:
            return False
        return True

    def read(self, action: Action) -> Command | Call:
        function = self._functions.get(action.tool)
        if function is not None:
            try:
                function.bind(action)
            except CallError as cause:
                raise NotMyWorld(f"{self._world}: {cause}") from cause
            return Call(function=function, action=action)
        command = self._command(action)
        if command is None:
            raise NotMyWorld(f"{self._world}: {action.tool!r} is no shell and no function that was given to this world")
        if "\0" in "".join(command):
            raise NotMyWorld(f"{self._world}: no program can be given a NUL character")
        return Command(argv=(*self._shell_for(action.tool), command) if isinstance(command, str) else tuple(command))

    def _command(self, action: Action) -> str | Sequence[str] | None:
        if callable(self._shell):
            return self._shell(action)
        if self._shell is not None:
            value = action.arguments.get(self._shell.get(action.tool, ""))
            return value if isinstance(value, str) else None
        # Undeclared: one argument that is called a command, of a tool whose every word speaks of a shell. A tool such
        # as `kubectl_exec` runs its command elsewhere.
        words = set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", action.tool).lower()))
        if len(action.arguments) != 1 or not words or not words <= _WORDS:
            return None
        (name, value), *_ = action.arguments.items()
        return value if name in _ARGUMENTS and isinstance(value, str) else None

    def _shell_for(self, tool: str) -> tuple[str, ...]:
        if self._interpreter:
            return self._interpreter
        bash = next((place for place in _BASH if os.path.exists(place)), None) if "bash" in tool.lower() else None
        return (bash or "/bin/sh", "-c")
