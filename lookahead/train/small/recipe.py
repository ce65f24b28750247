"""How the small world model that ships was made, from nothing: data, alphabet, training, export, confidence.

    lookahead train small --out FOLDER

Each step leaves a file and is left out where the file is there, so that it goes on after an interruption. The episodes
that confidence is fitted on, and those that are kept for measuring, come from seeds of their own: no name is in both.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from lookahead.errors import ConfigError
from lookahead.train.small.example import Example, line, read
from lookahead.worlds.embedded.scene import KINDS, Kind

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One file of examples."""

    name: str
    kind: Kind
    seed: int
    episodes: int
    hard: bool = False
    """Shell episodes with more of what is rare."""

    def examples(self) -> Iterator[Example]:
        if self.kind == "shell":
            return _shell(self)
        return _further(self.kind, self.seed, self.episodes)


LEARNED: Final = (
    Part(name="shell-a", kind="shell", seed=1_000_000, episodes=1_022),
    Part(name="shell-b", kind="shell", seed=1_100_000, episodes=1_045),
    Part(name="shell-hard", kind="shell", seed=1_200_000, episodes=500, hard=True),
    Part(name="keys", kind="keys", seed=1, episodes=240),
    Part(name="tickets", kind="tickets", seed=1, episodes=240),
    Part(name="sqlite", kind="sqlite", seed=1, episodes=360),
    Part(name="files", kind="files", seed=1, episodes=360),
)
FITTED: Final = tuple(
    Part(name=f"calibration-{kind}", kind=kind, seed=5_000_000 if kind == "shell" else 501, episodes=120)
    for kind in KINDS
)
MEASURED: Final = tuple(
    Part(name=f"heldout-{kind}", kind=kind, seed=9_000_000 if kind == "shell" else 1_001, episodes=200)
    for kind in KINDS
)
_SAMPLED: Final = 2_500
"""Scenes of each file from which the alphabet is learned."""
_ROOM: Final = 600
"""Tokens of the longest scene that the model is asked about: longer ones were hardly ever seen in training."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    out: Path
    minutes: float = 76.0
    size: str = "3M"
    seed: int = 0
    device: str = "cpu"
    processes: int = 2
    """That train together, where there are as many cores."""
    share: float = 1.0
    """Of the episodes: a fraction makes a small model for a look, more than one makes a larger one's data."""
    length: int = 768
    rows: int = 4

    @property
    def data(self) -> Path:
        return self.out / "data"

    @property
    def weights(self) -> Path:
        return self.out / "weights"


def main(recipe: Recipe, say: Say = print) -> Path:
    """Make it all, and return the folder of weights. What is there already is not made again."""
    from lookahead.train.small import calibrate, export, loop

    for part in (*LEARNED, *FITTED):
        gathered(part, recipe, say)
    alphabet(recipe, say)
    checkpoint = recipe.out / "checkpoint"
    if not (checkpoint / "done").exists():
        loop.launched(
            loop.SmallConfig(
                data=tuple(_file(part, recipe) for part in LEARNED),
                out=checkpoint,
                tokens=recipe.out / "tokens.json",
                size=recipe.size,
                minutes=recipe.minutes,
                seed=recipe.seed,
                device=recipe.device,
                length=recipe.length,
                rows=recipe.rows,
                compiled=recipe.device != "cpu",
            ),
            recipe.processes,
            say,
        )
        (checkpoint / "done").touch()
    sizes = export.export(checkpoint, recipe.weights)
    say(f"weights: {', '.join(f'{name} {size / 1e6:.1f} MB' for name, size in sizes.items())}")
    export.tell(
        recipe.weights, {"recipe": _said(recipe), "room": _ROOM, "commands": calibrate.commands(_all(LEARNED, recipe))}
    )
    try:
        export.tell(recipe.weights, {"calibration": calibrate.fitted(recipe.weights, _all(FITTED, recipe), say)})
    except ConfigError as cause:
        say(f"its confidence is its own probability, fitted to nothing: {cause}")
    say(f"done: {recipe.weights}")
    return recipe.weights


def gathered(part: Part, recipe: Recipe, say: Say) -> Path:
    """The file of a part, made where it is not there: a half-made one has another name."""
    path = _file(part, recipe)
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    new, began, count, shown = path.with_suffix(".new"), time.monotonic(), 0, time.monotonic()
    wanted = max(1, round(part.episodes * recipe.share))
    with new.open("w", encoding="utf-8") as out:
        for example in replace(part, episodes=wanted).examples():
            out.write(line(example) + "\n")
            count += len(example.branches)
            if time.monotonic() - shown > 10:
                shown = time.monotonic()
                say(f"{part.name}: {count:,} calls really made, {shown - began:.0f} s, {example.episode}")
    new.replace(path)
    say(f"{part.name}: {count:,} calls really made, {time.monotonic() - began:.0f} s")
    return path


def alphabet(recipe: Recipe, say: Say) -> Path:
    from lookahead.models.embedded.tokens import Tokens
    from lookahead.train.small.vocabulary import learned

    path = recipe.out / "tokens.json"
    if not path.exists():
        found = chain.from_iterable(islice(read(_file(part, recipe)), _SAMPLED) for part in LEARNED)
        merges = learned(found)
        path.write_text(Tokens.from_merges(merges).written())
        say(f"alphabet: {len(merges)} merges")
    return path


def part(name: str) -> Part:
    """A part by its name; for measuring, and for looking at data."""
    for found in (*LEARNED, *FITTED, *MEASURED):
        if found.name == name:
            return found
    raise ConfigError(
        f"no part of the recipe is called {name!r}: {', '.join(one.name for one in MEASURED)} are for measuring"
    )


def _file(part: Part, recipe: Recipe) -> Path:
    return recipe.data / f"{part.name}.jsonl"


def _all(parts: tuple[Part, ...], recipe: Recipe) -> Iterator[Example]:
    return chain.from_iterable(read(_file(part, recipe)) for part in parts)


def _said(recipe: Recipe) -> Mapping[str, Any]:
    """What somebody needs to make it again, and to see that it is the same."""
    files = {part.name: sha256(_file(part, recipe).read_bytes()).hexdigest() for part in (*LEARNED, *FITTED)}
    parts = {part.name: _seeds(part) for part in (*LEARNED, *FITTED)}
    about = json.loads((recipe.out / "checkpoint" / "about.json").read_text())
    options = f"--size {recipe.size} --minutes {recipe.minutes:g} --seed {recipe.seed}"
    return {
        "command": f"lookahead train small --out DIR {options}",
        "parts": parts,
        "digests": files,
        "trained": about,
        "share": recipe.share,
    }


def _seeds(part: Part) -> dict[str, Any]:
    hard = {"hard": True} if part.hard else {}
    return {"kind": part.kind, "seed": part.seed, "episodes": part.episodes, **hard}


def _shell(part: Part) -> Iterator[Example]:
    from lookahead.train.small import shell

    made = shell.Shell()
    try:
        for number in range(part.seed, part.seed + part.episodes):
            yield from shell.episode(number, made, hard=part.hard)
    finally:
        made.close()


def _further(kind: Kind, seed: int, episodes: int) -> Iterator[Example]:
    from lookahead.train.small import domains

    with domains.opened(kind) as domain:
        yield from domains.limited(domains.examples(domain, seed), episodes=episodes)
