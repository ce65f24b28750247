"""A configuration file as a tree of values that know where in the text they stand, so that edits touch nothing else."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

Kind: TypeAlias = Literal["table", "list", "text", "other"]
Span: TypeAlias = tuple[int, int]
DEEP: Final = 100
"""So deep may values lie within each other; no client's file comes near."""


class Malformed(Exception):
    """The text is not what its format asks for, at this place of it."""

    def __init__(self, said: str, at: int) -> None:
        super().__init__(said)
        self.said, self.at = said, at


@dataclass(frozen=True, kw_only=True)
class Node:
    """One value. A table that is spread over the file, as TOML allows, has no span of its own: `start` is -1."""

    kind: Kind
    value: Any
    start: int = -1
    end: int = -1
    fields: "tuple[Field, ...]" = ()
    items: "tuple[Node, ...]" = ()

    @property
    def whole(self) -> bool:
        return self.start >= 0

    def get(self, key: str) -> "Field | None":
        return next((field for field in self.fields if field.key == key), None)

    def text(self, key: str) -> str | None:
        """The text under a key; None where there is none, or something else."""
        field = self.get(key)
        return field.node.value if field is not None and field.node.kind == "text" else None

    def twice(self) -> "Field | None":
        """The second of two fields with one name."""
        seen: set[str] = set()
        for field in self.fields:
            if field.key in seen:
                return field
            seen.add(field.key)
        return None


@dataclass(frozen=True, kw_only=True)
class Field:
    key: str
    keys: tuple[Span, ...]
    """Every place where this key is spelled; TOML may spell one more than once."""
    node: Node

    @property
    def start(self) -> int:
        return self.keys[0][0]


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One piece of the text and what stands there from now on."""

    start: int
    end: int
    new: str


def edited(text: str, edits: Iterable[Edit]) -> str:
    pieces: list[str] = []
    at = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if edit.start < at:
            raise ValueError("two edits of one place")
        pieces += (text[at : edit.start], edit.new)
        at = edit.end
    return "".join([*pieces, text[at:]])


def texts(node: Node) -> list[str] | None:
    """The texts of a list; None where it holds something else, or is no list."""
    if node.kind != "list" or any(item.kind != "text" for item in node.items):
        return None
    return [item.value for item in node.items]


def walk(node: Node) -> Iterator[Node]:
    yield node
    for field in node.fields:
        yield from walk(field.node)
    for item in node.items:
        yield from walk(item)


class Lines:
    """Which line, counted from 1, a place of the text lies on."""

    def __init__(self, text: str) -> None:
        self._starts = [0]
        at = text.find("\n")
        while at >= 0:
            self._starts.append(at + 1)
            at = text.find("\n", at + 1)

    def at(self, place: int) -> int:
        return bisect_right(self._starts, max(place, 0))
