"""The connection to one endpoint, through the official client: reused, bounded, closed when nobody waits any more."""

import json
import os
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast
from urllib.parse import unquote, urlsplit, urlunsplit

import anyio
from anyio.lowlevel import RunVar

from lookahead.errors import ConfigError
from lookahead.models.answer import sound
from lookahead.models.failures import Answered
from lookahead.redact import shared

try:
    import openai
except ImportError as missing:
    raise ImportError('an endpoint is asked through openai: pip install "lookahead-agents[openai]"') from missing

T = TypeVar("T")

_OFFICIAL: Final = "api.openai.com"
_MIB: Final = 1024 * 1024
_TOKENS: Final = 32_768
_BYTES_A_TOKEN: Final = 64
"""Far more than a token takes in JSON, where every character of it may be written as an escape."""
_CONNECT: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class _Line:
    """What belongs to one event loop: connections cannot be carried to another."""

    client: openai.AsyncOpenAI
    places: anyio.CapacityLimiter


class Wire:
    """One client for each event loop, at most so many requests at once, the others wait in the order they came in."""

    def __init__(self, base_url: str, *, api_key: str | None, connections: int, headers: Mapping[str, str]) -> None:
        parts = urlsplit(base_url.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{_without_login(base_url)!r} is no URL of an endpoint; write http://HOST:PORT/v1")
        if connections < 1:
            raise ConfigError(f"connections={connections}: at least one is needed to ask anything")
        self.url = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
        self.host = parts.netloc.rpartition("@")[2]
        self._ours = self.host in (_OFFICIAL, urlsplit(os.environ.get("OPENAI_BASE_URL", "")).netloc)
        # The key of one provider must not be shown to another.
        self._key = api_key or (os.environ.get("OPENAI_API_KEY") if self._ours else None) or ""
        self._login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}" if parts.username else ""
        for secret in filter(None, (self._key, parts.password)):
            shared().remember(secret, "api-key")
        self._connections = connections
        self._headers = dict(headers)
        self._line: RunVar[_Line | None] = RunVar(f"lookahead.models.wire.{id(self)}")

    @property
    def secrets(self) -> tuple[str, ...]:
        held = (self._key, self._login, self._login.partition(":")[2], *self._headers.values())
        return tuple(secret for secret in held if len(secret) > 5)

    async def ask(self, body: Mapping[str, Any]) -> bytes:
        """The whole body of one answer. Cancelling it closes the request, so that the engine stops."""
        async with self._answering(body) as response:
            return await _whole(response, largest(body))

    async def pour(self, body: Mapping[str, Any], take: Callable[[Any], None]) -> None:
        """Hand over the parts of an answer as they come, each one JSON value. A whole answer is one part."""
        async with self._answering({**body, "stream": True}) as response:
            if "text/event-stream" not in str(response.headers.get("content-type", "")):
                take(_read(await _whole(response, largest(body))))
                return

            def line(text: str) -> None:
                data = text.removeprefix("data:").strip()
                if text.startswith("data:") and data != "[DONE]":
                    take(_read(data))

            await _each(response.iter_lines(), line)

    async def served(self) -> tuple[str, ...]:
        """The names of the models that the endpoint says it serves."""
        line = self._here()
        async with line.places, line.client.models.with_streaming_response.list() as response:
            raw = await _whole(response, 4 * _MIB)
        listed = _read(raw)
        try:
            models = cast(list[Any], listed) if isinstance(listed, list) else listed["data"]
            return tuple(str(model["id"]) for model in models)
        except (KeyError, TypeError):
            raise Answered(raw[:400].decode("utf-8", "replace")) from None

    async def aclose(self) -> None:
        """Close the connections of this event loop. Asking again opens new ones."""
        line = self._line.get(None)
        if line is not None:
            self._line.set(None)
            with anyio.CancelScope(shield=True):
                await line.client.close()

    @asynccontextmanager
    async def _answering(self, body: Mapping[str, Any]) -> AsyncGenerator[Any]:
        line = self._here()
        # What stands in `extra_body` is sent as it is; what stands beside it is looked through field by field first.
        extra = {name: value for name, value in body.items() if name != "model"}
        create = line.client.chat.completions.with_streaming_response.create
        async with (
            line.places,
            create(model=body["model"], messages=[], extra_body=extra) as response,
        ):
            yield response

    def _here(self) -> _Line:
        line = self._line.get(None)
        if line is None:
            line = _Line(client=self._client(), places=anyio.CapacityLimiter(self._connections))
            self._line.set(line)
        return line

    def _client(self) -> openai.AsyncOpenAI:
        client = openai.AsyncOpenAI(
            base_url=self.url,
            api_key=self._key or "none",
            # How often and how long is decided in one place, which knows the deadline.
            max_retries=0,
            timeout=openai.Timeout(None, connect=_CONNECT),
            default_headers=self._said(),
        )
        if not self._ours:
            client.organization = client.project = None
        return client

    def _said(self) -> dict[str, str]:
        said: dict[str, Any] = {}
        if not self._ours:
            # Headers that the environment gives to every client of OpenAI's are meant for another endpoint.
            lines = os.environ.get("OPENAI_CUSTOM_HEADERS", "").splitlines()
            said = {line.partition(":")[0].strip(): openai.Omit() for line in lines if ":" in line}
        if self._login:
            said["Authorization"] = f"Basic {b64encode(self._login.encode()).decode()}"
        return said | self._headers


def largest(body: Mapping[str, Any]) -> int:
    """How many bytes the answer to this request may have. One that is longer did not come from a model."""
    tokens = body.get("max_tokens") or body.get("max_completion_tokens") or _TOKENS
    alternatives = 2 * (body.get("top_logprobs") or 0)
    return 4 * _MIB + int(body.get("n") or 1) * int(tokens) * _BYTES_A_TOKEN * (1 + alternatives)


async def _whole(response: Any, most: int) -> bytes:
    pieces: list[bytes] = []
    size = 0

    def keep(piece: bytes) -> None:
        nonlocal size
        size += len(piece)
        if size > most:
            raise Answered(f"an answer of more than {most // _MIB} MiB")
        pieces.append(piece)

    await _each(response.iter_bytes(), keep)
    return b"".join(pieces)


async def _each(parts: AsyncIterator[T], take: Callable[[T], None]) -> None:
    """Hand over each part. A failure to take one ends the reading from within.

    The client reads through several async generators, one inside the other, and only what is raised in the innermost
    of them closes them all.
    """
    wrong: Exception | None = None
    with anyio.CancelScope() as scope:
        async for part in parts:
            if wrong is None:
                try:
                    take(part)
                except Exception as failed:
                    wrong = failed
                    scope.cancel()
    if wrong is not None:
        raise wrong


def _read(text: str | bytes) -> Any:
    try:
        return sound(json.loads(text))
    except (ValueError, RecursionError):
        head = text[:400] if isinstance(text, str) else text[:400].decode("utf-8", "replace")
        raise Answered(head or "an empty answer") from None


def _without_login(url: str) -> str:
    return url.rpartition("@")[2]
