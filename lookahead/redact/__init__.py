"""Takes secrets out of whatever is about to be kept or shown: journal, terminal, exceptions.

A secret is found by the name beside it, by its place, by its form, or because it was seen before; then in every
spelling: base64, percent signs, hex, escapes, reversed, cut in pieces. Instead one reads `[redacted:github-token]`.
"""

from typing import Final

from lookahead.errors import clean_with
from lookahead.redact.redactor import Redactor

__all__ = ["Redactor", "redact", "shared"]

redact: Final = Redactor()
"""The redactor of this process. It reads the environment when it is first used."""


clean_with(redact.text)


def shared() -> Redactor:
    """The redactor of this process: what any part of it learns, every part hides."""
    return redact
