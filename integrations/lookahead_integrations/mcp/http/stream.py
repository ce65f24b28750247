"""What the client of a 2025 session is to read, kept so that it can lose its connection and read on."""

from collections import deque
from collections.abc import AsyncIterator
from typing import Final

import anyio

KEPT_BYTES: Final = 1 << 20
"""Of one session, over all that it was sent: what came first is forgotten first."""
KEPT_STREAMS: Final = 64
"""Answered calls of one session of which the events are still kept."""


class Stream:
    """Numbered messages; whoever reads them gets those that are there, then those that come, until it has ended."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ended = False
        self.hung = False
        self.reader = 0
        """Counts who took over the reading: an earlier reader stops, as a message goes to one connection only."""
        self.size = 0
        self._first = 1
        self._messages: deque[bytes] = deque()
        self._changed = anyio.Event()

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def last(self) -> int:
        """The number of the newest message; 0 before there was one."""
        return self._first + len(self._messages) - 1

    def put(self, message: bytes) -> None:
        self._messages.append(message)
        self.size += len(message)
        self._tell()

    def end(self) -> None:
        self.ended = True
        self._tell()

    def hang_up(self) -> None:
        """Let whoever reads go once it has read what there is, without having ended: it may come back and read on."""
        self.hung = True
        self._tell()

    def forget_one(self) -> int:
        """Drop the oldest message; how many bytes that was."""
        gone = len(self._messages.popleft())
        self._first += 1
        self.size -= gone
        return gone

    def id(self, number: int) -> str:
        """What names this message on the wire."""
        return f"{self.name}.{number}"

    async def begun(self) -> None:
        """Until there is something to read, or it has ended."""
        while not self._messages and not self.ended:
            await self._changed.wait()

    @property
    def only(self) -> bytes | None:
        """The one message that was all; None where there is more, or may be."""
        return self._messages[0] if self.ended and len(self._messages) == 1 and self._first == 1 else None

    async def after(self, number: int) -> AsyncIterator[tuple[int, bytes]]:
        """Messages behind that one, in order. What was forgotten in the meantime is not read."""
        self.reader += 1
        mine = self.reader
        self._tell()
        at = number + 1
        while mine == self.reader:
            at = max(at, self._first)
            if at <= self.last:
                yield at, self._messages[at - self._first]
                at += 1
            elif self.ended or self.hung:
                self.hung = False
                return
            else:
                await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


class Streams:
    """All of one session's. The one without a call is always there; those of calls that ended go in turn."""

    def __init__(self, *, kept_bytes: int = KEPT_BYTES, kept_streams: int = KEPT_STREAMS) -> None:
        self.own = Stream("0")
        """For what the server says outside of a call."""
        self._of_calls: dict[str, Stream] = {}
        self._ended = deque[str]()
        self._count = 0
        self._size = 0
        self._kept_bytes, self._kept_streams = kept_bytes, kept_streams

    def open(self) -> Stream:
        self._count += 1
        stream = self._of_calls[str(self._count)] = Stream(str(self._count))
        return stream

    def close(self, stream: Stream) -> None:
        """The call was answered. The client may have lost the answer with its connection: it is kept for a while."""
        stream.end()
        self._ended.append(stream.name)
        if len(self._ended) > self._kept_streams:
            self._forget_all_of(self._ended.popleft())

    def read(self, stream: Stream) -> None:
        """The client has all of it."""
        self._forget_all_of(stream.name)

    def put(self, stream: Stream, message: bytes) -> None:
        stream.put(message)
        self._size += len(message)
        if self._size > self._kept_bytes:
            self._forget(stream)

    def find(self, event_id: str) -> tuple[Stream, int] | None:
        """Which stream an event was of, and its number there; None where that is not, or no longer, known."""
        name, dot, number = event_id.partition(".")
        stream = self.own if name == self.own.name else self._of_calls.get(name)
        if stream is None or not dot or not number.isdigit() or len(number) > 15:
            return None
        return (stream, int(number)) if int(number) <= stream.last else None

    def end(self) -> None:
        for stream in (self.own, *self._of_calls.values()):
            stream.end()

    def _forget_all_of(self, name: str) -> None:
        gone = self._of_calls.pop(name, None)
        self._size -= gone.size if gone is not None else 0

    def _forget(self, latest: Stream) -> None:
        """The newest message is what a reader waits for: it stays, however large it is."""
        for stream in (*self._of_calls.values(), self.own):
            while self._size > self._kept_bytes and len(stream) > (stream is latest):
                self._size -= stream.forget_one()
