"""Count what a confined run uses, all its processes together, which the kernel's own limits do not."""

import contextlib
import os
import stat
import time
from collections.abc import Callable
from typing import Final

from .spec import Left, Order, Room

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_LEAST: Final = 4096
"""What every new name counts at least: ten million empty files fill a disk too."""


def inmates() -> list[str]:
    """Every process of the room but the first, seen from inside."""
    try:
        return [name for name in os.listdir("/proc") if name.isdigit() and name != "1"]
    except OSError:
        return []


def _anonymous(process: str) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open(f"/proc/{process}/statm", encoding="ascii") as file:
            fields = file.read().split()
        return max(0, int(fields[1]) - int(fields[2])) * _PAGE
    return 0


def _proportional(process: str) -> int:
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{process}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith("Pss_Anon:"):
                return int(line.split()[1]) * 1024
    return _anonymous(process)


def family(oldest: int) -> list[str]:
    """Every process that descends from `oldest`, seen from outside the room."""
    children: dict[str, list[str]] = {}
    for number in os.listdir("/proc"):
        if number.isdigit():
            with contextlib.suppress(OSError, IndexError), open(f"/proc/{number}/stat", encoding="utf-8") as file:
                parent = file.read().rpartition(")")[2].split()[1]
                children.setdefault(parent, []).append(number)
    found: list[str] = []
    waiting = [str(oldest)]
    while waiting:
        born = children.get(waiting.pop(), [])
        found += born
        waiting += born
    return found


class Counter:
    """Processes and memory: seen from process 1 of the room, or from outside where the room has no /proc."""

    def __init__(self, order: Order, child: int, numbers: Callable[[], list[str]]) -> None:
        self._numbers = numbers
        self._processes = order["processes"]
        self._allowed = order["memory"]
        self._memory = self._allowed + _anonymous(str(child))
        self._reserve = _meminfo("MemTotal") // 50

    def running(self) -> int:
        return len(self._numbers())

    def exceeded(self) -> str:
        numbers = self._numbers()
        if len(numbers) > self._processes:
            return f"it started more than {self._processes} processes"
        if sum(map(_anonymous, numbers)) > self._memory and sum(map(_proportional, numbers)) > self._memory:
            return f"it used more than {_mib(self._allowed)} of memory"
        if _meminfo("MemAvailable") < self._reserve:
            return "the machine was about to run out of memory"
        return ""


def _meminfo(field: str) -> int:
    with contextlib.suppress(OSError, ValueError), open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    return 1 << 62


def _mib(count: int) -> str:
    return f"{count / (1 << 20):,.0f} MiB"


class DiskWatch:
    """Bytes written to the copy, seen from outside. A walk costs time, so it rests ten times as long as it took."""

    def __init__(self, plan: Room, order: Order) -> None:
        self._folder = plan["base"] if plan["whole"] else os.path.join(plan["session"], order["layer"], "up")
        self._limit = order["written"]
        self._start = used(self._folder) if plan["whole"] else 0
        self._free = self._space()
        self._next = 0.0

    def _space(self) -> int:
        try:
            found = os.statvfs(self._folder)
        except OSError:
            return 1 << 62
        return found.f_bavail * found.f_frsize

    def exceeded(self) -> str:
        space = self._space()
        lost = self._free - space
        # Files that were deleted while open are in no folder: only the free space tells of them.
        if lost > 2 * self._limit + (256 << 20) or (lost > 0 and space < 64 << 20):
            return "the disk's free space fell too far while it ran"
        now = time.monotonic()
        if now < self._next:
            return ""
        written = used(self._folder) - self._start
        taken = time.monotonic() - now
        self._next = now + max(0.1, 10 * taken)
        return f"it wrote more than {_mib(self._limit)} to the copy" if written > self._limit else ""


def used(folder: str) -> int:
    """Bytes on disk under a folder."""
    total, waiting = 0, [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    with contextlib.suppress(OSError):
                        total += max(_LEAST, entry.stat(follow_symlinks=False).st_blocks * 512)
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
        except OSError:
            continue
    return total


def reached_network() -> int:
    """How often this network namespace, which has no way out, had to say that there is no route."""
    found = 0
    with contextlib.suppress(OSError, ValueError), open("/proc/self/net/snmp", encoding="ascii") as file:
        names, values = (line.split() for line in file if line.startswith("Ip:"))
        found += int(dict(zip(names, values, strict=True))["OutNoRoutes"])
    with contextlib.suppress(OSError, ValueError), open("/proc/self/net/snmp6", encoding="ascii") as file:
        for line in file:
            if line.startswith("Ip6OutNoRoutes"):
                found += int(line.split()[1])
    return found


def leftovers(plan: Room) -> list[Left]:
    """What lies at the top of the private /tmp and home. They end with the room; outside, they would stay."""
    found: list[Left] = []
    furniture = [*plan["shown"], plan["path"], plan["home"]]
    for place in {"/tmp", plan["home"]} - {""}:
        if f"{place}/".startswith(f"{plan['path']}/"):
            continue  # it is part of the copy, whose layer tells what changed
        with contextlib.suppress(OSError), os.scandir(place) as entries:
            for entry in entries:
                if any(item == entry.path or item.startswith(entry.path + "/") for item in furniture):
                    continue
                status = entry.stat(follow_symlinks=False)
                kind = "directory" if stat.S_ISDIR(status.st_mode) else "link" if entry.is_symlink() else "file"
                found.append({"name": entry.path, "kind": kind, "size": status.st_size})
                if len(found) == 50:
                    break
    return found
