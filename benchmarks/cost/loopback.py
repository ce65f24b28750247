"""An OpenAI-compatible server within this process that remembers prefixes as vLLM does: in whole blocks, by all before.

It writes words without meaning, the same ones for the same prompt and sample. What it counts it tells where vLLM does,
so that one reader serves both. `--loopback` runs against it, and so do the tests: it has no model and takes no time.
"""

import asyncio
import json
import random
import re
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from zlib import crc32

from recording import CLOSE, OPEN
from situation import WORDS

MODEL: Final = "loopback"
_TOKEN: Final = re.compile(r" ?\w+|\W")


class Loopback:
    """`pause` is what one token takes, in seconds; samples are written side by side."""

    def __init__(self, *, block: int = 16, pause: float = 0.0) -> None:
        self.block = block
        self.pause = pause
        self.counted = {"prefix_cache_queries": 0, "prefix_cache_hits": 0, "generation_tokens": 0}
        self._known: set[int] = set()

    # ---- the model ----

    async def complete(self, body: Mapping[str, Any]) -> dict[str, Any]:
        prompt = tokens(body["messages"], asking=True)
        wanted = body.get("n") or 1
        remembered = [self._remembered(prompt) for _ in range(wanted)]
        self.counted["prefix_cache_queries"] += wanted * len(prompt)
        self.counted["prefix_cache_hits"] += sum(remembered)
        answers = [self._write(prompt, body, number) for number in range(wanted)]
        await asyncio.sleep(self.pause * body["max_tokens"])
        self.counted["generation_tokens"] += wanted * body["max_tokens"]
        usage = {
            "prompt_tokens": len(prompt),
            "completion_tokens": wanted * body["max_tokens"],
            "prompt_tokens_details": {"cached_tokens": remembered[0]},
        }
        choices = [
            {"index": number, "message": {"role": "assistant", "content": text}, "finish_reason": "length"}
            for number, text in enumerate(answers)
        ]
        return {"object": "chat.completion", "model": MODEL, "choices": choices, "usage": usage}

    def _write(self, prompt: Sequence[str], body: Mapping[str, Any], number: int) -> str:
        chance = random.Random(crc32("".join(prompt).encode()) + number)
        form: dict[str, list[str]] = body.get("structured_outputs") or {}
        if choices := form.get("choice"):
            return chance.choice(choices)
        words = " ".join(chance.choices(WORDS, k=body["max_tokens"]))
        last = body["messages"][-1]["content"]
        # Whoever is asked for tags writes them, as a world model does.
        text = f"{OPEN}\n{words}\n{CLOSE}" if f"{OPEN}{CLOSE}" in last else words
        self._remembered([*prompt, *_TOKEN.findall(text)])
        return text

    def _remembered(self, prompt: Sequence[str]) -> int:
        """How much of it is known; from now on all of its whole blocks are. The last token is always computed."""
        name, known, going = 0, 0, True
        for end in range(self.block, len(prompt) + 1, self.block):
            name = hash((name, *prompt[end - self.block : end]))
            going = going and name in self._known
            known += self.block if going and end < len(prompt) else 0
            self._known.add(name)
        return known

    def metrics(self) -> str:
        lines = [f'vllm:cache_config_info{{block_size="{self.block}",engine="0"}} 1.0']
        lines += [f'vllm:{name}_total{{engine="0",model_name="{MODEL}"}} {n:.1f}' for name, n in self.counted.items()]
        return "\n".join([*lines, ""])

    # ---- the wire ----

    async def answer(self, path: str, raw: bytes) -> bytes:
        if path == "/metrics":
            return self.metrics().encode()
        if path == "/v1/models":
            return json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model"}]}).encode()
        body: dict[str, Any] = json.loads(raw)
        if path == "/tokenize":
            return json.dumps({"count": len(tokens(body["messages"], asking=body["add_generation_prompt"]))}).encode()
        return json.dumps(await self.complete(body)).encode()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"content-length: *(\d+)", head, re.IGNORECASE)
                raw = await reader.readexactly(int(length[1]) if length else 0)
                path = head.split(" ", 2)[1]
                said = await self.answer(path, raw)
                kind = "text/plain" if path == "/metrics" else "application/json"
                writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(said)}\r\n\r\n".encode())
                writer.write(said)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


def tokens(messages: Sequence[Mapping[str, str]], *, asking: bool) -> list[str]:
    """The chat as a chat format writes it, in tokens."""
    chat = [f"<|{turn['role']}|>" for turn in messages]
    found: list[str] = []
    for mark, turn in zip(chat, messages, strict=True):
        found += [mark, *_TOKEN.findall(turn["content"]), "<|end|>"]
    return [*found, "<|assistant|>"] if asking else found


@contextmanager
def loopback(*, block: int = 16, pause: float = 0.0) -> Generator[str]:
    """Its URL, as long as the block lasts."""
    served = Loopback(block=block, pause=pause)
    ready = threading.Event()
    place: list[int] = []
    stop: list[Any] = []

    async def run() -> None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(over.set))
        server = await asyncio.start_server(served.accept, "127.0.0.1", 0, backlog=512)
        place.append(server.sockets[0].getsockname()[1])
        ready.set()
        await over.wait()
        server.close()
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield f"http://127.0.0.1:{place[0]}/v1"
    finally:
        stop[0]()
        thread.join(10)
