"""An MCP server in a dry run: it may be asked what it can do, and nothing else."""

from typing import Any, cast

from agents.mcp import MCPServer

_OWN = frozenset({"call_tool", "_listed", "__class__", "__dict__"})


class Listing(MCPServer):
    """Everything of the real server, except its tools themselves."""

    def __init__(self, server: MCPServer) -> None:
        object.__setattr__(self, "_listed", server)

    def __getattribute__(self, name: str) -> Any:
        if name in _OWN:
            return object.__getattribute__(self, name)
        return getattr(object.__getattribute__(self, "_listed"), name)

    async def call_tool(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("in a dry run no tool of a server is called")


Listing.__abstractmethods__ = frozenset()


def listing(server: MCPServer) -> MCPServer:
    return cast(Any, Listing)(server)


__all__ = ["listing"]
