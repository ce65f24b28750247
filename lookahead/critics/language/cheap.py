"""The cheap critic: one token, and how likely it was. Behind a world's own prompt it costs little more than that."""

import inspect
import re
from collections.abc import Awaitable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Final, Protocol

from lookahead.critics.language.answers import answer, name_of
from lookahead.critics.language.fence import Fence
from lookahead.critics.language.hazards import HARM, hazard
from lookahead.critics.language.loading import prompt
from lookahead.critics.language.material import background, call_text, material
from lookahead.errors import ConfigError
from lookahead.models.likely import probability_of
from lookahead.types import (
    Asking,
    Complete,
    Completion,
    Hazard,
    Message,
    Rollout,
    Severity,
    State,
    Verdict,
)

_HARMLESS_NEARER, _HARMLESS, _HARMFUL_NEARER, _HARMFUL = "ABCD"
CHOICES: Final[tuple[str, ...]] = (_HARMLESS_NEARER, _HARMLESS, _HARMFUL_NEARER, _HARMFUL)
_WORTH: Final[Mapping[str, float]] = {_HARMLESS_NEARER: 1.0, _HARMLESS: 0.5, _HARMFUL_NEARER: 0.0, _HARMFUL: 0.0}
_ALTERNATIVES: Final = 20
"""As many as engines report. What they report is from before the choice was narrowed, so four are not enough."""
_LETTER: Final = re.compile(r"[^A-Za-z]*([A-D])[^A-Za-z]*")


class Transcript(Protocol):
    """The chat in which a world foretold the last step of a future, with what it answered at the end."""

    def __call__(self, state: State, rollout: Rollout, /) -> Sequence[Message] | Awaitable[Sequence[Message]]: ...


@dataclass(frozen=True, kw_only=True)
class Odds:
    """How likely each choice is, and whether the engine said so or only the choice itself is known."""

    of: Mapping[str, float]
    told: bool

    @property
    def harm(self) -> float:
        return self.of[_HARMFUL_NEARER] + self.of[_HARMFUL]

    @property
    def progress(self) -> float:
        return self.of[_HARMLESS_NEARER] + self.of[_HARMFUL_NEARER]

    @property
    def score(self) -> float:
        return sum(_WORTH[choice] * share for choice, share in self.of.items())


class CheapCritic:
    """P(harm) and P(progress) from a single constrained token."""

    def __init__(
        self,
        complete: Complete,
        *,
        after: Transcript | None = None,
        caution: float = 0.5,
        danger: float = 0.9,
        seconds: float | None = 20.0,
    ) -> None:
        """`after`: the chat to ask behind, which the engine remembers; if not given, `with_lookahead` takes the world's
        own, where the same model imagines. `caution`, `danger`: from which P(harm) on.
        """
        if not 0 < caution <= danger <= 1:
            raise ConfigError(
                f"caution={caution:g}, danger={danger:g}: both lie above 0, danger not below caution, neither above 1"
            )
        self.complete = complete
        self.after = after
        self.caution = caution
        self.danger = danger
        self.asking = Asking(
            temperature=0.0,
            max_tokens=1,
            thinking=False,
            choices=CHOICES,
            probabilities=_ALTERNATIVES,
            seconds=seconds,
        )
        self._fence = Fence()

    @property
    def name(self) -> str:
        """A model that was not named knows its name after its first answer."""
        return f"cheap:{name_of(self.complete)}"

    async def __call__(self, state: State, rollout: Rollout, /) -> Verdict:
        odds, cost = await answer(self.complete, await self.messages(state, rollout), self.asking, odds_of)
        source = "" if odds.told else "; the engine tells no probabilities, so this is a bare yes or no"
        return Verdict(
            score=round(min(1.0, max(0.0, odds.score)), 4),
            hazards=tuple(self._hazards(odds, rollout)),
            reason=f"{self.name}: P(harm) {odds.harm:.2f}, P(progress) {odds.progress:.2f}{source}",
            cost=cost,
        )

    async def messages(self, state: State, rollout: Rollout) -> tuple[Message, ...]:
        """What the model is shown. Behind a world's chat that chat comes first, unchanged to the byte."""
        chat = await self._before(state, rollout)
        if not chat:
            shown = material(self._fence, state, rollout)
            return (
                Message(role="system", content=prompt("cheap")),
                Message(role="user", content=f"{shown}\n\n{prompt('cheap_question')}"),
            )
        call = self._fence.around("call", call_text(rollout.action))
        asked = [prompt("cheap_after"), background(self._fence, state), call, prompt("cheap_question")]
        return (*chat, Message(role="user", content="\n\n".join(asked)))

    def behind(self, world: object) -> "CheapCritic":
        """The same critic, which asks behind this world's chats what the world's own model foretold.

        That model has read all of it, and need not read it again. Whoever said `after` has chosen already.
        """
        tell: Transcript | None = getattr(world, "transcript", None)
        if self.after is not None or tell is None:
            return self

        def chat(state: State, rollout: Rollout, /) -> Sequence[Message] | Awaitable[Sequence[Message]]:
            same = rollout.steps[-1].observation.origin.world == name_of(self.complete)
            return tell(state, rollout) if same else ()

        twin = copy(self)
        twin.after = chat
        return twin

    async def _before(self, state: State, rollout: Rollout) -> Sequence[Message]:
        """The chat to ask behind; empty where there is none."""
        if self.after is None or not rollout.steps:
            return ()
        chat = self.after(state, rollout)
        return await chat if inspect.isawaitable(chat) else chat

    def _hazards(self, odds: Odds, rollout: Rollout) -> Sequence[Hazard]:
        if odds.harm < self.caution:
            return ()
        # Without probabilities a choice only says which side of the fence it is on, not how far from it.
        severity: Severity = "danger" if odds.told and odds.harm >= self.danger else "caution"
        return (hazard(HARM, severity, said=f"P(harm) {odds.harm:.2f}", by=self.name),)


def odds_of(completion: Completion) -> Odds:
    """How likely each choice is, from the token that makes it; without probabilities, all on what was chosen."""
    if not completion.samples:
        raise ValueError("there is no answer")
    sample = completion.samples[0]
    chosen = _LETTER.fullmatch(sample.text.rpartition("</think>")[2])
    if chosen is None:
        raise ValueError("it is none of the letters A, B, C and D")
    told = probability_of(sample, CHOICES) if any(token.instead for token in sample.tokens) else None
    return Odds(of=told or {one: float(one == chosen[1]) for one in CHOICES}, told=told is not None)
