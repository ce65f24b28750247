"""One conversation with an upstream: begun in whichever era it speaks, and begun anew when it broke off."""

import logging
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Final, cast

import anyio
from anyio.abc import TaskGroup

from lookahead_integrations.mcp.exchange import (
    INVALID_PARAMS,
    INVALID_REQUEST,
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
from lookahead_integrations.mcp.wire.channel import CONNECTION_CLOSED, ChannelClosed, Connect
from lookahead_integrations.mcp.wire.greeting import Greeting, Verdict, hello_of
from lookahead_integrations.mcp.wire.newer import Newer
from lookahead_integrations.mcp.wire.older import Kept, Older

log: Final = logging.getLogger("lookahead.mcp")

_STEADY: Final = 10.0
"""Seconds after which an end is no longer one of a row of them."""
_AT_ONCE: Final = 2
"""Ends in a row after which a server is started again at once."""
_WAITED: Final = 3.0
"""Seconds that a call waits for a server to be started again; if it is longer, it is told so."""
_LONGEST: Final = 30.0
_REFUSED: Final = (METHOD_NOT_FOUND, INVALID_REQUEST, INVALID_PARAMS, eras.UNSUPPORTED_VERSION)
"""How servers of the newer era answer `initialize`."""


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
        elif call is not None and not self._hello and not modern(call.client):
            # Who stands before us has greeted this client in our place.
            self.standing, self._hello = call.client, hello_of(call.client)
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
                    greeting = Greeting(
                        channel=channel,
                        tasks=self.tasks,
                        name=self.name,
                        limits=self.limits,
                        verdict=self.verdict,
                        kept=self._kept,
                        standing=self.standing,
                        hello=self._hello,
                        know=self._know,
                    )
                    server, opening.result = await greeting(opening.call)
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

    def _know(self, server: Older | Newer) -> None:
        self._server = server
        if self._opening is not None:
            self._opening.server = server

    # After it broke off

    @property
    def _pause(self) -> float:
        return 0.0 if self._ends <= _AT_ONCE else min(_LONGEST, 0.25 * 2**self._ends)

    async def _ended(self, reason: str) -> None:
        pause = self._pause
        if self.standing is None:
            log.warning("%s: %s", self.name, reason)
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


def _what(call: Call) -> str:
    name = call.params.get("name") or call.params.get("uri")
    return f"{call.method} of {name}" if isinstance(name, str) else call.method
