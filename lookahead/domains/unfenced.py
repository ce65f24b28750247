"""Takes an answer out of the block that a model put it in, where the real answers of the session stand in none."""

from typing import Final

from lookahead.domains.blocks import FENCE
from lookahead.types import State

_LANGUAGES: Final = frozenset(("", "json", "text", "txt", "plaintext", "markdown", "md", "csv", "xml", "yaml", "html"))


def unfenced(text: str, state: State) -> str:
    """The same text, unless all of it is one block and nothing earlier in the session came in one."""
    if not text.startswith(FENCE) or not text.endswith(f"\n{FENCE}"):
        return text
    line = text.find("\n")
    inside = text[line + 1 : -len(FENCE) - 1]
    if (
        text[len(FENCE) : line].strip().lower() not in _LANGUAGES
        or FENCE in inside
        or line >= len(text) - len(FENCE) - 1
    ):
        return text
    earlier = (step.observation.content for step in state.steps)
    return text if any(content.startswith(FENCE) for content in earlier) else inside
