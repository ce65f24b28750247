"""Calls that change something: what is answered to them, and what they leave behind."""

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from pydantic import JsonValue

from lookahead.critics.tools import reads_by_name
from lookahead.domains.results import as_value
from lookahead.errors import NotMyWorld
from lookahead.types import Action, Observation, Origin, State, Tool
from lookahead_integrations.mcp.overlay.deeds import PLACES, Deed, spelled
from lookahead_integrations.mcp.overlay.formats import applied, diff, says_nothing
from lookahead_integrations.mcp.overlay.memory import (
    OVERLAY,
    Desk,
    Facts,
    Layer,
    beside,
    missing,
    not_there,
    spelled_compactly,
    spoken,
)
from lookahead_integrations.mcp.overlay.shelf import UNSURE, Base, Folder, Gone, Shelf, Written
from lookahead_integrations.mcp.overlay.words import parted, plain_name, words

_DONE: Final = {
    "put": "Successfully wrote to",
    "append": "Successfully appended to",
    "edit": "Successfully edited",
    "delete": "Successfully deleted",
    "folder": "Successfully created directory",
}


async def written(desk: Desk, deed: Deed) -> Observation:
    """The answer to a call that changes something: the world's, unless it cannot be."""
    shelf = desk.layer.shelf(deed.family)
    if (failure := _impossible(shelf, deed, desk.state.tool(desk.action.tool))) is not None:
        return failure
    patch: str | None = None
    if deed.verb in ("edit", "append"):
        patch = await _patched(desk, deed, shelf)
        if patch is not None and patch.startswith("\0"):
            return spoken(patch[1:], failed=True)
    if deed.rehearsal:
        return spoken(patch) if patch is not None else await desk.ask()
    try:
        said: Observation | None = await desk.ask()
    except NotMyWorld:
        said = None
    if said is not None and said.failed:
        return said
    if deed.assigned:
        return _assigned(desk, deed, said, shelf)
    if patch and deed.verb == "edit" and _shows_patch(desk.state.tool(desk.action.tool)):
        return spoken(patch, origin=beside(said.origin if said else None))
    return said or spoken(_default(deed))


def apply(layer: Layer, facts: Facts, deed: Deed, action: Action, said: Observation) -> None:
    """What a change that was answered so leaves behind."""
    shelf = layer.own(deed.family)
    layer.count += 1
    if deed.verb in ("move", "copy"):
        assert deed.to is not None
        shelf.move(deed.addresses[0], deed.to, keep=deed.verb == "copy")
        return
    if deed.assigned:
        given = _given(said)
        address = "\x1f".join([*(str(value) for value in deed.keys.values()), str(given)])
        if given is not None:
            value = _fields(deed, said, given)
            shelf.put(address, Written(value=value, keys=dict(deed.keys), noun=deed.noun, fields=True))
        return
    for number, address in enumerate(deed.addresses):
        if deed.verb == "delete":
            shelf.remove(address)
        elif deed.verb == "folder":
            shelf.folder(address)
        else:
            _apply_text(shelf, facts, deed, address, deed.texts[number] if number < len(deed.texts) else None)


def _apply_text(shelf: Shelf, facts: Facts, deed: Deed, address: str, text: JsonValue) -> None:
    found = shelf.find(address)
    base = found.base if isinstance(found, Written) else found.address if isinstance(found, Base) else None
    keys = dict(deed.keys)
    if deed.verb in ("edit", "append"):
        before = _text_here(shelf, facts, deed, address)
        new = isinstance(found, Gone) or (isinstance(found, Base) and (deed.family, found.address) in facts.absent)
        if deed.verb == "append" and new:
            before = ""
        after = None if before is None else _changed(deed, before, text)
        entry = UNSURE if not isinstance(after, str) else Written(value=after, keys=keys, noun=deed.noun, base=base)
        shelf.put(address, entry)
        return
    fields = isinstance(text, dict)
    if not deed.whole:
        old = found.value if isinstance(found, Written) else {}
        if isinstance(text, dict) and isinstance(old, dict):
            shelf.put(address, Written(value={**old, **text}, keys=keys, noun=deed.noun, fields=True, base=base))
            return
        if isinstance(text, dict):
            shelf.put(address, UNSURE)
            return
    shelf.put(address, Written(value=text, keys=keys, noun=deed.noun, fields=fields, base=None if fields else base))


def apply_unread(layer: Layer, state: State, action: Action, said: Observation) -> None:
    """A call that nobody could read: what it is seen to have done, or may have done to what it mentions."""
    tool = state.tool(action.tool)
    if (tool is not None and tool.effect == "reads") or (said.effects is None and reads_by_name(action.tool)):
        return
    layer.opaque += 1
    layer.count += 1
    family = f"{parted(action.tool)[0]}:{PLACES}"
    for effect in said.effects or ():
        kept = [name for name, shelf in layer.shelves.items() if effect.target in shelf.entries]
        if effect.what in ("file", "directory", "link"):
            kept = kept or [family]
        for name in kept:
            shelf = layer.own(name)
            target = spelled(effect.target) if shelf.tree else effect.target
            if effect.happened == "deleted":
                shelf.remove(target)
            else:
                shelf.put(target, UNSURE)
    if said.effects is not None:
        return
    mentioned = " ".join(_texts(action.arguments))
    for name, shelf in list(layer.shelves.items()):
        for address in [key for key, entry in shelf.entries.items() if not isinstance(entry, Gone)]:
            named = re.escape(address.rpartition("\x1f")[2])
            if len(address) > 1 and re.search(rf"(?<![\w./-]){named}(?![\w/-])", mentioned):
                layer.own(name).put(address, UNSURE)


def _impossible(shelf: Shelf, deed: Deed, tool: Tool | None) -> Observation | None:
    """Why it cannot be done, where what was done before rules it out."""
    if deed.verb in ("move", "copy"):
        found = shelf.find(deed.addresses[0])
        if isinstance(found, Gone):
            word = "rename" if deed.verb == "move" else "copyfile"
            return missing(word, deed.named[0], deed.to or "") if deed.at_place else not_there(deed.noun, deed.named)
        if isinstance(shelf.find(deed.to or ""), Written | Folder) and _keeps(tool):
            return spoken(f"Destination already exists: {deed.to}", failed=True)
        return _without_parent(shelf, deed, deed.to or "")
    for address, named in zip(deed.addresses, deed.named, strict=True):
        found = shelf.find(address)
        gone = isinstance(found, Gone)
        if deed.verb == "edit" and gone:
            return missing("open", named) if deed.at_place else not_there(deed.noun, [named])
        if deed.verb == "delete" and gone and deed.at_place:
            return missing("unlink", named)
        if not deed.whole and gone:
            return not_there(deed.noun, [named])
        if deed.verb == "folder" and isinstance(found, Written):
            return spoken(f"EEXIST: file already exists, mkdir {named!r}", failed=True)
        if deed.verb in ("put", "append", "edit") and deed.at_place:
            if isinstance(found, Folder):
                return spoken(f"EISDIR: illegal operation on a directory, open {named!r}", failed=True)
            if gone and (failure := _without_parent(shelf, deed, address)) is not None:
                return failure
    return None


def _without_parent(shelf: Shelf, deed: Deed, address: str) -> Observation | None:
    above = posixpath.dirname(address)
    if not deed.at_place or not above or above in ("/", "."):
        return None
    if isinstance(shelf.find(above), Gone | Written):
        return missing("open", address) if deed.verb == "put" else missing(deed.verb, deed.named[0], address)
    return None


def _keeps(tool: Tool | None) -> bool:
    """Whether its description says that it fails where something is in the way."""
    said = set(words(tool.description)) if tool is not None else set[str]()
    return bool(said & {"exists", "exist"}) and bool(said & {"fail", "fails", "error"})


async def _patched(desk: Desk, deed: Deed, shelf: Shelf) -> str | None:
    """What an edit changes, as a patch; behind a zero where it fits nowhere; None where nobody knows the text."""
    address = deed.addresses[0]
    found = shelf.find(address)
    if isinstance(found, Base):
        await desk.text_before(deed.family, found.address)
    before = _text_here(shelf, desk.facts, deed, address)
    if before is None:
        return None
    after = _changed(deed, before, deed.texts[0] if deed.texts else None)
    if isinstance(after, int):
        return f"\0Could not find exact match for edit:\n{deed.edits[after][0]}"
    return diff(before.replace("\r\n", "\n"), after, deed.named[0])


def _changed(deed: Deed, before: str, text: JsonValue) -> str | int:
    if deed.verb == "edit":
        return applied(before, deed.edits)
    return before + spelled_compactly(text)


def _text_here(shelf: Shelf, facts: Facts, deed: Deed, address: str) -> str | None:
    found = shelf.find(address)
    if isinstance(found, Written):
        return found.value if isinstance(found.value, str) else None
    known = facts.texts.get((deed.family, found.address)) if isinstance(found, Base) else None
    return known[0] if known else None


def _shows_patch(tool: Tool | None) -> bool:
    return tool is not None and bool({"diff", "patch"} & set(words(tool.description)))


def _assigned(desk: Desk, deed: Deed, said: Observation | None, shelf: Shelf) -> Observation:
    """What a server would say that gives new things their ids: the world's answer where it has one."""
    if said is not None and _given(said) is not None:
        return said
    tool = desk.state.tool(desk.action.tool)
    if said is not None and not says_nothing(said.content) and not (tool and tool.result):
        return said
    numbers = [int(last) for key in shelf.entries if (last := key.rpartition("\x1f")[2]).isdecimal()]
    name = _id_name(tool)
    record: dict[str, JsonValue] = {name: max(numbers, default=0) + 1, **deed.keys, **cast(Any, deed.texts[0])}
    if tool is not None and _type_of(tool, name) == "string":
        record[name] = str(record[name])
    told = said.structured if said is not None and isinstance(said.structured, dict) else {}
    record = {**record, **told, name: record[name]}
    origin: Origin = beside(said.origin) if said is not None else OVERLAY
    return spoken(json.dumps(record, indent=2, ensure_ascii=False), structured=record, origin=origin)


def _id_name(tool: Tool | None) -> str:
    properties = (tool.result or {}).get("properties") if tool is not None else None
    names = list(cast(dict[str, Any], properties)) if isinstance(properties, dict) else []
    return next((name for name in names if plain_name(name) in ("id", "key")), "id")


def _type_of(tool: Tool, name: str) -> object:
    properties: Any = (tool.result or {}).get("properties")
    found: Any = cast(dict[str, Any], properties).get(name) if isinstance(properties, dict) else None
    return cast(dict[str, Any], found).get("type") if isinstance(found, dict) else None


def _given(said: Observation) -> str | int | None:
    """The id that an answer gives."""
    for value in (said.structured, as_value(said.content)):
        if (found := _id_in(value)) is not None:
            return found
    for pattern in (r"#(\d+)\b", r"(?i)\b(?:id|number|key)\b[\"'`\s:=#]+([\w-]*\d[\w-]*)", r"/(\d+)(?![\w.])"):
        if (match := re.search(pattern, said.content)) is not None:
            return match[1]
    return None


def _id_in(value: Any, deep: int = 2) -> str | int | None:
    if not isinstance(value, dict) or deep == 0:
        return None
    fields = cast(dict[str, Any], value)
    ranked = sorted(fields, key=lambda name: (len(words(name)), name))
    for name in ranked:
        found = fields[name]
        if plain_name(name) in ("id", "key") and isinstance(found, str | int) and not isinstance(found, bool):
            return found
    return next((found for inner in fields.values() if (found := _id_in(inner, deep - 1)) is not None), None)


def _fields(deed: Deed, said: Observation, given: str | int) -> JsonValue:
    """All that is known of something new: what it was made with, and what the server said of it."""
    told = said.structured if isinstance(said.structured, dict) else as_value(said.content)
    record: Mapping[str, JsonValue] = told if isinstance(told, dict) else {"id": given}
    return {**cast(dict[str, JsonValue], deed.texts[0]), **deed.keys, **record}


def _default(deed: Deed) -> str:
    named = ", ".join(deed.named)
    if deed.verb in ("move", "copy"):
        return f"Successfully {'moved' if deed.verb == 'move' else 'copied'} {named} to {deed.to}"
    return f"{_DONE[deed.verb]} {named}"


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(inner)
