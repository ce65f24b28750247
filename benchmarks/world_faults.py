"""What becomes of a call whose preview fails: ten kinds of faults, through the whole line, against a real endpoint.

Each fault meets four kinds of tools: one that reads (it runs, and no world is asked), one that changes or destroys (it
is held), and one that changes and that the policy lets run where no preview can be had. Measured is whether each call
ended so, whether the decision on record says why, how long it took, and what is left behind: tasks, threads, sockets.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any, Final

import anyio
from faulty_endpoint import KINDS, endpoint

from lookahead import Refused, with_lookahead
from lookahead.journal import Journal
from lookahead.models.openai import OpenAIModel
from lookahead.types import Environment
from lookahead.worlds.circuit import Circuit
from lookahead.worlds.language import LanguageWorld

EFFECTS: Final = ("reads", "changes", "destroys", "changes, may run")
RUNS: Final = {"reads": True, "changes": False, "destroys": False, "changes, may run": True}
POLICY: Final[dict[str, Any]] = {
    "read_it": {"effect": "reads"},
    "change_it": {"effect": "changes"},
    "destroy_it": {"effect": "destroys"},
    "try_it": {"effect": "changes", "on_failure": "run"},
}
EPISODE: Final = 25
"""Calls of one agent, one after the other."""
SLACK: Final = 0.05
"""Seconds beyond the deadline that the line itself may take, for 99 of 100 calls."""


def tools(done: list[str]) -> list[Callable[..., Any]]:
    async def read_it(name: str) -> dict[str, bool]:
        """Read it."""
        done.append(name)
        return {"done": True}

    async def change_it(name: str) -> dict[str, bool]:
        """Change it."""
        done.append(name)
        return {"done": True}

    async def destroy_it(name: str) -> dict[str, bool]:
        """Destroy it."""
        done.append(name)
        return {"done": True}

    async def try_it(name: str) -> dict[str, bool]:
        """Change it, preview or not."""
        done.append(name)
        return {"done": True}

    return [read_it, change_it, destroy_it, try_it]


class Tally:
    def __init__(self) -> None:
        self.times: dict[str, list[float]] = defaultdict(list)
        self.wrong: list[str] = []
        self.notes: Counter[str] = Counter()


def left_behind(backend: str) -> dict[str, int]:
    """What lives in this process now."""
    if backend == "trio":
        import trio

        tasks = trio.lowlevel.current_statistics().tasks_living
    else:
        import asyncio

        tasks = len(asyncio.all_tasks())
    sockets = sum(os.path.realpath(f"/proc/self/fd/{fd}").split("/")[-1].startswith("socket:") for fd in _fds())
    return {"tasks": tasks, "sockets": sockets}


def working() -> int:
    """Threads, without those that trio keeps for ten seconds for whoever needs one next."""
    return sum(not thread.name.startswith("Trio thread") for thread in threading.enumerate())


def _fds() -> list[str]:
    return os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []


async def measure(given: argparse.Namespace, url: str, where: str) -> tuple[Tally, dict[str, int], dict[str, int]]:
    tally = Tally()
    batches = iter(range(0, given.faults, EPISODE))
    with Journal(os.path.join(where, "journal.db")) as journal:
        async with OpenAIModel(url, "m", connections=64, retries=2, pause=0.02) as model:
            done: list[str] = []
            # The first preview loads tables and clients.
            warm = guarded_by(LanguageWorld(model), done, journal)
            await warm[0]("warm")
            await warm[1]("warm")
            await model.aclose()
            # No fuse: here every call is to meet its fault.
            world = Circuit(
                LanguageWorld(model, seconds=given.seconds, max_tokens=512), seconds=given.seconds, after=10**9
            )
            before = left_behind(given.backend)

            async def worker() -> None:
                for first in batches:
                    guarded = guarded_by(world, done, journal)
                    for number in range(first, min(first + EPISODE, given.faults)):
                        await one(guarded, number, done, tally, given.seconds)

            async with anyio.create_task_group() as group:
                for _ in range(given.at_once):
                    group.start_soon(worker)
        after = left_behind(given.backend)
        told(journal, tally)
    return tally, before, after


def guarded_by(world: Environment, done: list[str], journal: Journal) -> list[Any]:
    return with_lookahead(tools(done), world=world, policy=POLICY, journal=journal, mode="guard", budget=300)


async def one(guarded: list[Any], number: int, done: list[str], tally: Tally, seconds: float) -> None:
    kind = KINDS[number % len(KINDS)]
    which = number // len(KINDS) % len(EFFECTS)
    name = f"fault={kind}#{number // (len(KINDS) * len(EFFECTS))} of call {number}"
    refused = False
    started = time.perf_counter()
    try:
        with anyio.fail_after(seconds * 4):
            await guarded[which](name)
    except Refused:
        refused = True
    except Exception as error:
        tally.wrong.append(f"{kind}, {EFFECTS[which]}: {type(error).__name__}: {error}")
    tally.times[kind].append(time.perf_counter() - started)
    ran = name in done
    if ran != RUNS[EFFECTS[which]] or ran == refused:
        tally.wrong.append(f"{kind}, {EFFECTS[which]}: {'ran' if ran else 'did not run'}")


def told(journal: Journal, tally: Tally) -> None:
    """What the decisions on record say of the previews that could not be had."""
    for call in journal.calls():
        decision = call.decided.decision
        name = str(decision.proposed.arguments.get("name"))
        kind = name.partition("fault=")[2].partition("#")[0]
        if not kind or decision.proposed.tool == "read_it":
            continue
        if any(note.strip() for note in decision.notes):
            tally.notes[kind] += 1
        else:
            tally.wrong.append(f"{kind}: call {call.call} says nowhere that its preview failed")


def part(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=1000, help="calls whose preview fails (default 1,000)")
    parser.add_argument("--seconds", type=float, default=0.5, help="the deadline of each preview (default 0.5)")
    parser.add_argument("--at-once", type=int, default=4, help="calls at the same time (default 4)")
    parser.add_argument("--backend", choices=["asyncio", "trio"], default="asyncio")
    given = parser.parse_args()
    with endpoint() as served, tempfile.TemporaryDirectory(prefix="lookahead-faults-") as where:
        threads = working()
        tally, before, after = anyio.run(measure, given, served.url, where, backend=given.backend)
        before["threads"], after["threads"] = threads, working()
    everything = [spent for times in tally.times.values() for spent in times]
    print(
        f"{given.faults:,} faults, {given.backend}; each preview has {given.seconds:g} s; {served.asked:,} requests\n"
    )
    print("| fault | calls | told of in the record | p50 (ms) | p99 (ms) |")
    print("|---|---|---|---|---|")
    for kind in KINDS:
        times = tally.times[kind] or [0.0]
        print(f"| {kind} | {len(tally.times[kind])} | {tally.notes[kind]} ", end="")
        print(f"| {part(times, 0.5) * 1e3:.0f} | {part(times, 0.99) * 1e3:.0f} |")
    late = part(everything, 0.99) - given.seconds
    print(f"| **all** | **{len(everything)}** | **{tally.notes.total()}** | {part(everything, 0.5) * 1e3:.0f} ", end="")
    print(f"| **{part(everything, 0.99) * 1e3:.0f}** |\n")
    print(f"Calls that did not end as the rules for failures say: **{len(tally.wrong)}**")
    print(f"Beyond the deadline, 99th percentile: **{late * 1e3:.0f} ms** (at most {SLACK * 1e3:.0f})")
    leaks = {name: after[name] - before[name] for name in before if after[name] > before[name]}
    print(f"Left behind: **{', '.join(f'{count} {name}' for name, count in leaks.items()) or 'nothing'}**")
    for line in tally.wrong[:10]:
        print(f"  wrong: {line}", file=sys.stderr)
    return 1 if tally.wrong or leaks or late > SLACK else 0


if __name__ == "__main__":
    sys.exit(main())
