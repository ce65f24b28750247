"""An OpenAI-compatible endpoint that fails as it is asked to, in a process of its own.

The call in question says how: `fault=hang` and so on, with a number behind that chooses among the ways in which
such a fault looks. Without one the answer is in order, after as many milliseconds as `slow=` says.
"""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

KINDS: Final = (
    *("hang", "half a stream", "garbage", "wrong JSON type", "wrong tool"),
    *("429", "500", "disconnect", "empty", "over-long"),
)

_ASKED: Final = re.compile(r"fault=([A-Za-z0-9 -]+?)#(\d+)")
_SLOW: Final = re.compile(r"slow=(\d+)")


def answer(text: str | None, finish: str = "stop", **message: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": text, **message}
    return {
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "message": said, "finish_reason": finish}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10},
    }


def tagged(text: str) -> str:
    return f"<predicted_observation>\n{text}\n</predicted_observation>"


class Endpoint:
    def __init__(self) -> None:
        self.under_way = self.most = self.asked = 0

    async def serve(self) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=2048)
        print(server.sockets[0].getsockname()[1], flush=True)
        # Whoever started this closes its standard input when it is over.
        await asyncio.to_thread(sys.stdin.read)
        print(json.dumps({"most": self.most, "asked": self.asked}), flush=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if head.startswith("GET"):
            return await self._send(writer, {"object": "list", "data": [{"id": "m"}]})
        length = re.search(r"content-length: *(\d+)", head, re.IGNORECASE)
        body = json.loads(await reader.readexactly(int(length[1]) if length else 0))
        self.asked += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            return await self._reply(reader, writer, body["messages"])
        finally:
            self.under_way -= 1

    async def _reply(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, messages: list[Any]) -> bool:
        # A request to mend an answer stands behind the one that was about the call.
        text = next(
            message["content"] for message in reversed(messages) if message["content"].lstrip().startswith("### Turn")
        )
        fault = _ASKED.findall(text)
        slow = _SLOW.search(text)
        if not fault:
            await asyncio.sleep(int(slow[1]) / 1000 if slow else 0)
            return await self._send(writer, answer(tagged('{"done": true}')))
        kind, number = fault[-1][0], int(fault[-1][1])
        return await getattr(self, "_" + re.sub(r"\W", "_", kind).lower())(reader, writer, number)

    async def _send(
        self, writer: asyncio.StreamWriter, body: Any, *, status: int = 200, headers: Mapping[str, str] = {}
    ) -> bool:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = {"content-type": "application/json", "content-length": str(len(raw)), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        writer.write(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + raw)
        await writer.drain()
        return True

    async def _hang(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        if number % 2:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{")
        # Until the client goes away.
        await reader.read()
        return False

    async def _half_a_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        raw = json.dumps(answer(tagged('{"done": true}'))).encode()
        half = raw[: len(raw) // 2]
        if number % 2:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: " + str(len(raw)).encode() + b"\r\n\r\n" + half)
        else:
            chunk = f"{len(half):x}\r\n".encode() + half + b"\r\n"
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunk)
        await writer.drain()
        return False

    async def _garbage(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        bodies = (b"\x00\xff\xfe" * 200, b"<html><body>Bad gateway</body></html>", b'{"choices": [', b"[" * 5000)
        if number % 5 == 4:
            writer.write(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
            await writer.drain()
            return False
        return await self._send(writer, bodies[number % 5])

    async def _wrong_json_type(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        bodies: tuple[Any, ...] = (
            [], 7, None, {"choices": "none"}, {"choices": [{"message": "text"}]}, answer(tagged("[1, 2]")), {},
        )  # fmt: skip
        return await self._send(writer, bodies[number % len(bodies)])

    async def _wrong_tool(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        other = {"id": "1", "type": "function", "function": {"name": "send_mail", "arguments": '{"to": "x"}'}}
        if number % 2:
            return await self._send(writer, answer(None, "tool_calls", tool_calls=[other]))
        return await self._send(writer, answer(tagged('{"sent": "a mail", "to": "x"}')))

    async def _429(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        wait = ({}, {"retry-after": "0"}, {"retry-after": "60"}, {"retry-after-ms": "20"})[number % 4]
        return await self._send(writer, {"error": {"message": "slow down"}}, status=429, headers=wait)

    async def _500(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        return await self._send(writer, {"error": {"message": "engine"}}, status=(500, 502, 503, 504)[number % 4])

    async def _disconnect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        if number % 2:
            writer.transport.abort()
        return False

    async def _empty(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        bodies: tuple[Any, ...] = (b"", answer(""), answer(None), answer("<think>hm</think>"), {"choices": []})
        return await self._send(writer, bodies[number % len(bodies)])

    async def _over_long(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        if number % 3 == 0:
            return await self._send(writer, answer(tagged('{"done": tr')[:40], "length"))
        if number % 3 == 1:
            return await self._send(writer, answer(tagged("x" * 2_000_000)))
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while not writer.transport.is_closing():
            writer.write(b"1000\r\n" + b" " * 4096 + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.001)
        return False


class Served:
    """Where it is, and afterwards what it saw."""

    url: str = ""
    most: int = 0
    asked: int = 0


@contextmanager
def endpoint() -> Iterator[Served]:
    """Start it, and stop it at the end."""
    served = Served()
    command = [sys.executable, __file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        served.url = f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        try:
            yield served
        finally:
            process.stdin.close()
            seen = json.loads(process.stdout.readline() or "{}")
            process.terminate()
            served.most, served.asked = seen.get("most", 0), seen.get("asked", 0)


if __name__ == "__main__":
    asyncio.run(Endpoint().serve())
