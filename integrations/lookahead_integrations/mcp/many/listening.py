"""`subscriptions/listen` with several servers: one stream of what all of them tell, which ends when all have ended."""

from dataclasses import dataclass, field
from typing import Final

import anyio

from lookahead_integrations.mcp.exchange import Call, Json
from lookahead_integrations.mcp.many.fan import Fan, Said, unknown
from lookahead_integrations.mcp.many.merging import object_of
from lookahead_integrations.mcp.many.voice import ACKNOWLEDGED, granted, wishes

_HELD: Final = 1000
"""So much is kept of what is told before the client knows what it will be told."""


@dataclass(kw_only=True, eq=False)
class Listening:
    fan: Fan
    call: Call
    granted: Said = field(default_factory=dict[str, Json])
    held: list[tuple[str, Json]] = field(default_factory=list[tuple[str, Json]])
    answered: dict[str, anyio.Event] = field(default_factory=dict[str, anyio.Event])
    open: bool = False

    async def run(self) -> Json:
        wanted = object_of(self.call.params.get("notifications"))
        mine = {key: asked for key in self.fan.upstreams if (asked := wishes(self.fan.book, key, wanted))}
        self.answered = {key: anyio.Event() for key in mine}
        async with anyio.create_task_group() as group:
            group.start_soon(self._acknowledge)
            for key, asked in mine.items():
                group.start_soon(self._hear, key, self.call.asking(notifications=asked))
            if not mine:
                await anyio.sleep_forever()
        return {"resultType": "complete"}

    async def hears(self, key: str, method: str, params: Json) -> Json | None:
        if method == ACKNOWLEDGED:
            self.granted[key] = object_of(params.get("notifications"))
            self.answered[key].set()
            return None
        if self.open:
            return params
        if len(self.held) < _HELD:
            self.held.append((method, params))
        return None

    async def _hear(self, key: str, call: Call) -> None:
        """One server's stream, opened again where it broke off."""
        while True:
            try:
                await self.fan.upstreams[key](self.fan.to(call, key, self.hears))
            except Exception as error:
                if unknown(error) or not self.answered[key].is_set():
                    return
            else:
                return
            finally:
                self.answered[key].set()
            await anyio.sleep(self.fan.patience)

    async def _acknowledge(self) -> None:
        """First the client is told what it will be told, and then the rest."""
        with anyio.move_on_after(self.fan.patience):
            for event in self.answered.values():
                await event.wait()
        await self.call.client.tell(ACKNOWLEDGED, {"notifications": granted(self.fan.book, self.granted)})
        while self.held:
            held, self.held = self.held, []
            for method, params in held:
                await self.call.client.tell(method, params)
        self.open = True
