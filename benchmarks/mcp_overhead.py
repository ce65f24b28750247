"""What the MCP proxy costs a call, beside a direct connection, FastMCP's proxy and mcp-proxy, all in the same run.

To each server every way is opened at once, and they take turns in tens of calls, so that all share whatever else the
machine does. Lookahead runs in guard mode with a policy that allows everything and a journal on disk; the calls are of
tools that read, and its policy says so. `unsaid` is Lookahead with a policy that does not: each call may change
something, and is on the disk before it is sent on. Then calls a second with several at once; then the same for a server
behind HTTP, where the proxies serve stdio.
Install first: python scripts/mcp_servers.py
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import mcp_paths
from mcp_paths import SERVERS, SIX, Opened, Way
from mcp_servers import lay_out
from mcp_upstream import upstream

RATIO, AT_ONCE, HTTP = 2.0, 2.5, 8.0
PEERS = ("fastmcp", "mcp-proxy")
WAYS = ("direct", "lookahead", "unsaid", *PEERS)


@dataclass(kw_only=True)
class Row:
    """What was measured of one way to one server: milliseconds and calls a second."""

    listed: list[float] = field(default_factory=list[float])
    called: list[float] = field(default_factory=list[float])
    computed: float = 0.0
    rates: list[float] = field(default_factory=list[float])
    failed: int = 0

    @property
    def call(self) -> float:
        return statistics.median(self.called)

    @property
    def list(self) -> float:
        return statistics.median(self.listed)

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    @property
    def cpu(self) -> float:
        """Milliseconds of computing for one call, of the proxy and the server together."""
        return self.computed * 1e3 / len(self.called)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The call that is made again and again."""

    tool: str
    arguments: Mapping[str, Any]

    async def once(self, one: Opened) -> bool:
        answer = await one.client.call_tool(self.tool, dict(self.arguments))
        return not answer.is_error


async def in_turn(ways: Sequence[Opened], asked: Asked, calls: int) -> dict[str, Row]:
    rows = {one.way.name: Row() for one in ways}
    for one in ways:
        for _ in range(5):
            await one.client.list_tools()
            if not await asked.once(one):
                raise RuntimeError(f"{one.way.name}: {asked.tool} fails")
    for turn in range(calls // 10):
        first = turn % len(ways)
        for one in (*ways[first:], *ways[:first]):
            row = rows[one.way.name]
            for _ in range(10):
                began = time.perf_counter()
                await one.client.list_tools()
                row.listed.append((time.perf_counter() - began) * 1e3)
            before = mcp_paths.computed(one.pids)
            for _ in range(10):
                began = time.perf_counter()
                good = await asked.once(one)
                row.called.append((time.perf_counter() - began) * 1e3)
                row.failed += not good
            row.computed += mcp_paths.computed(one.pids) - before
    return rows


async def at_once(ways: Sequence[Opened], asked: Asked, rows: Mapping[str, Row], how_many: int, total: int) -> None:
    """Calls a second with so many at once; three times each, in turn."""
    for _ in range(3):
        for one in ways:
            left = iter(range(total))
            row = rows[one.way.name]

            async def caller(one: Opened = one, left: Any = left, row: Row = row) -> None:
                for _ in left:
                    row.failed += not await asked.once(one)

            began = time.perf_counter()
            async with anyio.create_task_group() as group:
                for _ in range(how_many):
                    group.start_soon(caller)
            row.rates.append(total / (time.perf_counter() - began))


async def of_server(name: str, given: argparse.Namespace, place: Path) -> dict[str, Row]:
    server = SERVERS[name]
    work = place / name
    work.mkdir()
    data = lay_out(work / "data")
    asked = Asked(tool=server.tool, arguments=server.arguments_of_call(data))
    found = mcp_paths.ways(server, data, work)
    async with AsyncExitStack() as stack:
        ways = [await stack.enter_async_context(mcp_paths.opened(found[one], work)) for one in given.ways]
        rows = await in_turn(ways, asked, given.calls)
        await at_once(ways, asked, rows, given.at_once, given.calls)
    return rows


async def over_http(given: argparse.Namespace, place: Path) -> dict[str, Row]:
    """The server listens; a client goes there itself, or through a proxy that it speaks to over stdio."""
    work = place / "http"
    work.mkdir()
    with upstream(work) as url:
        found = {
            "direct": Way(name="direct", url=url),
            "lookahead": Way(name="lookahead", command=mcp_paths.ours((), work, "--url", url, policy=mcp_paths.READS)),
            "unsaid": Way(name="unsaid", command=mcp_paths.ours((), work, "--url", url)),
            "fastmcp": Way(name="fastmcp", command=mcp_paths.fastmcp("--url", url)),
            "mcp-proxy": Way(name="mcp-proxy", command=mcp_paths.mcp_proxy("--transport", "streamablehttp", url)),
        }
        asked = Asked(tool="echo", arguments={"message": "hello"})
        async with AsyncExitStack() as stack:
            ways = [await stack.enter_async_context(mcp_paths.opened(found[one], work)) for one in given.ways]
            rows = await in_turn(ways, asked, max(20, given.calls // 5))
            await at_once(ways, asked, rows, given.at_once, given.calls)
    return rows


def shown(table: Mapping[str, dict[str, Row]], ways: Sequence[str], at_once: int) -> None:
    print("\nMilliseconds a call, median (beside direct)\n")
    print(f"| server | {' | '.join(ways)} |")
    print("|---" * (len(ways) + 1) + "|")
    for name, rows in table.items():
        cells = [_beside(rows[way].call, rows["direct"].call, way) for way in ways]
        print(f"| {name} ({'echo' if name == 'http' else SERVERS[name].tool}) | {' | '.join(cells)} |")
    print("\nMilliseconds for tools/list, median (beside direct)\n")
    print(f"| server | {' | '.join(ways)} |")
    print("|---" * (len(ways) + 1) + "|")
    for name, rows in table.items():
        print(f"| {name} | {' | '.join(_beside(rows[way].list, rows['direct'].list, way) for way in ways)} |")
    print(f"\nCalls a second with {at_once} at once; milliseconds of computing a call, proxy and server together\n")
    print(f"| server | {' | '.join(ways)} |")
    print("|---" * (len(ways) + 1) + "|")
    for name, rows in table.items():
        print(f"| {name} | {' | '.join(f'{rows[way].rate:.0f}; {rows[way].cpu:.2f}' for way in ways)} |")


def _beside(value: float, direct: float, way: str) -> str:
    return f"{value:.2f}" if way == "direct" else f"{value:.2f} ({value / direct:.2f} x)"


def judged(table: Mapping[str, dict[str, Row]], ways: Sequence[str]) -> list[str]:
    """What was missed of the figures that are wanted."""
    missed: list[str] = []
    peers = [way for way in ways if way in PEERS]
    gains: list[float] = []
    for name, rows in table.items():
        missed += [f"{name}: {rows[way].failed} calls failed by way of {way}" for way in ways if rows[way].failed]
        mine = rows["lookahead"]
        if name == "http":
            continue
        if mine.call > RATIO * rows["direct"].call:
            missed.append(f"{name}: {mine.call / rows['direct'].call:.2f} x direct")
        missed += [f"{name}: {way} answers sooner" for way in peers if rows[way].call <= mine.call]
        if "fastmcp" in rows:
            gains.append(mine.rate / rows["fastmcp"].rate)
    if gains:
        print(
            f"\nCalls a second at once beside FastMCP's: {statistics.median(gains):.2f} x, median of the servers ",
            end="",
        )
        print(f"({', '.join(f'{one:.2f}' for one in gains)}); wanted {AT_ONCE:g} x")
        if statistics.median(gains) < AT_ONCE:
            missed.append(f"at once: {statistics.median(gains):.2f} x FastMCP's")
    if "http" in table and "fastmcp" in table["http"]:
        gain = table["http"]["lookahead"].rate / table["http"]["fastmcp"].rate
        print(f"The same where the server is behind HTTP: {gain:.2f} x; wanted {HTTP:g} x")
        if gain < HTTP:
            missed.append(f"behind HTTP: {gain:.2f} x FastMCP's")
    return missed


async def measured(given: argparse.Namespace) -> dict[str, dict[str, Row]]:
    table: dict[str, dict[str, Row]] = {}
    with tempfile.TemporaryDirectory(prefix="lookahead-mcp-", dir=given.where) as where:
        for name in given.servers:
            print(f"{name} ...", file=sys.stderr, flush=True)
            table[name] = await (over_http if name == "http" else lambda *a, n=name: of_server(n, *a))(
                given, Path(where)
            )
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200, help="calls by each way to each server (default 200)")
    parser.add_argument("--at-once", type=int, default=16, help="how many at once in the second part (default 16)")
    parser.add_argument("--servers", nargs="+", default=[*SIX, "http"], choices=[*SERVERS, "http"])
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--where", help="a folder on the disk to measure (default: the one for temporary files)")
    given = parser.parse_args()
    if lacking := mcp_paths.missing(name for name in given.servers if name != "http"):
        print(f"not installed: {', '.join(lacking)}. Run: python scripts/mcp_servers.py", file=sys.stderr)
        return 2
    table = anyio.run(measured, given)
    print(f"{given.calls} calls by each way, in turn; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    shown(table, given.ways, given.at_once)
    if "lookahead" not in given.ways:
        return 0
    missed = judged(table, given.ways)
    print(f"\nWanted: at most {RATIO:g} x direct, and sooner than both peers, with every server.")
    for one in missed:
        print(f"Missed: {one}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
