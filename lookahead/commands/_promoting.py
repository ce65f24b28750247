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
        from lookahead.models.embedded.weights import is_weights

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
    from lookahead.models.embedded.weights import check, name_of
    from lookahead.train.small import contest, learned
    from lookahead.train.small.placing import check_place, kept_as, placed
    from lookahead.worlds.embedded.scene import KINDS

    new, into = Path(args.model), None if args.into is None else Path(args.into)
    if into is None and not args.dry_run:
        raise ConfigError("where to? --into DIR puts the new weights there if they are better; or say --dry-run")
    place, checkout = _in_use(args.instead_of, into)
    abouts = (check(place, readable=checkout is None), check(new))
    names = name_of(abouts[0]), name_of(abouts[1])
    if names[0] == names[1] and checkout is None:
        raise ConfigError(f"{new} and {_called(place)} are the same weights, {names[0]}")
    if into is not None:
        check_place(into, names[0])
    sides = (_side(place, names[0], checkout), _side(new, names[1]))
    seen = {side.name: learned.learned(about, side.name) for side, about in zip(sides, abouts, strict=True)}
    parts = learned.drawn(KINDS, args.episodes or contest.EPISODES, names, args.seed)
    proof = learned.proved(parts, seen)
    contest.at_hand(KINDS)

    asked = (contest.Asked(), contest.Asked())
    try:
        ground = _made(contest.executed, parts)
        for side, one in zip(sides, asked, strict=True):
            if not _ask(side, ground, one, args.right):
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


def _in_use(said: str | None, into: Path | None) -> tuple[Path | None, Path | None]:
    """The folder of the weights in use, None for those that come with Lookahead; and the checkout whose code runs
    them, None for this one."""
    from lookahead.models.embedded.weights import is_weights
    from lookahead.train.small.earlier import is_checkout, weights_of

    if said == SHIPPED:
        return None, None
    if said is None:
        return (into if into is not None and is_weights(into) else None), None
    if is_weights(Path(said)):
        return Path(said), None
    if is_checkout(Path(said)):
        return weights_of(Path(said)), Path(said)
    raise ConfigError(
        f"--instead-of {said}: there are no weights of the small world model (world.onnx, world.npz, tokens.json, "
        f"about.json); name a folder that holds them, a checkout of Lookahead, or {SHIPPED}"
    )


def _called(place: Path | None) -> str:
    return "what comes with Lookahead" if place is None else str(place)


def _side(place: Path | None, weights: str, checkout: Path | None = None) -> "Side":
    from lookahead.models.embedded.weights import load
    from lookahead.train.small.contest import here
    from lookahead.train.small.earlier import there
    from lookahead.worlds.embedded.shipped import trained

    name = f"{_called(checkout or place)} ({weights.rpartition(':')[2]})"
    if checkout is not None:
        return there(name, weights, checkout)
    return here(name, trained(load(place)))


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


def _ask(side: "Side", ground: "Ground", into: Any, right: str) -> bool:
    from lookahead.commands._measuring import Counting, run_to_the_end

    counting = Counting(safe(side.name), of=len(ground.real))

    def said(outcome: object) -> None:
        counting(getattr(outcome, right))

    ended = run_to_the_end(partial(side.ask, ground, into, said))
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
