"""What this machine has: its GPUs, and the memory that programs may take."""

import csv
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lookahead.serving.facts import GIB

_ASKED: Final = "index,uuid,name,memory.total,memory.free,compute_cap"


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One graphics card."""

    name: str = "GPU"
    memory: int
    free: int
    ability: tuple[int, int] = (9, 0)
    """Its compute capability."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a server may use."""

    gpus: tuple[Gpu, ...] = ()
    memory: int = 0
    """What is free of the main memory."""


def machine() -> Machine:
    """This one."""
    memory = _memory()
    return Machine(gpus=_visible(_listed(), memory), memory=memory)


def _listed() -> str:
    try:
        asked = ["nvidia-smi", f"--query-gpu={_ASKED}", "--format=csv,noheader,nounits"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _visible(listed: str, memory: int) -> tuple[Gpu, ...]:
    found = gpus(listed, memory)
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return tuple(gpu for _, _, gpu in found)
    picked: list[Gpu] = []
    for name in (part.strip() for part in chosen.split(",")):
        match = [gpu for index, uuid, gpu in found if name and (name == index or uuid.startswith(name))]
        if not match:
            # CUDA itself stops at the first name that it does not know.
            break
        picked.append(match[0])
    return tuple(picked)


def gpus(listed: str, memory: int) -> list[tuple[str, str, Gpu]]:
    """The cards in what nvidia-smi printed: index, unique name, card."""
    found: list[tuple[str, str, Gpu]] = []
    for row in csv.reader(listed.splitlines(), skipinitialspace=True):
        if len(row) != 6:
            continue
        index, uuid, name, total, free, ability = (cell.strip() for cell in row)
        # A card that shares the main memory reports no memory of its own.
        whole = _mebibytes(total) or memory
        left = _mebibytes(free)
        major, _, minor = ability.partition(".")
        able = (int(major), int(minor or 0)) if major.isdigit() and (minor or "0").isdigit() else (0, 0)
        found.append((index, uuid, Gpu(name=name, memory=whole, free=whole if left is None else left, ability=able)))
    return found


def _mebibytes(text: str) -> int | None:
    try:
        return int(float(text) * (1 << 20))
    except ValueError:
        return None


def _memory() -> int:
    """Free main memory, or what is left of this container's share of it."""
    free = 8 * GIB
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                free = int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        if hasattr(os, "sysconf"):
            free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
    except (OSError, ValueError):
        return free
    return max(0, min(free, limit - used))
