"""An endpoint on loopback that speaks OpenAI's protocol, and misbehaves when it is told to.

It runs in a thread of its own, so that a test on any event loop can be served. Each chat request is answered by the
next line of the script, the last one for ever; a line is a `Reply` or a function from the request's body to one.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

STOP = {"finish_reason": "stop"}


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What goes over the wire. `hang`: nothing more, until the client goes away. `cut`: the connection breaks here."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = "application/json"
    hang: bool = False
    cut: bool = False
    silent: bool = False
    """Not even a status line."""
    endless: bool = False
    """The same body again and again, for ever."""
    events: Sequence[Any] | None = None


Line = Reply | Callable[[dict[str, Any]], Reply]


def chat(*texts: str, usage: Any = None, **choice: Any) -> Reply:
    """A whole answer, one choice for each text."""
    choices = [
        {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", **choice}
        for index, text in enumerate(texts)
    ]
    counted = {"prompt_tokens": 10, "completion_tokens": 3} if usage is None else usage
    return Reply(body={"object": "chat.completion", "model": "m", "choices": choices, "usage": counted})


def refusal(message: str, status: int = 400, **fields: Any) -> Reply:
    """An error in OpenAI's own shape."""
    return Reply(status=status, body={"error": {"message": message, "type": "invalid_request_error", **fields}})


def pieces(*texts: str, done: bool = True) -> Reply:
    """A stream of these pieces; without its end, where it is not `done`."""
    events: list[Any] = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]
    if done:
        events += [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, "[DONE]"]
    return Reply(events=events, kind="text/event-stream")


class Endpoint:
    """The server. It saw bodies (`asked`), `headers`, `most` requests at once, and clients that `left`."""

    def __init__(self) -> None:
        self.script: list[Line] = [chat("hello")]
        self.models: Any = {"object": "list", "data": [{"id": "m", "object": "model"}]}
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.listed = 0
        self.connections = 0
        self.most = 0
        self.left = threading.Event()
        self.arrived = threading.Event()
        self.together = 1
        """Nobody is answered before so many have asked at once."""
        self._now = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Endpoint":
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def says(self, *script: Line) -> None:
        self.script = list(script)
        self.asked.clear()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        self._gate = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            self.connections -= 1
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        method, path, _ = first.split(" ", 2)
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        self.headers.append(headers)
        if path == "/v1/models":
            self.listed += 1
            reply = self.models if isinstance(self.models, Reply) else Reply(body=self.models)
        elif path == "/v1/chat/completions" and method == "POST":
            body = json.loads(raw)
            line = self.script[min(len(self.asked), len(self.script) - 1)]
            self.asked.append(body)
            reply = line if isinstance(line, Reply) else line(body)
        else:
            reply = Reply(status=404, body={"detail": "Not Found"})
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            if self._now >= self.together:
                self._gate.set()
            await self._gate.wait()
            return await self._answer(reply, reader, writer)
        finally:
            self._now -= 1

    async def _answer(self, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if reply.silent:
            self.arrived.set()
            await self._until_gone(reader, reply.hang)
            return False
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        lines = [f"HTTP/1.1 {reply.status} X", f"content-type: {reply.kind}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        chunked = reply.events is not None or reply.endless
        lines.append("transfer-encoding: chunked" if chunked else f"content-length: {len(body)}")
        writer.write("\r\n".join((*lines, "", "")).encode())
        if reply.endless:
            while not self._over.is_set() and not reader.at_eof():
                writer.write(b"%x\r\n%s\r\n" % (len(body), body))
                await writer.drain()
            return False
        for event in reply.events or ():
            data = event if isinstance(event, str) else json.dumps(event)
            part = f"data: {data}\n\n".encode()
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
        if reply.events is None:
            writer.write(body[: len(body) // 2] if reply.cut or reply.hang else body)
        await writer.drain()
        self.arrived.set()
        if reply.hang or reply.cut:
            await self._until_gone(reader, reply.hang)
            return False
        if chunked:
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        return True

    async def _until_gone(self, reader: asyncio.StreamReader, hang: bool) -> None:
        if hang and await reader.read(1) == b"":
            self.left.set()
