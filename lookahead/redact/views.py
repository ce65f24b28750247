"""Other ways to read a text, each with a way back: without escapes, and without what people put between the pieces."""

import html
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

DROPPED: Final = b" \n\r\t\x0b\x0c\x00\"'`+-_/=,.|()[]{}<>;:\\"
"""What may stand between the pieces of a split secret, and the four letters in which the base64 alphabets differ."""
_IS_DROPPED: Final = frozenset(DROPPED)


def squeeze(data: bytes) -> bytes:
    """Only the bytes that count: `"abc" + "def"` and `abc-def` are both `abcdef`."""
    return data.translate(None, DROPPED)


def utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


class Squeezed:
    """A text without what was dropped, and where each byte of it came from. The way back is built when first asked."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.data = squeeze(utf8(text))
        self._places: list[int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The characters of the text that the bytes from `start` to `end` came from."""
        if self._places is None:
            self._places = self._way_back()
        return self._places[start], self._places[end - 1] + 1

    def _way_back(self) -> list[int]:
        if self.text.isascii():
            return [place for place, byte in enumerate(self.text.encode()) if byte not in _IS_DROPPED]
        places: list[int] = []
        for place, char in enumerate(self.text):
            if char.isascii():
                if ord(char) not in _IS_DROPPED:
                    places.append(place)
            else:
                places.extend([place] * len(utf8(char)))
        return places


_UNSEEN: Final = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
_BETWEEN: Final = (
    r"(?:[ \t]{0,8}(?:[+.&|]{1,2}|\\)[ \t]{0,8}(?:\r?\n[ \t]{0,40})?|[ \t]{0,8}\r?\n[ \t]{0,40})[fbruFBRU]{0,2}[\"']"
)
_JOINT: Final = re.compile(r"[\"']" + _BETWEEN)
# It begins with one of a few signs, so that the search can run to the next of them.
_ESCAPE: Final = re.compile(
    rf"[%\\&0'\"{_UNSEEN}](?:(?<=[{_UNSEEN}])(?P<nothing>)|(?<=[\"'])(?P<joint>{_BETWEEN})"
    r"|(?<=%)(?P<percent>[0-9a-fA-F]{2}(?:%[0-9a-fA-F]{2})*)"
    r"|(?<=\\)\\*(?:u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})|u\{(?P<b>[0-9a-fA-F]{1,6})\}|x(?P<x>[0-9a-fA-F]{2})"
    r"|(?P<o>[0-3][0-7]{2})|(?P<c>[^\sA-Za-z0-9]|[nrtbf]))"
    r"|(?<=&)(?P<html>#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos|nbsp|sol|equals|num|excl|commat|dollar"
    r"|percnt|plus|ast|colon);"
    r"|(?<=0)[xX](?P<h>[0-9a-fA-F]{2})(?:[,;]\s?(?=0[xX])|(?![0-9a-zA-Z]))"
    r"|(?<=')(?:\\'|\"'\")')"
)
_CONTROL: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


@dataclass(frozen=True, kw_only=True)
class Unescaped:
    """A text with its escapes undone, and for each place in it the place that it came from."""

    text: str
    views: list[int] = field(default_factory=list[int])
    """Where in the new text a stretch begins, ascending …"""
    starts: list[int] = field(default_factory=list[int])
    """… where that stretch begins in the old text …"""
    fixed: list[int] = field(default_factory=list[int])
    """… and where it ends there if it is an escape, whose letters belong together; -1 for an ordinary stretch."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        first = bisect_right(self.views, start) - 1
        last = bisect_right(self.views, end - 1) - 1
        begin = self.starts[first] if self.fixed[first] >= 0 else self.starts[first] + start - self.views[first]
        stop = self.fixed[last] if self.fixed[last] >= 0 else self.starts[last] + end - self.views[last]
        return begin, stop


def unescape(text: str) -> Unescaped | None:
    """One layer of percent signs, backslashes, entities and joints undone; None where there is none."""
    if not _escaped(text):
        return None
    pieces: list[str] = []
    views: list[int] = []
    starts: list[int] = []
    fixed: list[int] = []
    view = place = 0
    for match in _ESCAPE.finditer(text):
        start, end = match.span()
        plain = _meaning(match)
        for begin, stop in _near(place, start, bool(pieces)):
            pieces.append(text[begin:stop] if begin < stop else _CUT)
            views.append(view)
            starts.append(begin)
            fixed.append(-1 if begin < stop else stop)
            view += len(pieces[-1])
        place = end
        if plain:
            # A long row of %XX is cut at each letter, so that a secret inside it does not take its neighbours along.
            width = (
                (end - start) // len(plain) if match.lastgroup == "percent" and (end - start) == 3 * len(plain) else 0
            )
            for offset, letter in enumerate(plain) if width else ((0, plain),):
                pieces.append(letter)
                views.append(view)
                starts.append(start + offset * width)
                fixed.append(start + (offset + 1) * width if width else end)
                view += len(letter)
    if not pieces or not place:
        return None
    if place < len(text):
        pieces.append(text[place : place + _NEAR])
        views.append(view)
        starts.append(place)
        fixed.append(-1)
    return Unescaped(text="".join(pieces), views=views, starts=starts, fixed=fixed)


_NEAR: Final = 400
_CUT: Final = "\x00"


def _near(start: int, end: int, follows: bool) -> Iterator[tuple[int, int]]:
    """Of what stands between two escapes, only what is near to one; the rest was read already."""
    if end - start > 2 * _NEAR:
        if follows:
            yield start, start + _NEAR
            yield start + _NEAR, start + _NEAR
        start = end - _NEAR
    if end > start:
        yield start, end


_WIDE: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}


_IS_WIDE: Final = re.compile("[\uff01-\uff5e]")


def narrowed(text: str) -> str:
    """Full-width letters and signs as ordinary ones, place by place."""
    return text.translate(_WIDE) if not text.isascii() and _IS_WIDE.search(text) else text


def _escaped(text: str) -> bool:
    if "%" in text or "\\" in text or ("&" in text and ";" in text) or "0x" in text or "0X" in text:
        return True
    if not text.isascii() and any(char in text for char in _UNSEEN):
        return True
    return ('"' in text or "'" in text) and _JOINT.search(text) is not None


def _meaning(match: re.Match[str]) -> str:
    kind, whole = match.lastgroup, match[0]
    if kind in ("nothing", "joint"):
        return ""
    if kind == "percent":
        raw = bytes.fromhex(whole.replace("%", ""))
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw.decode("latin-1")
    if kind == "c":
        return _CONTROL.get(match["c"], match["c"])
    if kind == "html":
        return html.unescape(whole)
    if kind is None:
        return "'"
    number = int(match[kind], 8 if kind == "o" else 16)
    return chr(number) if number < 0x110000 else ""
