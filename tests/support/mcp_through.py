"""A real client of the official SDK, in front of the proxy or without it, and the person behind that client."""

import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mcp_types
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

SERVER = Path(__file__).with_name("mcp_server.py")
ERAS = {"2025 client": "legacy", "2026 client": "auto"}
SERVERS = ("both", "2025", "2026")


def serving(editions: str) -> tuple[str, ...]:
    return (sys.executable, str(SERVER), editions)


LOG = Path(os.environ["PROXY_LOG"]) if "PROXY_LOG" in os.environ else None


def through(command: Sequence[str], *options: str) -> tuple[str, ...]:
    given = options or ("--mode", "off")
    return (sys.executable, "-m", "lookahead", "proxy", *given, "--", *command)


class Person:
    """Behind the client: answers what it is asked, and remembers what that was."""

    def __init__(self, action: Any = "accept") -> None:
        self.action = action
        self.asked: list[str] = []
        self.logged: list[Any] = []
        self.told: list[str] = []

    async def elicit(self, context: Any, params: Any) -> mcp_types.ElicitResult:
        self.asked.append(params.message)
        content = {"colour": "blue", "sure": True} if self.action == "accept" else None
        return mcp_types.ElicitResult(action=self.action, content=content)

    async def sample(self, context: Any, params: Any) -> mcp_types.CreateMessageResult:
        self.asked.append(params.messages[-1].content.text)
        said = mcp_types.TextContent(type="text", text="roses are red")
        return mcp_types.CreateMessageResult(role="assistant", model="poet", content=said)

    async def roots(self, context: Any) -> mcp_types.ListRootsResult:
        self.asked.append("roots")
        return mcp_types.ListRootsResult(roots=[mcp_types.Root(uri="file:///here")])

    async def log(self, params: Any) -> None:
        self.logged.append(params.data)

    async def hear(self, message: Any) -> None:
        self.told.append(getattr(message, "method", type(message).__name__))

    @property
    def offered(self) -> dict[str, Any]:
        return {
            "elicitation_callback": self.elicit,
            "sampling_callback": self.sample,
            "list_roots_callback": self.roots,
            "logging_callback": self.log,
            "message_handler": self.hear,
        }


@asynccontextmanager
async def client(
    command: Sequence[str],
    mode: str = "legacy",
    *,
    log: Path | None = None,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    **offered: Any,
) -> AsyncIterator[Client]:
    """A client of a process. What the process writes to stderr goes to the log."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LOOKAHEAD_")}
    started = StdioServerParameters(command=command[0], args=list(command[1:]), env=kept | (env or {}), cwd=cwd)
    with (log or LOG or Path(os.devnull)).open("a") as heard:
        target = stdio_client(started, errlog=heard)
        async with Client(target, mode=mode, cache=None, read_timeout_seconds=60, **offered) as found:
            yield found


def text(result: Any) -> str:
    return result.content[0].text
