"""A thousand decisions at once on a slow world: a bounded queue, bounded memory, and nobody who waits for ever.

Every decision is another agent's, through the whole line, against a real endpoint that takes its time. Those that find
no place in the queue are told at once and held; the others are answered in the order in which they came.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
from faulty_endpoint import endpoint

from lookahead import Refused, with_lookahead
from lookahead.journal import Journal
from lookahead.models.openai import OpenAIModel
from lookahead.types import Action, Environment, Observation, State
from lookahead.worlds.circuit import Circuit
from lookahead.worlds.language import LanguageWorld

MEMORY: Final = 300
"""Megabytes by which the process may grow."""


class Queue:
    """Looks at what goes through to the world, and back."""

    def __init__(self, world: Environment) -> None:
        self.name = "watched"
        self._world = world
        self.under_way = self.most = 0
        self.begun: list[int] = []

    async def __call__(self, state: State, action: Action, /) -> Observation:
        self.begun.append(int(str(action.arguments["number"])))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            return await self._world(state, action)
        finally:
            self.under_way -= 1


class Outcome:
    def __init__(self) -> None:
        self.answered: list[float] = []
        self.busy: list[float] = []
        self.late: list[float] = []
        self.wrong: list[str] = []
        self.begun: list[int] = []
        self.most = 0
        self.grown = 0.0


def agent(world: Environment, journal: Journal) -> Callable[..., Awaitable[Any]]:
    async def change_it(number: int, what: str) -> dict[str, bool]:
        """Change it."""
        return {"done": True}

    policy = {"change_it": {"effect": "changes"}}
    return with_lookahead(change_it, world=world, policy=policy, journal=journal, mode="guard", budget=3600)


def megabytes() -> float:
    """The most that this process has held in memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def measure(given: argparse.Namespace, url: str, where: str) -> Outcome:
    outcome = Outcome()
    with Journal(os.path.join(where, "journal.db")) as journal:
        async with OpenAIModel(url, "m", connections=given.places) as model:
            imagined = LanguageWorld(model, seconds=given.seconds)
            await agent(imagined, journal)(0, "the first one loads tables and clients")
            watched = Queue(imagined)
            world = Circuit(watched, seconds=given.seconds, at_once=given.places, waiting=given.waiting)
            agents = [agent(world, journal) for _ in range(given.decisions)]
            before = megabytes()

            async def one(number: int) -> None:
                started = time.perf_counter()
                kept = outcome.answered
                try:
                    await agents[number](number, f"slow={given.slow}")
                except Refused as refused:
                    notes = " ".join(refused.decision.notes)
                    kept = outcome.busy if "is busy" in notes else outcome.late
                    if "is busy" not in notes and "no answer within" not in notes:
                        outcome.wrong.append(notes)
                except Exception as error:
                    outcome.wrong.append(f"{type(error).__name__}: {error}")
                kept.append(time.perf_counter() - started)

            async with anyio.create_task_group() as group:
                for number in range(given.decisions):
                    group.start_soon(one, number)
            outcome.grown = megabytes() - before
            outcome.most, outcome.begun = watched.most, watched.begun
    return outcome


def swapped(order: list[int]) -> int:
    """How many were begun after somebody who came later."""
    return sum(later < max(order[:place], default=-1) for place, later in enumerate(order))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decisions", type=int, default=1000, help="at once (default 1,000)")
    parser.add_argument("--slow", type=int, default=300, help="milliseconds that an answer takes (default 300)")
    parser.add_argument("--seconds", type=float, default=20, help="the deadline of a preview (default 20)")
    parser.add_argument("--places", type=int, default=16, help="previews under way at once (default 16)")
    parser.add_argument("--waiting", type=int, default=256, help="previews that may wait (default 256)")
    parser.add_argument("--backend", choices=["asyncio", "trio"], default="asyncio")
    given = parser.parse_args()
    with endpoint() as served, tempfile.TemporaryDirectory(prefix="lookahead-backpressure-") as where:
        outcome = anyio.run(measure, given, served.url, where, backend=given.backend)
    everything = [*outcome.answered, *outcome.busy, *outcome.late]
    print(
        f"{given.decisions:,} decisions at once, {given.backend}; an answer takes {given.slow} ms, a preview has ",
        end="",
    )
    print(f"{given.seconds:g} s, {given.places} are under way and {given.waiting} may wait\n")
    print("| decisions | how many | soonest (s) | last (s) |")
    print("|---|---|---|---|")
    rows = {"answered": outcome.answered, "told that the world is busy": outcome.busy, "too late": outcome.late}
    for name, times in rows.items():
        print(f"| {name} | {len(times)} | {min(times, default=0):.2f} | {max(times, default=0):.2f} |")
    print(f"\nLongest wait: **{max(everything):.2f} s** (at most {2 * given.seconds:g})")
    print(f"Under way at once: **{outcome.most}** here, **{served.most}** at the endpoint (at most {given.places})")
    if given.backend == "asyncio":
        # Trio starts tasks in no order, so there nobody can say who came first.
        print(f"Begun after somebody who came later: **{swapped(outcome.begun)}**")
    print(f"Memory: **{outcome.grown:.0f} MB** more (at most {MEMORY})")
    for line in outcome.wrong[:10]:
        print(f"  wrong: {line}", file=sys.stderr)
    missed = (
        outcome.wrong
        or len(everything) != given.decisions
        or max(everything) > 2 * given.seconds
        or max(outcome.most, served.most) > given.places
        or outcome.grown > MEMORY
        or (given.backend == "asyncio" and swapped(outcome.begun))
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
