"""What the directory fork leaves to others, what it stops, and the functions that it runs."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from lookahead.errors import ConfigError, NotMyWorld, OutOfReach, SandboxMissing, WorldError, WorldTimeout
from lookahead.types import Action, Effect, Observation, State
from lookahead.worlds.fork import DirectoryFork, Limits

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        os.environ.get("LOOKAHEAD_NO_SANDBOX") == "1", reason="LOOKAHEAD_NO_SANDBOX=1: this machine has no sandbox"
    ),
]


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


# What it leaves to others


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("send_email", {"command": "rm -rf src"}),
        ("kubectl_exec", {"command": "rm -rf src"}),
        ("run_sql", {"command": "DROP TABLE x"}),
        ("shell", {"command": "ls", "host": "elsewhere"}),
        ("shell", {"command": 3}),
        ("shell", {}),
        ("shell", {"command": "echo a\0b"}),
    ],
)
async def test_it_does_not_guess_what_a_tool_is(world: DirectoryFork, tool: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(NotMyWorld):
        await world(State(), Action(tool=tool, arguments=arguments))


@pytest.mark.parametrize("tool", ["bash", "shell", "run_shell", "execute_command", "RunInTerminal", "local_shell"])
async def test_tools_that_are_plainly_shells_need_no_declaration(world: DirectoryFork, tool: str) -> None:
    seen = await world(State(), Action(tool=tool, arguments={"cmd": "echo hi"}))
    assert seen.content == "hi\n"


async def test_a_declared_tool_is_read_as_declared(folder: Path) -> None:
    async with DirectoryFork(folder, shell={"deploy": "steps"}) as world:
        seen = await world(State(), Action(tool="deploy", arguments={"steps": "echo hi", "where": "here"}))
        assert seen.content == "hi\n"
        with pytest.raises(NotMyWorld):
            await see(world, "ls")

    def words(action: Action) -> list[str] | None:
        return ["echo", "a  b", "*", *map(str, action.arguments.values())] if action.tool == "say" else None

    async with DirectoryFork(folder, shell=words) as world:
        assert (await world(State(), Action(tool="say", arguments={"x": 1}))).content == "a  b * 1\n"


@pytest.mark.parametrize(
    "command",
    [
        "rm -rf ~", "rm -rf $HOME/*", 'cat "${HOME}"/.profile', "cd .. && rm -rf *", "rm -rf /", "cat /etc/shadow",
        "cp x {outside}", "cat <{outside}", "tar -C{outside} -x", "rm --one-file-system --dir={outside}", "cat away",
        "ls ../",
    ],
)  # fmt: skip
async def test_a_command_that_names_a_place_outside_is_left_to_others(tmp_path: Path, command: str) -> None:
    project, outside = tmp_path / "inner", tmp_path / "outside"
    project.mkdir()
    outside.write_text("x")
    (project / "away").symlink_to(outside)
    async with DirectoryFork(project) as world:
        with pytest.raises(NotMyWorld, match="outside"):
            await see(world, command.replace("{outside}", str(outside)))
    assert outside.read_text() == "x"


async def test_a_command_that_writes_outside_without_saying_so_is_held(world: DirectoryFork) -> None:
    with pytest.raises(OutOfReach, match=r"here.*outside"):
        await see(world, "cd /usr && touch here")


@pytest.mark.parametrize(
    "command",
    [
        "echo x > away", "echo x | tee -a ./away", "cp src away", "cd there && rm -f precious", "rm -r there/*",
        "ln -sf {outside}/precious link; echo boo > link",
        "ln -s {outside}/precious link && echo boo>>link 2>/dev/null",
        "ln -s ../outside link; rm -rf link/", "ln -sfn {outside} d\nsed -i s/x/y/ d/precious || true",
        "mkdir a; ln -s {outside}/precious a; cp src a/precious",
        "bash -c 'ln -s {outside} d; dd if=src of=d/precious'",
        "python3 -c \"import os; os.symlink('../out'+'side/precious', 'l'); open('l', 'a')\"",
        "python3 -c \"import os; os.symlink('/usr/here', 'l'); open('l', 'w')\"",
    ],
)  # fmt: skip
async def test_a_command_that_writes_through_a_link_that_leads_out_is_held(tmp_path: Path, command: str) -> None:
    project, outside = tmp_path / "inner", tmp_path / "outside"
    project.mkdir()
    outside.mkdir()
    (outside / "precious").write_text("x")
    (project / "src").write_text("y")
    (project / "away").symlink_to(outside / "precious")
    (project / "there").symlink_to("../outside")
    async with DirectoryFork(project) as world:
        with pytest.raises(OutOfReach, match=r"outside|/usr/here"):
            await see(world, command.replace("{outside}", str(outside)))
    assert (outside / "precious").read_text() == "x"


@pytest.mark.parametrize(
    ("command", "effects"),
    [
        ("ln -s /usr/bin/env tool && ./tool true", {("created", "tool")}),
        ("ln -s notes.txt other; echo x > other", {("created", "other"), ("changed", "notes.txt")}),
        ("ln -s /usr/bin tools; rm tools; mkdir tools; touch tools/x", {("created", "tools"), ("created", "tools/x")}),
        ("echo 'ln -s /usr d; rm d/x' > notes.txt", {("changed", "notes.txt")}),
        ("mkdir -p src; ls nothing >/dev/null 2>&1; rm -f notes.txt", {("deleted", "notes.txt")}),
    ],
)
async def test_links_as_such_are_no_reason_to_hold_a_command(
    world: DirectoryFork, command: str, effects: set[tuple[str, str]]
) -> None:
    assert names(await see(world, command)) == effects


async def test_what_only_speaks_of_a_file_system_that_is_read_only_was_no_write(world: DirectoryFork) -> None:
    with pytest.raises(NotMyWorld):
        await see(world, "echo 'mounted: Read-only file system was seen yesterday'")


async def test_a_command_that_needs_the_network_is_left_to_others(world: DirectoryFork) -> None:
    ask = "import socket; socket.create_connection(('192.0.2.7', 80), 1)"
    with pytest.raises(NotMyWorld, match="network"):
        await see(world, f'python3 -c "{ask}"')
    seen = await see(world, f'rm notes.txt; python3 -c "{ask}"')
    assert names(seen) == {("deleted", "notes.txt"), ("sent", "the network")}
    assert seen.origin.confidence == 0.5


async def test_programs_of_its_own_may_talk_to_each_other(world: DirectoryFork) -> None:
    talk = (
        "import socket, threading; s = socket.create_server(('127.0.0.1', 0));"
        "threading.Thread(target=lambda: s.accept()[0].sendall(b'hello')).start();"
        "print(socket.create_connection(s.getsockname()).recv(9))"
    )
    assert (await see(world, f'python3 -c "{talk}"')).content == "b'hello'\n"


async def test_what_it_leaves_in_the_temporary_folder_is_told(world: DirectoryFork) -> None:
    effect = one(await see(world, "echo hi > /tmp/left-by-lookahead"))
    assert (effect.happened, effect.target, effect.after) == ("created", "/tmp/left-by-lookahead", 3)
    assert not await anyio.Path("/tmp/left-by-lookahead").exists()


# Limits


async def test_what_takes_too_long_is_a_timeout_and_nothing_is_left_of_it(folder: Path) -> None:
    async with DirectoryFork(folder, limits=Limits(seconds=0.3)) as world:
        with pytest.raises(WorldTimeout, match=r"0\.3 seconds"):
            await see(world, "sleep 1234.5")
        assert not running("sleep\x001234.5")
        # On a busy machine the limit may be too short for this, too; the world goes on in any case.
        while True:
            try:
                assert (await see(world, "echo still here")).content == "still here\n"
                break
            except WorldTimeout:
                continue


async def test_cancelling_leaves_nothing_running(folder: Path) -> None:
    def wait() -> str:
        (folder / "begun").touch()
        return str(os.system("sleep 1234.6"))

    async with DirectoryFork(folder, tools=[wait]) as world:
        for action in (shell("sleep 1234.6"), Action(tool="wait")):
            with anyio.move_on_after(0.3) as scope:
                await world(State(), action)
            assert scope.cancelled_caught
            assert not running("sleep\x001234.6")


def running(words: str) -> bool:
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            if words.encode() in Path("/proc", process, "cmdline").read_bytes():
                return True
        except OSError:
            continue
    return False


async def test_what_goes_on_in_the_background_ends_and_is_told(world: DirectoryFork) -> None:
    seen = await see(world, "sleep 1234.7 & echo started")
    assert seen.content == "started\n"
    assert seen.structured == {"exit_code": 0, "still_running": 1}
    assert not running("sleep\x001234.7")


async def test_output_beyond_the_limit_is_cut_and_that_is_said(folder: Path) -> None:
    async with DirectoryFork(folder, limits=Limits(output=100)) as world:
        seen = await see(world, "yes | head -c 5000000; echo x > made")
    assert seen.content.startswith("y\n" * 50)
    assert "[output cut: of 5,000,000 bytes the first 100 are kept]" in seen.content
    assert seen.structured == {"exit_code": 0, "output_bytes": 5_000_000}
    assert names(seen) == {("created", "made")}


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 9 & done; wait", "12 processes"),
        ("python3 -c 'x = [bytes([n]) * 2**24 for n in range(99)]'", "memory"),
        ("head -c 9000000 /dev/zero > big", "a file reached 4 MiB"),
        ("for n in 1 2 3 4 5 6 7 8; do head -c 1000000 /dev/zero > $n; done; sleep 5", "wrote more than 4 MiB"),
    ],
)
async def test_a_limit_that_is_met_is_an_error_that_names_it(folder: Path, command: str, reason: str) -> None:
    limits = Limits(processes=12, memory=128 << 20, written=4 << 20, seconds=60)
    async with DirectoryFork(folder, limits=limits) as world:
        with pytest.raises(WorldError, match=reason):
            await see(world, command)


# Functions


async def test_a_function_runs_in_the_copy_with_the_memory_that_it_knows(folder: Path) -> None:
    kept = {"calls": 0}

    def write_file(path: str, text: str) -> str:
        kept["calls"] += 1
        (folder / path).write_text(text)
        return f"{len(text)} letters, call {kept['calls']}"

    async def count(path: str) -> dict[str, int]:
        await anyio.lowlevel.checkpoint()
        return {"bytes": len(await anyio.Path(folder / path).read_bytes())}

    async with DirectoryFork(folder, tools=[write_file, count]) as world:
        action = Action(tool="write_file", arguments={"path": "notes.txt", "text": "hello"})
        state = State().then(action, seen := await world(State(), action))
        assert seen.content == "5 letters, call 1"
        assert (one(seen).happened, one(seen).before, one(seen).after) == ("changed", 14, 5)
        seen = await world(state, Action(tool="count", arguments={"path": "notes.txt"}))
        assert seen.structured == {"bytes": 5}
        assert seen.effects == ()
    assert kept == {"calls": 0}


async def test_what_a_function_raises_is_its_answer(folder: Path) -> None:
    def remove(path: str) -> None:
        (folder / path).unlink()

    async with DirectoryFork(folder, tools=[remove]) as world:
        seen = await world(State(), Action(tool="remove", arguments={"path": "absent"}))
    assert seen.failed
    assert seen.content.startswith("FileNotFoundError: ")


async def test_a_function_that_reaches_elsewhere_is_left_to_others(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("kept")
    near, far = socket.socketpair()
    basket: list[str] = []

    def reading() -> str:
        return (tmp_path / "outside").read_text()

    def by_program() -> int:
        return subprocess.run(["wc", str(tmp_path / "outside")], check=False).returncode

    def network() -> None:
        socket.create_connection(("192.0.2.7", 80), 1)

    def open_line() -> None:
        near.sendall(b"leaked")

    def memory_only() -> int:
        basket.append("thing")
        return len(basket)

    functions: list[Callable[[], object]] = [reading, by_program, network, open_line, memory_only]
    with near, far:
        async with DirectoryFork(folder, tools=functions) as world:
            for function in functions:
                with pytest.raises(NotMyWorld):
                    await world(State(), Action(tool=function.__name__))
        near.close()
        assert far.recv(100) == b""
    assert (tmp_path / "outside").read_text() == "kept"


async def test_a_function_that_would_write_elsewhere_is_held(folder: Path, tmp_path: Path) -> None:
    outside, inner = tmp_path / "outside", tmp_path / "outside" / "inner"
    inner.mkdir(parents=True)
    (inner / "kept").write_text("kept")
    (tmp_path / "away").symlink_to(outside)

    def overwrite() -> None:
        (inner / "kept").write_text("lost")

    def new() -> None:
        Path("/srv/made-by-lookahead").write_text("new")

    def remove() -> None:
        os.remove(inner / "kept")

    def remove_tree() -> None:
        shutil.rmtree(outside)

    def move() -> None:
        shutil.move(str(folder / "notes.txt"), str(inner / "kept"))

    def after_many_reads() -> None:
        for number in range(300):
            with contextlib.suppress(OSError):
                (folder / str(number)).read_text()
        remove()

    def by_program() -> None:
        subprocess.run(["rm", "-rf", str(outside)], check=False)

    def by_shell() -> None:
        subprocess.run(f"cd /; echo x 2>/dev/null >{inner}/kept || true", shell=True, check=False)

    def by_link() -> None:
        (folder / "there").symlink_to(inner / "kept")
        (folder / "there").write_text("lost")

    functions = [overwrite, new, remove, remove_tree, move, after_many_reads, by_program, by_shell, by_link]
    async with DirectoryFork(folder, tools=functions) as world:
        for function in functions:
            with pytest.raises(OutOfReach, match=r"outside|/srv/made-by-lookahead"):
                await world(State(), Action(tool=function.__name__))
    assert (inner / "kept").read_text() == "kept"


async def test_a_function_that_writes_nothing_of_anybodys_elsewhere_is_not_held(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / ".cache"
    cache.mkdir()
    (cache / "known").write_text("known")

    def caching() -> None:
        (cache / "known").write_text("new")

    def by_the_way() -> None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"x")
        with open("/dev/null", "w", encoding="ascii") as nowhere:
            nowhere.write("x")
        (folder / "made").symlink_to("/usr/bin")
        (folder / "made").unlink()
        subprocess.run("echo x >/dev/null 2>&1; ln -s /usr/bin here; rm here", shell=True, check=True)
        (folder / "notes.txt").write_text("new")

    async with DirectoryFork(folder, tools=[by_the_way, caching]) as world:
        seen = await world(State(), Action(tool="by_the_way"))
        with pytest.raises(NotMyWorld):
            await world(State(), Action(tool="caching"))
    assert names(seen) == {("changed", "notes.txt")}


async def test_a_function_that_waits_for_a_lock_of_another_thread_runs_into_its_limit(folder: Path) -> None:
    lock = threading.Lock()

    def waits() -> str:
        with lock:
            return "never"

    async with DirectoryFork(folder, tools=[waits], limits=Limits(seconds=0.5)) as world:
        with lock, pytest.raises(WorldTimeout):
            await world(State(), Action(tool="waits"))


async def test_a_function_that_ends_the_process_ends_only_the_copy(folder: Path) -> None:
    def stop() -> None:
        os._exit(5)

    async with DirectoryFork(folder, tools=[stop]) as world:
        with pytest.raises(WorldError, match="exit status 5"):
            await world(State(), Action(tool="stop"))


# Where there is no sandbox


async def test_without_a_sandbox_nothing_is_run_and_the_way_out_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKAHEAD_SANDBOX", "missing")
    async with DirectoryFork(folder) as world:
        with pytest.raises(SandboxMissing, match="run `lookahead doctor`"):
            await see(world, "rm -rf src")


@pytest.mark.parametrize("place", ["/", "/tmp", "/nowhere/at/all"])
async def test_a_directory_that_cannot_be_copied_is_refused_at_once(place: str) -> None:
    with pytest.raises(ConfigError):
        DirectoryFork(place)


async def test_a_directory_too_large_to_be_copied_outright_is_said_to_be(folder: Path) -> None:
    async with DirectoryFork(folder, method="copy", limits=Limits(copied=1000)) as world:
        with pytest.raises(WorldError, match="larger"):
            await see(world, "ls")
