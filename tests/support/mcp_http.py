"""Real servers on loopback, for tests of MCP over HTTP: one of the official SDK, and our own endpoint."""

import json
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import anyio
import httpx2
import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Elicit, Resolve
from mcp.server.streamable_http import EventMessage, EventStore
from pydantic import BaseModel

from lookahead_integrations.mcp.exchange import Service
from lookahead_integrations.mcp.http.address import Address
from lookahead_integrations.mcp.http.listen import endpoint, listen
from lookahead_integrations.mcp.http.upstream import reaching
from lookahead_integrations.mcp.settings import Limits, ProxySettings
from lookahead_integrations.mcp.wire.upstream import upstream

INFO = {"name": "test", "version": "1"}


class Answer(BaseModel):
    yes: bool


async def whether() -> Elicit[Answer]:
    return Elicit("Shall it be done?", Answer)


class Kept(EventStore):
    """So that a client may lose its connection."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []

    async def store_event(self, stream_id: str, message: Any) -> str:
        self.events.append((stream_id, message))
        return str(len(self.events))

    async def replay_events_after(self, last_event_id: str, send_callback: Any) -> str | None:
        stream, _ = self.events[int(last_event_id) - 1]
        for number, (of, message) in enumerate(self.events, 1):
            if of == stream and number > int(last_event_id) and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


@dataclass(kw_only=True)
class Seen:
    """What came to the SDK's server by HTTP."""

    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)

    def methods(self) -> list[str]:
        return [body["method"] for verb, _, body in self.requests if verb == "POST" and "method" in (body or {})]

    def headers(self, method: str) -> dict[str, str]:
        return next(headers for _, headers, body in reversed(self.requests) if body and body.get("method") == method)


def sdk_server() -> MCPServer:
    server = MCPServer("over http", version="3")

    @server.tool()
    def echo(text: str) -> str:
        return text

    @server.tool()
    def act(answer: Annotated[Answer, Resolve(whether)]) -> str:
        return "done" if answer.yes else "left"

    @server.tool()
    async def count(to: int, ctx: Context) -> str:
        for number in range(to):
            await ctx.report_progress(number + 1, to)
        return str(to)

    @server.tool()
    async def away(ctx: Context) -> str:
        await ctx.report_progress(1, 2)
        await ctx.close_sse_stream()
        await ctx.report_progress(2, 2)
        return "back"

    return server


@asynccontextmanager
async def running(app: Any) -> AsyncGenerator[str]:
    """Any ASGI application on a port of its own."""
    config = uvicorn.Config(app, log_config=None, ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as at:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [at])
            yield f"http://127.0.0.1:{at.getsockname()[1]}/mcp"
            server.should_exit = True


@asynccontextmanager
async def sdk(seen: Seen | None = None) -> AsyncGenerator[str]:
    app = sdk_server().streamable_http_app(event_store=Kept(), retry_interval=10)

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or seen is None:
            await app(scope, receive, send)
            return
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        body = b""
        entry = [scope["method"], headers, None]

        async def heard() -> Any:
            nonlocal body
            message = await receive()
            body += message.get("body", b"")
            if body and not message.get("more_body") and entry[2] is None:
                entry[2] = json.loads(body)
                seen.requests.append((entry[0], entry[1], entry[2]))
            return message

        if scope["method"] != "POST":
            seen.requests.append((scope["method"], headers, None))
        await app(scope, heard, send)

    async with running(watched) as url:
        yield url


@asynccontextmanager
async def listening(service: Service, **said: Any) -> AsyncGenerator[str]:
    """Our endpoint in front of a service."""
    settings = ProxySettings(**{"listen": "127.0.0.1:0", "mode": "off", "url": "http://127.0.0.1:1", **said})
    lines: list[str] = []
    with endpoint(settings) as at:
        async with anyio.create_task_group() as tasks:

            async def serve() -> None:
                await listen(service, settings, at, say=lines.append)

            tasks.start_soon(serve)
            yield f"http://127.0.0.1:{at.getsockname()[1]}/mcp"
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def through(url: str, *, limits: Limits | None = None, **said: Any) -> AsyncGenerator[str]:
    """Our endpoint in front of an upstream at a URL."""
    address = Address(url=url, headers=said.pop("headers", {}), passed=frozenset(said.get("passed", ())))
    async with (
        reaching(address, limits=limits) as connect,
        upstream(connect, name="upstream", limits=limits) as service,
        listening(service, **said, **({"limits": limits} if limits else {})) as ours,
    ):
        yield ours


@dataclass(kw_only=True)
class Raw:
    """A client that sends what it is told to."""

    http: httpx2.AsyncClient
    url: str
    session: str | None = None

    def older(self, **more: str) -> dict[str, str]:
        own = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        return {**own, **({"mcp-session-id": self.session} if self.session else {}), **more}

    async def post(self, message: Any, **headers: str) -> httpx2.Response:
        content = message if isinstance(message, bytes) else json.dumps(message).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(self.url, content=content, headers=self.older(**named))

    async def initialize(self, version: str = "2025-11-25", **headers: str) -> httpx2.Response:
        params = {"protocolVersion": version, "capabilities": {}, "clientInfo": INFO}
        response = await self.post(request("initialize", params), **headers)
        self.session = response.headers.get("mcp-session-id")
        return response

    async def newer(self, method: str, params: Any = None, id: int = 1, **headers: str) -> httpx2.Response:
        meta = {"protocolVersion": "2026-07-28", "clientInfo": INFO, "clientCapabilities": {"elicitation": {}}}
        body = {**(params or {}), "_meta": {f"io.modelcontextprotocol/{name}": value for name, value in meta.items()}}
        named = {"mcp_protocol_version": "2026-07-28", "mcp_method": method}
        if method == "tools/call":
            named["mcp_name"] = str(body.get("name"))
        return await self.post(request(method, body, id), **{**named, **headers})


@asynccontextmanager
async def raw(url: str) -> AsyncGenerator[Raw]:
    async with httpx2.AsyncClient(timeout=20) as http:
        yield Raw(http=http, url=url)


def request(method: str, params: Any = None, id: Any = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, **({"params": params} if params is not None else {})}


def told(response: httpx2.Response) -> list[dict[str, Any]]:
    """The messages of a stream of events that has ended."""
    lines = response.text.splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ") and line != "data: "]
