import json
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from mcp_kept import FILES, GRAPH, tool

from lookahead.errors import ConfigError, WorldError
from lookahead.journal import Journal
from lookahead.session import Session
from lookahead.testing import ScriptedWorld
from lookahead.types import Action, Effect, Environment, Observation, State
from lookahead.wrap import options_of
from lookahead_integrations.mcp.actions import ORIGIN
from lookahead_integrations.mcp.exchange import INVALID_PARAMS, METHOD_NOT_FOUND, RpcError
from lookahead_integrations.mcp.lists import SIMULATED, Saved, collect
from lookahead_integrations.mcp.modes.simulate import SOURCE, Simulation, simulate
from lookahead_integrations.mcp.shape import FILLED
from lookahead_integrations.mcp.testing import ScriptedClient, ScriptedService

pytestmark = pytest.mark.anyio

GREETING = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"tools": {}, "resources": {}, "tasks": {}},
    "serverInfo": {"name": "files", "version": "1"},
    "instructions": "Be kind.",
}


def session_of(tmp_path: Path, **options: Any) -> Session:
    told = options_of(mode="dry-run", journal=str(tmp_path / "journal.db"), **{"world": "none", **options})
    return told.open(())


def simulated(
    tmp_path: Path, world: Environment | None, tools: list[Any] = FILES, **options: Any
) -> tuple[Simulation, ScriptedService]:
    server = ScriptedService(script={"initialize": GREETING, "ping": {}}, tools=tools)
    return simulate(server, session=session_of(tmp_path), world=world, **options), server


def _text(result: dict[str, Any]) -> str:
    return result["content"][0]["text"]


async def test_a_call_is_answered_by_the_world_and_none_reaches_the_server(tmp_path: Path) -> None:
    service, server = simulated(tmp_path, ScriptedWorld(script={"*": "imagined"}))
    client = ScriptedClient()
    result = await service(client.use("list_allowed_directories"))
    assert _text(result) == "imagined"
    assert result["structuredContent"] == {"content": "imagined"}
    assert result["_meta"][ORIGIN] == {"kind": "model", "world": "scripted", "imagined": True}
    assert result["_meta"][SOURCE] == "simulate"
    assert server.called() == []


async def test_what_was_written_is_read_again_and_the_server_never_hears_of_it(tmp_path: Path) -> None:
    service, server = simulated(tmp_path, ScriptedWorld(script={"*": "ok"}))
    client = ScriptedClient()
    await service(client.use("write_file", path="/w/a.txt", content="one\ntwo\n"))
    read = await service(client.use("read_text_file", path="/w/a.txt"))
    assert read["structuredContent"] == {"content": "one\ntwo\n"}
    assert _text(await service(client.use("list_directory", path="/w"))) == "[FILE] a.txt"
    assert read["_meta"][ORIGIN]["world"] == "overlay"
    assert server.called() == []


async def test_two_clients_do_not_see_what_the_other_one_wrote(tmp_path: Path) -> None:
    service, _ = simulated(tmp_path, ScriptedWorld(script={"*": "ok", "read_text_file": "the world's"}))
    one, other = ScriptedClient(), ScriptedClient()
    await service(one.use("write_file", path="/w/a.txt", content="mine"))
    assert _text(await service(one.use("read_text_file", path="/w/a.txt"))) == "mine"
    assert _text(await service(other.use("read_text_file", path="/w/a.txt"))) == "the world's"


async def test_what_the_overlay_cannot_say_is_asked_with_the_simulated_steps(tmp_path: Path) -> None:
    world = ScriptedWorld(script={"*": "ok"})
    service, _ = simulated(tmp_path, world)
    client = ScriptedClient()
    await service(client.use("write_file", path="/w/a.txt", content="x"))
    await service(client.use("list_allowed_directories"))
    state, action = world.asked[-1]
    assert action.tool == "list_allowed_directories"
    assert [step.action.tool for step in state.steps] == ["write_file"]
    assert all(step.observation.imagined for step in state.steps)


async def test_lists_are_asked_for_once_and_told_again_when_the_server_is_gone(tmp_path: Path) -> None:
    service, server = simulated(tmp_path, ScriptedWorld(script={"*": "ok"}))
    client = ScriptedClient()
    first = await service(client.call("tools/list"))
    server.script = {"*": RpcError(-32000, "gone")}
    assert await service(ScriptedClient().call("tools/list")) == first
    assert len([call for call in server.calls if call.method == "tools/list"]) == 1


async def test_the_greeting_says_that_it_is_simulated(tmp_path: Path) -> None:
    service, _ = simulated(tmp_path, None)
    greeting = await service(ScriptedClient().call("initialize", protocolVersion="2025-11-25"))
    assert greeting["instructions"] == f"{SIMULATED}\n\nBe kind."
    assert greeting["serverInfo"] == GREETING["serverInfo"]
    assert greeting["capabilities"] == {"tools": {}, "resources": {}}


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
async def test_a_saved_list_needs_no_server(tmp_path: Path, version: str) -> None:
    path = tmp_path / "lists.json"
    server = ScriptedService(script={"initialize": GREETING, "resources/list": {"resources": []}}, tools=FILES, page=5)
    (await collect(server)).save(path)
    service = simulate(
        None, session=session_of(tmp_path), world=ScriptedWorld(script={"*": "ok"}), saved=Saved.load(path)
    )
    client = ScriptedClient(version=version)
    listed = await service(client.call("tools/list"))
    assert listed["tools"] == FILES
    method = "initialize" if version.startswith("2025") else "server/discover"
    greeting = await service(client.call(method, protocolVersion=version))
    assert greeting["instructions"].startswith(SIMULATED)
    assert ("resultType" in listed, "resultType" in greeting) == (version.startswith("2026"),) * 2
    await service(client.use("write_file", path="/a", content="x"))
    assert _text(await service(client.use("read_file", path="/a"))) == "x"


@pytest.mark.parametrize("written", ['{"tools": []}', "[]", '{"jsonrpc": "2.0", "id": 1, "result": {"tools": []}}'])
def test_a_saved_list_may_be_any_answer_that_holds_tools(tmp_path: Path, written: str) -> None:
    (tmp_path / "lists.json").write_text(written)
    assert Saved.load(tmp_path / "lists.json").lists == {"tools": []}


@pytest.mark.parametrize("written", ["{}", "no json", '{"prompts": []}', "3"])
def test_a_file_without_tools_is_refused_with_what_to_do(tmp_path: Path, written: str) -> None:
    (tmp_path / "lists.json").write_text(written)
    with pytest.raises(ConfigError, match=r"lists\.json"):
        Saved.load(tmp_path / "lists.json")


def test_without_a_server_and_without_a_list_there_is_nothing_to_simulate(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--tools"):
        simulate(None, session=session_of(tmp_path))


def test_a_session_that_would_run_things_is_refused(tmp_path: Path) -> None:
    guard = options_of(world="none", journal=str(tmp_path / "j.db"), mode="guard").open(())
    with pytest.raises(ConfigError, match="dry-run"):
        simulate(ScriptedService(), session=guard)
    guard.close()


async def test_wrong_arguments_are_answered_as_a_server_would(tmp_path: Path) -> None:
    world = ScriptedWorld(script={"*": "ok"})
    service, _ = simulated(tmp_path, world)
    result = await service(ScriptedClient().use("write_file", path="/a"))
    assert result["isError"] is True
    assert "'content' is a required property" in _text(result)
    with pytest.raises(RpcError) as raised:
        await service(ScriptedClient(version="2025-06-18").use("write_file", path="/a"))
    assert raised.value.code == INVALID_PARAMS
    with pytest.raises(RpcError, match="Unknown tool: nothing"):
        await service(ScriptedClient().use("nothing"))
    assert world.asked == []


async def test_an_answer_is_filled_to_fit_and_says_where(tmp_path: Path) -> None:
    output = {
        "type": "object",
        "properties": {"total": {"type": "integer"}, "rows": {"type": "array", "items": {"type": "string"}}},
        "required": ["total", "rows"],
    }
    tools = [tool("run_report", "Runs a report.", {"type": "object"}, output)]
    service, _ = simulated(tmp_path, ScriptedWorld(script={"*": '{"total": "7"}'}), tools)
    result = await service(ScriptedClient().use("run_report"))
    assert result["structuredContent"] == {"total": 7, "rows": []}
    assert json.loads(_text(result)) == result["structuredContent"]
    assert result["_meta"][FILLED] == ["/rows"]


async def test_a_schema_that_nothing_fits_is_answered_by_an_error_that_says_so(tmp_path: Path) -> None:
    output = {"type": "object", "properties": {"n": {"not": {}}}, "required": ["n"]}
    service, _ = simulated(tmp_path, ScriptedWorld(script={"*": "x"}), [tool("odd", "", {"type": "object"}, output)])
    result = await service(ScriptedClient().use("odd"))
    assert result["isError"] is True
    assert "structuredContent" not in result
    assert "odd declares to return" in _text(result)


async def test_a_world_that_is_down_is_told_of_and_nothing_is_remembered(tmp_path: Path) -> None:
    world = ScriptedWorld(script={"write_file": WorldError("the world is down"), "*": "base"})
    service, _ = simulated(tmp_path, world)
    client = ScriptedClient()
    result = await service(client.use("write_file", path="/a", content="x"))
    assert result["isError"] is True
    assert "the world is down" in _text(result)
    assert _text(await service(client.use("read_file", path="/a"))) == "base"


async def test_a_write_that_the_world_says_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    denied = Observation(content="EACCES: permission denied", failed=True)
    service, _ = simulated(tmp_path, ScriptedWorld(script={"write_file": denied, "*": "base"}))
    client = ScriptedClient()
    assert (await service(client.use("write_file", path="/a", content="x")))["isError"] is True
    assert _text(await service(client.use("read_file", path="/a"))) == "base"


async def test_without_any_world_what_was_written_can_still_be_read(tmp_path: Path) -> None:
    service, _ = simulated(tmp_path, None)
    client = ScriptedClient()
    assert _text(await service(client.use("write_file", path="/a/b", content="x"))) == "Successfully wrote to /a/b"
    assert _text(await service(client.use("read_file", path="/a/b"))) == "x"
    unknown = await service(client.use("read_file", path="/other"))
    assert unknown["isError"] is True
    assert "Not simulated" in _text(unknown)


async def test_an_effect_that_a_world_foretells_is_seen_by_what_reads_later(tmp_path: Path) -> None:
    gone = Observation(content="cleaned", effects=(Effect(happened="deleted", target="/a/b", what="file"),))
    tools = [*FILES, tool("tidy", "Tidies up.", {"type": "object"})]
    service, _ = simulated(tmp_path, ScriptedWorld(script={"tidy": gone, "*": "ok"}), tools)
    client = ScriptedClient()
    await service(client.use("write_file", path="/a/b", content="x"))
    await service(client.use("tidy"))
    assert (await service(client.use("read_file", path="/a/b")))["isError"] is True


async def test_a_resource_is_the_servers_own_until_it_was_written_over(tmp_path: Path) -> None:
    real = {"contents": [{"uri": "file:///w/a.txt", "mimeType": "text/plain", "text": "real"}]}
    server = ScriptedService(script={"initialize": GREETING, "resources/read": real}, tools=FILES)
    service = simulate(server, session=session_of(tmp_path), world=ScriptedWorld(script={"*": "ok"}))
    client = ScriptedClient()
    read = client.call("resources/read", uri="file:///w/a.txt")
    assert await service(read) == real
    await service(client.use("write_file", path="/w/a.txt", content="imagined"))
    result = await service(read)
    assert result["contents"] == [{"uri": "file:///w/a.txt", "mimeType": "text/plain", "text": "imagined"}]
    assert result["_meta"][ORIGIN]["imagined"] is True
    await service(client.use("move_file", source="/w/a.txt", destination="/w/b.txt"))
    with pytest.raises(RpcError, match="Resource not found"):
        await service(read)


async def test_a_graph_that_is_a_resource_shows_what_was_added(tmp_path: Path) -> None:
    real = {"contents": [{"uri": "memory://graph", "text": '{"entities": [], "relations": []}'}]}
    server = ScriptedService(script={"resources/read": real}, tools=GRAPH)
    service = simulate(server, session=session_of(tmp_path), world=ScriptedWorld(script={"*": "ok"}))
    client = ScriptedClient()
    entity = {"name": "Ada", "entityType": "person", "observations": ["writes"]}
    await service(client.use("create_entities", entities=[entity]))
    result = await service(client.call("resources/read", uri="memory://graph"))
    assert json.loads(result["contents"][0]["text"]) == {"entities": [entity], "relations": []}


@pytest.mark.parametrize("method", ["tasks/get", "tasks/cancel", "server/reset", "tools/resolve"])
async def test_what_might_change_something_stops_here(tmp_path: Path, method: str) -> None:
    service, server = simulated(tmp_path, None)
    server.script = {"*": {}}
    with pytest.raises(RpcError) as raised:
        await service(ScriptedClient().call(method))
    assert raised.value.code == METHOD_NOT_FOUND
    assert server.calls == []


async def test_with_reads_off_not_even_resources_are_asked_of_the_server(tmp_path: Path) -> None:
    service, server = simulated(tmp_path, None, reads=False)
    for method in ("resources/read", "prompts/get", "completion/complete"):
        with pytest.raises(RpcError):
            await service(ScriptedClient().call(method, uri="file:///a"))
    assert [call.method for call in server.calls if call.method != "tools/list"] == []


async def test_everything_imagined_is_on_record_as_imagined(tmp_path: Path) -> None:
    service, _ = simulated(tmp_path, ScriptedWorld(script={"*": "ok"}))
    client = ScriptedClient()
    await service(client.use("write_file", path="/a", content="x"))
    await service(client.use("read_file", path="/a"))
    with Journal(tmp_path / "journal.db") as journal:
        calls = journal.calls()
        assert [(call.status, call.decided.decision.proposed.tool) for call in calls] == [
            ("imagined", "write_file"),
            ("imagined", "read_file"),
        ]
        assert journal.transitions() == []


async def test_a_policy_has_its_say_where_the_session_guards(tmp_path: Path) -> None:
    session = session_of(tmp_path, world=ScriptedWorld(script={"*": "ok"}), policy={"write_*": "deny"})
    server = ScriptedService(script={"initialize": GREETING}, tools=FILES)
    service = simulate(server, session=session, guarded=True)
    client = ScriptedClient()
    assert (await service(client.use("write_file", path="/a", content="x")))["isError"] is True
    await service(client.use("create_directory", path="/d"))
    assert _text(await service(client.use("list_directory", path="/d"))) == ""
    assert server.called() == []


async def test_what_a_world_calls_real_is_imagined_all_the_same(tmp_path: Path) -> None:
    async def careless(state: State, action: Action, /) -> Observation:
        return Observation(content="so it is")

    service, _ = simulated(tmp_path, careless)
    result = await service(ScriptedClient().use("list_allowed_directories"))
    assert result["_meta"][ORIGIN] == {"kind": "model", "world": "careless", "imagined": True}


async def test_a_world_that_breaks_is_an_answer_and_not_an_end(tmp_path: Path) -> None:
    async def broken(state: State, action: Action, /) -> Observation:
        raise KeyError("oops")

    service, _ = simulated(tmp_path, broken)
    result = await service(ScriptedClient().use("list_allowed_directories"))
    assert result["isError"] is True
    assert "KeyError" in _text(result)


async def test_calls_that_read_do_not_wait_for_each_other_and_changes_do(tmp_path: Path) -> None:
    under_way = most = 0

    async def slow(state: State, action: Action, /) -> Observation:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        under_way -= 1
        return Observation(content="ok")

    service, _ = simulated(tmp_path, slow)
    client = ScriptedClient()
    await service(client.use("list_allowed_directories"))
    for name, wanted in (("write_file", 1), ("read_text_file", 3)):
        most = 0
        async with anyio.create_task_group() as tasks:
            for number in range(3):
                content = {"content": "x"} if name == "write_file" else {}
                tasks.start_soon(service, client.use(name, path=f"/{name}/{number}", **content))
        assert most == wanted
