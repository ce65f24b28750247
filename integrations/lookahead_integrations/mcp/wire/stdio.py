"""The front that a client starts as a process: one connection, and each request in the era that it says itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, cast

import anyio

from lookahead_integrations.mcp.exchange import CLOSED, INVALID_REQUEST, Call, Json, Question, RpcError, Service
from lookahead_integrations.mcp.settings import Limits
from lookahead_integrations.mcp.wire import eras
from lookahead_integrations.mcp.wire.frames import Id, Notice, Request
from lookahead_integrations.mcp.wire.parked import Parking
from lookahead_integrations.mcp.wire.peer import Peer
from lookahead_integrations.mcp.wire.pipes import Wire

_BATCHES: Final = "2025-03-26"
_GRACE: Final = 2.0
"""Seconds in which calls may still end when the client has closed its side."""

_keys: Final = count(1)


@dataclass(kw_only=True, eq=False)
class _Older:
    """A client that began with `initialize`: asked by requests on its connection."""

    peer: Peer
    key: str
    version: str
    info: Json
    capabilities: Json
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    async def ask(self, questions: Mapping[str, Question], /) -> dict[str, Json]:
        if len(questions) == 1:
            return {key: await self._ask(question) for key, question in questions.items()}
        answers: dict[str, Json] = {}

        async def one(key: str, question: Question) -> None:
            answers[key] = await self._ask(question)

        async with anyio.create_task_group() as tasks:
            for key, question in questions.items():
                tasks.start_soon(one, key, question)
        return answers

    async def _ask(self, question: Question) -> Json:
        return await self.peer.request(question.method, question.params)

    async def tell(self, method: str, params: Json, /) -> None:
        await self.peer.notify(method, params)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Newer:
    """Who made one request of the newer era. Whether it can be asked is for `Parking` to know."""

    peer: Peer
    key: str
    version: str
    info: Json
    capabilities: Json
    subscription: Id | None = None
    """That what is told belongs to."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    async def ask(self, questions: Mapping[str, Question], /) -> dict[str, Json]:
        raise RpcError(INVALID_REQUEST, "no client can be asked anything during this call")

    async def tell(self, method: str, params: Json, /) -> None:
        if self.subscription is not None:
            params = eras.stamped(params, self.subscription)
        await self.peer.notify(method, params)


@dataclass(kw_only=True, eq=False)
class _Front:
    service: Service
    parking: Parking
    key: str
    older: _Older | None = None
    peer: Peer = field(init=False)

    async def answer(self, request: Request) -> Json:
        if request.method == "initialize":
            return await self._initialize(request.params)
        if eras.enveloped(request.params) or request.method == "server/discover":
            return await self._newer(request)
        if self.older is None:
            if request.method == "ping":
                return {}
            raise RpcError(INVALID_REQUEST, "a connection begins with initialize, or with server/discover")
        return await self.service(Call(method=request.method, params=request.params, client=self.older))

    async def hear(self, notice: Notice) -> None:
        if self.older is not None:
            await self.service(Call(method=notice.method, params=notice.params, client=self.older, notice=True))

    async def close(self) -> None:
        client = _Newer(peer=self.peer, key=self.key, version=eras.MODERN[-1], info={}, capabilities={})
        self.parking.forget(self.key)
        await self.service(Call(method=CLOSED, client=client, notice=True))

    async def _initialize(self, params: Json) -> Json:
        info, capabilities = params.get("clientInfo"), params.get("capabilities")
        client = _Older(
            peer=self.peer,
            key=self.key,
            version=eras.agreed(params.get("protocolVersion")),
            info=cast(Json, info) if isinstance(info, dict) else {},
            capabilities=cast(Json, capabilities) if isinstance(capabilities, dict) else {},
        )
        # Known at once: what a client sends without waiting for the answer is of this conversation too.
        before, self.older = self.older, client
        try:
            result = await self.service(Call(method="initialize", params=params, client=client))
        except BaseException:
            self.older = before
            raise
        version: Any = result.get("protocolVersion")
        client.version = version if isinstance(version, str) else client.version
        self.peer.batches = client.version == _BATCHES
        return result

    async def _newer(self, request: Request) -> Json:
        envelope = eras.envelope_of(request.params)
        listening = request.method == eras.LISTEN
        client = _Newer(
            peer=self.peer,
            key=self.key,
            version=envelope.version,
            info=envelope.info,
            capabilities=envelope.capabilities,
            subscription=request.id if listening else None,
        )
        if request.method in eras.GONE:
            raise eras.unknown(request.method)
        call = Call(method=request.method, params=request.params, client=client)
        result = eras.completed(request.method, await self.parking(call), None)
        return eras.stamped(result, request.id) if listening else result


async def serve(service: Service, wire: Wire, *, limits: Limits | None = None) -> None:
    """Until the client closes its side."""
    limits = limits or Limits()
    async with anyio.create_task_group() as tasks:
        parking = Parking(service=service, tasks=tasks, limits=limits)
        front = _Front(service=service, parking=parking, key=f"stdio-{next(_keys)}")
        front.peer = Peer(wire=wire, answer=front.answer, hear=front.hear, limits=limits, grace=_GRACE)
        await front.peer.run()
        with anyio.CancelScope(shield=True), anyio.move_on_after(_GRACE):
            await front.close()
        tasks.cancel_scope.cancel()
