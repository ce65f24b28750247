"""Simulate: a server's tools, answered by a world. Not one call of a tool reaches the server.

What reaches it, where there is one: greetings, lists, `ping`, the level of logs, completions, subscriptions, and the
reading of resources and prompts. By the protocol these change nothing, so a simulation may look at the real ones; what
was written in the simulation is put over what they say, where a resource is what was written. With `reads=False` not
even these are asked. Everything else, tasks and methods that nobody here knows included, stops here.
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

import anyio

from lookahead.act import log
from lookahead.critics.tools import reads_by_name
from lookahead.errors import ConfigError, JournalError, LookaheadError, NotMyWorld
from lookahead.guard import at_once
from lookahead.journal import Decided
from lookahead.permit import Answer
from lookahead.session import CONVERSATIONS, KEEP, Session
from lookahead.types import Action, Considered, Environment, Observation, Origin, Rollout, State, Step, Tool
from lookahead.wrap import options_of
from lookahead_integrations.mcp import confirm
from lookahead_integrations.mcp.actions import ORIGIN, action_of, in_era, origin_of, result_of
from lookahead_integrations.mcp.catalogue import Catalogue
from lookahead_integrations.mcp.exchange import (
    CLOSED,
    INVALID_PARAMS,
    LISTS,
    METHOD_NOT_FOUND,
    Call,
    Json,
    RpcError,
    Service,
    modern,
)
from lookahead_integrations.mcp.lists import Kept, Saved
from lookahead_integrations.mcp.modes.acting import TOOL, Conversations
from lookahead_integrations.mcp.overlay import Overlaid
from lookahead_integrations.mcp.overlay.shelf import Gone
from lookahead_integrations.mcp.sampling import ClientWorld, busy, on_behalf_of
from lookahead_integrations.mcp.schemas import fault
from lookahead_integrations.mcp.settings import ProxySettings
from lookahead_integrations.mcp.shape import FILLED, Shaped, Unfit, shaped

HOST: Final = "mcp"
SOURCE: Final = "lookahead/source"
"""In `_meta` of an answer: who gave it, `replay`, `simulate` or `forward`."""
READS: Final = frozenset(("resources/read", "prompts/get", "completion/complete"))
PASSED: Final = frozenset(
    {
        *("initialize", "server/discover", "ping", "logging/setLevel", *LISTS),
        *("resources/subscribe", "resources/unsubscribe", "subscriptions/listen"),
    }
)
_NO_RESOURCE: Final = -32002


class Unknown(RpcError):
    """Nobody here knows the answer: whoever is next in the chain may."""


@dataclass(kw_only=True, eq=False)
class Conversation:
    """What one client's calls have come to."""

    session: Session
    overlay: Overlaid
    lock: anyio.Lock = field(default_factory=anyio.Lock)


@dataclass(kw_only=True, eq=False)
class Simulation:
    """A server whose tools are imagined."""

    next: Service | None
    catalogue: Catalogue
    conversations: Conversations
    imagine: Callable[[], Environment | None]
    guarded: bool = False
    reads: bool = True
    strict: bool = False
    """Whether what no world knows is an error of ours, for a chain, and not an answer."""
    _open: OrderedDict[str, Conversation] = field(default_factory=OrderedDict[str, Conversation], repr=False)

    async def __call__(self, call: Call, /) -> Json:
        if call.method == TOOL:
            return {} if call.notice else await self._use(call)
        if call.method == CLOSED:
            self._open.pop(self.conversations.run(call.client), None)
            self.conversations.over(call.client)
        if call.notice or call.method in PASSED:
            return await self.catalogue(call)
        if call.method in READS:
            return await self._read(call)
        raise RpcError(METHOD_NOT_FOUND, f"{call.method} has no place in a simulation, and is not sent on")

    async def happened(self, call: Call, action: Action, observation: Observation) -> None:
        """What somebody else answered: later answers are given as things are after it."""
        conversation = await self._conversation(call)
        self._then(conversation, action, observation)

    async def _use(self, call: Call) -> Json:
        action = action_of(call.params)
        conversation = await self._conversation(call)
        tool = conversation.session.state.tool(action.tool)
        if tool is None:
            raise RpcError(INVALID_PARAMS, f"Unknown tool: {action.tool}")
        if (wrong := fault(tool.parameters, action.arguments)) is not None:
            return _misused(call, tool, wrong)
        changes = self._may_change(tool)
        # A call that comes while the client's own model is being asked may be that model's: it does not wait for it.
        if not changes or busy(call.client):
            return await self._answered(call, conversation, action, tool)
        async with conversation.lock:
            return await self._answered(call, conversation, action, tool)

    def _may_change(self, tool: Tool) -> bool:
        return tool.effect != "reads" and not (tool.effect == "unknown" and reads_by_name(tool.name))

    async def _answered(self, call: Call, conversation: Conversation, action: Action, tool: Tool) -> Json:
        state = conversation.session.state
        try:
            with on_behalf_of(call):
                if self.guarded:
                    begun = await conversation.session.begin(action)
                    if not isinstance(begun, Answer):
                        raise ConfigError("a simulation is held by a session that runs dry")
                    if begun.observation.origin.kind == "guard":
                        return confirm.refused(begun, call.client.version)
                    said, fit = _fitted(begun.observation, tool)
                    return _result(call, said, fit)
                said = await conversation.overlay(state, action)
        except NotMyWorld as error:
            if self.strict:
                raise Unknown(INVALID_PARAMS, str(error)) from error
            return _unimagined(call, conversation, str(error))
        except LookaheadError as error:
            return _unimagined(call, conversation, str(error))
        said, fit = _fitted(said, tool)
        await self._write(conversation.session, state, action, said)
        self._then(conversation, action, said)
        return _result(call, said, fit)

    def _then(self, conversation: Conversation, action: Action, observation: Observation) -> None:
        session = conversation.session
        session.state = session.state.then(action, observation, keep=KEEP)

    async def _write(self, session: Session, state: State, action: Action, said: Observation) -> None:
        """On record as every imagined answer is: a decision that nothing follows."""
        decision = at_once(state, action, "run", "simulate", "the server is simulated: nothing is done")
        rollout = Rollout(action=action, steps=(Step(action=action, observation=said),))
        decision = decision.model_copy(update={"considered": (Considered(rollout=rollout),), "cost": said.cost})
        entry = Decided(run=session.run, call=decision.id, state=state.digest, decision=decision)
        try:
            await session.line.pen.write(entry)
        except JournalError:
            # Nothing was done, so there is nothing that must not be forgotten.
            log.exception("what was imagined of %s could not be recorded", action.tool)

    async def _conversation(self, call: Call) -> Conversation:
        tools = await self.catalogue.tools(call)
        session = self.conversations.of(call.client, tools)
        run = self.conversations.run(call.client)
        known = self._open.get(run)
        if known is None or known.session is not session:
            overlay = Overlaid(self.imagine())
            session.line = replace(session.line, planner=replace(session.line.planner, imagine=overlay))
            known = self._open[run] = Conversation(session=session, overlay=overlay)
            if len(self._open) > CONVERSATIONS:
                self._open.popitem(last=False)
        self._open.move_to_end(run)
        return known

    async def _read(self, call: Call) -> Json:
        """Asked of the server, where there is one; what was written in the simulation lies over it."""
        uri = call.params.get("uri")
        result: Json | None = None
        failure: RpcError | None = None
        if self.next is not None and self.reads:
            try:
                result = await self.next(call)
            except RpcError as error:
                failure = error
        if call.method == "resources/read" and isinstance(uri, str):
            conversation = await self._conversation(call)
            known = conversation.overlay.resource(conversation.session.state, uri, _text_of(result))
            if isinstance(known, Gone):
                raise RpcError(*_absent(call, uri))
            if known is not None:
                return _resource(call, uri, known, result)
            if result is None and failure is None:
                raise RpcError(*_absent(call, uri))
        if failure is not None:
            raise failure
        if result is None:
            raise RpcError(METHOD_NOT_FOUND, f"{call.method}: no server is there to be asked")
        return result


def simulate(
    next: Service | None,
    /,
    *,
    session: Session,
    world: Environment | None = None,
    saved: Saved | None = None,
    guarded: bool = False,
    reads: bool = True,
    sampling: bool = True,
    strict: bool = False,
) -> Simulation:
    """The same server, with its tools imagined by `world`, else by the session's.

    `session` runs dry. With `guarded` the session's policy and critics have their say, as in a dry run; without, the
    world answers whatever is asked. `saved` is what the server lists, where it is not to be asked for that.
    """
    if session.mode != "dry-run":
        raise ConfigError(f'a session in mode {session.mode!r} is none for a simulation; open it with mode="dry-run"')
    if next is None and saved is None:
        raise ConfigError("nothing says which tools there are: name a server, or a saved list with --tools")
    kept = Kept(next=next or _nobody, saved=saved, alone=next is None)
    found = world or session.line.planner.imagine

    def imagine() -> Environment | None:
        return found or (ClientWorld() if sampling else None)

    return Simulation(
        next=next,
        catalogue=Catalogue(next=kept, policy=session.line.guard.policy),
        conversations=Conversations(session=session),
        imagine=imagine,
        guarded=guarded,
        reads=reads,
        strict=strict,
    )


def layer(next: Service, /, *, settings: ProxySettings, stack: AsyncExitStack) -> Service:
    """The mode as the proxy opens it."""
    return simulation(next, settings, stack)


def simulation(
    next: Service,
    settings: ProxySettings,
    stack: AsyncExitStack,
    *,
    strict: bool = False,
    saved: Saved | None = None,
) -> Simulation:
    """With what the proxy was told. `saved` is what the server lists, where that is known from elsewhere."""
    there = bool(settings.command) or settings.url is not None or settings.config is not None
    return simulate(
        next if there else None,
        session=dry_session(settings, stack),
        saved=saved or (Saved.load(os.path.expanduser(settings.saved)) if settings.saved is not None else None),
        guarded=settings.policy is not None,
        sampling=settings.sampling,
        strict=strict,
    )


def dry_session(settings: ProxySettings, stack: AsyncExitStack) -> Session:
    """A session that never reaches the server, not even for a dry run of the server's own."""
    options = options_of(
        goal=settings.goal,
        world=settings.world or "auto",
        policy=settings.policy,
        mode="dry-run",
        journal=settings.journal,
    )
    try:
        session = options.open((), real=_never, host=HOST, host_asks=True)
    except BaseException:
        options.journal.close()
        raise
    stack.callback(session.close)
    return session


async def _never(state: State, action: Action, /) -> Observation:
    raise NotMyWorld("in a simulation the server is not asked, not even for a dry run")


async def _nobody(call: Call, /) -> Json:
    if call.notice or call.method == "ping":
        return {}
    raise RpcError(METHOD_NOT_FOUND, f"no server is there to answer {call.method}")


def _fitted(said: Observation, tool: Tool) -> tuple[Observation, Shaped | None]:
    """The answer in the form that the tool declares, or a failure that says why it has none."""
    if said.failed:
        return said, None
    try:
        fit = shaped(tool.result, said.content, said.structured)
    except Unfit as why:
        text = f"Nothing that {said.origin.world} imagined fits what {tool.name} declares to return: {why}"
        return said.model_copy(update={"content": text, "structured": None, "failed": True}), None
    return said.model_copy(update={"content": fit.text, "structured": fit.structured}), fit


def _result(call: Call, said: Observation, fit: Shaped | None) -> Json:
    marks: Json = {SOURCE: "simulate"}
    if fit is not None and fit.filled:
        marks[FILLED] = list(fit.filled)
    result = result_of(said, version=call.client.version, meta=marks)
    assert result is not None
    if fit is not None and fit.blocks:
        result["content"] = fit.content
    return result


def _unimagined(call: Call, conversation: Conversation, why: str) -> Json:
    """Nobody could imagine it: the client is told, and nothing is remembered as done."""
    origin = Origin(kind="model", world=conversation.overlay.name)
    said = Observation(content=f"Not simulated: {why}", failed=True, origin=origin)
    return _result(call, said, None)


def _misused(call: Call, tool: Tool, wrong: str) -> Json:
    """As a server says it: before 2025-11-25 an error of the protocol, since then an answer that the model can read."""
    text = f"Input validation error: Invalid arguments for tool {tool.name}: {wrong}"
    if not modern(call.client) and call.client.version < "2025-11-25":
        raise RpcError(INVALID_PARAMS, text)
    said = Observation(content=text, failed=True, origin=Origin(kind="model", world="overlay"))
    return _result(call, said, None)


def _text_of(result: Json | None) -> str | None:
    contents: Any = result.get("contents") if result is not None else None
    first: Any = cast(list[Any], contents)[0] if isinstance(contents, list) and contents else None
    text: Any = cast(Json, first).get("text") if isinstance(first, dict) else None
    return text if isinstance(text, str) else None


def _resource(call: Call, uri: str, text: str, result: Json | None) -> Json:
    contents: Any = result.get("contents") if result is not None else None
    first: Json = cast(Json, contents[0]) if isinstance(contents, list) and contents else {"uri": uri}
    kept = {name: value for name, value in first.items() if name != "blob"}
    origin = origin_of(Origin(kind="model", world="overlay"))
    said: Json = {
        **{name: value for name, value in (result or {}).items() if name != "contents"},
        "contents": [{**kept, "text": text}],
        "_meta": {**cast(Json, (result or {}).get("_meta") or {}), ORIGIN: origin, SOURCE: "simulate"},
    }
    if modern(call.client):
        said = {"ttlMs": 0, "cacheScope": "private", **said}
    return in_era(said, call.client.version)


def _absent(call: Call, uri: str) -> tuple[int, str, Json]:
    return INVALID_PARAMS if modern(call.client) else _NO_RESOURCE, f"Resource not found: {uri}", {"uri": uri}
