"""Calls that list or look for things: what the world says is there, put right by what was written since."""

import posixpath
from collections.abc import Mapping
from typing import Any, cast

from pydantic import JsonValue

from lookahead.domains.results import as_value
from lookahead.types import Observation, Tool
from lookahead_integrations.mcp.overlay.deeds import AT, Deed
from lookahead_integrations.mcp.overlay.formats import (
    Item,
    Style,
    read_listing,
    read_tree,
    says_nothing,
    spelled_json,
    style_of,
    write_listing,
)
from lookahead_integrations.mcp.overlay.globs import excluded, matches
from lookahead_integrations.mcp.overlay.memory import OVERLAY, Desk, beside, missing, spelled_compactly, spoken, text_in
from lookahead_integrations.mcp.overlay.shelf import Base, Entry, Folder, Gone, Shelf, Unsure, Written, below, relative
from lookahead_integrations.mcp.overlay.words import role_of, words


async def listed(desk: Desk, deed: Deed) -> Observation:
    """The members of one directory."""
    shelf = desk.layer.shelf(deed.family)
    folder = deed.addresses[0]
    found = shelf.find(folder)
    if isinstance(found, Gone):
        return missing("scandir", deed.named[0])
    if isinstance(found, Written):
        return spoken(f"ENOTDIR: not a directory, scandir {deed.named[0]!r}", failed=True)
    if isinstance(found, Unsure):
        return await desk.ask()
    if not shelf.touched(folder):
        return await desk.asked_once()
    tool = desk.state.tool(desk.action.tool)
    base = found.address if isinstance(found, Base) else found.base
    said = await _before(desk, deed, base)
    if said is not None and said.failed:
        if isinstance(found, Base):
            return missing("scandir", deed.named[0])
        said = None
    value = _data(said)
    if value is not None and not (tool and "[FILE]" in tool.description):
        rows = _merged_rows(value, shelf.within(folder), deed)
        if rows is not None:
            return spoken(spelled_json(rows), structured=_data_of(said, rows), origin=beside(said and said.origin))
    style: Style = style_of(tool) if tool else "names"
    items = read_listing(text_in(said), style) if said is not None else {}
    for name, entry in shelf.within(folder).items():
        items.pop(name, None)
        if not isinstance(entry, Gone):
            items[name] = await _item(desk, deed, entry, style)
    by_size = deed.view.get("sortBy") == "size" or deed.view.get("sort_by") == "size"
    return spoken(write_listing(items, style, by_size=by_size), origin=beside(said and said.origin))


async def _before(desk: Desk, deed: Deed, base: str | None) -> Observation | None:
    """How it was listed before: by this very call where nothing moved, so that the world knows all that was done."""
    if base is None:
        return None
    if base != deed.addresses[0]:
        return await desk.told_or_failed(desk.action.tool, desk.rewritten(deed, base))
    return await desk.told_or_failed(desk.action.tool, dict(desk.action.arguments))


async def _item(desk: Desk, deed: Deed, entry: Entry, style: Style) -> Item:
    if isinstance(entry, Written):
        return Item(folder=False, size=len(spelled_compactly(entry.value).encode("utf-8", "replace")))
    if isinstance(entry, Base):
        # Of what was moved only its old place knows what it is.
        above, name = posixpath.split(entry.address)
        told = await desk.told(desk.action.tool, desk.rewritten(deed, above or "."))
        known = read_listing(text_in(told), style) if told is not None else {}
        return known.get(name) or Item(folder="." not in name.lstrip("."))
    return Item(folder=isinstance(entry, Folder))


async def tree(desk: Desk, deed: Deed) -> Observation:
    """A directory with everything below it."""
    shelf = desk.layer.shelf(deed.family)
    root = deed.addresses[0] if deed.addresses else "."
    found = shelf.find(root)
    if isinstance(found, Gone):
        return missing("scandir", deed.named[0] if deed.named else root)
    if isinstance(found, Unsure) or AT in deed.family:
        return await desk.ask()
    if not shelf.touched(root):
        return await desk.asked_once()
    if isinstance(found, Base) and await _absent(desk, deed, found.address, desk.action.tool):
        return missing("scandir", deed.named[0] if deed.named else root)
    patterns = _patterns(deed)
    nodes = await _nodes(desk, deed, shelf, root, root, desk.action.tool, patterns)
    return spoken(spelled_json(nodes))


async def _nodes(
    desk: Desk, deed: Deed, shelf: Shelf, root: str, folder: str, tool: str, patterns: list[str]
) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = []
    members = await _members(desk, deed, shelf, folder, tool)
    for name in sorted(members, key=lambda name: name.encode()):
        path = posixpath.join(folder, name)
        if excluded(relative(path, root), patterns, anywhere=True):
            continue
        node: dict[str, Any] = {"name": name, "type": "directory" if members[name] else "file"}
        if members[name]:
            node["children"] = await _nodes(desk, deed, shelf, root, path, tool, patterns)
        nodes.append(node)
    return nodes


async def _members(desk: Desk, deed: Deed, shelf: Shelf, folder: str, tool: str) -> dict[str, bool]:
    """The names in a directory, and whether each is a directory."""
    found = shelf.find(folder)
    base = found.address if isinstance(found, Base) else found.base if isinstance(found, Folder) else None
    members = dict(await _members_before(desk, deed, base, tool) or {}) if base is not None else {}
    for name, entry in shelf.within(folder).items():
        members.pop(name, None)
        if isinstance(entry, Base):
            above, old = posixpath.split(entry.address)
            known = await _members_before(desk, deed, above or ".", tool) or {}
            members[name] = known.get(old, "." not in old.lstrip("."))
        elif not isinstance(entry, Gone):
            members[name] = isinstance(entry, Folder)
    return members


async def _members_before(desk: Desk, deed: Deed, base: str, tool: str) -> dict[str, bool] | None:
    folders = desk.facts.folders
    key = (deed.family, base)
    if key not in folders:
        named = desk.state.tool(tool)
        argument = desk.reading.address_argument(named) if named else ""
        said = await desk.told_or_failed(tool, {argument: base} if argument else {})
        if said is not None and said.failed:
            desk.facts.absent.add(key)
            return None
        nodes = read_tree(said.content, said.structured) if said is not None else None
        if nodes is None:
            return None
        _learn(folders, deed.family, base, nodes)
    return folders[key]


async def _absent(desk: Desk, deed: Deed, base: str, tool: str) -> bool:
    """Whether the world says that this directory is not there."""
    return await _members_before(desk, deed, base, tool) is None and (deed.family, base) in desk.facts.absent


def _learn(folders: dict[tuple[str, str], dict[str, bool]], family: str, folder: str, nodes: Any) -> None:
    members = folders.setdefault((family, folder), {})
    for node in cast(list[Mapping[str, Any]], nodes):
        inner = node.get("children")
        members[node["name"]] = isinstance(inner, list) or node.get("type") in ("directory", "dir", "folder")
        if isinstance(inner, list):
            _learn(folders, family, posixpath.join(folder, node["name"]), cast(list[Any], inner))


async def looked_for(desk: Desk, deed: Deed) -> Observation:
    """Paths that fit a pattern."""
    shelf = desk.layer.shelf(deed.family)
    root = deed.addresses[0] if deed.addresses else "."
    found = shelf.find(root)
    if isinstance(found, Gone):
        return missing("scandir", deed.named[0] if deed.named else root)
    if isinstance(found, Unsure) or {"grep", "content", "contents"} & set(words(desk.action.tool)):
        return await desk.ask()
    if not shelf.touched(root):
        return await desk.asked_once()
    sought = [value for name, value in deed.view.items() if role_of(name) in ("pattern", "query")]
    pattern = next((value for value in sought if isinstance(value, str)), "")
    globbing = any(role_of(name) == "pattern" for name in deed.view)
    whole = desk.reading.getter(deed.family, verb="tree")
    base = found.address if isinstance(found, Base) else found.base if isinstance(found, Folder) else None
    if whole is not None and isinstance(found, Base) and await _absent(desk, deed, found.address, whole.name):
        return missing("scandir", deed.named[0] if deed.named else root)
    known = base is None or (whole is not None and await _members_before(desk, deed, base, whole.name) is not None)
    if known and globbing:
        nodes = await _nodes(desk, deed, shelf, root, root, whole.name if whole else "", [])
        hits = [
            path
            for path in _paths(nodes, root)
            if matches(relative(path, root), pattern) and not _left_out(path, root, deed)
        ]
        return spoken("\n".join(hits) or "No matches found")
    said = await _before(desk, deed, base)
    if said is not None and said.failed:
        if isinstance(found, Base):
            return missing("scandir", deed.named[0] if deed.named else root)
        said = None
    lines = [] if said is None or says_nothing(text_in(said)) else text_in(said).splitlines()
    kept = [line for line in lines if isinstance(shelf.find(line.strip()), Base)]
    for address, entry in sorted(shelf.entries.items()):
        if isinstance(entry, Gone | Unsure) or not below(address, root) or address in kept:
            continue
        text = spelled_compactly(entry.value) if isinstance(entry, Written) else ""
        near = relative(address, root)
        fits = matches(near, pattern) if globbing else pattern.lower() in f"{near}\n{text}".lower()
        if fits and not _left_out(address, root, deed):
            kept.append(address)
    origin = beside(said.origin) if said is not None else OVERLAY
    return spoken("\n".join(kept) or "No matches found", origin=origin)


def _paths(nodes: list[dict[str, Any]], folder: str) -> list[str]:
    found: list[str] = []
    for node in nodes:
        path = posixpath.join(folder, node["name"])
        found += [path, *_paths(node.get("children", []), path)]
    return found


def _left_out(path: str, root: str, deed: Deed) -> bool:
    """What is left out is left out with everything below it."""
    patterns = _patterns(deed)
    parts = relative(path, root).split("/")
    return any(excluded("/".join(parts[:end]), patterns, anywhere=False) for end in range(1, len(parts) + 1))


def _patterns(deed: Deed) -> list[str]:
    given = [value for name, value in deed.view.items() if {"exclude", "ignore"} & set(words(name))]
    return [str(one) for value in given if isinstance(value, list) for one in value]


async def kept(desk: Desk, deed: Deed) -> Observation:
    """All members of a family that lie in no directory, or those that fit a query."""
    shelf = desk.layer.shelf(deed.family)
    mine = dict(shelf.entries)
    if not mine:
        return await desk.asked_once()
    if any(isinstance(entry, Unsure) for entry in mine.values()) or _later_page(deed):
        return await desk.ask()
    query = next((str(value).lower() for name, value in deed.view.items() if role_of(name) == "query"), "")
    said = await desk.told(desk.action.tool, dict(desk.action.arguments))
    shown = {key: entry for key, entry in mine.items() if isinstance(entry, Gone) or _wanted(key, entry, query, deed)}
    hidden = {key: Gone() for key in mine.keys() - shown.keys()}
    value = _data(said)
    origin = beside(said.origin) if said is not None else OVERLAY
    tool = desk.state.tool(desk.action.tool)
    if value is None and (_fielded(mine) or (tool is not None and tool.result)):
        value = []
    rows = _merged_rows(value, {**shown, **hidden}, deed) if value is not None else None
    if rows is not None:
        return spoken(spelled_json(rows), structured=_data_of(said, rows, tool), origin=origin)
    lines = [] if said is None or says_nothing(said.content) else text_in(said).splitlines()
    gone = {key.rpartition("\x1f")[2] for key in [*hidden, *mine]}
    left = [line for line in lines if not any(name in words_in(line) for name in gone)]
    mark = next((line[:2] for line in lines if line[:2] in ("- ", "* ", "• ")), "")
    added = [mark + key.rpartition("\x1f")[2] for key, entry in shown.items() if not isinstance(entry, Gone)]
    return spoken("\n".join([*left, *added]), origin=origin)


def words_in(line: str) -> set[str]:
    bare = line.strip().lstrip("-*• ")
    return {bare, bare.partition(":")[0].strip(), bare.partition(" ")[0].strip(":,"), bare.partition(" (")[0]}


def _fielded(mine: Mapping[str, Entry]) -> bool:
    return any(isinstance(entry, Written) and entry.fields for entry in mine.values())


def _later_page(deed: Deed) -> bool:
    pages = {
        name: value for name, value in deed.view.items() if {"page", "cursor", "offset", "after"} & set(words(name))
    }
    return any(value not in (None, 0, 1, "", "0", "1") for value in pages.values())


def _wanted(key: str, entry: Entry, query: str, deed: Deed) -> bool:
    if not isinstance(entry, Written):
        return True
    text = spelled_compactly(entry.value)
    if query and query not in f"{key}\n{text}".lower():
        return False
    fields = {**entry.keys, **(entry.value if isinstance(entry.value, dict) else {})}
    given = {name: value for name, value in {**deed.view, **deed.keys}.items() if isinstance(value, str | int | bool)}
    return all(str(fields[name]).lower() == str(value).lower() for name, value in given.items() if name in fields)


def _data(said: Observation | None) -> JsonValue:
    """The listing as data: a list, or the one list in an object."""
    if said is None:
        return None
    for value in (said.structured, as_value(said.content)):
        inner: Any = value
        if isinstance(value, dict):
            lists = [one for one in value.values() if isinstance(one, list)]
            inner = lists[0] if len(lists) == 1 else as_value(_only_text(value))
        if isinstance(inner, list):
            return cast(JsonValue, inner)
    return None


def _only_text(value: dict[str, JsonValue]) -> str:
    only = next(iter(value.values())) if len(value) == 1 else ""
    return only if isinstance(only, str) else ""


def _data_of(said: Observation | None, rows: list[JsonValue], tool: Tool | None = None) -> JsonValue:
    """The same list in the place where the world had it, or where the schema has one."""
    if said is not None and isinstance(said.structured, dict):
        lists = [name for name, one in said.structured.items() if isinstance(one, list)]
        return {**said.structured, lists[0]: rows} if len(lists) == 1 else None
    declared: Any = (tool.result or {}).get("properties") if tool is not None else None
    for name, schema in cast(dict[str, Any], declared).items() if isinstance(declared, dict) else ():
        if isinstance(schema, dict) and cast(dict[str, Any], schema).get("type") == "array":
            return {name: rows}
    return None


def _merged_rows(value: JsonValue, entries: Mapping[str, Entry], deed: Deed) -> list[JsonValue] | None:
    """The rows of a listing, without what is gone and with what is new; None where these are no rows of names."""
    if not isinstance(value, list):
        return None
    objects = any(isinstance(row, dict) for row in value) or (not value and _fielded(entries))
    rows: list[JsonValue] = []
    seen: set[str] = set()
    for row in value:
        key = _key_of(row, entries)
        entry = entries.get(key) if key is not None else None
        if entry is None:
            rows.append(row)
        elif not isinstance(entry, Gone):
            seen.add(cast(str, key))
            new = entry.value if isinstance(entry, Written) else None
            rows.append({**row, **new} if isinstance(row, dict) and isinstance(new, dict) else row)
    for key, entry in entries.items():
        if key in seen or isinstance(entry, Gone):
            continue
        last = key.rpartition("\x1f")[2]
        fields = entry.value if isinstance(entry, Written) and isinstance(entry.value, dict) else {}
        named = entry.keys if isinstance(entry, Written) else {}
        text = {} if fields or not isinstance(entry, Written) else {"value": entry.value}
        folder: dict[str, JsonValue] = {"type": "directory" if isinstance(entry, Folder) else "file"}
        rows.append({"name": last, **(folder if deed.at_place else {}), **named, **fields, **text} if objects else last)
    return rows


def _key_of(row: JsonValue, entries: Mapping[str, Entry]) -> str | None:
    """Which of these a row speaks of."""
    if isinstance(row, dict):
        said = {
            str(value) for name, value in row.items() if role_of(name) == "address" and isinstance(value, str | int)
        }
    else:
        said = {str(row), posixpath.basename(str(row).rstrip("/"))}
    return next((key for key in entries if key.rpartition("\x1f")[2] in said), None)
