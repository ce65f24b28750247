"""The examples of the MCP proxy run as they are, with a client of the SDK, and show what they say."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent.parent.parent / "examples" / "mcp"
# What only `make test-mcp` can run, and what the others stand in front of.
ELSEWHERE = {"langchain_client", "notes_server"}
SHOWN = {
    "guard_a_server": (
        "speaking 2026-07-28 with notes",
        "write_note: kept plan",
        "    Allow this call, once?",
        "delete_notes: Not done: delete_notes()",
        "read_note: Look first.",
        "delete_notes: 1 notes are gone",
        "left in the folder: []",
    ),
    "simulate_a_server": (
        "its tools: write_note, read_note, delete_notes",
        "read_note: Look first. (imagined: True, by overlay)",
        '"12 notes are gone"',
        "really there: False",
    ),
}


def test_every_example_is_named_here() -> None:
    assert SHOWN.keys() | ELSEWHERE == {path.stem for path in EXAMPLES.glob("*.py")}


@pytest.mark.parametrize("name", SHOWN)
def test_the_example_shows_what_it_says(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    at = 0
    for line in SHOWN[name]:
        at = done.stdout.find(line, at)
        assert at >= 0, f"{line!r} is not in\n{done.stdout}{done.stderr}"
