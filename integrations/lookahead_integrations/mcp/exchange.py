"""What passes through the proxy: one call of a client, who made it, and who answers it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, TypeAlias

Json: TypeAlias = dict[str, Any]
"""An object of a frame, as it came: a field that nobody here knows passes on untouched."""

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603

LEGACY: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""Revisions that begin with `initialize`, oldest first."""
MODERN: Final = ("2026-07-28",)
"""Revisions without a session: each request says who asks, and begins with nothing or with `server/discover`."""

META: Final = "io.modelcontextprotocol/"
"""Begins the names that are the protocol's own in `_meta`: `protocolVersion`, `clientInfo`, `clientCapabilities`, …"""

CLOSED: Final = "lookahead/closed"
"""A notice among ourselves, never on a wire: this client's conversation is over, forget what is kept for its key."""

LISTS: Final[Mapping[str, str]] = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
"""Under which name the answer to each of these holds what it lists."""
TOOLS_CHANGED: Final = "notifications/tools/list_changed"


class RpcError(Exception):
    """An error that belongs on the wire, with its code and data as they came from whoever raised it."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


class Lost(RpcError):
    """The call was sent on, and whoever was to answer it is gone or silent: nobody knows whether it happened.

    A call that was not sent on, because nobody was there to take it, raises a plain RpcError: it did not happen.
    """


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a server asks of a client while a call of that client is under way: elicitation, sampling, roots."""

    method: str
    params: Json = field(default_factory=dict[str, Any])


class Client(Protocol):
    """Who makes a call, in whichever era of the protocol it speaks. Lives as long as that one call.

    That of `initialize` lives as long as the connection: what a server says or asks outside of calls goes through it.
    """

    @property
    def key(self) -> str:
        """Names the connection or session that the call came by; calls with the same key are of one conversation."""
        ...

    @property
    def version(self) -> str:
        """The revision that this call is made in."""
        ...

    @property
    def info(self) -> Json: ...

    @property
    def capabilities(self) -> Json:
        """What this client declared, for this call where it says so with each call."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the HTTP request, names in lower case; empty on stdio."""
        ...

    async def ask(self, questions: Mapping[str, Question], /) -> dict[str, Json]:
        """Put questions to the client and wait for its answers, by the same keys.

        A client of the older era is sent requests. One of the newer era gets `input_required` as the answer to its
        call, and the call waits here until it is made again with the answers. Raises RpcError where a client cannot be
        asked that, and TimeoutError where nobody answered in time.
        """
        ...

    async def tell(self, method: str, params: Json, /) -> None:
        """A notification that belongs to this call: progress, a log line, an update that was subscribed to.

        Whoever wrote the front puts the id of a `subscriptions/listen` on what is told in it.
        """
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Through:
    """A client, as somebody on the way to its server passes it on: what is said to it, or by it, can be changed."""

    client: Client

    @property
    def key(self) -> str:
        return self.client.key

    @property
    def version(self) -> str:
        return self.client.version

    @property
    def info(self) -> Json:
        return self.client.info

    @property
    def capabilities(self) -> Json:
        return self.client.capabilities

    @property
    def headers(self) -> Mapping[str, str]:
        return self.client.headers

    async def ask(self, questions: Mapping[str, Question], /) -> dict[str, Json]:
        return await self.client.ask(questions)

    async def tell(self, method: str, params: Json, /) -> None:
        await self.client.tell(method, params)


def modern(client: Client) -> bool:
    return client.version in MODERN


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request of a client, or a notification of it, which nobody answers."""

    method: str
    params: Json = field(default_factory=dict[str, Any])
    client: Client
    notice: bool = False

    def asking(self, **params: Any) -> "Call":
        """The same call with other parameters."""
        return replace(self, params={**self.params, **params})


class Service(Protocol):
    """Answers calls: an upstream server, or one of the proxy's modes in front of another service.

    Cancelling it is the client's cancellation. What a mode does is thus a function of a service to a service.
    """

    async def __call__(self, call: Call, /) -> Json: ...
