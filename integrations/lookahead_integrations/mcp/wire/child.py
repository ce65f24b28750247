"""A server that is a process of ours: its whole environment is ours, its stderr is shown, and it ends when we do."""

import contextlib
import logging
import os
import signal
import subprocess
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Final, cast

import anyio
from anyio.abc import TaskGroup

from lookahead_integrations.mcp.exchange import META, Call, Json
from lookahead_integrations.mcp.settings import Limits
from lookahead_integrations.mcp.wire.channel import Channel, ChannelClosed, Listener
from lookahead_integrations.mcp.wire.command import Command
from lookahead_integrations.mcp.wire.frames import Notice, Request
from lookahead_integrations.mcp.wire.peer import Peer
from lookahead_integrations.mcp.wire.pipes import Pipes

log: Final = logging.getLogger("lookahead.mcp")

_LAST_WORDS: Final = 8
"""Lines of stderr that an error quotes."""
_LONGEST_LINE: Final = 4000
_PATIENCE: Final = 2.0
"""Seconds that a server has to end when its input ends, and again when it is told to."""
_LOOK: Final = 0.05


@dataclass(kw_only=True, eq=False)
class Spawner:
    """Opens channels to processes of one command."""

    command: Command
    limits: Limits = field(default_factory=Limits)
    early: "subprocess.Popen[bytes] | None" = None
    """One that was started before anybody needed it."""

    @contextlib.asynccontextmanager
    async def __call__(self, listener: Listener) -> AsyncGenerator[Channel]:
        process, self.early = self.early, None
        if process is None:
            process = self.command.start()
        try:
            async with anyio.create_task_group() as tasks:
                channel = ChildChannel(process, listener, self.limits)
                channel.begin(tasks)
                try:
                    yield channel
                finally:
                    with anyio.CancelScope(shield=True):
                        await channel.end()
                    tasks.cancel_scope.cancel()
        finally:
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()

    async def aclose(self) -> None:
        """A process that nobody came to use is not left behind."""
        process, self.early = self.early, None
        if process is not None:
            with anyio.CancelScope(shield=True):
                await _ended(process)


class ChildChannel:
    """JSON-RPC with one process."""

    def __init__(self, process: "subprocess.Popen[bytes]", listener: Listener, limits: Limits) -> None:
        self.process, self.listener = process, listener
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        wire = Pipes(read=process.stdout.fileno(), write=process.stdin.fileno())
        self.peer = Peer(
            wire=wire, answer=self._asked, hear=self._heard, limits=limits, strict=False, odd=self._said_oddly
        )
        self._stderr = process.stderr.fileno()
        self._related: dict[int, tuple[Listener, object]] = {}
        """By the id of a request, which is its token too: who hears of it, and what token it came with."""
        self._words: deque[str] = deque(maxlen=_LAST_WORDS)
        self._odd = False
        self._ending = False
        self._gone, self._quiet = anyio.Event(), anyio.Event()

    @property
    def alive(self) -> bool:
        return not self.peer.ended.is_set()

    def begin(self, tasks: TaskGroup) -> None:
        tasks.start_soon(self.peer.run)
        tasks.start_soon(self._stderr_on)
        tasks.start_soon(self._reap)

    async def request(
        self, method: str, params: Json | None, /, *, call: Call | None = None, related: Listener | None = None
    ) -> Json:
        id = self.peer.next()
        if related is not None:
            token, params = _tagged(params, id)
            self._related[id] = related, token
        try:
            return await self.peer.request(method, params, id=id)
        except ChannelClosed as error:
            raise ChannelClosed(await self._why(), sent=error.sent) from error
        finally:
            self._related.pop(id, None)

    async def notify(self, method: str, params: Json | None, /) -> None:
        try:
            await self.peer.notify(method, params)
        except ChannelClosed as error:
            raise ChannelClosed(await self._why(), sent=error.sent) from error

    async def closed(self) -> str:
        await self.peer.ended.wait()
        return await self._why()

    async def end(self) -> None:
        """Its input ends; if that is not enough it is told to end; if that is not enough it is ended."""
        # Who ends by itself has something to say about it.
        self._ending = self.alive and not self._gone.is_set()
        if self.process.stdin is not None and not self.process.stdin.closed:
            anyio.notify_closing(self.process.stdin)
        await _ended(self.process)

    async def _why(self) -> str:
        with anyio.move_on_after(1.0):
            await self._gone.wait()
            await self._quiet.wait()
        code = self.process.poll()
        if code is None:
            said = "the server has closed its output"
        elif code < 0:
            said = f"the server was ended by {_signal(-code)}"
        else:
            said = f"the server ended with exit code {code}"
        if not self._words or self._ending:
            return said
        # They go to the client, and so to a model: what a server tells its own log may hold a secret.
        from lookahead.redact import shared

        return f"{said}. Its last words:\n{shared().text(chr(10).join(self._words))}"

    async def _asked(self, request: Request) -> Json:
        return await self.listener.asked(request.method, request.params)

    async def _heard(self, notice: Notice) -> None:
        params = notice.params
        if notice.method == "notifications/progress":
            found = self._of(params.get("progressToken"))
            if found is not None and found[1] is not None:
                await found[0].told(notice.method, {**params, "progressToken": found[1]})
            return
        meta = params.get("_meta")
        found = self._of(cast(Json, meta).get(META + "subscriptionId")) if isinstance(meta, dict) else None
        listener = found[0] if found is not None else self.listener
        await listener.told(notice.method, params)

    def _of(self, id: object) -> tuple[Listener, object] | None:
        return self._related.get(id) if isinstance(id, int) and not isinstance(id, bool) else None

    def _said_oddly(self, line: bytes | None) -> None:
        if not self._odd:
            self._odd = True
            from lookahead.show import safe

            said = "too long" if line is None else safe(line[:400].decode(errors="replace"))
            log.warning("the server writes to stdout what is no message of the protocol, and it is left out: %s", said)

    async def _stderr_on(self) -> None:
        """Its stderr goes to ours, line by line: whole, but for what a terminal would obey."""
        from lookahead.show import safe

        pipes, rest = Pipes(read=self._stderr, write=2), b""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pipes.pump)
            while chunk := await pipes.receive():
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > _LONGEST_LINE:
                    lines, rest = [*lines, rest], b""
                await self._show(pipes, [safe(line.decode(errors="replace"), None) for line in lines])
            if rest:
                await self._show(pipes, [safe(rest.decode(errors="replace"), None)])
            self._quiet.set()
            tasks.cancel_scope.cancel()

    async def _show(self, pipes: Pipes, lines: list[str]) -> None:
        self._words.extend(line for line in lines if line.strip())
        with contextlib.suppress(anyio.BrokenResourceError):
            await pipes.send("".join(f"{line}\n" for line in lines).encode(errors="replace"))

    async def _reap(self) -> None:
        """Notices the end of the process, which may leave its pipes open to others."""
        await _exit(self.process)
        self._gone.set()
        with anyio.move_on_after(_PATIENCE):
            # What it wrote last is still on its way.
            await self.peer.ended.wait()
        self.peer.close()


def _tagged(params: Json | None, id: int) -> tuple[object, Json | None]:
    """The token that progress is told by, replaced by one that is unique here."""
    meta = (params or {}).get("_meta")
    if not isinstance(meta, dict) or "progressToken" not in meta:
        return None, params
    given = cast(Json, meta)
    return given["progressToken"], {**(params or {}), "_meta": {**given, "progressToken": id}}


async def _exit(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        return
    try:
        watch = os.pidfd_open(process.pid)
    except OSError:
        # A kernel without such descriptors, or none left.
        while process.poll() is None:  # noqa: ASYNC110
            await anyio.sleep(_LOOK)
        return
    try:
        while process.poll() is None:
            await anyio.wait_readable(watch)
    finally:
        os.close(watch)


async def _ended(process: "subprocess.Popen[bytes]") -> None:
    if process.stdin is not None:
        process.stdin.close()
    for send in (None, signal.SIGTERM, signal.SIGKILL):
        if send is not None:
            # The whole group: `npx`, `uvx` and the like start the server in a process of its own.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, send)
        with anyio.move_on_after(_PATIENCE):
            await _exit(process)
            break
    # What it started may outlive it.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
