"""Who is acting: a process, named so that another one with the same number is not mistaken for it."""

import os
import secrets
import subprocess
import sys
from functools import cache
from pathlib import Path

from lookahead.types import Noun


class Owner(Noun):
    """One process. A number alone does not name it, because numbers are used again."""

    pid: int
    token: str
    """Drawn once by each process, so that it knows itself."""
    started: str = ""
    boot: str = ""
    namespace: str = ""

    @property
    def mine(self) -> bool:
        return self.token == me().token

    def running(self) -> bool | None:
        """Whether that very process still runs; None where it cannot be told from here."""
        if self.mine:
            return True
        here = me()
        if self.boot != here.boot:
            return False
        if self.namespace != here.namespace:
            return None
        started = _started(self.pid)
        if started is None:
            return False
        return started == self.started if started and self.started else None


def me() -> Owner:
    """This process."""
    return _owner(os.getpid())


@cache
def _owner(pid: int) -> Owner:
    return Owner(
        pid=pid,
        token=secrets.token_hex(8),
        started=_started(pid) or "",
        boot=_text(Path("/proc/sys/kernel/random/boot_id")),
        namespace=_link(Path("/proc/self/ns/pid")),
    )


if hasattr(os, "register_at_fork"):
    # Numbers come round: a child may have the one of an ancestor that is long gone.
    os.register_at_fork(after_in_child=_owner.cache_clear)


def _started(pid: int) -> str | None:
    """When the process began, in its system's own words; "" where that cannot be read, None when it has ended."""
    if sys.platform == "linux":
        stat = _text(Path(f"/proc/{pid}/stat"))
        if stat:
            # The name in brackets may itself hold brackets and spaces. A process that is dead but not yet
            # reaped acts no more.
            state, *fields = stat.rpartition(")")[2].split()
            return None if state in ("Z", "X") else fields[18]
        return "" if _exists(pid) else None
    return _asked(pid) if _exists(pid) else None


def _exists(pid: int) -> bool:
    if sys.platform == "win32":
        # There, signal 0 would end the process. Not known is not gone.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _asked(pid: int) -> str:
    command = ["ps", "-o", "lstart=", "-p", str(pid)]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
