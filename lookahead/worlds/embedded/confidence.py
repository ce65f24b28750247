"""How sure the small world model may say it is: what its token probabilities are worth, as measured.

Raw probabilities promise too much where names are strange. So a score is made of them, and a table that was fitted on
examples which the model had not seen says how often an answer with such a score was exact, to the letter.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, log
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from lookahead.errors import ConfigError
from lookahead.worlds.embedded.scene import KINDS, Kind

if TYPE_CHECKING:
    from lookahead.worlds.embedded.foretelling import Said

TINY: Final = 1e-9
FEATURES: Final = ("ending", "all", "least", "length", "changes", "result", *KINDS)
"""What a score is made of, in this order: logarithms of the ending's probability, of all that was said and of the least
sure token; how long it is, how many changes it foretells, whether something comes back; and which kind it is of."""


def features(said: "Said", kind: Kind) -> tuple[float, ...]:
    ending = log(max(said.endings.get(said.program.ending, 0.0), TINY))
    return (
        ending,
        max(ending + sum(said.sure), -50.0),
        max(min((ending, *said.sure)), -20.0),
        log(1 + len(said.sure)),
        log(1 + len(said.program.changes)),
        float(bool(said.program.result)),
        *(float(kind == one) for one in KINDS),
    )


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """From what was said to how likely it is exact. Without a fitted one: the probability of all that was said."""

    weights: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({"all": 1.0}))
    bias: float = 0.0
    steps: tuple[tuple[float, float], ...] = ()
    """From this score on, this share was exact; rising. Between two of them the line from one to the other holds, and
    below the first one the score says what it would say alone, but never more."""

    def score(self, said: "Said", kind: Kind) -> float:
        values = zip(FEATURES, features(said, kind), strict=True)
        return self.bias + sum(self.weights.get(name, 0.0) * value for name, value in values)

    def confidence(self, said: "Said", kind: Kind) -> float:
        """The probability that the answer, changes included, is exact."""
        score = self.score(said, kind)
        if not self.steps:
            return min(1.0, exp(min(score, 0.0)))
        place = bisect_right(self.steps, score, key=lambda step: step[0])
        if place == 0:  # less sure than what the table was made of: there the curve of the score itself goes on
            return min(self.steps[0][1], 1 / (1 + exp(-max(score, -50.0))))
        if place == len(self.steps):
            return self.steps[-1][1]
        (low, share), (high, further) = self.steps[place - 1], self.steps[place]
        return share + (further - share) * ((score - low) / (high - low))

    def written(self) -> dict[str, Any]:
        """As `about.json` keeps it."""
        return {"weights": dict(self.weights), "bias": self.bias, "steps": [list(step) for step in self.steps]}


def calibration_of(said: object) -> Calibration:
    """Read what `Calibration.written` wrote; None gives the one that is not fitted."""
    if said is None:
        return Calibration()
    try:
        table = cast("Mapping[str, Any]", said)
        weights = {str(name): float(value) for name, value in table["weights"].items()}
        steps = tuple((float(score), float(share)) for score, share in cast("Sequence[Any]", table["steps"]))
        found = Calibration(weights=MappingProxyType(weights), bias=float(table["bias"]), steps=steps)
    except (AttributeError, KeyError, TypeError, ValueError) as cause:
        raise ConfigError(f"the calibration of the embedded model cannot be read: {cause!r}") from cause
    scores = [score for score, _ in found.steps]
    if set(found.weights) - set(FEATURES) or scores != sorted(set(scores)):
        raise ConfigError("the calibration of the embedded model speaks of other features than these, or does not rise")
    return found
