"""The endpoint of `--listen`, by real HTTP: who may speak, sessions, and reading on after a lost connection."""

from contextlib import suppress

import anyio
import anyio.lowlevel
import httpx2
import pytest
from mcp_http import listening, raw, request, told

from lookahead.errors import ConfigError
from lookahead_integrations.mcp.exchange import CLOSED, Call, Json, Question, RpcError
from lookahead_integrations.mcp.http.gate import gate_for, loopback
from lookahead_integrations.mcp.http.listen import endpoint
from lookahead_integrations.mcp.settings import Limits, ProxySettings
from lookahead_integrations.mcp.testing import ScriptedService, text

pytestmark = pytest.mark.anyio

GREETING = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # uvicorn knows no other


class Server:
    """Answers at once, after saying something, or when it is let; remembers who was given up."""

    def __init__(self) -> None:
        self.go = anyio.Event()
        self.calls: list[Call] = []
        self.given_up = 0

    async def __call__(self, call: Call) -> Json:
        self.calls.append(call)
        name = call.params.get("name")
        if call.method == "initialize":
            return GREETING
        if call.notice:
            return {}
        if name == "say":
            await call.client.tell("notifications/message", {"level": "info", "data": "one"})
            await self.go.wait()
        if name == "ask":
            said = await call.client.ask({"q": Question(method="elicitation/create", params={"message": "?"})})
            return text(said["q"]["action"])
        if name == "hang":
            try:
                await anyio.sleep_forever()
            finally:
                self.given_up += 1
                self.go.set()
        if name == "missing":
            raise RpcError(-32601, "Method not found")
        return text("done")


async def test_a_page_of_a_stranger_is_turned_away_by_its_host_and_by_its_origin() -> None:
    async with listening(ScriptedService(script={"*": {}})) as url, raw(url) as client:
        assert (await client.post(request("ping"), host="evil.example")).status_code == 421
        assert (await client.post(request("ping"), origin="http://evil.example")).status_code == 403
        assert (await client.post(request("ping"), origin="null")).status_code == 403
        assert (await client.initialize(origin="http://localhost:9")).status_code == 200
        assert (await client.post(request("ping"), host="localhost.evil.example:80")).status_code == 421
        assert (await client.newer("ping", host="evil.example")).status_code == 421


async def test_a_page_that_was_named_may_speak_and_its_browser_is_told_so() -> None:
    service = ScriptedService(script={"initialize": GREETING})
    async with listening(service, origins=("https://app.example",)) as url, raw(url) as client:
        asked = await client.http.options(url, headers={"origin": "https://app.example"})
        assert asked.status_code == 204
        assert asked.headers["access-control-allow-origin"] == "https://app.example"
        said = await client.initialize(origin="https://app.example")
        assert "mcp-session-id" in said.headers["access-control-expose-headers"]


async def test_a_body_that_is_too_large_is_not_read_to_its_end() -> None:
    service = ScriptedService(script={"*": {}})
    async with listening(service, limits=Limits(frame=1000)) as url, raw(url) as client:
        assert (await client.post(b"x" * 1001)).status_code == 413

        async def endless():  # type: ignore[no-untyped-def]
            while True:
                yield b"x" * 500

        headers = client.older()
        with anyio.fail_after(10):
            # The connection may be closed while the client still writes.
            with suppress(httpx2.WriteError, httpx2.ReadError):
                assert (await client.http.post(url, content=endless(), headers=headers)).status_code == 413
        assert service.calls == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, -32700),
        (b"[]", 400, -32600),
        (b'{"jsonrpc":"2.0","id":1}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', 400, -32700),
        (b"[" * 100_000, 400, -32700),
    ],
)
async def test_what_is_no_message_is_named_and_reaches_nobody(body: bytes, status: int, code: int) -> None:
    service = ScriptedService(script={"*": {}})
    async with listening(service) as url, raw(url) as client:
        for version in ("2025-11-25", "2026-07-28"):
            answer = await client.post(body, mcp_protocol_version=version)
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert service.calls == []


async def test_what_is_no_json_or_cannot_be_read_by_the_client_is_refused() -> None:
    async with listening(ScriptedService()) as url, raw(url) as client:
        assert (await client.post(request("ping"), content_type="text/plain")).status_code == 415
        assert (await client.post(request("ping"), accept="application/json")).status_code == 406
        assert (await client.newer("ping", accept="text/event-stream")).status_code == 406
        assert (await client.http.get(url, headers={"mcp-protocol-version": "2026-07-28"})).status_code == 405
        assert (await client.http.get(url.replace("/mcp", "/other"))).status_code == 404


async def test_a_session_is_known_by_its_id_to_its_own_credential_alone() -> None:
    async with listening(Server()) as url, raw(url) as client:
        assert (await client.post(request("ping"))).status_code == 400
        await client.initialize(authorization="Bearer mine")
        assert (await client.post(request("ping"), authorization="Bearer mine")).status_code == 200
        for stolen in ({"authorization": "Bearer yours"}, {}):
            assert (await client.post(request("ping"), **stolen)).status_code == 404
            headers = client.older(accept="text/event-stream", **stolen)
            assert (await client.http.get(url, headers=headers)).status_code == 404
            assert (await client.http.delete(url, headers=client.older(**stolen))).status_code == 404
        client.session = "guessed"
        assert (await client.post(request("ping"), authorization="Bearer mine")).status_code == 404


async def test_delete_ends_a_session_and_says_so_to_whoever_keeps_something_for_it() -> None:
    server = Server()
    async with listening(server) as url, raw(url) as client:
        await client.initialize()
        assert (await client.http.delete(url, headers=client.older())).status_code == 200
        assert (await client.post(request("ping"))).status_code == 404
        with anyio.fail_after(5):
            while server.calls[-1].method != CLOSED:
                await anyio.lowlevel.checkpoint()
    assert server.calls[-1].client.key == server.calls[0].client.key


async def test_a_session_that_nobody_uses_ends_by_itself() -> None:
    server = Server()
    async with listening(server, limits=Limits(idle=0.05)) as url, raw(url) as client:
        await client.initialize()
        with anyio.fail_after(5):
            while server.calls[-1].method != CLOSED:
                await anyio.lowlevel.checkpoint()
        assert (await client.post(request("ping"))).status_code == 404


async def test_an_initialize_that_fails_opens_no_session() -> None:
    service = ScriptedService(script={"initialize": RpcError(-32602, "no")})
    async with listening(service) as url, raw(url) as client:
        answer = await client.initialize()
        assert answer.json()["error"]["code"] == -32602
        assert client.session is None or (await client.post(request("ping"))).status_code == 404


async def test_a_client_that_lost_its_connection_reads_on_and_misses_nothing() -> None:
    server = Server()
    async with listening(server) as url, raw(url) as client:
        await client.initialize()
        body = request("tools/call", {"name": "say"}, 5)
        seen: list[str] = []
        async with client.http.stream("POST", url, json=body, headers=client.older()) as response:
            async for line in response.aiter_lines():
                seen.append(line)
                if line.startswith("data: {"):
                    break
        first, last = [line.removeprefix("id: ") for line in seen if line.startswith("id: ")]
        assert "retry: 500" in seen
        server.go.set()
        headers = client.older(accept="text/event-stream")
        again = await client.http.get(url, headers={**headers, "last-event-id": last})
        assert [message.get("id") for message in told(again)] == [5]
        whole = await client.http.get(url, headers={**headers, "last-event-id": first})
        assert [message.get("method", "answer") for message in told(whole)] == ["notifications/message", "answer"]
        stranger = await client.http.get(url, headers={**headers, "last-event-id": "99.1"})
        assert stranger.status_code == 400


async def test_an_event_of_another_session_is_not_there() -> None:
    server = Server()
    server.go.set()
    async with listening(server) as url, raw(url) as client, raw(url) as thief:
        await client.initialize()
        await thief.initialize()
        await client.post(request("tools/call", {"name": "say"}, 5), accept="text/event-stream, application/json")
        headers = thief.older(accept="text/event-stream")
        assert (await thief.http.get(url, headers={**headers, "last-event-id": "2.1"})).status_code == 400


async def test_a_cancelled_request_of_a_session_is_given_up_and_its_stream_ends() -> None:
    server = Server()
    async with listening(server) as url, raw(url) as client:
        await client.initialize()
        said: list[httpx2.Response] = []

        async def call() -> None:
            said.append(await client.post(request("tools/call", {"name": "hang"}, 7)))

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(call)
                while not any(one.params.get("name") == "hang" for one in server.calls):
                    await anyio.lowlevel.checkpoint()
                cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}
                assert (await client.post(cancel)).status_code == 202
    assert server.given_up == 1
    answers = [said[0].json()] if "json" in said[0].headers["content-type"] else told(said[0])
    assert answers[-1]["error"]["code"] == -32800


async def test_closing_the_connection_cancels_a_request_of_the_newer_era_and_none_of_the_older() -> None:
    server = Server()
    async with listening(server) as url, raw(url) as client:
        with anyio.move_on_after(0.5):
            await client.newer("tools/call", {"name": "hang"})
        with anyio.fail_after(5):
            await server.go.wait()
        assert server.given_up == 1
        await client.initialize()
        with anyio.move_on_after(0.5):
            await client.post(request("tools/call", {"name": "hang"}, 3))
        await client.post(request("ping", id=4))
        assert server.given_up == 1


async def test_the_newer_era_answers_an_error_with_the_status_of_its_code() -> None:
    async with listening(Server()) as url, raw(url) as client:
        assert (await client.newer("tools/call", {"name": "missing"})).status_code == 404
        unknown = await client.newer("tools/list", mcp_protocol_version="2099-01-01")
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (400, -32020)
        wrong = await client.newer("tools/list", mcp_method="tools/call")
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, -32020)
        other = await client.newer("tools/call", {"name": "say"}, mcp_name="echo")
        assert (other.status_code, other.json()["error"]["code"]) == (400, -32020)


async def test_a_question_is_carried_by_the_answer_and_its_state_opens_nothing_else() -> None:
    async with listening(Server()) as url, raw(url) as client:
        asked = (await client.newer("tools/call", {"name": "ask"})).json()["result"]
        assert asked["resultType"] == "input_required"
        assert asked["inputRequests"] == {"q": {"method": "elicitation/create", "params": {"message": "?"}}}
        state = asked["requestState"]
        answers = {"inputResponses": {"q": {"action": "accept"}}}
        flipped = state[:-2] + ("A" if state[-2] != "A" else "B") + state[-1]
        for bad in (
            {"name": "ask", "requestState": flipped, **answers},
            {"name": "echo", "requestState": state, **answers},
            {"name": "ask", "arguments": {"more": 1}, "requestState": state, **answers},
        ):
            refused = await client.newer("tools/call", bad, id=2)
            assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32602)
        stolen = await client.newer(
            "tools/call", {"name": "ask", "requestState": state, **answers}, authorization="Bearer thief"
        )
        assert stolen.json()["error"]["code"] == -32602
        done = await client.newer("tools/call", {"name": "ask", "requestState": state, **answers}, id=3)
        assert done.json()["result"]["content"][0]["text"] == "accept"
        again = await client.newer("tools/call", {"name": "ask", "requestState": state, **answers}, id=4)
        assert again.json()["error"]["code"] == -32602


async def test_whoever_has_no_token_is_not_answered_where_there_are_tokens() -> None:
    async with listening(Server(), tokens=("one", "two")) as url, raw(url) as client:
        assert (await client.initialize()).status_code == 401
        assert (await client.initialize(authorization="Bearer three")).status_code == 401
        assert (await client.initialize(authorization="Basic one")).status_code == 401
        assert (await client.initialize(authorization="Bearer two")).status_code == 200
        assert (await client.newer("tools/call", {"name": "x"}, authorization="Bearer one")).status_code == 200


def test_an_address_that_others_can_reach_needs_a_name_by_which_they_call_it() -> None:
    for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:0"):
        with pytest.raises(ConfigError, match="--allow-host"):
            endpoint(ProxySettings(url="http://localhost/mcp", listen=address))
    with endpoint(ProxySettings(url="http://localhost/mcp", listen="0.0.0.0:0", hosts=("box.example",))):
        pass
    assert [loopback(host) for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost", "10.0.0.1", "evil")] == [
        True, True, True, True, False, False
    ]  # fmt: skip


def test_our_own_token_is_never_passed_on() -> None:
    settings = ProxySettings(url="http://h/mcp", listen="127.0.0.1:0", tokens=("t",), passed=("Authorization",))
    with pytest.raises(ConfigError, match="cannot be passed on"):
        endpoint(settings)


def test_a_port_that_is_taken_is_said() -> None:
    with endpoint(ProxySettings(url="http://h/mcp", listen="127.0.0.1:0")) as at:
        taken = f"127.0.0.1:{at.getsockname()[1]}"
        with pytest.raises(ConfigError, match="in use"):
            endpoint(ProxySettings(url="http://h/mcp", listen=taken))


def test_a_gate_knows_hosts_with_and_without_a_port() -> None:
    gate = gate_for("192.0.2.1", hosts=("Box.Example",))
    for host in ("box.example", "BOX.example:8931", "192.0.2.1:80", "[::1]:80", "localhost"):
        assert gate.turns({"host": host}) is None, host
    for host in ("", "box.example.evil", "evil", "[::2]", "127.0.0.1.evil:80"):
        assert gate.turns({"host": host}) is not None, host
    assert gate.turns({"host": "localhost", "content-length": "-1"}) is not None
