"""What is known of a server's tools, as each client sees them."""

from typing import Any

import anyio
import pytest

from lookahead.policy import Policy
from lookahead_integrations.mcp.catalogue import Catalogue
from lookahead_integrations.mcp.exchange import CLOSED, TOOLS_CHANGED, Call, RpcError
from lookahead_integrations.mcp.testing import ScriptedClient, ScriptedService, text, tool

pytestmark = pytest.mark.anyio


def behind(*names: str, page: int = 1000, **script: Any) -> tuple[Catalogue, ScriptedService]:
    server = ScriptedService(tools=[tool(name) for name in names], page=page, script={"tools/call": text(""), **script})
    return Catalogue(next=server), server


async def names(catalogue: Catalogue, client: ScriptedClient) -> list[str]:
    return [one.name for one in await catalogue.tools(client.use("any"))]


async def test_a_list_of_many_pages_is_read_to_its_end():
    catalogue, server = behind("a", "b", "c", "d", "e", page=2)
    assert await names(catalogue, ScriptedClient()) == ["a", "b", "c", "d", "e"]
    assert len(server.calls) == 3


async def test_what_the_client_reads_page_by_page_is_known_when_it_has_read_it_all():
    catalogue, server = behind("a", "b", "c", page=2)
    client = ScriptedClient()
    await catalogue(client.call("tools/list"))
    await catalogue(client.call("tools/list", cursor="2"))
    assert await names(catalogue, client) == ["a", "b", "c"]
    assert len(server.calls) == 2


async def test_what_the_client_reads_in_part_is_not_taken_for_all():
    catalogue, _ = behind("a", "b", "c", page=2)
    client = ScriptedClient()
    await catalogue(client.call("tools/list"))
    assert await names(catalogue, client) == ["a", "b", "c"]
    await catalogue(client.call("tools/list", cursor="1"))
    assert await names(catalogue, client) == ["a", "b", "c"]


async def test_a_list_that_never_ends_is_given_up():
    endless = {"tools": [tool("a")], "nextCursor": "again"}
    catalogue, server = behind(**{"tools/list": endless})
    assert await names(catalogue, ScriptedClient()) == ["a"]
    assert len(server.calls) < 10


async def test_many_calls_at_once_ask_for_the_list_once():
    catalogue, server = behind("a")
    client = ScriptedClient()
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(names, catalogue, client)
    assert len(server.calls) == 1


async def test_each_client_has_its_own_list():
    lists = [{"tools": [tool("mine")]}, {"tools": [tool("theirs")]}]
    catalogue, _ = behind(**{"tools/list": lists})
    one, other = ScriptedClient(), ScriptedClient()
    assert await names(catalogue, one) == ["mine"]
    assert await names(catalogue, other) == ["theirs"]
    assert await names(catalogue, one) == ["mine"]


async def test_a_list_that_was_under_way_when_the_tools_changed_is_not_new():
    async def old(call: Call) -> dict[str, Any]:
        catalogue.changed()
        return {"tools": [tool("old")]}

    catalogue, server = behind("new", **{"tools/list": old})
    client = ScriptedClient()
    assert await names(catalogue, client) == ["old"]
    server.script = {}
    assert await names(catalogue, client) == ["new"]


async def test_what_is_told_in_a_subscription_is_heard_and_told_on():
    listening: list[Any] = []

    async def listen(call: Call) -> dict[str, Any]:
        listening.append(call.client)
        return {}

    catalogue, server = behind("a", **{"subscriptions/listen": listen})
    client = ScriptedClient(version="2026-07-28")
    await names(catalogue, client)
    await catalogue(client.call("subscriptions/listen"))
    server.tools = [tool("b")]
    await listening[0].tell(TOOLS_CHANGED, {"_meta": {"x": 1}})
    assert client.told == [(TOOLS_CHANGED, {"_meta": {"x": 1}})]
    assert await names(catalogue, client) == ["b"]


async def test_a_server_that_is_down_is_asked_again_at_the_next_call():
    catalogue, _ = behind("a", **{"tools/list": [RpcError(-32000, "down"), {"tools": [tool("a")]}]})
    client = ScriptedClient()
    assert await names(catalogue, client) == []
    assert await names(catalogue, client) == ["a"]


async def test_what_we_ask_for_ourselves_disturbs_the_client_with_nothing():
    async def noisy(call: Call) -> dict[str, Any]:
        await call.client.tell("notifications/message", {"level": "info"})
        return {"tools": []}

    catalogue, server = behind(**{"tools/list": noisy})
    client = ScriptedClient()
    await catalogue.tools(client.call("tools/call", name="a", _meta={"progressToken": 1, "io/k": 2}))
    assert client.told == []
    assert server.calls[0].params == {"_meta": {"io/k": 2}}


async def test_two_tools_of_one_name_are_the_first():
    listed = {"tools": [tool("a", description="one"), tool("a", description="two"), {"name": ""}, "odd"]}
    catalogue, _ = behind(**{"tools/list": listed})
    found = await catalogue.tools(ScriptedClient().use("a"))
    assert [one.description for one in found] == ["one"]


async def test_the_users_word_on_a_tool_is_part_of_it():
    server = ScriptedService(tools=[tool("a"), tool("delete_b")])
    policy = Policy.read({"a": {"effect": "reads"}}, "a test")
    found = await Catalogue(next=server, policy=policy).tools(ScriptedClient().use("a"))
    assert [one.effect for one in found] == ["reads", "destroys"]


async def test_a_client_that_has_gone_is_forgotten():
    catalogue, _ = behind("a", **{CLOSED: {}})
    client = ScriptedClient()
    await names(catalogue, client)
    await catalogue(Call(method=CLOSED, client=client, notice=True))
    assert catalogue._clients == {}
