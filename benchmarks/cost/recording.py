"""A model whose every call is written down, and a server whose own counters are read.

The answers are really written by the server, so many tokens as the kind of answer has, whatever they say: a model
with random weights talks gibberish. What has to be read is therefore put into the form in which a model that can
would write it. Cost and cache are measured, not wisdom. Gibberish that comes back in a later prompt is cut into other
tokens than it was written in, so that more is computed behind an answer than with a model that writes as its
tokenizer reads.
"""

import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final, TypeVar
from urllib.request import Request, urlopen

import anyio
from situation import CHANGES, Sizes

from lookahead.models.openai import OpenAIModel
from lookahead.models.wire import Wire
from lookahead.types import Asking, Completion, Message, Sample

T = TypeVar("T")
U = TypeVar("U")

OPEN, CLOSE = "<predicted_observation>", "</predicted_observation>"
_COUNTERS: Final = ("prefix_cache_queries", "prefix_cache_hits", "generation_tokens")
_COUNTED: Final = re.compile(r"^vllm:(\w+?)_total\{[^}]*\} ([\d.e+]+)$", re.MULTILINE)
_BLOCK: Final = re.compile(r'^vllm:cache_config_info\{.*?\bblock_size="(\d+)"', re.MULTILINE)


class Whole(Wire):
    """Asks for answers of exactly the length that is allowed."""

    async def ask(self, body: Mapping[str, Any]) -> bytes:
        return await super().ask({**body, "ignore_eos": True})


class WholeAnswers(OpenAIModel):
    def __init__(self, url: str, model: str | None = None) -> None:
        super().__init__(url, model, connections=256)
        self._wire = Whole(url, api_key=None, connections=256, headers={})


@dataclass(frozen=True, kw_only=True)
class Counters:
    """What the server has counted since it started. Of `asked` prompt tokens it remembered `remembered`."""

    asked: int = 0
    remembered: int = 0
    generated: int = 0
    block: int = 0

    @property
    def computed(self) -> int:
        return self.asked - self.remembered

    def since(self, before: "Counters") -> "Counters":
        return Counters(
            asked=self.asked - before.asked,
            remembered=self.remembered - before.remembered,
            generated=self.generated - before.generated,
            block=self.block,
        )

    @classmethod
    def of(cls, url: str) -> "Counters":
        with urlopen(f"{url.removesuffix('/v1')}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        found = dict.fromkeys(_COUNTERS, 0.0)
        for name, number in _COUNTED.findall(text):
            if name in found:
                found[name] += float(number)
        block = _BLOCK.search(text)
        asked, remembered, generated = (int(found[name]) for name in _COUNTERS)
        return cls(asked=asked, remembered=remembered, generated=generated, block=int(block[1]) if block else 0)


def tokens_of(url: str, model: str, messages: Sequence[Message], *, asking: bool) -> int:
    """How many tokens the server makes of a chat; `asking`: with the beginning of an answer."""
    turns = [message.model_dump() for message in messages]
    body: dict[str, Any] = {"model": model, "messages": turns, "add_generation_prompt": asking}
    if asking:
        body["chat_template_kwargs"] = {"enable_thinking": False}
    request = Request(
        f"{url.removesuffix('/v1')}/tokenize", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urlopen(request, timeout=60) as answer:
        return int(json.load(answer)["count"])


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request that was made."""

    kind: str
    samples: int
    prompt: int
    generated: int
    began: float
    ended: float
    round: int = 0


@dataclass(kw_only=True)
class Recorder:
    """A `Complete` for ours, and `ask` for the others: the same server, the same lengths."""

    model: OpenAIModel
    sizes: Sizes
    calls: list[Call] = field(default_factory=list[Call])
    agreed: str = ""
    """What every proposed call is, where all are to be the same."""
    _waves: "Waves | None" = None

    @property
    def name(self) -> str:
        return self.model.name

    async def __call__(self, messages: Sequence[Message], asking: Asking, /) -> Completion:
        calls = _calls(asking)
        kind = "verdict" if asking.choices else "call" if calls else "forecast"
        length = self.sizes[kind] * max(1, calls)
        whole = asking.model_copy(update={"schema_of": None, "max_tokens": length, "seconds": None})
        completion = await self._send(kind, messages, whole)
        if kind == "verdict":
            return completion
        plan = calls if "calls" in _properties(asking) else 0

        def shaped(sample: Sample) -> Sample:
            return self._called(sample, plan) if calls else _forecast(sample)

        return completion.model_copy(update={"samples": tuple(map(shaped, completion.samples))})

    async def ask(
        self, kind: str, system: str, user: str, *, tokens: int | None = None, n: int = 1, choices: tuple[str, ...] = ()
    ) -> list[str]:
        """As a peer asks: the text of each sample."""
        messages = (Message(role="system", content=system), Message(role="user", content=user))
        length = self.sizes[kind] if tokens is None else tokens
        asking = Asking(temperature=1.0, n=n, max_tokens=length, thinking=False, choices=choices)
        completion = await self._send(kind, messages, asking)
        return [_plain(sample) for sample in completion.samples]

    async def _send(self, kind: str, messages: Sequence[Message], asking: Asking) -> Completion:
        async def send() -> tuple[Completion, float, float]:
            began = perf_counter()
            return await self.model(messages, asking), began, perf_counter()

        waves = self._waves
        completion, began, ended = await (send() if waves is None else waves.ride(send))
        self.calls.append(
            Call(
                kind=kind,
                samples=asking.n,
                prompt=completion.usage.prompt,
                generated=completion.usage.generated,
                began=began,
                ended=ended,
                round=waves.rounds if waves is not None else 0,
            )
        )
        return completion

    def _called(self, sample: Sample, plan: int) -> Sample:
        """One call; or a plan of so many, which divide among them what was written."""
        words = re.findall("[a-z]+", _plain(sample))
        share = max(1, len(words) // max(1, plan))
        calls = [
            {"tool": CHANGES.name, "arguments": {"path": self.agreed or "/".join(words[share * n :][:share])}}
            for n in range(max(1, plan))
        ]
        text = json.dumps({"calls": calls} if plan else {"call": calls[0]})
        return Sample(text=text, tokens=sample.tokens)

    @asynccontextmanager
    async def waves(self) -> AsyncGenerator["Waves"]:
        """Hold every call until nobody can go on without an answer, and then let all of them go together.

        So many times as that happens, so many rounds one after the other there are, whatever the clock says.
        """
        async with anyio.create_task_group() as group:
            self._waves = waves = Waves()
            group.start_soon(waves.conduct)
            try:
                yield waves
            finally:
                self._waves = None
                group.cancel_scope.cancel()


class Waves:
    def __init__(self) -> None:
        self.rounds = 0
        self._waiting: list[Callable[[], Awaitable[None]]] = []
        self._some = anyio.Event()

    async def ride(self, send: Callable[[], Awaitable[T]]) -> T:
        got: list[T] = []
        over = anyio.Event()

        async def go() -> None:
            got.append(await send())

        async def done() -> None:
            over.set()

        self._waiting += [go, done]
        self._some.set()
        await over.wait()
        return got[0]

    async def conduct(self) -> None:
        while True:
            await self._some.wait()
            await anyio.wait_all_tasks_blocked()
            wave, self._waiting, self._some = self._waiting, [], anyio.Event()
            self.rounds += 1
            await at_once(lambda go: go(), wave[::2])
            for done in wave[1::2]:
                await done()


async def at_once(function: Callable[[T], Awaitable[U]], items: Sequence[T]) -> list[U]:
    """What a pool of threads does: all at the same time, the answers in their order."""
    found: dict[int, U] = {}

    async def one(index: int, item: T) -> None:
        found[index] = await function(item)

    async with anyio.create_task_group() as group:
        for index, item in enumerate(items):
            group.start_soon(one, index, item)
    return [found[index] for index in range(len(items))]


def _properties(asking: Asking) -> Mapping[str, Any]:
    return (asking.schema_of or {}).get("properties", {})  # type: ignore[return-value]


def _calls(asking: Asking) -> int:
    """How many calls an answer may name."""
    return int(_properties(asking).get("calls", {}).get("maxItems", 1)) if asking.schema_of is not None else 0


def _plain(sample: Sample) -> str:
    """Everything that was written, without what a chat format obeys."""
    text = " ".join(filter(None, (sample.thought, sample.text)))
    return re.sub(r"</?think>", "", text).strip() or "nothing"


def _forecast(sample: Sample) -> Sample:
    text = _plain(sample)
    if not text.startswith(OPEN):
        text = f"{OPEN}\n{re.sub('[<>]', '', text)}\n{CLOSE}"
    return Sample(text=text)
