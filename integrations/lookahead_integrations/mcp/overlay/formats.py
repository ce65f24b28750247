"""How listings, trees and facts of files are written down: read from what the world said, and written the same way."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import SequenceMatcher
from typing import Any, Final, Literal, TypeAlias, cast

from pydantic import JsonValue

from lookahead.domains.results import as_value
from lookahead.types import Tool
from lookahead_integrations.mcp.overlay.words import words

Style: TypeAlias = Literal["marked", "sized", "names", "json"]
_MARKED: Final = re.compile(r"\[(FILE|DIR)\] (.*)")
_SIZED: Final = re.compile(r"\[(FILE|DIR)\] (.*?)(?: +(\d+(?:\.\d+)? (?:B|KB|MB|GB|TB)))?")
_UNITS: Final = ("B", "KB", "MB", "GB", "TB")
_NOTHING: Final = re.compile(
    r"\s*|ok\W*|done\W*|success\w*\W*|null|none|true|\{\s*\}|\[\s*\]|\(?(?:no|empty|nothing|0)\b.*", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class Item:
    """One member of a directory."""

    folder: bool
    size: int | None = None
    shown: str = ""
    """Its size, as the world wrote it."""


FOLDER: Final = 4096
"""What a directory weighs, in most file systems."""

Items: TypeAlias = dict[str, Item]


def style_of(tool: Tool) -> Style:
    """How a listing of this tool looks, by its own description."""
    if "[FILE]" in tool.description:
        return "sized" if {"size", "sizes"} & set(words(tool.name)) else "marked"
    return "names"


def says_nothing(text: str) -> bool:
    """Whether this is how it is said that there is nothing, or how a world answers that does not know the tool."""
    return _NOTHING.fullmatch(text) is not None


def read_listing(text: str, style: Style) -> Items:
    """The members that a listing names."""
    if says_nothing(text):
        return {}
    if style in ("marked", "sized"):
        pattern = _SIZED if style == "sized" else _MARKED
        found = [match for line in text.splitlines() if (match := pattern.fullmatch(line.rstrip())) is not None]
        return {
            match[2].strip(): Item(
                folder=match[1] == "DIR", size=bytes_of(match[3]) if style == "sized" else None, shown=_shown(match)
            )
            for match in found
        }
    value: Any = as_value(text)
    listed = cast(list[Any], value) if isinstance(value, list) else text.splitlines()
    found_names = [one.strip() for one in listed if isinstance(one, str) and one.strip()]
    return {name.rstrip("/"): Item(folder=name.endswith("/") or "." not in name) for name in found_names}


def _shown(match: re.Match[str]) -> str:
    return (match[3] or "") if match.re is _SIZED else ""


def write_listing(items: Items, style: Style, *, by_size: bool = False) -> str:
    names = sorted(items, key=lambda name: name.encode())
    if style == "names":
        return "\n".join(name + "/" * items[name].folder for name in names)
    if style != "sized":
        return "\n".join(f"{_mark(items[name])} {name}" for name in names)
    names.sort(key=lambda name: -_weight(items[name]) if by_size else name.casefold())
    lines = [
        f"{_mark(item)} {name.ljust(30)} {'' if item.folder else (item.shown or size_of(item.size or 0)).rjust(10)}"
        for name, item in ((name, items[name]) for name in names)
    ]
    files = [item for item in items.values() if not item.folder]
    total = size_of(sum(item.size or 0 for item in files))
    counted = f"Total: {len(files)} files, {len(items) - len(files)} directories"
    return "\n".join([*lines, "", counted, f"Combined size: {total}"])


def _weight(item: Item) -> int:
    return FOLDER if item.folder else item.size or 0


def _mark(item: Item) -> str:
    return "[DIR]" if item.folder else "[FILE]"


def size_of(size: int) -> str:
    if size == 0:
        return "0 B"
    unit = int(math.log(size) / math.log(1024))
    return f"{size} B" if unit <= 0 else f"{size / 1024 ** min(unit, 4):.2f} {_UNITS[min(unit, 4)]}"


def bytes_of(shown: str | None) -> int | None:
    if not shown:
        return None
    number, unit = shown.split(" ")
    return round(float(number) * 1024 ** _UNITS.index(unit))


Tree: TypeAlias = Sequence[Mapping[str, Any]]


def read_tree(text: str, structured: JsonValue) -> Tree | None:
    """A tree of names, types and children; None where it is none."""
    held: Any = structured
    if isinstance(held, dict) and len(cast(dict[str, Any], held)) == 1:
        held = next(iter(cast(dict[str, Any], held).values()))
    said: Any = as_value(held if isinstance(held, str) else text)
    value: Any = cast(Any, held) if isinstance(held, list) else said
    if isinstance(value, dict) and isinstance(cast(dict[str, Any], value).get("children"), list):
        value = cast(dict[str, Any], value)["children"]
    if not isinstance(value, list):
        return None
    nodes = [cast(Mapping[str, Any], node) for node in cast(list[Any], value) if isinstance(node, dict)]
    return nodes if all(isinstance(node.get("name"), str) for node in nodes) else None


def spelled_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def facts_of(*, size: int, folder: bool, at: float) -> str:
    """What is known of a file, line by line."""
    moment = datetime.fromtimestamp(at, UTC).strftime("%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)")
    facts: dict[str, object] = {
        "size": size,
        "created": moment,
        "modified": moment,
        "accessed": moment,
        "isDirectory": str(folder).lower(),
        "isFile": str(not folder).lower(),
        "permissions": "755" if folder else "644",
    }
    return "\n".join(f"{name}: {value}" for name, value in facts.items())


def corrected(text: str, size: int) -> str | None:
    """What the world said of a file, with the size that it has now; None where no size is said."""
    if as_value(text) is not None:
        said, number = re.subn(r'("(?:size|bytes|length)"\s*:\s*)\d+', rf"\g<1>{size}", text)
    else:
        said, number = re.subn(r"(?im)^(\s*(?:size|bytes|length)\s*[:=]\s*)\d+", rf"\g<1>{size}", text)
    return said if number else None


def applied(text: str, edits: Sequence[tuple[str, str, bool]]) -> str | int:
    """The text with all edits made, one after the other; the number of the first one that fits nowhere."""
    text = text.replace("\r\n", "\n")
    for number, (old, new, everywhere) in enumerate(edits):
        old, new = old.replace("\r\n", "\n"), new.replace("\r\n", "\n")
        if old in text:
            text = text.replace(old, new) if everywhere else text.replace(old, new, 1)
            continue
        lines, wanted = text.split("\n"), [line.strip() for line in old.split("\n")]
        places = range(len(lines) - len(wanted) + 1)
        found = next((at for at in places if [one.strip() for one in lines[at : at + len(wanted)]] == wanted), None)
        if found is None:
            return number
        lines[found : found + len(wanted)] = _indented(lines[found], old.split("\n"), new.split("\n"))
        text = "\n".join(lines)
    return text


def _indented(first: str, old: list[str], new: list[str]) -> list[str]:
    indent = _indent(first)
    said = [indent + new[0].lstrip()]
    for number, line in enumerate(new[1:], 1):
        before, now = _indent(old[number]) if number < len(old) else "", _indent(line)
        deeper = max(0, len(now) - len(before))
        said.append(indent + " " * deeper + line.lstrip() if before and now else line)
    return said


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def diff(old: str, new: str, path: str) -> str:
    """What changed, as a patch inside a fence that the text cannot close."""
    one, other = _lines(old), _lines(new)
    out = [f"Index: {path}", "=" * 67, f"--- {path}\toriginal", f"+++ {path}\tmodified"]
    for group in SequenceMatcher(None, one, other, autojunk=False).get_grouped_opcodes(4):
        (_, start, _, other_start, _), (_, _, end, _, other_end) = group[0], group[-1]
        out.append(f"@@ -{_span(start, end)} +{_span(other_start, other_end)} @@")
        for what, low, high, other_low, other_high in group:
            if what == "equal":
                out += [" " + line for line in one[low:high]]
                continue
            out += [row for line in one[low:high] for row in ("-" + line).split("\0")]
            out += [row for line in other[other_low:other_high] for row in ("+" + line).split("\0")]
    patch = "\n".join(row for line in out for row in line.split("\0")) + "\n"
    fence = "```"
    while fence in patch:
        fence += "`"
    return f"{fence}diff\n{patch}{fence}\n\n"


def _span(start: int, end: int) -> str:
    return f"{start + (end > start)},{end - start}"


def _lines(text: str) -> list[str]:
    """Its lines; the last one with a remark where no line break ends it."""
    lines = text.split("\n")
    if lines[-1] == "":
        return lines[:-1]
    return [*lines[:-1], lines[-1] + "\0\\ No newline at end of file"]
