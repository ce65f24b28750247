"""How much memory one MCP proxy takes, and how much later a client is connected through it.

Memory is what the proxy's own process has resident after a hundred calls, its server not counted. Cold start is from
the start of the processes to a client of the SDK that is connected, beside the same client connected to the server
itself; the ways take turns. Peers in the same run. Install first: python scripts/mcp_servers.py
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import mcp_paths
from mcp_paths import SERVERS, SIX
from mcp_servers import lay_out

MEMORY, COLD = 70.0, 1.5
WAYS = ("direct", "lookahead", "fastmcp", "mcp-proxy")


@dataclass(kw_only=True)
class Row:
    connected: list[float] = field(default_factory=list[float])
    """Seconds until a client may call."""
    answered: list[float] = field(default_factory=list[float])
    """Seconds until its first call is answered."""
    resident: list[float] = field(default_factory=list[float])
    """Megabytes."""


async def of_server(name: str, given: argparse.Namespace, place: Path) -> dict[str, Row]:
    server = SERVERS[name]
    work = place / name
    work.mkdir()
    data = lay_out(work / "data")
    asked = server.tool, server.arguments_of_call(data)
    rows = {way: Row() for way in given.ways}
    for turn in range(given.rounds):
        # A port of its own each time, and a journal that is new: nothing is warm but the disk's cache.
        found = mcp_paths.ways(server, data, work)
        first = turn % len(given.ways)
        for way in (*given.ways[first:], *given.ways[:first]):
            began = time.perf_counter()
            async with mcp_paths.opened(found[way], work, mode=given.mode) as one:
                rows[way].connected.append(one.connected)
                await one.client.call_tool(*asked)
                rows[way].answered.append(time.perf_counter() - began)
                if turn == 0:
                    for _ in range(100):
                        await one.client.call_tool(*asked)
                    rows[way].resident.append(mcp_paths.resident(one.pids[0]))
    return rows


def shown(table: Mapping[str, dict[str, Row]], ways: list[str]) -> None:
    print("\nSeconds until a client is connected, median (beside direct); until its first call is answered\n")
    print(f"| server | {' | '.join(ways)} |")
    print("|---" * (len(ways) + 1) + "|")
    for name, rows in table.items():
        base = statistics.median(rows["direct"].connected)
        cells: list[str] = []
        for way in ways:
            connected, answered = (statistics.median(one) for one in (rows[way].connected, rows[way].answered))
            beside = "" if way == "direct" else f" ({connected / base:.2f} x)"
            cells.append(f"{connected:.2f}{beside}; {answered:.2f}")
        print(f"| {name} | {' | '.join(cells)} |")
    proxies = [way for way in ways if way != "direct"]
    print("\nMegabytes that the proxy's own process has resident after 100 calls\n")
    print(f"| server | {' | '.join(proxies)} |")
    print("|---" * (len(proxies) + 1) + "|")
    for name, rows in table.items():
        print(f"| {name} | {' | '.join(f'{max(rows[way].resident):.0f}' for way in proxies)} |")


def judged(table: Mapping[str, dict[str, Row]]) -> list[str]:
    most = max(max(rows["lookahead"].resident) for rows in table.values())
    ratios = [
        statistics.median(rows["lookahead"].connected) / statistics.median(rows["direct"].connected)
        for rows in table.values()
    ]
    cold = statistics.median(ratios)
    print(
        f"\nMost memory {most:.0f} MB, wanted at most {MEMORY:g}; cold start {cold:.2f} x, median of the servers ",
        end="",
    )
    print(f"({min(ratios):.2f} to {max(ratios):.2f}), wanted at most {COLD:g} x")
    missed = [f"memory: {most:.0f} MB"] if most > MEMORY else []
    return [*missed, f"cold start: {cold:.2f} x"] if cold > COLD else missed


async def measured(given: argparse.Namespace) -> dict[str, dict[str, Row]]:
    table: dict[str, dict[str, Row]] = {}
    with tempfile.TemporaryDirectory(prefix="lookahead-mcp-", dir=given.where) as where:
        for name in given.servers:
            print(f"{name} ...", file=sys.stderr, flush=True)
            table[name] = await of_server(name, given, Path(where))
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="starts by each way with each server (default 5)")
    parser.add_argument("--servers", nargs="+", default=list(SIX), choices=list(SERVERS))
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--mode", choices=["legacy", "auto"], default="legacy", help="the era in which a client opens")
    parser.add_argument("--where", help="a folder on the disk to measure (default: the one for temporary files)")
    given = parser.parse_args()
    if lacking := mcp_paths.missing(given.servers):
        print(f"not installed: {', '.join(lacking)}. Run: python scripts/mcp_servers.py", file=sys.stderr)
        return 2
    table = anyio.run(measured, given)
    print(f"{given.rounds} starts by each way, in turn; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    shown(table, given.ways)
    if "lookahead" not in given.ways:
        return 0
    missed = judged(table)
    for one in missed:
        print(f"Missed: {one}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
