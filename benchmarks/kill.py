"""kill -9 at random moments of a running agent: nothing runs twice, nothing runs unrecorded, every doubt is listed.

A parent that has everything imported forks an agent, lets it live for a random time, kills it with SIGKILL, and
starts it again on the same journal, many times. What the agent does can be seen from outside: every real act appends
one line with a token of its own to a file. A restarted agent goes on with what is on record, and proposes again what
is in doubt.
"""

import argparse
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
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from kill_agent import FLAVOURS, MAY_HAPPEN, Agent, warmed

from lookahead.journal import Journal


def born(folder: Path, name: str, flavour: str, seed: int) -> int:
    """Fork one agent; its process id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        Agent(folder, name, flavour, seed).live()
    except BaseException:
        (folder / f"error-{os.getpid()}").write_text(traceback.format_exc())
    finally:
        os._exit(3)


@dataclass
class Found:
    """What one round showed."""

    count: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])


def killed(folder: Path, names: Sequence[str], chance: random.Random, longest: float) -> None:
    """One life of every agent, each cut off at a moment of its own."""
    started = time.monotonic()
    ends: list[tuple[float, int]] = []
    for name in names:
        pid = born(folder, name, chance.choice(FLAVOURS), chance.getrandbits(32))
        ends.append((started + chance.uniform(0.0, longest), pid))
    for end, pid in sorted(ends):
        time.sleep(max(0.0, end - time.monotonic()))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def life(folder: Path, chance: random.Random) -> float:
    """How long an agent here and now takes from its birth to its tenth real act: what every moment is drawn from."""
    folder.mkdir()
    started = time.monotonic()
    pid = born(folder, "a", chance.choice(FLAVOURS), 0)
    effects = folder / "effects"
    while time.monotonic() - started < 0.5 and (not effects.exists() or len(effects.read_bytes().split()) < 10):
        time.sleep(0.001)
    lasted = time.monotonic() - started
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return lasted


def checked(folder: Path, found: Found) -> None:
    """Compare what can be seen from outside with what is on record; read with SQLite alone where that is enough."""
    for error in sorted(folder.glob("error-*")):
        found.wrong.append(
            f"an agent ended by itself: {error.read_text().strip().splitlines()[-1]}\n{error.read_text()}"
        )
    path = folder / "journal.db"
    if not path.exists():
        return
    effects = (folder / "effects").read_text().split() if (folder / "effects").exists() else []
    with Journal(path) as journal:
        doubts = {doubt.call for doubt in journal.in_doubt()}
        verified = journal.verify()
    db = sqlite3.connect(path)
    intents = db.execute(
        "SELECT call, json_extract(body, '$.action.tool'), json_extract(body, '$.action.arguments.mark')"
        " FROM rows WHERE kind = 'intended'"
    ).fetchall()
    results = {call for (call,) in db.execute("SELECT call FROM rows WHERE kind = 'resulted'")}
    decisions = Counter(
        str(rule).partition(":")[0] for (rule,) in db.execute("SELECT rule FROM calls WHERE choice IN ('veto', 'ask')")
    )
    db.close()
    times = Counter(effects)
    tool_of = {token: tool for _, tool, token in intents}
    happened = set(effects)
    unrecorded = {call: token for call, _, token in intents if call not in results}
    found.wrong += [f"{token} was done {n} times" for token, n in times.items() if n > 1]
    found.wrong += [f"{token} was done, and no intent is on record" for token in happened - set(tool_of)]
    found.wrong += [f"{token} was refused, and done" for token in happened if tool_of.get(token) not in MAY_HAPPEN]
    found.wrong += [f"call {call} has no result and is not listed" for call in set(unrecorded) - doubts]
    found.wrong += [f"call {call} is listed, and has a result" for call in doubts - set(unrecorded)]
    for call, tool, token in intents:
        if call in results and tool in MAY_HAPPEN and token not in happened:
            found.wrong.append(f"{token} has a result, and was not done")
    if not verified.ok:
        found.wrong.append(f"the chain is broken: {verified.why}")
    found.count["real effects"] += len(effects)
    found.count["intents"] += len(intents)
    found.count["in doubt, and had happened"] += sum(token in happened for token in unrecorded.values())
    found.count["in doubt, and had not happened"] += sum(token not in happened for token in unrecorded.values())
    found.count["proposals of a call in doubt, held"] += decisions["doubt"]
    found.count["other refusals"] += sum(decisions.values()) - decisions["doubt"]
    found.count["rows in the chains"] += verified.rows


def rounds(kills: int, chance: random.Random, each: int, longest: float, where: Path) -> Found:
    """A round is one journal that sees many deaths. In every third, two agents share it."""
    found = Found()
    number = 0
    while found.count["kills"] < kills and not found.wrong:
        folder = where / f"round-{number}"
        folder.mkdir()
        lasts = longest or life(folder / "first", chance)
        names = ("a", "b") if number % 3 == 2 else ("a",)
        before = found.count["kills"]
        while found.count["kills"] < min(kills, before + each):
            killed(folder, names, chance, lasts)
            found.count["kills"] += len(names)
            if len(names) > 1:
                found.count["kills with two agents at once"] += len(names)
        checked(folder, found)
        found.count["journals"] += 1
        if not found.wrong:
            shutil.rmtree(folder)
        number += 1
    return found


def run(kills: int, *, seed: int, each: int = 50, longest: float = 0.0, workers: int = 1, tell: bool = False) -> Found:
    """Kill so many agents; what was found. Several workers are several processes, each with rounds of its own."""
    where = Path(tempfile.mkdtemp(prefix="lookahead-kill-"))
    pipes: dict[int, int] = {}
    found = Found()
    started = last = time.monotonic()
    share = -(-kills // workers)
    for backend in ("asyncio", "trio"):
        anyio.run(warmed, backend=backend)
    gc.collect()
    gc.freeze()
    for worker in range(workers):
        mine = min(share, kills - worker * share)
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                mine_in = where / f"worker-{worker}"
                mine_in.mkdir()
                got = rounds(mine, random.Random(f"{seed} {worker}"), each, longest, mine_in)
                os.write(writing, json.dumps([got.count, got.wrong[:20]]).encode()[:60_000])
            except BaseException:
                os.write(writing, json.dumps([{}, [traceback.format_exc()]]).encode())
            finally:
                os._exit(0)
        os.close(writing)
        pipes[pid] = reading
    while pipes:
        pid, _ = os.waitpid(-1, os.WNOHANG)
        if pid in pipes:
            with os.fdopen(pipes.pop(pid), "rb") as pipe:
                count, wrong = json.loads(pipe.read() or b'[{}, ["a worker died without a word"]]')
            found.count.update(count)
            found.wrong += wrong
        else:
            time.sleep(0.02)
        if tell and time.monotonic() - last > 10:
            last = time.monotonic()
            print(f"… {last - started:.0f} s", file=sys.stderr, flush=True)
    found.count["seconds"] = round(time.monotonic() - started)
    if found.wrong:
        found.wrong.append(f"what it left is in {where}")
    else:
        shutil.rmtree(where)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=50, help="deaths for each journal (default 50)")
    parser.add_argument("--longest", type=float, default=0.0, help="seconds a life lasts at most (default: measured)")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    found = run(given.kills, seed=given.seed, each=given.each, longest=given.longest, workers=given.workers, tell=True)
    print(f"`kill -9`, seed {given.seed}: {found.count['kills'] / max(1, found.count['seconds']):.0f} kills a second\n")
    print("| what | number |\n|---|---|")
    for what, number in found.count.items():
        print(f"| {what} | {number:,} |")
    print(f"| **violations** | **{len(found.wrong)}** |")
    print("\nViolations: done twice, refused and done, done without an intent, a doubt not listed, a broken chain.")
    for wrong in found.wrong[:20]:
        print(f"\n{wrong}", file=sys.stderr)
    # Where next to nothing was done, next to nothing was shown.
    busy = found.count["real effects"] >= found.count["kills"] / 2
    return 0 if not found.wrong and busy and found.count["kills"] >= given.kills else 1


if __name__ == "__main__":
    sys.exit(main())
