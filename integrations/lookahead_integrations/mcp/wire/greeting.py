"""The first words with a server: in whichever era it speaks, and for a client of whichever era."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import anyio
from anyio.abc import TaskGroup

from lookahead_integrations.mcp.exchange import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    LEGACY,
    META,
    Call,
    Client,
    Json,
    RpcError,
    modern,
)
from lookahead_integrations.mcp.settings import Limits
from lookahead_integrations.mcp.wire import eras
from lookahead_integrations.mcp.wire.channel import Channel, ChannelClosed
from lookahead_integrations.mcp.wire.eras import Envelope
from lookahead_integrations.mcp.wire.newer import Newer
from lookahead_integrations.mcp.wire.older import Kept, Older
from lookahead_integrations.mcp.wire.parked import MISSING_CAPABILITY

log: Final = logging.getLogger("lookahead.mcp")

_PROBE: Final = 10.0
"""Seconds after which a server that does not answer `server/discover` is greeted in the older way."""
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


@dataclass(frozen=True, kw_only=True, eq=False)
class Greeting:
    """What is said on a new channel before anything else. `know` is told of a server that may begin to speak itself."""

    channel: Channel
    tasks: TaskGroup
    name: str
    limits: Limits
    verdict: Verdict
    kept: Kept
    standing: Client | None
    hello: Json
    """With which a client of the older era began."""
    know: Callable[[Older | Newer], None]

    async def __call__(self, call: Call | None) -> tuple[Older | Newer, Json | None]:
        if call is None or not modern(call.client):
            server, result = await self._as_older()
            if call is not None and call.method == "initialize":
                return server, result
            await self._resumed(server)
            return server, None
        return await self._as_newer(call)

    async def _as_older(self) -> tuple[Older | Newer, Json]:
        older = Older(channel=self.channel, limits=self.limits, kept=self.kept, standing=self.standing)
        refused: RpcError | None = None
        if not self.verdict.newer:
            try:
                older.greeting = await self.channel.request("initialize", self.hello)
                return older, older.greeting
            except ChannelClosed:
                raise
            except RpcError as error:
                refused = error
        newer = Newer(channel=self.channel, tasks=self.tasks, kept=self.kept, standing=self.standing)
        standing = cast(Client, self.standing)
        envelope = Envelope(version=eras.MODERN[-1], info=standing.info, capabilities=standing.capabilities)
        discovery = await self._discovered(eras.with_envelope({}, envelope), None)
        if discovery is None:
            # The next one is asked in the usual way again.
            self.verdict.newer = False
            raise refused or RpcError(INTERNAL_ERROR, f"{self.name} answers in no era that we speak")
        newer.discovery = discovery
        return newer, eras.initialized(discovery, eras.agreed(self.hello.get("protocolVersion")))

    async def _as_newer(self, call: Call) -> tuple[Older | Newer, Json | None]:
        newer = Newer(channel=self.channel, tasks=self.tasks, kept=self.kept)
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
                discovery = await self._discovered(params, asked)
                if discovery is not None:
                    newer.discovery = discovery
                    return newer, discovery if asked else None
        older = Older(channel=self.channel, limits=self.limits, kept=self.kept)
        try:
            older.greeting = await self.channel.request("initialize", hello_of(client))
        except ChannelClosed:
            raise
        except RpcError as error:
            # One that was only slow has by now been asked `server/discover`, and knows no other era any more.
            discovery = await self._discovered(params, asked)
            if discovery is None:
                raise RpcError(error.code, f"{self.name} answers in no era: {error.message}", error.data) from error
            newer.discovery = discovery
            return newer, discovery if asked else None
        version = older.greeting.get("protocolVersion")
        if version not in LEGACY:
            raise RpcError(INTERNAL_ERROR, f"{self.name} speaks revision {version!r} of the protocol, which we do not")
        self.verdict.older = True
        # Known from here on, because what it was greeted with makes some servers ask something at once.
        self.know(older)
        await self.channel.notify("notifications/initialized", None)
        await older.restore()
        return older, eras.discovered(older.greeting) if asked else None

    async def _discovered(self, params: Json, call: Call | None) -> Json | None:
        for said in (params, _OWN):
            try:
                found = await self.channel.request("server/discover", said, call=call)
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

    async def _resumed(self, server: Older | Newer) -> None:
        """As far as the client knows, nothing happened: it is not greeted again."""
        self.know(server)
        if isinstance(server, Older):
            await server.channel.notify("notifications/initialized", None)
        try:
            await server.restore()
        except RpcError as error:
            log.warning("%s does not remember what it was told before it ended: %s", self.name, error.message)


def hello_of(client: Client) -> Json:
    capabilities = {name: client.capabilities[name] for name in _KNOWN if name in client.capabilities}
    info = client.info or {"name": "lookahead", "version": ""}
    return {"protocolVersion": LEGACY[-1], "capabilities": capabilities, "clientInfo": info}


def _offered(error: RpcError) -> Json:
    """The revisions that a server speaks, as it says them where it was asked in one that it does not."""
    said: Any = error.data
    known = error.code == eras.UNSUPPORTED_VERSION and isinstance(said, dict)
    return {"supportedVersions": cast(Json, said).get("supported")} if known else {}
