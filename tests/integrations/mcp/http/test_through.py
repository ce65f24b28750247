"""A server of the official SDK at a URL, our endpoint in front of it, and the SDK's clients of both eras."""

from typing import Any

import anyio
import anyio.lowlevel
import mcp_types
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_http import Seen, listening, raw, request, running, sdk, through, told

from lookahead_integrations.mcp.exchange import Call, Json, RpcError
from lookahead_integrations.mcp.http.address import Address
from lookahead_integrations.mcp.http.upstream import reaching
from lookahead_integrations.mcp.wire.channel import ChannelClosed

pytestmark = pytest.mark.anyio
ERAS = ("legacy", "auto")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # uvicorn knows no other


async def yes(context: Any, params: mcp_types.ElicitRequestParams) -> mcp_types.ElicitResult:
    return mcp_types.ElicitResult(action="accept", content={"yes": True})


def said(result: mcp_types.CallToolResult) -> str:
    return getattr(result.content[0], "text", "")


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_of_each_era_calls_is_asked_and_hears_of_progress(era: Any) -> None:
    async with sdk() as url, through(url) as ours, Client(ours, mode=era, elicitation_callback=yes) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["echo", "act", "count", "away"]
        assert said(await client.call_tool("echo", {"text": "é"})) == "é"
        assert said(await client.call_tool("act", {})) == "done"
        heard: list[float] = []

        async def progress(done: float, total: float | None, message: str | None) -> None:
            heard.append(done)

        assert said(await client.call_tool("count", {"to": 3}, progress_callback=progress)) == "3"
        assert heard == [1, 2, 3]
        assert (await client.call_tool("nothing", {})).is_error


async def test_an_upstream_that_lets_a_connection_go_is_read_on_and_so_are_we() -> None:
    async with sdk() as url, through(url) as ours, Client(ours, mode="legacy") as client:
        assert said(await client.call_tool("away", {})) == "back"


async def test_many_clients_at_once_get_their_own_answers() -> None:
    async with sdk() as url, through(url) as ours:
        got: dict[str, list[str]] = {}

        async def one(name: str, era: Any) -> None:
            async with Client(ours, mode=era, elicitation_callback=yes) as client:
                row = got[name] = []
                for number in range(5):
                    row.append(said(await client.call_tool("echo", {"text": f"{name} {number}"})))
                row.append(said(await client.call_tool("act", {})))

        async with anyio.create_task_group() as tasks:
            for number in range(6):
                tasks.start_soon(one, f"client {number}", ERAS[number % 2])
        assert got == {
            name: [*(f"{name} {number}" for number in range(5)), "done"] for name in (f"client {n}" for n in range(6))
        }


async def test_one_handshake_serves_all_calls_of_a_client() -> None:
    seen = Seen()
    async with sdk(seen) as url, through(url) as ours:
        for era, greeting in (("legacy", "initialize"), ("auto", "server/discover")):
            seen.requests.clear()
            async with Client(ours, mode=era) as client:
                for _ in range(5):
                    await client.call_tool("echo", {"text": "x"})
            methods = seen.methods()
            assert methods.count("tools/call") == 5
            assert methods.count(greeting) == 1


async def test_a_client_s_token_stays_here_and_ours_goes_there() -> None:
    seen = Seen()
    async with sdk(seen) as url, through(url, headers={"X-Api-Key": "ours"}) as ours, raw(ours) as client:
        stolen = {
            "authorization": "Bearer secret",
            "x_api_key": "theirs",
            "cookie": "a=b",
            "x_forwarded_for": "1.2.3.4",
        }
        await client.initialize(**stolen)
        await client.post(request("tools/list", id=2), **stolen)
        await client.newer("tools/list", **stolen)
    assert len(seen.requests) >= 3
    for _, headers, _ in seen.requests:
        assert headers["x-api-key"] == "ours"
        assert not {"authorization", "cookie", "x-forwarded-for"} & headers.keys()


async def test_a_header_that_was_named_is_passed_on() -> None:
    seen = Seen()
    async with sdk(seen) as url, through(url, passed=("Authorization",)) as ours, raw(ours) as client:
        await client.initialize(authorization="Bearer mine")
        await client.post(request("tools/list", id=2), authorization="Bearer mine")
        await client.newer("tools/list", authorization="Bearer yours")
    assert seen.headers("tools/list")["authorization"] == "Bearer yours"


async def test_the_headers_of_the_newer_era_are_made_anew_for_the_upstream() -> None:
    seen = Seen()
    async with sdk(seen) as url, through(url) as ours, Client(ours, mode="auto") as client:
        await client.call_tool("echo", {"text": "x"})
        with pytest.raises(MCPError):
            await client.read_resource("file:///é")
    called = seen.headers("tools/call")
    assert (called["mcp-protocol-version"], called["mcp-method"], called["mcp-name"]) == (
        "2026-07-28", "tools/call", "echo",
    )  # fmt: skip
    assert seen.headers("resources/read")["mcp-name"].isascii()


class Moody:
    """An upstream that answers by HTTP as it is told to."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.requests: list[tuple[str, str]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        self.requests.append((scope["method"], scope["path"]))
        status, headers, body = self.answers[scope["method"].lower()]
        named = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": named})
        await send({"type": "http.response.body", "body": body})


class Deaf:
    async def asked(self, method: str, params: Json) -> Json:
        raise RpcError(-32601, method)

    async def told(self, method: str, params: Json) -> None: ...


async def test_a_redirect_to_another_place_is_not_followed_and_takes_no_secret_there() -> None:
    trap = Moody(post=(200, {}, b"{}"), get=(200, {}, b""))
    async with running(trap) as elsewhere:
        for status in (301, 302, 303, 307, 308):
            bent = Moody(post=(status, {"location": elsewhere + "?secret=1"}, b""), get=(405, {}, b""))
            async with (
                running(bent) as url,
                reaching(Address(url=url, headers={"X-Key": "s"})) as connect,
                connect(Deaf()) as channel,
            ):
                with pytest.raises(RpcError, match="not followed") as caught:
                    await channel.request("initialize", {})
                assert "secret" not in str(caught.value)
                assert bent.requests == [("POST", "/mcp")]
    assert trap.requests == []


async def test_a_redirect_within_the_same_place_keeps_the_message() -> None:
    async with sdk() as url:
        port = url.split(":")[2].split("/")[0]
        bent = Moody(post=(307, {"location": f"http://127.0.0.1:{port}/mcp"}, b""))
        async with running(bent) as wrong, reaching(Address(url=wrong)) as connect, connect(Deaf()) as channel:
            with pytest.raises(RpcError, match="not followed"):  # another port is another place
                await channel.request("initialize", {})
        round_and_round = Moody(post=(307, {"location": "/mcp"}, b""))
        async with (
            running(round_and_round) as wrong,
            reaching(Address(url=wrong)) as connect,
            connect(Deaf()) as channel,
        ):
            with pytest.raises(RpcError, match="in circles"):
                await channel.request("initialize", {})
            assert len(round_and_round.requests) == 5


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ((500, {"content-type": "text/html"}, b"<h1>secret</h1>"), -32603, "answered 500"),
        ((401, {}, b""), -32603, "--header"),
        ((404, {}, b""), -32603, "no MCP endpoint"),
        ((400, {"content-type": "application/json"}, b'{"jsonrpc":"2.0","id":null,"error":{"code":-7,"message":"m"}}'),
         -7, "m"),
        ((200, {"content-type": "application/json"}, b"nonsense"), -32700, "not a JSON message"),
        ((200, {"content-type": "application/json"}, b'{"jsonrpc":"2.0","method":"x"}'), -32603, "no answer"),
        ((200, {"content-type": "text/event-stream"}, b""), -32000, "before it was there"),
        ((202, {}, b""), -32700, "not a JSON message"),
    ],
)  # fmt: skip
async def test_whatever_an_upstream_answers_instead_of_a_result_has_words(answer: Any, code: int, words: str) -> None:
    async with running(Moody(post=answer)) as url, reaching(Address(url=url)) as connect, connect(Deaf()) as channel:
        with pytest.raises(RpcError, match=words) as caught:
            await channel.request("initialize", {})
    assert caught.value.code == code
    assert "secret" not in str(caught.value)


async def test_where_nobody_answers_nothing_was_sent() -> None:
    async with reaching(Address(url="http://127.0.0.1:9/mcp?key=secret")) as connect, connect(Deaf()) as channel:
        with pytest.raises(ChannelClosed, match=r"nobody answers at http://127\.0\.0\.1:9/mcp:") as caught:
            await channel.request("tools/call", {})
        assert not caught.value.sent
        assert "secret" not in str(caught.value)


async def test_a_session_that_the_upstream_has_lost_is_begun_anew_and_the_call_made_once() -> None:
    sessions: list[str] = []
    calls: list[Call] = []

    async def forgetful(call: Call) -> Json:
        calls.append(call)
        if call.method == "initialize":
            sessions.append(call.client.key)
            return {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "f", "version": "1"}}
        return {"content": [{"type": "text", "text": str(len(sessions))}]}

    async with listening(forgetful) as url, through(url) as ours, raw(ours) as client:
        await client.initialize()
        first = await client.post(request("tools/call", {"name": "x"}, 2))
        assert first.json()["result"]["content"][0]["text"] == "1"
        # What a server that was started anew does: it knows no session.
        async with raw(url) as direct:
            direct.session = calls[-1].client.session.id  # type: ignore[attr-defined]
            await direct.http.delete(url, headers=direct.older())
        second = await client.post(request("tools/call", {"name": "x"}, 3))
        answer = second.json() if "json" in second.headers["content-type"] else told(second)[-1]
        assert answer["result"]["content"][0]["text"] == "2"
    assert len([call for call in calls if call.method == "tools/call"]) == 2


async def test_a_call_that_a_client_gives_up_is_given_up_upstream() -> None:
    began, ended = anyio.Event(), anyio.Event()

    async def hanging(call: Call) -> Json:
        if call.method != "tools/call":
            greeting = {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "serverInfo": {"name": "h", "version": "1"},
            }
            return greeting if call.method == "initialize" else {}
        began.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()
        return {}

    async with listening(hanging) as url, through(url) as ours, raw(ours) as client:
        with anyio.fail_after(20):
            await client.initialize()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.post, request("tools/call", {"name": "x"}, 7))
                await began.wait()
                await client.post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}})
                await ended.wait()
