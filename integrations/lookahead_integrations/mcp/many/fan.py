"""Asks several servers at once, and waits for none of them longer than it has patience for."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias, cast

import anyio

from lookahead.show import safe
from lookahead_integrations.mcp.exchange import (
    INTERNAL_ERROR,
    META,
    METHOD_NOT_FOUND,
    Call,
    Json,
    RpcError,
    Service,
    modern,
)
from lookahead_integrations.mcp.many.merging import object_of
from lookahead_integrations.mcp.many.voice import Book, Hears, Voice

log: Final = logging.getLogger("lookahead.mcp")

Said: TypeAlias = dict[str, Json]
Failed: TypeAlias = dict[str, Exception]
Ask: TypeAlias = Callable[[str], Awaitable[Json]]
_TOLD: Final = 1000


@dataclass(kw_only=True, eq=False)
class Fan:
    upstreams: dict[str, Service]
    book: Book
    patience: float
    _hung: set[str] = field(default_factory=set[str], repr=False)
    _told: set[str] = field(default_factory=set[str], repr=False)

    def to(self, call: Call, key: str, hears: Hears | None = None) -> Call:
        """The call as one server gets it."""
        return replace(call, client=Voice(client=call.client, server=key, book=self.book, hears=hears))

    async def gather(self, ask: Ask, keys: Iterable[str] | None = None) -> tuple[Said, Failed]:
        """What each says, and why some did not. One that hung before is not waited for so long again."""
        said: Said = {}
        failed: Failed = {}

        async def one(key: str) -> None:
            patience = self.patience / 10 if key in self._hung else self.patience
            with anyio.move_on_after(patience) as scope:
                try:
                    said[key] = await ask(key)
                except Exception as error:
                    failed[key] = error
            if scope.cancelled_caught:
                self._hung.add(key)
                failed[key] = TimeoutError(f"it did not answer within {patience:g} seconds")
            else:
                self._hung.discard(key)

        async with anyio.create_task_group() as group:
            for key in self.upstreams if keys is None else keys:
                group.start_soon(one, key)
        return {key: said[key] for key in self.upstreams if key in said}, failed

    async def say(self, call: Call, key: str, error: str) -> None:
        """To the client, where it wants to hear such things, and to whoever reads our own lines."""
        self.warn(key, error)
        if not modern(call.client) or f"{META}logLevel" in object_of(call.params.get("_meta")):
            said = {"level": "warning", "logger": "lookahead", "data": absence(key, error)}
            await call.client.tell("notifications/message", said)

    def warn(self, key: str, error: str) -> None:
        if (line := absence(key, error)) not in self._told and len(self._told) < _TOLD:
            self._told.add(line)
            log.warning("%s", line)


def absence(key: str, error: str) -> str:
    return f"the server {key!r} is not available: {safe(error)}"


class Absent(RpcError):
    """A server could not be had, so nothing was asked of it."""

    def __init__(self, key: str, error: str) -> None:
        super().__init__(INTERNAL_ERROR, absence(key, error))
        self.why = error


def why(error: Exception) -> str:
    return error.why if isinstance(error, Absent) else str(error) or type(error).__name__


def cause(error: BaseException) -> BaseException:
    """What went wrong where tasks that belong together ended together."""
    while isinstance(error, BaseExceptionGroup):
        error = cast(BaseExceptionGroup[BaseException], error).exceptions[0]
    return error


def first(failed: Mapping[str, Exception]) -> Exception:
    """The error that says most: one of a server that has something to say on the matter."""
    errors = list(failed.values())
    return next((error for error in errors if not unknown(error)), errors[0])


def unknown(error: Exception) -> bool:
    return isinstance(error, RpcError) and error.code == METHOD_NOT_FOUND
