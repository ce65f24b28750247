"""Which command lines a small model was trained on, and what its probabilities are worth: measured, not promised.

Both go into `about.json`. The confidence is fitted on episodes that the model has not seen: a score is made of its
token probabilities (a logistic regression), and a rising table says how often answers with such a score were exact.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from lookahead.errors import ConfigError, NotMyWorld
from lookahead.train.small.example import Branch, Example
from lookahead.worlds.embedded.confidence import FEATURES, Calibration, features
from lookahead.worlds.embedded.effects import applied
from lookahead.worlds.embedded.foretelling import Foretell, Said
from lookahead.worlds.embedded.formulas import Unknowable
from lookahead.worlds.embedded.gate import check_line
from lookahead.worlds.embedded.program import Program, filled
from lookahead.worlds.embedded.scene import Kind, Scene
from lookahead.worlds.embedded.shapes import shapes

Say: TypeAlias = Callable[[str], None]

SEEN: Final = 12
"""So many lines of the training data must have a part before it counts as learned."""
SCENES: Final = 660
"""Of each kind that are looked at."""
FEWEST: Final = 40
"""Answers behind one step of the table."""
_RIDGE: Final = 1e-2
_ROUNDS: Final = 30


def commands(examples: Iterable[Example]) -> list[str]:
    """The parts of all command lines that it learned to answer: see `lookahead.worlds.embedded.shapes`."""
    found: Counter[str] = Counter()
    for example in examples:
        if example.scene.kind == "shell":
            for branch in example.branches:
                if branch.program.ending != "?":
                    found.update(shapes(branch.action) or ())
    return sorted(part for part, count in found.items() if count >= SEEN)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer of the model to a call that was really made."""

    said: Said
    kind: Kind
    exact: bool
    episode: str


def fitted(weights: Path, examples: Iterable[Example], say: Say = print) -> dict[str, Any]:
    """The table for the weights in a folder, as `about.json` keeps it."""
    from lookahead.models.embedded.weights import load
    from lookahead.worlds.embedded.shipped import trained

    mind = trained(load(weights))
    answers = list(answered(mind, some(examples), say))
    calibration = fit(answers)
    for line in judged(answers, calibration):
        say(line)
    return calibration.written()


def some(examples: Iterable[Example], most: int = SCENES) -> Iterator[Example]:
    """Of each kind so many, from all of its episodes."""
    of_kind: dict[Kind, list[Example]] = defaultdict(list)
    for example in examples:
        of_kind[example.scene.kind].append(example)
    for found in of_kind.values():
        step = max(1.0, len(found) / most)
        places = range(min(most, len(found)))
        yield from (found[int(place * step)] for place in places)


def answered(mind: Foretell, examples: Iterable[Example], say: Say = lambda line: None) -> Iterator[Answer]:
    """What the model says where the world would ask it: calls of its world, in scenes that it can look at."""
    count = 0
    for example in examples:
        text = example.scene.text()
        branches = [branch for branch in example.branches if _asked(mind, example.scene, branch)]
        if not branches or mind.size(text) > mind.about.room:
            continue
        for branch, said in zip(branches, mind(text, [branch.action for branch in branches]), strict=True):
            if said.program.ending != "?" and said.whole:
                exact = same(example.scene, branch.action, said.program, branch.program)
                if exact is not None:
                    yield Answer(said=said, kind=example.scene.kind, exact=exact, episode=example.episode)
        count += len(branches)
        if count // 500 != (count - len(branches)) // 500:
            say(f"calibration: {count:,} calls foretold")


def _asked(mind: Foretell, scene: Scene, branch: Branch) -> bool:
    if scene.kind != "shell":
        return True
    try:
        check_line(branch.action, mind.about.commands)
    except NotMyWorld:
        return False
    return True


def same(scene: Scene, action: str, said: Program, real: Program) -> bool | None:
    """Whether what was said comes to just what really came. None where it cannot be: then nothing is answered."""
    try:
        content, after = filled(scene, action, said.result, exact=False), applied(scene, action, said.changes)
    except Unknowable:
        return None
    if real.ending == "?" or said.failed != real.failed:
        return False
    expected = applied(scene, action, real.changes)
    if content != filled(scene, action, real.result, exact=False) or after.here != expected.here:
        return False
    return dict(after.facts) == dict(expected.facts)


def fit(answers: Sequence[Answer]) -> Calibration:
    """The score from one half of the episodes, the table of shares from the other half."""
    episodes = sorted({answer.episode for answer in answers})
    if len(episodes) < 2 or len(answers) < 2 * FEWEST:
        raise ConfigError(f"{len(answers)} answers of {len(episodes)} episodes are too few to fit a confidence to")
    first = set(episodes[::2])
    weights, bias = _logistic([answer for answer in answers if answer.episode in first])
    scored = Calibration(weights=MappingProxyType(weights), bias=bias)
    others = [answer for answer in answers if answer.episode not in first]
    pairs = sorted((scored.score(answer.said, answer.kind), answer.exact) for answer in others)
    return replace(scored, steps=tuple(_rising(pairs)))


def _logistic(answers: Sequence[Answer]) -> tuple[dict[str, float], float]:
    np: Any = import_module("numpy")

    rows = np.array([(*features(answer.said, answer.kind), 1.0) for answer in answers])
    exact = np.array([float(answer.exact) for answer in answers])
    scale = np.maximum(np.abs(rows).max(axis=0), 1e-6)
    rows = rows / scale
    found = np.zeros(rows.shape[1])
    ridge = _RIDGE * np.eye(len(found))
    for _ in range(_ROUNDS):
        share = 1 / (1 + np.exp(-np.clip(rows @ found, -30, 30)))
        weight = np.maximum(share * (1 - share), 1e-6)
        step = np.linalg.solve(rows.T @ (rows * weight[:, None]) + ridge, rows.T @ (exact - share) - ridge @ found)
        found = found + step
        if float(np.abs(step).max()) < 1e-8:
            break
    solved: list[float] = (found / scale).tolist()
    *weights, bias = solved
    return dict(zip(FEATURES, weights, strict=True)), bias


def _rising(pairs: Sequence[tuple[float, bool]]) -> Iterator[tuple[float, float]]:
    """Pool neighbours that fall until all rise; each step needs a certain number of answers behind it."""
    blocks: list[list[float]] = []  # answers, exact ones, sum of scores
    for start in range(0, len(pairs), FEWEST):
        part = pairs[start : start + FEWEST]
        fresh = [float(len(part)), float(sum(exact for _, exact in part)), sum(score for score, _ in part)]
        if blocks and len(part) < FEWEST // 2:
            fresh = [one + other for one, other in zip(blocks.pop(), fresh, strict=True)]
        while blocks and blocks[-1][1] / blocks[-1][0] >= fresh[1] / fresh[0]:
            fresh = [one + other for one, other in zip(blocks.pop(), fresh, strict=True)]
        blocks.append(fresh)
    last: float | None = None
    for count, exact, scores in blocks:
        score = round(scores / count, 6)
        if last is None or score > last:
            yield score, round((exact + 0.5) / (count + 1), 6)
            last = score


def judged(answers: Sequence[Answer], calibration: Calibration) -> Iterator[str]:
    """How good the fit is, by kind: in words for whoever waits. Figures for a report come from other seeds."""
    for kind in (None, *sorted({answer.kind for answer in answers})):
        mine = [answer for answer in answers if kind in (None, answer.kind)]
        pairs = [(calibration.confidence(answer.said, answer.kind), answer.exact) for answer in mine]
        sure = [exact for share, exact in pairs if share >= 0.8]
        exact = sum(exact for _, exact in pairs) / len(pairs)
        right = sum(sure) / len(sure) if sure else 0.0
        yield (
            f"calibration {kind or 'all'}: {len(pairs):,} answers, {exact:.3f} exact, ECE {error(pairs):.3f}; "
            f"{len(sure) / len(pairs):.3f} of them with .8 or more, {right:.3f} of these exact"
        )


def error(pairs: Sequence[tuple[float, bool]], bins: int = 10) -> float:
    """The expected calibration error, in bins of equal width."""
    found: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for share, exact in pairs:
        found[min(int(share * bins), bins - 1)].append((share, exact))
    return sum(
        abs(sum(share for share, _ in part) - sum(exact for _, exact in part)) / len(pairs) for part in found.values()
    )
