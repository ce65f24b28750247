"""`lookahead train small`: makes the small world model that comes with Lookahead, from nothing."""

import argparse
import os
from pathlib import Path
from typing import Any, Final

EXAMPLE: Final = """\
Really makes calls in scratch folders, databases, servers and services, learns
what comes of them, and writes weights that world="embedded" runs on a CPU.
Goes on where it was interrupted. The release was made by the command without
options beside --out: about 90 minutes on two cores.

examples:
  lookahead train small --out small
  lookahead train small --out look --share 0.02 --minutes 2 --size tiny
"""


def register(subparsers: Any) -> None:
    summary = "make the small world model that runs without a GPU"
    told = f"{summary[0].upper()}{summary[1:]}."
    parser = subparsers.add_parser("small", help=summary, description=told, epilog=EXAMPLE)
    say = parser.add_argument
    say("--out", required=True, type=Path, metavar="DIR", help="data, checkpoint and weights go there")
    say("--size", default="3M", metavar="SIZE", help="tiny, 3M, 5M, 10M, 30M or 100M (default: 3M)")
    say("--minutes", type=float, default=76.0, metavar="N", help="of training (default: 76)")
    say("--share", type=float, default=1.0, metavar="X", help="of the recipe's episodes (default: 1)")
    say("--seed", type=int, default=0, metavar="N", help="another beginning (default: 0)")
    say("--processes", type=int, metavar="N", help="that train together (default: one a core, at most 2)")
    say("--device", default="cpu", metavar="NAME", help="cpu or cuda (default: cpu)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from lookahead.errors import ConfigError
    from lookahead.show import safe
    from lookahead.train.libraries import torch
    from lookahead.train.small.model import SIZES
    from lookahead.train.small.recipe import Recipe, main

    if args.size not in SIZES:
        raise ConfigError(f"--size {args.size!r} is none of {', '.join(SIZES)}")
    if args.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: torch sees no GPU here. Next: leave it out, or install a torch for this GPU")
    if not (args.minutes > 0 and args.share > 0):
        raise ConfigError("--minutes and --share are above 0")
    recipe = Recipe(
        out=args.out,
        size=args.size,
        minutes=args.minutes,
        share=args.share,
        seed=args.seed,
        device=args.device,
        processes=args.processes or (min(2, len(os.sched_getaffinity(0))) if args.device == "cpu" else 1),
    )
    weights = main(recipe, lambda text: print(safe(text), flush=True))
    print(f"better than those that ship? lookahead train promote {safe(str(weights))} --dry-run")
    return 0
