"""A phone: the screen is a list or a tree of elements, and stands before each action."""

from lookahead.domains.base import Domain, Meaning
from lookahead.domains.blocks import bare, fenced, json_block
from lookahead.domains.phone import INVOKED, explored, invocation
from lookahead.types import Action, State


def block(action: Action) -> str:
    """In the spelling of the agent whose action it is: there are three, and each has screens of its own."""
    tool = bare(action.tool)
    named = action if tool == action.tool else action.model_copy(update={"tool": tool})
    if tool in INVOKED and not any('"' in name or "<" in name for name in action.arguments):
        return fenced("xml", invocation(named))
    said = explored(named)
    if said is not None:
        return fenced("text", said)
    if "action_type" in action.arguments or "action" in action.arguments:
        return json_block(action.arguments)
    return json_block({"action_type": tool, **action.arguments})


def meaning(text: str, state: State, action: Action) -> Meaning:
    return text, False


ANDROID = Domain(name="android", block=block, meaning=meaning, tasked=True, restated=True, screens=True)
