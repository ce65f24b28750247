"""`tools/resolve`, an extension that is still a draft: what just this call would do, said before it is made.

A server's own hints are for a tool at its worst, and are a stranger's word. Here they are worked out for one call: by
the policy, by the text of the call, and by a world that has earned to be believed. Nothing is called for it.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final, cast

import anyio

from lookahead.act import Line
from lookahead.errors import LookaheadError
from lookahead.guard import ENOUGH_TO_DOUBT, Guard
from lookahead.redact import shared
from lookahead.schema import fits
from lookahead.search import Preview
from lookahead.session import Session
from lookahead.types import Action, Considered, Copying, Effect, Observation, Origin, Tool
from lookahead_integrations.mcp.actions import ORIGIN, action_of, origin_of
from lookahead_integrations.mcp.exchange import INTERNAL_ERROR, INVALID_PARAMS, Call, Client, Json, RpcError, Service
from lookahead_integrations.mcp.fencing import name as called
from lookahead_integrations.mcp.fencing import plain
from lookahead_integrations.mcp.judging import Judging, judging, offered
from lookahead_integrations.mcp.modes.acting import JUDGED
from lookahead_integrations.mcp.settings import ProxySettings

EXTENSION: Final = "io.modelcontextprotocol/tool-resolution"
METHOD: Final = "tools/resolve"
MISSING_CAPABILITY: Final = -32021

CAREFUL: Final[Json] = {
    "readOnlyHint": False,
    "destructiveHint": True,
    "idempotentHint": False,
    "openWorldHint": True,
}
"""What holds of a call that nobody knows anything of. No hint lowers it but one that was worked out here."""
LOOKS: Final[Json] = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True}
_MARKED: Final = 10_000


@dataclass(kw_only=True, eq=False)
class Resolving:
    """A service that also answers `tools/resolve`, for clients that can read the answer."""

    next: Service
    judging: Judging
    _theirs: dict[str, None] = field(default_factory=dict[str, None])
    """Tools that the server itself resolves."""

    async def __call__(self, call: Call, /) -> Json:
        if call.notice:
            return await self.next(call)
        if call.method in ("initialize", "server/discover"):
            return offered(await self.next(call), EXTENSION, {})
        if call.method == "tools/list":
            return await self._listed(call)
        if call.method == METHOD:
            return await self._resolved(call)
        return await self.next(call)

    async def _listed(self, call: Call) -> Json:
        result = await self.next(call)
        listed: Any = result.get("tools")
        if not isinstance(listed, list):
            return result
        tools = cast(list[Any], listed)
        self._remember(tools)
        if not declared(call.client):
            return result
        session = await self.judging.conversation(call)
        return {**result, "tools": [_marked(tool, session) for tool in tools]}

    def _remember(self, tools: Sequence[Any]) -> None:
        for tool in tools:
            if isinstance(tool, dict) and _marks(cast(Json, tool)) and len(self._theirs) < _MARKED:
                self._theirs[str(cast(Json, tool).get("name"))] = None

    async def _resolved(self, call: Call) -> Json:
        if not declared(call.client):
            wanted: Json = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
            raise RpcError(MISSING_CAPABILITY, f"{METHOD} is for clients that declare {EXTENSION}: {{}}", wanted)
        if not isinstance(call.params.get("arguments"), dict):
            raise RpcError(INVALID_PARAMS, "params.arguments is an object: all arguments of the call that is meant")
        action = action_of(call.params)
        session = await self.judging.conversation(call)
        tool = session.state.tool(action.tool)
        if tool is None:
            raise RpcError(INVALID_PARAMS, f"there is no tool {called(action.tool)}")
        if _fixed(session, tool):
            raise RpcError(INVALID_PARAMS, f"{called(action.tool)} only reads, whatever its arguments")
        if not fits(action, tool):
            raise RpcError(INVALID_PARAMS, f"these arguments are none that {called(action.tool)} takes")
        try:
            hints, said = await foreseen(session, action, tool)
        except LookaheadError as error:
            raise RpcError(INTERNAL_ERROR, f"what it would do cannot be told: {plain(error)}") from error
        if action.tool in self._theirs:
            hints = await self._more_careful(call, hints)
        meta: Json = {} if said is None else {"_meta": {ORIGIN: shared().json(origin_of(said.origin))}}
        # The extension wants the kind of result to be said in both eras.
        return {"resultType": "complete", "name": action.tool, "annotations": hints, **meta}

    async def _more_careful(self, call: Call, hints: Json) -> Json:
        """With what the server itself says of this call: a stranger can warn of itself, not vouch for itself."""
        try:
            theirs = (await self.next(call)).get("annotations")
        except RpcError:
            return hints
        return strictest(hints, cast(Json, theirs) if isinstance(theirs, dict) else {})


async def foreseen(session: Session, action: Action, tool: Tool) -> tuple[Json, Observation | None]:
    """The four hints for this call, and the imagined answer that they rest on."""
    line = session.line
    if line.screen.ruling(action, tool).effect == "reads":
        return {**LOOKS, "openWorldHint": True}, None
    considered = await _considered(line, session, action)
    said = considered.rollout.steps[0].observation if considered.rollout.steps else None
    hints = dict(CAREFUL)
    if (
        said is not None
        and said.effects is not None
        and not said.failed
        and believed(line.guard, action.tool, said.origin)
    ):
        hints = _of_effects(said.effects, exact=said.origin.kind == "exact")
    worst = considered.verdict.worst if considered.verdict is not None else None
    if _destroys(line, action, tool) or (worst is not None and worst.severity == "danger"):
        hints |= {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False}
    return hints, said


def believed(guard: Guard, tool: str, origin: Origin) -> bool:
    """Whether what this world shows of this tool may make anybody less careful: a copy may, a model has to earn it."""
    standing = guard.record.standing(tool, origin.world) if guard.record is not None else None
    trust = guard.policy.trust.veto
    if origin.kind == "exact":
        doubted = standing is not None and standing.trials(True) >= ENOUGH_TO_DOUBT and standing.rate(True) < trust
        return not doubted
    return standing is not None and standing.bound(True) >= trust


def strictest(one: Json, other: Json) -> Json:
    """Of two sets of hints the more careful word for each; what is not said counts for nothing."""
    return {
        name: (one[name] and other.get(name, True) is True)
        if name in ("readOnlyHint", "idempotentHint")
        else (one[name] or other.get(name, False) is not False)
        for name in CAREFUL
    }


def declared(client: Client) -> bool:
    """Whether this client says, for this call, that it knows the extension. It has no settings yet."""
    extensions: Any = client.capabilities.get("extensions")
    return isinstance(extensions, dict) and cast(Json, extensions).get(EXTENSION) == {}


async def _considered(line: Line, session: Session, action: Action) -> Considered:
    world = line.planner.imagine
    # A server's own dry run is a call of its tool, so it is not asked for one.
    token = JUDGED.set(None)
    try:
        outcome = await line.planner.consider(
            session.state, action, meter=line.meter, search=Preview(), watch=line.watch
        )
    finally:
        JUDGED.reset(token)
        if isinstance(world, Copying):
            with anyio.CancelScope(shield=True):
                await world.discard()
    return outcome.proposed


def _of_effects(effects: Sequence[Effect], *, exact: bool) -> Json:
    """Additive or not, in this world or beyond it. Whether it can be done twice, one look does not tell."""
    if not effects:
        return {**LOOKS, "openWorldHint": not exact}
    gone = any(one.happened in ("changed", "deleted") for one in effects)
    out = [one for one in effects if one.happened in ("sent", "spent")]
    return {
        "readOnlyHint": False,
        "destructiveHint": gone or any(one.recoverable is not True for one in out),
        "idempotentHint": False,
        "openWorldHint": bool(out) or not exact,
    }


def _destroys(line: Line, action: Action, tool: Tool) -> bool:
    """Said by the user, by the tool's name or by the text of this call; its server speaks of all calls at once."""
    plainly = tool.model_copy(update={"effect": "unknown"})
    return "destroys" in (line.guard.policy.effect_of(tool.name, plainly), line.effect_of(action, plainly))


def _fixed(session: Session, tool: Tool) -> bool:
    """The user says that it only reads, so no call of it can be anything else."""
    return session.line.guard.policy.effect_of(tool.name, tool) == "reads"


def _marks(tool: Json) -> bool:
    meta: Any = tool.get("_meta")
    return isinstance(meta, dict) and cast(Json, meta).get(EXTENSION) == {"resolvable": True}


def _marked(raw: Any, session: Session) -> Any:
    """A tool that can be resolved. What is said of it for all calls is then what holds at its worst."""
    if not isinstance(raw, dict):
        return raw
    tool = cast(Json, raw)
    known = session.state.tool(str(tool.get("name")))
    if known is None or _fixed(session, known):
        return tool
    meta, hints = tool.get("_meta"), tool.get("annotations")
    return {
        **tool,
        "annotations": {**(cast(Json, hints) if isinstance(hints, dict) else {}), **CAREFUL},
        "_meta": {**(cast(Json, meta) if isinstance(meta, dict) else {}), EXTENSION: {"resolvable": True}},
    }


def layer(next: Service, /, *, settings: ProxySettings, stack: AsyncExitStack) -> Service:
    known = judging(next, settings, stack)
    return Resolving(next=known.next, judging=known)
