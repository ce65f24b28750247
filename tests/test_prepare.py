"""What `make demo` and `make test` do to a machine before they run."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def prepare() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prepare", ROOT / "scripts" / "prepare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not shutil.which("git"), reason="it would install git")
def test_what_is_ready_is_left_alone(prepare: ModuleType, tmp_path: Path):
    venv = tmp_path / "venv"
    venv.mkdir()
    prepare.stamp("demo", venv).write_text(prepare.fingerprint("demo", venv))
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "prepare.py", "demo", "--venv", venv], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.name for path in venv.iterdir()] == [".ready-demo"]


def test_a_new_lock_or_another_place_makes_it_anew(
    prepare: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("pyproject.toml", "uv.lock"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(prepare, "ROOT", tmp_path)
    venv = tmp_path / "venv"
    venv.mkdir()
    prepare.stamp("test", venv).write_text(prepare.fingerprint("test", venv))
    assert prepare.stamped("test", venv)
    assert not prepare.stamped("demo", venv)
    (tmp_path / "uv.lock").write_text("newer")
    assert not prepare.stamped("test", venv)


@pytest.mark.parametrize(
    ("has_apt", "expected"),
    [
        (True, "please run:  sudo apt-get install -y --no-install-recommends postgresql"),
        (False, "please install with this system's package manager: postgresql"),
    ],
)
def test_who_may_not_install_is_told_what_to_run_and_the_rest_goes_on(
    prepare: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    has_apt: bool,
    expected: str,
):
    monkeypatch.setattr(prepare.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(prepare.shutil, "which", lambda name: f"/usr/bin/{name}" if has_apt else None)
    assert prepare.apt(["postgresql"]) is False
    assert capsys.readouterr().out == f"[prepare] {expected}\n"


def test_what_cannot_be_started_is_a_failure_and_not_a_traceback(
    prepare: ModuleType, capsys: pytest.CaptureFixture[str]
):
    assert prepare.run("/nowhere/such-program") is False
    assert "such-program" in capsys.readouterr().out
