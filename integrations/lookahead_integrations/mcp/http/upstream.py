"""An upstream at a URL: streamable HTTP, in both eras, over one pool of connections."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Final, cast

import anyio
from anyio.abc import TaskGroup

from lookahead_integrations.mcp.exchange import INTERNAL_ERROR, Call, Json, RpcError
from lookahead_integrations.mcp.http import routing, sse
from lookahead_integrations.mcp.http.address import Address
from lookahead_integrations.mcp.http.post import Answered, Broken, Post, Refusal, Unreachable, named, pool_of
from lookahead_integrations.mcp.settings import Limits
from lookahead_integrations.mcp.wire import eras, frames
from lookahead_integrations.mcp.wire.channel import Channel, ChannelClosed, Connect, Listener

_ATTEMPTS: Final = 5
"""In a row that bring nothing new, to read on where a stream broke off."""
_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0
_FAREWELL: Final = 5.0
_CALL: Final = "tools/call"


@asynccontextmanager
async def reaching(address: Address, *, limits: Limits | None = None) -> AsyncGenerator[Connect]:
    """Opens channels to this upstream. They share their connections, and nothing else: no cookie, no session."""
    bounds = limits or Limits()
    async with pool_of() as pool:

        @asynccontextmanager
        async def connect(listener: Listener) -> AsyncGenerator[Channel]:
            async with anyio.create_task_group() as tasks:
                post = Post(pool=pool, address=address, tasks=tasks, largest=bounds.frame)
                channel = _HttpChannel(post=post, listener=listener, tasks=tasks, limits=bounds)
                try:
                    yield channel
                finally:
                    with anyio.CancelScope(shield=True), anyio.move_on_after(_FAREWELL):
                        await channel.leave()
                    tasks.cancel_scope.cancel()

        yield connect


@dataclass(kw_only=True, eq=False)
class _Place:
    """Where in a stream we are, so that another connection can go on from there."""

    last: str | None = None
    pause: float = _PAUSE
    news: bool = False


@dataclass(kw_only=True, eq=False)
class _HttpChannel:
    post: Post
    listener: Listener
    tasks: TaskGroup
    limits: Limits
    version: str | None = None
    """That `initialize` agreed on. A request of the newer era carries its own, and there is no session then."""
    _ids: "count[int]" = field(default_factory=lambda: count(1))
    _schemas: dict[str, object] = field(default_factory=dict[str, object])
    """Of the tools that were listed."""
    _over: anyio.Event = field(default_factory=anyio.Event)
    _why: str = ""

    @property
    def alive(self) -> bool:
        return not self._over.is_set()

    async def closed(self) -> str:
        await self._over.wait()
        return self._why

    async def request(
        self, method: str, params: Json | None, /, *, call: Call | None = None, related: Listener | None = None
    ) -> Json:
        try:
            result = await self._request(method, params, call, related)
        except RpcError as error:
            # Not a word of the call was read there: a tool of ours wants headers that we did not know of.
            if error.code != routing.HEADER_MISMATCH or method != _CALL or not await self._learned(params, call):
                raise
            result = await self._request(method, params, call, related)
        self._learn(method, result)
        return result

    async def notify(self, method: str, params: Json | None, /) -> None:
        if self.version is None:
            return  # the newer era has no notifications of a client over HTTP: to cancel is to close the connection
        await self._say(frames.notice(method, params))
        if method == "notifications/initialized":
            self.tasks.start_soon(self._listen)

    async def leave(self) -> None:
        """A session that nobody needs any more does not wait for its end over there."""
        if self.alive and self.post.session is not None:
            self._end("it was closed")
            await self.post.delete(self._headers())

    async def _request(self, method: str, params: Json | None, call: Call | None, related: Listener | None) -> Json:
        if not self.alive:
            raise ChannelClosed(self._why, sent=False)
        id = next(self._ids)
        place = _Place()
        era = self._era(method, params, call)
        try:
            answer = await self._sent(
                frames.request(id, method, params), {**self._headers(call), **era}, related, place
            )
            while answer is None:
                answer = await self._again(id, call, related, place)
        except anyio.get_cancelled_exc_class():
            if self.version is not None and method != "initialize" and self.alive:
                said = frames.notice("notifications/cancelled", {"requestId": id, "reason": "given up by the client"})
                self.tasks.start_soon(self._quietly, said)
            raise
        if answer.error is not None:
            raise answer.error
        result = cast(Json, answer.result)
        if method == "initialize":
            self.version = str(result.get("protocolVersion", ""))
        return result

    async def _sent(
        self, frame: Json, headers: dict[str, str], related: Listener | None, place: _Place
    ) -> frames.Reply | None:
        """The answer; None where the stream has ended before it, and can be read on."""
        try:
            async with self.post.opened(frame, headers) as answered:
                if frame["method"] == "initialize":
                    self.post.session = answered.session
                if answered.json:
                    return _reply(await answered.body(), frame["id"])
                return await self._read(answered, frame["id"], related, place)
        except Unreachable as error:
            raise ChannelClosed(str(error), sent=False) from error
        except Broken as error:
            if place.last is None:
                raise ChannelClosed(str(error), sent=True) from error
            return None
        except RpcError as error:
            raise self._understood(error) from error

    async def _read(
        self, answered: Answered, id: int | None, related: Listener | None, place: _Place
    ) -> frames.Reply | None:
        reader = sse.Reader(largest=self.limits.frame)
        while chunk := await answered.chunk():
            for event in reader.feed(chunk):
                place.last = event.id or place.last
                place.pause = event.retry if event.retry is not None else place.pause
                place.news = True
                if not event.data or event.kind != "message":
                    continue
                message = _message(event.data, id)
                if isinstance(message, frames.Reply):
                    if message.id == id:
                        answered.finish()
                        return message
                elif isinstance(message, frames.Request):
                    self.tasks.start_soon(self._asked, message, related or self.listener)
                elif message is not None:
                    await (related or self.listener).told(message.method, message.params)
        if id is not None and place.last is None:
            raise Broken("the upstream ended its answer before it was there")
        return None

    async def _again(self, id: int, call: Call | None, related: Listener | None, place: _Place) -> frames.Reply | None:
        """Reads on where the stream has broken off, or was closed by an upstream that wants to be asked again later."""
        _hang_up(call.client if call is not None else None)
        failed = 0
        while True:
            await anyio.sleep(min(place.pause * 2**failed, _LONGEST_PAUSE))
            place.news = False
            headers = {**self._headers(call), "last-event-id": cast(str, place.last)}
            try:
                async with self.post.stream(headers) as answered:
                    reply = await self._read(answered, id, related, place)
                    if reply is not None or place.news:
                        return reply
            except (Unreachable, Broken):
                pass
            except RpcError as error:
                raise self._understood(error) from error
            failed += 1
            if failed >= _ATTEMPTS:
                raise ChannelClosed("the upstream broke off its answer, and does not let us read on", sent=True)

    async def _listen(self) -> None:
        """What the server says outside of calls, for as long as the channel is open and the server offers it."""
        place = _Place()
        failed = 0
        while self.alive:
            place.news = False
            headers = self._headers() | ({"last-event-id": place.last} if place.last is not None else {})
            try:
                async with self.post.stream(headers) as answered:
                    await self._read(answered, None, None, place)
            except (Unreachable, Broken):
                pass
            except RpcError as error:
                if self._understood(error) is not error or place.last is None:
                    return  # the session is lost, or there is no such stream (405)
                place.last = None
            failed = 0 if place.news else failed + 1
            await anyio.sleep(min(place.pause * 2 ** min(failed, 10), _LONGEST_PAUSE))

    async def _asked(self, request: frames.Request, listener: Listener) -> None:
        try:
            said = frames.answer(request.id, await listener.asked(request.method, request.params))
        except RpcError as error:
            said = frames.refusal(request.id, error)
        except Exception:
            said = frames.refusal(request.id, RpcError(INTERNAL_ERROR, "the client could not be asked"))
        await self._quietly(said)

    async def _quietly(self, frame: Json) -> None:
        try:
            await self._say(frame)
        except RpcError:
            return  # whoever waits for this over there gives up by itself

    async def _say(self, frame: Json) -> None:
        """A message that nobody answers."""
        try:
            async with self.post.opened(frame, self._headers()) as answered:
                answered.finish()
        except (Unreachable, Broken) as error:
            raise ChannelClosed(str(error), sent=isinstance(error, Broken)) from error
        except RpcError as error:
            raise self._understood(error) from error

    def _headers(self, call: Call | None = None) -> dict[str, str]:
        headers = self.post.address.for_client(call.client.headers if call is not None else {})
        if self.version:
            headers[routing.VERSION] = self.version
        return headers

    def _era(self, method: str, params: Json | None, call: Call | None) -> dict[str, str]:
        """The headers of a request that says itself which revision it is of."""
        meta: Any = (params or {}).get("_meta")
        version = cast(Json, meta).get(eras.VERSION) if isinstance(meta, dict) else None
        if params is None or not isinstance(version, str):
            return {}
        headers = routing.headers_of(method, params, version)
        if method == _CALL:
            arguments, schema = params.get("arguments"), self._schemas.get(str(params.get("name")))
            if schema is not None:
                headers |= routing.param_headers(schema, cast(Json, arguments) if isinstance(arguments, dict) else {})
            elif call is not None:
                sent = call.client.headers.items()
                headers |= {name: value for name, value in sent if name.startswith(routing.PARAM)}
        return headers

    def _learn(self, method: str, result: Json) -> None:
        if method != "tools/list" or not isinstance(result.get("tools"), list):
            return
        for tool in cast(list[Any], result["tools"]):
            if isinstance(tool, dict):
                listed = cast(Json, tool)
                self._schemas[str(listed.get("name"))] = listed.get("inputSchema")

    async def _learned(self, params: Json | None, call: Call | None) -> bool:
        """Whether a list of the tools has told something about this one that was not known."""
        name = str((params or {}).get("name"))
        if name in self._schemas:
            return False
        asking: Json = {"_meta": (params or {}).get("_meta")}
        for _ in range(self.limits.depth):
            result = await self._request("tools/list", asking, call, None)
            self._learn("tools/list", result)
            if name in self._schemas or not isinstance(result.get("nextCursor"), str):
                break
            asking = {**asking, "cursor": result["nextCursor"]}
        return name in self._schemas and routing.wants_headers(self._schemas[name])

    def _end(self, why: str) -> None:
        self._why = self._why or why
        self._over.set()

    def _understood(self, error: RpcError) -> RpcError:
        """A session that the upstream does not know any more is a channel that has closed: nothing was done."""
        if isinstance(error, Refusal) and error.status == 404 and self.post.session is not None:
            self._end("the upstream has lost the session")
            return ChannelClosed(self._why, sent=False)
        return error


def _hang_up(client: object) -> None:
    """The connection of the client need not be kept open either. Whoever stands in for a client has it as `client`."""
    while client is not None:
        if (hang_up := getattr(client, "hang_up", None)) is not None:
            hang_up()
            return
        client = getattr(client, "client", None)


def _message(data: bytes, id: int | None) -> frames.Message | None:
    try:
        found = frames.read(data, strict=False)
        return frames.message(found if id is None else named(found, id))
    except frames.BadFrame:
        return None


def _reply(data: bytes, id: int) -> frames.Reply:
    message = frames.message(named(frames.read(data, strict=False), id))
    if not isinstance(message, frames.Reply):
        raise RpcError(INTERNAL_ERROR, "the upstream answered a request with a message that is no answer")
    return replace(message, id=id)
