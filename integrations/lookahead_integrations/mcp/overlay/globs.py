"""Patterns for paths, as the tools of Node read them."""

import re
from functools import lru_cache


def matches(path: str, pattern: str) -> bool:
    """`*` stays within a directory, `**` does not, and names that begin with a dot are names like others."""
    return any(_compiled(one).fullmatch(path) is not None for one in _braced(pattern))


def excluded(path: str, patterns: list[str], *, anywhere: bool) -> bool:
    """Whether one of these patterns leaves it out. `anywhere`: a bare name means it in every directory."""
    for pattern in patterns:
        if matches(path, pattern):
            return True
        if anywhere and "*" not in pattern and (matches(path, f"**/{pattern}") or matches(path, f"**/{pattern}/**")):
            return True
    return False


def _braced(pattern: str) -> list[str]:
    found = re.search(r"\{([^{}]*,[^{}]*)\}", pattern)
    if found is None:
        return [pattern]
    head, tail = pattern[: found.start()], pattern[found.end() :]
    return [whole for one in found[1].split(",") for whole in _braced(head + one + tail)]


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = pattern.split("/")
    said: list[str] = []
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            said.append(".+" if last and number else ".*" if last else "(?:[^/]+/)*")
        else:
            said.append(_segment(part) + ("" if last else "/"))
    return re.compile("".join(said), re.DOTALL)


def _segment(part: str) -> str:
    said, place = "", 0
    while place < len(part):
        letter = part[place]
        end = part.find("]", place + 2) if letter == "[" else -1
        if letter == "*":
            said += "[^/]*" if part != "*" else "[^/]+"
        elif letter == "?":
            said += "[^/]"
        elif end > 0:
            inner = part[place + 1 : end].replace("\\", "\\\\")
            said += "[" + ("^" + inner[1:] if inner[0] in "!^" else inner) + "]"
            place = end
        else:
            said += re.escape(letter)
        place += 1
    try:
        re.compile(said)
    except re.error:
        return re.escape(part)
    return said
