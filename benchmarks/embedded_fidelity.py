"""How right the small world model is about calls that are really made, with names that it has never seen.

Each call of fresh episodes is really made in a copy of what is there, so it is known what came back and what changed.
Teacher-forced: the model is told the true scene before each call. Closed loop: it is told the first scene alone, and
each step stands on what it foretold of those before. Beside it: worlds that know nothing.

Stated: at least .90 exact, answer and change of state, for calls of a shell that change something and for calls that
do not; at least .80 in a closed loop from the twentieth step on; an error of calibration of at most .05.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import anyio
from embedded_scenes import closed, fresh

from lookahead.errors import ConfigError, NotMyWorld
from lookahead.evaluate.baselines import AlwaysEmpty, CopyLast, NearestRecorded
from lookahead.evaluate.fidelity import Measurement, measure
from lookahead.evaluate.fidelity_report import fidelity_report
from lookahead.evaluate.figures import Figure
from lookahead.evaluate.outcomes import DEPTHS, Outcome, depth
from lookahead.evaluate.report import to_html, to_json
from lookahead.evaluate.report.words import figure_text
from lookahead.evaluate.splits import answered, divided, of_all, share
from lookahead.evaluate.transitions import Transition
from lookahead.train.small.example import Example
from lookahead.train.small.real import STRICT, Forced, Real, foreign, steps
from lookahead.types import Environment
from lookahead.worlds.embedded.foretelling import Foretell
from lookahead.worlds.embedded.scene import Kind
from lookahead.worlds.embedded.world import FLOOR, EmbeddedWorld

EXACT, DEEP, OFF = 0.90, 0.80, 0.05
"""What is stated: exact, exact in a closed loop from step 20 on, and at most so far from calibrated."""
AT_ONCE = 8
HALVES = ((False, "nothing"), (True, "something"))


def main(arguments: Sequence[str] | None = None, engine: Foretell | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="example: python benchmarks/embedded_fidelity.py --kinds shell --episodes 200 --html fidelity.html",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kinds", nargs="+", choices=get_args(Kind), default=list(get_args(Kind)), help="(all)")
    parser.add_argument("--episodes", type=int, default=60, help="really executed, of each kind (60)")
    parser.add_argument("--shift", type=int, default=0, help="moves the seeds: other episodes, other names (0)")
    parser.add_argument("--recorded", type=int, default=60, help="episodes that nearest-recorded looks in (60)")
    parser.add_argument("--weights", type=Path, help="a folder of weights (those that come with Lookahead)")
    parser.add_argument("--data", type=Path, help="the folder `data` of `lookahead train small`, in place of executing")
    parser.add_argument("--html", type=Path, help="the report of all calls, as a page")
    parser.add_argument("--json", type=Path, help="the same for programs, and for `lookahead eval compare`")
    given = parser.parse_args(arguments)
    try:
        mind = engine or _engine(given.weights)
    except ConfigError as cause:
        print(f"the small model cannot be had: {cause}", file=sys.stderr)
        return 1
    return anyio.run(_run, given, mind)


def _engine(weights: Path | None) -> Foretell:
    from lookahead.models.embedded.weights import load
    from lookahead.worlds.embedded.shipped import trained

    return trained(load(weights))


async def _run(given: argparse.Namespace, mind: Foretell) -> int:
    made: dict[Kind, list[Real]] = {}
    strange: dict[Kind, str] = {}
    for kind in given.kinds:
        examples = list(fresh(f"heldout-{kind}", given.episodes, given.shift, given.data))
        made[kind] = list(steps(examples))
        strange[kind] = await _abstained(mind, examples)
        print(f"{kind}: {len(made[kind]):,} calls of {given.episodes} episodes were really made", file=sys.stderr)
    everything = [one for kind in made for one in made[kind]]
    forced = await _forced(Forced(EmbeddedWorld(engine=mind, floor=0), 0.0), everything)
    sure = await _forced(Forced(EmbeddedWorld(engine=mind, floor=0), FLOOR), everything)
    loop = await closed(EmbeddedWorld(engine=mind, floor=0), everything, 0.0, at_once=AT_ONCE)
    sure_loop = await closed(EmbeddedWorld(engine=mind, floor=0), everything, FLOOR, at_once=AT_ONCE)
    recorded = _recorded(given)
    rivals = [await _forced(world, everything) for world in (AlwaysEmpty(), CopyLast(), NearestRecorded(recorded))]

    ways = {
        "teacher-forced": forced,
        f"teacher-forced, silent below {FLOOR:g}": sure,
        "closed loop": loop,
        f"closed loop, silent below {FLOOR:g}": sure_loop,
    }
    for kind in given.kinds:
        print(f"\n## {kind}\n")
        _print_ways(kind, ways)
        _print_depths(kind, forced, loop)
        _print_beside(kind, [forced, *rivals])
        print(f"\nCalls that are none of its world: {strange[kind]}")
    report = fidelity_report(forced, rivals, right="whole")
    for name in ("calibration error (ECE)", "AUROC of confidence", "AUROC of failure", "covered at 0.97 right"):
        print(f"\n{name}: {figure_text(report.figure(name))}")
    for path, write in ((given.html, to_html), (given.json, to_json)):
        if path is not None:
            path.write_text(write(report), encoding="utf-8")
    return _verdict(given.kinds, forced, loop, report.figure("calibration error (ECE)"))


async def _forced(world: Environment, real: Sequence[Real]) -> Measurement:
    return await measure(world, (one.transition for one in real), rules=STRICT, at_once=AT_ONCE)


def _recorded(given: argparse.Namespace) -> Iterator[Transition]:
    """Episodes of other seeds, in which nearest-recorded looks things up."""
    for kind in given.kinds:
        name = "shell-a" if kind == "shell" else kind
        yield from (one.transition for one in steps(fresh(name, given.recorded, 0, given.data)))


async def _abstained(mind: Foretell, examples: Sequence[Example]) -> str:
    world = EmbeddedWorld(engine=mind)
    asked = silent = 0
    for state, action in foreign(examples):
        asked += 1
        try:
            await world(state, action)
        except NotMyWorld:
            silent += 1
    return f"abstained from {silent} of {asked} ({silent / asked:.3f})" if asked else "none were asked"


# ---- tables ----


def _of(kind: str, measured: Measurement, changed: bool | None = None) -> list[Outcome]:
    return [one for one in measured.outcomes if one.domain == kind and changed in (None, one.changed)]


def _print_ways(kind: str, ways: dict[str, Measurement]) -> None:
    heads = ("asked", "changed", "calls", "answered", "exact answer", "exact change", "both", "both, of all asked")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for way, measured in ways.items():
        for changed, said in HALVES:
            part = _of(kind, measured, changed)
            cells = [
                answered(part),
                *(share(name, part) for name in ("exact", "change", "whole")),
                of_all("whole", part),
            ]
            print(f"| {way} | {said} | {len(part)} | {' | '.join(map(figure_text, cells))} |")


def _print_depths(kind: str, forced: Measurement, loop: Measurement) -> None:
    print("\n| steps before | teacher-forced: changed nothing | something | closed loop: changed nothing | something |")
    print("|---|---|---|---|---|")
    parts = [
        divided(_of(kind, measured, changed), lambda one: depth(one.index))
        for measured in (forced, loop)
        for changed, _ in HALVES
    ]
    for name in (depth(low) for low, _ in DEPTHS):
        cells = [share("whole", part.get(name, [])) for part in parts]
        if any(cell.n for cell in cells):
            print(f"| {name} | {' | '.join(f'{figure_text(cell)} of {cell.n}' for cell in cells)} |")


def _print_beside(kind: str, measured: Sequence[Measurement]) -> None:
    print("\n| world, teacher-forced | exact answer, changed nothing | something | both, changed nothing | something |")
    print("|---|---|---|---|---|")
    for one in measured:
        cells = [share(name, _of(kind, one, changed)) for name in ("exact", "whole") for changed, _ in HALVES]
        print(f"| {one.made_of['world']} | {' | '.join(map(figure_text, cells))} |")


def _verdict(kinds: Sequence[str], forced: Measurement, loop: Measurement, off: Figure) -> int:
    wanted: list[tuple[str, float | None, bool]] = []
    if "shell" in kinds:
        for changed, said in HALVES:
            for measured, way in ((forced, "teacher-forced"), (loop, "in a closed loop")):
                part = _of("shell", measured, changed)
                for name in ("exact", "change"):
                    value = share(name, part).value
                    met = value is not None and value >= EXACT
                    wanted.append((f"shell, {way}, {name}, changed {said}", value, met))
        deep = share("whole", [one for one in _of("shell", loop) if one.index >= 20]).value
        wanted.append(("shell, closed loop from step 20 on", deep, deep is not None and deep >= DEEP))
    wanted.append(("calibration error", off.value, off.value is not None and off.value <= OFF))
    print("\n| stated | measured | met |\n|---|---|---|")
    for what, value, met in wanted:
        print(f"| {what} | {'–' if value is None else f'{value:.3f}'} | {'yes' if met else 'NO'} |")
    return 0 if all(met for _, _, met in wanted) else 2


if __name__ == "__main__":
    sys.exit(main())
