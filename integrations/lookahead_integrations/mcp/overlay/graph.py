"""Collections of records that refer to each other: entities, relations, and what was observed of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, cast

from pydantic import JsonValue

from lookahead.critics.nameset import nameset
from lookahead.domains.results import as_value
from lookahead.types import Action, Observation, Tool
from lookahead_integrations.mcp.overlay.words import (
    is_path,
    noun_of,
    parted,
    plain_name,
    role_of,
    singular,
    verb_of,
    words,
)

Record: TypeAlias = dict[str, JsonValue]
Graph: TypeAlias = dict[str, list[Record]]
"""Records by the name of their collection, as the tools spell it."""

Kind: TypeAlias = Literal["add", "extend", "remove", "unlink", "shrink", "all", "search", "open"]
_WHOLE: Final = nameset("graph node memory knowledge everything network")
_ENDS: Final = frozenset(
    ["from", "to", "source", "target", "start", "end", "subject", "object", "parent", "child", "head", "tail"]
)


@dataclass(frozen=True, kw_only=True)
class Weaving:
    """What a call does to such collections."""

    kind: Kind
    prefix: str
    collection: str = ""
    """Its name; of a reading call that sees several, empty."""
    field: str = ""
    """Of its records, where only that is added to or taken from."""
    reference: str = ""
    """The argument that names a record, in what is added to it."""
    records: tuple[Record, ...] = ()
    names: tuple[str, ...] = ()
    query: str = ""

    @property
    def changes(self) -> bool:
        return self.kind in ("add", "extend", "remove", "unlink", "shrink")


class Web:
    """Understands the calls of servers that keep such collections."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._collections: dict[str, dict[str, str]] = {}
        """By prefix: what the collections are called, by one of their records."""
        self._fields: dict[str, set[str]] = {}
        lists = [(tool, name, items) for tool in tools for name, items in _object_lists(tool.parameters)]
        for tool, name, items in lists:
            prefix = parted(tool.name)[0]
            own = singular(words(name)[-1]) == noun_of(tool.name).rpartition("_")[2]
            if verb_of(tool.name) == "put" and own and not _refers(items) and not _documents(items):
                self._collections.setdefault(prefix, {})[singular(words(name)[-1])] = name
                texts = {key for key, schema in items.items() if schema.get("type") == "array"}
                self._fields.setdefault(prefix, set()).update(texts)

    def weaving(self, action: Action) -> Weaving | None:
        tool = self._tools.get(action.tool)
        prefix = parted(action.tool)[0]
        verb = verb_of(action.tool)
        if tool is None or verb is None or prefix not in self._collections:
            return None
        if verb in ("put", "append", "delete"):
            return self._change(tool, prefix, action.arguments, deletes=verb == "delete")
        return self._view(tool, prefix, action.arguments) if verb in ("get", "list", "search") else None

    def whole(self, prefix: str) -> Tool | None:
        """The tool that shows everything, asked without a word."""
        for tool in self._tools.values():
            if tool.parameters.get("required") or parted(tool.name)[0] != prefix:
                continue
            found = self._view(tool, prefix, {}) if verb_of(tool.name) in ("get", "list") else None
            if found is not None and found.kind == "all" and not found.collection:
                return tool
        return None

    def collections(self, prefix: str) -> tuple[str, ...]:
        return tuple(self._collections.get(prefix, {}).values())

    def _change(self, tool: Tool, prefix: str, arguments: Mapping[str, JsonValue], *, deletes: bool) -> Weaving | None:
        noun = noun_of(tool.name).rpartition("_")[2]
        collections = self._collections[prefix]
        for value in arguments.values():
            items = cast(list[Any], value) if isinstance(value, list) else []
            records = tuple(cast(Record, item) for item in items if isinstance(item, dict))
            if items and len(records) == len(items):
                return self._listed(prefix, noun, records, deletes=deletes)
        if noun in collections and not deletes and identity(dict(arguments)):
            return Weaving(kind="add", prefix=prefix, collection=collections[noun], records=(dict(arguments),))
        named = [value for name, value in arguments.items() if role_of(name) == "address"]
        if noun in collections and deletes and len(named) == 1:
            names = tuple(str(one) for one in (named[0] if isinstance(named[0], list) else [named[0]]))
            return Weaving(kind="remove", prefix=prefix, collection=collections[noun], names=names)
        if noun in collections and deletes and arguments:
            return Weaving(kind="unlink", prefix=prefix, collection=collections[noun], records=(dict(arguments),))
        if noun in collections and any(isinstance(value, list) for value in arguments.values()):
            kind: Kind = "remove" if deletes else "add"
            return Weaving(kind=kind, prefix=prefix, collection=collections[noun])
        return self._listed(prefix, noun, (dict(arguments),), deletes=deletes) if arguments else None

    def _listed(self, prefix: str, noun: str, records: tuple[Record, ...], *, deletes: bool) -> Weaving | None:
        collections = self._collections[prefix]
        field = next((name for name in self._fields.get(prefix, ()) if singular(words(name)[-1]) == noun), "")
        reference = next((name for name in records[0] if self._reference(prefix, name)), "")
        if reference and (field or noun not in collections):
            collection = self._reference(prefix, reference)
            if not field:
                return None
            kind: Kind = "shrink" if deletes else "extend"
            return Weaving(
                kind=kind, prefix=prefix, collection=collection, field=field, reference=reference, records=records
            )
        if noun not in collections:
            return None
        return Weaving(
            kind="unlink" if deletes else "add", prefix=prefix, collection=collections[noun], records=records
        )

    def _reference(self, prefix: str, name: str) -> str:
        """The collection whose records an argument such as `entityName` names; empty for any other one."""
        said = words(name)
        known = self._collections[prefix]
        if len(said) > 1 and plain_name(said[-1]) in ("name", "id", "key"):
            return known.get(singular(said[-2]), "")
        return known.get(singular(said[0]), "") if len(said) == 1 else ""

    def _view(self, tool: Tool, prefix: str, arguments: Mapping[str, JsonValue]) -> Weaving | None:
        noun = noun_of(tool.name)
        known = self._collections[prefix]
        shown = set(_properties(tool.result or {})) & set(known.values())
        last = noun.rpartition("_")[2]
        if not shown and not (_WHOLE & set(noun.split("_"))) and last not in known:
            return None
        collection = known[last] if last in known and len(shown) < 2 else ""
        queries = [value for name, value in arguments.items() if role_of(name) == "query"]
        if queries == [""]:
            return Weaving(kind="search", prefix=prefix, collection=collection)
        asked = {name: value for name, value in arguments.items() if value not in (None, "", [])}
        if not asked:
            needs = tool.parameters.get("required")
            return (
                None
                if needs and not arguments
                else Weaving(
                    kind="open" if any(isinstance(one, list) for one in arguments.values()) else "all",
                    prefix=prefix,
                    collection=collection,
                )
            )
        if len(asked) > 1:
            return None
        name, value = next(iter(asked.items()))
        if isinstance(value, list):
            return Weaving(kind="open", prefix=prefix, collection=collection, names=tuple(map(str, value)))
        if role_of(name) == "query" and isinstance(value, str):
            return Weaving(kind="search", prefix=prefix, collection=collection, query=value)
        if role_of(name) == "address" and isinstance(value, str):
            return Weaving(kind="open", prefix=prefix, collection=collection, names=(value,))
        return None


def read_graph(said: Observation, collections: Sequence[str]) -> Graph | None:
    """What a world says is in the collections; None where it says nothing of them."""
    value: Any = said.structured if isinstance(said.structured, dict) else as_value(said.content)
    if not isinstance(value, dict) or said.failed:
        return None
    held = cast(dict[str, Any], value)
    if not any(isinstance(held.get(name), list) for name in collections):
        return None
    return {name: list(_records(held.get(name))) for name in collections}


def woven(graph: Graph, weaving: Weaving) -> tuple[Graph, list[Record]] | str:
    """The collections after a change, and what of it was new; a text where it cannot be done."""
    after = dict(graph)
    records = graph.get(weaving.collection, [])
    if weaving.kind == "add":
        known = {identity(record) for record in records}
        new = [record for record in weaving.records if identity(record) not in known]
        after[weaving.collection] = [*records, *(dict(record) for record in new)]
        return after, [dict(record) for record in new]
    if weaving.kind == "remove":
        gone = set(weaving.names)
        for name, others in graph.items():
            kept = others if name != weaving.collection else [one for one in others if _name(one) not in gone]
            after[name] = [one for one in kept if not gone & set(_ends(one))]
        return after, []
    if weaving.kind == "unlink":
        wanted = [identity(record) for record in weaving.records]
        after[weaving.collection] = [record for record in records if identity(record) not in wanted]
        return after, []
    return _fields_woven(after, records, weaving)


def _fields_woven(after: Graph, records: list[Record], weaving: Weaving) -> tuple[Graph, list[Record]] | str:
    changed = [dict(record) for record in records]
    told: list[Record] = []
    for one in weaving.records:
        name = str(one.get(weaving.reference))
        record = next((record for record in changed if _name(record) == name), None)
        texts = next((_texts(value) for key, value in one.items() if key != weaving.reference), _texts(None))
        if record is None:
            if weaving.kind == "extend":
                return f"{_titled(weaving.collection)} with name {name} not found"
            continue
        held = record.get(weaving.field)
        before = cast(list[JsonValue], held) if isinstance(held, list) else []
        if weaving.kind == "shrink":
            record[weaving.field] = [text for text in before if text not in texts]
            continue
        new: list[JsonValue] = [text for text in texts if text not in before]
        record[weaving.field] = [*before, *new]
        told.append({weaving.reference: name, f"added{weaving.field[:1].upper()}{weaving.field[1:]}": new})
    after[weaving.collection] = changed
    return after, told


def seen(graph: Graph, weaving: Weaving) -> Graph:
    """What a reading call is shown."""
    nodes = {name: rows for name, rows in graph.items() if not any(_ends(row) for row in rows)}
    if weaving.kind == "search":
        query = weaving.query.lower()
        nodes = {name: [row for row in rows if _mentions(row, query)] for name, rows in nodes.items()}
    elif weaving.kind == "open":
        nodes = {name: [row for row in rows if _name(row) in weaving.names] for name, rows in nodes.items()}
    found = {_name(row) for rows in nodes.values() for row in rows}
    every = weaving.kind == "all"
    shown = {
        name: nodes[name] if name in nodes else [row for row in rows if every or found & set(_ends(row))]
        for name, rows in graph.items()
    }
    return {weaving.collection: shown.get(weaving.collection, [])} if weaving.collection else shown


def answered(told: list[Record], weaving: Weaving, tool: Tool) -> tuple[JsonValue, JsonValue]:
    """What is new, as data in the form of the tool's schema, and what of it is said as text."""
    rows = cast(JsonValue, [dict(row) for row in told])
    for name, schema in _properties(tool.result or {}).items():
        if schema.get("type") != "array":
            continue
        fields = list(_properties(cast(Mapping[str, Any], schema.get("items") or {})).items())
        if weaving.kind == "extend" and fields:
            texts = next((key for key, one in fields if one.get("type") == "array"), "")
            names = next((key for key, _ in fields if key != texts), "")
            pairs = [tuple(row.values()) for row in told]
            rows = cast(JsonValue, [{names: pair[0], texts: pair[1]} for pair in pairs])
        return {name: rows}, rows
    return None, rows


def identity(record: Record) -> str:
    """What makes it this record: its name, or all that it says of itself in single words."""
    if name := _name(record):
        return name
    return repr(sorted((key, value) for key, value in record.items() if isinstance(value, str | int)))


def _name(record: Record) -> str:
    for wanted in ("id", "name", "key"):
        for key, value in record.items():
            if plain_name(key) == wanted and len(words(key)) == 1 and isinstance(value, str | int):
                return str(value)
    return ""


def _ends(record: Record) -> list[str]:
    """The names of what it connects."""
    found = [str(value) for key, value in record.items() if words(key) and words(key)[0] in _ENDS]
    return found if len(found) > 1 and not _name(record) else []


def _mentions(record: Record, query: str) -> bool:
    return any(query in text.lower() for value in record.values() for text in _texts(value))


def _texts(value: JsonValue) -> list[str]:
    if isinstance(value, list):
        return [one for one in value if isinstance(one, str)]
    return [value] if isinstance(value, str) else []


def _records(value: Any) -> Iterator[Record]:
    if isinstance(value, list):
        yield from (cast(Record, one) for one in cast(list[Any], value) if isinstance(one, dict))


def _titled(collection: str) -> str:
    return singular(words(collection)[-1]).capitalize()


def _properties(schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found = schema.get("properties")
    given = cast(dict[str, Any], found) if isinstance(found, dict) else {}
    return {name: cast(Mapping[str, Any], one) if isinstance(one, dict) else {} for name, one in given.items()}


def _object_lists(schema: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Mapping[str, Any]]]]:
    for name, one in _properties(schema).items():
        items = one.get("items")
        inner: Mapping[str, Any] = cast(Mapping[str, Any], items) if isinstance(items, dict) else {}
        if one.get("type") == "array" and words(name) and (inner.get("type") == "object" or "properties" in inner):
            yield name, _properties(inner)


def _refers(items: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether these only add to something that they name, such as `entityName`."""
    named = [key for key in items if len(words(key)) > 1 and plain_name(key) in ("name", "id", "key")]
    lists = [key for key, one in items.items() if one.get("type") == "array"]
    return bool(named) and len(lists) == 1 and len(items) == 2


def _documents(items: Mapping[str, Mapping[str, Any]]) -> bool:
    return any(map(is_path, items)) or {"oldText", "newText"} <= items.keys()
