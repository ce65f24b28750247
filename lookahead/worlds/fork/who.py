"""Who we are here, as far as a confined run must be the same."""

import os
import sys
from pathlib import Path
from typing import Any, cast

from lookahead.worlds.fork.confined.linux import FILE_CAPABILITIES


def _status(field: str) -> str:
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(field + ":"):
            return line.split()[1]
    return "0"


def is_privileged() -> bool:
    """Root with the usual powers over files, which the same call would have outside."""
    held = int(_status("CapEff"), 16)
    return os.geteuid() == 0 and all(held >> number & 1 for number in FILE_CAPABILITIES)


def file_mask() -> int:
    """Read, not set and set back: other threads create files too."""
    return int(_status("Umask"), 8)


def event_loop() -> str:
    """The name of the event loop that is running here."""
    trio = cast(Any, sys.modules.get("trio"))
    if trio is not None:
        try:
            trio.lowlevel.current_trio_token()
        except RuntimeError:
            return "asyncio"
        return "trio"
    return "asyncio"
