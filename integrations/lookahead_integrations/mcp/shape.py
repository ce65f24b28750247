"""Answers that fit: what a world said, made into what its tool declares; nothing is invented but what must be."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from pydantic import JsonValue

from lookahead.critics.nameset import nameset
from lookahead.domains.results import as_value
from lookahead_integrations.mcp.exchange import Json
from lookahead_integrations.mcp.least import Least, NoValue
from lookahead_integrations.mcp.overlay.words import words
from lookahead_integrations.mcp.schemas import fault

FILLED: Final = "lookahead/filled"
"""In `_meta` of an imagined answer: where in it stands what nobody said, but the tool's schema asks for."""

_TEXTS: Final = frozenset(
    ["content", "text", "message", "result", "output", "summary", "response", "answer", "body", "detail", "details"]
)
_WENT_WELL: Final = nameset("success succeeded ok successful done completed")
_BLOCKS: Final = frozenset(("text", "image", "audio", "resource", "resource_link"))


class Unfit(Exception):
    """Nothing that was said, and nothing that could be filled in, fits the tool's schema."""


@dataclass(frozen=True, kw_only=True)
class Shaped:
    """An answer in the form that its tool declares."""

    text: str
    structured: JsonValue = None
    filled: tuple[str, ...] = ()
    """JSON pointers to what was filled in."""
    blocks: tuple[Json, ...] = field(default=())
    """Content that is no text: a picture, a file."""

    @property
    def content(self) -> list[Json]:
        return list(self.blocks) or [{"type": "text", "text": self.text}]


def shaped(schema: Mapping[str, Any] | None, text: str, structured: JsonValue = None) -> Shaped:
    """The answer, so that its data validate and its text says the same. Raises `Unfit`."""
    if schema is None:
        return Shaped(text=text, structured=structured)
    if structured is not None and (wrong := fault(schema, structured)) is None:
        spoken = text if text and _says(text, structured) else _text_of(schema, structured)
        return Shaped(text=spoken, structured=structured, blocks=_blocks(structured))
    tried: list[str] = []
    for said in _readings(schema, text, structured):
        if fault(schema, said) is None:
            spoken = text if text and _says(text, said) else _text_of(schema, said)
            return Shaped(text=spoken, structured=said, blocks=_blocks(said))
        fill = Least(schema)
        try:
            made = fill.like(said, text)
        except NoValue as why:
            tried.append(str(why))
            continue
        wrong = fault(schema, made)
        if wrong is None:
            spoken = _text_of(schema, made)
            return Shaped(text=spoken, structured=made, filled=tuple(fill.filled), blocks=_blocks(made))
        tried.append(wrong)
    raise Unfit(tried[0] if tried else "its schema allows no value at all")


def _readings(schema: Mapping[str, Any], text: str, structured: JsonValue) -> list[JsonValue]:
    """What may be meant: the data, the text as data, or the text alone as what the schema has one place for."""
    held = as_value(text)
    found: list[JsonValue] = [one for one in (structured, held) if isinstance(one, dict)]
    properties: Any = schema.get("properties")
    named = cast(dict[str, Any], properties) if isinstance(properties, dict) else {}
    if len(named) == 1:
        # What is no object may be meant for the one place that there is, as data or as text.
        name = next(iter(named))
        alone: list[JsonValue] = [one for one in (structured, held, text) if one is not None]
        wrapped: list[JsonValue] = [{name: one} for one in alone]
        whole = [one for one in (*found, *wrapped) if fault(schema, one) is None]
        found = [*whole, *found, *wrapped]
    texts = [name for name in named if _TEXTS & set(words(name)) and _may_be(named[name], "string")]
    fine: dict[str, JsonValue] = {
        name: True for name in named if _WENT_WELL & set(words(name)) and _may_be(named[name], "boolean")
    }
    if texts:
        found.append({**fine, texts[0]: text})
    return [*found, fine]


def _may_be(schema: Any, kind: str) -> bool:
    given: Any = cast(dict[str, Any], schema).get("type") if isinstance(schema, dict) else None
    return given == kind or (isinstance(given, list) and kind in given)


def _says(text: str, value: JsonValue) -> bool:
    """Whether the text already says what the data say."""
    held = as_value(text)
    if held == value or (isinstance(value, dict) and len(value) == 1 and next(iter(value.values())) in (text, held)):
        return True
    return isinstance(value, dict) and text in [value.get(name) for name in value if _TEXTS & set(words(name))]


def _text_of(schema: Mapping[str, Any], value: JsonValue) -> str:
    """The data as text: a text alone as it is, all else as JSON."""
    if isinstance(value, dict) and len(value) == 1:
        only = next(iter(value.values()))
        if isinstance(only, str):
            return only
    return json.dumps(value, indent=2, ensure_ascii=False)


def _blocks(value: JsonValue) -> tuple[Json, ...]:
    """Where the data are content themselves, they are sent as content, too."""
    content = value.get("content") if isinstance(value, dict) else None
    if not isinstance(content, list) or not content:
        return ()
    blocks = [cast(Json, one) for one in content if isinstance(one, dict) and one.get("type") in _BLOCKS]
    return tuple(blocks) if len(blocks) == len(content) and any("text" not in one for one in blocks) else ()
