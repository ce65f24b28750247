"""Run a function of the agent's own in the copy: in a child of this process, behind the same walls as any command."""

import json
import os
import shlex
import sys
from collections.abc import Callable
from typing import Any, Final, cast

import anyio

from lookahead.functions import ToolFunction
from lookahead.types import Action, Observation
from lookahead.worlds.fork.confined.spec import write_all

_MOST: Final = 200
_MOST_WRITTEN: Final = 2000
_NONE: Final = 99
_NETWORK: Final = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname")
_WRITES: Final[dict[str, dict[int, int]]] = {
    "os.remove": {0: 1}, "os.rmdir": {0: 1}, "os.rename": {0: 2, 1: 3}, "os.symlink": {1: 2}, "os.link": {1: 3},
    "os.chmod": {0: 2}, "os.chown": {0: 3}, "os.truncate": {0: _NONE}, "os.utime": {0: 3}, "os.setxattr": {0: _NONE},
    "os.removexattr": {0: _NONE}, "shutil.rmtree": {0: 1}, "shutil.move": {0: _NONE, 1: _NONE},
    "shutil.copyfile": {1: _NONE}, "shutil.copytree": {1: _NONE}, "shutil.chown": {0: _NONE},
}  # fmt: skip
"""Which arguments of an event are places that are written to, and which argument says the folder they are in."""
_NOT_FOLLOWED: Final = ("os.remove", "os.rmdir", "os.rename", "os.symlink", "os.link", "shutil.rmtree", "os.mkdir")
_READS: Final = ("os.listdir", "os.scandir", "os.chdir", "sqlite3.connect")
_COMMANDS: Final = {"subprocess.Popen": 1, "os.system": 0, "os.exec": 1, "os.posix_spawn": 1}
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Reached:
    """What a function reached for, as the interpreter itself reports it; the near side judges what that means."""

    def __init__(self) -> None:
        self.read: set[str] = set()
        self.written: set[str] = set()
        self.made: set[str] = set()
        """Folders that were to be made: where there is one already, nothing changes."""
        self.commands: list[str] = []
        self.network = ""
        self._busy = False

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._busy:
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
            nameless = writes and isinstance(path, (str, bytes)) and os.path.isdir(path)  # a file without a name in it
            self._add(path, self.written if writes and not nameless else self.read)
        elif event in _WRITES:
            for path, folder in _WRITES[event].items():
                base = arguments[folder] if folder < len(arguments) else -1
                self._add(arguments[path], self.written, base, follow=event not in _NOT_FOLLOWED)
        elif event == "os.mkdir":
            self._add(arguments[0], self.made, arguments[2], follow=False)
        elif event in _READS:
            self._add(arguments[0], self.read)
        elif event in _COMMANDS and len(self.commands) < _MOST:
            words = arguments[_COMMANDS[event]]
            self.commands.append(
                _decoded(words) if isinstance(words, (str, bytes)) else shlex.join(map(_decoded, words))
            )
        elif event in _NETWORK:
            self._address(event, arguments)

    def _add(self, path: object, places: set[str], folder: object = -1, *, follow: bool = True) -> None:
        full = len(places) >= (_MOST if places is self.read else _MOST_WRITTEN)
        if isinstance(path, (str, bytes, os.PathLike)) and not full:  # not the number of a file that is open already
            # The thing itself is resolved only where it is followed: a link is removed, not what it leads to.
            base = os.readlink(f"/proc/self/fd/{folder}") if isinstance(folder, int) and folder >= 0 else os.getcwd()
            place = os.path.abspath(os.path.join(base, _decoded(path)))
            real = os.path.join(os.path.realpath(os.path.dirname(place)), os.path.basename(place))
            places.add(real)
            if follow and os.path.islink(real):
                places.add(os.path.realpath(real))

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
            "made": sorted(reached.made),
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
