"""The ways to one MCP server that the benchmarks compare: straight, through Lookahead, and through its peers.

A way is opened by a client of the official SDK. What stands behind it (a proxy and its server) are processes of ours,
whose memory and computing are read from /proc. Needs what `python scripts/mcp_servers.py` installs.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import anyio

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "scripts"))

import mcp_servers  # noqa: E402
from mcp import Client  # noqa: E402
from mcp.client.stdio import StdioServerParameters, stdio_client  # noqa: E402
from mcp_servers import SERVERS, Server  # noqa: E402

SIX = ("filesystem", "memory", "everything", "git", "time", "sqlite")
READS = {"*": {"rule": "allow", "effect": "reads"}}
"""All is allowed, and the tools that are called here only read: what a user would say of them."""
ALLOW = {"*": "allow"}
"""All is allowed, and nothing is said of what the tools do: each call may change something, and is on disk before."""
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a client reaches the server: a command to speak with, or one that listens at a port."""

    name: str
    command: tuple[str, ...] = ()
    url: str = ""
    env: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(kw_only=True)
class Opened:
    """A way with a client at its end."""

    way: Way
    client: Any
    pids: tuple[int, ...]
    """The processes that it started, each with all that it started in turn."""
    connected: float
    """Seconds from the start of the process to a client that may call."""


def ours(command: Sequence[str], work: Path, *more: str, policy: Any = ALLOW) -> tuple[str, ...]:
    """Lookahead in front of a command, with a journal of its own."""
    rules = work / ("reads.json" if policy is READS else "allow.json")
    rules.write_text(json.dumps(policy))
    journal = work / f"journal-{len(list(work.glob('journal-*')))}.db"
    journal.touch()
    journal.unlink()
    program = [sys.executable, "-m", "lookahead", "proxy", "--mode", "guard", "--policy", str(rules)]
    return (*program, "--journal", str(journal), *more, *(["--", *command] if command else []))


def fastmcp(*given: str) -> tuple[str, ...]:
    return (str(mcp_servers.python_of("fastmcp")), str(HERE / "mcp_fastmcp.py"), *given)


def mcp_proxy(*given: str) -> tuple[str, ...]:
    program = mcp_servers.PLACE / "mcp-proxy" / "bin" / "mcp-proxy"
    return (str(program), "--pass-environment", "--log-level", "ERROR", *given)


def ways(server: Server, data: Path, work: Path) -> dict[str, Way]:
    """All ways to a server that speaks over its standard input and output."""
    command, env, port = server.command(data), server.environment(data), free_port()
    listening = mcp_proxy("--host", "127.0.0.1", "--port", str(port), "--", *command)
    found = (
        Way(name="direct", command=tuple(command), env=env),
        Way(name="lookahead", command=ours(command, work, policy=READS), env=env),
        Way(name="unsaid", command=ours(command, work), env=env),
        Way(name="fastmcp", command=fastmcp("--", *command), env=env),
        # It serves HTTP only, where the server is a command.
        Way(name="mcp-proxy", command=listening, url=f"http://127.0.0.1:{port}/mcp", env=env),
    )
    return {way.name: way for way in found}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """This one's, without what configures Lookahead: what is measured is what the command says."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LOOKAHEAD_")}
    return kept | dict(more)


@contextmanager
def listening(command: Sequence[str], env: Mapping[str, str], port: int, log: TextIO) -> Any:
    """A process that has opened its port; ended with all that it started."""
    process = subprocess.Popen(
        command, env=environment(env), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )
    try:
        until = time.monotonic() + 60
        while True:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{command[0]} did not open port {port}: see {log.name}")
            time.sleep(0.01)
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@asynccontextmanager
async def opened(way: Way, work: Path, *, mode: str = "legacy", **client: Any) -> AsyncIterator[Opened]:
    """A client at the end of a way. `mode` says which era it opens in, as the SDK names them."""
    async with AsyncExitStack() as stack:
        log = stack.enter_context((work / f"{way.name}.log").open("a"))
        before = set(children().get(os.getpid(), ()))
        began = time.perf_counter()
        target: Any = way.url
        if way.url and way.command:
            port = int(way.url.split(":")[2].split("/")[0])
            await anyio.to_thread.run_sync(stack.enter_context, listening(way.command, way.env, port, log))
        elif way.command:
            started = StdioServerParameters(
                command=way.command[0], args=list(way.command[1:]), env=environment(way.env)
            )
            target = stdio_client(started, errlog=log)
        made = Client(target, mode=mode, cache=None, read_timeout_seconds=120, **client)
        speaking = await stack.enter_async_context(made)
        connected = time.perf_counter() - began
        new = tuple(pid for pid in children().get(os.getpid(), ()) if pid not in before)
        yield Opened(way=way, client=speaking, pids=new, connected=connected)


def children() -> dict[int, list[int]]:
    """Which processes each process has started that are there still."""
    found: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (parent := int(_of_stat(int(name), lambda parts: int(parts[1])))):
            found.setdefault(parent, []).append(int(name))
    return found


def family(pids: Iterable[int]) -> list[int]:
    """These processes and all that they started."""
    known = children()
    found: list[int] = []
    left = list(pids)
    while left:
        found.append(one := left.pop())
        left += known.get(one, [])
    return found


def computed(pids: Iterable[int]) -> float:
    """Seconds of computing of these processes and of all that they started."""
    return sum(_of_stat(pid, lambda parts: sum(int(one) for one in parts[11:15]) / TICK) for pid in family(pids))


def computed_alone(pid: int) -> float:
    """Seconds of computing of one process, without those that it started."""
    return _of_stat(pid, lambda parts: sum(int(one) for one in parts[11:13]) / TICK)


def resident(pid: int) -> float:
    """Megabytes of one process in memory."""
    return _of_stat(pid, lambda parts: int(parts[21]) * os.sysconf("SC_PAGE_SIZE") / 2**20)


def _of_stat(pid: int, read: Callable[[list[str]], float]) -> float:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    return read(text.rpartition(")")[2].split())


def missing(names: Iterable[str]) -> list[str]:
    """What is not installed of these servers and of the peers."""
    lacking = [name for name in names if not SERVERS[name].there]
    lacking += [name for name in ("fastmcp", "mcp-proxy") if not mcp_servers.python_of(name).exists()]
    return lacking
