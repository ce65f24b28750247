"""What is known while a call is answered: what the session wrote, and what its world said of how things were before."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from pydantic import JsonValue

from lookahead.canonical import canonical, digest_of
from lookahead.errors import NotMyWorld, WorldError
from lookahead.types import Action, Environment, Observation, Origin, State, Tool
from lookahead_integrations.mcp.overlay.deeds import Deed, Reading, is_tree
from lookahead_integrations.mcp.overlay.graph import Graph, Web
from lookahead_integrations.mcp.overlay.shelf import Shelf

OVERLAY: Final = Origin(kind="model", world="overlay")
"""Follows from what the session wrote: nobody had to imagine it."""
REMEMBERED: Final = 20_000
"""Answers of the world on how things were before."""


@dataclass(kw_only=True)
class Layer:
    """What the changes of one session come to."""

    shelves: dict[str, Shelf] = field(default_factory=dict[str, Shelf])
    graphs: dict[str, Graph] = field(default_factory=dict[str, Graph])
    opaque: int = 0
    """Changes that nobody could read: what was said before them may not hold any more."""
    count: int = 0
    """Changes of any kind."""
    first: int | None = None
    """Which step was the first of them."""

    def shelf(self, family: str) -> Shelf:
        return self.shelves.get(family) or Shelf(tree=is_tree(family))

    def own(self, family: str) -> Shelf:
        """To write on: layers share what neither of them changes."""
        self.shelves[family] = self.shelf(family).copy()
        return self.shelves[family]

    def copy(self) -> "Layer":
        return replace(self, shelves=dict(self.shelves), graphs=dict(self.graphs))


@dataclass(kw_only=True)
class Facts:
    """What the world said of how things were before anything was changed."""

    answers: OrderedDict[str, Observation] = field(default_factory=OrderedDict[str, Observation])
    texts: dict[tuple[str, str], tuple[str, Origin]] = field(default_factory=dict[tuple[str, str], tuple[str, Origin]])
    absent: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """What was not there."""
    folders: dict[tuple[str, str], dict[str, bool]] = field(default_factory=dict[tuple[str, str], dict[str, bool]])
    """By family and directory: its members, and whether each is a directory."""
    graphs: dict[str, Graph] = field(default_factory=dict[str, Graph])

    def keep(self, key: str, said: Observation) -> None:
        self.answers[key] = said
        if len(self.answers) > REMEMBERED:
            self.answers.popitem(last=False)

    def learn(self, family: str, address: str, said: Observation) -> tuple[str, Origin]:
        """What the whole text of something was."""
        known = self.texts[family, address] = text_in(said), said.origin
        if len(self.texts) > REMEMBERED:
            del self.texts[next(iter(self.texts))]
        return known


@dataclass(kw_only=True)
class Desk:
    """One call, with everything that is needed to answer it."""

    state: State
    action: Action
    before: State
    """As it was when nothing had been changed."""
    layer: Layer
    facts: Facts
    reading: Reading
    web: Web
    world: Environment | None
    at: float = 0.0
    """What the clock says."""

    async def ask(self) -> Observation:
        """The world's own answer, with all that was done in the session before it."""
        if self.world is None:
            raise NotMyWorld(f"no world is there to imagine {self.action.tool!r}")
        return await self.world(self.state, self.action)

    async def asked_once(self) -> Observation:
        """The same, for a call that only reads what nobody changed: it is not made up anew each time."""
        key = digest_of(self.action.digest, str(self.layer.opaque))
        known = self.facts.answers.get(key)
        if known is None:
            known = await self.ask()
            self.facts.keep(key, known)
        return known

    async def told(self, tool: str, arguments: dict[str, JsonValue]) -> Observation | None:
        """How something was before: asked of the world, as if nothing had been done. None where it was not there, or
        where the world cannot say.
        """
        said = await self.told_or_failed(tool, arguments)
        return None if said is None or said.failed else said

    async def told_or_failed(self, tool: str, arguments: dict[str, JsonValue]) -> Observation | None:
        action = Action(tool=tool, arguments=arguments)
        key = digest_of(action.digest, "before" if action.digest != self.action.digest else str(self.layer.opaque))
        if key not in self.facts.answers:
            if self.world is None:
                return None
            try:
                said = await self.world(self.before, action)
            except WorldError:
                return None
            self.facts.keep(key, said)
        return self.facts.answers[key]

    async def text_before(self, family: str, address: str, *, tool: str = "") -> tuple[str, Origin] | None:
        """The whole text of something that nobody changed, asked by a tool that reads one."""
        if (known := self.facts.texts.get((family, address))) is not None:
            return known
        getter = self.state.tool(tool) if tool else self.reading.getter(family)
        if getter is None or "\x1f" in address:
            return None
        said = await self.told_or_failed(getter.name, {self.reading.address_argument(getter): address})
        if said is None or said.failed:
            if said is not None:
                self.facts.absent.add((family, address))
            return None
        return self.facts.learn(family, address, said)

    def rewritten(self, deed: Deed, address: str) -> dict[str, JsonValue]:
        """The arguments of this call, asked of another address."""
        arguments = dict(self.action.arguments)
        if deed.argument:
            arguments[deed.argument] = [address] if deed.many else address
        return arguments


def text_in(said: Observation) -> str:
    """What was said, as text: a text alone in an object is that text."""
    if isinstance(said.structured, dict) and len(said.structured) == 1:
        inner = next(iter(said.structured.values()))
        if isinstance(inner, str):
            return inner
    return said.content


def spoken(
    content: str, *, origin: Origin = OVERLAY, structured: JsonValue = None, failed: bool = False
) -> Observation:
    return Observation(content=content, structured=structured, failed=failed, origin=origin)


def boxed(said: Observation, tool: Tool | None) -> Observation:
    """A text that is known to be the whole answer, in the one place for a text that the tool's schema has."""
    declared: Any = (tool.result or {}).get("properties") if tool is not None else None
    places = list(cast(dict[str, Any], declared).items()) if isinstance(declared, dict) else []
    if said.structured is not None or said.failed or len(places) != 1:
        return said
    name, schema = places[0]
    if not isinstance(schema, dict) or cast(dict[str, Any], schema).get("type") != "string":
        return said
    return said.model_copy(update={"structured": {name: said.content}})


def beside(origin: Origin | None) -> Origin:
    """Said by a world, and put right by what was written since."""
    if origin is None or origin.world == OVERLAY.world:
        return OVERLAY
    return Origin(kind=origin.kind, world=f"{origin.world}+overlay", confidence=origin.confidence)


def spelled_compactly(value: Any) -> str:
    return value if isinstance(value, str) else canonical(value)


def missing(what: str, *named: str) -> Observation:
    """As the file tools of Node say it."""
    return spoken(f"ENOENT: no such file or directory, {what} {' -> '.join(repr(name) for name in named)}", failed=True)


def not_there(noun: str, named: Sequence[str]) -> Observation:
    said = ", ".join(f'"{name}"' for name in named)
    return spoken(f"{(noun or 'entry').replace('_', ' ').capitalize()} {said} not found", failed=True)
