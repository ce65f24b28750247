"""The directory fork says exactly what a call would do, and the directory stays as it is."""

import hashlib
import os
import random
import shutil
import socket
import stat
import subprocess
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from lookahead.errors import NotMyWorld
from lookahead.types import Action, Copying, Effect, Observation, Origin, State, Tool
from lookahead.worlds.fork import DirectoryFork, Limits

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        os.environ.get("LOOKAHEAD_NO_SANDBOX") == "1", reason="LOOKAHEAD_NO_SANDBOX=1: this machine has no sandbox"
    ),
]


def fingerprint(folder: Path) -> str:
    state = hashlib.sha256()
    for place in [folder, *sorted(folder.rglob("*"))]:
        status = place.lstat()
        state.update(repr((str(place), status.st_mode, status.st_mtime_ns, status.st_size)).encode())
        if place.is_symlink():
            state.update(os.readlink(place).encode())
        elif place.is_file():
            state.update(place.read_bytes())
    return state.hexdigest()


def shell(command: str) -> Action:
    return Action(tool="run_shell", arguments={"command": command})


async def see(world: DirectoryFork, command: str, state: State | None = None) -> Observation:
    return await world(state or State(), shell(command))


def names(seen: Observation) -> set[tuple[str, str]]:
    return {(effect.happened, effect.target) for effect in seen.effects or ()}


def one(seen: Observation) -> Effect:
    assert seen.effects is not None
    (effect,) = seen.effects
    return effect


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


# What is said


async def test_it_is_a_world_that_copies(world: DirectoryFork) -> None:
    assert isinstance(world, Copying)
    assert world.name == "fork:directory"


async def test_output_and_exit_status_are_those_of_the_command(world: DirectoryFork, folder: Path) -> None:
    seen = await see(world, "pwd; cat notes.txt; echo wrong >&2; echo right; exit 3")
    assert seen.content == f"{folder}\none\ntwo\nthree\nwrong\nright\n"
    assert seen.structured == {"exit_code": 3}
    assert seen.failed
    assert seen.effects == ()
    assert seen.origin == Origin(kind="exact", world="fork:directory", confidence=1.0)
    assert seen.imagined


async def test_a_new_file_is_told_with_its_size_and_its_text(world: DirectoryFork) -> None:
    effect = one(await see(world, "echo hello > new.txt"))
    assert (effect.happened, effect.target, effect.what) == ("created", "new.txt", "file")
    assert (effect.before, effect.after, effect.unit) == (None, 6, "bytes")
    assert effect.detail == "hello"


async def test_an_edit_is_told_as_a_difference(world: DirectoryFork) -> None:
    effect = one(await see(world, "sed -i s/two/2/ notes.txt"))
    assert (effect.happened, effect.before, effect.after) == ("changed", 14, 12)
    assert effect.recoverable is False
    assert "-two" in effect.detail
    assert "+2" in effect.detail


async def test_a_deleted_folder_is_told_with_everything_that_was_in_it(world: DirectoryFork) -> None:
    seen = await see(world, "rm -rf src")
    assert names(seen) == {
        ("deleted", "src"), ("deleted", "src/main.py"), ("deleted", "src/deep"), ("deleted", "src/deep/data.bin"),
    }  # fmt: skip
    assert seen.effects is not None
    assert all(effect.recoverable is False for effect in seen.effects)
    assert {effect.before for effect in seen.effects if effect.what == "file"} == {15, 256}


async def test_a_folder_that_is_made_anew_lost_what_was_in_it(world: DirectoryFork) -> None:
    seen = await see(world, "rm -r src; mkdir src; echo other > src/main.py")
    assert names(seen) == {("deleted", "src/deep"), ("deleted", "src/deep/data.bin"), ("changed", "src/main.py")}


async def test_what_was_only_touched_or_rewritten_alike_is_no_effect(world: DirectoryFork) -> None:
    seen = await see(
        world, "touch notes.txt; cp src/main.py x; cat x > src/main.py; rm x; chmod 700 src; chmod 755 src"
    )
    assert seen.effects == ()


@pytest.mark.parametrize("method", ["overlay", "copy"])
@pytest.mark.parametrize("home", [".", "src"])
async def test_in_a_copy_of_the_home_only_what_the_command_did_is_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str, method: Literal["overlay", "copy"]
) -> None:
    with socket.socket(socket.AF_UNIX) as line:
        line.bind(str(tmp_path / "line"))
        project = tmp_path / "mine"
        await anyio.to_thread.run_sync(shutil.copytree, folder, project)
        os.rename(tmp_path / "line", project / "line")
        monkeypatch.setenv("HOME", str(project / home))
        for name in (".bashrc", ".gitconfig"):
            (project / home / name).write_text("mine")
        async with DirectoryFork(project, scratch=tmp_path / "scratch", method=method) as world:
            assert names(await see(world, "ls -la ~")) == set()
            assert names(await see(world, "mkdir zz")) == {("created", "zz")}
            assert names(await see(world, "echo x >> ~/.bashrc")) == {
                ("changed", str(Path(home, ".bashrc"))),
            }


async def test_a_mode_a_link_and_a_change_of_kind_are_told(world: DirectoryFork) -> None:
    seen = await see(world, "chmod 600 notes.txt; ln -sf src/main.py link; rm -r empty; echo file > empty; mkfifo pipe")
    assert {(effect.happened, effect.target, effect.what) for effect in seen.effects or ()} == {
        ("changed", "notes.txt", "file"), ("changed", "link", "link"), ("deleted", "empty", "directory"),
        ("created", "empty", "file"), ("created", "pipe", "thing"),
    }  # fmt: skip
    (mode,) = (effect for effect in seen.effects or () if effect.target == "notes.txt")
    assert mode.recoverable is True
    assert "to 0600" in mode.detail


async def test_what_nobody_may_enter_is_told_all_the_same(world: DirectoryFork) -> None:
    seen = await see(world, "mkdir closed; echo x > closed/file; chmod 0 closed/file closed notes.txt")
    assert names(seen) == {("created", "closed"), ("created", "closed/file"), ("changed", "notes.txt")}


async def test_more_effects_than_can_be_listed_are_summed_up(folder: Path) -> None:
    async with DirectoryFork(folder, limits=Limits(effects=5)) as world:
        seen = await see(world, "mkdir many; for n in $(seq 40); do echo 12345 > many/$n; done; rm notes.txt")
    assert seen.effects is not None
    assert len(seen.effects) == 6
    assert seen.effects[0].target == "notes.txt"
    assert "more" in seen.effects[-1].detail
    told = sum(effect.after or 0 for effect in seen.effects)
    assert told == 40 * 6


SCRIPTS = 12


@pytest.mark.parametrize("method", ["overlay", "copy"])
async def test_the_effects_are_what_the_same_commands_do_to_a_real_copy(
    folder: Path, tmp_path: Path, method: Any
) -> None:
    """The oracle: run it for real on a plain copy, and compare every name before and after."""
    choose = random.Random(f"{method}-20")
    async with DirectoryFork(folder, method=method) as world:
        for number in range(SCRIPTS):
            script = " ; ".join(step(choose) for _ in range(choose.randint(1, 6)))
            real = tmp_path / f"real-{number}"
            await anyio.to_thread.run_sync(lambda real=real: shutil.copytree(folder, real, symlinks=True))
            before = census(real)
            command = ["/bin/sh", "-c", script]
            done = await anyio.run_process(command, cwd=real, check=False, stderr=subprocess.STDOUT)
            seen = await see(world, script)
            assert (seen.content, seen.failed) == (done.stdout.decode(), done.returncode != 0), script
            assert names(seen) == difference(before, census(real)), script


def step(choose: random.Random) -> str:
    places = ("notes.txt", "src", "src/main.py", "src/deep", "src/deep/data.bin", "empty", "link", "new", "src/new")
    one_, other = choose.choice(places), choose.choice(places)
    return choose.choice(
        (
            f"rm -rf {one_}", f"mkdir -p {one_}", f"echo {choose.random()} > {one_}", f"echo more >> {one_}",
            f"cp -r {one_} {other}", f"mv {one_} {other}", f"chmod 750 {one_}", f"touch {one_}",
            f"ln -sfn {other.rsplit('/', 1)[-1]} {one_}", f"find {one_} -type f -delete", f"rmdir {one_}",
        )
    )  # fmt: skip


def census(folder: Path) -> dict[str, tuple[str, int, object]]:
    found: dict[str, tuple[str, int, object]] = {}
    for place in folder.rglob("*"):
        mode = place.lstat().st_mode
        kind = "link" if stat.S_ISLNK(mode) else "directory" if stat.S_ISDIR(mode) else "file"
        content = os.readlink(place) if kind == "link" else place.read_bytes() if kind == "file" else None
        found[str(place.relative_to(folder))] = (kind, stat.S_IMODE(mode), content)
    return found


def difference(
    before: dict[str, tuple[str, int, object]], after: dict[str, tuple[str, int, object]]
) -> set[tuple[str, str]]:
    found = {("deleted", name) for name in before if name not in after}
    found |= {("created", name) for name in after if name not in before}
    for name in before.keys() & after.keys():
        if "directory" in (before[name][0], after[name][0]) and before[name][0] != after[name][0]:
            found |= {("deleted", name), ("created", name)}
        elif before[name] != after[name]:
            found.add(("changed", name))
    return found


async def test_a_folder_can_be_renamed_by_a_program_that_knows_no_other_way(world: DirectoryFork) -> None:
    seen = await see(world, """python3 -c 'import os; os.rename("src", "lib")'""")
    assert not seen.failed
    assert ("deleted", "src/main.py") in names(seen)
    assert ("created", "lib/deep/data.bin") in names(seen)
    assert all(effect.recoverable is not False for effect in seen.effects or ())


# What can be had again


@pytest.fixture
async def repository(tmp_path: Path) -> Path:
    project = tmp_path / "repository"
    (project / "sub").mkdir(parents=True)
    for name in ("clean", "dirty", "sub/clean", "with space", "ünïcode"):
        (project / name).write_text(f"{name} as committed\n")

    def make() -> None:
        git(project, "init", "-q")
        git(project, "add", ".")
        git(project, "commit", "-qm", "all")

    await anyio.to_thread.run_sync(make)
    (project / "dirty").write_text("not committed\n")
    (project / "untracked").write_text("never added\n")
    return project


async def recoverable(world: DirectoryFork, command: str) -> dict[str, bool | None]:
    seen = await see(world, command)
    return {effect.target: effect.recoverable for effect in seen.effects or () if ".git/" not in effect.target}


async def test_only_what_is_committed_byte_for_byte_can_be_had_again(repository: Path) -> None:
    before = await anyio.to_thread.run_sync(fingerprint, repository)
    async with DirectoryFork(repository) as world:
        told = await recoverable(world, "rm -r sub clean dirty untracked 'with space' ünïcode")
    assert told == {
        "sub": True, "sub/clean": True, "clean": True, "dirty": False, "untracked": False, "with space": True,
        "ünïcode": True,
    }  # fmt: skip
    assert await anyio.to_thread.run_sync(fingerprint, repository) == before


async def test_with_the_repository_goes_what_is_committed_in_it(repository: Path) -> None:
    async with DirectoryFork(repository) as world:
        told = await recoverable(world, "rm -rf .git clean")
        assert told[".git"] is False
        assert told["clean"] is False


async def test_going_back_in_history_loses_only_what_was_never_committed(repository: Path) -> None:
    async with DirectoryFork(repository) as world:
        assert await recoverable(world, "git checkout -q -- .") == {"dirty": False}
        assert await recoverable(world, "git clean -fdq") == {"untracked": False}
        assert (await recoverable(world, "git -c user.name=a -c user.email=b stash -q -u"))["dirty"] is True


async def test_a_repository_above_the_directory_is_known(repository: Path) -> None:
    async with DirectoryFork(repository / "sub") as world:
        assert await recoverable(world, "rm clean") == {"clean": True}
        with pytest.raises(NotMyWorld, match="whole repository"):
            await see(world, "git add . && git status")


async def test_hooks_and_filters_of_the_repository_are_not_run_outside(repository: Path, tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    for setting in ("core.fsmonitor", "core.sshCommand", "filter.x.smudge", "filter.x.clean"):
        await anyio.to_thread.run_sync(git, repository, "config", setting, f"touch {trap}")
    async with DirectoryFork(repository) as world:
        await recoverable(world, "rm clean dirty; git status")
    assert not trap.exists()


async def test_what_was_moved_copied_before_or_appended_to_is_not_lost(world: DirectoryFork) -> None:
    for command in ("mv notes.txt elsewhere.txt", "cp notes.txt copy; rm notes.txt", "echo four >> notes.txt"):
        seen = await see(world, command)
        (told,) = (effect for effect in seen.effects or () if effect.target == "notes.txt")
        assert told.recoverable is True, command


# States and their copies


async def test_one_imagined_step_builds_on_another_and_branches_do_not_meet(world: DirectoryFork) -> None:
    start = State()
    first = shell("echo base > made; rm notes.txt")
    state = start.then(first, await world(start, first))
    results: dict[int, Observation] = {}

    async def branch(number: int) -> None:
        action = shell(f"cat made; ls; echo {number} > made; echo {number} > only-{number}")
        seen = await world(state, action)
        results[number] = await see(world, "cat made; ls only-*", state.then(action, seen))

    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(branch, number)
    for number, seen in results.items():
        assert seen.content == f"{number}\nonly-{number}\n"


async def test_a_copy_that_is_gone_is_made_again_from_the_imagined_steps(folder: Path) -> None:
    async with DirectoryFork(folder, limits=Limits(copies=1)) as world:
        state = State()
        for command in ("rm notes.txt", "mkdir made", "echo x > made/file"):
            state = state.then(shell(command), await see(world, command, state))
        assert (await see(world, "ls made; ls notes.txt 2> made/none", state)).content == "file\n"
        await world.discard()
        assert names(await see(world, "rm -r made", state)) == {("deleted", "made"), ("deleted", "made/file")}


async def test_a_real_step_ends_what_was_imagined(world: DirectoryFork) -> None:
    state = State()
    state = state.then(shell("rm notes.txt"), await see(world, "rm notes.txt", state))
    state = state.then(shell("true"), Observation())
    assert (await see(world, "cat notes.txt", state)).content == "one\ntwo\nthree\n"


async def test_an_imagined_step_that_it_does_not_know_leaves_it_silent(world: DirectoryFork) -> None:
    said = Observation(content="done", origin=Origin(kind="model", world="language"))
    state = State().then(Action(tool="deploy"), said)
    with pytest.raises(NotMyWorld, match="deploy"):
        await see(world, "ls", state)
    reading = State(tools=(Tool(name="look", effect="reads"),)).then(Action(tool="look"), said)
    assert not (await see(world, "ls", reading)).failed
