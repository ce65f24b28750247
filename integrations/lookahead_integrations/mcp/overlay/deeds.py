"""What a call does to what it names: read from the words and schemas of all the tools that a server has."""

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import unquote

from pydantic import JsonValue

from lookahead.types import Action, Tool
from lookahead_integrations.mcp.overlay.edits import Fields, appends, edits_in, partial
from lookahead_integrations.mcp.overlay.words import (
    CHANGING,
    Role,
    Verb,
    is_path,
    noun_of,
    parted,
    plain_name,
    role_of,
    verb_of,
    words,
)

PLACES: Final = "places"
"""The family of everything that lies in a tree: files and directories, whatever the tools call them."""

AT: Final = "@"
"""Before what a tree lies in, where there are several: a repository, a bucket."""


@dataclass(frozen=True, kw_only=True)
class Deed:
    """One call, understood."""

    verb: Verb
    family: str
    noun: str
    addresses: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    """The same as the call spells them."""
    argument: str = ""
    """That holds the address, so that the same can be asked of another one."""
    to: str | None = None
    """Where it goes, of what is moved or copied."""
    texts: tuple[JsonValue, ...] = ()
    """What is written, one for each address: a text, or fields."""
    whole: bool = True
    """Whether what is written takes the place of all that was there, and is not just some of its fields."""
    edits: tuple[tuple[str, str, bool], ...] = ()
    """Old text, new text, and whether it is replaced everywhere."""
    assigned: bool = False
    """The server gives it its address."""
    view: Fields = field(default_factory=dict[str, JsonValue])
    """All else that the call says: how to read, what to look for."""
    many: bool = False
    rehearsal: bool = False
    keys: Fields = field(default_factory=dict[str, JsonValue])
    """What the call names the thing by, as arguments."""

    @property
    def changes(self) -> bool:
        return self.verb in CHANGING and not self.rehearsal

    @property
    def at_place(self) -> bool:
        return is_tree(self.family)


@dataclass(frozen=True, kw_only=True)
class _Known:
    """A tool, as far as its words say what it does."""

    tool: Tool
    verb: Verb
    prefix: str
    noun: str
    roles: Mapping[str, Role]
    properties: Mapping[str, Mapping[str, Any]]
    required: frozenset[str]

    def having(self, *roles: Role) -> list[str]:
        return [name for name, role in self.roles.items() if role in roles]


class Reading:
    """Understands the calls of these tools."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._known = {known.tool.name: known for tool in tools if (known := _known(tool)) is not None}
        self._identities: dict[tuple[str, str], tuple[str, ...]] = {}
        for known in self._known.values():
            if known.verb == "get" and (names := _identity(known)) and not any(map(is_path, known.having("address"))):
                self._identities.setdefault((known.prefix, known.noun), names)
        for known in self._known.values():
            # Something that can be taken away or written by name, and is read some other way.
            at_place = any(map(is_path, known.having("address")))
            if known.verb in ("delete", "put") and not at_place and (names := _identity(known)):
                self._identities.setdefault((known.prefix, known.noun), names)

    def deed(self, action: Action) -> Deed | None:
        known = self._known.get(action.tool)
        if known is None:
            return None
        arguments = action.arguments
        family, identity = self._family(known)
        if family is None:
            return None
        roles: dict[str, Role | None] = {name: _role(known, name) for name in arguments}
        rehearsal = any(role == "rehearse" and arguments[name] is True for name, role in roles.items())
        if identity is None and (within := [str(arguments[name]) for name in _surroundings(known, arguments)]):
            family += AT + "\x1f".join(within)
        read = _Arguments(known=known, arguments=arguments, roles=roles, identity=identity, at_place=identity is None)
        deed = read.deed(family)
        return deed if deed is None or not rehearsal else _rehearsed(deed)

    def getter(self, family: str, *, verb: Verb = "get", plain: bool = True) -> Tool | None:
        """A tool that reads one of this family, with nothing else to be said: the first that is text."""
        if AT in family:
            return None
        for known in self._known.values():
            if known.verb != verb or self._family(known)[0] != family:
                continue
            need = known.required - set(known.having("address", "within"))
            if need or ("media" in words(known.tool.name) and plain):
                continue
            if len(known.having("address")) <= 1:
                return known.tool
        return None

    def address_argument(self, tool: Tool) -> str:
        known = self._known.get(tool.name)
        return next(iter(known.having("address")), "") if known else ""

    def _family(self, known: _Known) -> tuple[str | None, tuple[str, ...] | None]:
        """Its name, and by what its members are named; None where that is a place in a tree."""
        names = known.having("address", "source", "destination")
        batch = [name for name in known.properties if _batch(known.properties[name])]
        flat = self._identities.get((known.prefix, known.noun))
        places = f"{known.prefix}:{PLACES}"
        if any(map(is_path, names)) or batch:
            if flat is not None and not any(is_path(name) for name in known.having("address")) and not batch:
                return f"{known.prefix}:{known.noun}", flat
            return places, None
        if flat is not None:
            return f"{known.prefix}:{known.noun}", flat
        if known.noun in ("file", "directory", "folder", "tree") or (
            known.verb in ("list", "tree", "search") and not names and self._kept_at_places(known)
        ):
            return places, None
        return None, None

    def _kept_at_places(self, known: _Known) -> bool:
        """Whether others of this noun are read by a path."""
        return any(
            other.verb == "get" and other.noun == known.noun and any(map(is_path, other.having("address")))
            for other in self._known.values()
            if other.prefix == known.prefix
        )


@dataclass(frozen=True, kw_only=True)
class _Arguments:
    known: _Known
    arguments: Fields
    roles: Mapping[str, Role | None]
    identity: tuple[str, ...] | None
    at_place: bool

    def deed(self, family: str) -> Deed | None:
        verb = self.known.verb
        if batch := [name for name in self.arguments if _batch(self.known.properties.get(name, {}))]:
            return self._batch(family, batch[0])
        if verb in ("move", "copy"):
            return self._moved(family)
        named, argument, keys = self._address()
        assigned = verb == "put" and self.identity is not None and not named
        deed = Deed(
            verb=verb,
            family=family,
            noun=self.known.noun,
            addresses=tuple(map(self._spelled, named)),
            named=tuple(named),
            argument=argument,
            view=self._others(argument, keys),
            many=isinstance(self.arguments.get(argument), list),
            keys=keys,
            assigned=assigned,
        )
        if verb in ("list", "tree", "search"):
            return deed
        if not named and not assigned:
            return None
        return self._written(deed) if verb in ("put", "append", "edit") else deed

    def _address(self) -> tuple[list[str], str, Fields]:
        """What is named, by which argument, and everything that names it."""
        own = [name for name, role in self.roles.items() if role == "address"]
        if self.identity is None:
            argument = next((name for name in own if is_path(name)), next(iter(own), ""))
            around = {name: self.arguments[name] for name in _surroundings(self.known, self.arguments)}
            return _strings(self.arguments.get(argument)), argument, around
        by_plain = {plain_name(name): name for name in (*own, *self._of("within"))}
        argument = next((by_plain[name] for name in self.identity if by_plain.get(name) in own), "")
        if not argument and len(own) == 1 and _alike(plain_name(own[0]), self.identity):
            argument = own[0]
        keys = {name: value for name, value in self.arguments.items() if self.roles[name] in ("address", "within")}
        if not argument:
            return [], "", {name: value for name, value in keys.items() if self.roles[name] == "within"}
        within = [
            str(self.arguments[by_plain[name]])
            for name in self.identity
            if name in by_plain and by_plain[name] != argument and self.roles[by_plain[name]] == "within"
        ]
        keys = {name: value for name, value in keys.items() if name == argument or self.roles[name] == "within"}
        return ["\x1f".join([*within, one]) for one in _strings(self.arguments.get(argument))], argument, keys

    def _of(self, role: Role) -> list[str]:
        return [name for name, found in self.roles.items() if found == role]

    def _others(self, argument: str, keys: Fields) -> Fields:
        return {name: value for name, value in self.arguments.items() if name != argument and name not in keys}

    def _spelled(self, named: str) -> str:
        return spelled(named) if self.at_place else named

    def _moved(self, family: str) -> Deed | None:
        sources, targets = self._of("source"), self._of("destination")
        own = self._of("address")
        source = next(iter([*sources, *own]), "")
        target = next((name for name in targets if name != source), "")
        one, other = self.arguments.get(source), self.arguments.get(target)
        if not isinstance(one, str) or not isinstance(other, str):
            return None
        if self.at_place and self.known.verb == "move" and "name" in words(target) and "/" not in other:
            # Renamed where it is.
            other = posixpath.join(posixpath.dirname(one), other)
        return Deed(
            verb=self.known.verb,
            family=family,
            noun=self.known.noun,
            addresses=(self._spelled(one),),
            named=(one,),
            argument=source,
            to=self._spelled(other),
        )

    def _batch(self, family: str, name: str) -> Deed | None:
        items = self.arguments.get(name)
        pairs: list[tuple[str, JsonValue]] = []
        for item in cast(list[Any], items) if isinstance(items, list) else []:
            fields = cast(dict[str, Any], item) if isinstance(item, dict) else {}
            address = next((value for key, value in fields.items() if role_of(key) == "address"), None)
            if not isinstance(address, str):
                return None
            pairs.append((address, next((value for key, value in fields.items() if role_of(key) == "content"), "")))
        named = tuple(address for address, _ in pairs)
        addresses = tuple(map(self._spelled, named))
        texts = tuple(text for _, text in pairs)
        verb = self.known.verb if self.known.verb in ("put", "append") else "put"
        return Deed(verb=verb, family=family, noun=self.known.noun, addresses=addresses, named=named, texts=texts)

    def _written(self, deed: Deed) -> Deed | None:
        edits = edits_in(self.arguments, self.roles)
        if edits:
            return _with(deed, verb="edit", edits=tuple(edits))
        fields = {name: value for name, value in deed.view.items() if self.roles.get(name) != "rehearse"}
        contents = [name for name in fields if self.roles[name] == "content" and fields[name] is not None]
        verb = "put" if deed.verb == "edit" else deed.verb
        if contents and not deed.assigned:
            text = fields[contents[0]]
            options = {name: value for name, value in fields.items() if name != contents[0]}
            if appends(options):
                verb = "append"
            return _with(deed, verb=verb, texts=(text,))
        if self.at_place:
            return _with(deed, verb="put", texts=("",)) if not fields and deed.verb == "put" else None
        if len(fields) == 1 and not deed.assigned and deed.verb == "put" and not partial(self.known.tool.name):
            return _with(deed, verb=verb, texts=tuple(fields.values()))
        whole = deed.assigned or not partial(self.known.tool.name)
        return _with(deed, verb="put", texts=(cast(JsonValue, {**fields}),), whole=whole)


def is_tree(family: str) -> bool:
    return family.partition(AT)[0].endswith(PLACES)


def _surroundings(known: _Known, arguments: Fields) -> list[str]:
    """The arguments that say in which of several trees a place is."""
    return [name for name in known.having("within") if name in known.required and name in arguments]


def spelled(path: str) -> str:
    """One spelling for each place."""
    if path.startswith("file://"):
        path = unquote(path[7:])
    path = posixpath.normpath(path.replace("\\", "/") if re.match(r"[A-Za-z]:\\", path) else path) if path else "."
    return "/" + path.lstrip("/") if path.startswith("/") else path


def _known(tool: Tool) -> _Known | None:
    verb = verb_of(tool.name)
    if verb is None or (tool.effect == "reads") > (verb not in CHANGING):
        return None
    if verb not in CHANGING and "delete" in {verb_of(word) for word in words(tool.name)}:
        return None
    properties = _properties(tool.parameters)
    found: dict[str, Role | None] = {name: role_of(name, schema) for name, schema in properties.items()}
    roles: dict[str, Role] = {name: role for name, role in found.items() if role is not None}
    required = tool.parameters.get("required")
    needed = frozenset(str(name) for name in required) if isinstance(required, list) else frozenset[str]()
    if verb in ("get", "info", "exists", "delete") and "address" not in roles.values():
        # What else could the one thing be that it needs to know?
        texts = [
            name for name in properties if name in needed and properties[name].get("type") in ("string", "integer")
        ]
        if len(texts) == 1 and roles.get(texts[0]) in (None, "content", "source"):
            roles[texts[0]] = "address"
    prefix = parted(tool.name)[0]
    return _Known(
        tool=tool,
        verb=verb,
        prefix=prefix,
        noun=noun_of(tool.name),
        roles=roles,
        properties=properties,
        required=needed,
    )


def _role(known: _Known, name: str) -> Role | None:
    return known.roles.get(name) or (None if name in known.properties else role_of(name))


def _properties(schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found = schema.get("properties")
    if not isinstance(found, dict):
        return {}
    given = cast(dict[str, Any], found)
    return {name: cast(Mapping[str, Any], one) if isinstance(one, dict) else {} for name, one in given.items()}


def _identity(known: _Known) -> tuple[str, ...]:
    """By what one member is named; empty where the tool does not need to be told."""
    own = [name for name in known.having("address") if name in known.required or len(known.having("address")) == 1]
    if not own:
        return ()
    ids = [name for name in own if plain_name(name) in ("id", "key")] if len(own) > 1 else own
    within = [name for name in known.having("within") if name in known.required]
    return tuple(plain_name(name) for name in (*within, (ids or own)[0]))


def _alike(name: str, identity: tuple[str, ...]) -> bool:
    """Whether this can be meant by it: an id is given by a server, and is not a name that somebody chose."""
    return name not in ("id", "name") or identity[-1] not in ("id", "name") or name == identity[-1]


def _batch(schema: Mapping[str, Any]) -> bool:
    """A list of things to write, each with its place and its content."""
    items = schema.get("items")
    if schema.get("type") != "array" or not isinstance(items, dict):
        return False
    names = list(_properties(cast(dict[str, Any], items)))
    return any(map(is_path, names)) and any(role_of(name) == "content" for name in names)


def _strings(value: JsonValue) -> list[str]:
    if isinstance(value, list):
        return [str(one) for one in value if isinstance(one, str | int)]
    return [str(value)] if isinstance(value, str | int) and not isinstance(value, bool) else []


def _with(deed: Deed, **fields: Any) -> Deed:
    from dataclasses import replace

    return replace(deed, **fields)


def _rehearsed(deed: Deed) -> Deed:
    return _with(deed, rehearsal=True)
