"""Record mode: what really happened, so that it can be told again."""

from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp_rig import Rig, rig

from lookahead.types import Observation
from lookahead_integrations.mcp.actions import retold
from lookahead_integrations.mcp.exchange import RpcError
from lookahead_integrations.mcp.modes.record import METHODS, PREFIX
from lookahead_integrations.mcp.testing import text, tool

pytestmark = pytest.mark.anyio
ANSWERS: list[dict[str, Any]] = [
    text("done"),
    text("failed", isError=True),
    {"content": [], "structuredContent": {"a": [1, 2]}, "_meta": {"x/y": 1}, "unheard": None},
    {"content": [{"type": "image", "data": "QUJD" * 50_000, "mimeType": "image/png"}]},
    {"content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two", "annotations": {"priority": 1}}]},
    text("word " * 60_000),
]


async def recorded(it: Rig, name: str) -> list[Observation]:
    await it.settled()
    return [one.observation for one in it.journal.transitions(name)]


@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_answer_is_on_record_as_it_was(tmp_path: Path, answer: dict[str, Any]):
    async with rig(tmp_path, mode="record", script={"tools/call": answer}) as it:
        assert await it.use("write", path="a") == answer
        (kept,) = await recorded(it, "write")
        assert retold(kept) == answer


async def test_no_secret_is_on_record(tmp_path: Path):
    answer = {"content": [{"type": "text", "text": "ok", "_meta": {"api_key": "sk-live-4f9Zq81LmnoPQ72xyzAB34cd"}}]}
    async with rig(tmp_path, mode="record", script={"tools/call": answer}) as it:
        assert await it.use("write", password="correct-horse-battery-9") == answer
        await it.settled()
        everything = b"".join([await path.read_bytes() async for path in anyio.Path(tmp_path).iterdir()])
        assert b"sk-live-4f9Zq81LmnoPQ72xyzAB34cd" not in everything
        assert b"correct-horse-battery-9" not in everything


@pytest.mark.parametrize("method", sorted(METHODS - {"tools/list"}))
async def test_what_else_is_asked_for_is_on_record(tmp_path: Path, method: str):
    answer = {"some": ["thing"], "ttlMs": 0}
    async with rig(tmp_path, mode="record", script={method: answer}) as it:
        assert await it.ask(method, uri="a:b", _meta={"progressToken": 1}) == answer
        (kept,) = await recorded(it, PREFIX + method)
        assert kept.verbatim == answer
        (transition,) = it.journal.transitions(PREFIX + method)
        assert transition.action.arguments == {"uri": "a:b"}


async def test_the_list_of_tools_is_on_record_page_by_page(tmp_path: Path):
    tools = [tool(f"t{number}", title="T", annotations={"readOnlyHint": True}) for number in range(3)]
    async with rig(tmp_path, mode="record", tools=tools) as it:
        it.server.page = 2
        await it.ask("tools/list")
        await it.ask("tools/list", cursor="2")
        pages = await recorded(it, f"{PREFIX}tools/list")
        assert [page.verbatim for page in pages] == [{"tools": tools[:2], "nextCursor": "2"}, {"tools": tools[2:]}]


async def test_an_error_is_on_record_with_its_code(tmp_path: Path):
    script = {"resources/read": RpcError(-32602, "no such thing", {"uri": "a:b"})}
    async with rig(tmp_path, mode="record", script=script) as it:
        with pytest.raises(RpcError):
            await it.ask("resources/read", uri="a:b")
        (kept,) = await recorded(it, f"{PREFIX}resources/read")
        assert kept.verbatim == {"error": {"code": -32602, "message": "no such thing", "data": {"uri": "a:b"}}}


async def test_what_is_no_request_of_that_kind_passes_without_a_word(tmp_path: Path):
    async with rig(tmp_path, mode="record", script={"ping": {}, "resources/subscribe": {}}) as it:
        await it.ask("ping")
        await it.ask("resources/subscribe", uri="a:b")
        assert await it.recorded() == []


async def test_nothing_is_imagined_and_nothing_refused(tmp_path: Path):
    async with rig(tmp_path, mode="record", policy={"*": "deny"}) as it:
        await it.use("write", path="a")
        (call,) = await it.recorded()
        assert call.status == "done"
        assert call.decided.decision.considered == ()


async def test_what_follows_is_judged_by_what_was_said_and_not_by_how_it_was_spelled(tmp_path: Path):
    async with rig(tmp_path, mode="record", script={"tools/call": ANSWERS[3]}) as it:
        await it.use("write", path="a")
        await it.settled()
        (conversation,) = it.session._conversations.values()
        assert [step.observation.verbatim for step in conversation.state.steps] == [None]
