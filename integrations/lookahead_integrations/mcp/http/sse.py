"""Server-sent events: how several messages travel on one HTTP response, and how a reader knows where it was."""

from dataclasses import dataclass, field
from typing import Final

from lookahead_integrations.mcp.exchange import INTERNAL_ERROR, RpcError

LARGEST: Final = 16 << 20
"""Bytes of one event: a server that sends more without ending it would fill the memory."""

PING: Final = b": still here\n\n"


class TooLarge(RpcError):
    """One event is larger than anything that is read here."""

    def __init__(self, largest: int) -> None:
        super().__init__(INTERNAL_ERROR, f"an event of more than {largest:,} bytes")


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


@dataclass(kw_only=True)
class Reader:
    """Cuts what arrives into events. Lines may end in any of the three ways, and a chunk may end anywhere."""

    largest: int = LARGEST
    _rest: bytes = b""
    _size: int = 0
    _kind: str = "message"
    _data: list[bytes] = field(default_factory=list[bytes])
    _id: str | None = None
    _retry: float | None = None
    _begun: bool = False

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that are complete now. Raises TooLarge."""
        if not self._begun and chunk:
            self._begun, chunk = True, chunk.removeprefix(b"\xef\xbb\xbf")
        self._rest += chunk
        found: list[Event] = []
        if b"\n" in chunk or b"\r" in self._rest:
            # A last \r may be half of a \r\n.
            held = b"\r" if self._rest.endswith(b"\r") else b""
            whole = self._rest[: len(self._rest) - len(held)]
            *lines, rest = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
            self._rest = rest + held
            for line in lines:
                if (event := self._line(line)) is not None:
                    found.append(event)
        if self._size + len(self._rest) > self.largest:
            raise TooLarge(self.largest)
        return found

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._event()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._size += len(value)
            if self._size > self.largest:
                raise TooLarge(self.largest)
            self._data.append(value)
        elif name == b"event":
            self._kind = value.decode("utf-8", "replace") or "message"
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) < 10:
            self._retry = int(value) / 1000
        return None

    def _event(self) -> Event | None:
        """What was said since the last one; None where that was nothing, or comments alone."""
        kind, data, id, retry = self._kind, self._data, self._id, self._retry
        self._kind, self._data, self._id, self._retry, self._size = "message", [], None, None, 0
        if not data and id is None and retry is None:
            return None
        return Event(kind=kind, data=b"\n".join(data), id=id, retry=retry)
