"""Who may speak to the proxy over HTTP at all: the right host, the right page, a body that fits."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

LARGEST_BODY: Final = 4 << 20
"""Bytes of one request."""

LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, kw_only=True)
class Turned:
    """Why a request is not let in, as an HTTP status and a sentence."""

    status: int
    why: str


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The checks that need the head of a request alone.

    A page of a stranger can make a browser speak to an address of this machine (DNS rebinding): its requests carry that
    page's name as Host, or as Origin. So only names that this endpoint is known by are let in.
    """

    hosts: frozenset[str] = frozenset(LOOPBACK)
    """Names that may stand in Host, without a port."""
    origins: frozenset[str] = field(default_factory=frozenset[str])
    """Pages, besides those of the hosts themselves, that may speak to it: `https://app.example`."""
    largest: int = LARGEST_BODY

    def turns(self, headers: Mapping[str, str]) -> Turned | None:
        host = headers.get("host", "")
        if _name(host) not in self.hosts:
            return Turned(status=421, why="this endpoint is not known by that Host")
        origin = headers.get("origin")
        if origin is not None and origin not in self.origins and not self._own(origin):
            return Turned(status=403, why="pages of that Origin may not speak to this endpoint")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self.largest:
            return Turned(status=413, why=f"a request may have {self.largest:,} bytes")
        return None

    def _own(self, origin: str) -> bool:
        parts = urlsplit(origin)
        return parts.scheme in ("http", "https") and _name(parts.netloc) in self.hosts


def gate_for(
    host: str, *, hosts: tuple[str, ...] = (), origins: tuple[str, ...] = (), largest: int = LARGEST_BODY
) -> Gate:
    """Of an endpoint that listens there: it is known by the loopback's names, by that address, and by those given."""
    names = (*LOOPBACK, _bracketed(host), *hosts)
    return Gate(hosts=frozenset(name.lower() for name in names), origins=frozenset(origins), largest=largest)


def loopback(host: str) -> bool:
    """Whether only this machine can reach an endpoint that listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def accepts(headers: Mapping[str, str], *wanted: str) -> bool:
    """Whether the client reads answers of all these types."""
    named = {part.split(";")[0].strip().lower() for part in headers.get("accept", "").split(",")}
    return "*/*" in named or all(kind in named or f"{kind.split('/')[0]}/*" in named for kind in wanted)


def prefers_events(headers: Mapping[str, str]) -> bool:
    """Whether the client names a stream of events before a plain answer."""
    named = headers.get("accept", "").lower()
    return -1 < named.find("text/event-stream") < named.find("application/json")


def is_json(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").split(";")[0].strip().lower() == "application/json"


def _name(host: str) -> str:
    """A Host without its port: `[::1]:80` is `[::1]`."""
    host = host.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
