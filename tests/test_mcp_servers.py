"""What `make test-mcp` installs, without installing it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "mcp_servers.py"


def servers(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], cwd=ROOT, capture_output=True, text=True)


def test_every_version_is_pinned() -> None:
    listed = servers("--list").stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["npm", "git", "time", "sqlite", "fastmcp", "mcp-proxy", "langchain"]
    assert all(re.search(r" \d+\.\d+|==\d+\.\d+", line) for line in listed)


def test_an_unknown_name_is_told_with_those_that_there_are() -> None:
    done = servers("postgres")
    assert done.returncode == 2
    assert "postgres" in done.stderr
    assert "sqlite" in done.stderr


@pytest.mark.parametrize("page", sorted((ROOT / "examples" / "mcp").glob("*.md")), ids=lambda page: page.stem)
def test_a_page_names_only_examples_that_there_are(page: Path) -> None:
    named = re.findall(r"examples/(\w+\.py)", page.read_text())
    assert all((page.parent / name).exists() for name in named)


def test_the_common_run_leaves_the_real_servers_out() -> None:
    env = {key: value for key, value in os.environ.items() if key != "LOOKAHEAD_TEST_MCP"}
    collect = [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/mcp_real"]
    done = subprocess.run(collect, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 5, done.stdout
