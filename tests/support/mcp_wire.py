"""Two ends of a wire in memory, for tests of what speaks over one."""

from dataclasses import dataclass, field

import anyio
from anyio.abc import ObjectReceiveStream, ObjectSendStream


@dataclass(kw_only=True)
class MemoryWire:
    """What is sent at one end arrives at the other, in pieces of at most `piece` bytes."""

    incoming: ObjectReceiveStream[bytes]
    outgoing: ObjectSendStream[bytes]
    piece: int = 65536
    sent: list[bytes] = field(default_factory=list)

    async def receive(self) -> bytes:
        try:
            return await self.incoming.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            return b""

    async def send(self, data: bytes, /) -> None:
        self.sent.append(data)
        for begin in range(0, len(data), self.piece):
            try:
                await self.outgoing.send(data[begin : begin + self.piece])
            except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
                raise anyio.BrokenResourceError from error

    async def pump(self) -> None:
        await anyio.sleep_forever()

    async def aclose(self) -> None:
        await self.incoming.aclose()
        await self.outgoing.aclose()


def wires(*, piece: int = 65536) -> tuple[MemoryWire, MemoryWire]:
    there, here = anyio.create_memory_object_stream[bytes](1000), anyio.create_memory_object_stream[bytes](1000)
    one = MemoryWire(incoming=here[1], outgoing=there[0], piece=piece)
    return one, MemoryWire(incoming=there[1], outgoing=here[0], piece=piece)
