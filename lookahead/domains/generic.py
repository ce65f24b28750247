"""Tools of no other kind: called by name, and what they return is text."""

from lookahead.domains.base import Domain, Meaning
from lookahead.domains.failures import call_failed
from lookahead.domains.unfenced import unfenced
from lookahead.types import Action, State


def meaning(text: str, state: State, action: Action) -> Meaning:
    text = unfenced(text, state)
    return text, call_failed(text)


GENERIC = Domain(name="generic", meaning=meaning)
