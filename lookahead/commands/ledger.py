"""`lookahead ledger`: how often each world was right about each tool, and what it may therefore do."""

import argparse
from typing import Any, Final

from lookahead.commands._listing import common, emit, opened, table
from lookahead.ledger import Ledger, Standing
from lookahead.settings import Settings

EXAMPLE: Final = """\
A world that copies reality starts trusted, and loses that when its record says
so; a world model starts with no record and earns what it may do. What counts is
the bound: the lower end of a 95 % interval.

example:
  lookahead ledger
  lookahead ledger --tool shell --json
"""


def register(subparsers: Any) -> None:
    summary = "how often what was imagined turned out true"
    parser = subparsers.add_parser("ledger", help=summary, description=summary.capitalize() + ".", epilog=EXAMPLE)
    common(parser)
    parser.add_argument("--tool", help="only this tool")
    parser.add_argument("--world", help="only this world")
    parser.add_argument(
        "--veto", type=share, metavar="SHARE", help="the bound from which a world may veto (the policy's)"
    )
    parser.add_argument("--swap", type=share, metavar="SHARE", help="the bound from which it may swap (the policy's)")
    parser.set_defaults(run=run)


def share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0 and 1")
    return value


def run(args: argparse.Namespace) -> int:
    trust = Settings.found().policy.trust
    veto = trust.veto if args.veto is None else args.veto
    swap = trust.swap if args.swap is None else args.swap
    with opened(args) as journal:
        standings = [
            one
            for one in Ledger(journal).standings()
            if args.tool in (None, one.tool) and args.world in (None, one.world)
        ]
    lines = [line for one in standings for changed in (False, True) if (line := _line(one, changed, veto, swap))]
    if args.json:
        emit("ledger", {"veto": veto, "swap": swap, "standings": lines})
        return 0
    if not lines:
        print("Nothing that was imagined has been compared with what happened yet.")
        return 0
    heads = ["tool", "world", "calls that", "trials", "agreed", "rate", "bound", "may"]
    rows = [
        [
            line["tool"],
            line["world"],
            "change" if line["changed"] else "only look",
            str(line["trials"]),
            str(line["agreed"]),
            f"{line['rate']:.2f}",
            f"{line['bound']:.2f}",
            line["may"],
        ]
        for line in lines
    ]
    table(heads, rows, right=frozenset({3, 4, 5, 6}))
    print(f"\nmay: veto from a bound of {veto:g}, swap from {swap:g}. A copy of reality starts trusted.")
    return 0


def _line(standing: Standing, changed: bool, veto: float, swap: float) -> dict[str, Any] | None:
    count = standing.count(changed)
    if not count.trials:
        return None
    bound = standing.bound(changed)
    return {
        "tool": standing.tool,
        "world": standing.world,
        "changed": changed,
        "trials": count.trials,
        "agreed": count.agreed,
        "rate": round(standing.rate(changed), 6),
        "bound": round(bound, 6),
        "may": may(bound, veto, swap),
    }


def may(bound: float, veto: float, swap: float) -> str:
    """What follows from a bound for a world that has to earn it."""
    earned = [name for name, needed in (("veto", veto), ("swap", swap)) if bound >= needed]
    return ", ".join([*earned, "ask", "warn"])
