"""Run a function of the agent's own in the copy: in a child of this process, behind the same walls as any command."""

import json
import os
import sys
from collections.abc import Callable
from typing import Any, Final, cast

import anyio

from lookahead.functions import ToolFunction
from lookahead.types import Action, Observation
from lookahead.worlds.fork.confined.spec import write_all

_MOST: Final = 200
_NETWORK: Final = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname")
_PATHS: Final = {
    "os.remove": 1, "os.rename": 2, "os.mkdir": 1, "os.rmdir": 1, "os.symlink": 2, "os.link": 2, "os.chmod": 1,
    "os.chown": 1, "os.truncate": 1, "os.utime": 1, "os.setxattr": 1, "os.removexattr": 1, "os.mkfifo": 1,
}  # fmt: skip
_READS: Final = ("os.listdir", "os.scandir", "os.chdir", "sqlite3.connect")
_COMMANDS: Final = {"subprocess.Popen": 1, "os.system": 0, "os.exec": 1, "os.posix_spawn": 1}
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Reached:
    """What a function reached for, as the interpreter itself reports it; the near side judges what that means."""

    def __init__(self) -> None:
        self.read: set[str] = set()
        self.written: set[str] = set()
        self.commands: list[str] = []
        self.network = ""
        self._busy = False

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._busy or len(self.read) + len(self.written) > _MOST:
            return
        self._busy = True
        try:
            self._note(event, arguments)
        except Exception:
            return  # what cannot be understood is no path
        finally:
            self._busy = False

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            writes = bool(flags & _WRITING) or (isinstance(mode, str) and not set(mode).isdisjoint("wax+"))
            self._add(path, writes=writes)
        elif event in _PATHS:
            for path in arguments[: _PATHS[event]]:
                self._add(path, writes=True)
        elif event in _READS:
            self._add(arguments[0], writes=False)
        elif event in _COMMANDS and len(self.commands) < _MOST:
            words = arguments[_COMMANDS[event]]
            self.commands += [words] if isinstance(words, str) else map(_decoded, words)
        elif event in _NETWORK:
            self._address(event, arguments)

    def _add(self, path: object, *, writes: bool) -> None:
        if isinstance(path, (str, bytes, os.PathLike)):  # not the number of a file that is open already
            # The folder is resolved but not the thing itself: a link is removed, not what it leads to.
            place = os.path.abspath(_decoded(path))
            real = os.path.join(os.path.realpath(os.path.dirname(place)), os.path.basename(place))
            (self.written if writes else self.read).add(real)
            if os.path.islink(real):
                (self.written if writes else self.read).add(os.path.realpath(real))

    def _address(self, event: str, arguments: tuple[Any, ...]) -> None:
        address = arguments[0] if event in ("socket.getaddrinfo", "socket.gethostbyname") else arguments[-1]
        host = str(cast(Any, address)[0] if isinstance(address, tuple) else address)
        local = host in ("localhost", "::1", "None", "") or host.startswith(("127.", "/"))
        if not local and not self.network:
            self.network = host


def _decoded(path: Any) -> str:
    return os.fsdecode(path)


def body_of(function: ToolFunction, action: Action, result: int, backend: str) -> Callable[[], None]:
    """What the confined child does: call, write the answer to `result`, and be gone."""

    def body() -> None:
        reached = Reached()
        sys.addaudithook(reached.hear)
        observation = call(function, action, backend)
        answer = {
            "observation": observation.model_dump(mode="json"),
            "read": sorted(reached.read),
            "written": sorted(reached.written),
            "commands": reached.commands,
            "network": reached.network,
        }
        write_all(result, json.dumps(answer).encode())

    return body


def call(function: ToolFunction, action: Action, backend: str) -> Observation:
    try:
        positional, named = function.bind(action)
        if function.is_async:
            value = anyio.run(lambda: function.function(*positional, **named), backend=backend)
        else:
            value = function.function(*positional, **named)
        return function.answer(value)
    except Exception as error:
        return Observation(content=f"{type(error).__name__}: {error}", failed=True)
    except SystemExit as error:
        return Observation(content=f"SystemExit: {error}", failed=True)
