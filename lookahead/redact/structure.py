"""JSON values: their strings in one row, and back; and which are secrets because of the field that holds them."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias, cast

from pydantic import JsonValue

from lookahead.redact.convincing import phrase
from lookahead.redact.fields import credentials, mark_of
from lookahead.redact.names import Promise, promise
from lookahead.redact.places import flags
from lookahead.redact.providers import Find, tokens
from lookahead.redact.values import mixed, prose, random_like, stands_in
from lookahead.redact.words import small

BORDER: Final = "\x00"
"""Stands between the strings of a value, so that nothing but a split secret is read across."""

_SCALARS: Final = frozenset((int, float, bool, type(None)))


class Parts:
    """What a value is made of."""

    def __init__(self) -> None:
        self.leaves: list[str] = []
        """Every string, in order."""
        self.keys: set[str] = set()
        self.telling: list[tuple[str, JsonValue, int]] = []
        """What stands in a field whose name alone may make it a secret: the name, and how many strings are before."""


def noted(value: JsonValue, parts: Parts) -> None:
    """Go through all of it, in the order in which it is built up again."""
    if isinstance(value, dict):
        parts.keys.update(value)
        for key, item in value.items():
            kind = type(item)
            if kind in _SCALARS:
                continue
            if key not in _quiet and _tells(key):
                parts.telling.append((key, item, len(parts.leaves)))
            if kind is str:
                parts.leaves.append(cast(str, item))
            else:
                noted(item, parts)
    elif isinstance(value, list):
        for item in value:
            noted(item, parts)
    elif isinstance(value, str):
        parts.leaves.append(value)


_quiet: Final[set[str]] = set()
"""Names that say nothing: the same few dozen come with every record."""


def _tells(key: str) -> bool:
    if promise(key) or key.lower() in _PAIRS:
        return True
    if len(_quiet) > 2000:
        _quiet.clear()
    _quiet.add(key)
    return False


def copied(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value


def rebuilt(value: JsonValue, leaves: Iterator[str], keys: dict[str, str]) -> JsonValue:
    """The same shape with other strings, and with other keys where they are named."""
    if isinstance(value, dict):
        new: dict[str, JsonValue] = {}
        for key, item in value.items():
            name, number = keys.get(key, key), 2
            while name in new:  # Two secrets may have been keys of one object: it keeps both.
                name, number = f"{keys.get(key, key)}#{number}", number + 1
            new[name] = rebuilt(item, leaves, keys)
        return new
    if isinstance(value, list):
        return [rebuilt(item, leaves, keys) for item in value]
    return next(leaves) if isinstance(value, str) else value


# ---- fields ------------------------------------------------------------------------------------------------------

LABELS: Final = frozenset(
    [
        "name",
        "key",
        "field",
        "variable",
        "header",
        "env",
        "k",
        "param",
        "parameter",
        "id",
        "label",
        "option",
        "setting",
        "selector",
        "element",
        "ref",
        "locator",
        "target",
        "placeholder",
        "xpath",
        "css",
        "input",
        "aria-label",
        "question",
        "prompt",
        "title",
        "type",
        "kind",
    ]
)
"""Fields that may name what another field of the same object holds …"""
_CONTENTS: Final = frozenset(
    [
        "value",
        "val",
        "v",
        "content",
        "data",
        "default",
        "values",
        "string",
        "stringvalue",
        "text",
        "current",
        "new",
        "old",
        "plain",
        "raw",
        "input",
        "answer",
        "keys",
    ]
)
"""… and the fields that may hold it."""
_KEY_MATERIAL: Final = frozenset(("d", "p", "q", "dp", "dq", "qi", "k"))
"""The secret members of a JSON web key."""
_PAIRS: Final = frozenset(("auth", "basic_auth", "basicauth", "credentials", "login", "userpass"))
_FLAG: Final = re.compile(r"-{1,2}[A-Za-z][\w\-]{2,60}")
_WORD: Final = re.compile(r"[A-Za-z][\w\-]*")


class Held(NamedTuple):
    """A stretch of one string that is a secret."""

    leaf: int
    start: int
    end: int
    kind: str


Names: TypeAlias = dict[str, tuple[str, Promise]]
"""Strings of a value that name a secret: the name in each, and how much it says."""


def names_in(whole: str, anchors: tuple[str, ...]) -> Names:
    """The short strings that name a secret: `DB_PASSWORD`, `--token`, `input[name=pwd]`."""
    names: Names = {}
    low = small(whole) if anchors else ""
    for anchor in anchors:
        place = low.find(anchor)
        while place >= 0:
            start, end = low.rfind(BORDER, 0, place) + 1, low.find(BORDER, place)
            end = len(low) if end < 0 else end
            leaf = whole[start:end] if end - start <= 96 else ""
            if leaf and leaf.count(" ") < 6 and "\n" not in leaf:
                means, name = promise(leaf), leaf
                if not means:
                    # A sentence or a selector that mentions one: then the value must look like one as well.
                    name = next((word for word in _WORD.findall(leaf) if promise(word) is Promise.SURELY), "")
                    means = Promise.LIKELY if name else Promise.NOTHING
                if means:
                    names[leaf] = (name, means)
            place = low.find(anchor, end)
    return names


def fields(value: JsonValue, parts: Parts, whole: str, anchors: tuple[str, ...]) -> list[Held]:
    """The strings that are secrets because of the field, the label or the flag beside them."""
    names = names_in(whole, anchors)
    if names or "\x00-" in whole or "kty" in parts.keys:
        walk = _Walk(names)
        walk.into(value, "", Promise.NOTHING)
        return walk.found
    found: list[Held] = []
    beyond = 0
    for key, item, first in parts.telling:
        # Nothing but these fields can say it, and what is within one of them is read with it.
        if first >= beyond:
            walk = _Walk(names, first)
            walk.into(item, key, promise(key))
            found += walk.found
            beyond = walk.leaf
    return found


class _Walk:
    """Goes through a value in the order in which its strings are noted, and keeps count of them."""

    def __init__(self, names: Names, leaf: int = 0) -> None:
        self.found: list[Held] = []
        self.leaf = leaf
        self._names = names

    def into(self, value: JsonValue, name: str, means: Promise) -> None:
        if isinstance(value, str):
            self.leaf += 1
            if means:
                self.found += _judged(self.leaf - 1, value, name, means)
        elif isinstance(value, list):
            self._list(value, name, means)
        elif isinstance(value, dict):
            self._object(value, name, means)

    def _list(self, value: list[JsonValue], name: str, means: Promise) -> None:
        if len(value) > 1 and all(isinstance(item, str) for item in value):
            words = cast(list[str], value)
            if any(word.startswith("-") for word in words):
                self.found += _command(self.leaf, words)
            if len(words) == 2 and name.lower() in _PAIRS:
                name, means = "password", Promise.LIKELY
        before = ""
        for number, item in enumerate(value):
            flagged = isinstance(item, str) and _FLAG.fullmatch(before) is not None and not item.startswith("-")
            paired = len(value) == 2 and number == 1 and before in self._names
            own = promise(before) if flagged or paired else Promise.NOTHING
            self.into(item, before if own else name, own or means)
            before = item if isinstance(item, str) else ""

    def _object(self, value: dict[str, JsonValue], name: str, means: Promise) -> None:
        label, labelled = self._label(value) if self._names else ("", Promise.NOTHING)
        for key, item in value.items():
            if type(item) in _SCALARS:
                continue
            own = promise(key)
            if not (own or means or labelled):
                self.into(item, key, ("kty" in value and key in _KEY_MATERIAL and Promise.SURELY) or Promise.NOTHING)
                continue
            low = key.lower()
            if labelled and low in _CONTENTS:
                self.into(item, label, max(labelled, own))
            elif own and labelled and low in LABELS and isinstance(item, str):
                self.into(item, key, Promise.NOTHING)
            elif own:
                self.into(item, key, own)
            elif means is Promise.SURELY and low in _CONTENTS:
                self.into(item, name, means)
            else:
                self.into(item, name, min(means, Promise.PERHAPS))

    def _label(self, value: dict[str, JsonValue]) -> tuple[str, Promise]:
        """What an object says that its value is: `{"selector": "#password", "text": …}`."""
        found = [
            self._names[item]
            for key, item in value.items()
            if isinstance(item, str) and item in self._names and key.lower() in LABELS
        ]
        return max(found, key=lambda one: one[1], default=("", Promise.NOTHING))


def _command(first: int, words: list[str]) -> Iterator[Held]:
    """A command as a list of its words, read like one line."""
    for find in flags(" ".join(words)):
        place = 0
        for number, word in enumerate(words):
            start, end = max(find.start, place), min(find.end, place + len(word))
            if start < end:
                yield Held(first + number, start - place, end - place, find.kind)
            place += len(word) + 1


def _judged(leaf: int, value: str, name: str, means: Promise) -> Iterator[Held]:
    if not value.strip() or stands_in(value) or "[redacted:" in value:
        return
    kind = mark_of(name)
    if kind == "authorization":
        yield from (Held(leaf, find.start, find.end, kind) for find in credentials(value, 0) if find.end > find.start)
        return
    if means is Promise.SURELY:
        secret = not prose(value) or (kind in ("passphrase", "password") and phrase(value))
    elif means is Promise.LIKELY:
        code = kind == "code" and value.isdigit() and 3 <= len(value) <= 10
        secret = (mixed(value) or random_like(value) or code) and not prose(value)
    else:
        secret = random_like(value) and " " not in value
    if secret:
        yield Held(leaf, 0, len(value), kind)


# ---- tokens cut in pieces ----------------------------------------------------------------------------------------

_FRONTS: Final = re.compile(
    r"\x00(?:A[KS]IA|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|sk[-_]|rk_|AIza|hf_|npm_|pypi-|SG\.|eyJ|dop_v1|shpat_|ya29"
    r"|hvs\.|SK[0-9a-f]|gsk_|key-|dapi|r8_|nvapi-|lin_|figd_)"
)
_MOST: Final = 12


def split_tokens(text: str) -> Iterator[Find]:
    """Tokens cut in pieces over neighbouring strings: what looks like the front of one is put before the next."""
    for match in _FRONTS.finditer(BORDER + text):
        start = stop = match.start()
        pieces: list[tuple[int, int]] = []
        while len(pieces) < _MOST and stop <= len(text):
            end = text.find(BORDER, stop)
            end = len(text) if end < 0 else end
            if end - stop > 400 or any(char.isspace() for char in text[stop:end]):
                break
            pieces.append((stop, end))
            stop = end + 1
        if len(pieces) > 1 and start < len(text):
            yield from _together(text, pieces)


def _together(text: str, pieces: list[tuple[int, int]]) -> Iterator[Find]:
    for count in range(1, len(pieces) + 1):
        whole = "".join(text[start:end] for start, end in pieces[:count])
        found = next(tokens(whole, 0, min(len(whole), 12)), None)
        if found is None or found.start:
            continue
        # The next piece belongs to it as well when it looks like one: a token has no words in it.
        while count < min(len(pieces), 4) and _goes_on(text[slice(*pieces[count])]):
            count += 1
        if count > 1:
            whole = "".join(text[start:end] for start, end in pieces[:count])
            yield Find(*pieces[0], found.kind, whole)
            yield from (Find(start, end, found.kind) for start, end in pieces[1:count])
        return


_PIECE: Final = re.compile(r"[A-Za-z0-9_\-]{4,200}")


def _goes_on(piece: str) -> bool:
    return _PIECE.fullmatch(piece) is not None and mixed(piece, 4) and random_like(piece, 6)
