"""The endpoint for clients of the newer era: each request says who asks, and is answered on its own connection."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import anyio
from anyio.abc import TaskGroup

from lookahead_integrations.mcp.exchange import (
    CLOSED,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    META,
    MODERN,
    Call,
    Json,
    Question,
    RpcError,
    Service,
)
from lookahead_integrations.mcp.http import routing
from lookahead_integrations.mcp.http.asgi import PING, Http
from lookahead_integrations.mcp.http.gate import accepts
from lookahead_integrations.mcp.http.stream import Stream
from lookahead_integrations.mcp.settings import Limits
from lookahead_integrations.mcp.wire import eras, frames
from lookahead_integrations.mcp.wire.frames import Request
from lookahead_integrations.mcp.wire.parked import Parking
from lookahead_integrations.mcp.wire.peer import named

CONVERSATIONS: Final = 4096
"""That something is kept for, as nobody says that one is over."""
_PAGES: Final = 100
_UNNAMED: Final = {"name": "unnamed", "version": ""}


@dataclass(frozen=True, kw_only=True, eq=False)
class EnvelopeClient:
    """The client of one request."""

    key: str
    version: str
    info: Json
    capabilities: Json
    headers: Mapping[str, str]
    stream: Stream
    """What goes back on the connection of the request."""
    listening: frames.Id | None = None
    """The id of the request that is to hear what changes: it is on all that is told in it."""

    async def ask(self, questions: Mapping[str, Question], /) -> dict[str, Json]:
        asked = ", ".join(sorted({question.method for question in questions.values()}))
        raise RpcError(INTERNAL_ERROR, f"the client cannot be asked {asked} here: nothing would carry the question")

    async def tell(self, method: str, params: Json, /) -> None:
        if self.stream.ended:
            return
        if self.listening is not None:
            params = eras.stamped(params, self.listening)
        self.stream.put(frames.written(frames.notice(method, params)).rstrip(b"\n"))


@dataclass(kw_only=True, eq=False)
class Envelope:
    service: Service
    tasks: TaskGroup
    limits: Limits
    _running: int = 0
    _used: dict[str, float] = field(default_factory=dict[str, float])
    """When each conversation was heard of last, the oldest first."""
    _schemas: dict[str, object] = field(default_factory=dict[str, object])
    """Of the tools that were listed, for the headers that repeat arguments."""

    def __post_init__(self) -> None:
        self.parking = Parking(service=self.service, tasks=self.tasks, limits=self.limits)

    async def __call__(self, http: Http, owner: str) -> None:
        if http.method != "POST":
            await http.refuse(405, f"{MODERN[-1]} knows POST alone", allow="POST")
            return
        if not accepts(http.headers, "application/json", "text/event-stream"):
            await http.refuse(406, "Accept must have application/json and text/event-stream")
            return
        found = frames.read(await http.body(self.limits.frame), depth=self.limits.depth)
        message = frames.message(found)
        if isinstance(message, frames.Notice):
            # Nothing is told this way: to cancel is to close the connection.
            await http.answer(202)
            return
        if not isinstance(message, Request):
            raise frames.BadFrame(-32600, "a client of this revision sends requests, not answers")
        if (refused := routing.refusal(cast(Json, found), http.pairs)) is not None:
            await _answer(http, frames.refusal(message.id, refused))
            return
        await self._exchange(http, owner, message)

    async def sweep(self) -> None:
        """Tells that conversations are over of which nothing was heard for long."""
        while True:
            await anyio.sleep(max(self.limits.idle / 20, 0.01))
            limit = anyio.current_time() - self.limits.idle
            for key in [key for key, used in self._used.items() if used < limit]:
                self._forget(key)

    async def _exchange(self, http: Http, owner: str, request: Request) -> None:
        info, capabilities = _said(request)
        stream = Stream("")
        client = EnvelopeClient(
            key=self._key(owner or http.peer, info),
            version=request.params["_meta"][eras.VERSION],
            info=info,
            capabilities=capabilities,
            headers=http.headers,
            stream=stream,
            listening=request.id if request.method == eras.LISTEN else None,
        )
        call = Call(method=request.method, params=request.params, client=client)
        said: list[Json] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._run, request, call, stream, said)
            tasks.start_soon(http.gone, tasks.cancel_scope)
            with anyio.move_on_after(PING):
                await stream.begun()
            if stream.only is not None:
                await _answer(http, said[0])
            else:
                await http.pour(stream, 0, ids=False)
            tasks.cancel_scope.cancel()

    async def _run(self, request: Request, call: Call, stream: Stream, answers: list[Json]) -> None:
        """Is cancelled when the client closes the connection."""
        try:
            if self._running >= self.limits.calls:
                raise RpcError(INTERNAL_ERROR, f"{self.limits.calls} requests are under way")
            self._running += 1
            try:
                await self._check(call)
                result = await self.parking(call)
            finally:
                self._running -= 1
            if request.method == "tools/list":
                self._learn(result)
            said = frames.answer(
                request.id, eras.stamped(result, request.id) if request.method == eras.LISTEN else result
            )
        except Exception as error:
            said = frames.refusal(request.id, named(error))
        answers.append(said)
        stream.put(frames.written(said).rstrip(b"\n"))
        stream.end()

    async def _check(self, call: Call) -> None:
        """The headers that repeat arguments. What a tool declares is known once it was listed."""
        if call.method != "tools/call":
            return
        name, headers = str(call.params.get("name")), call.client.headers
        if name not in self._schemas and any(header.startswith(routing.PARAM) for header in headers):
            await self._listed(call, name)
        if name in self._schemas:
            arguments = _object(call.params.get("arguments"))
            if (refused := routing.param_refusal(self._schemas[name], arguments, headers.items())) is not None:
                raise refused

    async def _listed(self, call: Call, name: str) -> None:
        params: Json = {"_meta": {key: value for key, value in call.params["_meta"].items() if key.startswith(META)}}
        for _ in range(_PAGES):
            try:
                result = await self.service(Call(method="tools/list", params=params, client=call.client))
            except RpcError:
                return  # who answers the call will say what is wrong
            self._learn(result)
            if name in self._schemas or not isinstance(result.get("nextCursor"), str):
                return
            params = {**params, "cursor": result["nextCursor"]}

    def _learn(self, result: Json) -> None:
        tools = result.get("tools")
        for tool in cast(list[Any], tools) if isinstance(tools, list) else []:
            listed = _object(tool)
            self._schemas[str(listed.get("name"))] = listed.get("inputSchema")

    def _key(self, owner: str, info: Json) -> str:
        """Nothing names a conversation in this era: who asks, from where and with what is as near as it gets."""
        key = f"http-{hashlib.sha256(frames.written([owner, info])).hexdigest()[:20]}"
        self._used.pop(key, None)
        self._used[key] = anyio.current_time()
        if len(self._used) > CONVERSATIONS:
            self._forget(next(iter(self._used)))
        return key

    def _forget(self, key: str) -> None:
        del self._used[key]
        self.parking.forget(key)
        stream = Stream("")
        stream.end()
        client = EnvelopeClient(key=key, version=MODERN[-1], info={}, capabilities={}, headers={}, stream=stream)
        self.tasks.start_soon(self._closed, Call(method=CLOSED, client=client, notice=True))

    async def _closed(self, call: Call) -> None:
        try:
            await self.service(call)
        except Exception as error:
            named(error)


def _said(request: Request) -> tuple[Json, Json]:
    """Who asks, and what it can do. Told to an upstream when it is first spoken with, so it has to be in order."""
    meta = cast(Json, request.params["_meta"])
    info, capabilities = meta.get(eras.INFO, _UNNAMED), meta[eras.CAPABILITIES]
    if not isinstance(info, dict) or not all(isinstance(cast(Json, info).get(key), str) for key in _UNNAMED):
        raise frames.BadFrame(INVALID_PARAMS, f"{eras.INFO} has a name and a version", request.id)
    if not isinstance(capabilities, dict) or not all(
        isinstance(one, dict) for one in cast(Json, capabilities).values()
    ):
        raise frames.BadFrame(INVALID_PARAMS, f"{eras.CAPABILITIES} is an object of objects", request.id)
    return cast(Json, info), cast(Json, capabilities)


async def _answer(http: Http, said: Json) -> None:
    """An error has the status that goes with its code."""
    error = said.get("error")
    status = 200 if error is None else routing.STATUS.get(error["code"], 200)
    await http.answer(status, frames.written(said))


def _object(value: Any) -> Json:
    return cast(Json, value) if isinstance(value, dict) else {}
