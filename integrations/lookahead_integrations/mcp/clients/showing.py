"""A client's file as it may be shown: what may be a secret is taken out, and a terminal obeys nothing in it."""

import difflib
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeAlias, cast

from pydantic import JsonValue

from lookahead.redact import redact
from lookahead.show import safe
from lookahead_integrations.mcp.clients.files import ClientFile, Entry, parse
from lookahead_integrations.mcp.clients.rewriting import Rewritten
from lookahead_integrations.mcp.clients.tree import Edit, Lines, Node, Span, edited, walk

HIDDEN: Final = "[redacted]"
_TABLES: Final = ("env", "headers", "http_headers")
_VARIABLE: Final = re.compile(r"\$\{[^}]*\}")
_PLAIN: Final = re.compile(r"(?:(?:Bearer|Basic|Token) +)?\$\{[A-Za-z_][A-Za-z0-9_:.-]*\}", re.IGNORECASE)
_QUERY: Final = re.compile(r"((?<=[?&])[\w.%-]+=)(?!\$\{)[^&#\s]+")
_LONG: Final = 400
_CONTEXT: Final = 3
_HEAD: Final = 2
_NESTED: Final = 64
"""So many members of a server may lie before a line of it."""

Step: TypeAlias = tuple[str, int, int, int, int]
"""What becomes of some lines: `equal`, or something else; where they are in the old file, and where in the new."""


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
    before, after = _page(change.before), _page(parse(change.before.path, change.content))
    name = str(change.before.path)
    lines = [f"--- {name}", f"+++ {name}"]
    for group in _hunks(_steps(before, after)):
        begin, end = group[0], group[-1]
        lines.append(f"@@ -{begin[1] + 1},{end[2] - begin[1]} +{begin[3] + 1},{end[4] - begin[3]} @@")
        for kind, first, last, new_first, new_last in group:
            if kind == "equal":
                lines += (f" {before.shown(at)}" for at in range(first, last))
            else:
                lines += (f"-{before.shown(at)}" for at in range(first, last))
                lines += (f"+{after.shown(at)}" for at in range(new_first, new_last))
    return lines if len(lines) > _HEAD else []


@dataclass(frozen=True, kw_only=True)
class _Page:
    """A file as it is shown, line by line."""

    lines: list[str]
    served: list[bool]
    """Of each line, whether it belongs to a server, whose secrets have been taken out."""
    servers: list[tuple[int, int]]
    """The lines of each server; empty where a server's are not all in one place."""

    def shown(self, at: int) -> str:
        """What stands around the servers is searched for secrets now, when it is shown."""
        line = self.lines[at] if self.served[at] else redact.text(self.lines[at])
        inner = line.lstrip("\t")
        return f"{line[: len(line) - len(inner)]}{safe(inner, _LONG)}"


def _page(file: ClientFile) -> _Page:
    lines = Lines(file.text)
    spans = sorted(span for entry in file.entries for span in _spans(entry))
    starts = [start for start, _ in spans]
    served: list[bool] = []
    at = 0
    for line in file.text.split("\n"):
        begin, end = at + len(line) - len(line.lstrip()), at + len(line.rstrip(", \t\r"))
        last = bisect_right(starts, begin) - 1
        served.append(last >= 0 and any(end <= until for _, until in spans[max(last - _NESTED, 0) : last + 1]))
        at += len(line) + 1
    whole = all(entry.node.whole for entry in file.entries)
    places = [(lines.at(entry.field.start) - 1, lines.at(entry.node.end)) for entry in file.entries] if whole else []
    return _Page(lines=[line.rstrip("\r") for line in masked(file).split("\n")], served=served, servers=sorted(places))


def _steps(before: _Page, after: _Page) -> list[Step]:
    """How one becomes the other. A large file is compared server by server, because only they can differ."""
    parts = list(zip(before.servers, after.servers, strict=False))
    apart = all(one[0][1] <= two[0][0] and one[1][1] <= two[1][0] for one, two in pairwise(parts))
    if not parts or not apart:
        parts = [((0, len(before.lines)), (0, len(after.lines)))]
    steps: list[Step] = []
    old = new = 0
    for (first, last), (new_first, new_last) in parts:
        steps.append(("equal", old, first, new, new_first))
        part = difflib.SequenceMatcher(None, before.lines[first:last], after.lines[new_first:new_last], autojunk=False)
        steps += [(kind, first + a, first + b, new_first + c, new_first + d) for kind, a, b, c, d in part.get_opcodes()]
        old, new = last, new_last
    steps.append(("equal", old, len(before.lines), new, len(after.lines)))
    return _joined([step for step in steps if step[1] < step[2] or step[3] < step[4]])


def _hunks(steps: list[Step]) -> Iterator[list[Step]]:
    """The changes, with some lines around them; those that are near each other together."""
    hunk: list[Step] = []
    for number, (kind, old, old_end, new, new_end) in enumerate(steps):
        if kind != "equal":
            hunk.append((kind, old, old_end, new, new_end))
            continue
        if hunk and (number == len(steps) - 1 or old_end - old > 2 * _CONTEXT):
            few = min(_CONTEXT, old_end - old)
            yield [*hunk, (kind, old, old + few, new, new + few)]
            hunk = []
        few = min(_CONTEXT, old_end - old) if not hunk else old_end - old
        hunk.append((kind, old_end - few, old_end, new_end - few, new_end))
        if number == len(steps) - 1:
            return
    if hunk:
        yield hunk


def _joined(steps: list[Step]) -> list[Step]:
    """Lines that stay as they are, in one step where they follow each other."""
    joined: list[Step] = []
    for step in steps:
        if joined and step[0] == joined[-1][0] == "equal":
            _, first, _, new_first, _ = joined.pop()
            step = ("equal", first, step[2], new_first, step[4])
        joined.append(step)
    return joined


def _spans(entry: Entry) -> Iterator[Span]:
    if entry.node.whole:
        yield entry.field.start, entry.node.end
    for field in entry.node.fields:
        yield from ((start, field.node.end) for start, _ in field.keys)


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
