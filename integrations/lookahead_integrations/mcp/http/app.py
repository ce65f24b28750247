"""The endpoint that `--listen` opens: MCP over HTTP, for clients of both eras."""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

from anyio.abc import TaskGroup

from lookahead_integrations.mcp.exchange import LEGACY, Service
from lookahead_integrations.mcp.http import routing
from lookahead_integrations.mcp.http.approving import approving, is_page
from lookahead_integrations.mcp.http.asgi import Http, Message, Receive, Send, TooMuch, http_of
from lookahead_integrations.mcp.http.envelope import Envelope
from lookahead_integrations.mcp.http.gate import Gate, is_json
from lookahead_integrations.mcp.http.handshake import Handshake
from lookahead_integrations.mcp.settings import Limits
from lookahead_integrations.mcp.wire import frames
from lookahead_integrations.mcp.wire.frames import BadFrame

PATH: Final = "/mcp"
_CORS: Final = {
    "access-control-allow-methods": "POST, GET, DELETE",
    "access-control-allow-headers": "*, authorization",
    "access-control-max-age": "600",
}


@dataclass(kw_only=True, eq=False)
class Front:
    """An ASGI application. Runs calls in tasks of its own, as they can outlive the request that made them."""

    service: Service
    tasks: TaskGroup
    gate: Gate = field(default_factory=Gate)
    limits: Limits = field(default_factory=Limits)
    tokens: tuple[str, ...] = ()
    """Whoever connects has one of these; none: nobody is asked."""

    def __post_init__(self) -> None:
        self.handshake = Handshake(service=self.service, tasks=self.tasks, limits=self.limits)
        self.envelope = Envelope(service=self.service, tasks=self.tasks, limits=self.limits)
        self.tasks.start_soon(self.handshake.sweep)
        self.tasks.start_soon(self.envelope.sweep)

    def close(self) -> None:
        """Ends what clients still read."""
        for session in self.handshake.sessions.values():
            session.end()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        if scope["type"] != "http":
            return
        http = http_of(scope, receive, send)
        try:
            await self._answer(http)
        except BadFrame as error:
            status = routing.STATUS.get(error.code, 503)
            await http.answer(status, frames.written(frames.refusal(error.id, error)))
        except TooMuch:
            await http.refuse(413, f"a request may have {self.limits.frame:,} bytes", connection="close")

    async def _answer(self, http: Http) -> None:
        origin = http.headers.get("origin")
        if origin in self.gate.origins:
            http.added |= {"access-control-allow-origin": str(origin), "vary": "origin"}
            http.added["access-control-expose-headers"] = "mcp-session-id, www-authenticate"
        if (turned := self.gate.turns(http.headers)) is not None:
            await http.refuse(turned.status, turned.why, connection="close")
        elif http.method == "OPTIONS" and http.added:
            http.added |= _CORS
            await http.answer(204)
        elif is_page(http):
            await approving(http)
        elif not self._known(http):
            await http.refuse(401, "a token that this endpoint knows is missing", www_authenticate="Bearer")
        elif http.path.rstrip("/") != PATH:
            await http.refuse(404, f"the MCP endpoint is at {PATH}")
        elif http.method == "POST" and not is_json(http.headers):
            await http.refuse(415, "Content-Type must be application/json")
        elif http.headers.get(routing.VERSION, LEGACY[-1]) in LEGACY:
            await self.handshake(http, _digest(http))
        else:
            await self.envelope(http, _digest(http))

    def _known(self, http: Http) -> bool:
        if not self.tokens:
            return True
        kind, _, token = http.headers.get("authorization", "").partition(" ")
        given = token.strip().encode()
        return kind.lower() == "bearer" and any(hmac.compare_digest(given, one.encode()) for one in self.tokens)


def _digest(http: Http) -> str:
    """Whose credential it is; empty where there is none."""
    credential = http.headers.get("authorization", "")
    return hashlib.sha256(credential.encode()).hexdigest() if credential else ""
