"""Finds JSON objects in prose: which brace closes which, for every opening brace at once, in one pass.

Whether a brace counts depends on where one begins to read, because a quotation mark opens a string for one reader and
closes it for another. There are only three states to be in (outside a string, in one, behind a backslash in one), so at
any place all readers that ever began are in at most three groups, and each group is followed once.
"""

import re
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

_OUT: Final = 0
_IN: Final = 1
_ESCAPED: Final = 2
_State: TypeAlias = Literal[0, 1, 2]

_TELLING: Final = re.compile(r'["\\{}]')

# One group of readers: for each open brace, innermost last, the places where readers began that will end with it.
_Group: TypeAlias = list[list[int]]


def objects(text: str) -> list[str]:
    """The balanced objects, one after the other: each search goes on behind the last one found."""
    ends = _ends(text)
    found: list[str] = []
    place = text.find("{")
    while place >= 0:
        end = ends.get(place)
        if end is not None:
            found.append(text[place:end])
        place = text.find("{", place + 1 if end is None else end)
    return found


def backward(text: str) -> str | None:
    """The object that ends with the last closing brace, found from there. An escaped quotation mark is none."""
    end = text.rfind("}")
    depth, quoted = 0, False
    for found in _backwards(text, end):
        if text[found] == '"':
            quoted ^= found == 0 or text[found - 1] != "\\"
        elif not quoted:
            depth += 1 if text[found] == "}" else -1
            if depth == 0:
                return text[found : end + 1]
    return None


def _backwards(text: str, end: int) -> Iterator[int]:
    return reversed([found.start() for found in re.finditer(r'["{}]', text[: end + 1])])


def _ends(text: str) -> dict[int, int]:
    """Where the object ends that begins at each opening brace; nothing for one that is never closed."""
    ends: dict[int, int] = {}
    groups: dict[_State, _Group] = {}
    for found in _TELLING.finditer(text):
        place, sign = found.start(), found[0]
        groups = _moved(groups, sign, escapes_this=text[place - 1 : place] == "\\")
        outside = groups.get(_OUT)
        if sign == "{":
            groups.setdefault(_OUT, []).append([place])
        elif sign == "}" and outside:
            for begun in outside.pop():
                ends[begun] = place + 1
    return ends


def _moved(groups: dict[_State, _Group], sign: str, *, escapes_this: bool) -> dict[_State, _Group]:
    """Every group one sign further, before its braces count. Groups that come to be in the same state become one."""
    moved: dict[_State, _Group] = {}
    for state, group in groups.items():
        following: _State = state
        if state == _ESCAPED:
            following = _IN
            if not escapes_this:
                # What was escaped was some letter in between: this sign counts.
                following = _after(_IN, sign)
        else:
            following = _after(state, sign)
        there = moved.get(following)
        moved[following] = group if there is None else _joined(there, group)
    return moved


def _after(state: _State, sign: str) -> _State:
    if sign == '"':
        return _IN if state == _OUT else _OUT
    return _ESCAPED if sign == "\\" and state == _IN else state


def _joined(one: _Group, other: _Group) -> _Group:
    """Innermost brace with innermost brace: from here on both groups see the same signs."""
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    for depth in range(1, len(shorter) + 1):
        mine, theirs = longer[-depth], shorter[-depth]
        if len(mine) < len(theirs):
            mine, theirs = theirs, mine
        mine.extend(theirs)
        longer[-depth] = mine
    return longer
