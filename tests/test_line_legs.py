"""Short legs of the long benchmarks: what they show at ten thousand holds at a hundred, in every run of the tests."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def ran(name: str, *arguments: str) -> str:
    command = [sys.executable, str(ROOT / "benchmarks" / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_hundred_agents_are_killed_and_nothing_is_done_twice():
    said = ran("kill.py", "--kills", "100", "--each", "25")
    assert "| **violations** | **0** |" in said


def test_altered_approvals_are_refused_and_unaltered_ones_accepted():
    said = ran("approvals.py", "--n", "150")
    assert "| **all** | **150** | **0** |" in said
    assert "| control: unaltered, keys in any order | 20 | 20 |" in said


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_read_does_not_wait_for_the_disk_and_a_change_waits_twice(backend: str):
    # How long that takes is measured on a quiet machine; how often it happens is the same everywhere.
    command = [sys.executable, str(ROOT / "benchmarks" / "overhead.py"), "--calls", "20", "--backend", backend]
    said = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT).stdout
    cells = [[cell.strip() for cell in row.split("|")] for row in said.splitlines() if "sync" in row and row[0] == "|"]
    fsyncs = {row[1]: row[5] for row in cells if row[1].startswith(("read", "change"))}
    assert len(fsyncs) == 8
    for call, count in fsyncs.items():
        assert count == ("0.00" if call.startswith("read") else "2.00"), call
