import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp_wire import MemoryWire, wires

from lookahead.errors import ConfigError
from lookahead_integrations.mcp.exchange import Json, RpcError
from lookahead_integrations.mcp.settings import Limits
from lookahead_integrations.mcp.wire.channel import ChannelClosed
from lookahead_integrations.mcp.wire.frames import Notice, Request
from lookahead_integrations.mcp.wire.peer import Peer

pytestmark = pytest.mark.anyio


async def nothing(request: Request) -> Json:
    return {}


async def silence(notice: Notice) -> None: ...


@asynccontextmanager
async def running(
    answer: Callable[[Request], Awaitable[Json]] = nothing,
    hear: Callable[[Notice], Awaitable[None]] = silence,
    *,
    piece: int = 65536,
    **more: Any,
) -> AsyncIterator[tuple[Peer, MemoryWire]]:
    """A peer, and the other end of its wire."""
    mine, other = wires(piece=piece)
    peer = Peer(wire=mine, answer=answer, hear=hear, **more)
    try:
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(peer.run)
                yield peer, other
                tasks.cancel_scope.cancel()
    finally:
        mine.close()
        other.close()


@asynccontextmanager
async def pair(
    answer: Callable[[Request], Awaitable[Json]] = nothing,
    hear: Callable[[Notice], Awaitable[None]] = silence,
    *,
    piece: int = 65536,
) -> AsyncIterator[tuple[Peer, Peer]]:
    """One that asks, and one that answers."""
    async with running(answer, hear, piece=piece) as (answering, wire):
        asking = Peer(wire=wire, answer=nothing, hear=silence)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(asking.run)
            yield asking, answering
            tasks.cancel_scope.cancel()


async def line(wire: MemoryWire) -> Any:
    data = await wire.receive()
    while not data.endswith(b"\n"):
        data += await wire.receive()
    return json.loads(data)


@pytest.mark.parametrize("piece", [1, 7, 65536])
async def test_many_requests_at_once_get_each_its_own_answer(piece: int) -> None:
    gates = {number: anyio.Event() for number in range(20)}

    async def answer(request: Request) -> Json:
        number = request.params["number"]
        if number:
            await gates[number].wait()
        # The other way round than they came.
        gates[(number - 1) % 20].set()
        if number % 5 == 4:
            raise RpcError(number, "no", {"number": number})
        return {"number": number}

    found: dict[int, Any] = {}
    async with pair(answer, piece=piece) as (asking, _):

        async def ask(number: int) -> None:
            try:
                found[number] = (await asking.request("x", {"number": number}))["number"]
            except RpcError as error:
                found[number] = (error.code, error.data)

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(ask, number)
    assert found == {n: (n, {"number": n}) if n % 5 == 4 else n for n in range(20)}


async def test_notifications_arrive_in_order_and_before_the_answer_that_followed_them() -> None:
    heard: list[Any] = []
    peers: list[Peer] = []

    async def answer(request: Request) -> Json:
        for step in range(50):
            await peers[0].notify("notifications/progress", {"step": step})
        return {}

    async def hear(notice: Notice) -> None:
        await anyio.lowlevel.checkpoint()
        heard.append(notice.params["step"])

    async with running(answer) as (answering, wire):
        peers.append(answering)
        asking = Peer(wire=wire, answer=nothing, hear=hear)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(asking.run)
            await asking.request("x", {})
            assert heard == list(range(50))
            tasks.cancel_scope.cancel()


async def test_who_gives_a_request_up_tells_the_other_side_which_stops() -> None:
    began, stopped = anyio.Event(), anyio.Event()

    async def answer(request: Request) -> Json:
        began.set()
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()
        return {}

    async with pair(answer) as (asking, answering):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(asking.request, "x", {})
            await began.wait()
            tasks.cancel_scope.cancel()
        await stopped.wait()
        assert answering._running == {}
        assert asking._waiters == {}


async def test_the_reason_for_giving_up_is_passed_on() -> None:
    async with running() as (behind, server):

        async def forward(request: Request) -> Json:
            return await behind.request(request.method, request.params)

        async with running(forward) as (_, client):
            await client.send(b'{"jsonrpc": "2.0", "id": "a", "method": "x", "params": {"b": 1}}\n')
            asked = await line(server)
            cancelled = {"requestId": "a", "reason": "changed my mind"}
            said = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancelled}
            await client.send(json.dumps(said).encode() + b"\n")
            assert await line(server) == {
                "jsonrpc": "2.0",
                "method": "notifications/cancelled",
                "params": {"requestId": asked["id"], "reason": "changed my mind"},
            }
            # It is not answered, and a late answer disturbs nobody.
            await server.send(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": {}}).encode() + b"\n")
            await client.send(b'{"jsonrpc": "2.0", "id": "b", "method": "x"}\n')
            asked = await line(server)
            await server.send(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": {}}).encode() + b"\n")
            assert (await line(client))["id"] == "b"


async def test_the_end_of_a_connection_is_the_end_of_every_wait() -> None:
    errors: list[ChannelClosed] = []
    async with running() as (peer, wire):

        async def ask() -> None:
            try:
                await peer.request("x", {})
            except ChannelClosed as error:
                errors.append(error)

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(ask)
            for _ in range(3):
                await line(wire)
            wire.close()
        await ask()
        assert [error.sent for error in errors] == [True, True, True, False]


async def test_an_id_is_used_once_and_by_its_kind() -> None:
    gate = anyio.Event()

    async def answer(request: Request) -> Json:
        await gate.wait()
        return {"id": request.id}

    async with running(answer) as (_, wire):
        for id in ('"1"', "1", "1"):
            await wire.send(b'{"jsonrpc": "2.0", "id": %s, "method": "x"}\n' % id.encode())
        refused = await line(wire)
        assert (refused["id"], refused["error"]["code"]) == (1, -32600)
        gate.set()
        found = [await line(wire), await line(wire)]
        assert all(one["id"] == one["result"]["id"] for one in found)
        assert sorted(str(type(one["id"])) for one in found) == ["<class 'int'>", "<class 'str'>"]


async def test_more_requests_than_are_allowed_at_once_are_refused_and_not_kept() -> None:
    gate = anyio.Event()

    async def answer(request: Request) -> Json:
        await gate.wait()
        return {}

    async with running(answer, limits=Limits(calls=3)) as (peer, wire):
        for id in range(5):
            await wire.send(b'{"jsonrpc": "2.0", "id": %d, "method": "x"}\n' % id)
        assert {(await line(wire))["id"], (await line(wire))["id"]} == {3, 4}
        gate.set()
        assert {(await line(wire))["id"] for _ in range(3)} == {0, 1, 2}
        assert peer._running == {}


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (RpcError(-5, "as it is"), -5, "as it is"),
        (ExceptionGroup("several", [ExceptionGroup("", [RpcError(-6, "inside")])]), -6, "inside"),
        (TimeoutError(), -32603, "no answer in time"),
        (ConfigError("what to do next"), -32603, "what to do next"),
        (ValueError("secret"), -32603, "internal error; the proxy's own log on stderr says more"),
    ],
)
async def test_an_error_inside_is_told_in_one_answer(raised: Exception, code: int, message: str) -> None:
    async def answer(request: Request) -> Json:
        raise raised

    async with pair(answer) as (asking, _):
        with pytest.raises(RpcError) as error:
            await asking.request("x", {})
        assert (error.value.code, error.value.message) == (code, message)


async def test_a_result_that_has_no_spelling_is_an_error_and_not_a_silence() -> None:
    async def answer(request: Request) -> Json:
        return {"a": float("nan")}

    async with pair(answer) as (asking, _):
        with pytest.raises(RpcError, match="cannot be said in JSON"):
            await asking.request("x", {})


async def test_a_failing_listener_does_not_end_the_connection() -> None:
    async def hear(notice: Notice) -> None:
        raise ValueError

    async with pair(hear=hear) as (asking, _):
        await asking.notify("notifications/x", {})
        assert await asking.request("x", {}) == {}


async def test_an_id_that_comes_back_as_a_text_is_the_same_id() -> None:
    async with running() as (peer, wire), anyio.create_task_group() as tasks:
        tasks.start_soon(peer.request, "x", None)
        id = (await line(wire))["id"]
        await wire.send(json.dumps({"jsonrpc": "2.0", "id": str(id), "result": {}}).encode() + b"\n")


async def test_what_is_cancelled_without_being_known_is_passed_over() -> None:
    async with running() as (_, wire):
        for id in (1, "x", None, True, {}, [1]):
            params = {"requestId": id}
            said = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
            await wire.send(json.dumps(said).encode() + b"\n")
        await wire.send(b'{"jsonrpc": "2.0", "id": 1, "method": "x"}\n')
        assert (await line(wire))["id"] == 1
