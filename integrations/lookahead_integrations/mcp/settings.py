"""What the proxy was told: whom to stand in front of, in which mode, and within which bounds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, get_args

from lookahead.errors import ConfigError

Mode: TypeAlias = Literal["guard", "simulate", "shadow", "record", "replay", "off"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)

Source: TypeAlias = Literal["replay", "simulate", "forward"]
"""Who answers what a recording does not hold."""
SOURCES: Final[tuple[Source, ...]] = get_args(Source)

EXTENSIONS: Final = ("resolve", "interceptors")

_CALLED: Final[Mapping[str, Mode]] = {"dry-run": "simulate"}
"""What the other hosts of Lookahead call a mode of ours."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """So much, and no more, of what others can make us keep."""

    frame: int = 16 * 1024 * 1024
    """Bytes of one message."""
    depth: int = 200
    """Brackets within brackets."""
    calls: int = 1024
    """Requests of one connection that are under way at once."""
    parked: int = 256
    """Calls that wait for an answer of their client."""
    patience: float = 300.0
    """Seconds that such a call waits."""
    conversations: int = 32
    """Processes of one upstream at once: each client has one of its own, and with it what that keeps in memory."""
    sessions: int = 1000
    """The same of an upstream that is reached by HTTP, where a session costs little."""
    idle: float = 1800.0
    """Seconds after which a conversation that nobody closes is over."""
    handshake: float = 60.0
    """Seconds that an upstream has for its first answer."""


@dataclass(frozen=True, kw_only=True)
class ProxySettings:
    """One proxy. What is None comes from `LOOKAHEAD_*` variables, then from `lookahead.toml`, by `wrap.options_of`."""

    command: tuple[str, ...] = ()
    """Of the upstream, with its arguments; it gets our whole environment."""
    env: Mapping[str, str] | None = None
    """Over our own environment."""
    cwd: str | None = None
    url: str | None = None
    config: str | None = None
    """A file of several upstreams."""
    listen: str | None = None
    """HOST:PORT to serve HTTP at; None: stdio."""

    mode: Mode = "guard"
    world: str | None = None
    policy: Any = None
    """A path, a mapping or a Policy."""
    journal: str | None = None
    goal: str | None = None
    name: str = ""
    """Of the upstream, in records and messages; empty: what it calls itself."""

    saved: str | None = None
    """A saved list of tools (and of resources and prompts), for an upstream that is not there."""
    recording: str | None = None
    """A journal to replay from; None: our own."""
    run: str | None = None
    """The run in it; None: all of them."""
    replay: Literal["in-order", "match"] = "match"
    """Whether recorded answers are told one after the other, or by the call and what was changed before it."""
    chain: tuple[Source, ...] = ("replay",)
    """In replay mode: who is asked, in this order."""
    sampling: bool = True
    """Whether a client's own model may imagine, where nothing better is configured."""

    pins: str | None = None
    """A file that holds the tools that were accepted; None: beside the journal."""
    strict: bool = False
    """Whether every tool that comes later waits until it is accepted, also one that is like none of the others."""
    extensions: tuple[str, ...] = ()
    """What is offered over the protocol itself: `resolve`, `interceptors`."""

    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Sent to an upstream at a URL."""
    passed: tuple[str, ...] = ()
    """Names of a client's HTTP headers that go on to the upstream; none by default, not even its token."""
    tokens: tuple[str, ...] = ()
    """Whoever connects by HTTP has one of these; none: nobody is asked."""
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    """That are let in by HTTP beside this machine's own."""

    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ConfigError(f"mode={self.mode!r} is not one of {', '.join(MODES)}")
        if unknown := [name for name in self.chain if name not in SOURCES]:
            raise ConfigError(f"{unknown[0]!r} cannot answer a call; these can: {', '.join(SOURCES)}")
        if unknown := [name for name in self.extensions if name not in EXTENSIONS]:
            raise ConfigError(f"{unknown[0]!r} cannot be offered; these can: {', '.join(EXTENSIONS)}")
        given = [bool(self.command), self.url is not None, self.config is not None]
        if sum(given) > 1:
            raise ConfigError("one upstream: a command after --, or --url, or several by --config")
        if not any(given) and self.saved is None and self.mode not in ("simulate", "replay"):
            raise ConfigError("no upstream: name a command after --, or --url, or --config; see lookahead proxy --help")


def mode_of(name: str) -> Mode:
    """A mode by its name here, or by the one that it has where an agent is wrapped."""
    for mode in MODES:
        if name == mode or _CALLED.get(name) == mode:
            return mode
    raise ConfigError(f"mode={name!r} is not one of {', '.join(MODES)}")
