"""What happens next to a line, drawn from a seed: the long leg of the soak, and its short cousin in the tests."""

import random

from line_model import APPROVER, CRITIC, EFFECTS, GATES, MILD, RULES, TOOL, WORLD, Rules
from line_rig import Rig


def drawn(bits: random.Random) -> tuple[dict[str, str], frozenset[str]]:
    """What one call will meet, and where it stops."""
    fates = {"world": WORLD, "critic": CRITIC, "approver": APPROVER, "tool": TOOL}
    met = {place: bits.choice(options) for place, options in fates.items()}
    return met, frozenset(gate for gate in GATES if bits.random() < 0.3)


def step(rig: Rig, bits: random.Random) -> None:
    """One more thing that happens to the line."""
    parked = any(call.parked for call in rig.live)
    options = {
        "propose": 30 if len(rig.live) < 6 else 0,
        "again": 10 if rig.calls and len(rig.live) < 6 else 0,
        "release": 40 if parked else 0,
        "cancel": 3 if rig.live else 0,
        "alter": 5 if rig.live else 0,
        "rules": 5,
        "grant": 4,
        "resolve": 2,
        "restart": 1,
        "crash": 2,
    }
    what = bits.choices(list(options), list(options.values()))[0]
    rig.count[what] += 1
    if what == "propose":
        name = f"call-{bits.randrange(6)}" if bits.random() < 0.4 else None
        words = [f"word-{bits.randrange(12)}"]
        rig.propose(bits.choice(list(EFFECTS)), words, *drawn(bits), name)
    elif what == "again":
        rig.again(bits.randrange(100), *drawn(bits))
    elif what == "release":
        rig.release(bits.randrange(100))
    elif what == "cancel":
        rig.cancel(bits.randrange(100))
    elif what == "alter":
        rig.alter(bits.randrange(100))
    elif what == "grant":
        rig.grant(bits.randrange(100))
    elif what == "resolve":
        rig.resolve(bits.randrange(100), bits.random() < 0.5)
    elif what == "rules":
        rig.told(rules_from(bits))
    else:
        rig.restart(crash=what == "crash")


def rules_from(bits: random.Random) -> Rules:
    return Rules(
        rules={name: bits.choice(RULES) for name in (*EFFECTS, MILD)},
        on_failure=bits.choice([None, None, "hold", "run"]),
        swap=bits.random() < 0.3,
        rival_is_bad=bits.random() < 0.3,
        impatient=bits.random() < 0.1,
        dry_run=bits.random() < 0.1,
        exact=bits.random() < 0.6,
        budget=bits.choice([None, None, 0, 3]),
    )


def many(rig: Rig, seed: int, steps: int) -> None:
    bits = random.Random(seed)
    for _ in range(steps):
        step(rig, bits)
