"""Simulate mode as a process between a real client and a real server, which writes down every message that it gets."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mcp_types
import pytest
from mcp_kept import FILES
from mcp_through import client

from lookahead_integrations.mcp.actions import ORIGIN

pytestmark = pytest.mark.anyio
SERVER = Path(__file__).parents[3] / "support" / "mcp_logging_server.py"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def proxy(tmp_path: Path, *options: str, server: bool = True) -> Sequence[str]:
    (tmp_path / "tools.json").write_text(json.dumps(FILES))
    command = [sys.executable, "-m", "lookahead", "proxy", "--mode", "simulate", "--journal", str(tmp_path / "j.db")]
    behind = ["--", sys.executable, str(SERVER), str(tmp_path / "log"), str(tmp_path / "tools.json")]
    return [*command, *options, *(behind if server else [])]


class Model:
    """The client's own model."""

    def __init__(self) -> None:
        self.asked = 0

    async def sample(self, context: Any, params: Any) -> mcp_types.CreateMessageResult:
        self.asked += 1
        said = mcp_types.TextContent(type="text", text="<predicted_observation>\nimagined\n</predicted_observation>")
        return mcp_types.CreateMessageResult(role="assistant", model="poet", content=said)


@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_no_call_of_a_tool_is_ever_on_the_servers_wire(tmp_path: Path, era: str) -> None:
    model = Model()
    command = proxy(tmp_path)
    async with client(command, era, cwd=tmp_path, sampling_callback=model.sample) as it:
        assert [tool.name for tool in (await it.list_tools()).tools] == [tool["name"] for tool in FILES]
        await it.call_tool("write_file", {"path": "/w/a.txt", "content": "one\n"})
        read = await it.call_tool("read_text_file", {"path": "/w/a.txt"})
        assert read.structured_content == {"content": "one\n"}
        assert (read.meta or {})[ORIGIN]["imagined"] is True
        imagined = await it.call_tool("list_allowed_directories", {})
        assert imagined.structured_content == {"content": "imagined"}
        assert (imagined.meta or {})[ORIGIN]["world"].startswith("client:")
        assert "simulated by Lookahead" in (it.instructions or "")
    assert model.asked == 2
    frames = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    methods = [frame.get("method") for frame in frames]
    assert methods.count("tools/list") == 1
    assert "tools/call" not in methods


async def test_lists_are_saved_by_one_command_and_served_without_the_server(tmp_path: Path) -> None:
    import anyio

    saving = proxy(tmp_path, "--save-tools", str(tmp_path / "saved.json"))
    saved = await anyio.run_process(saving, cwd=tmp_path)
    assert "14 tools" in saved.stdout.decode()
    assert "tools/call" not in (tmp_path / "log").read_text()
    command = proxy(tmp_path, "--tools", str(tmp_path / "saved.json"), server=False)
    async with client(command, "auto", cwd=tmp_path) as it:
        assert [tool.name for tool in (await it.list_tools()).tools] == [tool["name"] for tool in FILES]
        await it.call_tool("write_file", {"path": "/a", "content": "x"})
        assert (await it.call_tool("read_file", {"path": "/a"})).structured_content == {"content": "x"}
