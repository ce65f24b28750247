"""Whether a sandbox can be had here, found out by having one: once in a process."""

import os
import tempfile
from functools import lru_cache
from pathlib import Path

from lookahead.errors import SandboxMissing, WorldError
from lookahead.worlds.fork.calls import Command
from lookahead.worlds.fork.job import Job
from lookahead.worlds.fork.limits import Limits
from lookahead.worlds.fork.workshop import Workshop


def probe() -> SandboxMissing | None:
    """Why none can be had; None where one can. Another trouble says nothing about that: the call will meet it."""
    return _probed(os.environ.get("LOOKAHEAD_SANDBOX", ""))


@lru_cache
def _probed(wanted: str) -> SandboxMissing | None:
    with tempfile.TemporaryDirectory(prefix="lookahead-probe-") as folder:
        workshop = Workshop(
            path=Path(os.path.realpath(folder)),
            limits=Limits(),
            readable=(),
            environment={},
            name="fork:probe",
            method="auto",
            scratch=None,
            python=False,
        )
        try:
            workshop.try_out(Job(), Command(argv=("/bin/sh", "-c", ":")))
        except SandboxMissing as missing:
            return missing.with_traceback(None)
        except (WorldError, OSError):
            return None
        finally:
            workshop.close()
    return None
