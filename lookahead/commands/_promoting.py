"""`lookahead train promote` where what is promoted are weights of the small world model: both are measured here."""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lookahead.errors import ConfigError
from lookahead.show import safe

if TYPE_CHECKING:
    from lookahead.train.small.contest import Ground, Side

SHIPPED: Final = "shipped"
STOPPED: Final = 130
ELSEWHERE: Final = ("models", "before", "after", "pools", "first", "back", "history")
"""Options that are for checkpoints which an engine serves."""
HERE: Final = ("instead_of", "into", "episodes", "seed")
"""Options that are for small weights."""


def is_small(args: argparse.Namespace) -> bool:
    """Whether MODEL is a folder of small weights. `ConfigError` for options that do not go with what it is."""
    given = [name for name in HERE if getattr(args, name) is not None]
    if args.model is not None:
        from lookahead.train.small.placing import is_weights

        model = Path(args.model)
        if is_weights(model):
            if wrong := [name for name in ELSEWHERE if _is_given(getattr(args, name))]:
                raise ConfigError(
                    f"--{wrong[0]} is for checkpoints that an engine serves; {model} holds weights of the small world "
                    "model, which are measured here: leave it out"
                )
            return True
        if is_weights(model / "weights"):
            raise ConfigError(f"{model} is where small weights were made: they are in {model / 'weights'}")
    if given:
        raise ConfigError(
            f"--{given[0].replace('_', '-')} is for weights of the small world model, a folder with world.onnx, "
            f"world.npz, tokens.json and about.json; {args.model or 'nothing'} was named"
        )
    return False


def _is_given(value: object) -> bool:
    return value is not None and value is not False


def promote_small(args: argparse.Namespace) -> int:
    from lookahead.commands._reporting import put
    from lookahead.models.embedded.weights import check
    from lookahead.train.small import contest, learned
    from lookahead.train.small.placing import check_place, kept_as, placed
    from lookahead.worlds.embedded.scene import KINDS

    new, into = Path(args.model), None if args.into is None else Path(args.into)
    if into is None and not args.dry_run:
        raise ConfigError("where to? --into DIR puts the new weights there if they are better; or say --dry-run")
    place = _in_use(args.instead_of, into)
    abouts = (check(place), check(new))
    sides = (_side(place), _side(new))
    names = sides[0].mind.name, sides[1].mind.name
    if names[0] == names[1]:
        raise ConfigError(f"{new} and {_called(place)} are the same weights, {names[0]}")
    if into is not None:
        check_place(into, names[0])
    seen = {side.name: learned.learned(about, side.name) for side, about in zip(sides, abouts, strict=True)}
    parts = learned.drawn(KINDS, args.episodes or contest.EPISODES, names, args.seed)
    proof = learned.proved(parts, seen)
    contest.at_hand(KINDS)

    asked = (contest.Asked(), contest.Asked())
    try:
        ground = _made(contest.executed, parts)
        for side, one in zip(sides, asked, strict=True):
            if not _ask(contest.ask, side, ground, one, args.right):
                return _stopped()
    except KeyboardInterrupt:
        return _stopped()
    found = contest.decided(sides, asked, ground, unseen=proof, parts=parts, right=args.right)
    put(args, found.report)
    if not found.promoted:
        return 2
    if into is None or args.dry_run:
        print(f"Nothing was changed. Put them into use: the same line with --into {safe(str(into or 'DIR'))}")
        return 0
    facts = {"instead_of": names[0], **_facts(found.report)}
    made = placed(new, into, found.report, facts, measured=names[1], instead_of=names[0])
    print(f"In use: {safe(str(made))} holds {names[1]}, and the report is beside it: {safe(str(made))}.promotion.html")
    if (before := kept_as(made, names[0])).exists():
        print(f"Those before are kept: {safe(str(before))}")
    return 0


def _in_use(said: str | None, into: Path | None) -> Path | None:
    """The folder of the weights in use; None for those that come with Lookahead."""
    from lookahead.train.small.placing import is_weights

    if said == SHIPPED:
        return None
    if said is None:
        return into if into is not None and is_weights(into) else None
    if not is_weights(Path(said)):
        raise ConfigError(
            f"--instead-of {said}: there are no weights of the small world model (world.onnx, world.npz, tokens.json, "
            f"about.json); name a folder that holds them, or {SHIPPED}"
        )
    return Path(said)


def _called(place: Path | None) -> str:
    return "what comes with Lookahead" if place is None else str(place)


def _side(place: Path | None) -> "Side":
    from lookahead.models.embedded.weights import load
    from lookahead.train.small.contest import Side
    from lookahead.worlds.embedded.shipped import trained

    mind = trained(load(place))
    return Side(name=f"{_called(place)} ({mind.name.rpartition(':')[2]})", mind=mind)


def _made(execute: Callable[..., "Ground"], parts: Any) -> "Ground":
    from lookahead.commands._measuring import Telling

    telling = {part.kind: Telling() for part in parts}
    wanted = {part.kind: part.episodes for part in parts}

    def made(kind: str, episodes: int, calls: int) -> None:
        def line() -> str:
            return f"{kind}: {episodes} of {wanted[kind]} episodes, {calls:,} calls really made"

        if episodes < wanted[kind]:
            telling[kind].now(line)
        else:
            telling[kind].done(line, always=True)

    return execute(parts, made)


def _ask(ask: Callable[..., Any], side: "Side", ground: "Ground", into: Any, right: str) -> bool:
    from lookahead.commands._measuring import Counting, run_to_the_end

    counting = Counting(safe(side.name), of=len(ground.real))

    def said(outcome: object) -> None:
        counting(getattr(outcome, right))

    ended = run_to_the_end(partial(ask, side, ground, into, said))
    counting.done()
    return ended


def _stopped() -> int:
    print("stopped: nothing was decided, and nothing was changed", file=sys.stderr)
    return STOPPED


def _facts(report: Any) -> dict[str, Any]:
    """What `about.json` keeps of why they were promoted."""
    made_of = report.made_of
    gains = {
        name: {"value": round(one.value, 6), "low": one.low, "high": one.high}
        for name, one in report.figures.items()
        if one.value is not None
    }
    kept = ("seed", "episodes of each kind", "calls", "right", "lookahead")
    return {**{name: made_of[name] for name in kept}, "gains": gains}
