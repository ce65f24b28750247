"""What an endpoint takes and what it does not, learnt from its own refusals and remembered."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pydantic import JsonValue

from lookahead.canonical import canonical
from lookahead.models.failures import said, status_of
from lookahead.types import Asking, Message

_OFTEN: Final = 20
"""The most alternatives a token that engines report by default."""
_FEW: Final = 5
_SMALLEST_ROOM: Final = 16
_ROOM: Final = 8
"""Tokens left free between prompt and answer: engines do not agree on whether the border counts."""

_REFUSING: Final = re.compile(
    r"unsupported|not[ _]support|unknown|unrecogni[sz]ed|not permitted|extra[ _](inputs?|fields?|forbidden)|unexpected"
    r"|unavailable|not available|not allowed|does not allow|not implemented|only (the default|one)|at most|must be"
    r"|less than or equal|invalid|cannot be|can't be|disabled|not enabled|not accept|exceeds",
    re.IGNORECASE,
)
_WORDS: Final[Mapping[str, str]] = {
    "max_tokens": r"max_tokens",
    "max_completion_tokens": r"max_completion_tokens",
    "temperature": r"temperature",
    "top_p": r"top_p",
    "top_k": r"top_k",
    "seed": r"seed",
    "n": r"'n'|\"n\"|`n`|\bn must be|\bn [<>=]|completion choice|multiple (choices|completions)|parameter: n\b",
    "top_logprobs": r"top_logprobs",
    "logprobs": r"logprobs?|log probabilit",
    "response_format": r"response_format|json[_ ]schema|guided|grammar|structured[_ ]output|strict|schema",
    "structured_outputs": r"structured_outputs|guided|grammar|structured[_ ]output",
    "chat_template_kwargs": r"chat_template_kwargs|enable_thinking",
    "stop": r"'stop'|\"stop\"|`stop`|\bstop\b",
    "stream_options": r"stream_options|include_usage",
}
"""How a refusal speaks of each thing that we may send, in the order in which they are looked for."""

_ROLE: Final = re.compile(
    r"system (role|message|prompt)s?\b.{0,60}(not support|unsupported|not allowed|invalid)"
    r"|(not support|unsupported|only).{0,60}(system (role|message)|user and assistant roles)",
    re.IGNORECASE | re.DOTALL,
)
_ASKED: Final = (
    re.compile(
        r"maximum context length (?:is|of) (?P<most>\d+)[^\n]{0,200}?(?P<prompt>\d+)\s*(?:input tokens|in the mes)"
    ),
    re.compile(
        r"maximum context length (?:is|of) (?P<most>\d+)[^\n]{0,200}?(?P<prompt>\d+) tokens from the input",
        re.IGNORECASE,
    ),
    re.compile(r"\d+ > (?P<most>\d+) - (?P<prompt>\d+)"),
)
"""How engines say that the prompt fits, but not with the answer that was asked for behind it."""
_MOST: Final = re.compile(
    r"(?:at most|maximum(?: value)?(?: of| is|:)?|less than or equal to|<=|range (?:of|is) \[\d+, ?)\s*`?(\d{2,7})"
)


@dataclass(kw_only=True)
class Manners:
    """One endpoint's. Shared by all calls to it, so that each refusal is paid for once."""

    cap: str = "max_tokens"
    """What the endpoint calls the limit of generated tokens; empty where it takes none."""
    most: int | None = None
    """The most generated tokens that it lets anyone ask for."""
    alternatives: int = _OFTEN
    dropped: set[str] = field(default_factory=set[str])
    schemas: set[str] = field(default_factory=set[str])
    """Schemas that it could not enforce, although it can enforce others."""
    spelt_out: set[str] = field(default_factory=set[str])
    """Forms that it was sent and did not keep to: they are said in words as well."""
    folded: bool = False
    """There is no system role here: what it would say stands before the first user's words."""

    def body(
        self, messages: Sequence[Message], asking: Asking, *, model: str, n: int = 1, room: int | None = None
    ) -> dict[str, Any]:
        """The request, in what this endpoint takes."""
        sent: dict[str, Any] = {"model": model, "messages": self._turns(messages)}
        wanted: dict[str, Any] = {
            "temperature": asking.temperature,
            "top_p": asking.top_p,
            "top_k": asking.top_k,
            "seed": asking.seed,
            "n": n if n > 1 else None,
            "stop": list(asking.stop) or None,
            "response_format": self._format(asking.schema_of),
            "structured_outputs": {"choice": list(asking.choices)} if asking.choices else None,
            "chat_template_kwargs": None if asking.thinking is None else {"enable_thinking": asking.thinking},
        }
        if self.cap and asking.max_tokens is not None:
            limits = (asking.max_tokens, self.most, room)
            wanted[self.cap] = min(limit for limit in limits if limit is not None)
        if asking.probabilities and "logprobs" not in self.dropped:
            wanted |= {"logprobs": True, "top_logprobs": min(asking.probabilities, self.alternatives)}
        return sent | {name: value for name, value in wanted.items() if value is not None and name not in self.dropped}

    def enforces(self, asking: Asking) -> bool:
        """Whether the engine itself keeps an answer to its form, as far as is known."""
        if asking.schema_of is None:
            return "structured_outputs" not in self.dropped | self.spelt_out
        return self._format(asking.schema_of) is not None and "response_format" not in self.dropped | self.spelt_out

    def unkept(self, asking: Asking) -> None:
        """It took the form, and its answer does not fit: it may be one that ignores what it does not know."""
        self.spelt_out.add("structured_outputs" if asking.schema_of is None else "response_format")

    def copy(self) -> "Manners":
        return replace(self, dropped=set(self.dropped), schemas=set(self.schemas), spelt_out=set(self.spelt_out))

    def back_to(self, earlier: "Manners") -> None:
        """What was learnt did not help, so it was wrong: forget it."""
        vars(self).update(vars(earlier.copy()))

    def learn(self, cause: BaseException, sent: Mapping[str, Any]) -> bool:
        """Whether this refusal says what to leave out next time; if so, it is left out from now on."""
        if status_of(cause) not in (400, 404, 405, 415, 422, 500, 501):
            return False
        # The head of it: some engines print the whole request behind their reason, and any word may stand in that.
        text = said(cause)[:1500]
        if not self.folded and any(turn["role"] == "system" for turn in sent["messages"]) and _ROLE.search(text):
            self.folded = True
            return True
        if not _REFUSING.search(text):
            return False
        named = [name for name, words in _WORDS.items() if name in sent and re.search(words, text, re.IGNORECASE)]
        # Both limits stand in one sentence: "use max_completion_tokens instead of max_tokens".
        if self.cap in sent and re.search(r"max_(completion_)?tokens", text):
            named.insert(0, self.cap)
        return bool(named) and self._leave_out(named[0], text, sent)

    def _leave_out(self, name: str, text: str, sent: Mapping[str, Any]) -> bool:
        if name in ("max_tokens", "max_completion_tokens"):
            return self._limit(name, text, sent)
        if name == "top_logprobs" and sent[name] > _FEW:
            most = [int(found) for found in re.findall(r"\b\d{1,2}\b", text) if 0 < int(found) < sent[name]]
            self.alternatives = max(most, default=_FEW)
        elif name == "top_logprobs":
            self.dropped.add("logprobs")
        elif name == "response_format" and re.search(
            r"invalid[_ ](json[_ ])?schema|in context=|keyword", text, re.IGNORECASE
        ):
            self.schemas.add(canonical(sent[name]["json_schema"]["schema"]))
        else:
            self.dropped.add(name)
        return True

    def _limit(self, name: str, text: str, sent: Mapping[str, Any]) -> bool:
        most = [int(found) for found in _MOST.findall(text) if int(found) < sent[name]]
        if most and re.search(r"too (large|high|big)|at most|less than|exceed|maximum|<=|range", text, re.IGNORECASE):
            self.most = max(most)
        elif name == "max_tokens":
            self.cap = "max_completion_tokens"
        elif "max_tokens" in re.sub("max_completion_tokens", "", text) and "instead" in text:
            self.cap = "max_tokens"
        else:
            self.cap = ""
        return True

    def _turns(self, messages: Sequence[Message]) -> list[dict[str, str]]:
        turns = [{"role": message.role, "content": message.content} for message in messages]
        if not self.folded:
            return turns
        orders = "\n\n".join(turn["content"] for turn in turns if turn["role"] == "system")
        spoken = [turn for turn in turns if turn["role"] != "system"]
        if orders and spoken and spoken[0]["role"] == "user":
            return [{"role": "user", "content": f"{orders}\n\n{spoken[0]['content']}"}, *spoken[1:]]
        return [{"role": "user", "content": orders}, *spoken] if orders else spoken

    def _format(self, schema: dict[str, JsonValue] | None) -> dict[str, Any] | None:
        if schema is None or canonical(schema) in self.schemas:
            return None
        named: dict[str, Any] = {"name": "answer", "schema": schema, "strict": _strict(schema)}
        return {"type": "json_schema", "json_schema": named}


def room_for_answer(cause: BaseException) -> int | None:
    """How many tokens were left for the answer, where a refusal says that it asked for more than that."""
    text = said(cause)[:2000]
    if status_of(cause) not in (400, 422):
        return None
    for asked in _ASKED:
        if found := asked.search(text):
            room = int(found["most"]) - int(found["prompt"]) - _ROOM
            return room if room >= _SMALLEST_ROOM else None
    return None


def _strict(schema: JsonValue) -> bool:
    """Whether hosted models take it as binding: each object closed, each of its fields required."""
    if isinstance(schema, list):
        return all(map(_strict, schema))
    if not isinstance(schema, dict):
        return True
    fields = schema.get("properties")
    if schema.get("type") == "object" or fields is not None:
        named = set(fields) if isinstance(fields, dict) else set[str]()
        required = schema.get("required")
        asked = {name for name in required if isinstance(name, str)} if isinstance(required, list) else set[str]()
        if schema.get("additionalProperties") is not False or named != asked:
            return False
    return all(map(_strict, schema.values()))
