"""A browser: `browser_click(element="…", ref="e12")`, and the page as an accessibility tree."""

from lookahead.domains.base import Domain, Meaning
from lookahead.domains.blocks import bare, call_block, call_text, fenced
from lookahead.types import Action, State


def block(action: Action) -> str:
    said = call_text(bare(action.tool), action.arguments)
    return call_block(action) if said is None else fenced("text", said)


def meaning(text: str, state: State, action: Action) -> Meaning:
    """The browser's tools say what went wrong in a section of its own, before the page; a page may hold any heading."""
    before_page = text.partition("### Snapshot")[0]
    return text, before_page.startswith("### Error") or "\n### Error\n" in before_page


WEB = Domain(name="web", block=block, meaning=meaning, screens=True)
