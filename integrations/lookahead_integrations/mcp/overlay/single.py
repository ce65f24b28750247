"""Calls that read one thing or several by name: the exact text after a write, and nothing after a delete."""

import base64
import json
import posixpath
from typing import Any, Final, cast
from urllib.parse import quote

from pydantic import JsonValue

from lookahead.critics.nameset import nameset
from lookahead.domains.results import as_value
from lookahead.types import Observation, Origin, Tool
from lookahead_integrations.mcp.overlay.deeds import Deed
from lookahead_integrations.mcp.overlay.formats import FOLDER, corrected, facts_of
from lookahead_integrations.mcp.overlay.memory import (
    Desk,
    beside,
    boxed,
    missing,
    not_there,
    spelled_compactly,
    spoken,
    text_in,
)
from lookahead_integrations.mcp.overlay.shelf import Base, Entry, Folder, Gone, Unsure, Written
from lookahead_integrations.mcp.overlay.words import plain_name, words

_MEDIA: Final = nameset("media image audio binary base64 blob bytes")
_KINDS: Final = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
    ".svg": "image/svg+xml",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".ogg": "audio/ogg",
    ".flac": "audio/flac",
}


async def read(desk: Desk, deed: Deed) -> Observation:
    """What a call that reads by name is answered."""
    if deed.many:
        return await _several(desk, deed)
    entry = desk.layer.shelf(deed.family).find(deed.addresses[0])
    if isinstance(entry, Unsure):
        return await desk.ask()
    if isinstance(entry, Gone):
        return _gone(deed, deed.named[0], "open")
    if isinstance(entry, Folder):
        return spoken("EISDIR: illegal operation on a directory, read", failed=True)
    tool = desk.state.tool(desk.action.tool)
    if isinstance(entry, Base):
        return await _base(desk, deed, entry.address)
    if _MEDIA & set(words(desk.action.tool)) and isinstance(entry.value, str):
        return _media(entry.value, deed)
    if entry.fields:
        return await _record(desk, deed, entry, tool)
    text = spelled_compactly(entry.value)
    part = sliced(text, dict(deed.view))
    if part is None:
        return await desk.ask()
    return part if isinstance(part, Observation) else spoken(part, structured=_in_schema(entry.value, tool))


def _in_schema(value: JsonValue, tool: Tool | None) -> JsonValue:
    """What was stored as data comes back as data, where it is what the tool declares."""
    declared = (tool.result or {}).get("properties") if tool is not None else None
    return value if isinstance(value, dict) and isinstance(declared, dict) and value.keys() <= declared.keys() else None


async def _base(desk: Desk, deed: Deed, base: str) -> Observation:
    """Untouched: as the world says it is, wherever it lies now."""
    moved = base != deed.addresses[0]
    known = desk.facts.texts.get((deed.family, base))
    media = _MEDIA & set(words(desk.action.tool))
    if known is not None and not media and desk.layer.opaque == 0:
        part = sliced(known[0], dict(deed.view))
        if part is not None:
            said = part if isinstance(part, Observation) else spoken(part)
            said = said.model_copy(update={"origin": known[1] if not moved else beside(known[1])})
            return boxed(said, desk.state.tool(desk.action.tool))
    if not moved:
        said = await desk.asked_once()
        if not said.failed and not deed.view and not media and deed.at_place:
            desk.facts.learn(deed.family, base, said)
        return said
    told = await desk.told(desk.action.tool, desk.rewritten(deed, base))
    if told is None:
        return await desk.ask()
    if not deed.view and not media:
        desk.facts.learn(deed.family, base, told)
    place = {"structured": _moved(told.structured, base, deed.addresses[0])} if media else {}
    return told.model_copy(update={"origin": beside(told.origin), "effects": (), **place})


def _moved(value: JsonValue, base: str, now: str) -> JsonValue:
    """The same picture at another place."""
    if isinstance(value, dict):
        return {name: _moved(inner, base, now) for name, inner in value.items()}
    if isinstance(value, list):
        return [_moved(inner, base, now) for inner in value]
    return f"file://{quote(now)}" if value == f"file://{quote(base)}" else value


async def _record(desk: Desk, deed: Deed, entry: Written, tool: Tool | None) -> Observation:
    record = {**entry.keys, **cast(dict[str, JsonValue], entry.value)}
    origin: Origin | None = None
    if entry.base is not None:
        # Only some of its fields were written: the others are as they were.
        said = await desk.told(desk.action.tool, desk.rewritten(deed, deed.named[0]))
        held = said and (said.structured if isinstance(said.structured, dict) else as_value(said.content))
        if not isinstance(held, dict):
            return await desk.ask()
        record, origin = {**held, **cast(dict[str, JsonValue], entry.value)}, said.origin if said else None
    if tool is not None and isinstance(declared := (tool.result or {}).get("properties"), dict):
        record = _renamed(record, list(declared), deed)
    structured = record if tool is not None and tool.result else None
    text = json.dumps(record, indent=2, ensure_ascii=False)
    return spoken(text, structured=structured, origin=spoken("").origin if origin is None else beside(origin))


def _renamed(record: dict[str, JsonValue], declared: list[str], deed: Deed) -> dict[str, JsonValue]:
    """Its fields by the names that the reading tool has for them."""
    plain = {plain_name(name): value for name, value in reversed(record.items())}
    found = {
        name: record[name] if name in record else plain[plain_name(name)]
        for name in declared
        if name in record or plain_name(name) in plain
    }
    if len(declared) == 1 and not found:
        return {declared[0]: cast(JsonValue, record)}
    return found or record


async def _several(desk: Desk, deed: Deed) -> Observation:
    shelf = desk.layer.shelf(deed.family)
    entries = [shelf.find(address) for address in deed.addresses]
    untouched = all(
        isinstance(entry, Base) and entry.address == address
        for entry, address in zip(entries, deed.addresses, strict=True)
    )
    if untouched and not any((deed.family, address) in desk.facts.texts for address in deed.addresses):
        return await desk.asked_once()
    if any(isinstance(entry, Unsure) for entry in entries):
        return await desk.ask()
    texts = [await _one_of(desk, deed, entry, named) for entry, named in zip(entries, deed.named, strict=True)]
    if not deed.at_place:
        known = {name: text for name, text in zip(deed.named, texts, strict=True) if not isinstance(text, Observation)}
        return spoken(json.dumps(known, indent=2, ensure_ascii=False))
    parts = [
        f"{named}: Error - {text.content}" if isinstance(text, Observation) else f"{named}:\n{text}\n"
        for named, text in zip(deed.named, texts, strict=True)
    ]
    return spoken("\n---\n".join(parts))


async def _one_of(desk: Desk, deed: Deed, entry: Entry, named: str) -> str | Observation:
    """The text of one of several, or why there is none."""
    if isinstance(entry, Written):
        return spelled_compactly(entry.value)
    if isinstance(entry, Folder):
        return spoken("EISDIR: illegal operation on a directory, read", failed=True)
    if isinstance(entry, Base):
        known = await desk.text_before(deed.family, entry.address)
        if known is not None:
            return known[0]
    return _gone(deed, named, "open")


async def facts(desk: Desk, deed: Deed) -> Observation:
    """Size and kind of one thing."""
    entry = desk.layer.shelf(deed.family).find(deed.addresses[0])
    if isinstance(entry, Unsure):
        return await desk.ask()
    if isinstance(entry, Gone):
        return _gone(deed, deed.named[0], "stat")
    if isinstance(entry, Base):
        return await _base_facts(desk, deed, entry.address)
    if isinstance(entry, Folder):
        if entry.base is not None and (said := await desk.told(desk.action.tool, desk.rewritten(deed, entry.base))):
            return said.model_copy(update={"origin": beside(said.origin)})
        return _facts(desk, deed, size=FOLDER, folder=True)
    size = len(spelled_compactly(entry.value).encode("utf-8", "replace"))
    if entry.base is not None:
        said = await desk.told(desk.action.tool, desk.rewritten(deed, entry.base))
        if said is not None and (text := corrected(text_in(said), size)) is not None:
            return spoken(text, origin=beside(said.origin))
    return _facts(desk, deed, size=size, folder=False)


async def _base_facts(desk: Desk, deed: Deed, base: str) -> Observation:
    if base == deed.addresses[0]:
        return await desk.asked_once()
    said = await desk.told(desk.action.tool, desk.rewritten(deed, base))
    if said is None:
        return await desk.ask()
    return said.model_copy(update={"origin": beside(said.origin)})


def _facts(desk: Desk, deed: Deed, *, size: int, folder: bool) -> Observation:
    tool = desk.state.tool(desk.action.tool)
    declared = (tool.result or {}).get("properties") if tool is not None else None
    names = list(cast(dict[str, Any], declared)) if isinstance(declared, dict) else []
    if len(names) < 2 and deed.at_place:
        return spoken(facts_of(size=size, folder=folder, at=desk.at))
    known: dict[str, JsonValue] = {}
    for name in names or ["key", "size", "exists"]:
        said = set(words(name))
        if said & {"size", "bytes", "length"}:
            known[name] = size
        elif said & {"path", "name", "key", "id", "uri", "file"} and not said & {"is"}:
            known[name] = posixpath.basename(deed.named[0]) if "name" in said else deed.named[0]
        elif said & {"exists"}:
            known[name] = True
        elif said & {"directory", "folder", "dir"}:
            known[name] = folder
        elif said & {"file"}:
            known[name] = not folder
        elif "type" in said or "kind" in said:
            known[name] = "directory" if folder else "file"
    return spoken(json.dumps(known, indent=2, ensure_ascii=False), structured=cast(JsonValue, known))


async def exists(desk: Desk, deed: Deed) -> Observation:
    entry = desk.layer.shelf(deed.family).find(deed.addresses[0])
    if isinstance(entry, Unsure) or (isinstance(entry, Base) and entry.address == deed.addresses[0]):
        return await (desk.ask() if isinstance(entry, Unsure) else desk.asked_once())
    if isinstance(entry, Base):
        return await _base_facts(desk, deed, entry.address)
    return spoken("false" if isinstance(entry, Gone) else "true")


def sliced(text: str, view: dict[str, JsonValue]) -> str | Observation | None:
    """The part that is asked for; None where nobody can say which part that is."""
    view = {name: value for name, value in view.items() if value not in (None, False, "", 0, [])}
    head, tail = (_number(view.pop(name, None)) for name in ("head", "tail"))
    first = _number(next((view.pop(name) for name in ("start_line", "startLine", "from_line") if name in view), None))
    last = _number(next((view.pop(name) for name in ("end_line", "endLine", "to_line") if name in view), None))
    for name in ("encoding", "branch", "ref"):
        # How it is stored, or in which of several versions: the one that was written, as far as anybody knows.
        view.pop(name, None)
    if view:
        return None
    if head and tail:
        return spoken("Cannot specify both head and tail parameters simultaneously", failed=True)
    if head:
        whole, _, rest = text.rpartition("\n")
        lines = [*(whole.split("\n") if "\n" in text else []), *([rest] if rest else [])]
        return "\n".join(lines[:head])
    if tail:
        return "\n".join(text.replace("\r\n", "\n").split("\n")[-tail:]) if text else ""
    if first or last:
        return "\n".join(text.split("\n")[max(0, (first or 1) - 1) : last])
    return text


def _number(value: JsonValue) -> int | None:
    return int(value) if isinstance(value, int | float) and value > 0 else None


def _gone(deed: Deed, named: str, what: str) -> Observation:
    return missing(what, named) if deed.at_place else not_there(deed.noun, [named])


def _media(text: str, deed: Deed) -> Observation:
    kind = _KINDS.get(posixpath.splitext(deed.addresses[0])[1].lower(), "application/octet-stream")
    data = base64.b64encode(text.encode("utf-8", "replace")).decode()
    block: dict[str, JsonValue] = {"type": kind.partition("/")[0], "data": data, "mimeType": kind}
    if kind.startswith("application"):
        uri = f"file://{quote(deed.addresses[0])}"
        block = {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "blob": data}}
    return spoken(json.dumps([block]), structured={"content": [block]})
