import json
from pathlib import Path

import pytest

from lookahead.errors import ConfigError
from lookahead_integrations.mcp.clients.files import ClientFileError
from lookahead_integrations.mcp.exchange import RpcError
from lookahead_integrations.mcp.many.config import opened
from lookahead_integrations.mcp.settings import ProxySettings
from lookahead_integrations.mcp.testing import ScriptedClient

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def config(folder: Path, servers: object) -> str:
    path = folder / ".mcp.json"
    path.write_text(json.dumps({"mcpServers": servers}))
    return str(path)


async def test_a_file_that_cannot_be_used_is_an_error_before_anybody_connects(tmp_path: Path):
    for path, said in (
        (str(tmp_path / "none.json"), "there is no file"),
        (config(tmp_path, {}), "names no server that is switched on"),
        (config(tmp_path, {"a": {"command": "x", "disabled": True}}), "names no server that is switched on"),
    ):
        with pytest.raises((ConfigError, ClientFileError), match=said):
            async with opened(ProxySettings(config=path, mode="off")):
                pass


async def test_what_is_about_one_server_is_refused_for_several(tmp_path: Path):
    path = config(tmp_path, {"a": {"command": "x"}})
    with pytest.raises(ConfigError, match="--saved is about one server"):
        async with opened(ProxySettings(config=path, mode="simulate", saved="lists.json")):
            pass
    with pytest.raises(ConfigError, match="--offer interceptors is about one server"):
        async with opened(ProxySettings(config=path, extensions=("interceptors",))):
            pass


async def test_settings_that_no_server_can_be_guarded_by_are_an_error_and_no_absence_of_servers(tmp_path: Path):
    path = config(tmp_path, {"a": {"command": "x"}, "b": {"command": "y"}})
    with pytest.raises(ConfigError, match=r"none\.toml"):
        async with opened(
            ProxySettings(config=path, policy=str(tmp_path / "none.toml"), journal=str(tmp_path / "j.db"))
        ):
            pass


async def test_a_server_that_cannot_be_had_says_why_when_it_is_asked(tmp_path: Path):
    path = config(tmp_path, {"a": {"type": "sse", "url": "https://h"}, "b": {"url": "https://h/${input:t}"}})
    async with opened(ProxySettings(config=path, mode="off")) as service:
        with pytest.raises(RpcError, match="the proxy speaks stdio and streamable HTTP"):
            await service(ScriptedClient(version="2026-07-28").use("a__t"))
        with pytest.raises(RpcError, match=r"asks for \$\{input:t\}"):
            await service(ScriptedClient(version="2026-07-28").use("b__t"))
