"""`lookahead train promote`: put a checkpoint into use, where it is shown to be better."""

import argparse
from typing import Any, Final

from lookahead.commands._listing import emit, table, when
from lookahead.commands._reporting import outputs, put
from lookahead.errors import ConfigError
from lookahead.show import safe

EXAMPLE: Final = """\
Of checkpoints the outcomes are given, measured with lookahead eval fidelity
--outcomes FILE on the pool that no stage learns from. Weights of the small
world model (train small) are measured here, on calls really made for that.

exit codes: 0 it is in use, 1 error, 2 it is not better, and why

examples:
  lookahead train promote runs/rl/model --before before.jsonl \\
      --after after.jsonl --pools pools --html promotion.html
  lookahead train promote small/weights --instead-of shipped --into mine
"""
MODELS: Final = "models"
RIGHT: Final = ("whole", "exact", "normalised")


def register(subparsers: Any) -> None:
    summary = "put a checkpoint into use where it is shown to be better"
    parser = subparsers.add_parser(
        "promote",
        help=summary,
        description=f"{summary.capitalize()}.",
        epilog=EXAMPLE,
        usage="lookahead train promote MODEL [options]",
    )
    say = parser.add_argument
    say("model", nargs="?", metavar="MODEL", help=argparse.SUPPRESS)
    say("--models", metavar="DIR", help="where `current` links to what is in use (models)")
    say("--before", metavar="FILE", help="outcomes of the checkpoint in use")
    say("--after", metavar="FILE", help="outcomes of the new one, on the same transitions")
    say("--pools", metavar="DIR", help="the pools, which prove that neither has seen them")
    say("--instead-of", metavar="DIR", help="small weights in use (--into's, else `shipped`)")
    say("--into", metavar="DIR", help="where small weights go; those there are kept beside")
    say("--episodes", type=_count, metavar="N", help="of each kind, really made for small weights (25)")
    say("--seed", type=int, metavar="N", help="of these, where not drawn by both weights")
    say("--right", choices=RIGHT, default="whole", metavar="WHAT", help="whole, exact or normalised (whole)")
    say("--dry-run", action="store_true", help="say what would be, and change nothing")
    say("--first", action="store_true", help="nothing is in use yet, so nothing is compared")
    say("--back", nargs="?", type=int, const=0, metavar="N", help="go back one promotion, or to number N")
    say("--history", action="store_true", help="what was in use, and when")
    outputs(parser)
    parser.set_defaults(run=run)


def _count(text: str) -> int:
    from lookahead.commands._measuring import positive

    return positive(int)(text)


def run(args: argparse.Namespace) -> int:
    from lookahead.commands._promoting import is_small, promote_small
    from lookahead.train.current import Current

    if is_small(args):
        return promote_small(args)
    args.models = args.models or MODELS
    models = Current(args.models)
    if args.history:
        return _history(args, models)
    if args.back is not None:
        made = models.back(args.back or None)
        print(f"In use again: {safe(made.model)} (promotion {made.number}, as {made.same_as})")
        return 0
    if args.model is None:
        raise ConfigError("promote what? name the checkpoint's folder, such as runs/rl/model")
    if args.first:
        made = models.put(args.model, "first")
        print(f"In use: {safe(made.model)} (promotion {made.number}, compared with nothing)")
        return 0
    return _promote(args, models)


def _promote(args: argparse.Namespace, models: Any) -> int:
    from lookahead.evaluate.kept import read_outcomes
    from lookahead.train.promote import Unseen, judge
    from lookahead.train.unseen import unseen

    for name in ("before", "after"):
        if getattr(args, name) is None:
            raise ConfigError(
                f"--{name} is missing: outcomes are measured with lookahead eval fidelity --outcomes FILE; where "
                "nothing is in use yet, say --first"
            )
    in_use, now = models.model(), models.promotion()
    if now is None or in_use is None:
        raise ConfigError(f"nothing is in use in {args.models}: put the first one there with --first")
    before, after = read_outcomes(args.before), read_outcomes(args.after)
    if args.pools is None:
        proof = Unseen(proved=False, how="no --pools were given")
    else:
        proof = unseen(after, args.pools, (in_use, args.model))
    found = judge(before, after, unseen=proof, right=args.right, names=(str(in_use), str(args.model)))
    put(args, found.report)
    if not found.promoted:
        return 2
    if not args.dry_run:
        made = models.put(args.model, "better", found.report.to_json(), expected=now.number)
        print(f"In use: {safe(made.model)} (promotion {made.number} in {safe(args.models)})")
    return 0


def _history(args: argparse.Namespace, models: Any) -> int:
    found = models.history()
    if args.json is not None:
        emit("promotions", {"promotions": [one.model_dump(mode="json") for one in found]})
    elif not found:
        print(f"Nothing was ever promoted in {safe(args.models)}.")
    else:
        rows = [[str(one.number), when(one.at), one.reason, one.model, one.digest[:12]] for one in found]
        table(["", "when", "why", "checkpoint", "digest"], rows, right=frozenset({0}))
    return 0
