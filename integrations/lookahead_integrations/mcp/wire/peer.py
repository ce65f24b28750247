"""One JSON-RPC connection: requests both ways at the same time, each answered once, given up, or told of the end."""

import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from lookahead_integrations.mcp.exchange import INTERNAL_ERROR, INVALID_REQUEST, Json, RpcError
from lookahead_integrations.mcp.settings import Limits
from lookahead_integrations.mcp.wire import frames
from lookahead_integrations.mcp.wire.channel import ChannelClosed
from lookahead_integrations.mcp.wire.frames import BadFrame, Id, Lines, Message, Notice, Reply, Request
from lookahead_integrations.mcp.wire.pipes import Wire

log: Final = logging.getLogger("lookahead.mcp")

Answer: TypeAlias = Callable[[Request], Awaitable[Json]]
Hear: TypeAlias = Callable[[Notice], Awaitable[None]]

_NEVER_CANCELLED: Final = ("initialize", "server/discover")
_PARTING: Final = 1.0
"""Seconds for telling the other side what is of no use to it any more."""

_why: ContextVar["_Running | None"] = ContextVar("_why", default=None)
"""The request of the other side for which this task works, so that its reason to give up can be passed on."""


@dataclass(kw_only=True, eq=False)
class _Running:
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    cancelled: bool = False
    reason: object = None


@dataclass(kw_only=True, eq=False)
class _Waiter:
    done: anyio.Event = field(default_factory=anyio.Event)
    reply: Reply | None = None


@dataclass(kw_only=True, eq=False)
class Peer:
    """The other end of a wire. Whoever makes one runs it, and asks, tells and answers meanwhile."""

    wire: Wire
    answer: Answer
    hear: Hear
    limits: Limits = field(default_factory=Limits)
    strict: bool = True
    """Whether the other side is told of what it writes that is no message: a client is."""
    batches: bool = False
    """Whether several messages may come in one."""
    odd: Callable[[bytes | None], None] = lambda line: None
    """Told of a line that is no message, where nobody is answered; None: of one that is too long."""
    grace: float = 0.0
    """Seconds in which what is under way may be answered after the other side has said its last word."""
    ended: anyio.Event = field(default_factory=anyio.Event)
    _idle: anyio.Event = field(default_factory=anyio.Event)
    _count: int = 0
    _waiters: dict[Id, _Waiter] = field(default_factory=dict[Id, _Waiter], repr=False)
    _running: dict[Id, _Running] = field(default_factory=dict[Id, _Running], repr=False)

    async def run(self) -> None:
        """Until the other side says nothing more. Who waits for an answer then is told that none will come."""
        lines = Lines(limit=self.limits.frame)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.wire.pump)
                while chunk := await self.wire.receive():
                    for line in lines.feed(chunk):
                        await self._line(tasks, line)
                    # A flood of messages must not keep everybody else from their turn.
                    await anyio.lowlevel.checkpoint()
                with anyio.move_on_after(self.grace):
                    while self._running:
                        await self._idle.wait()
                tasks.cancel_scope.cancel()
        finally:
            self.close()

    def close(self) -> None:
        self.ended.set()
        waiters, self._waiters = self._waiters, {}
        for waiter in waiters.values():
            waiter.done.set()

    def next(self) -> int:
        """An id that no request of ours has had."""
        self._count += 1
        return self._count

    async def request(self, method: str, params: Json | None, *, id: int | None = None) -> Json:
        """Raises RpcError as the other side says it, and ChannelClosed where it does not answer any more."""
        if self.ended.is_set():
            raise ChannelClosed("the connection has ended", sent=False)
        id, waiter = id or self.next(), _Waiter()
        self._waiters[id] = waiter
        try:
            await self._send(frames.request(id, method, params))
            await waiter.done.wait()
        except BaseException as error:
            if not isinstance(error, Exception) and method not in _NEVER_CANCELLED and not self.ended.is_set():
                await self._give_up(id)
            raise
        finally:
            self._waiters.pop(id, None)
        if waiter.reply is None:
            raise ChannelClosed("the connection ended before there was an answer", sent=True)
        if waiter.reply.error is not None:
            raise waiter.reply.error
        return cast(Json, waiter.reply.result)

    async def notify(self, method: str, params: Json | None) -> None:
        await self._send(frames.notice(method, params))

    async def _send(self, message: Any) -> None:
        try:
            line = frames.written(message)
        except ValueError as error:
            raise RpcError(INTERNAL_ERROR, f"this cannot be said in JSON: {error}") from error
        try:
            await self.wire.send(line)
        except anyio.BrokenResourceError as error:
            raise ChannelClosed("the other side reads no more", sent=False) from error

    async def _give_up(self, id: Id) -> None:
        mine = _why.get()
        reason = mine.reason if mine is not None and mine.cancelled else None
        params: Json = {"requestId": id, **({"reason": reason} if reason is not None else {})}
        with anyio.move_on_after(_PARTING, shield=True):
            try:
                await self.notify("notifications/cancelled", params)
            except RpcError:
                log.debug("nobody is there to be told that %s is given up", id)

    async def _line(self, tasks: TaskGroup, line: bytes | None) -> None:
        try:
            if line is None:
                raise BadFrame(INVALID_REQUEST, f"a message is longer than {self.limits.frame} bytes")
            found = frames.read(line, strict=self.strict, depth=self.limits.depth)
            several = frames.messages(found, batches=self.batches or not self.strict, most=self.limits.calls)
            if isinstance(found, list) and self.strict:
                tasks.start_soon(self._batch, list(several))
                return
            for one in several:
                await self._message(tasks, frames.message(one))
        except BadFrame as error:
            await self._bad(line, error)

    async def _bad(self, line: bytes | None, error: BadFrame) -> None:
        if self.strict:
            await self._say(frames.refusal(error.id, error))
            return
        # An answer that is not JSON (NaN, say) is an answer still: who waits for it must not wait for ever.
        id = frames.broken(line) if line is not None else None
        waiter = self._waiters.get(id) if id is not None else None
        if id is None or waiter is None:
            self.odd(line)
        elif waiter.reply is None:
            waiter.reply = Reply(id, None, RpcError(INTERNAL_ERROR, f"the answer cannot be read: {error.message}"))
            waiter.done.set()

    async def _message(self, tasks: TaskGroup, message: Message) -> None:
        if isinstance(message, Reply):
            self._replied(message)
        elif isinstance(message, Notice):
            await self._heard(message)
        elif refused := self._refused(message):
            await self._say(refused)
        else:
            running = self._running[message.id] = _Running()
            tasks.start_soon(self._serve, message, running)

    def _refused(self, request: Request) -> Json | None:
        if request.id in self._running:
            error = RpcError(INVALID_REQUEST, f"a request with the id {request.id!r} is under way: an id is used once")
            return frames.refusal(request.id, error)
        if len(self._running) >= self.limits.calls:
            return frames.refusal(request.id, RpcError(INTERNAL_ERROR, f"{self.limits.calls} requests are under way"))
        return None

    async def _serve(self, request: Request, running: _Running) -> None:
        try:
            said = await self._answered(request, running)
            if said is not None:
                await self._say(said)
        finally:
            del self._running[request.id]
            if not self._running:
                idle, self._idle = self._idle, anyio.Event()
                idle.set()

    async def _answered(self, request: Request, running: _Running) -> Json | None:
        """The answer; None where the other side has given the request up."""
        _why.set(running)
        try:
            with running.scope:
                return frames.answer(request.id, await self.answer(request))
        except Exception as error:
            return None if running.cancelled else frames.refusal(request.id, named(error))
        return None

    async def _say(self, message: Any) -> None:
        try:
            await self._send(message)
        except ChannelClosed:
            log.debug("an answer found nobody who reads it")
        except RpcError as error:
            if "id" in message:
                await self._say(frames.refusal(message["id"], error))

    async def _batch(self, several: list[Any]) -> None:
        said: list[Json] = []

        async def one(found: Any) -> None:
            try:
                message = frames.message(found)
            except BadFrame as error:
                said.append(frames.refusal(error.id, error))
                return
            if isinstance(message, Reply):
                self._replied(message)
            elif isinstance(message, Notice):
                await self._heard(message)
            elif refused := self._refused(message):
                said.append(refused)
            else:
                running = self._running[message.id] = _Running()
                try:
                    if (answer := await self._answered(message, running)) is not None:
                        said.append(answer)
                finally:
                    del self._running[message.id]

        async with anyio.create_task_group() as tasks:
            for found in several:
                tasks.start_soon(one, found)
        if said:
            await self._say(said)

    def _replied(self, reply: Reply) -> None:
        waiter = self._waiters.get(reply.id)
        if waiter is None and isinstance(reply.id, str) and reply.id.isdecimal() and len(reply.id) < 20:
            # Some write every id as a string.
            waiter = self._waiters.get(int(reply.id))
        if waiter is not None and waiter.reply is None:
            waiter.reply = reply
            waiter.done.set()

    async def _heard(self, notice: Notice) -> None:
        if notice.method == "notifications/cancelled":
            id = notice.params.get("requestId")
            running = self._running.get(id) if isinstance(id, int | str) and not isinstance(id, bool) else None
            if running is not None:
                running.cancelled, running.reason = True, notice.params.get("reason")
                running.scope.cancel()
            return
        try:
            await self.hear(notice)
        except Exception as error:
            log.warning("%s could not be passed on: %s", notice.method, named(error).message)


def named(error: BaseException) -> RpcError:
    """What the other side is told of an error. What is not meant for it stays in our own log."""
    while isinstance(error, BaseExceptionGroup) and len(several := cast(Any, error).exceptions) == 1:
        error = cast(BaseException, several[0])
    if isinstance(error, RpcError):
        return error
    if isinstance(error, TimeoutError):
        return RpcError(INTERNAL_ERROR, "no answer in time")
    from lookahead.errors import LookaheadError

    if isinstance(error, LookaheadError):
        return RpcError(INTERNAL_ERROR, str(error))
    log.error("a call failed inside of the proxy", exc_info=cast(BaseException, error))
    return RpcError(INTERNAL_ERROR, "internal error; the proxy's own log on stderr says more")
