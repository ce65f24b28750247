"""Whether one tool could be taken for another: renamed, or set beside it to be called in its place."""

import re
import unicodedata
from difflib import SequenceMatcher
from typing import Final

from lookahead_integrations.mcp.pins.definition import Definition

CLOSE: Final = 0.75
"""Texts of which so much is the same are two versions of one."""

_LONG: Final = 4000
"""So much of a description is compared: what takes minutes to compare tells no more."""
_BORDERS: Final = re.compile(r"[\W_]+")
_VERSION: Final = re.compile(r"(?<=\w)(?:v?\d+|new|next|safe|secure|fixed|latest|improved|beta|legacy|old)$")


def alike(new: Definition, known: Definition) -> str:
    """Why a model, or a person, may take one for the other; empty where nobody would."""
    if why := namesake(new, known):
        return why
    if new.shape and new.shape == known.shape:
        return "it takes the same arguments"
    said, before = _text(new), _text(known)
    if min(len(said), len(before)) >= 20 and _ratio(said, before) >= CLOSE:
        return "it describes itself in nearly the same words"
    return ""


def namesake(new: Definition, known: Definition) -> str:
    """Why one name could be read as the other. Two that each end in a number are two of a row."""
    one, other = _skeleton(new.name), _skeleton(known.name)
    same = one == other or _unversioned(one) == other or _unversioned(other) == one
    return "its name reads the same" if same else ""


def renamed(new: Definition, gone: Definition) -> str:
    """Why a tool that came may be the one that went; a weaker likeness will do, because only one of them is there."""
    if why := alike(new, gone):
        return why
    if _ratio(_skeleton(new.name), _skeleton(gone.name)) >= CLOSE + 0.1:
        return "its name is nearly the same"
    said, before = _text(new), _text(gone)
    if min(len(said), len(before)) >= 20 and _ratio(said, before) >= CLOSE - 0.25:
        return "it describes itself in similar words"
    return ""


def _skeleton(name: str) -> str:
    """A name as the eye takes it in: without case, accents and borders, in one alphabet."""
    folded = unicodedata.normalize("NFKD", name).casefold()
    marks = "".join(char for char in folded if unicodedata.category(char)[0] not in "MC")
    return _BORDERS.sub("", _spelled(marks))


def _unversioned(skeleton: str) -> str:
    return _VERSION.sub("", skeleton)


_LATIN: Final = {
    "а": "a", "е": "e", "о": "o", "р": "p", "с": "c", "х": "x", "у": "y", "і": "i", "ј": "j", "ѕ": "s", "һ": "h",
    "ԁ": "d", "ԛ": "q", "ԝ": "w", "в": "b", "к": "k", "м": "m", "н": "h", "т": "t", "ӏ": "l", "ɡ": "g",
    "α": "a", "ε": "e", "ι": "i", "κ": "k", "ν": "v", "ο": "o", "ρ": "p", "τ": "t", "υ": "u", "χ": "x", "ω": "w",
    "ı": "i", "ł": "l", "ø": "o", "đ": "d",
}  # fmt: skip
"""Letters of other alphabets that look like ours."""


def _spelled(name: str) -> str:
    return "".join(_LATIN.get(char, char) for char in name)


def _text(tool: Definition) -> str:
    return " ".join(str(tool.description or "").split())[:_LONG].casefold()


def _ratio(one: str, other: str) -> float:
    matcher = SequenceMatcher(None, one.split() if " " in one else one, other.split() if " " in other else other, False)
    # Cheap bounds first: most pairs are nothing like each other.
    if matcher.real_quick_ratio() < CLOSE - 0.25 or matcher.quick_ratio() < CLOSE - 0.25:
        return 0.0
    return matcher.ratio()
