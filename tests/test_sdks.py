"""The table of frameworks that `make test-sdks` goes through, against what the package itself says it knows."""

import os
import re
import runpy
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "test_sdks.py"


def frameworks() -> dict[str, object]:
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        names = runpy.run_path(str(SCRIPT))
    finally:
        sys.path.remove(str(SCRIPT.parent))
    return {one.name: one for one in names["FRAMEWORKS"]}


def sdks(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], cwd=ROOT, capture_output=True, text=True)


def test_every_adapter_has_an_environment_in_which_it_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    modules = {entry.split(".")[1] for entry in project["entry-points"]["lookahead.adapters"].values()}
    assert modules <= frameworks().keys()


def test_every_environment_asks_for_extras_that_there_are() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for one in frameworks().values():
        assert set(one.extras) <= extras.keys()  # type: ignore[attr-defined]
        assert any(re.match(f"{one.package}\\b", need) for name in one.extras for need in extras[name]) or any(  # type: ignore[attr-defined]
            need.startswith(one.package)  # type: ignore[attr-defined]
            for need in one.besides  # type: ignore[attr-defined]
        )


def test_a_name_that_it_does_not_know_is_an_error_that_lists_the_names() -> None:
    done = sdks("strnds")
    assert done.returncode == 2
    assert "strnds: no such framework; there are langgraph, " in done.stderr


def test_its_list_is_one_name_a_line() -> None:
    assert sdks("--list").stdout.split() == [*frameworks()]


def test_an_interrupt_ends_it_with_a_table_of_what_was_done(tmp_path: Path) -> None:
    # A package index that never answers: it would wait there for ever.
    slow = tmp_path / "uv"
    slow.write_text("#!/bin/sh\nexec tail -f /dev/null\n")
    slow.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [sys.executable, str(SCRIPT), "crewai", "--fresh", "--venvs", str(tmp_path / "venvs")]
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    assert "installing" in process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert re.search(r"\| crewai +\| +\| interrupted", out)
