"""What strangers wrote, made fit to be shown: to a person on a terminal or in a question, and to a model.

Tools, results and recordings hold what somebody else wrote. Nothing of it is shown here with a secret in it, with
letters that nobody sees or that a terminal obeys, or without a border that it cannot draw itself.
"""

from collections.abc import Sequence
from typing import Any, Final, cast

from lookahead.critics.language.fence import Fence, clipped
from lookahead.redact import shared
from lookahead.show import safe

BAR: Final = "  │ "
"""Stands before each line that a stranger wrote. A quoted text has no line breaks of its own, so none is without it."""

_FENCE: Final = Fence()


def plain(text: object, limit: int | None = 240) -> str:
    """One line of it, without secrets, everything in it to be seen."""
    return safe(shared().text(str(text)), limit)


def name(text: object) -> str:
    """What a stranger calls something, in quotation marks that it cannot close."""
    return '"' + plain(text, 80).replace('"', "'") + '"'


def quoted(text: str | Sequence[str], *, lines: int = 40, wide: int = 160) -> list[str]:
    """Its lines, each behind a bar. Of more than so many the middle is left out, and that is said."""
    given = text.splitlines() if isinstance(text, str) else list(text)
    shown = given
    if len(given) > lines:
        tail = lines // 3
        left = len(given) - lines
        shown = [*given[: lines - tail], f"… {left:,} lines left out …", *given[len(given) - tail :]]
    return [BAR + safe(line, wide) for line in map(shared().text, shown)]


def fenced(label: str, text: str, longest: int = 2000) -> str:
    """For a model to read: between marks that the text cannot know, with nothing in it that a chat format obeys."""
    return _FENCE.around(label, clipped(shared().text(text), longest))


def texts_in(value: Any, path: str = "", *, deep: int = 64) -> list[tuple[str, str]]:
    """Every text in a JSON value, keys too, each with the path to it."""
    if isinstance(value, str):
        return [(path, value)]
    if deep <= 0:
        return []
    found: list[tuple[str, str]] = []
    if isinstance(value, dict):
        for key, item in cast(dict[Any, Any], value).items():
            here = f"{path}.{key}" if path else str(key)
            found += [(here, str(key)), *texts_in(item, here, deep=deep - 1)]
    elif isinstance(value, list):
        for place, item in enumerate(cast(list[Any], value)):
            found += texts_in(item, f"{path}[{place}]", deep=deep - 1)
    return found
