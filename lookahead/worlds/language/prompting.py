"""From a history to the messages that ask for what comes next: the same beginning for every step of an episode."""

from typing import Final

from lookahead.domains import Domain
from lookahead.errors import WorldError
from lookahead.types import Action, Message, State
from lookahead.worlds.language.grounding import Ground
from lookahead.worlds.language.trimming import AROUND, Count, Turn, anchor, trimmed

LEAST: Final = 512
"""Tokens without which a history is not worth showing."""


def prompt(domain: Domain, state: State, action: Action, ground: Ground, *, room: int, count: Count) -> list[Message]:
    """System, the past turns that fit, the question. What the guard refused did not happen, and is not told."""
    if state.forgotten:
        state = state.model_copy(update={"steps": state.steps[anchor(state.steps) :]})
    system = domain.system(state, demonstrations=ground.demonstrations, instruction=ground.instruction)
    question = domain.asked(state, action)
    left = room - count(system) - AROUND - _reserve(count(question) + AROUND, room)
    if left < (LEAST if state.steps else 0):
        raise WorldError(
            f"the tools and this call of {action.tool!r} leave no room for what happened before: {room} tokens in all. "
            "Serve the model with a longer context and say so (max_context=…), or give the agent fewer tools"
        )
    turns = [
        Turn(user=domain.turn(state, number, step.action), assistant=domain.observation(step.observation))
        for number, step in enumerate(state.steps)
        if step.observation.origin.kind != "guard"
    ]
    past = [message for turn in trimmed(turns, left, count) for message in turn.messages()]
    return [Message(role="system", content=system), *past, Message(role="user", content=question)]


def _reserve(question: int, room: int) -> int:
    """What is kept free for the question: as much for a long call as for a short one, so that both share the rest."""
    reserve = max(1, room // 8)
    while reserve < question:
        reserve *= 2
    return reserve
