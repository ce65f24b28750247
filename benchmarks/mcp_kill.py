"""kill -9 at random moments of the MCP proxy in guard mode: no call is forwarded twice, and every doubt is listed.

A parent that has everything imported forks a proxy in front of a real server process, speaks with it as a client that
keeps several calls going, kills it with SIGKILL at a random moment, and starts it again on the same journal, many
times. The server writes down every call before it answers. Whatever had no answer is asked for again by the next life.
"""

import argparse
import fcntl
import gc
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from mcp_kill_client import Client, Marks

from lookahead.journal import Journal
from lookahead_integrations.mcp.proxy import serve
from lookahead_integrations.mcp.settings import ProxySettings

SERVER = Path(__file__).with_name("mcp_counting_server.py")
POLICY = {"append": "allow", "pay": "ask", "forbidden": "deny"}


@dataclass
class Found:
    """What was seen from outside, and what of it must not be."""

    count: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])


def born(folder: Path) -> tuple[int, int, int]:
    """Fork one proxy: its process id, and the two pipes of its client."""
    theirs, to = os.pipe()
    of, mine = os.pipe()
    pid = os.fork()
    if pid:
        os.close(theirs)
        os.close(mine)
        return pid, to, of
    try:
        os.close(to)
        os.close(of)
        os.dup2(theirs, 0)
        os.dup2(mine, 1)
        os.dup2(os.open(folder / "stderr", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), 2)
        command = (sys.executable, "-I", "-S", str(SERVER), str(folder / "log"))
        settings = ProxySettings(command=command, policy=POLICY, journal=str(folder / "journal.db"), world="none")
        anyio.run(serve, settings)
    except BaseException:
        (folder / f"error-{os.getpid()}").write_text(traceback.format_exc())
    finally:
        os._exit(3)


def lived(folder: Path, marks: Marks, seconds: float, *, enough: int = 10**9) -> int:
    """One life of a proxy, cut off after so many seconds or answers; how many answers it gave."""
    ends = time.monotonic() + seconds
    pid, to, of = born(folder)
    client = Client(to=to, of=of, marks=marks)
    try:
        client.live(ends, enough=enough)
        time.sleep(max(0.0, ends - time.monotonic()) if enough == 10**9 else 0.0)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        client.last_words()
        os.close(to)
        os.close(of)
    # The server goes on with what it was sent before its input ended, and only then is it gone.
    log = os.open(folder / "log", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(log, fcntl.LOCK_EX)
    os.close(log)
    return client.answered


def life(folder: Path) -> float:
    """How long a proxy here and now takes from its birth to its thirtieth answer: what every moment is drawn from."""
    folder.mkdir()
    started = time.monotonic()
    lived(folder, Marks(), 20.0, enough=30)
    return time.monotonic() - started


def checked(folder: Path, marks: Marks, found: Found) -> None:
    """Compare what the server wrote down with what is on record, and with what the client was told."""
    for error in sorted(folder.glob("error-*")):
        found.wrong.append(f"a proxy ended by itself:\n{error.read_text()}")
    path = folder / "journal.db"
    if not path.exists():
        return
    calls = [json.loads(line) for line in (folder / "log").read_text().splitlines()]
    times = Counter(arguments["mark"] for _, arguments in calls)
    with Journal(path) as journal:
        doubts = {doubt.call for doubt in journal.in_doubt()}
        verified = journal.verify()
    db = sqlite3.connect(path)
    intents = db.execute(
        "SELECT call, json_extract(body, '$.action.tool'), json_extract(body, '$.action.arguments.mark')"
        " FROM rows WHERE kind = 'intended'"
    ).fetchall()
    results = {call for (call,) in db.execute("SELECT call FROM rows WHERE kind = 'resulted'")}
    # The client says yes to what the policy asks about, and no to what may have happened.
    (declined,) = db.execute("SELECT count(*) FROM calls WHERE rule = 'declined'").fetchone()
    db.close()
    found.wrong += [f"{mark} was forwarded {n} times" for mark, n in times.items() if n > 1]
    found.wrong += [f"{mark} was forwarded without an intent" for mark in set(times) - {mark for _, _, mark in intents}]
    found.wrong += [f"{arguments} was forbidden, and forwarded" for tool, arguments in calls if tool == "forbidden"]
    found.wrong += [f"{mark} was answered as done, and never was" for mark in marks.done - set(times)]
    open_ = {call: mark for call, _, mark in intents if call not in results}
    found.wrong += [f"call {call} has no result and is not listed" for call in set(open_) - doubts]
    found.wrong += [f"call {call} is listed, and has a result" for call in doubts - set(open_)]
    if not verified.ok:
        found.wrong.append(f"the chain is broken: {verified.why}")
    found.count["calls forwarded"] += len(calls)
    found.count["intents"] += len(intents)
    found.count["answers of the proxy"] += len(marks.done) + marks.refused
    found.count["in doubt, and had happened"] += sum(mark in times for mark in open_.values())
    found.count["in doubt, and had not happened"] += sum(mark not in times for mark in open_.values())
    found.count["calls in doubt that were asked for again, and held"] += declined
    found.count["rows in the chains"] += verified.rows


def rounds(kills: int, chance: random.Random, each: int, longest: float, where: Path) -> Found:
    """A round is one journal that sees many deaths."""
    found = Found()
    number = 0
    while found.count["kills"] < kills and not found.wrong:
        folder = where / f"round-{number}"
        folder.mkdir()
        lasts = longest or life(folder / "first")
        marks = Marks()
        before = found.count["kills"]
        while found.count["kills"] < min(kills, before + each):
            lived(folder, marks, chance.uniform(0.0, lasts))
            found.count["kills"] += 1
        checked(folder, marks, found)
        found.count["journals"] += 1
        if not found.wrong:
            shutil.rmtree(folder)
        number += 1
    return found


def warmed(where: Path) -> None:
    """Have everything imported in the parent, so that a life is spent on calls."""
    import importlib

    for name in ("modes.guard", "pins", "wire.stdio", "wire.pipes", "wire.upstream", "wire.child"):
        importlib.import_module(f"lookahead_integrations.mcp.{name}")
    gc.collect()
    gc.freeze()


def run(kills: int, *, seed: int, each: int = 50, longest: float = 0.0, workers: int = 1, tell: bool = False) -> Found:
    """Kill so many proxies; what was found. Several workers are several processes, each with rounds of its own."""
    where = Path(tempfile.mkdtemp(prefix="lookahead-mcp-kill-"))
    warmed(where)
    found = Found()
    started = time.monotonic()
    share = -(-kills // workers)
    pipes: dict[int, int] = {}
    for worker in range(workers):
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                mine = where / f"worker-{worker}"
                mine.mkdir()
                got = rounds(min(share, kills - worker * share), random.Random(f"{seed} {worker}"), each, longest, mine)
                os.write(writing, json.dumps([got.count, got.wrong[:20]]).encode()[:60_000])
            except BaseException:
                os.write(writing, json.dumps([{}, [traceback.format_exc()]]).encode())
            finally:
                os._exit(0)
        os.close(writing)
        pipes[pid] = reading
    told = started
    while pipes:
        pid, _ = os.waitpid(-1, os.WNOHANG)
        if pid in pipes:
            with os.fdopen(pipes.pop(pid), "rb") as pipe:
                count, wrong = json.loads(pipe.read() or b'[{}, ["a worker died without a word"]]')
            found.count.update(count)
            found.wrong += wrong
        else:
            time.sleep(0.05)
        if tell and time.monotonic() - told > 20:
            told = time.monotonic()
            print(f"… {told - started:.0f} s", file=sys.stderr, flush=True)
    found.count["seconds"] = round(time.monotonic() - started)
    if found.wrong:
        found.wrong.append(f"what it left is in {where}")
    else:
        shutil.rmtree(where)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=50, help="deaths for each journal (default 50)")
    parser.add_argument("--longest", type=float, default=0.0, help="seconds a life lasts at most (default: measured)")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    found = run(given.kills, seed=given.seed, each=given.each, longest=given.longest, workers=given.workers, tell=True)
    print(f"`kill -9` of the MCP proxy, seed {given.seed}\n\n| what | number |\n|---|---|")
    for what, number in found.count.items():
        print(f"| {what} | {number:,} |")
    print(f"| **violations** | **{len(found.wrong)}** |")
    print("\nViolations: forwarded twice, forbidden or without an intent; a doubt that is not listed; a broken chain.")
    for wrong in found.wrong[:20]:
        print(f"\n{wrong}", file=sys.stderr)
    # Where next to nothing was forwarded, next to nothing was shown.
    busy = found.count["calls forwarded"] >= found.count["kills"]
    return 0 if not found.wrong and busy and found.count["kills"] >= given.kills else 1


if __name__ == "__main__":
    sys.exit(main())
