"""Reads JSON as the clients write it: with comments and a comma too many where someone left them, nothing repaired."""

import json
import re
from typing import Any, Final

from lookahead_integrations.mcp.clients.tree import DEEP, Field, Malformed, Node

_BLANK: Final = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
_TEXT: Final = re.compile(r'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"')
_OTHER: Final = re.compile(r"true\b|false\b|null\b|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![\w.])")


def read(text: str) -> Node:
    """The tree of a whole file. Raises Malformed."""
    reader = _Reader(text)
    at = reader.blank(1 if text.startswith("\ufeff") else 0)
    node = reader.value(at, 0)
    at = reader.blank(node.end)
    if at != len(text):
        raise Malformed("something follows after the end", at)
    return node


def spelled(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text

    def blank(self, at: int) -> int:
        found = _BLANK.match(self._text, at)
        end = found.end() if found else at
        if self._text.startswith("/*", end):
            raise Malformed("a comment has no end", end)
        return end

    def value(self, at: int, deep: int) -> Node:
        if deep > DEEP:
            raise Malformed(f"values lie more than {DEEP} deep", at)
        match self._text[at : at + 1]:
            case "{":
                return self._table(at, deep)
            case "[":
                return self._list(at, deep)
            case '"':
                return self._string(at)
            case "":
                raise Malformed("the file ends where a value is expected", at)
            case _:
                found = _OTHER.match(self._text, at)
                if found is None:
                    raise Malformed("no value begins like this", at)
                return Node(kind="other", value=_number(found[0]), start=at, end=found.end())

    def _string(self, at: int) -> Node:
        found = _TEXT.match(self._text, at)
        if found is None:
            raise Malformed("a text is not spelled as JSON asks, or has no end", at)
        return Node(kind="text", value=json.loads(found[0]), start=at, end=found.end())

    def _table(self, start: int, deep: int) -> Node:
        fields: list[Field] = []
        at = self.blank(start + 1)
        while not self._text.startswith("}", at):
            if not self._text.startswith('"', at):
                raise Malformed('a name in quotes, or "}", is expected', at)
            key = self._string(at)
            at = self.blank(key.end)
            if not self._text.startswith(":", at):
                raise Malformed('":" is expected', at)
            node = self.value(self.blank(at + 1), deep + 1)
            fields.append(Field(key=key.value, keys=((key.start, key.end),), node=node))
            at = self._next(node.end, "}")
        value = {field.key: field.node.value for field in fields}
        return Node(kind="table", value=value, start=start, end=at + 1, fields=tuple(fields))

    def _list(self, start: int, deep: int) -> Node:
        items: list[Node] = []
        at = self.blank(start + 1)
        while not self._text.startswith("]", at):
            items.append(self.value(at, deep + 1))
            at = self._next(items[-1].end, "]")
        value = [item.value for item in items]
        return Node(kind="list", value=value, start=start, end=at + 1, items=tuple(items))

    def _next(self, at: int, close: str) -> int:
        at = self.blank(at)
        if self._text.startswith(",", at):
            return self.blank(at + 1)
        if not self._text.startswith(close, at):
            raise Malformed(f'"," or "{close}" is expected', at)
        return at


def _number(word: str) -> Any:
    try:
        return json.loads(word)
    except ValueError:  # more digits than Python converts
        return word
