"""Starts a server as its client would, twice at once as some clients do, and asks for its tools."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import Final

import anyio

from lookahead import __version__
from lookahead_integrations.mcp.clients.upstreams import Target
from lookahead_integrations.mcp.exchange import METHOD_NOT_FOUND, Call, Json, Question, RpcError
from lookahead_integrations.mcp.many.fan import cause
from lookahead_integrations.mcp.many.merging import objects
from lookahead_integrations.mcp.proxy import opened
from lookahead_integrations.mcp.settings import ProxySettings

AT_ONCE: Final = 2
_PAGES: Final = 100
_HELLO: Final[Json] = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "lookahead-doctor", "version": __version__},
}


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A client that asks and is not to be asked."""

    key: str
    version: str = "2025-11-25"
    info: Json = field(default_factory=dict[str, object])
    capabilities: Json = field(default_factory=dict[str, object])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    async def ask(self, questions: Mapping[str, Question], /) -> dict[str, Json]:
        raise RpcError(METHOD_NOT_FOUND, "nobody is here to answer")

    async def tell(self, method: str, params: Json, /) -> None:
        pass


async def tools(target: Target, *, seconds: float) -> list[str]:
    """The names of its tools. Raises RpcError, OSError or TimeoutError where one of two instances has none to tell."""
    told: list[list[str]] = [[] for _ in range(AT_ONCE)]

    async def one(number: int) -> None:
        told[number] = await _tools(target, f"doctor-{number}", folder)

    # A proxy in front of the server keeps its records where looking leaves no trace.
    with TemporaryDirectory(prefix="lookahead-doctor-") as folder:
        try:
            with anyio.fail_after(seconds):
                async with anyio.create_task_group() as group:
                    for number in range(AT_ONCE):
                        group.start_soon(one, number)
        except BaseExceptionGroup as group:
            raise cause(group) from None
    return told[0]


async def _tools(target: Target, key: str, folder: str) -> list[str]:
    settings = ProxySettings(
        command=target.command,
        env={"LOOKAHEAD_JOURNAL": os.path.join(folder, "journal.db"), **target.env} if target.command else None,
        cwd=target.cwd,
        url=target.url,
        headers=target.headers,
        name=target.name,
        mode="off",
    )
    client = Caller(key=key)
    async with opened(settings) as service:
        said = await service(Call(method="initialize", params=_HELLO, client=client))
        await service(Call(method="notifications/initialized", client=client, notice=True))
        names: list[str] = []
        params: Json = {}
        for _ in range(_PAGES if "tools" in (said.get("capabilities") or {}) else 0):
            page = await service(Call(method="tools/list", params=params, client=client))
            names += [str(tool.get("name")) for tool in objects(page.get("tools"))]
            if not isinstance(cursor := page.get("nextCursor"), str):
                break
            params = {"cursor": cursor}
        return names
