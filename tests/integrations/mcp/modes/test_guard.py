"""Guard mode: what is forwarded, what is not, and what the client hears of it."""

from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from mcp_rig import rig, said

from lookahead.testing import ScriptedCopy, ScriptedProposer, ScriptedWorld, call
from lookahead.types import Effect, Observation
from lookahead_integrations.mcp.actions import DECISION
from lookahead_integrations.mcp.exchange import CLOSED, Call, Lost, RpcError
from lookahead_integrations.mcp.testing import ScriptedClient, text, tool

pytestmark = pytest.mark.anyio
ALLOW = {"*": "allow"}
GONE = Effect(happened="deleted", target="notes.txt", what="file", before=2000, unit="bytes", recoverable=False)


@pytest.mark.parametrize(
    "answer",
    [
        text("done"),
        text("done", _meta={"their/own": [1, None]}, unheard={"of": "field"}),
        {"content": [], "structuredContent": {"a": float("nan")}, "isError": False},
        {"content": [{"type": "image", "data": "AAAA", "mimeType": "image/png"}], "resultType": "complete"},
        {"content": "no list", "structuredContent": [1, 2]},
        {"content": [{"type": "text", "text": "half \ud800 a letter"}]},
        {"task": {"taskId": "7", "status": "working"}},
        {},
    ],
)
async def test_the_real_answer_reaches_the_client_untouched(tmp_path: Path, answer: dict[str, Any]):
    async with rig(tmp_path, policy=ALLOW, script={"tools/call": answer}) as it:
        assert repr(await it.use("write", path="a")) == repr(answer)
        assert [one.status for one in await it.recorded()] == ["done"]


async def test_what_is_forwarded_is_the_call_as_it_came(tmp_path: Path):
    async with rig(tmp_path, policy=ALLOW) as it:
        await it.mode(it.client.call("tools/call", name="write", _meta={"progressToken": 3}, task={"ttl": 5}))
        await it.mode(it.client.call("tools/call", name="write", arguments=None))
        assert it.server.called() == [
            {"name": "write", "_meta": {"progressToken": 3}, "task": {"ttl": 5}},
            {"name": "write", "arguments": None},
        ]


async def test_what_is_no_call_of_a_tool_passes(tmp_path: Path):
    answer = {"contents": [], "odd": 1}
    async with rig(tmp_path, policy={"*": "deny"}, script={"resources/read": answer}) as it:
        assert await it.ask("resources/read", uri="a:b") == answer
        with pytest.raises(RpcError) as raised:
            await it.ask("no/such", x=1)
        assert raised.value.code == -32601
        assert await it.recorded() == []


async def test_a_forbidden_call_is_not_forwarded_and_says_why(tmp_path: Path):
    async with rig(tmp_path, policy={"write": "deny"}) as it:
        refusal = await it.use("write", path="a")
        assert refusal["isError"] is True
        assert "the policy forbids this call" in said(refusal)
        assert refusal["_meta"][DECISION]["choice"] == "veto"
        assert it.server.called() == []
        assert [one.status for one in await it.recorded()] == ["refused"]


async def test_a_newer_client_is_answered_in_its_own_era(tmp_path: Path):
    async with rig(tmp_path, policy={"write": "deny"}, client=ScriptedClient(version="2026-07-28")) as it:
        assert (await it.use("write"))["resultType"] == "complete"
    async with rig(tmp_path, policy={"write": "deny"}) as it:
        assert "resultType" not in await it.use("write")


async def test_a_refusal_holds_what_the_call_would_have_done(tmp_path: Path):
    world = ScriptedCopy(script={"delete_file": GONE})
    async with rig(tmp_path, world=world, tools=[tool("delete_file")]) as it:
        refusal = await it.use("delete_file", path="notes.txt")
        decision = refusal["_meta"][DECISION]
        assert refusal["isError"] is True
        assert it.server.called() == []
        assert decision["predicted"]["origin"] == {"kind": "exact", "world": "copy", "imagined": True}
        assert decision["predicted"]["effects"][0]["target"] == "notes.txt"
        assert decision["hazards"]
        assert f"lookahead journal approve --journal {it.journal.path} {decision['id']}" in said(refusal)
        assert decision["allow_once"] in said(refusal)


async def test_a_hint_can_warn_and_cannot_vouch(tmp_path: Path):
    hints = [
        tool("quiet", annotations={"readOnlyHint": True, "destructiveHint": False}),
        tool("loud", annotations={"destructiveHint": True}),
    ]
    async with rig(tmp_path, tools=hints, policy=ALLOW) as it:
        await it.use("quiet")
        await it.use("loud")
        effects = [one.intended.effect for one in await it.recorded() if one.intended]
        assert effects == ["unknown", "destroys"]


async def test_the_word_of_the_user_is_over_the_hints(tmp_path: Path):
    hints = [tool("loud", annotations={"destructiveHint": True})]
    async with rig(tmp_path, tools=hints, policy={"loud": {"effect": "reads"}}) as it:
        await it.use("loud")
        assert [one.intended.effect for one in await it.recorded() if one.intended] == ["reads"]


@pytest.mark.parametrize("params", [{}, {"name": 3}, {"name": ""}, {"name": "write", "arguments": [1]}])
async def test_a_call_that_names_no_tool_or_no_arguments_is_not_forwarded(tmp_path: Path, params: dict[str, Any]):
    async with rig(tmp_path, policy=ALLOW) as it:
        with pytest.raises(RpcError) as raised:
            await it.mode(it.client.call("tools/call", **params))
        assert raised.value.code == -32602
        assert it.server.called() == []


@pytest.mark.parametrize("odd", [float("nan"), {"a": float("inf")}])
async def test_a_call_that_cannot_be_written_down_is_not_forwarded(tmp_path: Path, odd: Any):
    async with rig(tmp_path, policy=ALLOW) as it:
        with pytest.raises(RpcError) as raised:
            await it.use("write", path=odd)
        assert raised.value.code == -32602
        assert it.server.called() == []


async def test_a_call_that_nobody_waits_for_is_not_forwarded(tmp_path: Path):
    async with rig(tmp_path, policy=ALLOW) as it:
        await it.mode(Call(method="tools/call", params={"name": "write"}, client=it.client, notice=True))
        assert it.server.calls == []


async def test_the_same_call_again_is_another_call(tmp_path: Path):
    async with rig(tmp_path, policy=ALLOW) as it:
        await it.use("write", path="a")
        await it.use("write", path="a")
        assert len(it.server.called()) == 2
        assert [one.status for one in await it.recorded()] == ["done", "done"]


async def test_an_error_of_the_server_reaches_the_client_and_the_record(tmp_path: Path):
    error = RpcError(-32050, "no such table", {"table": "t"})
    async with rig(tmp_path, policy=ALLOW, script={"tools/call": error}) as it:
        with pytest.raises(RpcError) as raised:
            await it.use("write")
        assert (raised.value.code, str(raised.value), raised.value.data) == (-32050, "no such table", {"table": "t"})
        assert [one.status for one in await it.recorded()] == ["failed"]


async def test_a_failed_tool_is_on_record_as_failed(tmp_path: Path):
    async with rig(tmp_path, policy=ALLOW, script={"tools/call": text("no such file", isError=True)}) as it:
        assert (await it.use("write"))["isError"] is True
        assert [one.status for one in await it.recorded()] == ["failed"]


@pytest.mark.parametrize("error", [Lost(-32000, "the server died"), TimeoutError("no answer")])
async def test_a_call_whose_answer_never_came_is_in_doubt_and_not_repeated(tmp_path: Path, error: Exception):
    async with rig(tmp_path, policy=ALLOW, script={"tools/call": [error, text("done")]}) as it:
        with pytest.raises(type(error)):
            await it.use("write", path="a")
        (doubt,) = it.journal.in_doubt()
        assert doubt.action.arguments == {"path": "a"}
        refusal = await it.use("write", path="a")
        assert f"lookahead journal resolve --journal {it.journal.path} {doubt.call}" in said(refusal)
        assert len(it.server.called()) == 1
        await it.use("write", path="b")
        assert len(it.server.called()) == 2


async def test_a_cancelled_call_is_in_doubt(tmp_path: Path):
    reached = anyio.Event()

    async def slow(call: Call) -> dict[str, Any]:
        reached.set()
        await anyio.sleep_forever()
        return {}

    async with rig(tmp_path, policy=ALLOW, script={"tools/call": slow}) as it:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(it.use, "write")
            await reached.wait()
            tasks.cancel_scope.cancel()
        assert [one.status for one in await it.recorded()] == ["in doubt"]


async def test_a_call_that_was_cancelled_before_it_was_sent_did_not_happen(tmp_path: Path):
    async with rig(tmp_path, policy=ALLOW, script={"tools/list": {"tools": []}}) as it:
        await it.ask("tools/list")
        with anyio.CancelScope() as scope:
            scope.cancel()
            await it.use("write")
        assert it.server.called() == []
        assert it.journal.in_doubt() == []


async def test_without_a_world_a_call_that_destroys_is_held(tmp_path: Path):
    async with rig(tmp_path, tools=[tool("delete_all")]) as it:
        assert (await it.use("delete_all"))["isError"] is True
        assert it.server.called() == []


async def test_tools_are_asked_for_before_the_first_call_is_judged(tmp_path: Path):
    listed = [tool(f"t{number}", annotations={"destructiveHint": True}) for number in range(7)]
    async with rig(tmp_path, tools=listed, policy=ALLOW) as it:
        it.server.page = 3
        await it.use("t6")
        await it.use("t5")
        assert [one.method for one in it.server.calls] == ["tools/list"] * 3 + ["tools/call"] * 2
        assert [one.intended.effect for one in await it.recorded() if one.intended] == ["destroys"] * 2


async def test_tools_that_the_client_has_listed_are_not_asked_for_again(tmp_path: Path):
    async with rig(tmp_path, policy=ALLOW) as it:
        await it.ask("tools/list")
        await it.use("write")
        assert [one.method for one in it.server.calls] == ["tools/list", "tools/call"]


async def test_after_the_list_changed_a_call_is_judged_by_the_new_one(tmp_path: Path):
    lists = [{"tools": [tool("write")]}, {"tools": [tool("write", annotations={"destructiveHint": True})]}]

    async def opened(call: Call) -> dict[str, Any]:
        server_says.append(call.client)
        return {"protocolVersion": "2025-11-25"}

    server_says: list[Any] = []
    async with rig(tmp_path, script={"tools/list": lists, "initialize": opened}, policy=ALLOW) as it:
        await it.ask("initialize")
        await it.use("write")
        await server_says[0].tell("notifications/tools/list_changed", {})
        await it.use("write")
        assert it.client.told == [("notifications/tools/list_changed", {})]
        assert [one.intended.effect for one in await it.recorded() if one.intended] == ["unknown", "destroys"]


async def test_a_server_that_lists_no_tools_can_still_be_called(tmp_path: Path):
    async with rig(tmp_path, policy=ALLOW, script={"tools/list": RpcError(-32601, "no tools here")}) as it:
        await it.use("write")
        await it.use("write")
        assert [one.method for one in it.server.calls] == ["tools/list", "tools/call", "tools/call"]


async def test_each_client_is_a_conversation_of_its_own(tmp_path: Path):
    async with rig(tmp_path, policy=ALLOW) as it:
        await it.use("write")
        await it.mode(ScriptedClient().use("write"))
        runs = {one.run for one in await it.recorded()}
        assert len(runs) == 2
        assert not any(it.client.key in run for run in runs)


async def test_a_conversation_that_is_over_leaves_nothing_behind(tmp_path: Path):
    async with rig(tmp_path, policy=ALLOW, script={CLOSED: {}}) as it:
        await it.use("write")
        await it.mode(Call(method=CLOSED, client=it.client, notice=True))
        assert it.session._conversations == {}
        assert it.mode.catalogue._clients == {}
        assert len(it.session.journal.calls()) == 1


async def test_a_swap_says_what_was_done_instead(tmp_path: Path):
    world = ScriptedCopy(script={"delete_file": GONE, "move_file": Observation(content="moved", effects=())})
    policy = {"swap": True}
    from lookahead.search import BestOf

    rival = call("move_file", source="notes.txt", target="old/notes.txt")
    search = BestOf(k=2, propose=ScriptedProposer([rival]))
    tools = [tool("delete_file"), tool("move_file")]
    async with rig(tmp_path, world=world, policy=policy, search=search, tools=tools) as it:
        answer = await it.use("delete_file", path="notes.txt")
        assert it.server.called() == [{"name": "move_file", "arguments": rival.arguments}]
        assert "did move_file" in said(answer)
        assert answer["_meta"][DECISION]["choice"] == "swap"


async def test_a_swapped_answer_of_another_shape_is_not_passed_off_as_the_asked_one(tmp_path: Path):
    world = ScriptedCopy(script={"delete_file": GONE, "move_file": Observation(content="moved", effects=())})
    from lookahead.search import BestOf

    search = BestOf(k=2, propose=ScriptedProposer([call("move_file", source="a")]))
    tools = [tool("delete_file", outputSchema={"type": "object"}), tool("move_file")]
    script = {"tools/call": text("moved", structuredContent={"to": "b"})}
    async with rig(tmp_path, world=world, policy={"swap": True}, search=search, tools=tools, script=script) as it:
        answer = await it.use("delete_file", path="notes.txt")
        assert answer["isError"] is True
        assert "structuredContent" not in answer


async def test_a_record_that_cannot_be_written_is_a_call_that_is_not_made(tmp_path: Path):
    async with rig(tmp_path, policy=ALLOW) as it:
        await it.ask("tools/list")
        it.session.close()
        it.journal.close()
        answer = await it.use("write")
        assert answer["isError"] is True
        assert said(answer).startswith("Not done: ")
        assert it.server.called() == []


async def test_the_answer_does_not_wait_for_its_record_and_the_next_call_does(tmp_path: Path):
    async with rig(tmp_path, policy=ALLOW) as it:
        await it.use("write", path="a")
        await anyio.lowlevel.checkpoint()  # the answer is out
        await it.use("write", path="b")
        first = it.journal.calls()[0]
        assert first.status == "done"
        await it.settled()
        assert [one.status for one in it.journal.calls()] == ["done", "done"]


async def test_a_reading_call_costs_the_world_nothing(tmp_path: Path):
    world = ScriptedWorld(script={"*": "imagined"})
    async with rig(tmp_path, world=world, policy={"look": {"effect": "reads"}}, tools=[tool("look")]) as it:
        await it.use("look")
        assert world.asked == []


async def test_many_calls_at_once_are_each_recorded_once(tmp_path: Path):
    async with rig(tmp_path, policy=ALLOW) as it:
        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(lambda number: it.use("write", number=number), number)
        numbers = sorted(params["arguments"]["number"] for params in it.server.called())
        assert numbers == list(range(50))
        assert [one.status for one in await it.recorded()] == ["done"] * 50
