"""A private folder for the writable layers: removed at the end, and after a crash by whoever comes next."""

import contextlib
import fcntl
import itertools
import os
import stat
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

from lookahead.errors import WorldError


class Scratch:
    """One session's folder. A lock that dies with its process tells the living from the dead."""

    def __init__(self, parent: Path | None = None) -> None:
        home = parent or Path(tempfile.gettempdir()) / f"lookahead-fork-{os.getuid()}"
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = home.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or (not parent and status.st_mode & 0o077):
            raise WorldError(f"{home} is not a private folder of yours: remove it, or give another one as scratch=")
        with _locked(home):
            _remove_the_dead(home)
            self.path = Path(os.path.realpath(tempfile.mkdtemp(prefix="session-", dir=home)))
            self._lock = os.open(self.path / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for name in ("room", "base", "empty"):
            (self.path / name).mkdir()
        self._numbers = itertools.count()

    def layer(self) -> str:
        """The name of a fresh writable layer."""
        name = str(next(self._numbers))
        for part in ("up", "work"):
            os.makedirs(self.path / name / part)
        return name

    def part(self, name: str) -> str:
        """Where a layer's files lie."""
        return str(self.path / name / "up")

    def remove(self, name: str) -> None:
        remove_tree(self.path / name)

    def close(self) -> None:
        if self._lock >= 0:
            remove_tree(self.path)
            os.close(self._lock)
            self._lock = -1


def supports_layers(parent: Path | None) -> bool:
    """Whether files there can carry the attributes that an overlay's writable layer needs."""
    try:
        with tempfile.TemporaryDirectory(dir=parent.parent if parent else None) as probe:
            os.setxattr(probe, "user.lookahead", b"y")
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _locked(home: Path) -> Generator[None]:
    """One at a time: a session that is being made must not look like a dead one."""
    lock = os.open(home / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _remove_the_dead(home: Path) -> None:
    for session in home.glob("session-*"):
        with contextlib.suppress(OSError):
            lock = os.open(session / "lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_tree(session)
            finally:
                os.close(lock)
    for half in home.glob("removing-*"):
        with contextlib.suppress(OSError):
            if time.time() - half.lstat().st_mtime > 3600:
                remove_tree(half)


def remove_tree(folder: Path) -> None:
    """Remove a tree that may be deeper than any path, and closed to its own owner, without following a link.

    Folders are moved up to the top before they are emptied, so no name that is ever used is long.
    """
    if not os.path.lexists(folder) or _removed_simply(str(folder), 8):
        return
    top = tempfile.mkdtemp(prefix="removing-", dir=folder.parent)
    os.rename(folder, os.path.join(top, "0"))
    waiting, number = ["0"], 1
    while waiting:
        current = os.path.join(top, waiting.pop())
        os.chmod(current, 0o700)
        with os.scandir(current) as entries:
            found = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for path, folder_inside in found:
            if folder_inside:
                os.chmod(path, 0o700)
                os.rename(path, os.path.join(top, str(number)))
                waiting.append(str(number))
                number += 1
            else:
                os.unlink(path)
        os.rmdir(current)
    os.rmdir(top)


def _removed_simply(folder: str, depth: int) -> bool:
    """The usual small case, with the fewest steps; False, with part of it gone, where it turns out not to be one."""
    try:
        with os.scandir(folder) as entries:
            found = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for path, is_folder in found:
            if not is_folder:
                os.unlink(path)
            elif depth == 0 or not _removed_simply(path, depth - 1):
                return False
        os.rmdir(folder)
    except OSError:
        return False
    return True
