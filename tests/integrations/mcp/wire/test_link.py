"""One conversation with a server that follows a script, over a channel in memory: eras, ends, new beginnings."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from lookahead_integrations.mcp.exchange import CLOSED, Call, Json, Lost, RpcError
from lookahead_integrations.mcp.settings import Limits
from lookahead_integrations.mcp.testing import ScriptedClient
from lookahead_integrations.mcp.wire import link as links
from lookahead_integrations.mcp.wire.channel import Channel, ChannelClosed, Listener
from lookahead_integrations.mcp.wire.parked import Ended
from lookahead_integrations.mcp.wire.upstream import Upstream, upstream

pytestmark = pytest.mark.anyio
HELLO: Json = {"protocolVersion": "2025-06-18", "capabilities": {"roots": {}}, "clientInfo": {"name": "a"}}
CAN: Json = {"tools": {"listChanged": True}, "resources": {"subscribe": True}, "logging": {}, "tasks": {}}
GREETING: Json = {"protocolVersion": "2025-06-18", "capabilities": CAN, "serverInfo": {"name": "s"}, "x": 1}
DISCOVERY: Json = {
    "resultType": "complete",
    "supportedVersions": ["2026-07-28"],
    "capabilities": {"tools": {"listChanged": True}},
    "instructions": "be kind",
    "ttlMs": 5,
    "cacheScope": "public",
    "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "s", "version": "2"}},
}
META = "io.modelcontextprotocol/"


@dataclass(eq=False)
class Scripted:
    """A channel whose server answers by a function, and can be made to break off."""

    server: "Server"
    listener: Listener
    alive: bool = True
    over: anyio.Event = field(default_factory=anyio.Event)

    async def request(
        self, method: str, params: Json | None, /, *, call: Call | None = None, related: Listener | None = None
    ) -> Json:
        if not self.alive:
            raise ChannelClosed("it had ended", sent=False)
        self.server.asked.append((method, params or {}))
        await anyio.lowlevel.checkpoint()
        answer = self.server.script.get(method)
        answer = answer(params or {}, self, related) if callable(answer) else answer
        answer = await answer if hasattr(answer, "__await__") else answer
        if not self.alive:
            raise ChannelClosed("it ended", sent=True)
        if answer is None:
            raise RpcError(-32601, "Method not found")
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def notify(self, method: str, params: Json | None, /) -> None:
        self.server.asked.append((method, params or {}))

    async def closed(self) -> str:
        await self.over.wait()
        return "it ended"

    def die(self) -> None:
        self.alive = False
        self.over.set()


@dataclass(eq=False)
class Server:
    script: dict[str, Any]
    asked: list[tuple[str, Json]] = field(default_factory=list)
    opened: list[Scripted] = field(default_factory=list)

    def connect(self) -> Callable[[Listener], AbstractAsyncContextManager[Channel]]:
        @asynccontextmanager
        async def connect(listener: Listener) -> AsyncIterator[Channel]:
            channel = Scripted(self, listener)
            self.opened.append(channel)
            try:
                yield channel
            finally:
                channel.die()

        return connect

    @property
    def methods(self) -> list[str]:
        return [method for method, _ in self.asked]


@asynccontextmanager
async def reached(script: dict[str, Any], **limits: Any) -> AsyncIterator[tuple[Server, Upstream]]:
    server = Server(script)
    with anyio.fail_after(20):
        async with upstream(server.connect(), name="it", limits=Limits(**limits)) as service:
            yield server, service


def older(**more: Any) -> ScriptedClient:
    return ScriptedClient(**{"version": "2025-06-18", "key": "older", "capabilities": {"roots": {}}, **more})


def newer(**more: Any) -> ScriptedClient:
    return ScriptedClient(**{"version": "2026-07-28", "key": "newer", **more})


def marked(client: ScriptedClient, **more: Any) -> Json:
    return {META + "protocolVersion": client.version, META + "clientCapabilities": client.capabilities, **more}


def dies(params: Json, channel: Scripted, related: Any) -> None:
    channel.die()


async def greeted(service: Upstream, client: ScriptedClient) -> Json:
    result = await service(client.call("initialize", **HELLO))
    await service(Call(method="notifications/initialized", client=client, notice=True))
    return result


async def test_a_client_and_a_server_of_the_older_era_are_left_to_themselves() -> None:
    async with reached({"initialize": GREETING, "x/any": {"y": 1}}) as (server, service):
        client = older()
        assert await greeted(service, client) == GREETING
        assert await service(client.call("x/any", a=1, _meta={"b": 2})) == {"y": 1}
        assert server.asked == [
            ("initialize", HELLO),
            ("notifications/initialized", {}),
            ("x/any", {"a": 1, "_meta": {"b": 2}}),
        ]
        await server.opened[0].listener.told("notifications/x", {"z": 1})
        assert client.told == [("notifications/x", {"z": 1})]


async def test_a_client_and_a_server_of_the_newer_era_are_left_to_themselves() -> None:
    called: Json = {"resultType": "complete", "content": [], "x": 1}
    async with reached({"server/discover": DISCOVERY, "tools/call": called}) as (server, service):
        client = newer()
        meta = marked(client, **{META + "logLevel": "info", "mine": 1})
        assert await service(client.call("server/discover", _meta=meta)) == DISCOVERY
        assert await service(client.call("tools/call", name="a", _meta=meta)) == called
        assert server.asked == [("server/discover", {"_meta": meta}), ("tools/call", {"name": "a", "_meta": meta})]


async def test_a_server_of_the_newer_era_asks_a_client_of_either_until_it_knows_enough() -> None:
    given: list[Json] = []

    def ask(params: Json, channel: Scripted, related: Any) -> Json:
        match params.get("requestState"):
            case None:
                asked = {"k": {"method": "elicitation/create", "params": {"message": "?"}}}
                return {"resultType": "input_required", "inputRequests": asked, "requestState": "asked"}
            case "asked":
                given.append(params["inputResponses"])
                return {"resultType": "input_required", "requestState": "waiting"}
            case state:
                return {"resultType": "complete", "content": [given.pop(), state]}

    answer = {"action": "accept"}
    for client in (older(answers={"elicitation/create": answer}), newer(answers={"elicitation/create": answer})):
        async with reached({"server/discover": DISCOVERY, "tools/call": ask}) as (server, service):
            if client.version == "2025-06-18":
                said = await greeted(service, client)
                assert said["protocolVersion"] == "2025-06-18"
                assert (said["instructions"], said["serverInfo"]["version"]) == ("be kind", "2")
            result = await service(client.call("tools/call", name="a"))
            assert result["content"] == [{"k": answer}, "waiting"]
            assert ("resultType" in result) == (client.version == "2026-07-28")
            assert [one.params for one in client.asked] == [{"message": "?"}]
            sent = server.asked[-1][1]["_meta"]
            assert sent[META + "protocolVersion"] == "2026-07-28"
            assert sent[META + "clientCapabilities"] == client.capabilities


async def test_a_server_of_the_older_era_says_to_a_newer_client_what_a_newer_one_would() -> None:
    missing = RpcError(-32002, "not there", {"uri": "a"})
    script = {
        "initialize": GREETING,
        "tools/list": {"tools": [], "x": 1},
        "resources/read": missing,
        "tools/call": {"content": []},
        "logging/setLevel": {},
    }
    async with reached(script) as (server, service):
        client = newer(capabilities={"elicitation": {}, "extensions": {"y": {}}})
        server_info = {"_meta": {META + "serverInfo": {"name": "s"}}}
        found = await service(client.call("server/discover", _meta=marked(client)))
        assert found["supportedVersions"] == ["2026-07-28"]
        assert "tasks" not in found["capabilities"]
        assert (found["resultType"], found["ttlMs"], found["cacheScope"]) == ("complete", 0, "private")
        listed = await service(client.call("tools/list", cursor="c", _meta=marked(client)))
        cached = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
        assert listed == {"tools": [], "x": 1, **cached, **server_info}
        with pytest.raises(RpcError) as error:
            await service(client.call("resources/read", uri="a", _meta=marked(client)))
        assert (error.value.code, error.value.data) == (-32602, {"uri": "a"})
        for method in ("ping", "logging/setLevel", "resources/subscribe", "initialize"):
            with pytest.raises(RpcError, match="Method not found"):
                await service(client.call(method, _meta=marked(client)))
        level = {META + "logLevel": "debug"}
        await service(client.call("tools/call", name="a", _meta=marked(client, progressToken=1, **level)))
        assert server.asked == [
            ("server/discover", {"_meta": server.asked[0][1]["_meta"]}),
            (
                "initialize",
                {
                    "protocolVersion": "2025-11-25",
                    "capabilities": {"elicitation": {}},
                    "clientInfo": client.info,
                },
            ),
            ("notifications/initialized", {}),
            ("tools/list", {"cursor": "c"}),
            ("resources/read", {"uri": "a"}),
            ("logging/setLevel", {"level": "debug"}),
            ("tools/call", {"name": "a", "_meta": {"progressToken": 1}}),
        ]


async def test_what_an_older_server_asks_outside_of_calls_is_asked_at_the_next_one() -> None:
    answers: list[Any] = []
    async with reached({"initialize": GREETING, "tools/call": {"content": []}, "tools/list": {}}) as (server, service):
        client = newer(answers={"roots/list": [Ended(), {"roots": [1]}]})
        await service(client.call("tools/list", _meta=marked(client)))

        async def ask() -> None:
            answers.append(await server.opened[0].listener.asked("roots/list", {}))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            await service(client.call("tools/list", _meta=marked(client)))
            assert client.asked == []
            await service(client.call("tools/call", name="a", _meta=marked(client)))
            assert answers == []
            await service(client.call("tools/call", name="a", _meta=marked(client)))
        assert answers == [{"roots": [1]}]
        assert await server.opened[0].listener.asked("ping", {}) == {}


async def test_a_question_that_nobody_is_there_for_is_answered_in_time() -> None:
    async with reached({"initialize": GREETING, "tools/list": {}}, patience=0.05) as (server, service):
        client = newer()
        await service(client.call("tools/list", _meta=marked(client)))
        with pytest.raises(RpcError, match="nobody was there"):
            await server.opened[0].listener.asked("sampling/createMessage", {})


async def test_a_call_under_way_at_the_end_is_lost_and_the_next_one_begins_anew() -> None:
    async with reached({"initialize": GREETING, "tools/call": dies, "tools/list": {"a": 1}}) as (server, service):
        client = older()
        await greeted(service, client)
        with pytest.raises(Lost, match="tools/call of delete was done is not known"):
            await service(client.call("tools/call", name="delete"))
        assert await service(client.call("tools/list")) == {"a": 1}
        assert server.methods.count("tools/call") == 1
        assert len(server.opened) == 2
        assert server.methods[-3:] == ["initialize", "notifications/initialized", "tools/list"]
        while "notifications/tools/list_changed" not in [method for method, _ in client.told]:
            await anyio.lowlevel.checkpoint()
        logged = [params["data"] for method, params in client.told if method == "notifications/message"]
        assert "It is started again" in logged[0]
        assert "was started again" in logged[-1]


async def test_a_call_that_was_not_sent_is_sent_to_the_new_server_and_counts_as_not_done_where_there_is_none() -> None:
    greetings: list[Any] = [GREETING, GREETING, RpcError(-5, "no more")]
    script = {"initialize": lambda *given: greetings.pop(0), "tools/call": {"content": []}}
    async with reached(script) as (server, service):
        client = older()
        await greeted(service, client)
        # Nobody has noticed yet.
        server.opened[0].alive = False
        assert await service(client.call("tools/call", name="a")) == {"content": []}
        server.opened[1].alive = False
        with pytest.raises(RpcError) as error:
            await service(client.call("tools/call", name="a"))
        assert not isinstance(error.value, Lost)
        assert server.methods.count("tools/call") == 1


async def test_a_server_that_ends_at_its_greeting_has_not_got_the_call() -> None:
    async with reached({"initialize": dies}) as (_, service):
        with pytest.raises(RpcError, match="it ended") as error:
            await service(newer().call("tools/call", name="a"))
        assert not isinstance(error.value, Lost)


async def test_a_server_that_ends_at_a_question_that_it_does_not_know_is_greeted_without() -> None:
    async with reached({"server/discover": dies, "initialize": GREETING, "tools/list": {}}) as (server, service):
        one, two = newer(key="one"), newer(key="two")
        await service(one.call("tools/list"))
        await service(two.call("tools/list"))
        assert server.methods.count("server/discover") == 1
        assert len(server.opened) == 3


async def test_a_server_that_ends_again_and_again_is_given_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "_WAITED", 0.01)
    async with reached({"initialize": GREETING, "tools/call": dies}) as (_, service):
        client = newer()
        for _ in range(3):
            with pytest.raises(Lost):
                await service(client.call("tools/call", name="a"))
            await anyio.wait_all_tasks_blocked()
        with pytest.raises(RpcError, match="3 times in a row") as error:
            await service(client.call("tools/call", name="a"))
        assert not isinstance(error.value, Lost)


async def test_a_server_that_does_not_answer_its_greeting_is_given_up() -> None:
    async def silent(*given: Any) -> Json:
        await anyio.sleep_forever()
        return {}

    async with reached({"initialize": silent}, handshake=0.05) as (_, service):
        with pytest.raises(RpcError, match="has not answered"):
            await greeted(service, older())


async def test_a_client_that_gives_up_while_the_server_starts_does_not_stop_it_for_others() -> None:
    gate = anyio.Event()

    async def slow(*given: Any) -> Json:
        await gate.wait()
        return GREETING

    async with reached({"initialize": slow, "tools/list": {"a": 1}}) as (server, service):
        client, found = newer(), list[Json]()
        with anyio.move_on_after(0.05):
            await service(client.call("tools/list"))

        async def ask() -> None:
            found.append(await service(client.call("tools/list")))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            tasks.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            gate.set()
        assert len(found) == 2
        assert len(server.opened) == 1


async def test_what_a_restarted_server_was_told_it_is_told_again() -> None:
    script = {"initialize": GREETING, "logging/setLevel": {}, "resources/subscribe": {}, "tools/call": dies, "ping": {}}
    async with reached(script) as (server, service):
        client = older()
        await greeted(service, client)
        await service(client.call("logging/setLevel", level="error"))
        await service(client.call("resources/subscribe", uri="a"))
        with pytest.raises(Lost):
            await service(client.call("tools/call", name="a"))
        await service(client.call("ping"))
        assert server.asked[-5:] == [
            ("initialize", HELLO),
            ("notifications/initialized", {}),
            ("logging/setLevel", {"level": "error"}),
            ("resources/subscribe", {"uri": "a"}),
            ("ping", {}),
        ]


async def test_each_conversation_has_a_server_for_itself_and_leaves_it_at_its_end() -> None:
    async with reached({"initialize": GREETING, "ping": {}}, conversations=2) as (server, service):
        one, two, three = older(key="one"), older(key="two"), older(key="three")
        await greeted(service, one)
        await greeted(service, two)
        assert len(server.opened) == 2
        with pytest.raises(RpcError, match="2 clients are connected"):
            await greeted(service, three)
        await service(Call(method=CLOSED, client=one, notice=True))
        await anyio.wait_all_tasks_blocked()
        assert [channel.alive for channel in server.opened] == [False, True]
        await greeted(service, three)
        await server.opened[1].listener.told("notifications/x", {})
        assert ([*one.told], [*two.told], [*three.told]) == ([], [("notifications/x", {})], [])


async def test_the_idle_conversation_makes_room_and_another_capability_is_another_conversation() -> None:
    async with reached({"server/discover": DISCOVERY, "tools/list": {}}, conversations=2) as (server, service):
        await service(newer(key="one").call("tools/list"))
        await service(newer(key="one", capabilities={"roots": {}}).call("tools/list"))
        await service(newer(key="one").call("tools/list"))
        assert [channel.alive for channel in server.opened] == [True, True]
        await service(newer(key="two").call("tools/list"))
        await anyio.wait_all_tasks_blocked()
        assert [channel.alive for channel in server.opened] == [True, False, True]


async def test_a_newer_client_listens_to_an_older_server() -> None:
    script = {"initialize": GREETING, "resources/subscribe": {}, "resources/unsubscribe": {}, "tools/list": {}}
    async with reached(script) as (server, service):
        client, other = newer(), newer()
        wishes = {"toolsListChanged": True, "resourceSubscriptions": ["a"]}
        call = client.call("subscriptions/listen", notifications=wishes, _meta=marked(client))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(service, call)
            await anyio.wait_all_tasks_blocked()
            listener = server.opened[0].listener
            await listener.told("notifications/tools/list_changed", {})
            await listener.told("notifications/prompts/list_changed", {})
            await listener.told("notifications/resources/updated", {"uri": "a"})
            await listener.told("notifications/resources/updated", {"uri": "b"})
            tasks.cancel_scope.cancel()
        assert client.told == [
            ("notifications/subscriptions/acknowledged", {"notifications": wishes}),
            ("notifications/tools/list_changed", {}),
            ("notifications/resources/updated", {"uri": "a"}),
        ]
        assert server.methods[-2:] == ["resources/subscribe", "resources/unsubscribe"]
        await listener.told("notifications/tools/list_changed", {})
        assert len(client.told) == 3
        assert other.told == []


async def test_an_older_client_hears_of_changes_at_a_newer_server() -> None:
    listens: list[tuple[Json, Listener, anyio.Event]] = []

    async def listen(params: Json, channel: Scripted, related: Any) -> Json:
        over = anyio.Event()
        listens.append((params["notifications"], related, over))
        await related.told("notifications/subscriptions/acknowledged", {})
        try:
            await over.wait()
        finally:
            over.set()
        return {}

    async with reached({"server/discover": DISCOVERY, "subscriptions/listen": listen}) as (_, service):
        client = older()
        await greeted(service, client)
        await service(client.call("resources/subscribe", uri="a"))
        await anyio.wait_all_tasks_blocked()
        # Which of the two is asked for first is nobody's promise.
        listens.sort(key=lambda one: "resourceSubscriptions" in one[0])
        assert [wishes for wishes, _, _ in listens] == [{"toolsListChanged": True}, {"resourceSubscriptions": ["a"]}]
        stamped = {"uri": "a", "_meta": {META + "subscriptionId": 5}}
        await listens[1][1].told("notifications/resources/updated", stamped)
        assert client.told == [("notifications/resources/updated", {"uri": "a"})]
        await service(client.call("resources/unsubscribe", uri="a"))
        await anyio.wait_all_tasks_blocked()
        assert listens[1][2].is_set()
        assert await service(client.call("ping")) == {}


async def test_log_lines_go_to_the_newer_client_whose_call_asked_for_them() -> None:
    async def call(params: Json, channel: Scripted, related: Any) -> Json:
        for level in ("debug", "warning", "nonsense"):
            await channel.listener.told("notifications/message", {"level": level, "data": level})
        return {}

    script = {"initialize": GREETING, "tools/call": call, "logging/setLevel": {}}
    async with reached(script) as (server, service):
        client = newer()
        await service(client.call("tools/call", name="a", _meta=marked(client)))
        assert client.told == []
        await service(client.call("tools/call", name="a", _meta=marked(client, **{META + "logLevel": "info"})))
        assert [params["level"] for _, params in client.told] == ["warning", "nonsense"]
        await service(client.call("tools/call", name="a", _meta=marked(client, **{META + "logLevel": "error"})))
        assert server.methods.count("logging/setLevel") == 1


async def test_a_client_whose_greeting_was_answered_by_another_is_greeted_for_at_its_first_call() -> None:
    async with reached({"initialize": GREETING, "tools/list": {"a": 1}}) as (server, service):
        client = older()
        assert await service(client.call("tools/list")) == {"a": 1}
        assert server.methods == ["initialize", "notifications/initialized", "tools/list"]
        assert server.asked[0][1]["capabilities"] == {"roots": {}}


async def test_a_question_whose_call_ended_is_put_to_another_call_that_is_still_under_way() -> None:
    gates, answers = [anyio.Event(), anyio.Event()], list[Json]()

    async def call(params: Json, channel: Scripted, related: Any) -> Json:
        await gates[params["number"]].wait()
        return {"content": []}

    async with reached({"initialize": GREETING, "tools/call": call}) as (server, service):
        client = newer(answers={"elicitation/create": [Ended(), {"action": "accept"}]})
        async with anyio.create_task_group() as tasks:
            for number in range(2):
                tasks.start_soon(service, client.call("tools/call", name="a", number=number, _meta=marked(client)))
            await anyio.wait_all_tasks_blocked()
            answers.append(await server.opened[0].listener.asked("elicitation/create", {"message": "?"}))
            for gate in gates:
                gate.set()
        assert answers == [{"action": "accept"}]
