"""What was imagined beside what happened, effect by effect."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from lookahead.drawing import Label, Tone, label, say
from lookahead.show import effect_lines
from lookahead.types import Effect


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The effects of both, of the imagined future only, and of reality only."""

    both: tuple[Effect, ...]
    only_imagined: tuple[Effect, ...]
    only_real: tuple[Effect, ...]

    @classmethod
    def between(cls, imagined: Sequence[Effect] | None, real: Sequence[Effect] | None) -> Self:
        """Two effects are the same when the same happened to the same thing, with the same size before and after."""
        expected = {_identity(effect): effect for effect in imagined or ()}
        happened = {_identity(effect): effect for effect in real or ()}
        return cls(
            both=tuple(effect for key, effect in expected.items() if key in happened),
            only_imagined=tuple(effect for key, effect in expected.items() if key not in happened),
            only_real=tuple(effect for key, effect in happened.items() if key not in expected),
        )

    @property
    def whole(self) -> bool:
        return not self.only_imagined and not self.only_real

    def notes(self) -> list[Label]:
        """Line by line, and the sum."""
        found: list[Label] = []
        sides: tuple[tuple[str, Tone, tuple[Effect, ...]], ...] = (
            ("✓ ", "good", self.both),
            ("✗ imagined only: ", "danger", self.only_imagined),
            ("✗ real only: ", "danger", self.only_real),
        )
        for sign, tone, effects in sides:
            found += [label((sign, tone), (line, "plain")) for line in (effect_lines(effects) if effects else ())]
        imagined, real = (len(self.both) + len(side) for side in (self.only_imagined, self.only_real))
        count = f"{imagined} effects imagined, {real} happened, {len(self.both)} the same"
        found.append(say(f"{'✓' if self.whole else '✗'} {count}", "good" if self.whole else "danger"))
        return found


def _identity(effect: Effect) -> tuple[object, ...]:
    return (effect.happened, effect.target.rstrip("/"), effect.what, effect.before, effect.after)
