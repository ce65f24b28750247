"""Reads one text for secrets: by name, by place, by form, inside what is encoded, and behind escapes."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from lookahead.redact.fields import named
from lookahead.redact.forms import is_data, lone, marked, runs
from lookahead.redact.known import Known
from lookahead.redact.places import addresses, flags, options, schemes, statements
from lookahead.redact.providers import Find, tokens
from lookahead.redact.values import random_like
from lookahead.redact.views import narrowed, unescape
from lookahead.redact.words import NONE, Hints, hints, small
from lookahead.redact.wrapped import block_end, holds_text, opened, opened_dumps, spaced_hex

MARK: Final = re.compile(r"\[redacted:[a-z0-9\-]{1,40}\](?:#\d{1,6})?")
_DATA: Final = 4096
"""A longer run is data: it is opened, but nothing in it begins where a token would."""
_LONGEST: Final = 200
_LAYERS: Final = 4
"""Secrets wrapped more often than this are not looked for: each layer is read like a text of its own."""

_DULL: Final = re.compile(
    r"(?!A(?:KIA|SIA|BIA|CCA))(?:(?:[_\-/=+]*+(?:[A-Z]?[a-z]{3,}+|[A-Z]{3,}+"
    r"|(?<![A-Za-z0-9])[A-Za-z]{1,3}+(?![A-Za-z0-9])))++[_\-/=+]*+\d{0,4}[_\-/=+]*+|/?[A-Za-z]?[a-z_\-/=+]+"
    r"|[0-9a-f\-]{16,}|[0-9A-F\-]{16,}|=+|-+|[A-Z_]+|_+|(?:/?[a-z0-9_\-]{1,15}/){1,40}[a-z0-9_\-]{0,15})"
)
"""Runs that hold nothing: words and paths in small letters, digests, rulers. Hex is opened before it gets here."""
_HEX: Final = re.compile(r"(?:[0-9a-f]{2}){8,}|(?:[0-9A-F]{2}){8,}")
_FRONT: Final = re.compile(
    r"[\w~.\-]{0,3}[78]Q~|(?:SG|ya29|hv[sbr]|sl|dp\.[a-z]{2,6}|AQ|[A-Za-z0-9]{14}\.atlasv1)\.|\d{8,10}:|1//"
    r"|\$\w{1,12}\$(?:[\w=,./+]{1,40}\$){0,3}"
)


class Reader:
    """Finds secrets, and remembers those that it is sure of."""

    def __init__(self, known: Known, learn: Callable[[str, str], None]) -> None:
        self._known = known
        self._learn = learn

    def find(self, text: str, layer: int = 0, hint: Hints | None = None) -> list[Find]:
        """Everything in the text that must not be seen. What is new is remembered first: its other spellings go too."""
        if len(text) < 4:
            return []
        finds = self._sources(text, layer, hints(text) if hint is None else hint)
        for find in finds:
            if find.secret:
                self._learn(find.secret, find.kind)
        finds += [Find(*hit) for hit in self._known.find(text)]
        if layer < _LAYERS:
            narrow = narrowed(text)
            if narrow != text:
                finds += self._inside(narrow, layer)
            plain = unescape(text)
            if plain is not None and plain.text != text:
                finds += [
                    Find(*plain.span(find.start, find.end), find.kind)
                    for find in self.find(plain.text, layer + 1)
                    if find.end > find.start
                ]
        return finds

    def _sources(self, text: str, layer: int, hint: Hints) -> list[Find]:
        finds: list[Find] = []
        if hint is not NONE:
            low = small(text)
            finds += named(text, low, hint.anchors)
            finds += options(text)
            finds += flags(text) if hint.programs or "7z" in text else ()
            if hint.statements:
                finds += statements(text, low)
                finds += schemes(text, low)
        elif "7z" in text:
            finds += flags(text)
        finds += addresses(text)
        finds += marked(text)
        past = 0
        for start, end in runs(text):
            run = text[start:end]
            if start < past:
                continue
            if _HEX.fullmatch(run):
                if bytes.fromhex(run[: end - start & ~1]).isascii():
                    finds += self._opened(text, start, end, layer)
                continue
            if _DULL.fullmatch(run):
                continue
            past = block_end(text, start, end)
            if past > end:
                finds += self._opened(text, start, past, layer)
                # It may have been a list of tokens after all, one on each line.
                finds += [
                    find for first, last in runs(text[start:past]) for find in tokens(text, start + first, start + last)
                ]
                continue
            finds += self._run(text, start, end, layer)
        if layer < _LAYERS and spaced_hex(text):
            finds += opened_dumps(text, lambda inner: self._inside(inner, layer))
        return finds

    def _opened(self, text: str, start: int, end: int, layer: int) -> list[Find]:
        return list(opened(text, start, end, lambda inner: self._inside(inner, layer))) if layer < _LAYERS else []

    def _run(self, text: str, start: int, end: int, layer: int) -> list[Find]:
        back = 0
        if start and text[start - 1] in "~.:/$":
            for match in _FRONT.finditer(text, max(start - 60, 0), start):
                back = start - match.start() if match.end() >= start else back
        finds = list(tokens(text, start, end, back)) if end - start < _DATA and not is_data(text[start:end]) else []
        inner = self._opened(text, start, end, layer)
        # A long run is data, of a picture or an archive, and as random as a token; so is text in base64.
        if not inner and end - start <= _LONGEST and not holds_text(text[start:end]):
            finds += lone(text, start, end)
        return finds + inner

    def _inside(self, text: str, layer: int) -> list[Find]:
        return [find for find in self.find(text, layer + 1) if find.end > find.start]


def outside_marks(text: str) -> str:
    """The text with earlier marks blanked, place by place, so that nothing is read into them."""
    return MARK.sub(lambda mark: "\x01" * len(mark[0]), text) if "[redacted:" in text else text


def stretches(finds: Sequence[Find], text: str) -> list[Find]:
    """Finds in order, joined where they overlap or touch, cut where a mark stands already."""
    merged: list[Find] = []
    for find in sorted(one for one in finds if one.end > one.start):
        if merged and find.start < merged[-1].end:
            last = merged[-1]
            kind = last.kind if last.end - last.start >= find.end - find.start else find.kind
            merged[-1] = Find(last.start, max(last.end, find.end), kind)
        else:
            merged.append(Find(find.start, find.end, find.kind))
    if "\x01" not in text:
        return merged
    return [
        Find(find.start + piece.start(), find.start + piece.end(), find.kind)
        for find in merged
        for piece in re.finditer(r"[^\x01]+", text[find.start : find.end])
    ]


def worth_hunting(value: str) -> bool:
    """Whether a value is particular enough to be redacted wherever it turns up, and not only in its own field."""
    if len(value) < 6 or len(set(value)) < 5 or "\x01" in value:
        return False
    if value.isdigit():
        return len(value) >= 10
    if value.isalpha():
        return len(value) >= 14 or random_like(value + "0", 10)
    return len(value) >= 8 or sum(bool(re.search(kind, value)) for kind in (r"[a-z]", r"[A-Z]", r"\d", r"[^\w]")) >= 3
