"""A mode between a client and a server that follow scripts, and what a test asks of it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookahead import Journal
from lookahead.journal import Call as Recorded
from lookahead.session import Session
from lookahead.settings import Mode
from lookahead.worlds.choose import World
from lookahead.wrap import options_of
from lookahead_integrations.mcp.exchange import Call, Json
from lookahead_integrations.mcp.modes.acting import Acting
from lookahead_integrations.mcp.modes.guard import guard
from lookahead_integrations.mcp.modes.record import record
from lookahead_integrations.mcp.testing import ScriptedClient, ScriptedService, text, tool

MAKERS = {"guard": guard, "shadow": guard, "record": record}


@dataclass(kw_only=True)
class Rig:
    mode: Acting
    server: ScriptedService
    client: ScriptedClient
    session: Session

    @property
    def journal(self) -> Journal:
        return self.session.journal

    async def use(self, name: str, /, **arguments: Any) -> Json:
        return await self.mode(self.client.use(name, **arguments))

    async def ask(self, method: str, /, **params: Any) -> Json:
        return await self.mode(self.client.call(method, **params))

    async def settled(self) -> None:
        await self.mode.after.all_settled()

    async def recorded(self) -> list[Recorded]:
        await self.settled()
        return self.journal.calls()


@asynccontextmanager
async def rig(
    tmp_path: Path,
    *,
    mode: str = "guard",
    script: Mapping[str, Any] | None = None,
    tools: Sequence[Json] = (),
    client: ScriptedClient | None = None,
    policy: Any = None,
    world: World = "none",
    journal: Any = None,
    answers: Mapping[str, Any] | None = None,
    **more: Any,
) -> AsyncIterator[Rig]:
    server = ScriptedService(script={"tools/call": text("done"), **(script or {})}, tools=tools or [tool("write")])
    line: Mode = "guard" if mode == "guard" else "shadow"
    options = options_of(
        world=world, policy=policy or {}, mode=line, journal=journal or tmp_path / "journal.db", **more
    )
    session = options.open((), host="mcp", host_asks=True)
    made = MAKERS[mode](server, session=session)
    try:
        yield Rig(mode=made, server=server, client=client or ScriptedClient(answers=answers or {}), session=session)
        await made.after.all_settled()
        made.conversations.settle(5)
    finally:
        session.close()


def said(result: Json) -> str:
    return "\n".join(block["text"] for block in result["content"])


__all__ = ["Call", "Rig", "rig", "said"]
