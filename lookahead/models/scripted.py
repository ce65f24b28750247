"""A model that says what its script says: the double in memory of every `Complete`."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Self, TypeAlias

import anyio

from lookahead.errors import ModelTimeout
from lookahead.models.count import count, count_messages
from lookahead.types import Asking, Completion, Cost, Message, Sample, Usage

Answer: TypeAlias = str | Sample | Completion | Exception | Sequence[str | Sample]
"""A text, a sample, a whole completion, an exception to raise, or one text for each of several samples."""

Said: TypeAlias = Answer | Callable[[Sequence[Message], Asking], Answer | Awaitable[Answer]]


class ScriptedModel:
    """Answers one line of its script after the other, the last one for ever; a function answers by the prompt.

    `asked` holds every prompt and how it was asked. Asked for several samples, it repeats a single text.
    """

    def __init__(self, *script: Said, name: str = "scripted") -> None:
        self.script = script
        self.name = name
        self.asked: list[tuple[tuple[Message, ...], Asking]] = []
        self.closed = False

    @property
    def calls(self) -> int:
        return len(self.asked)

    async def __call__(self, messages: Sequence[Message], asking: Asking, /) -> Completion:
        line = self.script[min(len(self.asked), len(self.script) - 1)] if self.script else ""
        self.asked.append((tuple(messages), asking))
        began = anyio.current_time()
        with anyio.move_on_after(asking.seconds) as scope:
            said = line(messages, asking) if callable(line) else line
            answer = await said if inspect.isawaitable(said) else said
            return self._completion(messages, asking, answer, began)
        assert scope.cancelled_caught
        raise ModelTimeout(f"{self.name} did not answer within {asking.seconds} seconds; give it more")

    async def aclose(self) -> None:
        self.closed = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    def _completion(self, messages: Sequence[Message], asking: Asking, answer: Answer, began: float) -> Completion:
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Completion):
            return answer
        several = [answer] * asking.n if isinstance(answer, str | Sample) else answer
        samples = tuple(Sample(text=one) if isinstance(one, str) else one for one in several)
        usage = Usage(
            prompt=count_messages(messages),
            generated=sum(count(sample.text) + count(sample.thought) for sample in samples),
            counted="estimate",
        )
        cost = Cost(calls=1, tokens=usage.prompt + usage.generated, seconds=max(0.0, anyio.current_time() - began))
        return Completion(samples=samples, model=self.name, usage=usage, cost=cost)
