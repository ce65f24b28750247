"""One conversation with an upstream: begun in whichever era it speaks, and begun anew when it broke off."""

import logging
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Final, cast

import anyio
from anyio.abc import TaskGroup

from lookahead_integrations.mcp.exchange import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    LEGACY,
    META,
    METHOD_NOT_FOUND,
    Call,
    Client,
    Json,
    Lost,
    RpcError,
    modern,
)
from lookahead_integrations.mcp.settings import Limits
from lookahead_integrations.mcp.wire import eras
from lookahead_integrations.mcp.wire.channel import CONNECTION_CLOSED, Channel, ChannelClosed, Connect
from lookahead_integrations.mcp.wire.eras import Envelope
from lookahead_integrations.mcp.wire.newer import Newer
from lookahead_integrations.mcp.wire.older import Kept, Older
from lookahead_integrations.mcp.wire.parked import MISSING_CAPABILITY

log: Final = logging.getLogger("lookahead.mcp")

_PROBE: Final = 10.0
"""Seconds after which a server that does not answer `server/discover` is greeted in the older way."""
_STEADY: Final = 10.0
"""Seconds after which an end is no longer one of a row of them."""
_AT_ONCE: Final = 2
"""Ends in a row after which a server is started again at once."""
_WAITED: Final = 3.0
"""Seconds that a call waits for a server to be started again; if it is longer, it is told so."""
_LONGEST: Final = 30.0
_REFUSED: Final = (METHOD_NOT_FOUND, INVALID_REQUEST, INVALID_PARAMS, eras.UNSUPPORTED_VERSION)
"""How servers of the newer era answer `initialize`."""
_OF_THE_CLIENT: Final = (INVALID_PARAMS, MISSING_CAPABILITY)
"""What a server that does know `server/discover` may have against whoever asks."""
_OWN: Final = eras.with_envelope(
    {}, Envelope(version=eras.MODERN[-1], info={"name": "lookahead", "version": ""}, capabilities={})
)
_KNOWN: Final = ("elicitation", "sampling", "roots", "experimental")
"""What a client can declare in the older era."""


@dataclass(kw_only=True, eq=False)
class Verdict:
    """What one conversation has found out of an upstream, so that the next does not have to."""

    older: bool = False
    """It cannot be asked `server/discover`."""
    newer: bool = False
    """It cannot be greeted by `initialize`, and not asked anything else after that."""


@dataclass(kw_only=True, eq=False)
class _Opening:
    call: Call | None
    done: anyio.Event = field(default_factory=anyio.Event)
    server: Older | Newer | None = None
    result: Json | None = None
    """The answer to the call, where that was what opened the conversation."""
    error: Exception | None = None


@dataclass(kw_only=True, eq=False)
class Link:
    """Answers the calls of one conversation. Lives in the tasks of its upstream."""

    connect: Connect
    tasks: TaskGroup
    name: str
    limits: Limits = field(default_factory=Limits)
    verdict: Verdict = field(default_factory=Verdict)
    used: float = 0.0
    busy: int = 0
    standing: Client | None = None
    """The connection of a client of the older era."""
    _hello: Json = field(default_factory=dict[str, Any], repr=False)
    """With which that client began."""
    _kept: Kept = field(default_factory=Kept, repr=False)
    _server: Older | Newer | None = None
    _opening: _Opening | None = None
    _scope: anyio.CancelScope = field(default_factory=anyio.CancelScope, repr=False)
    _closing: bool = False
    _ends: int = 0
    """In a row."""
    _not_before: float = 0.0

    async def __call__(self, call: Call, /) -> Json:
        self.busy += 1
        try:
            return await self._answered(call)
        except ChannelClosed as error:
            if error.sent:
                said = f"{self.name}: {error.message}\nWhether {_what(call)} was done is not known."
                raise Lost(CONNECTION_CLOSED, said) from error
            raise RpcError(CONNECTION_CLOSED, f"{self.name}: {error.message}") from error
        finally:
            self.busy -= 1
            self.used = anyio.current_time()

    def close(self) -> None:
        self._closing = True
        self._scope.cancel()

    # What a server says of itself, while it is greeted and after

    async def asked(self, method: str, params: Json, /) -> Json:
        if self._server is None:
            raise eras.unknown(method)
        return await self._server.asked(method, params)

    async def told(self, method: str, params: Json, /) -> None:
        if self._server is not None:
            await self._server.told(method, params)
        elif self.standing is not None:
            await self.standing.tell(method, params)

    async def _answered(self, call: Call) -> Json:
        server, result = await self._ready(call)
        if result is not None:
            return result
        try:
            return await server(call)
        except ChannelClosed as error:
            if error.sent or call.method == "initialize":
                raise
        # It had ended before the call could be sent, so to send it now is to send it for the first time.
        server, _ = await self._ready(call)
        return await server(call)

    async def _ready(self, call: Call | None) -> tuple[Older | Newer, Json | None]:
        if self._server is not None and self._opening is None and self._server.channel.alive:
            return self._server, None
        if call is not None and call.method == "initialize":
            self.standing, self._hello = call.client, call.params
        opening = self._opening
        if opening is None:
            wait = self._not_before - anyio.current_time()
            if call is not None and wait > _WAITED:
                raise RpcError(
                    CONNECTION_CLOSED,
                    f"{self.name} has ended {self._ends} times in a row; it is started again in {wait:.0f} s at the "
                    "earliest. Its own messages are on the proxy's stderr",
                )
            opening = self._opening = _Opening(call=call)
            self.tasks.start_soon(self._run, opening)
        await opening.done.wait()
        if opening.error is not None:
            raise opening.error
        # Whoever only waited for it has its own call still to make.
        result = opening.result if opening.call is call and call is not None else None
        return cast(Older | Newer, opening.server), result

    async def _run(self, opening: _Opening) -> None:
        reason = ""
        self._scope = anyio.CancelScope()
        with self._scope:
            if self._closing:
                self._scope.cancel()
            await anyio.sleep(max(0.0, self._not_before - anyio.current_time()))
            try:
                reason = await self._connected(opening)
                if opening.error is not None and self._otherwise(opening):
                    reason = await self._connected(opening)
            except Exception as error:
                opening.error = opening.error or error
        # A call that came in between may have opened the next one already.
        if self._server is opening.server:
            self._server = None
        if self._opening is opening:
            self._opening = None
        if isinstance(opening.error, ChannelClosed):
            # It was greeted, and no more than that: the call itself was not sent.
            opening.error = ChannelClosed(opening.error.message, sent=False)
        if not opening.done.is_set():
            opening.error = opening.error or RpcError(CONNECTION_CLOSED, f"{self.name}: the proxy is about to end")
            opening.done.set()
        elif reason and not self._closing:
            await self._ended(reason)

    def _otherwise(self, opening: _Opening) -> bool:
        """Whether it may be another thing with a connection that has not been spoken to in this way."""
        error, call = opening.error, opening.call
        if call is not None and modern(call.client):
            # Some servers end at a first request that they do not know.
            again = isinstance(error, ChannelClosed) and not self.verdict.older
            self.verdict.older = self.verdict.older or again
        else:
            # Some are of the era of their first request, even where they refuse it.
            again = isinstance(error, RpcError) and error.code in _REFUSED and not self.verdict.newer
            self.verdict.newer = self.verdict.newer or again
        if again:
            opening.error = None
        return again

    async def _connected(self, opening: _Opening) -> str:
        """Opens a channel and keeps it until it breaks off. Returns why it did."""
        async with self.connect(self) as channel:
            try:
                with anyio.fail_after(self.limits.handshake):
                    server, opening.result = await self._greeted(channel, opening.call)
            except TimeoutError:
                said = f"{self.name} has not answered its first request within {self.limits.handshake:.0f} s"
                opening.error = RpcError(CONNECTION_CLOSED, said)
                return ""
            except Exception as error:
                opening.error = error
                return ""
            began = anyio.current_time()
            self._server = opening.server = server
            self._opening = None
            opening.done.set()
            reason = await channel.closed()
            now = anyio.current_time()
            self._ends = self._ends + 1 if now - began < _STEADY else 1
            self._not_before = now + self._pause
            return reason or "the connection has ended"

    # Greeting

    async def _greeted(self, channel: Channel, call: Call | None) -> tuple[Older | Newer, Json | None]:
        if call is None or not modern(call.client):
            server, result = await self._greeted_as_older(channel)
            if call is not None and call.method == "initialize":
                return server, result
            await self._resumed(server)
            return server, None
        return await self._greeted_as_newer(channel, call)

    async def _greeted_as_older(self, channel: Channel) -> tuple[Older | Newer, Json]:
        older = Older(channel=channel, limits=self.limits, kept=self._kept, standing=self.standing)
        refused: RpcError | None = None
        if not self.verdict.newer:
            try:
                older.greeting = await channel.request("initialize", self._hello)
                return older, older.greeting
            except ChannelClosed:
                raise
            except RpcError as error:
                refused = error
        newer = Newer(channel=channel, tasks=self.tasks, kept=self._kept, standing=self.standing)
        standing = cast(Client, self.standing)
        envelope = Envelope(version=eras.MODERN[-1], info=standing.info, capabilities=standing.capabilities)
        discovery = await self._discovered(channel, eras.with_envelope({}, envelope), None)
        if discovery is None:
            # The next one is asked in the usual way again.
            self.verdict.newer = False
            raise refused or RpcError(INTERNAL_ERROR, f"{self.name} answers in no era that we speak")
        newer.discovery = discovery
        return newer, eras.initialized(discovery, eras.agreed(self._hello.get("protocolVersion")))

    async def _greeted_as_newer(self, channel: Channel, call: Call) -> tuple[Older | Newer, Json | None]:
        newer = Newer(channel=channel, tasks=self.tasks, kept=self._kept)
        asked = call if call.method == "server/discover" else None
        client, meta = call.client, cast(Json, call.params.get("_meta") or {})
        params: Json = {"_meta": {name: value for name, value in meta.items() if name.startswith(META)}}
        if asked is not None:
            params = call.params
        if not eras.enveloped(params):
            envelope = Envelope(version=client.version, info=client.info, capabilities=client.capabilities)
            params = eras.with_envelope(params, envelope)
        if not self.verdict.older:
            with anyio.move_on_after(_PROBE):
                discovery = await self._discovered(channel, params, asked)
                if discovery is not None:
                    newer.discovery = discovery
                    return newer, discovery if asked else None
        older = Older(channel=channel, limits=self.limits, kept=self._kept)
        try:
            older.greeting = await channel.request("initialize", _hello_of(client))
        except ChannelClosed:
            raise
        except RpcError as error:
            # One that was only slow has by now been asked `server/discover`, and knows no other era any more.
            discovery = await self._discovered(channel, params, asked)
            if discovery is None:
                raise RpcError(error.code, f"{self.name} answers in no era: {error.message}", error.data) from error
            newer.discovery = discovery
            return newer, discovery if asked else None
        version = older.greeting.get("protocolVersion")
        if version not in LEGACY:
            raise RpcError(INTERNAL_ERROR, f"{self.name} speaks revision {version!r} of the protocol, which we do not")
        self.verdict.older = True
        # Known from here on, because what it was greeted with makes some servers ask something at once.
        self._know(older)
        await channel.notify("notifications/initialized", None)
        await older.restore()
        return older, eras.discovered(older.greeting) if asked else None

    async def _discovered(self, channel: Channel, params: Json, call: Call | None) -> Json | None:
        for said in (params, _OWN):
            try:
                found = await channel.request("server/discover", said, call=call)
            except ChannelClosed:
                raise
            except RpcError as error:
                # It may know the question, and not like what this client says of itself: of that, one client must not
                # be what decides the era for all.
                if error.code not in _OF_THE_CLIENT and not eras.versions_in(_offered(error)):
                    return None
            else:
                return found if eras.versions_in(found) else None
        return None

    def _know(self, server: Older | Newer) -> None:
        self._server = server
        if self._opening is not None:
            self._opening.server = server

    async def _resumed(self, server: Older | Newer) -> None:
        """As far as the client knows, nothing happened: it is not greeted again."""
        self._know(server)
        if isinstance(server, Older):
            await server.channel.notify("notifications/initialized", None)
        try:
            await server.restore()
        except RpcError as error:
            log.warning("%s does not remember what it was told before it ended: %s", self.name, error.message)

    # After it broke off

    @property
    def _pause(self) -> float:
        return 0.0 if self._ends <= _AT_ONCE else min(_LONGEST, 0.25 * 2**self._ends)

    async def _ended(self, reason: str) -> None:
        pause = self._pause
        log.warning("%s: %s", self.name, reason)
        if self.standing is None:
            return
        soon = f"in {pause:.0f} s" if pause >= 1 else "now"
        await self._say("warning", f"{self.name}: {reason}\nIt is started again {soon}.")
        try:
            server, _ = await self._ready(None)
        except Exception as error:
            said = str(error) or type(error).__name__
            await self._say("error", f"{self.name} could not be started again: {said}\nThe next call tries it again.")
            return
        await self._say("info", f"{self.name} was started again; what it kept in memory is gone.")
        if isinstance(server, Older):
            # It may have come back another one.
            wishes = eras.changing(cast(Json, server.greeting.get("capabilities") or {}))
            for method in [method for method, wish in eras.LISTS.items() if wish in wishes]:
                await self._quietly(self.standing.tell(method, {}))

    async def _say(self, level: str, text: str) -> None:
        log.log(logging.INFO if level == "info" else logging.WARNING, "%s", text)
        if self.standing is not None:
            params = {"level": level, "logger": "lookahead", "data": text}
            await self._quietly(self.standing.tell("notifications/message", params))

    async def _quietly(self, telling: Awaitable[None]) -> None:
        try:
            await telling
        except Exception as error:
            log.debug("the client could not be told: %s", error)


def _hello_of(client: Client) -> Json:
    capabilities = {name: client.capabilities[name] for name in _KNOWN if name in client.capabilities}
    info = client.info or {"name": "lookahead", "version": ""}
    return {"protocolVersion": LEGACY[-1], "capabilities": capabilities, "clientInfo": info}


def _offered(error: RpcError) -> Json:
    """The revisions that a server speaks, as it says them where it was asked in one that it does not."""
    said: Any = error.data
    known = error.code == eras.UNSUPPORTED_VERSION and isinstance(said, dict)
    return {"supportedVersions": cast(Json, said).get("supported")} if known else {}


def _what(call: Call) -> str:
    name = call.params.get("name") or call.params.get("uri")
    return f"{call.method} of {name}" if isinstance(name, str) else call.method
