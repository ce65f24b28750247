"""Server-sent events: how several messages travel on one HTTP response, and how a reader knows where it was."""

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Final

LARGEST: Final = 16 << 20
"""Bytes of one event: a server that sends more without ending it would fill the memory."""

PING: Final = b": still here\n\n"


class TooLarge(ValueError):
    """One event is larger than anything that is read here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One event as it was read. `retry` is in seconds: when to come back after the connection has ended."""

    data: bytes
    kind: str = "message"
    id: str | None = None
    retry: float | None = None


def frame(data: bytes, *, id: str | None = None, retry: float | None = None) -> bytes:
    """An event as it goes on the wire. The data is JSON in one line, or nothing."""
    head = f"id: {id}\n" if id is not None else ""
    if retry is not None:
        head += f"retry: {round(retry * 1000)}\n"
    return head.encode() + (b"event: message\n" if data else b"") + b"data: " + data + b"\n\n"


async def events(chunks: AsyncIterable[bytes], *, largest: int = LARGEST) -> AsyncIterator[Event]:
    """The events of a body. Lines may end in any of the three ways, and a chunk may end anywhere."""
    kind, data, id, retry = "message", list[bytes](), None, None
    size = 0
    async for line in _lines(chunks, largest):
        if not line:
            if data or id is not None or retry is not None:
                yield Event(kind=kind, data=b"\n".join(data), id=id, retry=retry)
            kind, data, id, retry, size = "message", [], None, None, 0
            continue
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            size += len(value)
            if size > largest:
                raise TooLarge(f"an event of more than {largest:,} bytes")
            data.append(value)
        elif name == b"event":
            kind = value.decode("utf-8", "replace") or "message"
        elif name == b"id" and b"\0" not in value:
            id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) < 10:
            retry = int(value) / 1000


async def _lines(chunks: AsyncIterable[bytes], largest: int) -> AsyncIterator[bytes]:
    """Lines without their ends. A `\\r` at the end of a chunk may be half of a `\\r\\n`."""
    held = b""
    first = True
    async for chunk in chunks:
        if first and chunk:
            chunk, first = chunk.removeprefix(b"\xef\xbb\xbf"), False
        held += chunk
        if b"\n" not in chunk and b"\r" not in chunk:
            if len(held) > largest:
                raise TooLarge(f"a line of more than {largest:,} bytes")
            continue
        carry = held.endswith(b"\r")
        parts = (held[:-1] if carry else held).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        held = parts.pop() + (b"\r" if carry else b"")
        for part in parts:
            yield part
    if held.endswith(b"\r"):
        yield held[:-1]
