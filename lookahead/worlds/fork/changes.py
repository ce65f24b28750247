"""Read what a run changed from its writable layer alone: work grows with the changes, not with the directory."""

import contextlib
import errno
import os
import stat
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self, TypeAlias

What: TypeAlias = Literal["file", "directory", "link", "pipe", "socket", "device"]
_OPAQUE: Final = "user.overlay.opaque"
_WHITEOUT: Final = "user.overlay.whiteout"
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One name whose thing was created, changed or deleted. `before` and `after` are where its bytes can be read."""

    happened: Literal["created", "changed", "deleted"]
    name: str
    """Relative to the directory."""
    what: What
    before: "Entry | None" = None
    after: "Entry | None" = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    path: str
    status: os.stat_result

    @property
    def what(self) -> What:
        mode = self.status.st_mode
        if stat.S_ISREG(mode):
            return "file"
        if stat.S_ISDIR(mode):
            return "directory"
        if stat.S_ISLNK(mode):
            return "link"
        if stat.S_ISFIFO(mode):
            return "pipe"
        return "socket" if stat.S_ISSOCK(mode) else "device"

    @property
    def size(self) -> int | None:
        return self.status.st_size if self.what in ("file", "link") else None


class Reader:
    """Reads layers. What lies under `private` it may open although its mode says no; the real directory never."""

    def __init__(self, private: str) -> None:
        self._private = private.rstrip("/") + "/"
        self._unlocked: list[tuple[str, int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        """What was unlocked is locked again: its mode is part of what the layer says."""
        while self._unlocked:
            folder, mode = self._unlocked.pop()
            os.chmod(folder, mode)

    def changes(self, layer: str, below: Sequence[str], *, copied: int | None = None) -> Iterator[Change]:
        """What a writable layer does to the merged view of `below` (newest first, the real directory last).

        With `copied`, the layer is a whole copy that was finished at that time (in nanoseconds): what it lacks is
        gone, and what has not been touched since is the same.
        """
        yield from self._directory("", layer, [folder for folder in below if os.path.isdir(folder)], copied)

    def _directory(self, name: str, layer: str, below: list[str], copied: int | None) -> Iterator[Change]:
        """Everything under one directory of the layer, which merges with the directories `below`."""
        waiting = [(name, layer, below)]
        while waiting:
            name, upper, lowers = waiting.pop()
            names = self.names(upper)
            if copied is not None or _marked(upper, _OPAQUE, b"y"):
                for child in sorted(self.merged_names(lowers) - set(names)):
                    if copied is not None and self._never_copied(lowers, child):
                        continue
                    yield from self._deleted(os.path.join(name, child), lowers, child)
            for child in sorted(names):
                inner = os.path.join(name, child)
                now = entry_at(os.path.join(upper, child))
                was, merging = self.resolve(lowers, child)
                if now is None:
                    continue
                if copied is None and is_whiteout(now.path, now.status):
                    if was:
                        yield from self._deleted(inner, lowers, child)
                elif now.what == "directory" and was and was.what == "directory":
                    yield from self._compare(inner, was, now, ours=copied is not None)
                    waiting.append((inner, now.path, merging))
                else:
                    if not (was and copied is not None and now.status.st_ctime_ns < copied):
                        yield from self._gone_or_replaced(inner, was, now, merging)
                    if now.what == "directory":
                        waiting.append((inner, now.path, []))

    def _gone_or_replaced(
        self, name: str, was: Entry | None, now: Entry | None, merging: list[str]
    ) -> Iterator[Change]:
        if was and was.what == "directory":
            yield from self._all_deleted(name, merging)
        if was and now and "directory" not in (was.what, now.what):
            yield from self._compare(name, was, now)
            return
        if was:
            yield Change(happened="deleted", name=name, what=was.what, before=was)
        if now:
            yield Change(happened="created", name=name, what=now.what, after=now)

    def _never_copied(self, lowers: Sequence[str], child: str) -> bool:
        was, _ = self.resolve(lowers, child)
        return was is not None and was.what in ("socket", "device")

    def _compare(self, name: str, was: Entry, now: Entry, *, ours: bool = False) -> Iterator[Change]:
        if ours and os.geteuid() and (now.status.st_uid, now.status.st_gid) == (os.geteuid(), os.getegid()):
            was = Entry(path=was.path, status=_owned_alike(was.status, now.status))
        if was.what != now.what or not self._same(was, now):
            yield Change(happened="changed", name=name, what=now.what, before=was, after=now)

    def _same(self, was: Entry, now: Entry) -> bool:
        before, after = was.status, now.status
        if (before.st_mode, before.st_uid, before.st_gid) != (after.st_mode, after.st_uid, after.st_gid):
            return False
        return self.same_content(was, now)

    def same_content(self, was: Entry, now: Entry) -> bool:
        """Byte for byte; True for things that have no bytes."""
        if was.what == "link":
            return os.readlink(was.path) == os.readlink(now.path)
        if was.what != "file":
            return True
        if was.status.st_size != now.status.st_size:
            return False
        if (was.status.st_dev, was.status.st_ino) == (now.status.st_dev, now.status.st_ino):
            return True
        try:
            return self._same_bytes(was.path, now.path)
        except PermissionError:  # a real file that its owner may not read: its date must do
            return was.status.st_mtime_ns == now.status.st_mtime_ns

    def _same_bytes(self, was: str, now: str) -> bool:
        with self.open_bytes(was) as old, self.open_bytes(now) as new:
            while True:
                left, right = os.read(old, _CHUNK), os.read(new, _CHUNK)
                if left != right:
                    return False
                if not left:
                    return True

    @contextlib.contextmanager
    def open_bytes(self, path: str) -> Generator[int]:
        """Open for reading, also a file that its mode closes to its owner; never a link, never waiting for a pipe."""
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            descriptor = os.open(path, flags)
        except PermissionError:
            mode = stat.S_IMODE(os.lstat(path).st_mode)
            if not path.startswith(self._private):
                raise
            os.chmod(path, mode | stat.S_IRUSR)
            try:
                descriptor = os.open(path, flags)
            finally:
                os.chmod(path, mode)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _deleted(self, name: str, lowers: list[str], child: str) -> Iterator[Change]:
        was, merging = self.resolve(lowers, child)
        if was is None:
            return
        if was.what == "directory":
            yield from self._all_deleted(name, merging)
        yield Change(happened="deleted", name=name, what=was.what, before=was)

    def _all_deleted(self, name: str, folders: list[str]) -> Iterator[Change]:
        """Each thing under a directory that is gone: the innermost first."""
        waiting: list[tuple[str, list[str]]] = [(name, folders)]
        while waiting:
            name, lowers = waiting.pop()
            for child in sorted(self.merged_names(lowers)):
                was, merging = self.resolve(lowers, child)
                if was is not None:
                    yield Change(happened="deleted", name=os.path.join(name, child), what=was.what, before=was)
                    if was.what == "directory":
                        waiting.append((os.path.join(name, child), merging))

    def resolve(self, lowers: Sequence[str], child: str) -> tuple[Entry | None, list[str]]:
        """What `child` is in the merged view of these directories; where it is one too, which ones it merges."""
        top: Entry | None = None
        merging: list[str] = []
        for folder in lowers:
            entry = entry_at(os.path.join(folder, child))
            if entry is None:
                continue
            if is_whiteout(entry.path, entry.status) or (top is not None and entry.what != "directory"):
                break
            top = top or entry
            if entry.what != "directory":
                break
            merging.append(entry.path)
            if _marked(entry.path, _OPAQUE, b"y"):
                break
        return top, merging

    def text(self, below: Sequence[str], name: str) -> str:
        """A small text file of the merged view; empty where there is none."""
        lowers, entry = list(below), None
        for part in name.split("/"):
            entry, lowers = self.resolve(lowers, part)
        if entry is None or entry.what != "file" or entry.status.st_size > _CHUNK:
            return ""
        with self.open_bytes(entry.path) as descriptor:
            return os.read(descriptor, _CHUNK).decode("utf-8", errors="surrogateescape")

    def merged_names(self, lowers: Sequence[str]) -> set[str]:
        return {name for folder in lowers for name in self.names(folder)}

    def names(self, folder: str) -> list[str]:
        """What is in a directory, though it be closed to its owner. One deeper than a path can be is taken as empty."""
        try:
            if folder.startswith(self._private):
                self._unlock(folder)
            return os.listdir(folder)
        except OSError as problem:
            if problem.errno in (errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR, errno.EACCES):
                return []
            raise

    def _unlock(self, folder: str) -> None:
        mode = os.lstat(folder).st_mode
        if stat.S_ISDIR(mode) and mode & 0o500 != 0o500:
            os.chmod(folder, stat.S_IMODE(mode) | 0o500)
            self._unlocked.append((folder, stat.S_IMODE(mode)))


def entry_at(path: str) -> Entry | None:
    try:
        return Entry(path=path, status=os.lstat(path))
    except OSError:
        return None


def _owned_alike(was: os.stat_result, now: os.stat_result) -> os.stat_result:
    """Only root can make a copy that is somebody else's, and only root could have given the original away."""
    return os.stat_result((*was[:4], now.st_uid, now.st_gid, *was[6:10]), {"st_mtime_ns": was.st_mtime_ns})


def is_whiteout(path: str, status: os.stat_result) -> bool:
    """The mark of a deletion: a device 0/0, or an empty file with an attribute."""
    if stat.S_ISCHR(status.st_mode):
        return status.st_rdev == 0
    return stat.S_ISREG(status.st_mode) and status.st_size == 0 and _marked(path, _WHITEOUT, None)


def _marked(path: str, name: str, value: bytes | None) -> bool:
    try:
        found = os.getxattr(path, name, follow_symlinks=False)
    except OSError:
        return False
    return value is None or found == value
