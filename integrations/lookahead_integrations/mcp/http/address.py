"""Where an upstream is, and what we send there besides the messages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from lookahead.errors import ConfigError

OURS: Final = frozenset(
    {"accept", "connection", "content-length", "content-type", "host", "keep-alive", "last-event-id", "origin", "te",
     "trailer", "transfer-encoding", "upgrade"}
)  # fmt: skip
"""Headers that belong to one connection, or that the transport writes itself: never a client's, never configured."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """An upstream at a URL."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Sent with every request: they may hold secrets."""
    passed: frozenset[str] = frozenset()
    """Names of a client's headers that are passed on."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"--url {self.shown}: not the URL of an MCP server; it begins with https:// or http://")
        for name in (*self.headers, *self.passed):
            if name.lower() in OURS or name.lower().startswith("mcp-"):
                raise ConfigError(f"the header {name} is written by the proxy itself: it cannot be set or passed on")
        for name, value in self.headers.items():
            if not name.isascii() or not value.isascii() or not value.isprintable():
                raise ConfigError(f"the header {name} holds a character that no header can hold")

    @property
    def shown(self) -> str:
        """For messages: without a password, a query or a fragment, which can hold secrets."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def for_client(self, headers: Mapping[str, str]) -> dict[str, str]:
        """What goes with a request that a client with these headers made."""
        passed = {name.lower() for name in self.passed}
        allowed = {name: value for name, value in headers.items() if name in passed}
        own = {name: value for name, value in self.headers.items() if name.lower() not in allowed}
        return {**own, **allowed}
