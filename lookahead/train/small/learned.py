"""What small weights learned from, by their own `about.json`; and the proof that drawn episodes are none of that.

An episode is made by its seed alone, so that seeds which neither recipe names are episodes that neither has seen. The
seeds that are drawn follow from the weights themselves: nobody chooses those on which the one looks better.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final, cast, get_args

from lookahead.errors import ConfigError
from lookahead.train.promote import Unseen
from lookahead.train.small.recipe import Part
from lookahead.worlds.embedded.scene import Kind

_LEAST: Final = 100_000_000
"""Seeds that are drawn lie far above those of a recipe."""
_SPAN: Final = 800_000_000
_SHA: Final = re.compile(r"[0-9a-f]{64}")
_NEXT: Final = "only weights as `lookahead train small` leaves them can be promoted"


def learned(about: Mapping[str, Any], name: str) -> tuple[Part, ...]:
    """All that weights were trained on, and that their confidence was fitted on. `ConfigError` where that is not told.

    `name` is what they are called in the message.
    """
    recipe = _inner(about, "recipe")
    parts, digests = _inner(recipe, "parts"), _inner(recipe, "digests")
    if not parts:
        raise ConfigError(f"{name}: about.json does not say which episodes they learned from; {_NEXT}")
    if recipe.get("trained") != about.get("training"):
        raise ConfigError(f"{name}: the recipe in about.json is not of these weights (another run's end); {_NEXT}")
    share = recipe.get("share", 1.0)
    if isinstance(share, bool) or not isinstance(share, int | float) or not share > 0:
        raise ConfigError(f"{name}: about.json says a share of {share!r} of its episodes; {_NEXT}")
    if lacking := [one for one in parts if not _SHA.fullmatch(str(digests.get(one, "")))]:
        raise ConfigError(f"{name}: about.json has no digest of {', '.join(lacking)}, which they learned from; {_NEXT}")
    if strange := sorted(set(digests) - set(parts)):
        raise ConfigError(f"{name}: about.json names data without its seeds: {', '.join(strange)}; {_NEXT}")
    found = [_part(one, parts[one], name) for one in parts]
    return tuple(replace(part, episodes=max(1, round(part.episodes * share))) for part in found)


def drawn(kinds: Sequence[Kind], episodes: int, names: tuple[str, str], seed: int | None = None) -> tuple[Part, ...]:
    """So many episodes of each kind. Without a seed, one that follows from the names of the two weights."""
    if seed is None:
        seed = _LEAST + int.from_bytes(sha256(" ".join(names).encode()).digest()[:8]) % _SPAN
    return tuple(Part(name=f"promotion-{kind}", kind=kind, seed=seed, episodes=episodes) for kind in kinds)


def proved(parts: Sequence[Part], seen: Mapping[str, Sequence[Part]]) -> Unseen:
    """That none of the drawn parts has an episode that any of these weights learned from: `seen` by their names.

    `ConfigError` where it has, since it would be measured for nothing.
    """
    for name, theirs in seen.items():
        for part in parts:
            if hit := next((one for one in theirs if _overlap(part, one)), None):
                raise ConfigError(
                    f"the drawn episodes of {part.kind} ({_seeds(part)}) are among those that {name} learned from "
                    f"({hit.name}: {_seeds(hit)}). Next: another --seed, or none"
                )
    told = "; ".join(f"{name} learned from {len(theirs)} parts, {_span(theirs)}" for name, theirs in seen.items())
    return Unseen(proved=True, how=f"{_span(parts)} of each kind, drawn for this; by about.json {told}")


def _part(name: str, said: object, weights: str) -> Part:
    told = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    kind, seed, episodes = told.get("kind"), told.get("seed"), told.get("episodes")
    numbers = all(isinstance(one, int) and not isinstance(one, bool) for one in (seed, episodes))
    if kind not in get_args(Kind) or not numbers or cast(int, episodes) < 1:
        raise ConfigError(f"{weights}: about.json says {said!r} of the part {name!r} that they learned from; {_NEXT}")
    return Part(name=name, kind=cast(Kind, kind), seed=cast(int, seed), episodes=cast(int, episodes))


def _overlap(one: Part, other: Part) -> bool:
    if one.kind != other.kind:
        return False
    if one.kind != "shell":  # there the seed is of the whole part, and its episodes are counted from the first
        return one.seed == other.seed
    return one.seed < other.seed + other.episodes and other.seed < one.seed + one.episodes


def _seeds(part: Part) -> str:
    if part.kind != "shell" or part.episodes == 1:
        return f"seed {part.seed:,}"
    return f"seeds {part.seed:,} to {part.seed + part.episodes - 1:,}"


def _span(parts: Sequence[Part]) -> str:
    """From the lowest seed to the highest."""
    ends = [part.seed + (part.episodes - 1 if part.kind == "shell" else 0) for part in parts]
    return f"seeds {min(part.seed for part in parts):,} to {max(ends):,}"


def _inner(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: object = said.get(name)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
