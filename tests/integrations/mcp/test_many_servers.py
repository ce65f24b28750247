"""Clients and servers of the official SDK, of each era, with one proxy before several servers."""

import json
import sys
from pathlib import Path

import anyio
import pytest
from mcp import Client, MCPError
from mcp_through import ERAS, Person, client, serving, text, through

from lookahead import Journal

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Servers of both eras, one that is not there, one that ends at once and one that never says a word."""
    servers = {
        **{
            name: {"command": sys.executable, "args": serving(era)[1:]}
            for name, era in (("old", "2025"), ("new", "2026"))
        },
        "gone": {"command": str(tmp_path / "no-such-server")},
        "dead": {"command": sys.executable, "args": ["-c", "raise SystemExit(3)"]},
    }
    path = tmp_path / ".mcp.json"
    path.write_text(json.dumps({"mcpServers": servers}))
    return str(path)


@pytest.mark.parametrize("era", ERAS)
async def test_every_client_has_all_servers_that_are_there(era: str, config: str):
    person = Person()
    async with client(through([], "--mode", "off", "--config", config), ERAS[era], **person.offered) as mcp:
        assert "# gone\nNot available now: " in (mcp.instructions or "")
        assert "# dead\nNot available now: " in (mcp.instructions or "")
        assert "# new\nAsk, and you shall be asked." in (mcp.instructions or "")
        await calls_reach_their_server(mcp, person)
        await addresses_that_both_have_lead_to_each(mcp)
        await changes_of_each_are_told(mcp, person)


async def test_rules_name_a_tool_as_its_server_does_however_its_name_is_cut_here(config: str, tmp_path: Path):
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps({"*": "allow", "echo": "deny"}))
    options = ("--mode", "guard", "--policy", str(rules), "--journal", str(tmp_path / "journal.db"), "--config", config)
    async with client(through([], *options)) as mcp:
        for server in ("old", "new"):
            refused = await mcp.call_tool(f"{server}__echo", {"text": "x"})
            assert refused.is_error
            assert "echo" in text(refused)
            assert text(await mcp.call_tool(f"{server}__count", {"to": 1})) == "counted to 1"
    with Journal(tmp_path / "journal.db", readonly=True) as journal:
        done = [(one.decided.decision.proposed.tool, one.resulted is not None) for one in journal.calls()]
    assert sorted(done) == [("count", True), ("count", True), ("echo", False), ("echo", False)]


async def calls_reach_their_server(mcp: Client, person: Person) -> None:
    names = [tool.name for tool in (await mcp.list_tools()).tools]
    assert {"old__echo", "new__echo"} <= set(names)
    assert {name.partition("__")[0] for name in names} == {"old", "new"}
    for server in ("old", "new"):
        assert text(await mcp.call_tool(f"{server}__echo", {"text": server})) == server
        assert text(await mcp.call_tool(f"{server}__paint", {"thing": "door"})) == "The door is blue."
        assert person.asked.pop() == f"{server}: Which colour, and are you sure?"
        assert (await mcp.get_prompt(f"{server}__greet", {"name": "Ada"})).messages[0].content.text == "Greet Ada"  # type: ignore[union-attr]
    with pytest.raises(MCPError):
        await mcp.call_tool("dead__echo", {"text": "?"})


async def addresses_that_both_have_lead_to_each(mcp: Client) -> None:
    uris = [str(resource.uri) for resource in (await mcp.list_resources()).resources]
    assert uris == ["old+memo://one", "new+memo://one"]
    for uri in uris:
        assert (await mcp.read_resource(uri)).contents[0].text == "remember"  # type: ignore[union-attr]


async def changes_of_each_are_told(mcp: Client, person: Person) -> None:
    if mcp.protocol_version == "2026-07-28":
        async with mcp.listen(tools_list_changed=True, resource_subscriptions=["old+memo://one"]) as events:
            await mcp.call_tool("old__touch", {"uri": "memo://one"})
            await mcp.call_tool("new__grow", {})
            heard = {type(await anext(events)).__name__ for _ in range(2)}
        assert heard == {"ResourceUpdated", "ToolsListChanged"}
    else:
        await mcp.call_tool("new__grow", {})
        with anyio.fail_after(20):
            while "notifications/tools/list_changed" not in person.told:
                await mcp.call_tool("new__echo", {"text": "again"})
    assert "new__grown" in [tool.name for tool in (await mcp.list_tools(cache_mode="bypass")).tools]
