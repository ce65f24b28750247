"""A client's file as it may be shown: what may be a secret is taken out, and a terminal obeys nothing in it."""

import difflib
import re
from collections.abc import Iterator
from typing import Final, cast

from pydantic import JsonValue

from lookahead.redact import redact
from lookahead.show import safe
from lookahead_integrations.mcp.clients.files import ClientFile, Entry, parse
from lookahead_integrations.mcp.clients.rewriting import Rewritten
from lookahead_integrations.mcp.clients.tree import Edit, Node, Span, edited, walk

HIDDEN: Final = "[redacted]"
_TABLES: Final = ("env", "headers", "http_headers")
_VARIABLE: Final = re.compile(r"\$\{[^}]*\}")
_PLAIN: Final = re.compile(r"(?:(?:Bearer|Basic|Token) +)?\$\{[A-Za-z_][A-Za-z0-9_:.-]*\}", re.IGNORECASE)
_QUERY: Final = re.compile(r"((?<=[?&])[\w.%-]+=)(?!\$\{)[^&#\s]+")
_LONG: Final = 400


def variables(text: str) -> list[str]:
    """The variables that a value refers to, as they are spelled."""
    return _VARIABLE.findall(text)


def nameable(value: str) -> bool:
    """Whether a value of `env` or `headers` may be shown: it is empty, or names a variable and holds nothing itself."""
    return not value or (_PLAIN.fullmatch(value) is not None and ":-" not in value)


def masked(file: ClientFile) -> str:
    """The text with each value of `env` and of headers, and whatever looks like a secret, replaced."""
    found = [one for entry in file.entries for one in _shown(entry)]
    once = {node.start: Edit(start=node.start, end=node.end, new=_spelled(file, node, said)) for node, said in found}
    return edited(file.text, once.values())


def diff(change: Rewritten) -> list[str]:
    """The change, line by line, in the form of `diff -u`."""
    old, new = change.before, parse(change.before.path, change.content)
    name = str(old.path)
    before, after = _parts(old), _parts(new)
    lines = difflib.unified_diff([line for line, _ in before], [line for line, _ in after], name, name, lineterm="")
    served = {line for line, mine in (*before, *after) if mine}
    return [_line(line, served) for line in lines]


def _parts(file: ClientFile) -> list[tuple[str, bool]]:
    """The lines to show, and of each whether it belongs to a server, whose secrets have been taken out."""
    text = masked(file)
    whole = parse(file.path, text.encode("utf-8"))
    within = [span for entry in whole.entries for span in _spans(entry)]
    parts: list[tuple[str, bool]] = []
    at = 0
    for line in text.split("\n"):
        begin, end = at + len(line) - len(line.lstrip()), at + len(line.rstrip(", \t\r"))
        parts.append((line.rstrip("\r"), any(first <= begin and end <= last for first, last in within)))
        at += len(line) + 1
    return parts


def _spans(entry: Entry) -> Iterator[Span]:
    if entry.node.whole:
        yield entry.field.start, entry.node.end
    for field in entry.node.fields:
        yield from ((start, field.node.end) for start, _ in field.keys)


def _line(line: str, served: set[str]) -> str:
    """One line of the difference. What stands around the servers is searched for secrets now, when it is shown."""
    sign, rest = line[:1], line[1:]
    shown = rest if rest in served else redact.text(rest)
    inner = shown.lstrip("\t")
    return f"{sign}{shown[: len(shown) - len(inner)]}{safe(inner, _LONG)}"


def _shown(entry: Entry) -> Iterator[tuple[Node, str]]:
    """The values that are not shown as they are, each with what is shown."""
    cleaned = redact.json(entry.node.value)
    for field in entry.node.fields:
        if field.key in _TABLES:
            for node in walk(field.node):
                if (node.kind == "text" and not nameable(node.value)) or node.kind == "other":
                    yield node, HIDDEN
        else:
            yield from _differing(field.node, cast("dict[str, JsonValue]", cleaned).get(field.key))


def _differing(node: Node, cleaned: JsonValue) -> Iterator[tuple[Node, str]]:
    """The texts in which the redactor found something, and the addresses that carry values."""
    if node.kind == "text" and isinstance(cleaned, str):
        shown = _QUERY.sub(rf"\1{HIDDEN}", cleaned)
        if shown != node.value:
            yield node, shown
    elif isinstance(cleaned, list):
        for item, clean in zip(node.items, cleaned, strict=False):
            yield from _differing(item, clean)
    elif isinstance(cleaned, dict):
        for field in node.fields:
            yield from _differing(field.node, cleaned.get(field.key))


def _spelled(file: ClientFile, node: Node, said: str) -> str:
    """As many lines as before, so that the numbers of all others stay."""
    return file.spelled(said) + "\n" * file.text.count("\n", node.start, node.end)
