"""Short legs of `world_faults.py` and `backpressure.py` of the benchmarks: the whole line against a real endpoint."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def ran(name: str, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, str(ROOT / "benchmarks" / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_whatever_goes_wrong_with_a_preview_the_call_ends_as_its_effect_says(backend: str):
    # How late is measured on a quiet machine; how it ends, and that nothing is left behind, is the same everywhere.
    _, said = ran("world_faults.py", "--faults", "80", "--seconds", "0.3", "--backend", backend)
    assert "Calls that did not end as the rules for failures say: **0**" in said
    assert "Left behind: **nothing**" in said
    assert "| **all** | **80** | **60** |" in said


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_many_decisions_at_once_wait_in_a_bounded_queue(backend: str):
    code, said = ran(
        "backpressure.py",
        "--decisions",
        "120",
        "--places",
        "4",
        "--waiting",
        "20",
        "--slow",
        "50",
        "--backend",
        backend,
    )
    assert code == 0, said
    assert "**4** here" in said


def test_who_waits_too_long_is_told_so_and_nobody_starves():
    code, said = ran(
        *("backpressure.py", "--decisions", "60", "--places", "2", "--waiting", "50", "--slow", "200", "--seconds", "1")
    )
    assert code == 0, said
    late = next(line for line in said.splitlines() if line.startswith("| too late"))
    assert int(late.split("|")[2]) > 10
