"""`tools/resolve`: what just this call would do, and that nothing is called to find out."""

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp_rig import Rig, rig

from lookahead.guard import Guard
from lookahead.policy import Policy
from lookahead.testing import FixedRecord, ScriptedCopy, ScriptedWorld
from lookahead.types import Effect, Observation, Origin
from lookahead_integrations.mcp.actions import ORIGIN
from lookahead_integrations.mcp.exchange import Json, RpcError
from lookahead_integrations.mcp.judging import judging
from lookahead_integrations.mcp.modes.guard import layer as guard
from lookahead_integrations.mcp.resolve import CAREFUL, EXTENSION, Resolving, believed, layer, strictest
from lookahead_integrations.mcp.settings import ProxySettings
from lookahead_integrations.mcp.testing import ScriptedClient, ScriptedService, text, tool

pytestmark = pytest.mark.anyio

KNOWS: Json = {"extensions": {EXTENSION: {}}}
PATH: Json = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
FILES = tool("manage_files", inputSchema=PATH, annotations={"title": "Files", "readOnlyHint": False})
SETTINGS = ProxySettings(command=("server",))
LOOKS = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}
RESULT: Json = {
    "type": "object",
    "properties": {
        "resultType": {"const": "complete"},
        "name": {"type": "string"},
        "annotations": {
            "type": "object",
            "properties": {name: {"type": "boolean"} for name in CAREFUL},
            "required": list(CAREFUL),
            "additionalProperties": False,
        },
        "_meta": {"type": "object", "additionalProperties": {"type": "object"}},
    },
    "required": ["resultType", "name", "annotations"],
    "additionalProperties": False,
}
"""As the draft's own schema has it."""


def knowing(version: str = "2025-11-25") -> ScriptedClient:
    return ScriptedClient(version=version, capabilities=KNOWS)


def over(it: Rig) -> Resolving:
    return Resolving(next=it.mode, judging=judging(it.mode, SETTINGS, AsyncExitStack()))


async def hints(it: Rig, name: str = "manage_files", **arguments: Any) -> Json:
    result = await over(it)(it.client.call("tools/resolve", name=name, arguments=arguments))
    Draft202012Validator(RESULT).validate(result)
    assert result["name"] == name
    assert it.server.called() == []
    assert it.server.called("tools/resolve") == []
    return result["annotations"]


def effect(happened: Any, **more: Any) -> Effect:
    return Effect(happened=happened, target="notes.txt", what="file", **more)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (Observation(effects=()), LOOKS),
        (effect("created"), {"readOnlyHint": False, "destructiveHint": False, "openWorldHint": False}),
        (effect("changed"), {"readOnlyHint": False, "destructiveHint": True, "openWorldHint": False}),
        (effect("deleted", recoverable=True), {"readOnlyHint": False, "destructiveHint": True}),
        (effect("sent"), {"readOnlyHint": False, "destructiveHint": True, "openWorldHint": True}),
        (effect("sent", recoverable=True), {"readOnlyHint": False, "destructiveHint": False, "openWorldHint": True}),
        (Observation(effects=None), CAREFUL),
        (Observation(effects=(), failed=True), CAREFUL),
    ],
)
async def test_an_exact_copy_says_what_the_call_does(tmp_path: Path, said: Any, expected: Json) -> None:
    async with rig(tmp_path, world=ScriptedCopy(script={"*": said}), tools=[FILES], client=knowing()) as it:
        found = await hints(it, path="notes.txt")
        assert {name: found[name] for name in expected} == expected


async def test_a_model_without_a_record_makes_nobody_less_careful(tmp_path: Path) -> None:
    world = ScriptedWorld(script={"*": Observation(effects=())})
    async with rig(tmp_path, world=world, tools=[FILES], client=knowing()) as it:
        assert await hints(it, path="a") == CAREFUL


def test_a_world_has_to_have_earned_to_be_believed() -> None:
    def of(record: Any) -> Guard:
        return Guard(policy=Policy(), record=record)

    model, copy = (Origin(kind=kind, world="scripted") for kind in ("model", "exact"))
    assert not believed(of(None), "t", model)
    assert not believed(of(FixedRecord(bound=0.6)), "t", model)
    assert believed(of(FixedRecord(bound=0.8)), "t", model)
    assert believed(of(None), "t", copy)
    assert not believed(of(FixedRecord(bound=0.1, right=0.2, tries=20)), "t", copy)


async def test_where_nothing_can_be_imagined_the_careful_hints_hold(tmp_path: Path) -> None:
    async with rig(tmp_path, tools=[FILES], client=knowing()) as it:
        assert await hints(it, path="a") == CAREFUL


async def test_a_call_that_reads_by_its_text_is_one_that_reads(tmp_path: Path) -> None:
    shell = tool("shell", inputSchema={"type": "object", "properties": {"command": {"type": "string"}}})
    async with rig(tmp_path, tools=[shell], client=knowing()) as it:
        assert (await hints(it, "shell", command="ls -l"))["readOnlyHint"] is True
        found = await hints(it, "shell", command="rm -rf /srv/data")
        assert (found["readOnlyHint"], found["destructiveHint"]) == (False, True)


async def test_what_the_user_calls_destructive_stays_so(tmp_path: Path) -> None:
    world = ScriptedCopy(script={"*": Observation(effects=())})
    policy = {"manage_files": {"effect": "destroys"}}
    async with rig(tmp_path, world=world, policy=policy, tools=[FILES], client=knowing()) as it:
        found = await hints(it, path="a")
        assert (found["readOnlyHint"], found["destructiveHint"]) == (False, True)


async def test_no_hint_of_a_server_makes_anybody_less_careful(tmp_path: Path) -> None:
    vouching = {**FILES, "annotations": {**LOOKS}}
    async with rig(tmp_path, tools=[vouching], client=knowing()) as it:
        assert await hints(it, path="a") == CAREFUL


async def test_a_call_that_the_policy_allows_is_told_of_as_well(tmp_path: Path) -> None:
    world = ScriptedCopy(script={"*": effect("created")})
    async with rig(tmp_path, world=world, policy={"*": "allow"}, tools=[FILES], client=knowing()) as it:
        assert (await hints(it, path="a"))["destructiveHint"] is False
        assert world.discarded > 0


async def test_it_is_the_same_in_shadow_mode(tmp_path: Path) -> None:
    world = ScriptedCopy(script={"*": effect("created")})
    async with rig(tmp_path, mode="shadow", world=world, tools=[FILES], client=knowing()) as it:
        assert (await hints(it, path="a"))["destructiveHint"] is False


async def test_what_was_done_before_is_part_of_what_would_happen(tmp_path: Path) -> None:
    world = ScriptedCopy(script={"*": Observation(effects=())})
    async with rig(tmp_path, world=world, policy={"*": "allow"}, tools=[FILES], client=knowing()) as it:
        await it.use("manage_files", path="first")
        await over(it)(it.client.call("tools/resolve", name="manage_files", arguments={"path": "second"}))
        state, action = world.asked[-1]
        assert action.arguments == {"path": "second"}
        assert [step.action.arguments for step in state.steps] == [{"path": "first"}]
        assert it.server.called() == [{"name": "manage_files", "arguments": {"path": "first"}}]


async def test_nothing_is_written_down_of_it(tmp_path: Path) -> None:
    world = ScriptedCopy(script={"*": effect("deleted", recoverable=False)})
    async with rig(tmp_path, world=world, tools=[FILES], client=knowing()) as it:
        await hints(it, path="a")
        assert await it.recorded() == []
        assert it.journal.waiting() == []


async def test_where_it_comes_from_is_said(tmp_path: Path) -> None:
    world = ScriptedCopy(script={"*": effect("created")})
    async with rig(tmp_path, world=world, tools=[FILES], client=knowing("2026-07-28")) as it:
        result = await over(it)(it.client.call("tools/resolve", name="manage_files", arguments={"path": "a"}))
        assert result["_meta"][ORIGIN] == {"kind": "exact", "world": "copy", "imagined": True}


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
async def test_the_tools_are_marked_for_whoever_can_read_it(tmp_path: Path, version: str) -> None:
    look = tool("look_up")
    policy = {"look_up": {"effect": "reads"}}
    async with rig(tmp_path, policy=policy, tools=[FILES, look], client=knowing(version)) as it:
        files, looks = (await over(it)(it.client.call("tools/list")))["tools"]
        assert files["_meta"] == {EXTENSION: {"resolvable": True}}
        assert files["annotations"] == {"title": "Files", **CAREFUL}
        assert looks == look
        plain = await over(it)(ScriptedClient(version=version).call("tools/list"))
        assert plain == {"tools": [FILES, look]}


@pytest.mark.parametrize(
    ("said", "settings"),
    [({}, None), ({"extensions": {EXTENSION: {"x": 1}}}, None), ({"extensions": [EXTENSION]}, None)],
)
async def test_a_client_that_did_not_declare_it_is_told_what_is_missing(
    tmp_path: Path, said: Json, settings: None
) -> None:
    client = ScriptedClient(capabilities=said)
    async with rig(tmp_path, tools=[FILES], client=client) as it:
        with pytest.raises(RpcError) as raised:
            await hints(it, path="a")
        assert raised.value.code == -32021
        assert raised.value.data == {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}


@pytest.mark.parametrize(
    "params",
    [
        {"name": "no_such", "arguments": {}},
        {"name": "manage_files", "arguments": {}},
        {"name": "manage_files", "arguments": {"path": 1}},
        {"name": "manage_files"},
        {"name": "manage_files", "arguments": []},
        {"arguments": {}},
        {"name": "look_up", "arguments": {}},
    ],
)
async def test_what_cannot_be_resolved_is_a_wrong_parameter(tmp_path: Path, params: Json) -> None:
    policy = {"look_up": {"effect": "reads"}}
    async with rig(tmp_path, policy=policy, tools=[FILES, tool("look_up")], client=knowing()) as it:
        with pytest.raises(RpcError) as raised:
            await over(it)(it.client.call("tools/resolve", **params))
        assert raised.value.code == -32602


THEIRS = {**FILES, "_meta": {EXTENSION: {"resolvable": True}}}


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ({"annotations": CAREFUL}, CAREFUL),
        ({"annotations": LOOKS}, {**CAREFUL, "destructiveHint": False, "openWorldHint": False}),
        ({"annotations": {"destructiveHint": "no"}}, {**CAREFUL, "openWorldHint": False}),
        ({"annotations": 7}, {**CAREFUL, "destructiveHint": False, "openWorldHint": False}),
        (RpcError(-32603, "cannot"), {**CAREFUL, "destructiveHint": False, "openWorldHint": False}),
    ],
)
async def test_what_the_server_itself_resolves_only_adds_care(tmp_path: Path, theirs: Any, expected: Json) -> None:
    world = ScriptedCopy(script={"*": effect("created")})
    script = {"tools/resolve": theirs}
    async with rig(tmp_path, world=world, script=script, tools=[THEIRS], client=knowing()) as it:
        service = over(it)
        await service(it.client.call("tools/list"))
        result = await service(it.client.call("tools/resolve", name="manage_files", arguments={"path": "a"}))
        assert result["annotations"] == expected
        assert it.server.called() == []


def test_of_two_sets_of_hints_the_more_careful_word_counts() -> None:
    assert strictest(LOOKS, CAREFUL) == strictest(CAREFUL, LOOKS) == CAREFUL
    assert strictest(LOOKS, {}) == LOOKS


@pytest.mark.parametrize("method", ["initialize", "server/discover"])
async def test_both_eras_are_told_that_it_is_there(tmp_path: Path, method: str) -> None:
    greeting = {"capabilities": {"tools": {}, "extensions": {"their/own": {}}}, "odd": 1}
    async with rig(tmp_path, script={method: greeting}) as it:
        result = await over(it)(it.client.call(method))
        assert result == {"capabilities": {"tools": {}, "extensions": {"their/own": {}, EXTENSION: {}}}, "odd": 1}


async def test_it_has_a_session_of_its_own_where_no_mode_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    upstream = ScriptedService(script={"tools/call": text("done")}, tools=[FILES])
    client = knowing()
    async with AsyncExitStack() as stack:
        settings = ProxySettings(command=("server",), mode="off", world="none", journal=str(tmp_path / "j.db"))
        service = layer(upstream, settings=settings, stack=stack)
        result = await service(client.call("tools/resolve", name="manage_files", arguments={"path": "a"}))
        assert result["annotations"] == CAREFUL
        assert await service(client.use("manage_files", path="a")) == text("done")
    assert json.dumps(upstream.called()) == '[{"name": "manage_files", "arguments": {"path": "a"}}]'


async def test_a_dry_run_of_the_server_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That would be a call of its tool. The guard does ask for it, where the call itself is made."""
    monkeypatch.chdir(tmp_path)
    schema = {**PATH, "properties": {**PATH["properties"], "dry_run": {"type": "boolean"}}}
    tools = [{**FILES, "inputSchema": schema}]
    upstream = ScriptedService(script={"tools/call": text("would write one file")}, tools=tools)
    client = knowing()
    async with AsyncExitStack() as stack:
        policy = {"manage_files": {"dry_run": {"argument": "dry_run"}}}
        settings = ProxySettings(command=("server",), policy=policy, journal=str(tmp_path / "j.db"))
        service = layer(guard(upstream, settings=settings, stack=stack), settings=settings, stack=stack)
        await service(client.use("manage_files", path="a"))
        asked = len(upstream.called())
        assert {"name": "manage_files", "arguments": {"path": "a", "dry_run": True}} in upstream.called()
        result = await service(client.call("tools/resolve", name="manage_files", arguments={"path": "b"}))
        assert result["annotations"] == CAREFUL
        assert len(upstream.called()) == asked
