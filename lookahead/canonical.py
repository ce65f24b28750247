"""The one spelling of a JSON value: what digests are made of, and what is refused because it has none."""

import hashlib
import json
import math
from collections.abc import Iterable
from typing import Any, Final

from pydantic import JsonValue

_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
_spell: Final = json.encoder.encode_basestring_ascii
_made: Final[Any] = getattr(json.encoder, "c_make_encoder", None)
_chunks: Final[Any] = _made and _made(None, _ENCODER.default, _spell, None, ":", ",", True, False, False)
"""The same encoder, made once: it makes itself anew for each value otherwise, which takes longer than most values."""
_LONGEST: Final = 10_000
"""Bits of a number that everybody can still write in decimal."""


def canonical(value: object) -> str:
    """The one spelling of a JSON value: sorted keys, ASCII, no NaN; `1`, `1.0` and `true` stay three different things.

    Strings are kept as they are: two Unicode forms of one word are two different arguments, because the tool
    will see them as different.
    """
    if _chunks is not None:
        try:
            return "".join(_chunks(value, 0))
        except RecursionError:
            pass  # what holds itself is looked for by the other one, and said
    return _ENCODER.encode(value)


def digest_of(*parts: str) -> str:
    """A SHA-256 over parts whose borders count: ("ab", "c") and ("a", "bc") differ."""
    # A list of strings in that one spelling; written out, because a call takes dozens of these.
    return hashlib.sha256(f"[{','.join(map(_spell, parts))}]".encode()).hexdigest()


def finite(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    _refuse_nan(value)
    return value


def _refuse_nan(value: JsonValue) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("NaN and infinity are not JSON: they compare equal to nothing, so no approval can hold them")
    if isinstance(value, int) and value.bit_length() > _LONGEST:
        raise ValueError("a number of thousands of digits has no spelling that an approval could hold")
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _refuse_nan(item)


def no_duplicates(pairs: Iterable[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} occurs twice: what was judged might not be what runs")
        found[key] = value
    return found


def no_constant(text: str) -> JsonValue:
    raise ValueError(f"{text} is not JSON")


def as_json(value: JsonValue) -> JsonValue:
    """The same, in what JSON can say."""
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return hex(value) if isinstance(value, int) and value.bit_length() > 10_000 else value
