"""An upstream as everybody in front of it sees it: a service. Each conversation has a connection for itself."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import anyio
from anyio.abc import TaskGroup

from lookahead_integrations.mcp.exchange import CLOSED, INTERNAL_ERROR, Call, Json, RpcError, modern
from lookahead_integrations.mcp.settings import Limits
from lookahead_integrations.mcp.wire.channel import Connect
from lookahead_integrations.mcp.wire.greeting import Verdict
from lookahead_integrations.mcp.wire.link import Link

_INSTEAD: Final = "Close a client, or wait until one that is idle is forgotten"


@dataclass(kw_only=True, eq=False)
class Upstream:
    """What a server keeps in memory for one client, and whom it asks, is thus never another client's."""

    connect: Connect
    tasks: TaskGroup
    name: str
    limits: Limits = field(default_factory=Limits)
    _verdict: Verdict = field(default_factory=Verdict, repr=False)
    _links: dict[tuple[str, str], Link] = field(default_factory=dict[tuple[str, str], Link], repr=False)

    async def __call__(self, call: Call, /) -> Json:
        if call.method == CLOSED:
            for place in [place for place in self._links if place[0] == call.client.key]:
                self._links.pop(place).close()
            return {}
        place = _place(call)
        link = self._links.get(place)
        if link is None:
            if call.notice:
                return {}
            link = self._links[place] = self._new()
        return await link(call)

    def _new(self) -> Link:
        now = anyio.current_time()
        idle = [place for place, link in self._links.items() if not link.busy and link.standing is None]
        # The oldest first.
        idle.sort(key=lambda place: self._links[place].used)
        full = len(self._links) >= self.limits.conversations
        if full and not idle:
            number = self.limits.conversations
            raise RpcError(INTERNAL_ERROR, f"{number} clients are connected to {self.name} already. {_INSTEAD}")
        for place in idle:
            if full or now - self._links[place].used > self.limits.idle:
                self._links.pop(place).close()
                full = False
        return Link(
            connect=self.connect,
            tasks=self.tasks,
            name=self.name,
            limits=self.limits,
            verdict=self._verdict,
            used=now,
        )


@asynccontextmanager
async def upstream(connect: Connect, *, name: str, limits: Limits | None = None) -> AsyncGenerator[Upstream]:
    """An upstream that is connected to when it is first needed, and left when this ends."""
    async with anyio.create_task_group() as tasks:
        yield Upstream(connect=connect, tasks=tasks, name=name, limits=limits or Limits())
        tasks.cancel_scope.cancel()


def _place(call: Call) -> tuple[str, str]:
    if not modern(call.client):
        return call.client.key, ""
    # A server of the older era learns once what its client can do; a client of the newer says it with each call.
    return call.client.key, f"{call.client.version} {json.dumps(call.client.capabilities, sort_keys=True)}"
