"""Requests to an upstream at a URL: what HTTP itself can answer them with, and which of it is an answer."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, cast

import anyio
from anyio.abc import TaskGroup

from lookahead_integrations.mcp.exchange import INTERNAL_ERROR, INVALID_REQUEST, Json, RpcError
from lookahead_integrations.mcp.http.address import Address
from lookahead_integrations.mcp.wire import frames

try:
    import httpx2
except ImportError as error:
    raise ImportError('an upstream at a URL needs MCP\'s transport: pip install "lookahead-agents[mcp]"') from error

SILENCE: Final = 600.0
"""Seconds in which not a byte comes before a connection counts as lost."""
_CONNECT: Final = 30.0
_REDIRECTS: Final = 5
_REST: Final = 1.0
"""Seconds to wait for the end of an answer that was read already, so that its connection can be used again."""

SESSION: Final = "mcp-session-id"
_TYPES: Final = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


class Unreachable(Exception):
    """Nobody answers there: nothing was sent."""


class Broken(Exception):
    """The connection ended before the answer was there."""


class Refusal(RpcError):
    """The upstream answered with a status instead of a result."""

    def __init__(self, status: int, code: int, message: str, data: object = None) -> None:
        super().__init__(code, message, data)
        self.status = status


def pool_of() -> httpx2.AsyncClient:
    """One for all channels of an upstream. It keeps no cookie, as those of one client are not another's."""
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(_CONNECT, read=SILENCE, pool=None),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=30.0),
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
    )


@dataclass(kw_only=True, eq=False)
class Answered:
    """An answer whose head was read."""

    response: httpx2.Response
    largest: int
    done: bool = False

    def __post_init__(self) -> None:
        self._chunks = self.response.aiter_bytes()

    @property
    def session(self) -> str | None:
        return self.response.headers.get(SESSION)

    @property
    def json(self) -> bool:
        return not self.response.headers.get("content-type", "").lower().startswith("text/event-stream")

    async def chunk(self) -> bytes:
        """What arrives next; empty at the end."""
        try:
            return await anext(self._chunks, b"")
        except httpx2.TransportError as error:
            raise Broken(_why(error)) from error

    async def body(self) -> bytes:
        found = bytearray()
        while chunk := await self.chunk():
            found += chunk
            if len(found) > self.largest:
                raise RpcError(INTERNAL_ERROR, f"the upstream answered with more than {self.largest:,} bytes")
        self.done = True
        return bytes(found)

    def finish(self) -> None:
        """All that matters was read: what is left of it need not be waited for."""
        self.done = True

    async def drain(self) -> None:
        """Reads the rest, so that the connection can be used again, and gives it back."""
        try:
            with anyio.move_on_after(_REST):
                while await self.chunk():
                    pass
        except Broken:
            pass
        finally:
            await self.close()

    async def close(self) -> None:
        with anyio.CancelScope(shield=True):
            await self.response.aclose()


@dataclass(kw_only=True, eq=False)
class Post:
    """Says things to an upstream, in one session of it where it has sessions."""

    pool: httpx2.AsyncClient
    address: Address
    tasks: TaskGroup
    largest: int
    session: str | None = None

    @asynccontextmanager
    async def opened(self, frame: Json, headers: dict[str, str]) -> AsyncGenerator[Answered]:
        """The answer to a message. Raises Unreachable, Broken, or the RpcError that it is."""
        try:
            content = frames.written(frame)
        except ValueError as error:
            raise RpcError(INVALID_REQUEST, f"cannot be said in JSON: {error}") from error
        async with self._answered("POST", headers, content) as answered:
            yield answered

    @asynccontextmanager
    async def stream(self, headers: dict[str, str]) -> AsyncGenerator[Answered]:
        """What the server says outside of answers, or from an event on."""
        async with self._answered("GET", headers | {"accept": "text/event-stream"}, None) as answered:
            if answered.json:
                raise Refusal(answered.response.status_code, INTERNAL_ERROR, "the upstream offers no stream of events")
            yield answered

    async def delete(self, headers: dict[str, str]) -> None:
        try:
            async with self._answered("DELETE", headers, None) as answered:
                answered.finish()
        except (Unreachable, Broken, RpcError):
            return  # it keeps its sessions, or has none

    @asynccontextmanager
    async def _answered(self, method: str, headers: dict[str, str], content: bytes | None) -> AsyncGenerator[Answered]:
        headers = {**headers, **(_TYPES if content is not None else {})}
        if self.session is not None:
            headers[SESSION] = self.session
        response = await self._send(self.pool.build_request(method, self.address.url, headers=headers, content=content))
        answered = Answered(response=response, largest=self.largest)
        try:
            if response.status_code >= 300:
                raise await _refused(answered, self.address)
            yield answered
        finally:
            if answered.done and not response.is_closed:
                self.tasks.start_soon(answered.drain)
            else:
                await answered.close()

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        """Follows a redirect only where it keeps the method, and leads to no other place: what we send, headers with
        secrets included, was meant for this one."""
        for _ in range(_REDIRECTS):
            try:
                response = await self.pool.send(request, stream=True, follow_redirects=False)
            except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol, httpx2.ProxyError) as error:
                raise Unreachable(f"nobody answers at {self.address.shown}: {_why(error)}") from error
            except httpx2.TransportError as error:
                raise Broken(f"the connection to {self.address.shown} broke: {_why(error)}") from error
            following = response.next_request
            if following is None:
                return response
            await response.aclose()
            if following.method != request.method or not _same_place(request.url, following.url):
                there = following.url.copy_with(userinfo=b"", query=None, fragment=None)
                raise Refusal(
                    response.status_code,
                    INTERNAL_ERROR,
                    f"{self.address.shown} redirects to {there}, which is not followed: is that the server's URL?",
                )
            request = following
        raise RpcError(INTERNAL_ERROR, f"{self.address.shown} redirects in circles")


def _same_place(url: httpx2.URL, to: httpx2.URL) -> bool:
    if to.userinfo and to.userinfo != url.userinfo:
        return False
    if (url.scheme, url.host, url.port) == (to.scheme, to.host, to.port):
        return True
    return (url.host, url.scheme, url.port, to.scheme, to.port) == (to.host, "http", None, "https", None)


async def _refused(answered: Answered, address: Address) -> RpcError:
    """What a status says, or the error that the body holds: a server may send both."""
    status = answered.response.status_code
    if answered.response.headers.get("content-type", "").lower().startswith("application/json"):
        try:
            message = frames.message(named(frames.read(await answered.body(), strict=False), 0))
            if isinstance(message, frames.Reply) and message.error is not None:
                return Refusal(status, message.error.code, message.error.message, message.error.data)
        except (RpcError, Broken):
            pass
    if status in (401, 403):
        why = "it wants other credentials: give them with --header 'Authorization: …'"
    elif status in (404, 405):
        why = "no MCP endpoint, or none that does this; is the path right?"
    else:
        why = "its log may say why"
    return Refusal(status, INTERNAL_ERROR, f"{address.shown} answered {status}: {why}")


def named(found: Any, id: int) -> Any:
    """A refusal of a request that could not be read has no id: what comes on this connection is about ours."""
    if isinstance(found, dict) and cast(Json, found).get("id") is None and "method" not in found:
        return {**cast(Json, found), "id": id}
    return cast(Any, found)


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__
