"""Replay: a server's answers, told again from a recording; of what is not in it, whoever was named is asked.

In order, or by the call and what had been changed before it. Every answer says in its `_meta` who gave it. What nobody
in the chain knows is an error, and never a guess.
"""

import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, cast

from lookahead.critics.tools import reads_by_name
from lookahead.errors import ConfigError
from lookahead.session import CONVERSATIONS
from lookahead.types import Origin
from lookahead.wrap import options_of
from lookahead_integrations.mcp.actions import ORIGIN, action_of, in_era, observation_of, origin_of
from lookahead_integrations.mcp.exchange import CLOSED, INTERNAL_ERROR, LISTS, Call, Json, RpcError, Service, modern
from lookahead_integrations.mcp.lists import Kept, Saved
from lookahead_integrations.mcp.modes.acting import TOOL
from lookahead_integrations.mcp.modes.simulate import PASSED, READS, SOURCE, Simulation, Unknown, simulation
from lookahead_integrations.mcp.recording import Recording, Taken, failed, later, likeness
from lookahead_integrations.mcp.settings import ProxySettings, Source
from lookahead_integrations.mcp.wire import eras

How: TypeAlias = Literal["in-order", "match"]
NOTE: Final = (
    "This server's answers are replayed by Lookahead from a recording, and nothing that its tools are asked to do "
    "happens unless an answer says that it was forwarded. Each says so in its _meta, under lookahead/source."
)
DIFFERS: Final = "lookahead/differs"
"""In `_meta` of an answer that was told again in order, to a call with other arguments than the recorded one."""


@dataclass(kw_only=True, eq=False)
class _Position:
    """How far one client has come in the recording."""

    used: set[int] = field(default_factory=set[int])
    past: str = ""
    last: dict[str, Taken] = field(default_factory=dict[str, Taken])
    """Of each call what was told last, for when it is made more often than it was recorded."""


@dataclass(kw_only=True, eq=False)
class Replaying:
    """One link of the chain: the recording."""

    recording: Recording
    how: How = "match"
    _positions: OrderedDict[str, _Position] = field(default_factory=OrderedDict[str, _Position], repr=False)
    _by_likeness: Mapping[str, list[Taken]] = field(init=False, repr=False)
    _reads: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        found: dict[str, list[Taken]] = {}
        for one in self.recording.taken:
            found.setdefault(one.likeness, []).append(one)
        self._by_likeness = found
        self._reads = frozenset(one.tool for one in self.recording.taken if one.reads)

    async def __call__(self, call: Call, /) -> Json:
        position = self._position(call.client.key)
        in_order = self.how == "in-order" and call.method == TOOL
        taken = self._next(call, position) if in_order else self._matching(call, position)
        position.used.add(taken.number)
        like = likeness(call.method, call.params)
        position.last[like] = taken
        if taken.error is not None:
            error = taken.error
            raise RpcError(int(error.get("code", INTERNAL_ERROR)), str(error.get("message", "")), error.get("data"))
        if taken.result is None:
            raise self._unknown(call, "its answer was too long to be kept whole")
        self.happened(call, taken.result)
        marks: Json = {SOURCE: "replay", ORIGIN: origin_of(self._origin)}
        if in_order and taken.likeness != like:
            marks[DIFFERS] = True
        return _marked(call, taken.result, marks)

    def happened(self, call: Call, result: Json) -> None:
        """What was answered, by whomever: what is told later is what followed it."""
        if call.method != TOOL or failed(result):
            return
        name = str(call.params.get("name"))
        if name not in self._reads and not reads_by_name(name):
            position = self._position(call.client.key)
            position.past = later(position.past, likeness(call.method, call.params))

    def forget(self, key: str) -> None:
        self._positions.pop(key, None)

    @property
    def _origin(self) -> Origin:
        return Origin(kind="recorded", world=self.recording.name)

    def _next(self, call: Call, position: _Position) -> Taken:
        """The first that was not told yet; calls that were under way together may come in any order."""
        left = [one for one in self.recording.taken if one.method == TOOL and one.number not in position.used]
        if not left:
            raise self._unknown(call, "the recording is at its end")
        together = [left[0], *(one for one in left[1:] if one.run == left[0].run and one.number < left[0].ended)]
        like = likeness(call.method, call.params)
        named = [one for one in together if one.tool == call.params.get("name")]
        if not named:
            raise self._unknown(call, f"next in the recording is a call of {left[0].tool!r}")
        return next((one for one in named if one.likeness == like), named[0])

    def _matching(self, call: Call, position: _Position) -> Taken:
        like = likeness(call.method, call.params)
        alike = self._by_likeness.get(like, [])
        if not alike:
            raise self._unknown(call, "no such call was recorded")
        if call.method != TOOL:
            fresh = [one for one in alike if one.number not in position.used]
            return (fresh or alike[-1:])[0]
        then = [one for one in alike if one.past == position.past]
        if not then:
            raise self._unknown(call, "such a call was recorded, but after other changes than were made now")
        digest = action_of(call.params).digest
        exact = [one for one in then if one.digest == digest] or then
        fresh = [one for one in exact if one.number not in position.used]
        return (fresh or [position.last.get(like, exact[-1])])[0]

    def _unknown(self, call: Call, why: str) -> Unknown:
        what = f"{call.method} {call.params.get('name') or call.params.get('uri') or ''}".strip()
        return Unknown(INTERNAL_ERROR, f"{what} is not in the recording {self.recording.name}: {why}")

    def _position(self, key: str) -> _Position:
        position = self._positions.get(key)
        if position is None:
            position = self._positions[key] = _Position()
            if len(self._positions) > CONVERSATIONS:
                self._positions.popitem(last=False)
        return position


@dataclass(kw_only=True, eq=False)
class Chain:
    """Asks one after the other. Who answered is said in the answer, and told to all who keep count of what happened."""

    links: Sequence[tuple[Source, Service]]
    lists: Service
    """Who greets and lists."""

    async def __call__(self, call: Call, /) -> Json:
        if call.notice:
            return await self._noticed(call)
        if call.method in ("initialize", "server/discover", *LISTS):
            return await self.lists(call)
        reasons: list[str] = []
        error: Unknown | None = None
        for name, service in self.links:
            try:
                result = await service(call)
            except Unknown as unknown:
                reasons.append(f"{name}: {unknown}")
                error = unknown
                continue
            except RpcError as refused:
                if name == "simulate" and call.method not in (TOOL, *READS) and call.method not in PASSED:
                    reasons.append(f"{name}: {refused}")
                    error = Unknown(refused.code, str(refused))
                    continue
                raise
            await self._tell(name, call, result)
            return _marked(call, result, {SOURCE: name}) if call.method == TOOL else result
        if error is None or len(reasons) == 1:
            raise error or Unknown(INTERNAL_ERROR, f"nobody was named who could answer {call.method}")
        raise RpcError(error.code, "; ".join(reasons))

    async def _tell(self, answered: Source, call: Call, result: Json) -> None:
        if call.method != TOOL:
            return
        for name, service in self.links:
            if name == answered:
                continue
            if isinstance(service, Replaying):
                service.happened(call, result)
            elif isinstance(service, Simulation):
                kind: Any = "recorded" if answered == "replay" else "real"
                said = observation_of(result).model_copy(update={"origin": Origin(kind=kind, world=answered)})
                await service.happened(call, action_of(call.params), said)

    async def _noticed(self, call: Call) -> Json:
        for _, service in self.links:
            if isinstance(service, Replaying):
                if call.method == CLOSED:
                    service.forget(call.client.key)
            else:
                await service(call)
        return {}


def replay(
    recording: Recording,
    /,
    *,
    how: How = "match",
    then: Sequence[tuple[Source, Service]] = (),
    next: Service | None = None,
    saved: Saved | None = None,
) -> Chain:
    """A server that answers from a recording, then from whoever else is named.

    It greets and lists as `saved` says, or as the server at `next` does; without them that, too, is as it was recorded.
    """
    told = saved or (recording.saved() if next is None else None)
    greeter = Kept(next=next or _nobody, saved=told, alone=next is None, note=NOTE)
    replaying = Replaying(recording=recording, how=how)
    return Chain(links=[("replay", replaying), *then], lists=greeter)


def layer(next: Service, /, *, settings: ProxySettings, stack: AsyncExitStack) -> Service:
    """The mode as the proxy opens it. What is forwarded is guarded: a recording is no leave to run things."""
    there = bool(settings.command) or settings.url is not None or settings.config is not None
    recording = _recording(settings)
    # Of the lists, those of a server that is there, or a saved one; else as they were recorded.
    saved = Saved.load(os.path.expanduser(settings.saved)) if settings.saved is not None else None
    then: list[tuple[Source, Service]] = []
    for name in settings.chain:
        if name == "simulate":
            told = saved or (None if there else recording.saved())
            then.append((name, simulation(next, settings, stack, strict=True, saved=told)))
        elif name == "forward":
            if not there:
                raise ConfigError("nothing can be forwarded: no server was named; put its command after --")
            from lookahead_integrations.mcp.modes import guard

            then.append((name, guard.layer(next, settings=settings, stack=stack)))
    return replay(recording, how=settings.replay, then=then, next=next if there else None, saved=saved)


def _recording(settings: ProxySettings) -> Recording:
    if settings.recording is not None:
        return Recording.load(settings.recording, run=settings.run)
    options = options_of(mode="dry-run", world="none", journal=settings.journal)
    try:
        path = options.journal.path
        recording = Recording.of(options.journal, name=os.path.basename(str(path)), run=settings.run)
    finally:
        options.journal.close()
    if not recording.taken:
        raise ConfigError(f"the journal {path} holds nothing to replay; record first: lookahead proxy --mode record")
    return recording


async def _nobody(call: Call, /) -> Json:
    raise Unknown(INTERNAL_ERROR, f"nothing was recorded that answers {call.method}")


def _marked(call: Call, result: Json, marks: Json) -> Json:
    """The answer in the client's era, with who gave it."""
    newer = modern(call.client)
    said = eras.completed(call.method, dict(result), None) if newer else eras.plain(call.method, dict(result))
    meta = said.get("_meta")
    return in_era(
        {**said, "_meta": {**(cast(Json, meta) if isinstance(meta, dict) else {}), **marks}}, call.client.version
    )
