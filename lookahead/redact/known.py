"""Secrets that were seen once, found again in every spelling: plain, base64, hex, reversed, split into pieces."""

import base64
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from lookahead.redact.encoding import as_text, decoded
from lookahead.redact.values import changes, mixed, random_like
from lookahead.redact.views import Squeezed, squeeze, utf8

LONG: Final = 15
"""Needles of so many bytes are looked up by eight bytes at every eighth place; shorter ones by four at every fourth."""
SHORT: Final = 7
_LONGEST: Final = 4096
_PIECE: Final = 8
_CROWD: Final = 16
"""So many secrets may share four letters; more of them are a repetition, not secrets."""
Grams: TypeAlias = "dict[int, int | tuple[int, ...]]"
"""Which needle has these bytes and where: number * _LONGEST + place, packed because there are many."""
_PREFIX: Final = re.compile(r"MI[A-Za-z0-9+/]{46}|eyJ[\w\-]+\.[\w\-]+\.|(?:[A-Za-z]{2,12}[-_]){1,4}|[A-Z]{4}")
_RUN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-")


class Needle(NamedTuple):
    data: bytes
    """What is looked for in the squeezed text."""
    secret: "Secret"
    plain: bool
    """Plain ones may be found in pieces; of an encoded one the whole run of its alphabet goes."""


@dataclass(frozen=True, kw_only=True)
class Secret:
    value: str
    kind: str
    pieces: bool
    """Random enough that ten characters of it, anywhere, are no accident."""
    public: int
    """So many bytes at its front are a well-known prefix and give nothing away."""


@dataclass(kw_only=True)
class _Index:
    """Needles by their grams; one generation."""

    secrets: dict[str, Secret] = field(default_factory=dict[str, Secret])
    needles: list[Needle] = field(default_factory=list[Needle])
    longs: "Grams" = field(default_factory=dict[int, "int | tuple[int, ...]"])
    shorts: "Grams" = field(default_factory=dict[int, "int | tuple[int, ...]"])
    exact: dict[str, Secret] = field(default_factory=dict[str, Secret])
    """Secrets with too few letters among their signs to be looked up."""

    def add(self, secret: Secret) -> None:
        self.secrets[secret.value] = secret
        raw = utf8(secret.value[:_LONGEST])
        plain = squeeze(raw)
        if len(plain) < SHORT:
            self.exact[secret.value] = secret
        else:
            self._put(Needle(plain, secret, True))
        for data in dict.fromkeys(_spellings(raw)):
            if len(data) >= SHORT:
                self._put(Needle(data, secret, False))

    def _put(self, needle: Needle) -> None:
        number = len(self.needles)
        self.needles.append(needle)
        if needle.plain:
            # A well-known prefix is no sign of this secret, where enough follows.
            public = needle.secret.public if len(needle.data) - needle.secret.public >= SHORT else 0
            self._index(self.shorts, needle.data, number, 4, range(public, len(needle.data) - 3))
        elif len(needle.data) < LONG:
            self._index(self.shorts, needle.data, number, 4, range(4))
        else:
            self._index(self.longs, needle.data, number, 8, range(8))

    @staticmethod
    def _index(grams: "Grams", data: bytes, number: int, width: int, places: Iterable[int]) -> None:
        for place in places:
            gram = int.from_bytes(data[place : place + width], sys.byteorder)
            entry, other = number * _LONGEST + place, grams.get(gram)
            if other is None:
                grams[gram] = entry
            elif isinstance(other, int):
                grams[gram] = (other, entry)
            elif len(other) < _CROWD:
                grams[gram] = (*other, entry)


def _spellings(raw: bytes) -> Iterator[bytes]:
    """Every spelling that is not found by undoing escapes, squeezed."""
    yield squeeze(raw[::-1])
    hexed = raw.hex().encode()
    yield hexed
    yield hexed.upper()
    yield hexed[::-1]
    if raw.isascii() and raw.isalnum() and all(byte in b"0123456789abcdefABCDEF" for byte in raw):
        yield raw.lower()
        yield raw.upper()
    for shift in range(3):
        coded = base64.b64encode(bytes(shift) + raw)
        # Letters that also depend on the neighbouring bytes are left out.
        core = coded[(shift * 8 + 5) // 6 : (shift + len(raw)) * 8 // 6]
        yield squeeze(core)
        if not shift:
            yield squeeze(core[::-1])
    yield squeeze(base64.b32encode(raw)[: len(raw) * 8 // 5])


class Found(NamedTuple):
    start: int
    end: int
    kind: str


class Known:
    """The latest secrets, in two generations: when the younger is full it becomes the older, which is forgotten."""

    def __init__(self, grams: int = 150_000) -> None:
        self._limit = grams
        """Of a generation; some 140 belong to a token of forty letters, and all together take about 25 MB."""
        self._young = _Index()
        self._old = _Index()
        self.count = 0
        """How many were ever added: it tells whether anything is new."""

    def __len__(self) -> int:
        return len(self._young.secrets) + len(self._old.secrets)

    def __contains__(self, value: str) -> bool:
        return value in self._young.secrets

    def add(self, value: str, kind: str) -> None:
        if value in self._young.secrets:
            return
        if len(self._young.longs) + len(self._young.shorts) + len(self._young.exact) * 100 >= self._limit:
            self._old, self._young = self._young, _Index()
        prefix = _PREFIX.match(value)
        public = len(squeeze(utf8(prefix[0]))) if prefix else 0
        pieces = random_like(value[prefix.end() :] if prefix else value) and len(value.split()) == 1
        pieces = pieces and not (value.isalnum() and as_text(decoded(value)))
        self.count += 1
        self._young.add(Secret(value=value, kind=kind, pieces=pieces, public=public))

    def find(self, text: str) -> list[Found]:
        """Where in the text any of them is, in any spelling that needs no unescaping."""
        if not self._young.secrets:
            return []
        squeezed = Squeezed(text)
        padded = squeezed.data + bytes(-len(squeezed.data) % 8)
        view = memoryview(padded)
        eights, fours = view.cast("Q").tolist(), view.cast("I").tolist()
        found: list[Found] = []
        for index in (self._young, self._old) if self._old.secrets else (self._young,):
            if not index.longs.keys().isdisjoint(eights):
                found += _hits(squeezed, eights, 8, index.longs, index.needles)
            if not index.shorts.keys().isdisjoint(fours):
                found += _hits(squeezed, fours, 4, index.shorts, index.needles)
            if index.exact:
                found += _exact(text, index.exact)
        return found


def _exact(text: str, secrets: dict[str, Secret]) -> Iterator[Found]:
    for value, secret in secrets.items():
        start = text.find(value)
        while start >= 0:
            yield Found(start, start + len(value), secret.kind)
            start = text.find(value, start + len(value))


def _hits(squeezed: Squeezed, grams: list[int], width: int, index: Grams, needles: list[Needle]) -> Iterator[Found]:
    data, past, covered = squeezed.data, dict[int, int](), (0, 0)
    for number, gram in enumerate(grams):
        entries = index.get(gram, ())
        for entry in (entries,) if isinstance(entries, int) else entries:
            which, offset = divmod(entry, _LONGEST)
            place = number * width
            if past.get(which, 0) > place:
                continue
            needle = needles[which]
            start = place - offset
            if start >= 0 and data.startswith(needle.data, start):
                end = start + len(needle.data)
            elif needle.plain and needle.secret.pieces:
                start, end = _stretch(data, place, needle.data, offset)
                start += max(needle.secret.public - (offset - (place - start)), 0)
                if not _telling(data[start:end].decode("utf-8", "replace")):
                    continue
            else:
                continue
            past[which] = end
            first, last = squeezed.span(start, end)
            if covered[0] <= first and last <= covered[1]:
                continue
            span = _widen(squeezed.text, first, last, needle)
            if span:
                covered = span
                yield Found(*span, needle.secret.kind)


def _telling(piece: str) -> bool:
    """Whether a piece of a random secret is long enough and random enough itself to be no accident."""
    return random_like(piece, _PIECE) if len(piece) < 12 else changes(piece) >= 0.3 or random_like(piece, _PIECE)


def _stretch(data: bytes, place: int, needle: bytes, offset: int) -> tuple[int, int]:
    """The longest common run of the text and the secret through this gram."""
    start, end = place, place
    while start > 0 and start - place + offset > 0 and data[start - 1] == needle[offset + start - place - 1]:
        start -= 1
    while end < len(data) and end - place + offset < len(needle) and data[end] == needle[offset + end - place]:
        end += 1
    return start, end


def _widen(text: str, start: int, end: int, needle: Needle) -> tuple[int, int] | None:
    value = needle.secret.value
    if needle.plain:
        # The secret's own signs at its ends were squeezed away; and a plain word may not be put together from others.
        ahead = len(value) - len(value.lstrip(_SIGNS))
        behind = len(value) - len(value.rstrip(_SIGNS))
        start -= ahead if ahead and text[max(start - ahead, 0) : start] == value[:ahead] else 0
        end += behind if behind and text[end : end + behind] == value[-behind:] else 0
        if needle.secret.pieces or text[start:end] == value or "\x00" in text[start:end]:
            return start, end
        gaps = re.sub(r"\w+", "", text[start:end])
        distinct = needle.data.isascii() and len(needle.data) >= 12 and mixed(value)
        return (start, end) if gaps.strip(" \t") != "" or " " in value or distinct else None
    while start > 0 and ord(text[start - 1]) in _RUN:
        start -= 1
    while end < len(text) and ord(text[end]) in _RUN:
        end += 1
    return start, end


_SIGNS: Final = " \n\r\t\x0b\x0c\x00\"'`+-_/=,.|()[]{}<>;:\\"
