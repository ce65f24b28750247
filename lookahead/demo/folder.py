"""The real side of the demo: runs a command in the folder, and finds out what it did by looking before and after."""

import hashlib
import os
import stat
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, STDOUT
from typing import Final

import anyio
import anyio.to_thread

from lookahead.demo.project import environment
from lookahead.types import Action, Effect, Observation, State

SHELL: Final = "/bin/sh"
SECONDS: Final = 30


@dataclass(frozen=True, kw_only=True)
class Thing:
    """What is at one path: enough to tell whether it is still the same."""

    what: str
    size: int | None
    mode: int
    digest: str


Snapshot = Mapping[str, Thing]


def snapshot(folder: Path) -> Snapshot:
    """Everything below the folder, by its path in it; links are looked at, never followed."""
    found: dict[str, Thing] = {}
    for where, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(where, name)
            found[path.relative_to(folder).as_posix()] = thing(path)
    return found


def thing(path: Path) -> Thing:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return Thing(what="link", size=status.st_size, mode=status.st_mode, digest=os.readlink(path))
    if stat.S_ISDIR(status.st_mode):
        return Thing(what="directory", size=None, mode=status.st_mode, digest="")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Thing(what="file", size=status.st_size, mode=status.st_mode, digest=digest)


def difference(before: Snapshot, after: Snapshot) -> tuple[Effect, ...]:
    """What happened between two looks at the folder."""
    found: list[Effect] = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        happened = "created" if old is None else "deleted" if new is None else "changed"
        known = new or old
        found.append(
            Effect(
                happened=happened,
                target=path,
                what=known.what if known else "thing",
                before=old.size if old else None,
                after=new.size if new else None,
                unit="bytes" if known and known.size is not None else None,
            )
        )
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Folder:
    """An Environment: the folder itself. What runs here has happened."""

    path: Path
    ready: Callable[[], Awaitable[None]]
    """Awaited before anything real happens: who watches has seen the decision by then."""

    async def __call__(self, state: State, action: Action, /) -> Observation:
        await self.ready()
        before = await anyio.to_thread.run_sync(snapshot, self.path)
        with anyio.fail_after(SECONDS):
            done = await anyio.run_process(
                [SHELL, "-c", str(action.arguments["command"])],
                cwd=self.path,
                env=environment(),
                stdin=DEVNULL,
                stderr=STDOUT,
                check=False,
                start_new_session=True,
            )
        after = await anyio.to_thread.run_sync(snapshot, self.path)
        said = done.stdout.decode("utf-8", "replace")
        return Observation(
            content=said,
            structured={"exit_code": done.returncode},
            failed=done.returncode != 0,
            effects=difference(before, after),
        )
