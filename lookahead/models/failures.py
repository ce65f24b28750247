"""What goes wrong at a language model, in our names, with what to run next.

It reads what the exceptions say of themselves (a status, a body, a text) and imports no client, so that it serves an
endpoint, an engine in this process and another library's chat model alike.
"""

import json
import math
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, Final, cast

from lookahead.errors import (
    ContextTooLong,
    LookaheadError,
    ModelError,
    ModelNotFound,
    ModelOutOfMemory,
    ModelRefused,
    ModelTimeout,
    ModelUnreachable,
)

_LONGEST: Final = 300
_CONTEXT: Final = re.compile(
    r"context[_ ](length|window|size)|exceed_context|max_model_len|n_ctx\b|maximum (model|context|prompt) length"
    r"|(prompt|inputs?|messages?)\b[^.]{0,40}\b(too long|too large|longer than)|request (entity |body )?(is )?too large"
    r"|reduce the length|input tokens? (count|exceed)|token count exceeds|tokens? \+ `?max_new_tokens"
    r"|tokens > \d+ maximum|string_above_max_length",
    re.IGNORECASE,
)
_MEMORY: Final = re.compile(
    r"out ?of ?memory|\boom\b|cannot allocate memory|failed to allocate|requires more (system|gpu)? ?memory"
    r"|no available memory|kv cache (is|blocks?).{0,40}(full|exhausted|not enough|insufficient|needed)"
    r"|insufficient (gpu |device )?memory|alloc(ation)? failed|\bbad_alloc\b",
    re.IGNORECASE,
)
_TEMPLATE: Final = re.compile(r"chat[_ -]template|jinja|template ?error", re.IGNORECASE)
_FILTER: Final = re.compile(
    r"content[_ ](filter|management|policy)|safety system|responsible ?ai ?policy", re.IGNORECASE
)
_NO_MODEL: Final = re.compile(
    r"model\b[^\n]{0,200}?(does not exist|not found|not exist|unknown|not available|no such|is not (a )?valid)"
    r"|model_not_found|unknown model|no such model|invalid model",
    re.IGNORECASE,
)
_QUOTA: Final = re.compile(r"insufficient_quota|exceeded your current quota|billing|credit balance", re.IGNORECASE)
_CERTIFICATE: Final = re.compile(r"certificate.{0,20}verif|self.signed|\bSSL: ", re.IGNORECASE)
_PAGE: Final = re.compile(r"\s*(<!doctype|<html|<\?xml|<head|<body)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Who was asked, for whoever has to say that it failed. `served` is what it offers, where that is known."""

    where: str
    """Without a password, without a key."""
    model: str = ""
    seconds: float | None = None
    served: tuple[str, ...] = ()
    path: str = "/v1"
    secrets: tuple[str, ...] = field(default=(), repr=False)


class Answered(Exception):
    """An endpoint answered, and the answer is a failure although its status did not say so, or is none of ours."""

    def __init__(self, text: str, *, status_code: int | None = None, again: bool = False) -> None:
        super().__init__(text)
        self.status_code = status_code
        self.again = again


@contextmanager
def failures(who: Callable[[], Asked]) -> Generator[None]:
    """Give any foreign exception that leaves this block one of our names; ours pass through untouched.

    Who was asked is asked for only then: which model it is may turn out within the block.
    """
    try:
        yield
    except LookaheadError:
        raise
    except Exception as cause:
        asked = who()
        # A cause that spells out the key would be printed below our own, clean message.
        told = any(secret in f"{cause!r} {cause}" for secret in asked.secrets if secret)
        raise named(cause, asked) from (None if told else cause)


def named(cause: BaseException, asked: Asked) -> ModelError:
    """The error of ours that this is."""
    kind, text = _named(cause, asked)
    for secret in asked.secrets:
        text = text.replace(secret, "[redacted:api-key]") if secret else text
    return kind(text)


def said(cause: BaseException) -> str:
    """All that an exception and its body say, in one text, with the likeliest cause of all first."""
    return "\n".join(dict.fromkeys(_texts(cause)))


def status_of(cause: BaseException) -> int | None:
    return next((status for one in _chain(cause) if isinstance(status := getattr(one, "status_code", None), int)), None)


def kinds_of(cause: BaseException) -> set[str]:
    """The names of all types that this and its causes are of: a client's own types, without importing the client."""
    return {kind.__name__ for one in _chain(cause) for kind in type(one).__mro__}


def hopeless(cause: BaseException) -> bool:
    """Whether the very same request would fail again, whatever the status says."""
    text = said(cause)
    return any(sign.search(text) for sign in (_MEMORY, _CONTEXT, _QUOTA, _CERTIFICATE, _TEMPLATE))


def _named(cause: BaseException, asked: Asked) -> tuple[type[ModelError], str]:
    text = said(cause)
    status = status_of(cause)
    kinds = kinds_of(cause)
    model = f"the model {asked.model!r}" if asked.model else "the model"
    excerpt = _excerpt(text)
    # A status says who is speaking before any word does: a page that names memory is still a page.
    if status in (401, 403):
        return ModelError, (
            f"{asked.where} does not take the key ({status}: {excerpt}); give the right one: api_key=… or, for a world "
            "that is named by its URL, the variable LOOKAHEAD_API_KEY (OPENAI_API_KEY for api.openai.com)"
        )
    if _PAGE.match(text) or (status in (404, 405) and not _NO_MODEL.search(text)):
        return ModelError, _not_an_endpoint(asked, excerpt)
    if _MEMORY.search(text):
        return ModelOutOfMemory, (
            f"{asked.where} has no memory for {model} ({excerpt}); serve it with less: "
            "`lookahead serve --max-model-len 32768`, or a quantised or smaller model"
        )
    if _CONTEXT.search(text) or status == 413:
        return ContextTooLong, (
            f"the prompt does not fit {model} at {asked.where} ({excerpt}); serve it with a longer context "
            "(`lookahead serve --max-model-len N`), or ask with a shorter history"
        )
    if status is not None and status < 500 and _FILTER.search(text):
        return ModelRefused, f"{asked.where} will not answer this ({excerpt}); ask another model"
    if status in (400, 404, 422) and _NO_MODEL.search(text):
        return ModelNotFound, _not_served(asked, excerpt)
    if _TEMPLATE.search(text):
        return ModelError, (
            f"{model} at {asked.where} has no chat template that takes these turns ({excerpt}); serve an "
            "instruction-tuned model, or start the engine with one: `vllm serve MODEL --chat-template FILE`"
        )
    if status == 429 and _QUOTA.search(text):
        return ModelError, f"the account at {asked.where} has no quota left ({excerpt}); top it up or use another key"
    if _CERTIFICATE.search(text):
        return ModelUnreachable, (
            f"{asked.where} has no certificate that this machine trusts ({excerpt}); set SSL_CERT_FILE to the right "
            "authorities, or use http:// for a server of your own"
        )
    if kinds & {"TimeoutError", "APITimeoutError", "TimeoutException"} and "ConnectTimeout" not in kinds:
        within = f" within {asked.seconds:g} seconds" if asked.seconds else " in time"
        return ModelTimeout, (
            f"{model} at {asked.where} did not answer{within}; allow it more seconds, turn thinking off, or see "
            "whether the engine is busy (its /metrics)"
        )
    if kinds & {"ConnectError", "ConnectTimeout", "gaierror", "ConnectionRefusedError"}:
        return ModelUnreachable, (
            f"nobody answers at {asked.where} ({excerpt}); start a server with `lookahead serve`, or check the URL"
        )
    if kinds & {"APIConnectionError", "TransportError", "OSError", "IncompleteRead"}:
        return ModelUnreachable, (
            f"the connection to {asked.where} broke, and asking again did not help ({excerpt}); see what the engine "
            "logged, or start it again with `lookahead serve`"
        )
    if status in (408, 429) or (status is not None and status >= 500):
        return ModelUnreachable, (
            f"{asked.where} answers with {status}, and asking again did not help ({excerpt}); "
            + (_slower(cause) if status == 429 else "see what the engine logged")
        )
    if status is not None:
        return ModelError, f"{asked.where} refused the request ({status}: {excerpt}); see what {model} takes"
    return ModelError, (
        f"{asked.where} gave an answer that cannot be read ({excerpt}); check that it is an OpenAI-compatible endpoint"
    )


def retry_after(cause: BaseException) -> float | None:
    """How long the endpoint says to wait: in milliseconds, in seconds, or until a date."""
    response = next((found for one in _chain(cause) if (found := getattr(one, "response", None)) is not None), None)
    headers = cast(Mapping[str, str], getattr(response, "headers", None) or {})
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        told = headers.get(name)
        if not told:
            continue
        try:
            wait = float(told) * unit
        except ValueError:
            try:
                wait = parsedate_to_datetime(told).timestamp() - time()
            except ValueError:
                continue
        if math.isfinite(wait):
            return max(0.0, wait)
    return None


def _slower(cause: BaseException) -> str:
    wait = retry_after(cause)
    told = f"it says to wait {wait:.0f} seconds; " if wait else ""
    return f"{told}ask less at once (connections=…)"


def _not_an_endpoint(asked: Asked, excerpt: str) -> str:
    bare = asked.where.rstrip("/")
    hint = "check the URL" if bare.endswith(asked.path) else f"the URL may lack its path: try {bare}{asked.path}"
    return f"{asked.where} is not an OpenAI-compatible endpoint ({excerpt}); {hint}"


def _not_served(asked: Asked, excerpt: str) -> str:
    if asked.served:
        return f"{asked.where} serves no model {asked.model!r}; it serves: {', '.join(asked.served)}"
    return f"{asked.where} serves no model {asked.model!r} ({excerpt}); start it with `lookahead serve MODEL`"


def _chain(cause: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    at: BaseException | None = cause
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)


def _texts(cause: BaseException) -> Iterator[str]:
    for one in _chain(cause):
        body = cast(object, getattr(one, "body", None))
        yield from _strings(body)
        text = str(one) or type(one).__name__
        # openai's clients print the body behind the status; it was read above, without the quotes and braces.
        if not (isinstance(body, Mapping | list) and body):
            yield text


def _strings(body: object, depth: int = 0) -> Iterator[str]:
    if isinstance(body, str):
        yield body
    elif isinstance(body, Mapping) and depth < 6:
        fields = cast(Mapping[str, Any], body)
        for key in ("message", "msg", "error", "detail", "code", "type", "loc", "param", "errors", "reason"):
            yield from _strings(fields.get(key), depth + 1)
        if not depth and not any(key in fields for key in ("message", "msg", "error", "detail")):
            yield json.dumps(fields, default=str)
    elif isinstance(body, list | tuple) and depth < 6:
        for item in cast(list[object], body)[:20]:
            yield from _strings(item, depth + 1)


def _excerpt(text: str) -> str:
    """A stranger's text in one line, short, so that it can stand in a message."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * _LONGEST]).split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
