"""Thousands of calls in a row through one MCP proxy: does anything stay behind, and does a dead server come back?

Calls of every kind: that answer, that fail, that ask a person, that report progress, that are cancelled, lists and
resources, in both eras of the client, with servers of both. After a fifth of them and at the end the proxy's open
files, threads, child processes and memory are counted. Then its server dies again and again in the middle of a call.
Needs nothing but what the tests need.
"""

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mcp_paths
import mcp_raw

SERVER = Path(__file__).resolve().parent.parent / "tests" / "support" / "mcp_server.py"
GROWTH = 2.0
"""Kilobytes a call that memory may grow by: what a conversation remembers of each step."""
SPARE = 5.0
"""Megabytes that it may grow by in any case: some hundred calls say nothing of what a thousand leave behind."""
SLOWER = 1.5
WORKERS = 2
"""Threads that come and go, because they wait for a slow disk."""
BACK = 15.0
"""Seconds in which a server that died is there again: the fifth time in a row it is not begun anew at once."""
LEGS = tuple((client, server) for client in ("2025", "2026") for server in ("2025", "2026", "both"))


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a process holds."""

    files: int
    threads: int
    children: int
    megabytes: float


def kept(pid: int) -> Kept:
    return Kept(
        files=len(os.listdir(f"/proc/{pid}/fd")),
        threads=len(os.listdir(f"/proc/{pid}/task")),
        children=len(mcp_paths.family([pid])) - 1,
        megabytes=mcp_paths.resident(pid),
    )


def calls(raw: mcp_raw.Piped, place: Path, pid: int, total: int) -> float:
    """Makes them, each of another kind; milliseconds that the proxy computed for one."""
    before = mcp_paths.computed_alone(pid)
    for number in range(total):
        kind = number % 20
        if kind == 3:
            answer = raw.ask("tools/call", {"name": "paint", "arguments": {"thing": "door"}})
            assert answer["content"][0]["text"] == "The door is blue.", answer
        elif kind == 7:
            answer = raw.ask("tools/call", {"name": "no such tool", "arguments": {}})
            assert answer.get("error") or answer.get("isError"), answer
        elif kind == 9:
            heard = len(raw.told)
            asked = {"name": "count", "arguments": {"to": 3}, "_meta": {"progressToken": f"p{number}"}}
            assert "error" not in raw.ask("tools/call", asked)
            assert [one for one in raw.told[heard:] if one["method"] == "notifications/progress"], "no progress"
            raw.told.clear()
        elif kind == 11:
            given_up(raw, place)
        elif kind == 13:
            assert raw.ask("tools/list")["tools"]
        elif kind == 15:
            assert raw.ask("resources/read", {"uri": "memo://one"})["contents"]
        else:
            text = f"number {number} " + "x" * 100
            answer = raw.ask("tools/call", {"name": "echo", "arguments": {"text": text}})
            assert answer["content"][0]["text"] == text, answer
    return (mcp_paths.computed_alone(pid) - before) * 1e3 / total


def given_up(raw: mcp_raw.Piped, place: Path) -> None:
    """A call that would wait for ever is cancelled once its server has begun with it.

    Each waits for something of its own: a call that was cut off is in doubt, and the same again would be asked about.
    """
    raw.number += 1
    id = raw.number
    mark = place / f"mark-{id}"
    params: dict[str, Any] = {"name": "wait", "arguments": {"mark": str(mark)}}
    raw.send({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": raw.dressed(params)})
    _until(mark, "began")
    raw.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": raw.dressed({"requestId": id})})
    _until(mark, "given up")
    mark.unlink()


def _until(mark: Path, text: str) -> None:
    ends = time.monotonic() + mcp_raw.SECONDS
    while not mark.exists() or mark.read_text() != text:
        if time.monotonic() > ends:
            raise RuntimeError(f"the server never {text}")
        time.sleep(0.001)


def deaths(raw: mcp_raw.Piped, pid: int, times: int) -> list[float]:
    """Its server ends in the middle of a call, which is told; seconds until the next call is answered by another."""
    found: list[float] = []
    for number in range(times):
        before = set(mcp_paths.family([pid]))
        answer = raw.ask("tools/call", {"name": "die", "arguments": {"code": number + 1}})
        assert answer.get("error") or answer.get("isError"), f"nobody said that the server died: {answer}"
        began = time.monotonic()
        while True:
            answer = raw.ask("tools/call", {"name": "echo", "arguments": {"text": "again"}})
            if "error" not in answer and not answer.get("isError"):
                break
            if time.monotonic() - began > 2 * BACK:
                raise RuntimeError(f"the server is not there again: {answer}")
        found.append(time.monotonic() - began)
        left = (set(mcp_paths.family([pid])) & before) - {pid}
        assert not left, f"processes of the dead server are there still: {left}"
    return found


def leg(client: str, server: str, given: argparse.Namespace, place: Path) -> tuple[str, list[str]]:
    """One row of the table, and what was wrong."""
    work = place / f"{client}-{server}"
    work.mkdir()
    command = mcp_paths.ours([sys.executable, str(SERVER), server], work)
    with (work / "proxy.log").open("w") as log, mcp_raw.started(command, {}, log) as process:
        raw = mcp_raw.Piped(process, modern=client == "2026")
        raw.answers["elicitation/create"] = {"action": "accept", "content": {"colour": "blue", "sure": True}}
        raw.open()
        part = max(40, given.calls // 5)
        calls(raw, work, process.pid, part)
        before = kept(process.pid)
        first, *_, late = [calls(raw, work, process.pid, part) for _ in range(4)]
        after = kept(process.pid)
        back = deaths(raw, process.pid, given.deaths)
        last = kept(process.pid)
    growth = (after.megabytes - before.megabytes) * 1024 / (4 * part)
    wrong = [
        f"{name}: {getattr(before, name)} after {part} calls, {getattr(now, name)} {when}"
        for name, spare in (("files", 0), ("threads", WORKERS), ("children", 0))
        for now, when in ((after, "at the end"), (last, f"after {given.deaths} deaths"))
        if getattr(now, name) > getattr(before, name) + spare
    ]
    if growth > GROWTH and after.megabytes - before.megabytes > SPARE:
        wrong.append(f"memory grows by {growth:.1f} kB a call")
    if late > SLOWER * first:
        wrong.append(f"a call takes {late:.2f} ms of computing at the end, {first:.2f} at first")
    if back and max(back) > BACK:
        wrong.append(f"a dead server is there again after {max(back):.1f} seconds")
    row = (
        f"| {client} | {server} | {after.files} ({after.files - before.files:+d}) "
        f"| {after.threads} ({after.threads - before.threads:+d}) | {after.megabytes:.0f} MB ({growth:+.2f} kB a call) "
        f"| {first:.2f}; {late:.2f} | {max(back, default=0):.2f} s |"
    )
    return row, [f"{client} client, {server} server: {one}" for one in wrong]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=5000, help="calls in each of six legs (default 5,000)")
    parser.add_argument("--deaths", type=int, default=5, help="so often its server dies (default 5)")
    parser.add_argument("--clients", nargs="+", default=["2025", "2026"], choices=["2025", "2026"])
    parser.add_argument("--servers", nargs="+", default=["2025", "2026", "both"], choices=["2025", "2026", "both"])
    given = parser.parse_args()
    print(f"{given.calls:,} calls in each leg\n")
    print("| client | server | open files | threads | memory | ms of computing a call at first; at the end ", end="")
    print("| dead server back in |")
    print("|---|---|---|---|---|---|---|")
    missed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="lookahead-mcp-") as where:
        for client, server in LEGS:
            if client in given.clients and server in given.servers:
                row, wrong = leg(client, server, given, Path(where))
                print(row, flush=True)
                missed += wrong
    print("\nWanted: no more files, threads or children than after a fifth of the calls; ", end="")
    print(f"but for {WORKERS} threads that wait for the disk; at most {GROWTH:g} kB a call of memory; ", end="")
    print(f"at most {SLOWER:g} x the computing a call at the end; ", end="")
    print(f"a dead server back within {BACK:g} seconds.")
    for one in missed:
        print(f"Missed: {one}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
