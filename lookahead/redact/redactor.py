"""The redactor: texts, JSON values and exceptions go in, and come out without their secrets."""

import os
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import accumulate
from threading import RLock
from typing import Final

from pydantic import JsonValue

from lookahead.redact.fields import mark_of
from lookahead.redact.known import Known
from lookahead.redact.names import Promise, promise
from lookahead.redact.providers import Find
from lookahead.redact.reader import Reader, outside_marks, stretches, worth_hunting
from lookahead.redact.structure import BORDER, Parts, copied, fields, noted, rebuilt, split_tokens
from lookahead.redact.values import random_like, stands_in
from lookahead.redact.words import hints

_ROUNDS: Final = 6
_NOT_SLUG: Final = re.compile(r"[^a-z0-9]+")


class Redactor:
    """Hides secrets, and remembers those that it has seen. May be shared by threads."""

    def __init__(self, *, environment: Mapping[str, str] | None = os.environ) -> None:
        self._environment = environment
        self._lock = RLock()
        self._known = Known()
        self._reader = Reader(self._known, self._learn)
        self._plain: set[str] = set()
        self._plain_at = 0

    def remember(self, value: str, name: str = "secret") -> None:
        """Redact this value from now on, in every spelling. One too short or too plain to be told apart is ignored."""
        with self._lock:
            self._read_environment()
            self._learn(value, _slug(name))

    def text(self, text: str) -> str:
        """The text with a mark in place of each secret. Redacting twice changes nothing more."""
        with self._lock:
            self._read_environment()
            for _ in range(_ROUNDS):
                plain = outside_marks(text)
                found = stretches(self._reader.find(plain), plain)
                if not found:
                    break
                text = _replace(text, found)
        return text

    def json(self, value: JsonValue) -> JsonValue:
        """The same shape, new, with a mark in place of each secret; a secret of one field is hidden in all."""
        clean = self.own(value)
        return copied(value) if clean is value else clean

    def own(self, value: JsonValue) -> JsonValue:
        """The same of a value that is given away: where there is nothing to hide, that value itself comes back."""
        with self._lock:
            self._read_environment()
            for _ in range(_ROUNDS):
                parts = Parts()
                noted(value, parts)
                keys = sorted(parts.keys - self._plain_keys())
                found = self._strings(value, parts, keys)
                if not found:
                    self._plain.update(keys)
                    return value
                value = rebuilt(value, iter(found), dict(zip(keys, found[len(parts.leaves) :], strict=True)))
        return value

    @property
    def learnt(self) -> int:
        """How many secrets are known by now: what was clean may not be when this has changed."""
        with self._lock:
            self._read_environment()
            return self._known.count

    def exception(self, error: BaseException) -> str:
        """What an exception says, as `Type: message`, without the secrets in it."""
        message = self.text(str(error))
        return f"{type(error).__name__}: {message}" if message else type(error).__name__

    # ---- within ----

    def _read_environment(self) -> None:
        environment, self._environment = self._environment, None
        for name, value in (environment or {}).items():
            if 6 <= len(value) <= 8192 and not value.startswith(("/", "unix:")):
                means = promise(name)
                if (means is Promise.SURELY and not stands_in(value)) or (means and random_like(value)):
                    self._learn(value, mark_of(name))
                self._reader.find(f"{name}={value}")

    def _plain_keys(self) -> set[str]:
        """Keys that hold no secret, as far as is known today: the same few come with every record."""
        if self._plain_at != self._known.count or len(self._plain) > 2000:
            self._plain, self._plain_at = set(), self._known.count
        return self._plain

    def _learn(self, value: str, kind: str) -> None:
        value = value.strip()
        if value not in self._known and worth_hunting(value) and not stands_in(value):
            self._known.add(value, kind)

    def _strings(self, value: JsonValue, parts: Parts, keys: list[str]) -> list[str]:
        """All strings of a value, then the keys, redacted; empty when nothing was found."""
        texts = [*parts.leaves, *keys]
        plain = outside_marks(BORDER.join(texts))
        hint = hints(plain)
        finds: list[Find] = []
        starts: list[int] = []
        for held in fields(value, parts, plain, hint.anchors):
            starts = starts or _starts(texts)
            if held.end > held.start:
                start = starts[held.leaf]
                finds.append(
                    Find(start + held.start, start + held.end, held.kind, texts[held.leaf][held.start : held.end])
                )
        finds += split_tokens(plain)
        for find in finds:
            self._learn(find.secret, find.kind)
        finds += self._reader.find(plain, hint=hint)
        found = [piece for find in stretches(finds, plain) for piece in _at_borders(find, plain)]
        if not found:
            return []
        starts = starts or _starts(texts)
        by_text: dict[int, list[Find]] = {}
        for find in found:
            place = bisect_right(starts, find.start) - 1
            by_text.setdefault(place, []).append(Find(find.start - starts[place], find.end - starts[place], find.kind))
        return [_replace(text, by_text[place]) if place in by_text else text for place, text in enumerate(texts)]


def _starts(texts: list[str]) -> list[int]:
    return [0, *accumulate(len(text) + 1 for text in texts)]


def _slug(name: str) -> str:
    return _NOT_SLUG.sub("-", name.lower()).strip("-")[:32].strip("-") or "secret"


def _replace(text: str, finds: list[Find]) -> str:
    pieces: list[str] = []
    place = 0
    for find in finds:
        pieces += (text[place : find.start], f"[redacted:{find.kind}]")
        place = find.end
    return "".join((*pieces, text[place:]))


def _at_borders(find: Find, text: str) -> Iterator[Find]:
    start = find.start
    for piece in text[find.start : find.end].split(BORDER):
        if piece:
            yield Find(start, start + len(piece), find.kind)
        start += len(piece) + 1
