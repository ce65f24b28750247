"""What does a decision cost, beside other methods' decisions on the same server in the same run?

Give the URL of a vLLM server, whose counters tell how many prompt tokens it computed and how many it remembered
(vllm:prefix_cache_queries and _hits in /metrics). Any model will do, one with random weights as well: what is measured
is who asks what, how often and after whom, and what the server remembers of it. Every answer is written to the length
of its kind. Nobody else may use the server meanwhile. `--loopback` needs no server, and says nothing about time.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
from loopback import loopback
from methods import OURS, PEERS, compare, table
from recording import Counters, WholeAnswers
from rows import foretold, later_steps, overlap, spared, wider
from situation import Sizes

TABLES = ("methods", "later", "wider", "spared", "overlap", "forecast")


class Report:
    """Prints, and remembers which figures were missed."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def say(self, *lines: str) -> None:
        print(*lines, sep="\n", flush=True)

    def figure(self, what: str, value: str, *, met: bool | None) -> None:
        """`met`: None where it cannot be told here."""
        self.say(f"\n{what}: **{value}**{' (missed)' if met is False else '' if met else ' (not judged)'}")
        if met is False:
            self.missed.append(what)


async def methods(report: Report, model: WholeAnswers, given: argparse.Namespace) -> None:
    rows = await compare(
        model, given.sizes, k=given.k, depth=given.depth, times=given.times, names=(*OURS, *given.peers)
    )
    report.say(
        "\n## One decision\n",
        "A round is what waits for the one before it; the requests of one round go out together. Every method's first",
        "round is the agent's own answer. Ours by default has rules for a judge, which ask no model; all others judge",
        "with a model. Replanning proposes each next call when the one before it has been imagined.\n",
        *table(rows, timed=not given.loopback),
    )
    ours = rows[0]
    wanted = given.depth + 1
    report.figure(
        f"Rounds of ours beyond the agent's own answer (at most D + 1 = {wanted})",
        f"{ours.added}, {ours.words - 1} of them with words",
        met=ours.added <= wanted,
    )


async def later(report: Report, model: WholeAnswers, given: argparse.Namespace) -> None:
    steps = await later_steps(model, given.sizes, k=given.k, steps=given.steps)
    report.say(
        "\n## Prompt tokens computed at later steps of an episode\n",
        "The format ends each question with an instruction, in the same message as the action that is asked about. It",
        "belongs to the question about each candidate, and stands behind what they share. So an action counts as it is",
        "asked, with that instruction; beside it stands what the bare actions would be.\n",
        f"| step | new turn | {given.k} actions as asked | bare | the world computed | with proposer and critic |",
        "|---|---|---|---|---|---|",
    )
    for number, step in enumerate(steps, 2):
        report.say(f"| {number} | {step.turn} | {step.questions} | {step.actions} | {step.world} | {step.whole} |")
    ratio = statistics.median(step.ratio for step in steps)
    bare = statistics.median(step.world / (step.turn + step.actions) for step in steps)
    report.figure(
        f"Computed by the world, to the new turn and {given.k} actions as they are asked (at most 1.1)",
        f"{ratio:.2f}; to the bare actions {bare:.2f}",
        met=ratio <= 1.1,
    )


async def wide(report: Report, model: WholeAnswers, given: argparse.Namespace) -> None:
    report.say(f"\n## {given.many} candidates beside one\n")
    report.say("| candidates | seconds | computed by us | all |", "|---|---|---|---|")
    rows = await wider(model, given.sizes, ks=(1, given.many), times=max(7, given.times))
    for row in rows:
        judge = "world and one-token critic" if row.judged else "world alone"
        every = ", ".join(f"{one:.3f}" for one in row.seconds)
        report.say(f"| {row.k}, {judge} | {row.median:.3f} | {statistics.median(row.own):.3f} | {every} |")
    alone, whole = (
        next(row.median for row in rows if row.judged is judged and row.k == given.many)
        / next(row.median for row in rows if row.judged is judged and row.k == 1)
        for judged in (False, True)
    )
    report.figure(
        f"Time for {given.many} candidates (at most {given.most_times:g} times that for one)",
        f"{alone:.2f} of the world, {whole:.2f} with the critic",
        met=None if given.loopback else max(alone, whole) <= given.most_times,
    )


async def unasked(report: Report, model: WholeAnswers, given: argparse.Namespace) -> None:
    rows = await spared(model, given.sizes, k=given.k)
    report.say("\n## What is not asked\n", "| call | tokens of the world | of proposer and critic |", "|---|---|---|")
    names = {"reads": "only reads", "agreed": "all candidates agree", "disputed": "they do not"}
    for row in rows:
        report.say(f"| {names[row.what]} | {row.world:,} | {row.others:,} |")
    most = max(row.world for row in rows[:2])
    report.figure("World tokens where nothing is to be chosen (0)", str(most), met=most == 0 and rows[2].world > 0)


async def hidden(report: Report, model: WholeAnswers, given: argparse.Namespace) -> None:
    found = await overlap(model, given.sizes, k=given.k, times=max(7, given.times))
    report.say("\n## The world works while the agent still writes\n", "```", *found[-1].drawing(), "```")
    together = statistics.median(one.seconds for one in found)
    waiting = statistics.median(one.waiting for one in found)
    beside = statistics.median(one.writing for one in found)
    apart = statistics.median(one.writing_alone for one in found)
    report.say(
        f"\nSeconds: {together:.2f}; where the world waits for the last candidate {waiting:.2f}. The agent's writing "
        f"took {beside:.2f} of them while the world worked beside it, and {apart:.2f} alone: "
        "what a server without idle cores does for the one it takes from the other."
    )
    share = statistics.median(one.hidden for one in found)
    report.figure(
        "Of the world's time hidden behind the agent's writing (at least 50 %)",
        f"{share:.0%}",
        met=None if given.loopback else share >= 0.5,
    )


async def forecast(report: Report, model: WholeAnswers, given: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="lookahead-cost-") as folder:
        journal = str(Path(folder) / "journal.db")
        found = await foretold(model, given.sizes, k=given.k, decisions=given.decisions, journal=journal)
    report.say(f"\n## Forecast beside spent, over {given.decisions} decisions\n")
    report.say("| | forecast in all | spent in all | off by | decisions within 20 % |", "|---|---|---|---|---|")
    for name in ("calls", "tokens", "seconds"):
        pairs = getattr(found, name)
        said, spent = (sum(column) for column in zip(*pairs, strict=True))
        report.say(f"| {name} | {said:,.0f} | {spent:,.0f} | {found.off(pairs):+.0%} | {found.within(pairs):.0%} |")
    judged: list[Sequence[tuple[float, float]]] = [found.tokens, *([] if given.loopback else [found.seconds])]
    worst = max((found.off(pairs) for pairs in judged), key=abs)
    report.figure("The forecast is off by (at most 20 %)", f"{worst:+.0%}", met=abs(worst) <= 0.2)


async def measure(given: argparse.Namespace, url: str) -> list[str]:
    report = Report()
    async with WholeAnswers(url, given.model) as model:
        await model.served()
        block = Counters.of(url).block
        lengths = ", ".join(
            f"{kind} {given.sizes[kind]}" for kind in ("history", "thought", "call", "forecast", "opinion")
        )
        server = "a loopback server that computes nothing" if given.loopback else (await model.served())[0]
        report.say(
            f"K = {given.k}, D = {given.depth}; {server}, prefixes remembered in blocks of {block} tokens.",
            f"Tokens: {lengths}, verdict 1. Medians of {given.times}.",
        )
        done: dict[str, Callable[..., object]] = dict(
            zip(TABLES, (methods, later, wide, unasked, hidden, forecast), strict=True)
        )
        for name in given.only or TABLES:
            await done[name](report, model, given)  # type: ignore[misc]
    return report.missed


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--url", help="of a vLLM server: http://127.0.0.1:8000/v1")
    where.add_argument("--loopback", action="store_true", help="a server within this process: no model, no times")
    parser.add_argument("--model", help="its name, where several are served")
    parser.add_argument("--only", choices=TABLES, action="append", help="one table (may be given again)")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS), help="default: all")
    parser.add_argument("--k", type=int, default=4, help="candidates (default 4)")
    parser.add_argument("--depth", type=int, default=2, help="steps ahead (default 2)")
    parser.add_argument("--many", type=int, default=8, help="candidates set beside one (default 8)")
    parser.add_argument("--most-times", type=float, default=2.0, help="how much longer these may take (default 2.0)")
    parser.add_argument("--times", type=int, default=3, help="how often each is measured (default 3)")
    parser.add_argument("--steps", type=int, default=5, help="of the episode (default 5)")
    parser.add_argument("--decisions", type=int, default=200, help="whose cost is foretold (default 200)")
    parser.add_argument(
        "--scale", type=float, default=0.1, help="of all lengths; 1: a history of 10,000 tokens (default 0.1)"
    )
    parser.add_argument("--block", type=int, default=16, help="of the loopback server (default 16)")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds that it takes for a token (default 0)")
    parser.add_argument("--backend", choices=["asyncio", "trio"], default="asyncio")
    given = parser.parse_args(arguments)
    given.sizes = Sizes(scale=given.scale)
    if given.loopback:
        with loopback(block=given.block, pause=given.pause) as url:
            missed = anyio.run(measure, given, url, backend=given.backend)
    else:
        missed = anyio.run(measure, given, given.url.rstrip("/"), backend=given.backend)
    for what in missed:
        print(f"missed: {what}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
