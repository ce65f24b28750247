"""The modes as the proxy puts them together: from its settings, and given back at the end."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from lookahead import Journal
from lookahead.errors import ConfigError
from lookahead_integrations.mcp.exchange import Service
from lookahead_integrations.mcp.modes import guard, record, shadow
from lookahead_integrations.mcp.settings import ProxySettings
from lookahead_integrations.mcp.testing import ScriptedClient, ScriptedService, text, tool

pytestmark = pytest.mark.anyio
MODES = {"guard": guard, "shadow": shadow, "record": record}
DRY = {"type": "object", "properties": {"name": {"type": "string"}, "dry": {"type": "boolean"}}}


def settings(tmp_path: Path, policy: Any = None, **more: Any) -> ProxySettings:
    journal = str(tmp_path / "journal.db")
    return ProxySettings(command=("server",), journal=journal, policy=policy or {"*": "allow"}, **more)


@pytest.mark.parametrize("mode", MODES)
async def test_whatever_was_answered_is_on_record_when_the_proxy_ends(tmp_path: Path, mode: str):
    server = ScriptedService(script={"tools/call": text("done")}, tools=[tool("write")])
    async with AsyncExitStack() as stack:
        service: Service = MODES[mode].layer(server, settings=settings(tmp_path, world="none"), stack=stack)
        assert await service(ScriptedClient().use("write", path="a")) == text("done")
    with Journal(tmp_path / "journal.db") as journal:
        assert [one.status for one in journal.calls() if one.decided.decision.proposed.tool == "write"] == ["done"]


@pytest.mark.parametrize("mode", MODES)
async def test_a_server_that_is_down_keeps_no_proxy_from_starting(tmp_path: Path, mode: str):
    server = ScriptedService()
    async with AsyncExitStack() as stack:
        MODES[mode].layer(server, settings=settings(tmp_path), stack=stack)
        assert server.calls == []


async def test_the_run_is_on_record_with_the_tools_that_the_client_had(tmp_path: Path):
    server = ScriptedService(script={"tools/call": text("done")}, tools=[tool("write"), tool("look")])
    async with AsyncExitStack() as stack:
        service = guard.layer(server, settings=settings(tmp_path, goal="tidy up"), stack=stack)
        await service(ScriptedClient().use("write"))
    with Journal(tmp_path / "journal.db") as journal:
        (run,) = [run for run in journal.runs() if run.calls]
        assert [one.name for one in run.started.tools] == ["write", "look"]
        assert (run.started.goal, run.started.mode) == ("tidy up", "guard")


async def test_a_policy_that_cannot_be_understood_is_said_at_once_and_leaves_nothing_open(tmp_path: Path):
    async with AsyncExitStack() as stack:
        with pytest.raises(ConfigError):
            guard.layer(ScriptedService(), settings=settings(tmp_path, {"write": "alow"}), stack=stack)
        with pytest.raises(ConfigError):
            guard.layer(ScriptedService(), settings=settings(tmp_path, world="no such world"), stack=stack)


@pytest.mark.parametrize("mode", ["guard", "shadow"])
async def test_a_tool_with_a_dry_run_of_its_own_is_asked_what_it_would_do(tmp_path: Path, mode: str):
    """In shadow mode nobody waits for it, so nobody is there on whose behalf it could be asked."""
    policy = {"deploy": {"dry_run": {"argument": "dry", "value": True}}}
    answer = text("done", structuredContent={"effects": []})
    server = ScriptedService(script={"tools/call": answer}, tools=[tool("deploy", inputSchema=DRY)])
    async with AsyncExitStack() as stack:
        service = MODES[mode].layer(server, settings=settings(tmp_path, policy, world="none"), stack=stack)
        await service(ScriptedClient().use("deploy", name="a"))
    asked = [params["arguments"] for params in server.called()]
    assert asked == [*([{"name": "a", "dry": True}] if mode == "guard" else []), {"name": "a"}]


async def test_a_rule_that_nearly_names_a_tool_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    server = ScriptedService(script={"tools/call": text("done")}, tools=[tool("delete_file")])
    async with AsyncExitStack() as stack:
        told = settings(tmp_path, {"delete_fiel": "deny", "of_another_server": "deny", "*": "allow"}, world="none")
        service = guard.layer(server, settings=told, stack=stack)
        for client in (ScriptedClient(), ScriptedClient()):
            await service(client.use("delete_file"))
    assert caplog.text.count("'delete_fiel' is the name of no tool") == 1
    assert "of_another_server" not in caplog.text
