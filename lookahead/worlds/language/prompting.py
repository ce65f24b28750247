"""From a history to the messages that ask for what comes next: the same beginning for every step of an episode."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from lookahead.domains import Domain
from lookahead.errors import WorldError
from lookahead.types import Action, Message, State
from lookahead.worlds.language.grounding import Ground
from lookahead.worlds.language.trimming import AROUND, Count, Turn, anchor, trimmed

LEAST: Final = 512
"""Tokens without which a history is not worth showing."""
KEPT: Final = 16
"""So many states whose past is remembered as it was written."""


@dataclass(frozen=True, kw_only=True)
class Past:
    """What the candidates of one decision share, written once for all of them."""

    given: State
    """As it came."""
    state: State
    """Without what is no longer told."""
    domain: Domain
    ground: Ground
    system: str
    turns: list[Turn]


@dataclass(kw_only=True)
class Pasts:
    """The latest ones. A state never changes, so the same object has the same past."""

    _latest: OrderedDict[int, Past] = field(default_factory=OrderedDict[int, Past])
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def of(self, domain: Domain, state: State, ground: Ground) -> Past:
        with self._lock:
            # The state is kept with its past, so that no other takes its place.
            known = self._latest.get(id(state))
            if known is None or known.domain != domain or known.ground != ground:
                known = self._latest[id(state)] = _past(domain, state, ground)
            self._latest.move_to_end(id(state))
            while len(self._latest) > KEPT:
                self._latest.popitem(last=False)
            return known


def _past(domain: Domain, given: State, ground: Ground) -> Past:
    """What the guard refused did not happen, and is not told."""
    state = given
    if state.forgotten:
        state = state.model_copy(update={"steps": state.steps[anchor(state.steps) :]})
    turns = [
        Turn(user=domain.turn(state, number, step.action), assistant=domain.observation(step.observation))
        for number, step in enumerate(state.steps)
        if step.observation.origin.kind != "guard"
    ]
    system = domain.system(state, demonstrations=ground.demonstrations, instruction=ground.instruction)
    return Past(given=given, state=state, domain=domain, ground=ground, system=system, turns=turns)


def prompt(past: Past, action: Action, *, room: int, count: Count) -> list[Message]:
    """System, the past turns that fit, the question."""
    domain, state, system = past.domain, past.state, past.system
    question = domain.asked(state, action)
    left = room - count(system) - AROUND - _reserve(count(question) + AROUND, room)
    if left < (LEAST if state.steps else 0):
        raise WorldError(
            f"the tools and this call of {action.tool!r} leave no room for what happened before: {room} tokens in all. "
            "Serve the model with a longer context and say so (max_context=…), or give the agent fewer tools"
        )
    told = [message for turn in trimmed(past.turns, left, count) for message in turn.messages()]
    return [Message(role="system", content=system), *told, Message(role="user", content=question)]


def _reserve(question: int, room: int) -> int:
    """What is kept free for the question: as much for a long call as for a short one, so that both share the rest."""
    reserve = max(1, room // 8)
    while reserve < question:
        reserve *= 2
    return reserve
