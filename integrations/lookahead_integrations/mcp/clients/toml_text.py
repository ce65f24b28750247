"""Reads TOML and remembers where each key and value stands; what it understood is checked against Python's reader."""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, cast

from lookahead_integrations.mcp.clients.tree import DEEP, Field, Kind, Malformed, Node, Span

_SPACE: Final = re.compile(r"[ \t]*")
_BLANK: Final = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_TEXT: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2}(?!"))|\'\'\'.*?\'\'\'(?:\'{0,2}(?!\'))|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL
)
_OTHER: Final = re.compile(r"[^\s,\]}#]+(?: [0-9][^\s,\]}#]*)?")
_PLACE: Final = re.compile(r"\((?:at line (\d+), column (\d+)|at end of document)\)")


def read(text: str) -> Node:
    """The tree of a whole file. Raises Malformed."""
    begin = 1 if text.startswith("\ufeff") else 0
    try:
        value = _loads(text[begin:])
    except tomllib.TOMLDecodeError as error:
        said = _PLACE.sub("", str(error)).strip() or "this is no TOML"
        raise Malformed(said[0].lower() + said[1:], _place(text, str(error))) from error
    except RecursionError as error:
        raise Malformed("values lie too deep", 0) from error
    node = _Reader(text).whole(begin)
    if node.value != value:
        raise Malformed("this way of writing TOML is not understood here", 0)
    return node


def _loads(text: str) -> dict[str, Any]:
    # Numbers stay as they are spelled, because one of them, nan, is not even equal to itself.
    return tomllib.loads(text, parse_float=str)


def spelled(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _place(text: str, said: str) -> int:
    """Where the error is that Python's reader tells of by line and column."""
    found = _PLACE.search(said)
    if found is None or found[1] is None:
        return len(text)
    at = 0
    for _ in range(int(found[1]) - 1):
        at = text.find("\n", at) + 1
    return at + int(found[2]) - 1


@dataclass(kw_only=True, eq=False)
class _Table:
    """A table while it is read: TOML may come back to it."""

    below: "dict[str, tuple[list[Span], _Table | Node | list[_Table]]]" = field(
        default_factory=lambda: {}  # noqa: PIE807
    )

    def enter(self, key: str, span: Span) -> "_Table":
        spans, found = self.below.setdefault(key, ([], _Table()))
        spans.append(span)
        if isinstance(found, list):
            return found[-1]
        if isinstance(found, Node):
            raise Malformed("a value is written to as if it were a table", span[0])
        return found

    def another(self, key: str, span: Span) -> "_Table":
        spans, found = self.below.setdefault(key, ([], cast("list[_Table]", [])))
        spans.append(span)
        if not isinstance(found, list):
            raise Malformed("this is no list of tables", span[0])
        found.append(_Table())
        return found[-1]

    def put(self, key: str, span: Span, node: Node) -> None:
        if key in self.below:
            raise Malformed(f"{key!r} is there twice", span[0])
        self.below[key] = ([span], node)

    def done(self, span: Span = (-1, -1)) -> Node:
        fields = tuple(Field(key=key, keys=tuple(spans), node=_done(made)) for key, (spans, made) in self.below.items())
        value = {field.key: field.node.value for field in fields}
        return Node(kind="table", value=value, start=span[0], end=span[1], fields=fields)


def _done(made: "_Table | Node | list[_Table]") -> Node:
    if isinstance(made, Node):
        return made
    if isinstance(made, _Table):
        return made.done()
    items = tuple(table.done() for table in made)
    return Node(kind="list", value=[item.value for item in items], items=items)


class _Reader:
    """Follows a text that Python's reader has found to be TOML."""

    def __init__(self, text: str) -> None:
        self._text = text

    def whole(self, at: int) -> Node:
        root = here = _Table()
        at = self._blank(at)
        while at < len(self._text):
            if self._text.startswith("[", at):
                many = self._text.startswith("[[", at)
                keys, end = self._keys(at + (2 if many else 1))
                here = root
                for key, span in keys[:-1]:
                    here = here.enter(key, span)
                here = here.another(*keys[-1]) if many else here.enter(*keys[-1])
                at = self._blank(end + (2 if many else 1))
            else:
                at = self._blank(self._statement(here, at, 0))
        return root.done()

    def _statement(self, table: _Table, at: int, deep: int) -> int:
        keys, at = self._keys(at)
        for key, span in keys[:-1]:
            table = table.enter(key, span)
        node = self._value(self._space(at + 1), deep)
        table.put(*keys[-1], node)
        return node.end

    def _keys(self, at: int) -> tuple[list[tuple[str, Span]], int]:
        """The parts of a dotted key, and where what follows it stands."""
        found: list[tuple[str, Span]] = []
        while True:
            at = self._space(at)
            token = _BARE.match(self._text, at) or _TEXT.match(self._text, at)
            if token is None:
                raise Malformed("a key is expected", at)
            key = token[0] if token[0][0] not in "\"'" else self._read(token[0], at)
            found.append((str(key), token.span()))
            at = self._space(token.end())
            if not self._text.startswith(".", at):
                return found, at
            at += 1

    def _value(self, at: int, deep: int) -> Node:
        if deep > DEEP:
            raise Malformed(f"values lie more than {DEEP} deep", at)
        match self._text[at : at + 1]:
            case "[":
                items = tuple(self._items(at, deep))
                end = self._blank(items[-1].end if items else at + 1)
                end = self._blank(end + 1) if self._text.startswith(",", end) else end
                return Node(kind="list", value=[item.value for item in items], start=at, end=end + 1, items=items)
            case "{":
                table, end = _Table(), self._blank(at + 1)
                while not self._text.startswith("}", end):
                    end = self._blank(self._statement(table, end, deep + 1))
                    end = self._blank(end + 1) if self._text.startswith(",", end) else end
                return table.done((at, end + 1))
            case _:
                found = _TEXT.match(self._text, at) or _OTHER.match(self._text, at)
                if found is None:
                    raise Malformed("a value is expected", at)
                kind: Kind = "text" if found[0][0] in "\"'" else "other"
                return Node(kind=kind, value=self._read(found[0], at), start=at, end=found.end())

    def _items(self, at: int, deep: int) -> Iterator[Node]:
        at = self._blank(at + 1)
        while not self._text.startswith("]", at):
            node = self._value(at, deep + 1)
            yield node
            at = self._blank(node.end)
            at = self._blank(at + 1) if self._text.startswith(",", at) else at

    def _read(self, token: str, at: int) -> Any:
        try:
            return _loads(f"it = {token}")["it"]
        except tomllib.TOMLDecodeError as error:
            raise Malformed("this way of writing TOML is not understood here", at) from error

    def _space(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at

    def _blank(self, at: int) -> int:
        found = _BLANK.match(self._text, at)
        return found.end() if found else at
