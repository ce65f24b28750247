"""The names of several servers' tools, prompts and tasks beside each other: each begins with its server's."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final

LONGEST: Final = 64
"""Characters that a tool's name may have where models are given tools, with all that a client puts before it."""
MARK: Final = "__"
_DIGITS: Final = 8


def room(entry: str) -> int:
    """So much is left of that to a client which calls the proxy's tools `mcp__ENTRY__NAME`."""
    return LONGEST - len(f"mcp{MARK}{entry}{MARK}")


def prefixes(keys: Iterable[str], short: Mapping[str, str], longest: int) -> dict[str, str]:
    """What the names of each server begin with: its key, or the short name that it was given, in the letters of names.

    None holds the mark that follows it, so that a name says by itself whose it is.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for key in keys:
        prefix = re.sub(r"[^A-Za-z0-9-]+", "_", short.get(key, key)).strip("_") or "server"
        if len(prefix) > longest or prefix in taken:
            prefix = f"{prefix[: longest - 7].rstrip('_')}_{_digest(key)[:6]}"
        while prefix in taken:
            prefix += "x"
        taken.add(prefix)
        found[key] = prefix
    return found


class Names:
    """Of one kind of thing. A name that would be too long is cut, and ends in digits that are its own for ever."""

    def __init__(self, prefixes: Mapping[str, str], limit: int) -> None:
        self._prefixes, self._limit = prefixes, limit
        self._keys = {prefix: key for key, prefix in prefixes.items()}
        self._outer: dict[tuple[str, str], str] = {}
        self._inner: dict[str, tuple[str, str]] = {}

    def learn(self, key: str, names: Iterable[str]) -> None:
        """These are the names of a server's things. Those that fit as they are come before those that are cut."""
        for name in sorted(names, key=lambda name: (len(self._plain(key, name)) > self._limit, name)):
            self.outer(key, name)

    def outer(self, key: str, name: str) -> str:
        """What a client calls it."""
        if (known := self._outer.get((key, name))) is not None:
            return known
        shown = plain = self._plain(key, name)
        digest, digits = _digest(f"{key}\0{name}"), _DIGITS
        while len(shown) > self._limit or self._inner.get(shown, (key, name)) != (key, name):
            shown = f"{plain[: self._limit - digits - 1]}_{digest[:digits]}"
            digits += 1
        self._outer[key, name], self._inner[shown] = shown, (key, name)
        return shown

    def inner(self, shown: str) -> tuple[str, str] | None:
        """Whose it is and what it is called there. A name that was cut is known once its server has listed it."""
        if (known := self._inner.get(shown)) is not None:
            return known
        prefix, mark, name = shown.partition(MARK)
        key = self._keys.get(prefix)
        return (key, name) if mark and key is not None else None

    def listed(self, shown: str) -> bool:
        return shown in self._inner

    def _plain(self, key: str, name: str) -> str:
        return f"{self._prefixes[key]}{MARK}{name}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
