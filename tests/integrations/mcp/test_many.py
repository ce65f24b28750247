from typing import Any

import anyio
import pytest

from lookahead_integrations.mcp.exchange import CLOSED, INVALID_PARAMS, METHOD_NOT_FOUND, Call, Json, Question, RpcError
from lookahead_integrations.mcp.many import many
from lookahead_integrations.mcp.many.names import Names, prefixes, room
from lookahead_integrations.mcp.testing import ScriptedClient, ScriptedService, accepted, text, tool

pytestmark = pytest.mark.anyio
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}


def hello(version: str = "2025-11-25", **more: Any) -> Json:
    info = {"name": "s", "version": "1"}
    return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info, **more}


def server(*tools: str, **script: Any) -> ScriptedService:
    """A server with some tools, each of which says its name."""
    spelled = {name.replace("_", "/"): said for name, said in script.items()}
    calls = {f"tools/call {name}": text(name) for name in tools}
    return ScriptedService(script={"initialize": hello(), **calls, **spelled}, tools=[tool(name) for name in tools])


def names(listed: Json) -> list[str]:
    return [one["name"] for one in listed["tools"]]


async def test_the_tools_of_all_servers_are_one_list_under_the_keys_of_their_servers():
    served = many({"github": server("search"), "my files": server("search", "read")})
    client = ScriptedClient()
    assert names(await served(client.call("tools/list"))) == ["github__search", "my_files__search", "my_files__read"]


async def test_a_call_reaches_the_server_whose_tool_it_names_under_the_name_that_it_has_there():
    one, other = server("search"), server("search")
    served = many({"one": one, "other": other})
    client = ScriptedClient()
    assert await served(client.use("other__search", q=1)) == text("search")
    assert (one.called(), other.called()) == ([], [{"name": "search", "arguments": {"q": 1}}])


async def test_a_single_server_has_its_prefix_too_so_that_a_second_one_changes_no_name():
    served = many({"one": server("t")})
    assert names(await served(ScriptedClient().call("tools/list"))) == ["one__t"]


async def test_a_tool_that_nobody_has_is_an_error_that_says_how_names_look():
    served = many({"one": server("t")})
    with pytest.raises(RpcError, match="one__") as caught:
        await served(ScriptedClient().use("t"))
    assert caught.value.code == INVALID_PARAMS


async def test_all_pages_of_each_server_are_in_the_one_page_that_the_client_gets():
    paged = ScriptedService(tools=[tool(f"t{number}") for number in range(25)], page=10)
    endless = ScriptedService(script={"tools/list": {"tools": [tool("again")], "nextCursor": "same"}})
    served = many({"a": paged, "b": endless})
    listed = await served(ScriptedClient().call("tools/list"))
    assert "nextCursor" not in listed
    assert names(listed)[:25] == [f"a__t{number}" for number in range(25)]
    assert set(names(listed)[25:]) == {"b__again"}


async def test_a_name_that_would_be_too_long_is_cut_and_still_finds_its_tool():
    long = "create_a_pull_request_review_comment_with_suggestions"
    service = server(long, long + "_2", "short")
    served = many({"github": service})
    client = ScriptedClient()
    shown = names(await served(client.call("tools/list")))
    assert all(len(f"mcp__lookahead__{name}") <= 64 for name in shown)
    assert len(set(shown)) == 3
    assert await served(client.use(shown[1])) == text(long + "_2")


async def test_a_cut_name_is_known_to_a_proxy_that_was_started_anew():
    long = "a_name_of_a_tool_that_is_longer_than_what_a_model_may_be_given"
    first = many({"server": server(long)})
    shown = names(await first(ScriptedClient().call("tools/list")))[0]
    service = server(long, "another")
    assert await many({"x": server("t"), "server": service})(ScriptedClient().use(shown)) == text(long)


def test_names_are_their_servers_own_whatever_the_keys_and_names_look_like():
    keys = ["a", "a__b", "a_b", "a b", "", "é", "x" * 90, "x" * 91, "A"]
    named = prefixes(keys, {}, room("lookahead") // 2)
    assert len(set(named.values())) == len(keys)
    book = Names(named, room("lookahead"))
    tools = ["b__c", "c", "_c", "__", "y" * 80, "y" * 81, "tool.with/all-letters"]
    shown = {book.outer(key, name): (key, name) for key in keys for name in tools}
    assert len(shown) == len(keys) * len(tools)
    assert all(len(name) <= room("lookahead") for name in shown)
    assert all(book.inner(name) == found for name, found in shown.items())


def test_a_tool_called_as_another_one_is_cut_takes_nothing_from_it():
    named = prefixes(["k"], {}, 24)
    long = "n" * 70
    cut = Names(named, 48).outer("k", long)
    book = Names(named, 48)
    book.learn("k", [long, cut.removeprefix("k__")])
    assert book.inner(cut) == ("k", cut.removeprefix("k__"))
    assert book.inner(book.outer("k", long)) == ("k", long)


async def test_a_short_name_stands_in_for_a_key():
    served = many({"a-very-long-key-of-a-server": server("t")}, short={"a-very-long-key-of-a-server": "s"})
    assert names(await served(ScriptedClient().call("tools/list"))) == ["s__t"]


async def test_what_servers_can_and_say_of_themselves_is_merged():
    one = server(
        initialize=hello(capabilities={"tools": {"listChanged": False}, "logging": {}}, instructions="Be kind.")
    )
    other = server(initialize=hello("2024-11-05", capabilities={"tools": {"listChanged": True}, "prompts": {}}))
    said = await many({"one": one, "other": other})(ScriptedClient().call("initialize", **HELLO))
    assert said["protocolVersion"] == "2025-11-25"
    assert said["capabilities"] == {"tools": {"listChanged": True}, "logging": {}, "prompts": {}}
    assert "# one\nBe kind." in said["instructions"]
    assert said["serverInfo"]["name"] == "lookahead"


@pytest.mark.parametrize("failure", [RpcError(-32000, "it is broken"), OSError("no such command")])
async def test_a_server_that_fails_stops_no_other_and_is_told_of(failure: Exception):
    broken = ScriptedService(script={"*": failure})
    served = many({"broken": broken, "good": server("t")})
    client = ScriptedClient()
    said = await served(client.call("initialize", **HELLO))
    assert f"# broken\nNot available now: {failure}" in said["instructions"]
    assert said["capabilities"]["tools"] == {"listChanged": True}
    assert names(await served(client.call("tools/list"))) == ["good__t"]
    assert await served(client.use("good__t")) == text("t")
    assert [params["data"] for method, params in client.told if method == "notifications/message"] == [
        f"the server 'broken' is not available: {failure}"
    ]
    with pytest.raises(RpcError, match=str(failure)):
        await served(client.use("broken__t"))


async def test_where_no_server_is_there_the_client_hears_why():
    served = many(
        {"a": ScriptedService(script={"*": OSError("no a")}), "b": ScriptedService(script={"*": OSError("no b")})}
    )
    with pytest.raises(RpcError, match=r"no a.*no b"):
        await served(ScriptedClient().call("initialize", **HELLO))


async def hang(call: Call) -> Json:
    await anyio.sleep_forever()
    raise AssertionError


async def test_a_server_that_hangs_stops_no_other():
    served = many({"hung": ScriptedService(script={"*": hang}), "good": server("t")}, patience=0.05)
    client = ScriptedClient()
    with anyio.fail_after(5):
        said = await served(client.call("initialize", **HELLO))
        assert "# hung\nNot available now: it did not answer" in said["instructions"]
        assert names(await served(client.call("tools/list"))) == ["good__t"]
        assert await served(client.use("good__t")) == text("t")


async def test_a_server_that_comes_late_is_there_once_it_came_and_the_client_is_told():
    up = anyio.Event()

    async def slow(call: Call) -> Json:
        await up.wait()
        return hello()

    late = server("t", initialize=slow)
    client = ScriptedClient()
    async with anyio.create_task_group() as tasks:
        served = many({"late": late, "good": server("t")}, tasks=tasks, patience=0.05)
        said = await served(client.call("initialize", **HELLO))
        assert "# late" in said["instructions"]
        await served(Call(method="notifications/initialized", client=client, notice=True))
        up.set()
        with anyio.fail_after(5):
            assert await served(client.use("late__t")) == text("t")
        assert ("notifications/tools/list_changed", {}) in client.told
        assert [call.method for call in late.calls][:2] == ["initialize", "notifications/initialized"]
        assert names(await served(client.call("tools/list"))) == ["late__t", "good__t"]
        assert [call.method for call in late.calls].count("initialize") == 1


async def test_a_conversation_that_is_over_is_over_everywhere():
    one, other = server("t"), server("t")
    async with anyio.create_task_group() as tasks:
        served = many(
            {"one": one, "other": other, "hung": ScriptedService(script={"*": hang})}, tasks=tasks, patience=0.05
        )
        client = ScriptedClient()
        await served(client.call("initialize", **HELLO))
        await served(Call(method=CLOSED, client=client, notice=True))
    assert [service.calls[-1].method for service in (one, other)] == [CLOSED, CLOSED]


async def test_prompts_and_their_completions_go_by_the_same_names():
    prompts = {"prompts": [{"name": "greet"}]}
    one = server(
        prompts_list=prompts, prompts_get={"messages": []}, completion_complete={"completion": {"values": ["x"]}}
    )
    served = many({"one": one, "other": server("t")})
    client = ScriptedClient()
    assert await served(client.call("prompts/list")) == {"prompts": [{"name": "one__greet"}]}
    await served(client.call("prompts/get", name="one__greet"))
    ref = {"type": "ref/prompt", "name": "one__greet"}
    said = await served(client.call("completion/complete", ref=ref, argument={"name": "n", "value": "v"}))
    assert said == {"completion": {"values": ["x"]}}
    asked = [call.params for call in one.calls if call.method in ("prompts/get", "completion/complete")]
    assert asked[0] == {"name": "greet"}
    assert asked[1]["ref"] == {"type": "ref/prompt", "name": "greet"}


def files(*uris: str, templates: tuple[str, ...] = (), **script: Any) -> ScriptedService:
    def read(call: Call) -> Json:
        if call.params["uri"] not in uris and not call.params["uri"].startswith(
            tuple(t.partition("{")[0] for t in templates)
        ):
            raise RpcError(-32002, "Resource not found")
        return {"contents": [{"uri": call.params["uri"], "text": "said"}]}

    said = {
        "resources_list": {"resources": [{"uri": uri, "name": uri} for uri in uris]},
        "resources_templates_list": {"resourceTemplates": [{"uriTemplate": one, "name": one} for one in templates]},
        "resources_read": read,
        "resources_subscribe": {},
        "initialize": hello(capabilities={"resources": {"subscribe": True}}),
    }
    return server(**{**said, **script})


async def test_an_address_that_one_server_has_keeps_its_spelling_and_one_that_two_have_gets_its_servers_name():
    one, other = files("file:///a", "file:///both"), files("file:///both")
    served = many({"one": one, "other_one": other})
    client = ScriptedClient()
    listed = await served(client.call("resources/list"))
    shown = [item["uri"] for item in listed["resources"]]
    assert shown == ["file:///a", "one+file:///both", "other-one+file:///both"]
    for uri in shown:
        assert (await served(client.call("resources/read", uri=uri)))["contents"][0]["uri"] == uri
    assert [call.params["uri"] for call in other.calls if call.method == "resources/read"] == ["file:///both"]


async def test_an_address_that_no_list_holds_is_found_by_its_template_or_by_asking():
    one, other = files("memo://a"), files(templates=("db://{table}/{+row}",))
    hidden = files("hidden://x", resources_list={"resources": []})
    served = many({"one": one, "other": other, "hidden": hidden})
    client = ScriptedClient()
    await served(client.call("resources/read", uri="db://t/1/2"))
    assert [len([c for c in s.calls if c.method == "resources/read"]) for s in (one, other, hidden)] == [0, 1, 0]
    assert (await served(client.call("resources/read", uri="hidden://x")))["contents"][0]["text"] == "said"
    with pytest.raises(RpcError, match="Resource not found"):
        await served(client.call("resources/read", uri="nobody://x"))


async def test_an_address_in_an_answer_of_a_tool_leads_back_to_its_server():
    link = {"type": "resource_link", "uri": "made://1", "name": "n"}
    embedded = {"type": "resource", "resource": {"uri": "memo://a", "text": "t"}}
    one, other = files("memo://a"), files("memo://a", "made://1", resources_list={"resources": [{"uri": "memo://a"}]})
    other.script = {**other.script, "tools/call make": {"content": [link, embedded]}}
    served = many({"one": one, "other": other})
    client = ScriptedClient()
    await served(client.call("resources/list"))
    said = await served(client.use("other__make"))
    assert [said["content"][0]["uri"], said["content"][1]["resource"]["uri"]] == ["made://1", "other+memo://a"]
    await served(client.call("resources/read", uri="made://1"))
    assert not [call for call in one.calls if call.method == "resources/read"]


async def test_updates_and_log_lines_say_which_server_they_come_from():
    one, other = files("file:///both"), files("file:///both")
    served = many({"one": one, "other": other})
    client = ScriptedClient()
    await served(client.call("initialize", **HELLO))
    await served(client.call("resources/list"))
    await served(client.call("resources/subscribe", uri="other+file:///both"))
    assert other.calls[-1].params == {"uri": "file:///both"}
    voice = other.calls[0].client
    await voice.tell("notifications/resources/updated", {"uri": "file:///both"})
    await voice.tell("notifications/message", {"level": "info", "logger": "db", "data": 1})
    await one.calls[0].client.tell("notifications/message", {"level": "info", "data": 1})
    await one.calls[0].client.tell("notifications/tools/list_changed", {})
    assert client.told == [
        ("notifications/resources/updated", {"uri": "other+file:///both"}),
        ("notifications/message", {"level": "info", "logger": "other/db", "data": 1}),
        ("notifications/message", {"level": "info", "data": 1, "logger": "one"}),
        ("notifications/tools/list_changed", {}),
    ]


async def test_a_person_who_is_asked_something_is_told_by_which_server():
    async def asks(call: Call) -> Json:
        answers = await call.client.ask({"k": Question(method="elicitation/create", params={"message": "Sure?"})})
        return text(str(answers["k"]["action"]))

    served = many({"one": server("t", **{"tools_call t": asks})})
    client = ScriptedClient(answers={"elicitation/create": accepted()})
    assert await served(client.use("one__t")) == text("accept")
    assert [question.params["message"] for question in client.asked] == ["one: Sure?"]


async def test_tasks_are_named_by_their_server_too():
    related = {"_meta": {"io.modelcontextprotocol/related-task": {"taskId": "7"}}}
    one = server(
        "t",
        initialize=hello(capabilities={"tasks": {"list": {}}, "tools": {}}),
        tasks_get={"taskId": "7", "status": "working"},
        tasks_result={"content": [], **related},
        tasks_list={"tasks": [{"taskId": "7"}]},
        **{"tools_call t": {"task": {"taskId": "7"}}},
    )
    served = many({"one": one, "other": server("t")})
    client = ScriptedClient()
    assert (await served(client.use("one__t")))["task"] == {"taskId": "one__7"}
    assert (await served(client.call("tasks/get", taskId="one__7")))["taskId"] == "one__7"
    assert one.calls[-1].params == {"taskId": "7"}
    said = await served(client.call("tasks/result", taskId="one__7"))
    assert said["_meta"] == {"io.modelcontextprotocol/related-task": {"taskId": "one__7"}}
    assert await served(client.call("tasks/list")) == {"tasks": [{"taskId": "one__7"}]}
    with pytest.raises(RpcError, match="Unknown task"):
        await served(client.call("tasks/get", taskId="7"))


async def test_the_level_of_log_lines_is_set_everywhere_and_one_server_without_it_is_no_error():
    one = server(logging_setLevel={})
    served = many({"one": one, "other": server("t")})
    assert await served(ScriptedClient().call("logging/setLevel", level="info")) == {}
    assert one.calls[-1].params == {"level": "info"}


async def test_a_list_that_no_server_has_is_a_method_that_is_not_there():
    with pytest.raises(RpcError) as caught:
        await many({"one": server("t"), "other": server("t")})(ScriptedClient().call("prompts/list"))
    assert caught.value.code == METHOD_NOT_FOUND


async def test_an_error_of_a_server_reaches_the_client_as_it_was():
    error = RpcError(-32042, "Payment required", {"price": 1})
    served = many({"one": server("t", **{"tools_call t": error})})
    with pytest.raises(RpcError) as caught:
        await served(ScriptedClient().use("one__t"))
    assert caught.value is error
