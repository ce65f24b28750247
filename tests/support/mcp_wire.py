"""Two ends of a wire in memory, for tests of what speaks over one."""

from dataclasses import dataclass, field

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream


@dataclass(kw_only=True)
class MemoryWire:
    """What is sent at one end arrives at the other, in pieces of at most `piece` bytes."""

    incoming: MemoryObjectReceiveStream[bytes]
    outgoing: MemoryObjectSendStream[bytes]
    piece: int = 65536
    lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def receive(self) -> bytes:
        try:
            return await self.incoming.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            return b""

    async def send(self, data: bytes, /) -> None:
        async with self.lock:
            for begin in range(0, len(data), self.piece):
                try:
                    await self.outgoing.send(data[begin : begin + self.piece])
                except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
                    raise anyio.BrokenResourceError from error

    async def pump(self) -> None:
        await anyio.sleep_forever()

    def close(self) -> None:
        self.incoming.close()
        self.outgoing.close()


def wires(*, piece: int = 65536) -> tuple[MemoryWire, MemoryWire]:
    there, here = anyio.create_memory_object_stream[bytes](1000), anyio.create_memory_object_stream[bytes](1000)
    one = MemoryWire(incoming=here[1], outgoing=there[0], piece=piece)
    return one, MemoryWire(incoming=there[1], outgoing=here[0], piece=piece)
