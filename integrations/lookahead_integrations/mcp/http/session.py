"""A session of the older era over HTTP: what one client said of itself, what it is to read, what it was asked."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio

from lookahead_integrations.mcp.exchange import LEGACY, Json, Question
from lookahead_integrations.mcp.http.stream import Stream, Streams
from lookahead_integrations.mcp.wire import frames
from lookahead_integrations.mcp.wire.channel import ChannelClosed
from lookahead_integrations.mcp.wire.frames import Id, Reply

RESUMES: str = LEGACY[-1]
"""From this revision on a client understands that it may lose its connection, and read on."""


@dataclass(kw_only=True, eq=False)
class _Waiter:
    done: anyio.Event = field(default_factory=anyio.Event)
    reply: Reply | None = None


@dataclass(kw_only=True, eq=False)
class Session:
    owner: str
    """A digest of the credential that opened it: with another one, there is no such session."""
    version: str = LEGACY[-1]
    info: Json = field(default_factory=dict[str, object])
    capabilities: Json = field(default_factory=dict[str, object])
    id: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    streams: Streams = field(default_factory=Streams)
    running: dict[Id, anyio.CancelScope] = field(default_factory=dict[Id, anyio.CancelScope])
    """By the id of the request."""
    open: int = 0
    """Requests by HTTP that are being answered."""
    used: float = field(default_factory=anyio.current_time)
    ended: bool = False
    _waiters: dict[Id, _Waiter] = field(default_factory=dict[Id, _Waiter])
    _count: int = 0

    def __post_init__(self) -> None:
        # Whoever knows the id is in the session: it is in no journal.
        self.key = f"http-{hashlib.sha256(self.id.encode()).hexdigest()[:20]}"

    @property
    def resumes(self) -> bool:
        return self.version >= RESUMES

    def replied(self, reply: Reply) -> None:
        waiter = self._waiters.get(reply.id)
        if waiter is None and isinstance(reply.id, str) and reply.id.isdecimal() and len(reply.id) < 20:
            waiter = self._waiters.get(int(reply.id))  # some write every id as a string
        if waiter is not None and waiter.reply is None:
            waiter.reply = reply
            waiter.done.set()

    async def ask(self, question: Question, stream: Stream, seconds: float) -> Json:
        if self.ended:
            raise ChannelClosed("the client has ended its session", sent=False)
        self._count += 1
        id, waiter = self._count, _Waiter()
        self._waiters[id] = waiter
        try:
            self.say(frames.request(id, question.method, question.params), stream)
            with anyio.fail_after(seconds):
                await waiter.done.wait()
        except BaseException:
            self.say(frames.notice("notifications/cancelled", {"requestId": id}), stream)
            raise
        finally:
            self._waiters.pop(id, None)
        if waiter.reply is None:
            raise ChannelClosed("the client has ended its session", sent=True)
        if waiter.reply.error is not None:
            raise waiter.reply.error
        return waiter.reply.result or {}

    def say(self, message: Json, stream: Stream) -> None:
        """On the connection of a call while that is open, else on the one that the client keeps open for it."""
        line = frames.written(message).rstrip(b"\n")
        self.streams.put(self.streams.own if stream.ended else stream, line)

    def end(self) -> None:
        self.ended = True
        for scope in list(self.running.values()):
            scope.cancel()
        for waiter in list(self._waiters.values()):
            waiter.done.set()
        self.streams.end()


@dataclass(frozen=True, kw_only=True, eq=False)
class SessionClient:
    """The client of one call of a session."""

    session: Session
    stream: Stream
    headers: Mapping[str, str]
    patience: float

    @property
    def key(self) -> str:
        return self.session.key

    @property
    def version(self) -> str:
        return self.session.version

    @property
    def info(self) -> Json:
        return self.session.info

    @property
    def capabilities(self) -> Json:
        return self.session.capabilities

    async def ask(self, questions: Mapping[str, Question], /) -> dict[str, Json]:
        return {
            key: await self.session.ask(question, self.stream, self.patience) for key, question in questions.items()
        }

    async def tell(self, method: str, params: Json, /) -> None:
        self.session.say(frames.notice(method, params), self.stream)

    def hang_up(self) -> None:
        """Frees the connection of a call that takes its time: the client comes back for the answer."""
        if self.session.resumes:
            self.stream.hang_up()
