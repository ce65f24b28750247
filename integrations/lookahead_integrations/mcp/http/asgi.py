"""One HTTP request and its answer, as the server that runs us hands them over."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import anyio

from lookahead_integrations.mcp.exchange import INVALID_REQUEST, RpcError
from lookahead_integrations.mcp.http import sse
from lookahead_integrations.mcp.http.stream import Stream
from lookahead_integrations.mcp.wire import frames

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

PING: Final = 15.0
"""Seconds without a word after which one is said, so that nobody between us takes the connection for dead."""

_JSON: Final = (b"content-type", b"application/json")
_EVENTS: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)


class TooMuch(Exception):
    """The body is larger than allowed."""


@dataclass(kw_only=True, eq=False)
class Http:
    """What was asked, and the way back."""

    method: str
    path: str
    pairs: tuple[tuple[str, str], ...]
    """The headers as they came, names in lower case; one can occur twice."""
    peer: str
    receive: Receive
    send: Send
    added: dict[str, str] = field(default_factory=dict[str, str])
    """Headers that every answer to this request gets."""

    def __post_init__(self) -> None:
        self.headers: Mapping[str, str] = dict(self.pairs)

    async def body(self, largest: int) -> bytes:
        found = bytearray()
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                raise TooMuch  # nobody is there any more
            found += message.get("body", b"")
            if len(found) > largest:
                raise TooMuch
            if not message.get("more_body", False):
                return bytes(found)

    async def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        await self._start(status, named, *((_JSON,) if body else ()), (b"content-length", b"%d" % len(body)))
        await self.send({"type": "http.response.body", "body": body})

    async def refuse(self, status: int, why: str, *, code: int = INVALID_REQUEST, **headers: str) -> None:
        """Says why nothing was done, as an error of no request: many clients show that, and no other body."""
        await self.answer(status, frames.written(frames.refusal(None, RpcError(code, why))), **headers)

    async def pour(self, stream: Stream, after: int, *, ids: bool, first: bytes = b"", **headers: str) -> None:
        """What is in a stream and what comes into it, until it ends or the client goes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        await self._start(200, named, *_EVENTS)
        await self._write(first or sse.PING)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.gone, tasks.cancel_scope)
            tasks.start_soon(self._ping)
            async for number, message in stream.after(after):
                await self._write(sse.frame(message, id=stream.id(number) if ids else None))
            tasks.cancel_scope.cancel()
        await self.send({"type": "http.response.body", "body": b""})

    async def gone(self, scope: anyio.CancelScope) -> None:
        """Gives up whatever is done for a client that does not wait for it any more."""
        while (await self.receive())["type"] != "http.disconnect":
            pass
        scope.cancel()

    async def _ping(self) -> None:
        while True:
            await anyio.sleep(PING)
            await self._write(sse.PING)

    async def _write(self, data: bytes) -> None:
        await self.send({"type": "http.response.body", "body": data, "more_body": True})

    async def _start(self, status: int, named: Mapping[str, str], *headers: tuple[bytes, bytes]) -> None:
        own = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in {**self.added, **named}.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": [*headers, *own]})


def http_of(scope: Message, receive: Receive, send: Send) -> Http:
    pairs = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"])
    peer = scope.get("client") or ("",)
    return Http(method=scope["method"], path=scope["path"], pairs=pairs, peer=str(peer[0]), receive=receive, send=send)
