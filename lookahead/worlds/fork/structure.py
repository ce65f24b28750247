"""What differs between two moments of a Python object: a picture before, a picture after, and the paths between."""

import collections
import collections.abc
import datetime
import decimal
import enum
import fractions
import hashlib
import inspect
import pathlib
import pickle
import re
import types
import uuid
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, cast

from lookahead.errors import WorldError
from lookahead.types import Effect, Happened

_SCALARS = (
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    range,
    enum.Enum,
    decimal.Decimal,
    fractions.Fraction,
    uuid.UUID,
)
_MORE = (datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo, pathlib.PurePath, re.Pattern)
_PLAIN = (dict, list, tuple, set, frozenset)
_NAMED = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType)
_SHOWN = 60
_TWIN = re.compile("\0[0-9a-f]{8}")
"""Tells apart members of a set, and long keys, that look alike when they are shortened."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A picture of one object: its digest, how many values it holds, and the pictures of its parts."""

    digest: bytes
    size: int
    text: str
    parts: Mapping[str, "Node"] | None = None
    """None for a value without parts; empty for an empty list."""
    ordered: bool = False


class Camera:
    """Takes pictures of objects, up to so many values."""

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._seen = 0
        self._open: list[int] = []
        """The objects that are being pictured: one that comes up again inside itself is a circle."""

    def picture(self, value: object) -> Node:
        self._seen += 1
        if self._seen > self._most:
            raise WorldError(
                f"the environment holds more than {self._most:,} values, too many to compare; "
                "give copy= a smaller part of it, or raise most="
            )
        if isinstance(value, bytes | bytearray):
            return _leaf(value, _bytes(bytes(value)))
        if _is(value, *_SCALARS, *_MORE):
            return _leaf(value, repr(value))
        if isinstance(value, _NAMED):
            return _leaf(value, f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}")
        if id(value) in self._open:
            return _leaf(value, f"circle to {len(self._open) - self._open.index(id(value))} above")
        self._open.append(id(value))
        try:
            return self._compound(value)
        finally:
            self._open.pop()

    def _compound(self, value: object) -> Node:
        parts: dict[str, Node] = {}
        ordered = False
        if _is(value, Mapping):
            for key, item in cast(Mapping[object, object], value).items():
                parts[f"[{_key(repr(key))}]"] = self.picture(item)
        elif _is(value, AbstractSet):
            members = (self.picture(member) for member in cast(AbstractSet[object], value))
            for member in sorted(members, key=lambda node: node.digest):
                parts[f"{{{member.text}}}\0{member.digest.hex()[:8]}"] = member
        elif _is(value, Sequence, collections.deque):
            ordered = True
            for number, item in enumerate(cast(Sequence[object], value)):
                parts[f"[{number}]"] = self.picture(item)
        if not _is(value, *_PLAIN):
            fields = {f".{name}": self.picture(item) for name, item in attributes(value)}
            if not (parts or fields or _is(value, collections.abc.Sized)):
                return _leaf(value, _opaque(value))
            ordered = ordered and not fields
            parts |= fields
        return _whole(type(value).__name__, parts, ordered=ordered)


def attributes(value: object) -> Iterator[tuple[str, object]]:
    """What an object keeps in itself: its dictionary, its slots, and what pydantic keeps apart."""
    own: dict[str, object] = getattr(value, "__dict__", None) or {}
    yield from own.items()
    for kept in ("__pydantic_extra__", "__pydantic_private__"):
        if isinstance(more := getattr(value, kept, None), dict):
            yield from cast(dict[str, object], more).items()
    stateful = any("__getstate__" in vars(parent) for parent in type(value).__mro__[:-1])
    if stateful and not hasattr(value, "__pydantic_private__"):
        yield "(state)", _state(value)
    for parent in type(value).__mro__:
        slots: Any = parent.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            if name in own or name in ("__dict__", "__weakref__") or name.startswith("__pydantic_"):
                continue
            mangled = f"_{parent.__name__.lstrip('_')}{name}" if name.startswith("__") else name
            if (found := inspect.getattr_static(value, mangled, None)) is not None:
                yield name, getattr(value, mangled, found)


def _is(value: object, *kinds: type) -> bool:
    return isinstance(value, kinds)


def _state(value: object) -> object:
    """What an object says of itself when it is copied, such as where a random generator stands; as one value."""
    try:
        state: object = cast(Any, value).__getstate__()
    except Exception:
        return None
    try:
        return pickle.dumps(state)
    except Exception:
        return state


def compare(before: Node, after: Node, *, most: int = 500, depth: int = 12) -> tuple[Effect, ...]:
    """Every path that came, went or changed; a whole that came or went is one effect, not one for each part."""
    found: list[Effect] = []
    more = 0
    for effect in _differences(before, after, "", depth):
        if len(found) < most:
            found.append(effect)
        else:
            more += 1
    if more:
        found.append(Effect(happened="changed", target="(elsewhere)", what="value", detail=f"{more:,} further changes"))
    return tuple(found)


def _differences(before: Node, after: Node, path: str, depth: int) -> Iterator[Effect]:
    if before.digest == after.digest:
        return
    if before.parts is None or after.parts is None or depth == 0:
        yield _effect("changed", path, before, after)
        return
    if before.ordered and after.ordered:
        yield from _sequence(before, after, path, depth)
        return
    for name in before.parts:
        if name not in after.parts:
            yield _effect("deleted", path + name, before.parts[name], None)
    for name, part in after.parts.items():
        if name in before.parts:
            yield from _differences(before.parts[name], part, path + name, depth - 1)
        else:
            yield _effect("created", path + name, None, part)


def _sequence(before: Node, after: Node, path: str, depth: int) -> Iterator[Effect]:
    """Items that moved because others came or went are not changes: what is alike at both ends is left out."""
    old, new = list((before.parts or {}).values()), list((after.parts or {}).values())
    start = 0
    while start < min(len(old), len(new)) and old[start].digest == new[start].digest:
        start += 1
    tail = 0
    while tail < min(len(old), len(new)) - start and old[-1 - tail].digest == new[-1 - tail].digest:
        tail += 1
    middle_old, middle_new = old[start : len(old) - tail], new[start : len(new) - tail]
    both = min(len(middle_old), len(middle_new))
    for number in range(both):
        yield from _differences(middle_old[number], middle_new[number], f"{path}[{start + number}]", depth - 1)
    for number in range(both, len(middle_old)):
        yield _effect("deleted", f"{path}[{start + number}]", middle_old[number], None)
    for number in range(both, len(middle_new)):
        yield _effect("created", f"{path}[{start + number}]", None, middle_new[number])


def _effect(happened: Happened, path: str, before: Node | None, after: Node | None) -> Effect:
    shown = " → ".join(node.text for node in (before, after) if node is not None)
    target = _TWIN.sub("", path).lstrip(".") or "(the whole)"
    return Effect(
        happened=happened,
        target=target,
        what="value",
        before=None if before is None else before.size,
        after=None if after is None else after.size,
        unit="items",
        detail=shown,
    )


def _leaf(value: object, text: str) -> Node:
    name = type(value).__name__
    return Node(digest=_hash(name.encode(), text.encode(errors="surrogatepass")), size=1, text=_short(text))


def _whole(name: str, parts: Mapping[str, Node], *, ordered: bool = False) -> Node:
    pieces = [piece for key, part in parts.items() for piece in (key.encode(errors="surrogatepass"), part.digest)]
    size = sum(part.size for part in parts.values())
    inside = ", ".join(f"{_TWIN.sub('', key).lstrip('.')}: {part.text}" for key, part in list(parts.items())[:4])
    text = _short(f"{name}({inside}{', …' if len(parts) > 4 else ''})")
    return Node(digest=_hash(name.encode(), *pieces), size=size, text=text, parts=parts, ordered=ordered)


def _opaque(value: object) -> str:
    """An object without parts that can be seen: by its pickled state, else by how it shows itself."""
    try:
        return _bytes(pickle.dumps(value))
    except Exception:
        shown = repr(value)
        return type(value).__name__ if " at 0x" in shown else shown


def _bytes(data: bytes) -> str:
    return f"{len(data):,} bytes {hashlib.sha256(data).hexdigest()[:16]}"


def _hash(*pieces: bytes) -> bytes:
    found = hashlib.blake2b(digest_size=16)
    for piece in pieces:
        found.update(len(piece).to_bytes(8, "little"))
        found.update(piece)
    return found.digest()


def _key(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{_short(text)}\0{_hash(text.encode(errors='surrogatepass')).hex()[:8]}"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
