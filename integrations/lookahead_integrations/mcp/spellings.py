"""Texts that a regular expression accepts, the shortest first: the same each time."""

import importlib
from collections.abc import Mapping
from typing import Any, Final


class _Unspelled(Exception): ...


def spellings(pattern: str, shortest: int) -> list[str]:
    """Texts that a regular expression may accept, the shortest first."""
    try:
        parsed: Any = importlib.import_module("re._parser").parse(pattern)
    except Exception:
        return []
    found: list[str] = []
    for more in range(shortest + 2):
        try:
            found.append(_said(parsed, more))
        except _Unspelled:
            break
    return list(dict.fromkeys(found))


def _said(parsed: Any, more: int) -> str:
    out = ""
    for code, given in parsed:
        word = str(code)
        if word == "LITERAL":
            out += chr(given)
        elif word == "ANY":
            out += "a"
        elif word == "NOT_LITERAL":
            out += "b" if chr(given) == "a" else "a"
        elif word == "IN":
            out += _one_of(given)
        elif word in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            low, high, inner = given
            out += _said(inner, 0) * min(int(low) + more, int(high))
        elif word == "SUBPATTERN":
            out += _said(given[-1], more)
        elif word == "BRANCH":
            out += min((_said(branch, more) for branch in given[1]), key=len)
        elif word not in ("AT", "ASSERT", "ASSERT_NOT"):
            raise _Unspelled(word)
    return out


_CLASSES: Final[Mapping[str, str]] = {
    "CATEGORY_DIGIT": "0",
    "CATEGORY_WORD": "a",
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_DIGIT": "a",
    "CATEGORY_NOT_WORD": "-",
    "CATEGORY_NOT_SPACE": "a",
}


def _one_of(given: list[Any]) -> str:
    if str(given[0][0]) == "NEGATE":
        refused = list(given[1:])
        for letter in "a0-_ A.":
            if not any(_holds(one, letter) for one in refused):
                return letter
        raise _Unspelled("a class")
    code, one = given[0]
    if str(code) == "RANGE":
        return chr(one[0])
    return _CLASSES.get(str(one), "a") if str(code) == "CATEGORY" else chr(one)


def _holds(one: tuple[Any, Any], letter: str) -> bool:
    code, given = one
    if str(code) == "RANGE":
        return given[0] <= ord(letter) <= given[1]
    if str(code) == "CATEGORY":
        kinds = {"CATEGORY_DIGIT": letter.isdigit(), "CATEGORY_SPACE": letter.isspace()}
        return kinds.get(str(given), letter.isalnum() or letter == "_")
    return given == ord(letter)
