"""Two small world models asked about the same really made calls, so that the rule of promotion can decide."""

import shutil
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from lookahead import __version__
from lookahead.errors import ConfigError, LookaheadError, NotMyWorld, WorldError, boundary
from lookahead.evaluate.calibration import ece
from lookahead.evaluate.fidelity import Measurement, at_most, measure
from lookahead.evaluate.fidelity_figures import pairs
from lookahead.evaluate.figures import Figure
from lookahead.evaluate.outcomes import Outcome
from lookahead.evaluate.report import Cell, Report, Table
from lookahead.evaluate.splits import Right, answered, share
from lookahead.train.promote import Judgement, Unseen, judge
from lookahead.train.small.example import Example
from lookahead.train.small.real import STRICT, Forced, Real, foreign, steps
from lookahead.train.small.recipe import Part
from lookahead.types import Action, State
from lookahead.worlds.embedded.foretelling import Foretell
from lookahead.worlds.embedded.scene import Kind
from lookahead.worlds.embedded.world import FLOOR, EmbeddedWorld

EPISODES: Final = 25
"""Of each kind."""
AT_ONCE: Final = 8
_PLACES: Final = "/usr/bin:/bin"
"""Where the shell of an episode looks for programs."""

Made: TypeAlias = Callable[[Kind, int, int], object]
"""Told on the way: of this kind so many episodes, and calls."""


@dataclass(kw_only=True)
class Ground:
    """What was really done, and what is asked about it."""

    real: list[Real] = field(default_factory=list[Real])
    strange: list[tuple[State, Action]] = field(default_factory=list[tuple[State, Action]])
    """Calls that are none of its world."""


@dataclass(kw_only=True)
class Asked:
    """What one of the two said."""

    measured: Measurement = field(default_factory=lambda: Measurement(made_of={}))
    silent: int = 0
    """About so many of the calls that are none of its world it said nothing."""
    seconds: float = 0.0


class Ask(Protocol):
    """Asks about every call, and counts about how many of those that are none of its world nothing is said."""

    async def __call__(
        self, ground: Ground, into: Asked, progress: Callable[[Outcome], object] | None = None, /
    ) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two."""

    name: str
    """As the report calls it."""
    weights: str
    ask: Ask


def here(name: str, mind: Foretell) -> Side:
    """Weights that this version runs."""
    return Side(name=name, weights=mind.name, ask=partial(_ask, mind))


def at_hand(kinds: Sequence[Kind]) -> None:
    """`ConfigError` where something is missing that the episodes of a kind are really made with."""
    from lookahead.train.small.server import command

    if "shell" in kinds:
        for program in ("bash", "git"):
            if shutil.which(program, path=_PLACES) is None:
                raise ConfigError(f"shell episodes are really run, and {program} is not in {_PLACES}: install it")
    if "files" in kinds:
        try:
            command(Path())
        except FileNotFoundError as missing:
            raise ConfigError(f"files episodes are really made by the reference server: {missing}") from missing


def executed(parts: Sequence[Part], made: Made | None = None) -> Ground:
    """Really make the calls of these episodes, each in a copy of what is there."""
    ground = Ground()
    for part in parts:
        count = calls = 0
        with boundary(WorldError, f"making the calls of the {part.kind} episodes"), closing(_examples(part)) as found:
            for _, group in groupby(found, key=lambda example: example.episode):
                episode = list(group)
                real = list(steps(episode))
                ground.real += real
                ground.strange += foreign(episode)
                count, calls = count + 1, calls + len(real)
                if made is not None:
                    made(part.kind, count, calls)
    return ground


def _examples(part: Part) -> Generator[Example]:
    yield from part.examples()


async def _ask(
    mind: Foretell, ground: Ground, into: Asked, progress: Callable[[Outcome], object] | None = None
) -> None:
    """It is told the true scene before each call.

    It answers whatever its confidence: being unsure is no merit where the rule counts what is right.
    """
    began = time.monotonic()
    await measure(
        Forced(EmbeddedWorld(engine=mind, floor=0), 0.0),
        (one.transition for one in ground.real),
        rules=STRICT,
        at_once=AT_ONCE,
        progress=progress,
        into=into.measured,
    )
    into.seconds = time.monotonic() - began
    world = EmbeddedWorld(engine=mind)

    async def strange(call: tuple[State, Action]) -> None:
        try:
            await world(*call)
        except NotMyWorld:
            into.silent += 1
        except LookaheadError:
            return  # a failure is no answer, and no wise silence either

    await at_most(ground.strange, strange, AT_ONCE)


def decided(
    sides: tuple[Side, Side],
    asked: tuple[Asked, Asked],
    ground: Ground,
    *,
    unseen: Unseen,
    parts: Sequence[Part],
    right: Right = "whole",
) -> Judgement:
    """The rule on what both said: the one in use first. Each kind is a domain."""
    before, after = (one.measured.outcomes for one in asked)
    _all_answered(sides, asked)
    found = judge(before, after, unseen=unseen, right=right, names=(sides[0].name, sides[1].name))
    made_of: Mapping[str, Any] = {
        **found.report.made_of,
        "weights": [side.weights for side in sides],
        "seed": parts[0].seed,
        "episodes of each kind": parts[0].episodes,
        "calls": len(ground.real),
        "lookahead": __version__,
    }
    tables = (*found.report.tables, _as_met(sides, asked, len(ground.strange), right))
    report: Report = found.report.model_copy(update={"made_of": dict(made_of), "tables": tables})
    return found.model_copy(update={"report": report})


def _all_answered(sides: tuple[Side, Side], asked: tuple[Asked, Asked]) -> None:
    """A model that breaks is no model that is wrong."""
    for side, one in zip(sides, asked, strict=True):
        failed = [outcome for outcome in one.measured.outcomes if outcome.status == "failed"]
        if failed and len(failed) == len(one.measured.outcomes):
            raise ConfigError(f"{side.name} answers nothing: {failed[0].error}")


def _as_met(sides: tuple[Side, Side], asked: tuple[Asked, Asked], strange: int, right: Right) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for side, one in zip(sides, asked, strict=True):
        outcomes = one.measured.outcomes
        sure = [outcome for outcome in outcomes if outcome.status == "answered" and (outcome.confidence or 0) >= FLOOR]
        told = [outcome for outcome in outcomes if outcome.status == "answered"]
        off = ece(*pairs(told, right))
        said = {id(outcome) for outcome in sure}
        met = [
            outcome if id(outcome) in said else outcome.model_copy(update={"status": "abstained"})
            for outcome in outcomes
        ]
        rows.append(
            (
                side.name,
                answered(met),
                share(right, sure),
                Figure(value=off, n=len(told), digits=3, better="lower"),
                f"{one.silent} of {strange}",
                round(len(outcomes) / one.seconds) if one.seconds else "",
            )
        )
    return Table(
        title=f"As they are met: silent below {FLOOR:g}",
        heads=("weights", "answered", "right of these", "off (ECE)", "silent on others' calls", "calls a second"),
        rows=tuple(rows),
        note="Beside the rule, which asks for answers of any confidence. Off: how far stated confidence is from right.",
    )
