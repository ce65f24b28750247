"""How a server is started. Loads next to nothing: the server begins while we are still loading the rest of us."""

import os
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from lookahead_integrations.mcp.exchange import INTERNAL_ERROR, RpcError


@dataclass(frozen=True, kw_only=True)
class Command:
    """Without a shell, so that nothing in it is interpreted a second time."""

    arguments: tuple[str, ...]
    env: Mapping[str, str] | None = None
    """Over our own environment, all of which it gets."""
    cwd: str | None = None

    def __str__(self) -> str:
        return shlex.join(self.arguments)

    def start(self) -> "subprocess.Popen[bytes]":
        """Raises RpcError that says what is wrong with the command."""
        try:
            return subprocess.Popen(
                self.arguments,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **self.env} if self.env else None,
                cwd=self.cwd,
                # So that Ctrl-C reaches us alone, and what it starts itself can be ended with it.
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise RpcError(INTERNAL_ERROR, f"the server cannot be started: {self._why(error)}") from error

    def _why(self, error: Exception) -> str:
        program = self.arguments[0]
        if isinstance(error, FileNotFoundError) and self.cwd is not None and not os.path.isdir(self.cwd):
            return f"there is no folder {self.cwd}"
        if isinstance(error, FileNotFoundError):
            if " " in program and len(self.arguments) == 1:
                return f"{program!r} is one word here: give the command unquoted, as in -- {program}"
            return f"command not found: {program}. Install it, or give its whole path"
        if isinstance(error, PermissionError):
            return f"{program} may not be run: {error.strerror}"
        return str(error)

    def early(self) -> "subprocess.Popen[bytes] | None":
        """Starts it before anybody needs it. What is wrong with it is said when somebody does."""
        try:
            return self.start()
        except RpcError:
            return None


def given_up(process: "subprocess.Popen[bytes] | None") -> None:
    """Ends one that was started early and is not needed after all."""
    if process is not None:
        with process:
            process.kill()
