"""What a tool says of itself, in one spelling: that is what is pinned, compared and shown."""

import json
import re
from collections.abc import Mapping
from difflib import unified_diff
from functools import cached_property
from typing import Any, Final, Literal, Self, TypeAlias, cast, get_args

from pydantic import Field, JsonValue

from lookahead.canonical import canonical, digest_of
from lookahead.redact import shared
from lookahead.types import Noun

Part: TypeAlias = Literal["title", "description", "inputSchema", "outputSchema", "annotations"]
PARTS: Final[tuple[Part, ...]] = get_args(Part)

SINCE: Final[Mapping[Part, str]] = {"annotations": "2025-03-26", "title": "2025-06-18", "outputSchema": "2025-06-18"}
"""The revision in which a part came to be: whoever speaks an older one is not told of it."""

LONGEST: Final = 256 * 1024
"""A definition above this is no description of a tool, and is not kept."""

_WORDS_ABOUT: Final = frozenset(
    ("$comment", "$id", "$schema", "default", "deprecated", "description", "example", "examples", "title")
)
"""Of a schema: what describes it and does not narrow it."""
_NAMED: Final = frozenset(("$defs", "definitions", "dependentSchemas", "patternProperties", "properties"))
"""Where the keys are names that somebody chose, and not words of the schema's own language."""

_SENTENCE: Final = re.compile(r"(?<=[.!?;:,]) +")
_WIDE: Final = 120


class Definition(Noun):
    """One tool, as its server describes it."""

    name: str = Field(min_length=1)
    title: JsonValue = None
    description: JsonValue = None
    inputSchema: JsonValue = None
    outputSchema: JsonValue = None
    annotations: JsonValue = None

    @classmethod
    def read(cls, tool: object) -> Self:
        """From a list of a server; ValueError where it is none that can be pinned."""
        if not isinstance(tool, dict):
            raise ValueError("it is no object")
        raw = cast(dict[str, Any], tool)
        found = cls.model_validate({"name": raw.get("name"), **{part: raw.get(part) for part in PARTS}})
        try:
            length = len(canonical(found.said))
        except RecursionError as cause:
            raise ValueError("it is nested too deep") from cause
        if length > LONGEST:
            raise ValueError(f"it is longer than {LONGEST:,} characters")
        return found

    @property
    def said(self) -> dict[str, JsonValue]:
        """The parts that it has."""
        return {part: value for part in PARTS if (value := self.part(part)) is not None}

    def part(self, part: Part) -> JsonValue:
        return cast(JsonValue, getattr(self, part))

    @cached_property
    def parts(self) -> dict[Part, str]:
        """A digest of each part that it has."""
        return {part: digest_of(part, canonical(value)) for part in PARTS if (value := self.part(part)) is not None}

    @cached_property
    def digest(self) -> str:
        return digest_of("tool", self.name, *self.parts.values())

    @cached_property
    def shape(self) -> str:
        """Which arguments it takes, whatever it says of them; empty where it takes none that would tell it apart."""
        schema = _bare(self.inputSchema)
        return canonical(schema) if isinstance(schema, dict) and schema.get("properties") else ""

    def lines(self) -> list[str]:
        """The whole of it, to be compared and shown."""
        told: list[str] = []
        for part in PARTS:
            value = self.part(part)
            if value is None:
                continue
            text = value if isinstance(value, str) else json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
            told += [f"{part}:", *(f"  {line}" for line in _cut(text))]
        return told


class Seen(Noun):
    """A tool as it was seen. Its texts are kept without the secrets in them, and its digests are of what was said."""

    definition: Definition
    parts: dict[Part, str]
    check: str
    """Over all of it, so that a damaged file is not taken for what was accepted."""

    @classmethod
    def of(cls, definition: Definition) -> Self:
        clean = cast(dict[str, Any], shared().json(cast(JsonValue, definition.said)))
        kept = Definition.model_validate({**clean, "name": definition.name})
        return cls(definition=kept, parts=definition.parts, check=_check(kept, definition.parts))

    @property
    def sound(self) -> bool:
        return self.check == _check(self.definition, self.parts)

    def same(self, now: Definition) -> bool:
        return self.definition.name == now.name and self.parts == now.parts


def _check(definition: Definition, parts: Mapping[Part, str]) -> str:
    digests = [f"{part}={parts[part]}" for part in PARTS if part in parts]
    return digest_of("seen", definition.name, canonical(definition.said), *digests)


def changed(pinned: Seen, now: Definition, *, seen_in: str) -> tuple[Part, ...]:
    """The parts that are not what was accepted.

    A part that an older revision of the protocol does not have may be missing, for then less is said and the defaults
    hold, which are the careful ones; and it may come where it was accepted in such a revision.
    """
    return tuple(
        part
        for part in PARTS
        if pinned.parts.get(part) != now.parts.get(part)
        and not (part in SINCE and part not in now.parts)
        and not (part in SINCE and part not in pinned.parts and seen_in < SINCE[part])
    )


def learnt(pinned: Seen, now: Definition) -> Seen:
    """What was accepted, with what an older revision had left out."""
    more = {part: now.part(part) for part in SINCE if part not in pinned.parts and part in now.parts}
    return Seen.of(now) if more and pinned.parts.items() <= now.parts.items() else pinned


def difference(before: Definition | None, after: Definition) -> list[str]:
    """A unified diff. Its lines hold what a stranger wrote: they are to be quoted, never shown as they are."""
    old = before.lines() if before is not None else []
    return list(unified_diff(old, after.lines(), "accepted", "now", lineterm="", n=1))


def _bare(schema: JsonValue) -> JsonValue:
    if isinstance(schema, list):
        return [_bare(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, JsonValue] = {}
    for key, value in schema.items():
        if key in _NAMED and isinstance(value, dict):
            kept[key] = {name: _bare(one) for name, one in value.items()}
        elif key == "required" and isinstance(value, list):
            kept[key] = cast(JsonValue, sorted(str(one) for one in value))
        elif key in ("enum", "const"):
            kept[key] = value
        elif key not in _WORDS_ABOUT:
            kept[key] = _bare(value)
    return kept


def _cut(text: str) -> list[str]:
    """Lines short enough that a change in the middle of a long one is not lost from sight."""
    found: list[str] = []
    for line in text.splitlines() or [""]:
        for sentence in _SENTENCE.split(line) if len(line) > _WIDE else [line]:
            found += [sentence[at : at + _WIDE] for at in range(0, len(sentence), _WIDE)] or [""]
    return found
