"""What the line costs a call, beside the bare call in the same run: an instant world, an instant critic, a real disk.

Four kinds of call: synchronous and asynchronous functions, one that reads and one that changes something. Each round
calls the bare function and the guarded one, one after the other. How often the journal waits for the disk is counted as
the transactions that SQLite commits with `synchronous=FULL` and that wrote something: one fsync each. The record of a
call that only reads is in the file when it is answered, and is forced to the disk with the next change.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio

from lookahead.act import Line
from lookahead.adapters import wrap_functions
from lookahead.budget import Budget, Meter
from lookahead.guard import Guard
from lookahead.journal import Journal
from lookahead.ledger import Ledger
from lookahead.planner import Planner
from lookahead.policy import Policy
from lookahead.session import Session
from lookahead.types import Action, Effect, Observation, Origin, Rollout, State, Verdict
from lookahead.wrap import with_lookahead

POLICY = {
    "read_sync": {"effect": "reads"},
    "read_async": {"effect": "reads"},
    "change_sync": {"effect": "changes"},
    "change_async": {"effect": "changes"},
}
P50, P99 = 1.0, 5.0
FSYNCS = {"read": 1.0, "change": 2.0}


class Instant:
    """A world that knows at once, and passes for an exact copy."""

    name = "instant"

    async def __call__(self, state: State, action: Action, /) -> Observation:
        effect = Effect(happened="changed", target="file.txt", what="file", before=10, after=12, unit="bytes")
        return Observation(content="done", effects=(effect,), origin=Origin(kind="exact", world=self.name))

    async def discard(self) -> None: ...


async def critic(state: State, rollout: Rollout, /) -> Verdict:
    return Verdict(score=1.0)


def nobody(request: object) -> bool:
    return False


def read_sync(path: str, line: int) -> str:
    """Reads a line."""
    return "done"


def change_sync(path: str, line: int) -> str:
    """Changes a line."""
    return "done"


async def read_async(path: str, line: int) -> str:
    """Reads a line."""
    return "done"


async def change_async(path: str, line: int) -> str:
    """Changes a line."""
    return "done"


def on_the_line(function: Any, journal: Journal) -> Any:
    """The function on a line whose only critic is the instant one."""
    policy = Policy.read(POLICY, "the policy of this benchmark")

    def opened(tools: Any, **functions: Any) -> Session:
        tools = tuple(tool.model_copy(update={"effect": policy.effect_of(tool.name, tool)}) for tool in tools)
        line = Line(
            planner=Planner(imagine=Instant(), judge=critic, text=critic),
            guard=Guard(policy=policy, record=Ledger(journal)),
            journal=journal,
            meter=Meter(budget=Budget()),
            run="overhead",
        )
        return Session(line=line, state=State(tools=tools))

    return wrap_functions(function, opened)


def with_the_rules(function: Any, journal: Journal) -> Any:
    """The function as a user gets it back: the rules judge too."""
    policy = {function.__name__: POLICY[function.__name__]}
    return with_lookahead(
        function, world=Instant(), critic=critic, policy=policy, journal=journal, mode="guard", approve=nobody
    )


def part(times: Sequence[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def timed(function: Callable[..., Any], *arguments: Any) -> float:
    started = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - started


async def timed_async(function: Callable[..., Awaitable[Any]], *arguments: Any) -> float:
    started = time.perf_counter()
    await function(*arguments)
    return time.perf_counter() - started


def of_the_disk(where: str, rounds: int) -> list[float]:
    """What one fsync of a page takes here."""
    times: list[float] = []
    file = os.open(os.path.join(where, "probe"), os.O_CREAT | os.O_WRONLY, 0o600)
    for _ in range(rounds):
        os.write(file, b"x" * 4096)
        times.append(timed(os.fsync, file))
    os.close(file)
    return times


def sync_rounds(bare: Any, guarded: Any, rounds: int) -> tuple[list[float], list[float]]:
    without: list[float] = []
    with_line: list[float] = []
    for number in range(rounds):
        without.append(timed(bare, "notes.txt", number))
        with_line.append(timed(guarded, "notes.txt", number))
    return without, with_line


async def async_rounds(bare: Any, guarded: Any, rounds: int) -> tuple[list[float], list[float]]:
    without: list[float] = []
    with_line: list[float] = []
    for number in range(rounds):
        without.append(await timed_async(bare, "notes.txt", number))
        with_line.append(await timed_async(guarded, "notes.txt", number))
    return without, with_line


def measured(name: str, wrap: Any, where: str, rounds: int, backend: str) -> tuple[float, float, float, float]:
    """Bare median, added median, added 99th percentile (milliseconds), and fsyncs a call."""
    bare = globals()[name]
    with Journal(os.path.join(where, f"{name}-{wrap.__name__}.db")) as journal:
        guarded = wrap(bare, journal)
        store: Any = journal._store  # pyright: ignore
        if store._db.execute("PRAGMA synchronous").fetchone()[0] != 2:
            raise SystemExit("the journal does not wait for the disk, so this would measure nothing")
        commits: list[str] = []
        forced = [True]

        def said(statement: str) -> None:
            if statement.startswith("PRAGMA synchronous ="):
                forced[0] = statement.endswith("FULL")
            elif statement.startswith("COMMIT") and _wrote(store._db) and forced[0]:
                commits.append(statement)

        def run(count: int) -> tuple[list[float], list[float]]:
            if name.endswith("_async"):
                return anyio.run(async_rounds, bare, guarded, count, backend=backend)
            return sync_rounds(bare, guarded, count)

        run(max(20, rounds // 20))
        _wrote(store._db)
        forced[0] = store._db.execute("PRAGMA synchronous").fetchone()[0] == 2
        store._db.set_trace_callback(said)
        run(50)
        store._db.set_trace_callback(None)
        without, with_line = run(rounds)
        guarded.lookahead.close()
    usual = statistics.median(without)
    added = [spent - usual for spent in with_line]
    return usual * 1e3, part(added, 0.5) * 1e3, part(added, 0.99) * 1e3, len(commits) / 50


def _wrote(db: Any) -> bool:
    """Whether this transaction changed something: one that only looked waits for nothing."""
    changes = db.total_changes
    wrote = changes != _wrote.last  # type: ignore[attr-defined]
    _wrote.last = changes  # type: ignore[attr-defined]
    return wrote


_wrote.last = 0  # type: ignore[attr-defined]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000, help="calls of each kind (default 2,000)")
    parser.add_argument("--where", help="a folder on the disk to measure (default: the one for temporary files)")
    parser.add_argument("--backend", choices=["asyncio", "trio"], default="asyncio")
    given = parser.parse_args()
    missed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="lookahead-overhead-", dir=given.where) as where:
        disk = of_the_disk(where, min(300, given.calls))
        rows = {name: measured(name, on_the_line, where, given.calls, given.backend) for name in POLICY}
        ruled = {name: measured(name, with_the_rules, where, given.calls, given.backend) for name in POLICY}
        after = of_the_disk(where, min(300, given.calls))
    fsync = [part(disk + after, share) * 1e3 for share in (0.5, 0.99)]
    print(
        f"{given.calls:,} calls of each kind, {given.backend}; one fsync of 4 kB here takes {fsync[0]:.2f} ms ", end=""
    )
    print(f"(99th percentile {fsync[1]:.2f} ms)\n")
    print("| call | bare, p50 (ms) | added, p50 (ms) | added, p99 (ms) | fsyncs a call |")
    print("|---|---|---|---|---|")
    for name, (bare, p50, p99, fsyncs) in rows.items():
        print(f"| {name.replace('_', ', ')} | {bare:.4f} | {p50:.2f} | {p99:.2f} | {fsyncs:.2f} |")
        if p50 > P50 or p99 > P99 or fsyncs > FSYNCS[name.partition("_")[0]]:
            missed.append(name)
    for name, (bare, p50, p99, fsyncs) in ruled.items():
        print(f"| {name.replace('_', ', ')}, the rules judge too | {bare:.4f} | {p50:.2f} | {p99:.2f} | {fsyncs:.2f} |")
    print(f"\nWanted of the first four: p50 at most {P50:g} ms, p99 at most {P99:g} ms; ", end="")
    print("at most one fsync for a read, two for a change.")
    if missed:
        print(f"Missed by: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
