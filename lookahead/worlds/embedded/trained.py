"""The small model itself as somebody who foretells: text to tokens, tokens to programs."""

from collections.abc import Callable, Sequence
from math import log
from typing import Final

from lookahead.models.embedded.engine import Engine, Generated
from lookahead.models.embedded.tokens import END, ENDINGS, NEW, Tokens
from lookahead.worlds.embedded import program
from lookahead.worlds.embedded.confidence import TINY
from lookahead.worlds.embedded.foretelling import About, Said
from lookahead.worlds.embedded.glance import glanced
from lookahead.worlds.embedded.grounding import asked
from lookahead.worlds.embedded.program import Ending, Program
from lookahead.worlds.embedded.scene import scene_of

MOST: Final = 320
"""Tokens of one answer. A longer one was never learned."""
_ENDING: Final[dict[int, Ending]] = dict(zip(ENDINGS, program.ENDINGS, strict=True))


class Trained:
    """An engine with the alphabet and the figures that belong to its weights."""

    def __init__(self, engine: Engine, tokens: Tokens, about: About, *, name: str, most: int = MOST) -> None:
        self.name: Final = name
        self.about: Final = about
        self._engine = engine
        self._tokens = tokens
        self._most = most

    def size(self, text: str) -> int:
        """How much there is to read: see `glance`."""
        return len(self._tokens.encode(glanced(scene_of(text)).text())) + 1

    def __call__(self, scene: str, actions: Sequence[str], *, stop: Callable[[], bool] | None = None) -> Sequence[Said]:
        place = scene_of(scene)
        branches = [self._tokens.action(asked(place, action)) for action in actions]
        said = self._engine.imagine(self._tokens.scene(glanced(place).text()), branches, max_new=self._most, stop=stop)
        return [self._read(one) for one in said]

    def _read(self, one: Generated) -> Said:
        ids = one.ids[1:-1] if one.ended else one.ids[1:]
        cut = ids.index(NEW) if NEW in ids else len(ids)
        changes = self._tokens.decode(ids[cut + 1 :])
        return Said(
            program=Program(
                ending=_ENDING[one.ids[0]],
                result=self._tokens.decode(ids[:cut]),
                changes=tuple(changes.split("\n")) if changes else (),
            ),
            endings=dict(zip(program.ENDINGS, one.endings, strict=True)),
            sure=tuple(log(max(share, TINY)) for share in one.probabilities[1:]),
            whole=one.ended and NEW in ids and END not in ids,
        )
