"""Short legs of the long benchmarks of the proxy: the whole of it, as processes, with a real server behind it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def ran(name: str, *arguments: str) -> str:
    command = [sys.executable, str(ROOT / "benchmarks" / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_proxy_that_is_killed_forwards_nothing_twice_and_lists_what_is_in_doubt():
    said = ran("mcp_kill.py", "--kills", "16", "--each", "8", "--seed", "3")
    assert "| **violations** | **0** |" in said


def test_mutated_frames_end_nothing_hold_nothing_up_and_forward_nothing_unjudged():
    said = ran("mcp_frames.py", "--frames", "4000", "--each", "1000", "--seed", "2")
    assert "| proxies | 4 |" in said
    assert "| **violations** | **0** |" in said
