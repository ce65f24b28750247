import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from io import BytesIO, TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio.lowlevel
import pytest

from lookahead.demo import project
from lookahead.demo.comparison import Comparison
from lookahead.demo.ending import Ending
from lookahead.demo.folder import Folder, difference, snapshot
from lookahead.demo.scene import Scene
from lookahead.demo.screen import Nowhere, Plain
from lookahead.demo.story import Script, play, throwaway
from lookahead.drawing import cells
from lookahead.errors import SandboxMissing
from lookahead.ledger import agree
from lookahead.types import Action, Effect, Observation, Origin, State
from lookahead.worlds.fork.directory import DirectoryFork

pytestmark = pytest.mark.anyio
GENTLE = Script.for_project(git=True).rivals[-1]


def tried(folder: Path, command: str) -> Observation:
    """What a command does to a plain copy of the folder."""
    with tempfile.TemporaryDirectory() as home:
        copy = Path(shutil.copytree(folder, Path(home) / "copy", symlinks=True))
        before = snapshot(copy)
        shell = ["/bin/sh", "-c", command]
        done = subprocess.run(shell, cwd=copy, env=project.environment(), text=True, capture_output=True)
        effects = difference(before, snapshot(copy))
    saved = {path for path in project.COMMITTED if path not in project.UNSAVED}
    return Observation(
        content=done.stdout,
        structured={"exit_code": done.returncode},
        failed=done.returncode != 0,
        effects=tuple(one.model_copy(update={"recoverable": one.target in saved}) for one in effects),
        origin=Origin(kind="exact", world="fork:copy", confidence=1.0),
    )


class Copy:
    """A world for tests: a plain copy of the folder, without a sandbox, for commands that this file wrote itself."""

    name = "fork:copy"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    async def discard(self) -> None:
        pass

    async def __call__(self, state: State, action: Action, /) -> Observation:
        return tried(self.folder, str(action.arguments["command"]))


class Liar(Copy):
    """Leaves the first effect out of what it tells."""

    async def __call__(self, state: State, action: Action, /) -> Observation:
        told = await super().__call__(state, action)
        return told.model_copy(update={"effects": (told.effects or ())[1:]})


class Nothing(Copy):
    async def __call__(self, state: State, action: Action, /) -> Observation:
        raise SandboxMissing("no sandbox can be had here")


async def test_what_the_agent_would_have_destroyed_is_still_there(tmp_path: Path):
    ending = await play(tmp_path, Nowhere(), pauses=False, fork=Copy)
    assert {effect.target for effect in ending.saved} == set(project.UNSAVED)
    assert ending.lost == ()
    assert ending.agrees is True
    assert ending.code == 0
    for name, text in project.UNSAVED.items():
        assert (ending.folder / name).read_text() == text


async def test_the_leftovers_are_really_gone_and_the_rest_is_really_there(tmp_path: Path):
    ending = await play(tmp_path, Nowhere(), pauses=False, fork=Copy)
    files = {path.relative_to(ending.folder).as_posix() for path in ending.folder.rglob("*") if path.is_file()}
    assert {path for path in files if not path.startswith(".git/")} == set(project.COMMITTED) | set(project.UNSAVED)


async def test_the_look_around_is_not_imagined_and_the_tidying_is(tmp_path: Path):
    looked, tidied = (await play(tmp_path, Nowhere(), pauses=False, fork=Copy)).scene.moments
    assert looked.decision is not None
    assert looked.decision.considered == ()
    assert looked.real is not None
    assert not looked.real.imagined
    assert tidied.decision is not None
    assert tidied.decision.choice == "swap"
    assert tidied.acted == Action(tool="shell", arguments={"command": GENTLE})
    assert len(tidied.decision.considered) == 3
    assert all(step.observation.imagined for one in tidied.decision.considered for step in one.rollout.steps)


async def test_a_world_that_is_wrong_is_shown_to_be_wrong(tmp_path: Path):
    ending = await play(tmp_path, Nowhere(), pauses=False, fork=Liar)
    assert ending.agrees is False
    assert ending.code == 2
    shown = "".join(text for label in ending.scene.ending for text, _ in label)
    assert "is not what happened" in shown


@pytest.mark.parametrize("command", [Script.for_project(git=True).tidy, *Script.for_project(git=True).rivals])
async def test_of_every_candidate_the_copy_says_exactly_what_it_does_to_the_real_folder(tmp_path: Path, command: str):
    folder = tmp_path / "tides"
    folder.mkdir()
    project.make(folder)
    action = Action(tool="shell", arguments={"command": command})
    async with DirectoryFork(folder, environment=project.QUIET) as world:
        try:
            imagined = await world(State(), action)
        except SandboxMissing as missing:
            pytest.skip(str(missing))
    real = await Folder(path=folder, ready=anyio.lowlevel.checkpoint)(State(), action)
    assert Comparison.between(imagined.effects, real.effects).whole
    assert (imagined.content, imagined.failed) == (real.content, real.failed)
    assert agree(imagined, real).how == "exact"


async def test_where_nothing_can_be_imagined_nothing_is_destroyed_and_the_reason_is_told(tmp_path: Path):
    with pytest.raises(SandboxMissing, match="no sandbox can be had here"):
        await play(tmp_path, Nowhere(), pauses=False, fork=Nothing)
    for name, text in project.UNSAVED.items():
        assert (tmp_path / "tides" / name).read_text() == text


@pytest.fixture
def no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has a shell and little else."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("ls", "rm", "sh"):
        (programs / name).symlink_to(Path(str(shutil.which(name))).resolve())
    monkeypatch.setenv("PATH", str(programs))


@pytest.mark.usefixtures("no_git")
async def test_without_git_the_demo_does_without_it(tmp_path: Path):
    ending = await play(tmp_path, Nowhere(), pauses=False, fork=Copy)
    assert not (ending.folder / ".git").exists()
    assert ending.lost == ()
    assert ending.saved
    assert ending.code == 0


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository that the environment names, as inside a git hook."""
    subprocess.run(["git", "init", "-q", "other"], cwd=tmp_path, check=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))
    return tmp_path / "other"


async def test_another_repository_named_in_the_environment_is_left_alone(tmp_path: Path, other: Path):
    before = snapshot(other)
    ending = await play(tmp_path, Nowhere(), pauses=False, fork=Copy)
    assert ending.code == 0
    assert snapshot(other) == before


async def shown(tmp_path: Path, encoding: str) -> list[str]:
    raw = BytesIO()
    out = TextIOWrapper(raw, encoding=encoding)
    await play(tmp_path, Plain(out), pauses=False, fork=Copy)
    out.flush()
    text = raw.getvalue().decode(encoding)
    out.close()
    return text.splitlines()


@pytest.mark.parametrize("wide", [60, 80])
async def test_without_a_terminal_the_tree_is_plain_lines_that_fit(
    tmp_path: Path, wide: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", str(wide))
    lines = await shown(tmp_path, "utf-8")
    assert max(map(cells, lines)) <= wide
    assert not any("\x1b" in line for line in lines)
    assert sum(line.startswith("│   ├╌╌ ") for line in lines) == 3
    assert sum("imagined in an exact copy" in line for line in lines) == 3
    assert sum("── REAL " in line for line in lines) == 2
    assert lines[-1].strip() == "What was imagined is what happened."


async def test_where_the_output_is_ascii_so_is_the_tree(tmp_path: Path):
    lines = await shown(tmp_path, "ascii")
    assert sum(line.startswith("|   |.. ") for line in lines) == 3
    assert sum("|-- REAL " in line or "`-- REAL " in line for line in lines) == 2


async def test_the_transcript_is_versioned_and_says_what_was_imagined(tmp_path: Path):
    told = (await play(tmp_path, Nowhere(), pauses=False, fork=Copy)).transcript()
    assert told == json.loads(json.dumps(told))
    assert told["lookahead_demo"] == 1
    assert sorted(told) == ["agrees", "folder", "goal", "lookahead_demo", "lost", "moments", "saved", "seconds"]
    moment: Any = told["moments"]
    considered = moment[1]["decision"]["considered"]
    assert {step["observation"]["origin"]["kind"] for one in considered for step in one["rollout"]["steps"]} == {
        "exact"
    }
    assert moment[1]["real"]["origin"]["kind"] == "real"
    assert moment[1]["comparison"]["only_imagined"] == []


def test_a_difference_in_any_size_is_a_difference():
    one = Effect(happened="changed", target="a", what="file", before=3, after=5, unit="bytes")
    other = one.model_copy(update={"after": 6})
    found = Comparison.between([one], [other])
    assert not found.whole
    assert (found.only_imagined, found.only_real) == ((one,), (other,))
    assert Comparison.between([one], [one]).whole


def test_lost_work_is_a_finding_even_when_it_was_foreseen():
    ending = Ending(scene=Scene(goal="g"), folder=Path(), saved=(), lost=("notes/ideas.md",), seconds=0)
    assert ending.code == 2


def test_every_kind_of_change_is_noticed(tmp_path: Path):
    for name in ("same", "grown", "gone", "mode"):
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("same")
    before = snapshot(tmp_path)
    (tmp_path / "grown").write_text("much more")
    (tmp_path / "gone").unlink()
    (tmp_path / "new").mkdir()
    (tmp_path / "mode").chmod(0o700)
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("gone")
    found = {(one.happened, one.target, one.what) for one in difference(before, snapshot(tmp_path))}
    assert found == {
        ("changed", "grown", "file"),
        ("deleted", "gone", "file"),
        ("created", "new", "directory"),
        ("changed", "mode", "file"),
        ("changed", "link", "link"),
    }


@pytest.mark.parametrize("keep", [True, False])
def test_the_folder_is_gone_afterwards_unless_it_is_to_be_kept(keep: bool, tmp_path: Path):
    tempfile.tempdir = str(tmp_path)
    try:
        with pytest.raises(KeyboardInterrupt), throwaway(keep=keep):
            raise KeyboardInterrupt
        assert bool(list(tmp_path.iterdir())) is keep
    finally:
        tempfile.tempdir = None


def command(*options: str, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lookahead", "demo", *options],
        capture_output=True, text=True, cwd=home, env={**os.environ, "TMPDIR": str(home), **variables},
    )  # fmt: skip


def test_without_a_sandbox_the_command_is_incomplete_and_says_what_to_do(tmp_path: Path):
    done = command(home=tmp_path, LOOKAHEAD_SANDBOX="missing")
    assert done.returncode == 3
    assert "sandbox" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("lookahead-demo-*"))


def test_the_command_itself_saves_what_is_unsaved(tmp_path: Path):
    done = command("--json", home=tmp_path)
    if done.returncode == 3:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert {effect["target"] for effect in told["saved"]} == set(project.UNSAVED)
    assert told["agrees"] is True
    assert not Path(told["folder"]).exists()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_being_stopped_leaves_nothing_behind(tmp_path: Path, stop: signal.Signals):
    variables = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-m", "lookahead", "demo"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=variables, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        while not process.stdout.readline().startswith("The agent's goal"):
            assert process.poll() is None
        process.send_signal(stop)
        said = process.stderr.read()
        # It may have been done already when the signal came, or be about to leave, when Python looks no more.
        assert process.wait() in (0, 130, -stop), said
    assert "Traceback" not in said
    assert not list(tmp_path.glob("lookahead-demo-*"))
