"""A server is recorded, and then replayed without it, as a user does it: by two commands."""

import json
import sys
from pathlib import Path

import pytest
from mcp_kept import FILES
from mcp_through import client

from lookahead_integrations.mcp.actions import ORIGIN
from lookahead_integrations.mcp.modes.simulate import SOURCE

pytestmark = pytest.mark.anyio
SERVER = Path(__file__).parents[3] / "support" / "mcp_logging_server.py"
PROXY = (sys.executable, "-m", "lookahead", "proxy")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize(("era", "how"), [("legacy", "in-order"), ("auto", "match")])
async def test_what_was_recorded_is_replayed_without_the_server(tmp_path: Path, era: str, how: str) -> None:
    tools = [{name: one[name] for name in one if name != "outputSchema"} for one in FILES]
    (tmp_path / "tools.json").write_text(json.dumps(tools))
    behind = ("--", sys.executable, str(SERVER), str(tmp_path / "log"), str(tmp_path / "tools.json"))
    record = (*PROXY, "--mode", "record", "--journal", str(tmp_path / "recorded.db"), *behind)
    async with client(record, era, cwd=tmp_path) as it:
        await it.list_tools()
        assert (await it.call_tool("read_file", {"path": "/a"})).content[0].text == "done for real"
    reached = (tmp_path / "log").read_text().count("tools/call")
    replay = (*PROXY, "--mode", "replay", "--recording", str(tmp_path / "recorded.db"), "--replay", how)
    own = ("--journal", str(tmp_path / "own.db"), "--fall-through", "simulate")
    async with client((*replay, *own), era, cwd=tmp_path) as it:
        assert [tool.name for tool in (await it.list_tools()).tools] == [one["name"] for one in FILES]
        told = await it.call_tool("read_file", {"path": "/a"})
        assert told.content[0].text == "done for real"
        assert (told.meta or {})[SOURCE] == "replay"
        assert (told.meta or {})[ORIGIN]["kind"] == "recorded"
        await it.call_tool("write_file", {"path": "/b", "content": "new"})
        simulated = await it.call_tool("read_file", {"path": "/b"})
        assert (simulated.content[0].text, (simulated.meta or {})[SOURCE]) == ("new", "simulate")
    assert (tmp_path / "log").read_text().count("tools/call") == reached == 1


async def test_what_may_be_forwarded_is_guarded(tmp_path: Path) -> None:
    (tmp_path / "tools.json").write_text(json.dumps(FILES))
    (tmp_path / "frames.json").write_text(json.dumps([{"request": {"method": "ping"}, "response": {"result": {}}}]))
    behind = ("--", sys.executable, str(SERVER), str(tmp_path / "log"), str(tmp_path / "tools.json"))
    (tmp_path / "policy.json").write_text(json.dumps({"write_*": "deny", "read_*": "allow"}))
    given = ("--recording", str(tmp_path / "frames.json"), "--policy", str(tmp_path / "policy.json"))
    replay = (*PROXY, "--mode", "replay", "--journal", str(tmp_path / "own.db"), *given, "--fall-through", "forward")
    async with client((*replay, *behind), "legacy", cwd=tmp_path) as it:
        denied = await it.call_tool("write_file", {"path": "/b", "content": "new"})
        assert (denied.is_error, (denied.meta or {})[SOURCE]) == (True, "forward")
    assert "tools/call" not in (tmp_path / "log").read_text()
