"""Is what a simulated server answers consistent with what was written to it before, and does the real one hear of it?

Sequences of writes and reads are made from seeds. The world is a script: it knows how things were at first, and of a
change only whether it fails. Shaped servers (files, a graph, notes, issues) are judged by models of their own, which
share no code with what they judge. Where the real servers are installed (python scripts/mcp_servers.py), the same
sequence is done for real by a second server-filesystem and server-memory, and every answer of the simulation is
compared with theirs, while the simulated server's own pipe is written down.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "scripts"), str(HERE.parent / "tests" / "support")]

import mcp_sequences  # noqa: E402
from mcp_oracle import Files, Graph  # noqa: E402
from mcp_servers import SERVERS  # noqa: E402

from lookahead.types import Action, Observation, Origin, State  # noqa: E402
from lookahead.wrap import options_of  # noqa: E402
from lookahead_integrations.mcp.actions import observation_of  # noqa: E402
from lookahead_integrations.mcp.exchange import Json, Service  # noqa: E402
from lookahead_integrations.mcp.modes.simulate import simulate  # noqa: E402
from lookahead_integrations.mcp.proxy import opened  # noqa: E402
from lookahead_integrations.mcp.settings import ProxySettings  # noqa: E402
from lookahead_integrations.mcp.testing import ScriptedClient, ScriptedService  # noqa: E402

REAL = ("filesystem", "memory")
BASE = Origin(kind="model", world="scripted")


@dataclass(kw_only=True)
class Row:
    name: str
    sequences: int = 0
    calls: int = 0
    consistent: int = 0
    forwarded: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        each = self.seconds / self.calls * 1000 if self.calls else 0.0
        share = f"{self.consistent} of {self.sequences}"
        return f"| {self.name} | {self.sequences} | {self.calls} | {share} | {self.forwarded} | {each:.2f} |"


async def shaped(count: int, start: int) -> list[Row]:
    rows: dict[str, Row] = {}
    with options_of(mode="dry-run", world="none", journal=":memory:").open(()).journal as journal:
        for seed in range(start, start + count):
            sequence = mcp_sequences.Sequence(seed)
            name = type(sequence.was).__name__.lower()
            row = rows.setdefault(name, Row(name=f"shaped as {name}"))
            server = ScriptedService(tools=sequence.tools)
            session = options_of(mode="dry-run", world="none", journal=journal).open(())
            service = simulate(server, session=session, world=sequence.world)
            wrong = await sequence.run(_used(service, ScriptedClient(), row))
            row.sequences += 1
            row.consistent += not wrong
            row.wrong += wrong
            row.forwarded += len(server.called())
    return list(rows.values())


def _used(service: Service, client: ScriptedClient, row: Row) -> Callable[[str, Json], Any]:
    async def use(name: str, arguments: Json) -> tuple[str, bool]:
        began = time.perf_counter()
        result = await service(client.use(name, **arguments))
        row.seconds += time.perf_counter() - began
        row.calls += 1
        return result["content"][0].get("text", ""), result.get("isError", False)

    return use


@asynccontextmanager
async def running(name: str, data: Path, log: Path) -> AsyncIterator[Service]:
    """A real server, behind a pipe that is written down."""
    command = SERVERS[name].command(data)
    env = {"MEMORY_FILE_PATH": str(data / "memory.jsonl")} if name == "memory" else None
    tee = (sys.executable, str(HERE / "mcp_wire_log.py"), str(log), *command)
    async with opened(ProxySettings(command=tee, env=env, mode="off")) as service:
        client = ScriptedClient(key=str(data))
        hello = {"protocolVersion": client.version, "capabilities": {}, "clientInfo": client.info}
        await service(client.call("initialize", **hello))
        yield service


async def against(name: str, count: int, start: int) -> Row:
    """The same calls, simulated and done for real."""
    row = Row(name=f"server-{name}")
    for seed in range(start, start + count):
        with tempfile.TemporaryDirectory() as folder:
            await _sequence(name, seed, Path(folder), row)
    return row


async def _sequence(name: str, seed: int, place: Path, row: Row) -> None:
    rng = random.Random(seed)
    was: Any = Files.made(rng) if name == "filesystem" else Graph.made(rng)
    for copy in ("real", "base", "fake"):
        _laid_out(was, place / copy)
    done: dict[str, Observation] = {}
    async with AsyncExitStack() as stack:
        real = await stack.enter_async_context(running(name, place / "real", place / "real.log"))
        base = await stack.enter_async_context(running(name, place / "base", place / "base.log"))
        upstream = await stack.enter_async_context(running(name, place / "fake", place / "fake.log"))
        ways = {way: ScriptedClient(key=str(place / way)) for way in ("real", "base", "fake")}

        async def ask(service: Service, way: str, action: Action) -> Observation:
            given = json.loads(json.dumps(action.arguments).replace(str(place / "fake"), str(place / way)))
            result = await service(ways[way].use(action.tool, **given))
            text = json.dumps(result).replace(str(place / way), str(place / "fake"))
            return observation_of(json.loads(text))

        async def world(state: State, action: Action, /) -> Observation:
            if action.tool in was.CHANGES:
                said = done["real"]
                content = said.content if said.failed else "ok"
                return Observation(content=content, failed=said.failed, origin=BASE)
            return (await ask(base, "base", action)).model_copy(update={"origin": BASE})

        session = options_of(mode="dry-run", world="none", journal=":memory:").open(())
        stack.callback(session.close)
        service = simulate(upstream, session=session, world=world)
        use = _used(service, ways["fake"], row)
        wrong = 0
        for _ in range(mcp_sequences.STEPS):
            tool, arguments = was.call(rng)
            spelled = json.dumps(arguments).replace('"/home/ada', f'"{place / "fake"}')
            action = Action(tool=tool, arguments=json.loads(spelled))
            done["real"] = await ask(real, "real", action)
            said, failed = await use(tool, action.arguments)
            if not _same(tool, done["real"], said, failed, changes=tool in was.CHANGES):
                wrong += 1
                row.wrong.append(f"{name} seed {seed}: {tool} {arguments} -> {said!r}, not {done['real'].content!r}")
    row.sequences += 1
    row.consistent += not wrong
    frames = [json.loads(line) for line in (place / "fake.log").read_text().splitlines()]
    row.forwarded += sum(frame.get("method") == "tools/call" for frame in frames)


def _same(tool: str, real: Observation, said: str, failed: bool, *, changes: bool) -> bool:
    """Texts are compared as they are; of a file's facts what is not a moment, and of a change whether it failed."""
    if real.failed or failed or (changes and tool != "edit_file"):
        return real.failed == failed
    if tool == "get_file_info":
        kept = ("size", "isDirectory", "isFile")
        one, other = (sorted(row for row in text.splitlines() if row.startswith(kept)) for text in (real.content, said))
        folder = "isDirectory: true"
        return one == other or (folder in one and folder in other)
    if tool == "search_files":
        return sorted(real.content.splitlines()) == sorted(said.splitlines())
    return real.content == said


def _laid_out(was: Any, place: Path) -> None:
    place.mkdir(parents=True)
    if isinstance(was, Graph):
        rows = [{"type": "entity", **one} for one in was.entities]
        rows += [{"type": "relation", **one} for one in was.relations]
        (place / "memory.jsonl").write_text("\n".join(map(json.dumps, rows)))
        return
    _planted(was.tree, place)


def _planted(tree: dict[str, Any], place: Path) -> None:
    for name, one in tree.items():
        if isinstance(one, dict):
            (place / name).mkdir()
            _planted(one, place / name)
        else:
            (place / name).write_text(one, newline="")


async def measured(given: argparse.Namespace) -> int:
    rows = await shaped(given.sequences, given.seed)
    there = [name for name in REAL if SERVERS[name].there and given.real]
    for name in there:
        rows.append(await against(name, given.real, given.seed))
    print("| server | sequences | calls | consistent | `tools/call` that reached it | ms per call |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(row)
    total = sum(row.sequences for row in rows)
    consistent, forwarded = sum(row.consistent for row in rows), sum(row.forwarded for row in rows)
    print(f"\n{consistent} of {total} sequences consistent; {forwarded} calls of tools reached a server")
    if not there:
        print("the real servers were left out: python scripts/mcp_servers.py npm installs them")
    for line in [line for row in rows for line in row.wrong][:10]:
        print(line[:600], file=sys.stderr)
    return 0 if consistent == total and forwarded == 0 else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=500, help="of the shaped servers (500)")
    parser.add_argument("--real", type=int, default=50, help="of each real server (50); 0 leaves them out")
    parser.add_argument("--seed", type=int, default=0, help="the first one (0)")
    return anyio.run(measured, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
