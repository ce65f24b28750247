"""The walls: what runs in the copy can reach nothing else, and leaves nothing behind."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Literal

import anyio
import anyio.to_thread
import pytest

from lookahead.errors import WorldError
from lookahead.types import Action, State
from lookahead.worlds.fork import DirectoryFork, Limits
from lookahead.worlds.fork.confined import room, seccomp
from lookahead.worlds.fork.scratch import Scratch, remove_tree

pytestmark = pytest.mark.skipif(
    os.environ.get("LOOKAHEAD_NO_SANDBOX") == "1", reason="LOOKAHEAD_NO_SANDBOX=1: this machine has no sandbox"
)

QUICK = (
    "tcp_to_the_hosts_loopback", "udp_to_the_world", "a_unix_socket_in_the_directory",
    "a_unix_socket_in_a_readable_folder", "an_abstract_unix_socket",
    "vsock_to_the_hypervisor", "netlink_to_the_firewall", "an_absolute_path",
    "a_planted_link_to_a_file", "a_link_to_the_root", "a_planted_hard_link", "the_real_file_by_shared_memory",
    "everything_is_deleted", "a_forged_redirect", "the_root_of_process_one", "the_core_pattern", "a_disk_by_mknod",
    "a_new_mount", "a_nested_user_namespace_by_clone", "capabilities_beyond_files", "programs_in_the_kernel",
    "an_outside_process_is_killed", "process_one_is_killed", "a_daemon_that_stays", "letters_typed_into_the_terminal",
    "a_key_in_the_home", "password_hashes", "the_callers_environment", "inherited_descriptors", "a_fork_bomb",
    "memory_without_a_process", "a_huge_hole", "many_large_files", "one_gigabyte_of_output",
)  # fmt: skip
BY_FUNCTION = (
    "tcp_to_the_hosts_loopback", "an_absolute_path", "a_planted_link_to_a_file", "everything_is_deleted",
    "inherited_descriptors", "a_daemon_that_stays", "a_new_mount", "an_outside_process_is_killed", "a_fork_bomb",
)  # fmt: skip


@pytest.fixture(scope="module")
def escape() -> ModuleType:
    place = Path(__file__).parents[2] / "benchmarks" / "escape.py"
    spec = importlib.util.spec_from_file_location("escape", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["escape"] = module
    spec.loader.exec_module(module)
    return module


def test_no_command_gets_out(escape: ModuleType) -> None:
    results = escape.attack(QUICK, ["command"])
    assert [result for result in results if result.escaped] == []
    assert len(results) == len(QUICK)


def test_no_function_gets_out(escape: ModuleType) -> None:
    results = escape.attack(BY_FUNCTION, ["function"], backend="trio")
    assert [result for result in results if result.escaped] == []


def test_a_hole_in_the_walls_would_be_seen(escape: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def a_hole(facts: dict[str, object]) -> object:
        return "anything at all"

    monkeypatch.setitem(escape.attacks.ATTEMPTS, "a_hole", ("test", a_hole))
    (result,) = escape.attack(["a_hole"], ["function"])
    assert "anything at all" in result.escaped


def test_the_filter_says_no_on_every_machine_that_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    for column, architecture in ((0, 0xC000003E), (1, 0xC00000B7)):
        monkeypatch.setattr(seccomp, "machine", lambda it=(column, architecture): it)
        code = seccomp.program.__wrapped__(unix_sockets=False)
        assert len(code) % 8 == 0
        assert len(code) // 8 < 4096


def test_the_filter_refuses_a_machine_that_it_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "machine", lambda: None)
    with pytest.raises(OSError, match="processor"):
        seccomp.program.__wrapped__(unix_sockets=False)


def test_a_tree_that_nobody_can_enter_is_removed(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    here = os.getcwd()
    os.chdir(tree)
    try:
        for _ in range(600):  # far beyond what a path can name
            os.mkdir("deeper")
            os.chdir("deeper")
        Path("file").write_text("at the bottom")
    finally:
        os.chdir(here)
    (tree / "closed").mkdir()
    (tree / "closed" / "file").write_text("x")
    (tree / "closed").chmod(0)
    remove_tree(tree)
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_a_tree_is_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").write_text("x")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "outside")
    remove_tree(tmp_path / "tree")
    assert (tmp_path / "outside" / "kept").read_text() == "x"
    assert not (tmp_path / "tree").exists()


def test_what_a_dead_process_left_is_removed_and_what_a_living_one_has_is_kept(tmp_path: Path) -> None:
    living = Scratch(tmp_path)
    dead = tmp_path / "session-dead"
    (dead / "3" / "up" / "file").mkdir(parents=True)
    (dead / "lock").touch()
    other = Scratch(tmp_path)
    assert not dead.exists()
    assert living.path.exists()
    living.close()
    other.close()
    assert [place.name for place in tmp_path.iterdir()] == ["lock"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("method", ["overlay", "copy"])
def test_somebody_who_is_not_root_has_the_same_walls(tmp_path: Path, method: Literal["overlay", "copy"]) -> None:
    folder, scratch = tmp_path / "project", tmp_path / "scratch"
    for place in (folder, scratch):
        place.mkdir()
    (folder / "kept").write_text("kept")
    (folder / "theirs").mkdir()
    (folder / "closed").write_text("theirs")
    (folder / "closed").chmod(0o600)

    def work(name: str) -> str:
        (folder / name).write_text("new")
        (folder / "kept").unlink()
        status = Path("/proc/self/status").read_text()
        (capabilities,) = (line.split()[1] for line in status.splitlines() if line.startswith("CapEff"))
        return f"{os.getuid()} {int(capabilities, 16)}"

    async def imagine(place: Path) -> str:
        limits = Limits(seconds=60)
        async with DirectoryFork(folder, tools=[work], scratch=place, limits=limits, method=method) as world:
            seen = await world(State(), Action(tool="work", arguments={"name": "made"}))
        return f"{seen.content} {[(effect.happened, effect.target) for effect in seen.effects or ()]}"

    anyio.run(imagine, tmp_path / "first")  # loads what the other user might not be able to read
    answer, far_answer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            for place in (tmp_path, *tmp_path.parents[:3]):
                place.chmod(place.stat().st_mode | 0o555)
            for place in (folder, scratch, folder / "kept"):
                os.chown(place, 65534, 65534)
            scratch.chmod(0o700)
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.write(far_answer, anyio.run(imagine, scratch).encode())
        except BaseException as problem:
            os.write(far_answer, repr(problem).encode())
        finally:
            os._exit(0)
    os.close(far_answer)
    os.waitpid(child, 0)
    told = os.read(answer, 4096).decode()
    os.close(answer)
    assert told == "65534 0 [('deleted', 'kept'), ('created', 'made')]"
    assert (folder / "kept").read_text() == "kept"


async def _imagine(folder: Path, scratch: Path, limits: Limits, function: Callable[[], object]) -> str:
    async with DirectoryFork(folder, tools=[function], scratch=scratch, limits=limits) as world:
        try:
            return (await world(State(), Action(tool=function.__name__))).content
        except WorldError as stopped:
            return str(stopped)


def test_where_no_proc_can_be_had_the_limits_hold_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that hides parts of its own /proc allows no new one."""

    def none(room: str, plan: object, warnings: list[str]) -> None:
        warnings.append("no /proc inside")

    def bomb() -> None:
        while True:
            if os.fork() == 0:
                signal.pause()

    def hog() -> None:
        kept = [bytes([number]) * (1 << 24) for number in range(250)]
        raise AssertionError(f"{len(kept)} blocks were had")

    monkeypatch.setattr(room, "_processes", none)
    (tmp_path / "project").mkdir()
    limits = Limits(processes=20, memory=128 << 20, seconds=60)
    for function, reason in ((bomb, "20 processes"), (hog, "128 MiB of memory")):
        assert reason in anyio.run(_imagine, tmp_path / "project", tmp_path / "scratch", limits, function)


def test_when_the_caller_is_killed_nothing_is_left_running(tmp_path: Path) -> None:
    script = f"""
import anyio
from lookahead.errors import WorldError
from lookahead.types import Action, State
from lookahead.worlds.fork import DirectoryFork

async def main():
    async with DirectoryFork({str(tmp_path)!r}) as world:
        await world(State(), Action(tool="shell", arguments={{"command": "sleep 1234.8"}}))

anyio.run(main)
"""
    caller = subprocess.Popen([sys.executable, "-c", script])
    try:
        assert _eventually(lambda: _running("sleep\x001234.8"))
    finally:
        caller.kill()
        caller.wait()
    assert _eventually(lambda: not _running("sleep\x001234.8"))


def _running(words: str) -> bool:
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            if words.encode() in Path("/proc", process, "cmdline").read_bytes():
                return True
        except OSError:
            continue
    return False


def _eventually(true: Callable[[], bool], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        os.sched_yield()
    return False


def test_a_child_of_the_caller_does_not_touch_what_its_parent_has(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()

    async def imagine(world: DirectoryFork) -> str:
        return (await world(State(), Action(tool="shell", arguments={"command": "echo hello"}))).content

    async def main() -> None:
        async with DirectoryFork(tmp_path / "project", scratch=tmp_path / "scratch") as world:
            assert await imagine(world) == "hello\n"
            session = await anyio.to_thread.run_sync(lambda: set((tmp_path / "scratch").glob("session-*")))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
            if child == 0:
                world._finalizer()  # what the end of a Python program calls
                os._exit(0)
            await anyio.to_thread.run_sync(os.waitpid, child, 0)
            assert await anyio.to_thread.run_sync(lambda: set((tmp_path / "scratch").glob("session-*"))) == session
            assert await imagine(world) == "hello\n"

    anyio.run(main)


def test_a_fork_costs_far_less_than_a_plain_copy(tmp_path: Path) -> None:
    place = Path(__file__).parents[2] / "benchmarks" / "fork_directory.py"
    spec = importlib.util.spec_from_file_location("fork_directory", place)
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    (tmp_path / "project").mkdir()
    benchmark.fill(tmp_path / "project", 1000, 10)
    took = anyio.run(benchmark.forks, tmp_path / "project", 7, "true")
    (copied,) = benchmark.plain_copies(tmp_path / "project", 1)
    assert sorted(took)[3] * 3 < copied
