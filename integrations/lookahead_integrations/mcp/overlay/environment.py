"""A world that remembers what was done to it, whatever the world behind it remembers."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import anyio

from lookahead.errors import NotMyWorld, WorldError, boundary
from lookahead.search.thinking import name_of
from lookahead.types import Action, Copying, Environment, Observation, Origin, State, Step, Tool
from lookahead_integrations.mcp.overlay import several, single
from lookahead_integrations.mcp.overlay.deeds import Deed, Reading, spelled
from lookahead_integrations.mcp.overlay.formats import spelled_json
from lookahead_integrations.mcp.overlay.graph import Graph, Record, Weaving, Web, answered, read_graph, seen, woven
from lookahead_integrations.mcp.overlay.memory import OVERLAY, Desk, Facts, Layer, beside, boxed, spoken
from lookahead_integrations.mcp.overlay.shelf import Gone, Written
from lookahead_integrations.mcp.overlay.writing import apply, apply_unread, written

LAYERS: Final = 64
"""So many states are remembered as what they come to; an older one is worked out anew."""


@dataclass(frozen=True)
class _Kept:
    step: Step
    before: Step | None
    layer: Layer


@dataclass(frozen=True)
class _Understood:
    tools: tuple[Tool, ...]
    reading: Reading
    web: Web


class Overlaid:
    """Answers what follows from the state's own steps; of everything else it asks the world that it lies over.

    It is a function of the state: each future that branches off sees what was written in that future. What the world
    says of how things were at the beginning is asked once and kept, so one instance is for one conversation.
    """

    def __init__(self, world: Environment | None, *, clock: Callable[[], float] = time.time) -> None:
        self.world = None if world is None else _imagining(world)
        self._behind = world
        self.facts = Facts()
        self._clock = clock
        self._layers: OrderedDict[int, _Kept] = OrderedDict()
        self._understood: _Understood | None = None
        self._lock = anyio.Lock()

    @property
    def name(self) -> str:
        return name_of(self._behind) if self._behind is not None else OVERLAY.world

    async def aclose(self) -> None:
        close: Any = getattr(self._behind, "aclose", None)
        if close is not None:
            await close()

    async def __call__(self, state: State, action: Action, /) -> Observation:
        if isinstance(self._behind, Copying):
            # A copy of the real thing keeps what is written to it, and knows better.
            try:
                said = await self._behind(state, action)
            except WorldError:
                said = None
            if said is not None and said.origin.kind == "exact":
                return said
        desk = self.desk(state, action)
        weaving = desk.web.weaving(action)
        if weaving is not None:
            return await self._woven(desk, weaving)
        deed = desk.reading.deed(action)
        if deed is None:
            return await desk.ask()
        said = await _answer(desk, deed)
        return boxed(said, state.tool(action.tool)) if said.origin.world.endswith(OVERLAY.world) else said

    def desk(self, state: State, action: Action) -> Desk:
        understood = self._understanding(state.tools)
        layer, start = self._layer(state)
        # Where the first steps are forgotten nobody knows any more which of them changed something.
        kept = () if state.forgotten else state.steps[:start]
        return Desk(
            state=state,
            action=action,
            before=state.model_copy(update={"steps": kept}) if len(kept) < len(state.steps) else state,
            layer=layer,
            facts=self.facts,
            reading=understood.reading,
            web=understood.web,
            world=self.world,
            at=self._clock(),
        )

    def resource(self, state: State, uri: str, text: str | None = None) -> str | Gone | None:
        """What a resource holds after what was written; None where nothing was written that it could show."""
        desk = self.desk(state, Action(tool="resources/read", arguments={"uri": uri}))
        for family, shelf in desk.layer.shelves.items():
            found = shelf.entries.get(spelled(uri) if shelf.tree else uri.rpartition("/")[2])
            found = shelf.find(spelled(uri)) if found is None and shelf.tree and uri.startswith("file://") else found
            if isinstance(found, Written) and isinstance(found.value, str):
                return found.value
            if isinstance(found, Gone):
                return found
            del family
        for prefix, graph in desk.layer.graphs.items():
            said = Observation(content=text or "")
            if text is not None and read_graph(said, desk.web.collections(prefix)) is not None:
                return spelled_json(graph)
        return None

    def _understanding(self, tools: tuple[Tool, ...]) -> _Understood:
        known = self._understood
        if known is None or (known.tools is not tools and known.tools != tools):
            known = self._understood = _Understood(tools=tools, reading=Reading(tools), web=Web(tools))
        return known

    def _layer(self, state: State) -> tuple[Layer, int]:
        """What the steps so far come to, and how many of them came before the first change."""
        steps = state.steps
        known, place = Layer(), 0
        for end in range(len(steps), 0, -1):
            found = self._layers.get(id(steps[end - 1]))
            before = steps[end - 2] if end > 1 else None
            if found is not None and found.step is steps[end - 1] and (found.before is before or end == 1):
                known, place = found.layer, end
                break
        for number in range(place, len(steps)):
            known = self._after(known, state, steps[number], number)
            self._remember(steps, number, known)
        return known, min(known.first, len(steps)) if known.first is not None else len(steps)

    def _remember(self, steps: Sequence[Step], number: int, layer: Layer) -> None:
        step = steps[number]
        self._layers[id(step)] = _Kept(step=step, before=steps[number - 1] if number else None, layer=layer)
        if len(self._layers) > LAYERS:
            self._layers.popitem(last=False)

    def _after(self, layer: Layer, state: State, step: Step, number: int) -> Layer:
        action, said = step.action, step.observation
        if said.origin.kind == "guard" or said.failed:
            return layer
        understood = self._understanding(state.tools)
        weaving = understood.web.weaving(action)
        deed = understood.reading.deed(action) if weaving is None else None
        if (weaving is not None and not weaving.changes) or (deed is not None and not deed.changes):
            return layer
        after = layer.copy()
        if weaving is not None:
            graph = after.graphs.get(weaving.prefix) or self._graph(weaving.prefix, understood.web)
            done = woven(graph, weaving)
            if isinstance(done, tuple):
                after.graphs[weaving.prefix] = done[0]
            after.count += 1
        elif deed is not None:
            apply(after, self.facts, deed, action, said)
        else:
            apply_unread(after, state, action, said)
        if after.count > layer.count and after.first is None:
            after.first = number
        return after

    def _graph(self, prefix: str, web: Web) -> Graph:
        return self.facts.graphs.get(prefix) or {name: [] for name in web.collections(prefix)}

    async def _woven(self, desk: Desk, weaving: Weaving) -> Observation:
        prefix = weaving.prefix
        async with self._lock:
            known = prefix in self.facts.graphs or await self._asked_graph(desk, prefix)
        graph = desk.layer.graphs.get(prefix) or self._graph(prefix, desk.web)
        tool = desk.state.tool(desk.action.tool)
        assert tool is not None
        if not weaving.changes:
            if not known and prefix not in desk.layer.graphs:
                return await desk.ask()
            return self._shown(graph, weaving, tool, desk)
        done = woven(graph, weaving)
        if isinstance(done, str):
            if known:
                return spoken(done, failed=True)
            done = graph, list[Record]()
        try:
            said: Observation | None = await desk.ask()
        except NotMyWorld:
            said = None
        if said is not None and said.failed:
            return said
        if weaving.kind in ("add", "extend"):
            structured, rows = answered(done[1], weaving, tool)
            origin = beside(said.origin) if said is not None else OVERLAY
            return spoken(spelled_json(rows), structured=structured, origin=origin)
        collection = weaving.field or weaving.collection
        return said or spoken(f"{collection[:1].upper()}{collection[1:]} deleted successfully")

    def _shown(self, graph: Graph, weaving: Weaving, tool: Tool, desk: Desk) -> Observation:
        shown = seen(graph, weaving)
        said = self.facts.answers.get("graph " + weaving.prefix)
        touched = weaving.prefix in desk.layer.graphs or said is None
        origin = OVERLAY if touched and said is None else beside(said.origin) if touched and said else None
        origin = origin or (said.origin if said is not None else OVERLAY)
        structured: Any = shown if tool.result else None
        only = weaving.collection and not tool.result
        return spoken(spelled_json(shown[weaving.collection] if only else shown), structured=structured, origin=origin)

    async def _asked_graph(self, desk: Desk, prefix: str) -> bool:
        """Everything that there was, asked for once, before anything is added to it or looked for in it."""
        whole = desk.web.whole(prefix)
        if whole is None or prefix in desk.layer.graphs:
            return False
        said = await desk.told(whole.name, {})
        if said is None:
            return False
        found = read_graph(said, desk.web.collections(prefix))
        self.facts.graphs[prefix] = found or {name: [] for name in desk.web.collections(prefix)}
        self.facts.keep("graph " + prefix, said)
        return True


def _imagining(world: Environment) -> Environment:
    """The same world, whose answers are imagined whatever they say of themselves, and whose errors have a name."""

    async def imagine(state: State, action: Action, /) -> Observation:
        with boundary(WorldError, f"{name_of(world)} imagines {action.tool!r}"):
            said = await world(state, action)
        if said.imagined:
            return said
        return said.model_copy(update={"origin": Origin(kind="model", world=name_of(world))})

    return imagine


async def _answer(desk: Desk, deed: Deed) -> Observation:
    if deed.changes or deed.rehearsal:
        return await written(desk, deed)
    if deed.verb == "get":
        return await single.read(desk, deed)
    if deed.verb == "info":
        return await single.facts(desk, deed)
    if deed.verb == "exists":
        return await single.exists(desk, deed)
    if not deed.at_place:
        return await several.kept(desk, deed)
    if deed.verb == "tree":
        return await several.tree(desk, deed)
    if deed.verb == "search":
        return await several.looked_for(desk, deed)
    return await (several.listed(desk, deed) if deed.addresses else several.kept(desk, deed))
