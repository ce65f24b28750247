"""The endpoint for clients of the older era: a session that `initialize` opens, and DELETE or time ends."""

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

import anyio
from anyio.abc import TaskGroup

from lookahead_integrations.mcp.exchange import CLOSED, INTERNAL_ERROR, LEGACY, Call, Json, RpcError, Service
from lookahead_integrations.mcp.http import sse
from lookahead_integrations.mcp.http.asgi import Http
from lookahead_integrations.mcp.http.gate import accepts, prefers_events
from lookahead_integrations.mcp.http.session import Session, SessionClient
from lookahead_integrations.mcp.http.stream import Stream
from lookahead_integrations.mcp.settings import Limits
from lookahead_integrations.mcp.wire import frames
from lookahead_integrations.mcp.wire.frames import Message, Notice, Reply, Request
from lookahead_integrations.mcp.wire.peer import named

SESSIONS: Final = 1000
"""That are open at once."""
RETRY: Final = 0.5
"""Seconds after which a client that lost its connection may come back."""
QUICK: Final = 0.25
"""Seconds in which a call that says nothing meanwhile is answered as it is, without a stream of events."""
REQUEST_CANCELLED: Final = -32800
_ENDED: Final = "no such session: it has ended, or never was. Initialize a new one"


@dataclass(kw_only=True, eq=False)
class Handshake:
    service: Service
    tasks: TaskGroup
    limits: Limits
    most: int = SESSIONS
    sessions: dict[str, Session] = field(default_factory=dict[str, Session])

    async def __call__(self, http: Http, owner: str) -> None:
        if http.method == "POST":
            await self._post(http, owner)
        elif http.method == "GET":
            await self._get(http, owner)
        elif http.method == "DELETE":
            if (session := await self._session(http, owner)) is not None:
                await self.end(session)
                await http.answer(200)
        else:
            await http.refuse(405, "an MCP endpoint knows POST, GET and DELETE", allow="POST, GET, DELETE")

    async def sweep(self) -> None:
        """Ends sessions that nobody has used for long."""
        while True:
            await anyio.sleep(max(self.limits.idle / 20, 0.01))
            now = anyio.current_time()
            for session in list(self.sessions.values()):
                if not session.open and now - session.used > self.limits.idle:
                    await self.end(session)

    async def end(self, session: Session) -> None:
        if self.sessions.pop(session.id, None) is None:
            return
        session.end()
        client = self._client(session, session.streams.own, {})
        self.tasks.start_soon(_quietly, self.service, Call(method=CLOSED, client=client, notice=True))

    async def _post(self, http: Http, owner: str) -> None:
        if not accepts(http.headers, "application/json", "text/event-stream"):
            await http.refuse(406, "Accept must have application/json and text/event-stream")
            return
        found = frames.read(await http.body(self.limits.frame), depth=self.limits.depth)
        message = frames.message(found)
        if isinstance(message, Request) and message.method == "initialize" and "mcp-session-id" not in http.headers:
            await self._opened(http, owner, message)
        elif (session := await self._session(http, owner)) is not None:
            with _used(session):
                await self._heard(http, session, message)

    async def _opened(self, http: Http, owner: str, request: Request) -> None:
        if len(self.sessions) >= self.most:
            await http.refuse(503, f"{self.most} sessions are open", code=INTERNAL_ERROR)
            return
        params: Any = request.params
        asked = params.get("protocolVersion")
        session = Session(owner=owner, version=asked if asked in LEGACY else LEGACY[-1])
        session.info, session.capabilities = _object(params.get("clientInfo")), _object(params.get("capabilities"))
        self.sessions[session.id] = session
        with _used(session):
            await self._call(http, session, request)

    async def _heard(self, http: Http, session: Session, message: Message) -> None:
        if isinstance(message, Request):
            await self._call(http, session, message)
            return
        if isinstance(message, Reply):
            session.replied(message)
        elif message.method == "notifications/cancelled":
            id: Any = message.params.get("requestId")
            if isinstance(id, int | str) and (scope := session.running.get(id)) is not None:
                scope.cancel()
        else:
            await _quietly(self.service, self._notice(http, session, message))
        await http.answer(202)

    def _notice(self, http: Http, session: Session, notice: Notice) -> Call:
        client = self._client(session, session.streams.own, http.headers)
        return Call(method=notice.method, params=notice.params, client=client, notice=True)

    async def _call(self, http: Http, session: Session, request: Request) -> None:
        if request.id in session.running:
            raise frames.BadFrame(-32600, "a request with this id is under way: an id is used once", request.id)
        if len(session.running) >= self.limits.calls:
            raise frames.BadFrame(INTERNAL_ERROR, f"{self.limits.calls} requests are under way", request.id)
        stream = session.streams.open()
        scope = session.running[request.id] = anyio.CancelScope()
        client = self._client(session, stream, http.headers)
        call = Call(method=request.method, params=request.params, client=client)
        self.tasks.start_soon(self._run, session, stream, scope, request, call)
        if not prefers_events(http.headers):
            with anyio.move_on_after(QUICK):
                await stream.begun()
        known = {"mcp_session_id": session.id} if session.id in self.sessions else {}
        if (answer := stream.only) is not None:
            session.streams.read(stream)
            await http.answer(200, answer, **known)
            return
        first = sse.frame(b"", id=stream.id(0), retry=RETRY) if session.resumes else b""
        await http.pour(stream, 0, ids=True, first=first, **known)

    async def _run(
        self, session: Session, stream: Stream, scope: anyio.CancelScope, request: Request, call: Call
    ) -> None:
        """To its end, whether or not somebody still reads: a client may come back for the answer."""
        said = frames.refusal(request.id, RpcError(REQUEST_CANCELLED, "the request was cancelled"))
        try:
            with scope:
                result = await self.service(call)
                if request.method == "initialize":
                    session.version = str(result.get("protocolVersion", session.version))
                said = frames.answer(request.id, result)
        except Exception as error:
            said = frames.refusal(request.id, named(error))
        finally:
            session.running.pop(request.id, None)
        session.say(said, stream)
        session.streams.close(stream)
        if request.method == "initialize" and "error" in said:
            await self.end(session)

    async def _get(self, http: Http, owner: str) -> None:
        if not accepts(http.headers, "text/event-stream"):
            await http.refuse(406, "Accept must have text/event-stream")
            return
        if (session := await self._session(http, owner)) is None:
            return
        stream, after = session.streams.own, session.streams.own.last
        if (last := http.headers.get("last-event-id")) is not None:
            if (found := session.streams.find(last)) is None:
                await http.refuse(400, "no event of this session has that Last-Event-ID, or it was forgotten")
                return
            stream, after = found
            stream.hung = False
        with _used(session):
            first = sse.frame(b"", id=stream.id(after), retry=RETRY) if session.resumes else b""
            await http.pour(stream, after, ids=True, first=first, mcp_session_id=session.id)

    async def _session(self, http: Http, owner: str) -> Session | None:
        """The one that the request names, where it is of the same credential; None: it was answered that there is
        none, as if there were no such session at all."""
        id = http.headers.get("mcp-session-id")
        if id is None:
            await http.refuse(400, "Mcp-Session-Id is missing: begin with initialize")
            return None
        session = self.sessions.get(id)
        if session is None or session.owner != owner:
            await http.refuse(404, _ENDED)
            return None
        return session

    def _client(self, session: Session, stream: Stream, headers: Any) -> SessionClient:
        return SessionClient(session=session, stream=stream, headers=headers, patience=self.limits.patience)


@contextmanager
def _used(session: Session) -> Generator[None]:
    session.open += 1
    try:
        yield
    finally:
        session.open -= 1
        session.used = anyio.current_time()


async def _quietly(service: Callable[[Call], Awaitable[object]], call: Call) -> None:
    """A notification has no answer, so its failure has none either."""
    try:
        await service(call)
    except Exception as error:
        named(error)


def _object(value: Any) -> Json:
    return cast(Json, value) if isinstance(value, dict) else {}
