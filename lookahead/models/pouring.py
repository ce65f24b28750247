"""An answer while it is written: its text, piece by piece; afterwards, all that a whole answer says."""

import json
import math
from collections.abc import AsyncIterator
from typing import Any, cast

import anyio

from lookahead.errors import LookaheadError
from lookahead.models.answer import check_ended, divided, ended_by, read, usage_of
from lookahead.models.count import count, count_messages
from lookahead.models.failures import Answered
from lookahead.types import Message, Sample, Usage


class Pouring:
    """Iterate over it once, for the pieces of the text. After the last one, `sample` and `usage` are there."""

    def __init__(self, messages: tuple[Message, ...]) -> None:
        self._messages = messages
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._reason: str | None = None
        self._failure: LookaheadError | None = None
        # Without a bound: whoever reads slowly must not keep the connection open longer than the answer takes.
        self._in, self._out = anyio.create_memory_object_stream[str](math.inf)
        self.begun = False
        self.sample: Sample | None = None
        self.usage: Usage | None = None

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        try:
            return await self._out.receive()
        except anyio.EndOfStream:
            if self._failure is not None:
                raise self._failure from self._failure.__cause__
            raise StopAsyncIteration from None

    # ---- for whoever pours ----

    def start(self) -> None:
        """A try begins. What an earlier one thought before it broke is forgotten."""
        self._texts, self._thoughts, self._reason = [], [], None

    def take(self, part: Any) -> None:
        """One part of the answer, as the endpoint said it."""
        if not isinstance(part, dict):
            raise Answered(f"a part of a stream that is no object: {str(part)[:200]}")
        fields = cast(dict[str, Any], part)
        if wrong := fields.get("error"):
            raise Answered(str(cast(dict[str, Any], wrong).get("message", wrong) if isinstance(wrong, dict) else wrong))
        self.usage = usage_of(fields.get("usage")) or self.usage
        choices = fields.get("choices")
        if not isinstance(choices, list) or not choices:
            return
        choice = cast(list[Any], choices)[0]
        if not isinstance(choice, dict):
            raise Answered(f"a part of a stream whose choice is no object: {str(choice)[:200]}")
        text = self._whole(fields) if "message" in choice else self._piece(cast(dict[str, Any], choice))
        if text:
            self.begun = True
            self._in.send_nowait(text)

    def finish(self) -> None:
        """The endpoint has said all that it will say."""
        if self.sample is None:
            if self._reason is None:
                raise ConnectionError("the stream ended in the middle of the answer")
            text, thought = "".join(self._texts), "".join(self._thoughts)
            if not thought:
                thought, text = divided(text)
            self.sample = Sample(text=text, thought=thought, ended=ended_by(self._reason))
        self.usage = self.usage or Usage(
            prompt=count_messages(self._messages),
            generated=count(self.sample.text) + count(self.sample.thought),
            counted="estimate",
        )
        self._in.close()

    def fail(self, failure: LookaheadError) -> None:
        """There will be no more; whoever iterates learns why."""
        self._failure = failure
        self._in.close()

    def close(self) -> None:
        self._in.close()
        self._out.close()

    # ---- within ----

    def _piece(self, choice: dict[str, Any]) -> str:
        delta = cast(object, choice.get("delta") or {})
        if not isinstance(delta, dict):
            raise Answered(f"a piece that is no object: {str(delta)[:200]}")
        fields = cast(dict[str, Any], delta)
        reason = choice.get("finish_reason")
        self._reason = reason if isinstance(reason, str) else self._reason
        check_ended(self._reason)
        self._thoughts.append(_text(fields.get("reasoning_content") or fields.get("reasoning")))
        text = _text(fields.get("content")) or _text(fields.get("refusal"))
        self._texts.append(text)
        return text

    def _whole(self, fields: dict[str, Any]) -> str:
        """An endpoint that does not stream answers at once."""
        found = read(json.dumps(fields).encode())
        self.sample, self.usage = found.samples[0], found.usage
        return found.samples[0].text


def _text(piece: object) -> str:
    if piece is not None and not isinstance(piece, str):
        raise Answered(f"a piece of text that is no text: {str(piece)[:200]}")
    return piece or ""
