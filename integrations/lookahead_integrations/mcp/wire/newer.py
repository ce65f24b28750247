"""A server without sessions, and whoever asks it, in either era."""

from dataclasses import dataclass, field
from typing import Final, cast

import anyio
from anyio.abc import TaskGroup

from lookahead_integrations.mcp.exchange import INTERNAL_ERROR, Call, Client, Json, RpcError, modern
from lookahead_integrations.mcp.wire import eras
from lookahead_integrations.mcp.wire.channel import Channel, Listener
from lookahead_integrations.mcp.wire.eras import Envelope
from lookahead_integrations.mcp.wire.older import Kept

_ROUNDS: Final = 50
"""Answers `input_required` in a row before one call is given up."""
_PAUSE, _LONGEST_PAUSE = 0.05, 0.25
_RELISTEN, _LONGEST_RELISTEN = 0.5, 30.0


@dataclass(kw_only=True, eq=False)
class Newer:
    """Serves one conversation. A client of its own era is passed on to the letter, but for who keeps its state."""

    channel: Channel
    tasks: TaskGroup
    kept: Kept
    standing: Client | None = None
    """The connection of a client of the older era."""
    discovery: Json = field(default_factory=dict[str, object])
    """What it answered to `server/discover`."""
    _calls: dict[int, Call] = field(default_factory=dict[int, Call], repr=False)
    _listening: dict[str, anyio.CancelScope] = field(default_factory=dict[str, anyio.CancelScope], repr=False)

    async def __call__(self, call: Call, /) -> Json:
        if modern(call.client):
            return await self._same(call)
        if call.notice:
            if call.method == "notifications/initialized":
                await self.restore()
            return {}
        return await self._bridged(call)

    async def restore(self) -> None:
        """A client of the older era is told of changes unasked, so we ask for it."""
        if self.standing is None:
            return
        capabilities = cast(Json, self.discovery.get("capabilities") or {})
        wishes = eras.changing(capabilities)
        if wishes:
            self._listen("", wishes)
        for uri in self.kept.uris:
            self._listen(uri, {"resourceSubscriptions": [uri]})

    async def asked(self, method: str, params: Json, of: Call | None = None) -> Json:
        if method == "ping":
            return {}
        raise eras.unknown(method)

    async def told(self, method: str, params: Json, of: Call | None = None) -> None:
        if of is None and self.standing is None:
            # Which call a log line is of is not said; it can only be of one that wanted any.
            loud = [call for call in self._calls.values() if eras.level_of(call.params) is not None]
            of = loud[-1] if loud else None
        client = of.client if of is not None else self.standing
        if (client is not None and method != eras.ACKNOWLEDGED) or of is not None:
            await cast(Client, client).tell(method, params)

    # A client of the same era

    async def _same(self, call: Call) -> Json:
        if call.notice:
            await self.channel.notify(call.method, call.params)
            return {}
        if not eras.enveloped(call.params):
            # One that a mode of ours makes for its client.
            call = call.asking(**eras.with_envelope(call.params, _envelope(call.client)))
        return await self._asking(call, call.params)

    async def _asking(self, call: Call, params: Json) -> Json:
        """Until the server knows all that it wants to know."""
        mark, pause = id(call), _PAUSE
        related = _Of(self, call)
        self._calls[mark] = call
        try:
            result = await self.channel.request(call.method, params, call=call, related=related)
            for _ in range(_ROUNDS):
                if result.get("resultType") != "input_required":
                    return result
                if questions := eras.questions_in(result):
                    given = {"inputResponses": await call.client.ask(questions)}
                else:
                    # It has nothing to ask, only to wait for.
                    await anyio.sleep(pause)
                    given, pause = {}, min(pause * 2, _LONGEST_PAUSE)
                state = {"requestState": result["requestState"]} if "requestState" in result else {}
                result = await self.channel.request(
                    call.method, {**params, **given, **state}, call=call, related=related
                )
        finally:
            del self._calls[mark]
        raise RpcError(INTERNAL_ERROR, f"the server has answered with questions {_ROUNDS} times in a row")

    # A client of the older era

    async def _bridged(self, call: Call) -> Json:
        uri, level = call.params.get("uri"), call.params.get("level")
        match call.method:
            case "initialize":
                return eras.initialized(self.discovery, call.client.version)
            case "ping":
                return {}
            case "logging/setLevel":
                self.kept.level = level if isinstance(level, str) else None
                return {}
            case "resources/subscribe" if isinstance(uri, str):
                self.kept.uris[uri] = 1
                self._listen(uri, {"resourceSubscriptions": [uri]})
                return {}
            case "resources/unsubscribe" if isinstance(uri, str):
                del self.kept.uris[uri]
                if (scope := self._listening.pop(uri, None)) is not None:
                    scope.cancel()
                return {}
            case _:
                params = eras.with_envelope(call.params, _envelope(call.client), self.kept.level)
                return eras.plain(call.method, await self._asking(call, params))

    def _listen(self, name: str, wishes: Json) -> None:
        if name not in self._listening:
            scope = self._listening[name] = anyio.CancelScope()
            self.tasks.start_soon(self._keep_listening, scope, wishes)

    async def _keep_listening(self, scope: anyio.CancelScope, wishes: Json) -> None:
        standing, pause = cast(Client, self.standing), _RELISTEN
        params = eras.with_envelope({"notifications": wishes}, _envelope(standing))
        call = Call(method=eras.LISTEN, params=params, client=standing)
        with scope:
            while self.channel.alive:
                try:
                    await self.channel.request(eras.LISTEN, params, call=call, related=_ToOlder(standing))
                except RpcError as error:
                    if error.code in (-32601, -32602):
                        return
                await anyio.sleep(pause)
                pause = min(pause * 2, _LONGEST_RELISTEN)


@dataclass(frozen=True, eq=False)
class _Of:
    server: Newer
    call: Call

    async def asked(self, method: str, params: Json, /) -> Json:
        return await self.server.asked(method, params, self.call)

    async def told(self, method: str, params: Json, /) -> None:
        await self.server.told(method, params, self.call)


@dataclass(frozen=True, eq=False)
class _ToOlder(Listener):
    """Hears what a server says about a subscription, for a client that knows of none."""

    client: Client

    async def asked(self, method: str, params: Json, /) -> Json:
        raise eras.unknown(method)

    async def told(self, method: str, params: Json, /) -> None:
        if method != eras.ACKNOWLEDGED:
            await self.client.tell(method, eras.unstamped(params))


def _envelope(client: Client) -> Envelope:
    # A client of the older era is spoken for in the newest words that the server knows.
    version = client.version if modern(client) else eras.MODERN[-1]
    return Envelope(version=version, info=client.info, capabilities=client.capabilities)
