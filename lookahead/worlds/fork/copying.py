"""A plain copy of a directory as an imagined state shows it, for where it cannot be overlaid."""

import contextlib
import fcntl
import os
import stat
import time

from lookahead.errors import WorldError
from lookahead.worlds.fork.changes import Entry, Reader
from lookahead.worlds.fork.confined.linux import FICLONE


def copy_view(below: list[str], target: str, reader: Reader, most: int) -> int:
    """Copy the merged view of `below` (newest first) to `target`; the time, in nanoseconds, when it was done.

    Blocks are shared with the original where the file system can. Sockets are left out: they lead outside.
    """
    left = most
    os.makedirs(target, exist_ok=True)
    waiting = [(target, below)]
    folders: list[tuple[str, os.stat_result]] = [(target, os.stat(below[-1]))]
    while waiting:
        folder, lowers = waiting.pop()
        for name in reader.merged_names(lowers):
            entry, merging = reader.resolve(lowers, name)
            if entry is None or entry.what in ("socket", "device"):
                continue
            place = os.path.join(folder, name)
            left -= entry.status.st_blocks * 512
            if left < 0:
                raise WorldError(
                    f"the directory is larger than {most / (1 << 20):,.0f} MiB, so it is not copied outright; "
                    "raise Limits(copied=...), or let scratch= be on a file system that can be overlaid"
                )
            if entry.what == "directory":
                os.mkdir(place)
                folders.append((place, entry.status))
                waiting.append((place, merging))
            else:
                _copy(entry, place, reader)
    for place, status in reversed(folders):
        _dress(place, status)
    return _later_than(os.stat(target).st_ctime_ns, os.path.join(os.path.dirname(target), "copied"))


def _later_than(moment: int, marker: str) -> int:
    """A time by the file system's own clock after the copying: within one of its slow ticks nobody could tell."""
    with open(marker, "wb") as file:
        while (now := os.fstat(file.fileno()).st_ctime_ns) <= moment:
            time.sleep(0.001)
            os.utime(file.fileno())
    return now


def _copy(entry: Entry, place: str, reader: Reader) -> None:
    if entry.what == "link":
        os.symlink(os.readlink(entry.path), place)
    elif entry.what == "pipe":
        os.mkfifo(place)
    else:
        try:
            with reader.open_bytes(entry.path) as source, open(place, "xb") as copy:
                _copy_bytes(source, copy.fileno())
        except PermissionError:  # what its user may not read, the command cannot either
            with open(place, "xb") as closed:
                os.fchmod(closed.fileno(), 0)
            os.utime(place, ns=(entry.status.st_atime_ns, entry.status.st_mtime_ns))
            return
    _dress(place, entry.status)


def _copy_bytes(source: int, target: int) -> None:
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError:
        while os.sendfile(target, source, None, 1 << 24):
            pass


def _dress(place: str, status: os.stat_result) -> None:
    """Owner, mode and dates as they were."""
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(OSError):
            os.chown(place, status.st_uid, status.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        os.chmod(place, stat.S_IMODE(status.st_mode))
    os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)
