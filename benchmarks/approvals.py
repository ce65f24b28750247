"""Ten thousand altered approvals: a yes is to exactly one call, in one state, once, and not for long.

Each trial has one call approved, and then tries to get something through that is not that call: other values, other
types, other spellings, another tool, another state, too late, a second time, from two places at once, with forged
papers. A control group of unaltered calls (also with their keys in another order) must be accepted, once each.
"""

import argparse
import json
import random
import sys
import tempfile

import anyio
from approvals_altered import ATTACKS
from approvals_desk import STATE, Desk

from lookahead.journal import Journal
from lookahead.types import Action, Observation


async def control(desk: Desk) -> bool:
    """The very call, perhaps with its keys in another order: accepted."""
    action = desk.call()
    desk.approved(action)
    items = list(action.arguments.items())
    desk.chance.shuffle(items)
    again = Action.parse("send", json.dumps(dict(items), ensure_ascii=desk.chance.random() < 0.5, indent=1))
    # What only reads leaves the state as it was.
    state = STATE.then(Action(tool="look"), Observation(content="seen")) if desk.chance.random() < 0.5 else STATE
    return await desk.runs(again, state)


async def trials(desk: Desk, n: int, controls: int) -> None:
    names = list(ATTACKS)
    weights = [ATTACKS[name][0] for name in names]
    for place in range(n):
        # Each kind at least once, whatever is drawn.
        name = names[place] if place < len(names) else desk.chance.choices(names, weights)[0]
        desk.trials[name] += 1
        desk.accepted[name] += await ATTACKS[name][1](desk)
    for _ in range(controls):
        desk.trials["control"] += 1
        desk.accepted["control"] += await control(desk)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000, help="altered approvals (default 10,000)")
    parser.add_argument("--controls", type=int, help="unaltered ones (default: a tenth)")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    controls = given.controls if given.controls is not None else max(20, given.n // 10)
    with (
        tempfile.TemporaryDirectory(prefix="lookahead-approvals-") as folder,
        Journal(f"{folder}/journal.db") as journal,
    ):
        desk = Desk(journal, random.Random(given.seed))
        anyio.run(trials, desk, given.n, controls)
        verified = journal.verify().ok
    print(f"Altered approvals, seed {given.seed}\n")
    print("| altered | tried | accepted |\n|---|---|---|")
    for name in ATTACKS:
        print(f"| {name} | {desk.trials[name]:,} | {desk.accepted[name]:,} |")
    accepted = sum(desk.accepted[name] for name in ATTACKS)
    print(f"| **all** | **{sum(desk.trials[name] for name in ATTACKS):,}** | **{accepted:,}** |")
    print(f"| control: unaltered, keys in any order | {desk.trials['control']:,} | {desk.accepted['control']:,} |")
    good = not accepted and desk.accepted["control"] == desk.trials["control"] and verified
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
