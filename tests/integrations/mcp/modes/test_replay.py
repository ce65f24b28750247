import io
import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp_kept import FILES
from mcp_rig import rig

from lookahead.errors import ConfigError
from lookahead.journal import Journal
from lookahead.testing import ScriptedWorld
from lookahead.wrap import options_of
from lookahead_integrations.mcp.actions import ORIGIN
from lookahead_integrations.mcp.exchange import CLOSED, RpcError
from lookahead_integrations.mcp.modes.replay import DIFFERS, Chain, replay
from lookahead_integrations.mcp.modes.simulate import SOURCE, simulate
from lookahead_integrations.mcp.recording import Recording, likeness
from lookahead_integrations.mcp.testing import ScriptedClient, ScriptedService, text

pytestmark = pytest.mark.anyio
GREETING = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}


async def recorded(tmp_path: Path, *, mode: str = "record") -> Recording:
    """A server whose file changes when it is written, and a clock in its answers."""
    kept: dict[str, str] = {"/a": "first"}

    def read(call: Any) -> Any:
        return text(kept[call.params["arguments"]["path"]], structuredContent={"content": "s"}, extra=[1])

    def write(call: Any) -> Any:
        kept[call.params["arguments"]["path"]] = call.params["arguments"]["content"]
        return text("written")

    script = {
        "initialize": GREETING,
        "tools/call read_text_file": read,
        "tools/call write_file": write,
        "tools/call list_allowed_directories": [text("one"), text("two")],
        "tools/call get_file_info": text("failed", isError=True),
        "resources/read": {"contents": [{"uri": "a:b", "text": "resource"}]},
    }
    policy = {"*": "allow"} if mode == "guard" else None
    async with rig(tmp_path, mode=mode, script=script, tools=FILES, policy=policy) as it:
        await it.ask("initialize")
        await it.ask("tools/list")
        await it.use("read_text_file", path="/a")
        await it.use("write_file", path="/a", content="second, 2026-11-21T10:00:00Z")
        await it.use("read_text_file", path="/a")
        await it.use("list_allowed_directories")
        await it.use("list_allowed_directories")
        await it.use("get_file_info", path="/a")
        await it.ask("resources/read", uri="a:b")
        await it.settled()
        return Recording.of(it.journal, name="journal.db")


def said(result: dict[str, Any]) -> str:
    return result["content"][0]["text"]


async def test_answers_are_told_again_in_order_as_they_were(tmp_path: Path) -> None:
    service, client = replay(await recorded(tmp_path), how="in-order"), ScriptedClient()
    first = await service(client.use("read_text_file", path="/a"))
    assert first.pop("_meta") == {
        SOURCE: "replay",
        ORIGIN: {"kind": "recorded", "world": "journal.db", "imagined": True},
    }
    assert first == text("first", structuredContent={"content": "s"}, extra=[1])
    assert said(await service(client.use("write_file", path="/a", content="second, 2026-11-21T10:00:00Z"))) == "written"
    assert said(await service(client.use("read_text_file", path="/a"))).startswith("second")
    assert said(await service(client.use("list_allowed_directories"))) == "one"
    assert said(await service(client.use("list_allowed_directories"))) == "two"
    assert (await service(client.use("get_file_info", path="/a")))["isError"] is True
    with pytest.raises(RpcError, match="the recording is at its end"):
        await service(client.use("get_file_info", path="/a"))


async def test_in_order_another_tool_than_the_next_one_is_an_error_that_names_it(tmp_path: Path) -> None:
    service, client = replay(await recorded(tmp_path), how="in-order"), ScriptedClient()
    with pytest.raises(
        RpcError, match=r"get_file_info is not in the recording .*: next .* is a call of 'read_text_file'"
    ):
        await service(client.use("get_file_info", path="/a"))
    assert said(await service(client.use("read_text_file", path="/a"))) == "first"


async def test_in_order_other_arguments_are_answered_and_marked(tmp_path: Path) -> None:
    service, client = replay(await recorded(tmp_path), how="in-order"), ScriptedClient()
    result = await service(client.use("read_text_file", path="/other"))
    assert (said(result), result["_meta"][DIFFERS]) == ("first", True)


async def test_a_call_is_matched_by_what_it_asks_and_what_was_changed_before(tmp_path: Path) -> None:
    service, client = replay(await recorded(tmp_path)), ScriptedClient()
    assert said(await service(client.use("read_text_file", path="/a"))) == "first"
    assert said(await service(client.use("read_text_file", path="/a"))) == "first"
    with pytest.raises(RpcError, match="no such call was recorded"):
        await service(client.use("read_text_file", path="/b"))
    await service(client.use("write_file", path="/a", content="second, 2026-11-21T10:00:00Z"))
    assert said(await service(client.use("read_text_file", path="/a"))).startswith("second")


async def test_a_call_after_other_changes_is_not_matched(tmp_path: Path) -> None:
    service, client = replay(await recorded(tmp_path)), ScriptedClient()
    await service(client.use("write_file", path="/a", content="second, 2026-11-21T10:00:00Z"))
    with pytest.raises(RpcError, match="after other changes"):
        await service(client.use("write_file", path="/a", content="second, 2026-11-21T10:00:00Z"))


async def test_volatile_values_match_and_others_do_not(tmp_path: Path) -> None:
    service, client = replay(await recorded(tmp_path)), ScriptedClient()
    later = "second, 2027-01-02T03:04:05.678+02:00"
    assert said(await service(client.use("write_file", path="/a", content=later))) == "written"
    other = replay(await recorded(tmp_path / "other"))
    with pytest.raises(RpcError, match="no such call"):
        await other(client.use("write_file", path="/a", content="third, 2026-11-21T10:00:00Z"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("at 2026-11-21 10:00", "at 2025-01-01 09:30", True),
        ("0190a8f0-1111-4222-8333-444455556666", "0190a8f0-9999-4222-8333-444455556666", True),
        (1_763_700_000, 1_763_800_000, True),
        ("/tmp/tmpab12cd34/x", "/tmp/tmpzz99yy88/x", True),
        ("/tmp/tmpab12cd34/x", "/tmp/tmpab12cd34/y", False),
        (12, 13, False),
        ("order 12", "order 13", False),
        (True, 1, False),
    ],
)
def test_what_is_volatile(one: Any, other: Any, same: bool) -> None:
    calls = [likeness("tools/call", {"name": "t", "arguments": {"a": value}}) for value in (one, other)]
    assert (calls[0] == calls[1]) is same


async def test_lists_and_resources_are_as_they_were_recorded(tmp_path: Path) -> None:
    service, client = replay(await recorded(tmp_path)), ScriptedClient()
    assert (await service(client.call("tools/list")))["tools"] == FILES
    greeting = await service(client.call("initialize", protocolVersion="2025-11-25"))
    assert greeting["serverInfo"] == {"name": "s", "version": "1"}
    assert "replayed by Lookahead" in greeting["instructions"]
    resource = await service(client.call("resources/read", uri="a:b"))
    assert resource["contents"] == [{"uri": "a:b", "text": "resource"}]
    assert resource["_meta"][SOURCE] == "replay"
    newer = await service(ScriptedClient(version="2026-07-28").call("resources/read", uri="a:b"))
    assert (newer["resultType"], newer["cacheScope"]) == ("complete", "private")


async def test_each_client_begins_at_the_beginning(tmp_path: Path) -> None:
    service, one, other = replay(await recorded(tmp_path), how="in-order"), ScriptedClient(), ScriptedClient()
    assert said(await service(one.use("read_text_file", path="/a"))) == "first"
    assert said(await service(other.use("read_text_file", path="/a"))) == "first"
    await service(one.call(CLOSED).__class__(method=CLOSED, client=one, notice=True))
    assert said(await service(one.use("read_text_file", path="/a"))) == "first"


def chained(recording: Recording, tmp_path: Path, world: Any, server: ScriptedService) -> Chain:
    session = options_of(mode="dry-run", world="none", journal=str(tmp_path / "simulated.db")).open(())
    simulated = simulate(server, session=session, world=world, strict=True)
    return replay(recording, then=[("simulate", simulated), ("forward", server)], next=server)


async def test_what_was_not_recorded_falls_through_and_the_source_is_named(tmp_path: Path) -> None:
    server = ScriptedService(script={"tools/call": text("real")}, tools=FILES)
    world = ScriptedWorld(script={"write_file": "imagined"})
    service, client = chained(await recorded(tmp_path), tmp_path, world, server), ScriptedClient()
    sources: list[tuple[str, str, bool]] = []
    for call in (
        client.use("read_text_file", path="/a"),
        client.use("write_file", path="/new", content="x"),
        client.use("read_text_file", path="/new"),
        client.use("get_file_info", path="/never"),
    ):
        result = await service(call)
        meta = result["_meta"]
        sources.append((said(result), meta[SOURCE], meta.get(ORIGIN, {}).get("imagined", False)))
    assert sources == [
        ("first", "replay", True),
        ("imagined", "simulate", True),
        ("x", "simulate", True),
        ("real", "forward", False),
    ]
    assert [params["name"] for params in server.called()] == ["get_file_info"]


async def test_a_simulation_goes_on_from_what_was_replayed(tmp_path: Path) -> None:
    server = ScriptedService(tools=FILES)
    world = ScriptedWorld(script={"*": "the world's"})
    service, client = chained(await recorded(tmp_path), tmp_path, world, server), ScriptedClient()
    content = "second, 2026-11-21T10:00:00Z"
    assert (await service(client.use("write_file", path="/a", content=content)))["_meta"][SOURCE] == "replay"
    result = await service(client.use("read_file", path="/a"))
    assert (said(result), result["_meta"][SOURCE]) == (content, "simulate")


async def test_what_nobody_knows_is_an_error_that_says_who_was_asked(tmp_path: Path) -> None:
    session = options_of(mode="dry-run", world="none", journal=str(tmp_path / "simulated.db")).open(())
    recording = await recorded(tmp_path)
    simulated = simulate(None, session=session, saved=recording.saved(), strict=True, sampling=False)
    service = replay(recording, then=[("simulate", simulated)])
    with pytest.raises(RpcError, match=r"replay: .* no such call was recorded; simulate: "):
        await service(ScriptedClient().use("read_text_file", path="/never"))


async def test_calls_that_were_under_way_together_may_come_in_any_order(tmp_path: Path) -> None:
    started, both = anyio.Event(), anyio.Event()

    async def slow(call: Any) -> Any:
        if started.is_set():
            both.set()
        started.set()
        await both.wait()
        return text(call.params["arguments"]["path"])

    async with rig(tmp_path, mode="record", script={"tools/call": slow}, tools=FILES) as it:
        async with anyio.create_task_group() as tasks:
            for path in ("/a", "/b"):
                tasks.start_soon(lambda path=path: it.use("read_text_file", path=path))
        await it.settled()
        recording = Recording.of(it.journal, name="j")
    service, client = replay(recording, how="in-order"), ScriptedClient()
    for path in ("/b", "/a"):
        result = await service(client.use("read_text_file", path=path))
        assert (said(result), DIFFERS in result["_meta"]) == (path, False)


async def test_a_journal_of_guard_mode_can_be_replayed_too(tmp_path: Path) -> None:
    service, client = replay(await recorded(tmp_path, mode="guard")), ScriptedClient()
    assert said(await service(client.use("read_text_file", path="/a"))) == "first"
    assert {tool["name"] for tool in (await service(client.call("tools/list")))["tools"]} == {t["name"] for t in FILES}


async def test_a_journal_and_its_export_hold_the_same_recording(tmp_path: Path) -> None:
    first = await recorded(tmp_path)
    (path,) = [Path(one) async for one in anyio.Path(tmp_path).iterdir() if one.suffix == ".db"]
    with Journal(path) as journal:
        lines = io.StringIO()
        journal.export(lines)
    (tmp_path / "export.jsonl").write_text(lines.getvalue())
    for again in (Recording.load(path), Recording.load(tmp_path / "export.jsonl")):
        assert [(one.method, one.likeness, one.result, one.past) for one in again.taken] == [
            (one.method, one.likeness, one.result, one.past) for one in first.taken
        ]


FRAMES: list[dict[str, Any]] = [
    {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {"a": 1}}},
    {"jsonrpc": "2.0", "method": "notifications/progress"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "gone", "arguments": {}}},
    {"jsonrpc": "2.0", "id": 2, "error": {"code": -32602, "message": "no such tool"}},
    {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "one"}]}},
]


@pytest.mark.parametrize("kind", ["lines", "wrapped lines", "list", "pairs"])
async def test_a_file_of_frames_is_a_recording(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "frames"
    pairs = [{"request": FRAMES[0], "response": FRAMES[4]}, {"request": FRAMES[2], "response": FRAMES[3]}]
    written = {
        "lines": "\n".join(json.dumps(one) for one in FRAMES),
        "wrapped lines": "\n".join(json.dumps({"dir": "x", "message": one}) for one in FRAMES),
        "list": json.dumps({"frames": FRAMES}),
        "pairs": json.dumps(pairs),
    }
    path.write_text(written[kind])
    service, client = replay(Recording.load(path)), ScriptedClient()
    assert said(await service(client.use("echo", a=1))) == "one"
    with pytest.raises(RpcError, match="no such tool") as raised:
        await service(client.use("gone"))
    assert raised.value.code == -32602
    assert [one["name"] for one in (await service(client.call("tools/list")))["tools"]] == ["echo", "gone"]


@pytest.mark.parametrize("written", ["", "{}", "no json", "[1, 2]", "\xff"])
def test_a_file_that_holds_no_recording_is_refused(tmp_path: Path, written: str) -> None:
    (tmp_path / "file").write_text(written, encoding="latin-1")
    with pytest.raises(ConfigError, match="file"):
        Recording.load(tmp_path / "file")


async def test_nothing_imagined_is_ever_replayed(tmp_path: Path) -> None:
    session = options_of(mode="dry-run", world="none", journal=str(tmp_path / "dry.db")).open(())
    service = simulate(ScriptedService(tools=FILES), session=session, world=ScriptedWorld(script={"*": "imagined"}))
    await service(ScriptedClient().use("list_allowed_directories"))
    assert Recording.of(session.journal, name="dry").taken == ()
    session.close()
