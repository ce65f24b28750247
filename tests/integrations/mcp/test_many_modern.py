from typing import Any

import anyio
import pytest

from lookahead_integrations.mcp.exchange import Call, Json, RpcError
from lookahead_integrations.mcp.many import many
from lookahead_integrations.mcp.testing import ScriptedClient, ScriptedService, tool

pytestmark = pytest.mark.anyio
NOW = "2026-07-28"


def discovered(**more: Any) -> Json:
    kept = {"resultType": "complete", "ttlMs": 5000, "cacheScope": "public"}
    return {"supportedVersions": [NOW], "capabilities": {"tools": {"listChanged": True}}, **kept, **more}


async def test_what_servers_say_of_themselves_is_merged_and_one_that_fails_is_told_of():
    one = ScriptedService(script={"server/discover": discovered(instructions="Hi.")})
    broken = ScriptedService(script={"*": RpcError(-32000, "broken")})
    said = await many({"one": one, "broken": broken})(ScriptedClient(version=NOW).call("server/discover"))
    assert said["supportedVersions"] == [NOW]
    assert said["instructions"].endswith("# one\nHi.\n\n# broken\nNot available now: broken")
    assert (said["resultType"], said["ttlMs"], said["cacheScope"]) == ("complete", 5000, "public")


async def test_a_list_holds_as_long_as_its_shortest_part_and_is_private_if_one_is():
    one = ScriptedService(script={"tools/list": {"tools": [tool("a")], "ttlMs": 9, "cacheScope": "public"}})
    other = ScriptedService(script={"tools/list": {"tools": [tool("b")], "ttlMs": 4, "cacheScope": "private"}})
    said = await many({"one": one, "other": other})(ScriptedClient(version=NOW).call("tools/list"))
    assert [item["name"] for item in said["tools"]] == ["one__a", "other__b"]
    assert (said["resultType"], said["ttlMs"], said["cacheScope"]) == ("complete", 4, "private")


async def test_a_client_that_asked_for_no_log_lines_gets_none_about_a_server_that_fails():
    broken = ScriptedService(script={"*": RpcError(-32000, "broken")})
    served = many({"one": ScriptedService(tools=[tool("a")]), "broken": broken})
    client = ScriptedClient(version=NOW)
    await served(client.call("tools/list"))
    assert client.told == []
    await served(client.call("tools/list", _meta={"io.modelcontextprotocol/logLevel": "info"}))
    assert [method for method, _ in client.told] == ["notifications/message"]


class Stream:
    """A server's `subscriptions/listen`, which says what it is told to say."""

    def __init__(self, granted: Json) -> None:
        self.granted = granted
        self.asked: list[Json] = []
        self.client: Any = None
        self.open = anyio.Event()
        self.over = anyio.Event()

    async def __call__(self, call: Call) -> Json:
        self.asked.append(call.params["notifications"])
        self.client = call.client
        await call.client.tell("notifications/subscriptions/acknowledged", {"notifications": self.granted})
        self.open.set()
        await self.over.wait()
        return {"resultType": "complete"}


def listed(*uris: str) -> Json:
    return {"resources": [{"uri": uri, "name": uri} for uri in uris]}


async def test_one_stream_tells_what_all_servers_tell_under_the_names_that_the_client_knows():
    one, other = Stream({"toolsListChanged": True}), Stream({"resourceSubscriptions": ["file:///both"]})
    served = many(
        {
            "one": ScriptedService(script={"subscriptions/listen": one, "resources/list": listed("file:///both")}),
            "other": ScriptedService(script={"subscriptions/listen": other, "resources/list": listed("file:///both")}),
        }
    )
    client = ScriptedClient(version=NOW)
    wanted = {"toolsListChanged": True, "resourceSubscriptions": ["other+file:///both"]}
    results: list[Json] = []

    async def listen() -> None:
        results.append(await served(client.call("subscriptions/listen", notifications=wanted)))

    async with anyio.create_task_group() as group:
        group.start_soon(listen)
        await one.open.wait()
        await other.open.wait()
        await anyio.wait_all_tasks_blocked()
        await one.client.tell("notifications/tools/list_changed", {})
        await other.client.tell("notifications/resources/updated", {"uri": "file:///both"})
        one.over.set()
        other.over.set()
    assert one.asked == [{"toolsListChanged": True}]
    assert other.asked == [{"toolsListChanged": True, "resourceSubscriptions": ["file:///both"]}]
    granted = {"toolsListChanged": True, "resourceSubscriptions": ["other+file:///both"]}
    assert client.told == [
        ("notifications/subscriptions/acknowledged", {"notifications": granted}),
        ("notifications/tools/list_changed", {}),
        ("notifications/resources/updated", {"uri": "other+file:///both"}),
    ]
    assert results == [{"resultType": "complete"}]


async def test_a_server_that_cannot_be_listened_to_keeps_no_other_from_being_heard():
    one = Stream({"toolsListChanged": True})
    broken = ScriptedService(script={"subscriptions/listen": OSError("gone")})
    served = many({"broken": broken, "one": ScriptedService(script={"subscriptions/listen": one})})
    client = ScriptedClient(version=NOW)
    async with anyio.create_task_group() as group:
        group.start_soon(served, client.call("subscriptions/listen", notifications={"toolsListChanged": True}))
        await one.open.wait()
        await anyio.wait_all_tasks_blocked()
        await one.client.tell("notifications/tools/list_changed", {})
        one.over.set()
    assert [method for method, _ in client.told][-1] == "notifications/tools/list_changed"


async def test_a_stream_that_breaks_off_is_opened_again():
    again = anyio.Event()
    opened = 0

    async def breaking(call: Call) -> Json:
        nonlocal opened
        opened += 1
        await call.client.tell("notifications/subscriptions/acknowledged", {"notifications": {}})
        if opened == 1:
            raise OSError("gone")
        again.set()
        return {}

    served = many({"one": ScriptedService(script={"subscriptions/listen": breaking})}, patience=0.01)
    with anyio.fail_after(5):
        await served(ScriptedClient(version=NOW).call("subscriptions/listen", notifications={"toolsListChanged": True}))
    assert again.is_set()
    assert opened == 2
