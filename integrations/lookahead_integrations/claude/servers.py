"""In-process MCP servers for a dry run: the same tools to look at, and nothing real behind them."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

from lookahead.errors import ConfigError
from lookahead.permit import Answer
from lookahead.portal import portal
from lookahead.session import Session
from lookahead.types import Action, Tool

_bridge: Any = import_module("claude_agent_sdk._internal.sdk_mcp_bridge")
_compat: Any = import_module("claude_agent_sdk._internal._mcp_compat")


@dataclass(frozen=True, kw_only=True)
class Listed:
    """What one server says of its tools."""

    name: str
    tools: tuple[Any, ...]

    def full(self, tool: Any) -> str:
        return f"mcp__{self.name}__{tool.name}"

    def described(self) -> list[Tool]:
        return [
            Tool(name=self.full(tool), description=tool.description or "", parameters=_schema(tool))
            for tool in self.tools
        ]


def _schema(tool: Any) -> dict[str, Any]:
    return cast(dict[str, Any], getattr(tool, "inputSchema", None) or getattr(tool, "input_schema", None) or {})


def listed(name: str, config: Mapping[str, Any]) -> Listed:
    """Asks the server itself, in the protocol that Claude Code speaks with it."""
    return portal.call(_listed, name, config["instance"])


async def _listed(name: str, server: Any) -> Listed:
    bridge = _bridge.SdkMcpBridge(name, server)
    opening = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "lookahead", "version": "1"}}
    try:
        await bridge.handle({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": opening})
        await bridge.handle({"jsonrpc": "2.0", "method": "notifications/initialized"})
        tools: list[Any] = []
        cursor: str | None = None
        while True:
            asked = {"cursor": cursor} if cursor else {}
            said = await bridge.handle({"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": asked})
            if "result" not in said:
                raise ConfigError(f"the MCP server {name!r} does not say what tools it has: {said}")
            tools += [_compat.Tool.model_validate(one) for one in said["result"]["tools"]]
            cursor = said["result"].get("nextCursor")
            if not cursor:
                return Listed(name=name, tools=tuple(tools))
    finally:
        await bridge.aclose()


def stub(server: Listed, session: Session) -> dict[str, Any]:
    """A server with the same tools, each of which answers what is imagined."""

    async def run_tool(name: str, arguments: dict[str, Any]) -> Any:
        begun = await session.begin(Action(tool=f"mcp__{server.name}__{name}", arguments=arguments))
        if not isinstance(begun, Answer):
            raise ConfigError("a dry run gave leave to do something; nothing was done")
        said = begun.observation
        text = {"type": "text", "text": said.content}
        return _compat.CallToolResult.model_validate({"content": [text], "isError": said.failed})

    instance = _compat.build_tool_server(server.name, "dry", list(server.tools), run_tool)
    return {"type": "sdk", "name": server.name, "instance": instance}
