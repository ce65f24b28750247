"""The guard as an interceptor for other gateways, by a draft of the protocol: they ask, and do themselves what follows.

`interceptors/list` says which there are, `interceptor/invoke` asks one of them. Nothing is called for it.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, Literal, TypeAlias, cast

import anyio

from lookahead import __version__
from lookahead.errors import LookaheadError
from lookahead.guard import hazards_of
from lookahead.held import Held
from lookahead.permit import Answer
from lookahead.refusal import cleaned, how, refusal
from lookahead.types import Decision
from lookahead_integrations.mcp.actions import action_of
from lookahead_integrations.mcp.confirm import told
from lookahead_integrations.mcp.exchange import INTERNAL_ERROR, INVALID_PARAMS, Call, Json, RpcError, Service
from lookahead_integrations.mcp.fencing import name as called
from lookahead_integrations.mcp.fencing import plain
from lookahead_integrations.mcp.judging import Judging, judging, offered
from lookahead_integrations.mcp.pins.hints import hints
from lookahead_integrations.mcp.settings import ProxySettings

EXTENSION: Final = "io.modelcontextprotocol/interceptors"
LIST: Final = "interceptors/list"
INVOKE: Final = "interceptor/invoke"
TIMEOUT: Final = -32000

GUARD: Final = "lookahead-guard"
TEXTS: Final = "lookahead-texts"

Severity: TypeAlias = Literal["info", "warn", "error"]
Phase: TypeAlias = Literal["request", "response"]

log: Final = logging.getLogger("lookahead.mcp")

_LISTS: Final = ("tools/list", "prompts/list", "resources/list", "resources/templates/list", "initialize")
_SEVERE: Final[Mapping[str, Severity]] = {"note": "info", "caution": "warn", "danger": "error"}


@dataclass(frozen=True, kw_only=True)
class Interceptor:
    """A validator: it looks at what passes elsewhere, changes nothing, and says yes or no."""

    name: str
    description: str
    events: tuple[str, ...]
    phase: Phase

    def listed(self, *, audit: bool) -> Json:
        """In the words of the present draft, and of those before it."""
        hook: Json = {"events": list(self.events), "phase": self.phase}
        said: Json = {
            "name": self.name,
            "version": __version__,
            "description": self.description,
            "type": "validation",
            "hooks": [hook],
            "hook": hook,
            "failOpen": False,
        }
        # Enforcing is the default, and each draft calls it by another name.
        return {**said, "mode": "audit"} if audit else said


INTERCEPTORS: Final = (
    Interceptor(
        name=GUARD,
        description="Says what a call of a tool would do, and whether it may be done",
        events=("tools/call",),
        phase="request",
    ),
    Interceptor(
        name=TEXTS,
        description="Finds what hides in the descriptions of tools, prompts and resources, or gives orders to a model",
        events=_LISTS,
        phase="response",
    ),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Intercepting:
    """A service that can also be asked for its judgement. With `audit`, its word is for the record alone."""

    next: Service
    judging: Judging
    audit: bool = False

    async def __call__(self, call: Call, /) -> Json:
        if call.notice:
            return await self.next(call)
        if call.method in ("initialize", "server/discover"):
            events = [event for one in INTERCEPTORS for event in one.events]
            return offered(await self.next(call), EXTENSION, {"supportedEvents": events})
        if call.method == LIST:
            event = call.params.get("event")
            found = [one for one in INTERCEPTORS if event is None or event in one.events]
            return {"interceptors": [one.listed(audit=self.audit) for one in found]}
        if call.method == INVOKE:
            return await self._invoked(call)
        return await self.next(call)

    async def _invoked(self, call: Call) -> Json:
        asked = _known(call.params)
        seconds = _seconds(call.params)
        began = perf_counter()
        said: Json | None = None
        try:
            with anyio.move_on_after(seconds):
                said = await self._answers()[asked.name](call)
        except LookaheadError as error:
            about = {"interceptor": asked.name, "reason": plain(error, 600)}
            raise RpcError(INTERNAL_ERROR, "Interceptor execution failed", about) from error
        if said is None:
            about = {"interceptor": asked.name, "timeoutMs": call.params["timeoutMs"], "phase": asked.phase}
            raise RpcError(TIMEOUT, "Interceptor execution timeout", about)
        if self.audit and not said["valid"]:
            log.warning("%s would have stopped this: %s", asked.name, said["messages"][0]["message"])
        took = round((perf_counter() - began) * 1000, 3)
        return {"interceptor": asked.name, "type": "validation", "phase": asked.phase, **said, "durationMs": took}

    def _answers(self) -> Mapping[str, Callable[[Call], Awaitable[Json]]]:
        return {GUARD: self._judged, TEXTS: self._read}

    async def _judged(self, call: Call) -> Json:
        payload, path = _request(call.params.get("payload"), "tools/call")
        action = action_of(payload)
        session = await self.judging.conversation(call)
        held = await self.judging.held(session, action)
        if isinstance(held, Held) and not self.audit:
            # So that it can be allowed, and that a yes which was given before is used up by this.
            await session.line.pen.write(*held.entry(session.line.run), *held.papers)
        decision = held.decision
        if decision.chosen is not None and decision.choice != "swap":
            notes = [_message(note, "info", path) for note in cleaned(decision).notes]
            return _verdict(True, "info", notes, decision)
        severity: Severity = "error"
        # What may be done in its place is for its own agent to decide.
        way = how(decision, session.journal.path, dry_run=False)
        text = held.observation.content if isinstance(held, Answer) else refusal(decision, way)
        found = [_message(text, severity, path)]
        found += [
            _message(f"{one.rule}: {one.what}", _SEVERE[one.severity], path) for one in hazards_of(cleaned(decision))
        ]
        return _verdict(False, severity, found, decision)

    async def _read(self, call: Call) -> Json:
        payload = call.params.get("payload")
        found = [_message(hint.line, "warn", hint.where) for hint in hints(payload)]
        # A finding is a reason to look, and no proof: it stops nothing by itself.
        return _verdict(True, "warn" if found else "info", found)


def _known(params: Json) -> Interceptor:
    name, event, phase = params.get("name"), params.get("event"), params.get("phase")
    about: Json = {"interceptor": plain(name, 80), "event": plain(event, 80), "phase": plain(phase, 80)}
    for one in INTERCEPTORS:
        if one.name == name:
            if event in one.events and phase == one.phase:
                return one
            raise RpcError(INVALID_PARAMS, f"{one.name} is not asked at this event in this phase", about)
    raise RpcError(INVALID_PARAMS, f"there is no interceptor {called(name)}", about)


def _seconds(params: Json) -> float | None:
    given = params.get("timeoutMs")
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given < 1e9:
        raise RpcError(INVALID_PARAMS, "timeoutMs is a number of milliseconds")
    return given / 1000


def _request(payload: Any, method: str) -> tuple[Json, str]:
    """The parameters of the request that is asked about, whole or alone, and the path to its arguments."""
    if isinstance(payload, dict):
        given = cast(Json, payload)
        inner = given.get("params")
        if given.get("method") == method and isinstance(inner, dict):
            return cast(Json, inner), "params.arguments"
        if "name" in given:
            return given, "arguments"
    raise RpcError(INVALID_PARAMS, f"payload is a request of {method}, or its parameters: a name and arguments")


def _message(text: str, severity: Severity, path: str) -> Json:
    return {"path": path, "message": text, "severity": severity}


def _verdict(valid: bool, severity: Severity, messages: Sequence[Json], decision: Decision | None = None) -> Json:
    said: Json = {"valid": valid, "severity": severity, "messages": list(messages)}
    return said if decision is None else {**said, "info": {"decision": told(decision)}}


def layer(next: Service, /, *, settings: ProxySettings, stack: AsyncExitStack) -> Service:
    """In shadow mode nothing is held up, so there it is asked for the record alone."""
    known = judging(next, settings, stack)
    return Intercepting(next=known.next, judging=known, audit=settings.mode == "shadow")
