"""A million steps of the machine that does to a line whatever can be done to it.

Steps are drawn in two ways: by Hypothesis's own stateful machine, which looks for odd sequences, and by a seeded
generator over the same rig and the same model, which wastes no time on bookkeeping. A step is one thing that happens:
a proposal, a gate opened, a call cancelled or altered, new rules, an approval, a restart, a crash.
"""

import argparse
import logging
import os
import sys
import time
from collections import Counter
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "line"), str(ROOT / "tests")]


def lives(seed: int, steps: int, backend: str) -> tuple[Counter[str], str]:
    """So many steps, in lives of a few hundred each; what happened, and the first violation."""
    from line_chance import many
    from line_rig import Rig, close_portal, portal

    # Every crash of the machine is told of; here that would be a million lines.
    logging.disable()
    count: Counter[str] = Counter()
    life = 0
    try:
        while count["steps"] < steps:
            rig = Rig(portal(backend))
            each = min(300, steps - count["steps"])
            try:
                many(rig, seed + life, each)
                rig.close()
            except Exception as error:
                rig.abandon()
                return count, f"seed {seed + life}: {type(error).__name__}: {error}"
            count.update(rig.count)
            count["steps"] += each
            count["lives"] += 1
            life += 1
    finally:
        close_portal()
    return count, ""


def drawn_by_hypothesis(seed: int, steps: int) -> tuple[Counter[str], str]:
    """The same rig, driven by Hypothesis; a step is one rule."""
    from hypothesis import HealthCheck, Phase, settings
    from hypothesis import seed as seeded
    from hypothesis.stateful import run_state_machine_as_test
    from line_rig import close_portal
    from test_line_machine import LineMachine

    logging.disable()
    count: Counter[str] = Counter()

    class Counted(LineMachine):
        def teardown(self) -> None:
            super().teardown()
            count.update(self.rig.count)
            count["steps"] += self.rig.steps
            count["lives"] += 1

    each = 50
    try:
        while count["steps"] < steps:
            chosen = settings(
                max_examples=min(200, (steps - count["steps"]) // each + 1),
                stateful_step_count=each,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate],
                print_blob=False,
            )
            try:
                run_state_machine_as_test(seeded(seed + count["lives"])(Counted), settings=chosen)
            except Exception as error:
                return count, f"hypothesis, seed {seed + count['lives']}: {type(error).__name__}: {error}"
    finally:
        close_portal()
    return count, ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hypothesis", type=float, default=0.5, help="the share drawn by Hypothesis (default 0.5)")
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    started = time.monotonic()
    odd = int(given.steps * given.hypothesis)
    pieces = max(1, (given.steps - odd) // 20_000)
    each = -(-(given.steps - odd) // pieces)
    count: Counter[str] = Counter()
    wrong: list[str] = []
    # Small pieces in processes of their own: what one of them leaks, it takes with it.
    with get_context("spawn").Pool(given.workers, maxtasksperchild=1) as pool:
        jobs = [
            pool.apply_async(lives, (given.seed + 1_000_000 * piece, each, "trio" if piece % 4 == 3 else "asyncio"))
            for piece in range(pieces)
        ]
        parts = max(1, odd // 5_000) if odd else 0
        jobs += [pool.apply_async(drawn_by_hypothesis, (given.seed + part, -(-odd // parts))) for part in range(parts)]
        for job in jobs:
            found, violation = job.get()
            count.update(found)
            if violation:
                wrong.append(violation)
            if sys.stderr.isatty() or os.environ.get("CI"):
                print(f"… {count['steps']:,} steps", file=sys.stderr, flush=True)
    seconds = time.monotonic() - started
    print(f"Steps on a line, seed {given.seed}: {count['steps'] / seconds:,.0f} a second\n")
    print("| what | number |\n|---|---|")
    for what, number in count.most_common():
        print(f"| {what} | {number:,} |")
    print(f"| **violations** | **{len(wrong)}** |")
    for violation in wrong[:10]:
        print(f"\n{violation}", file=sys.stderr)
    return 1 if wrong or count["steps"] < given.steps else 0


if __name__ == "__main__":
    sys.exit(main())
