"""Conversations of the older era: who was greeted for which client, who could not be had, and who comes late."""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import anyio
from anyio.abc import TaskGroup

from lookahead_integrations.mcp.exchange import CLOSED, INTERNAL_ERROR, Call, Json, RpcError, modern
from lookahead_integrations.mcp.many import merging
from lookahead_integrations.mcp.many.fan import Absent, Fan, Said, absence, why
from lookahead_integrations.mcp.many.merging import SERVER, object_of

log: Final = logging.getLogger("lookahead.mcp")

CONVERSATIONS: Final = 1000
_CHANGED: Final = {
    "tools": "notifications/tools/list_changed",
    "prompts": "notifications/prompts/list_changed",
    "resources": "notifications/resources/list_changed",
}


@dataclass(kw_only=True, eq=False)
class Talk:
    """What is known of one client's conversation with each server."""

    hello: Call
    """Its `initialize`, to be said again to a server that did not hear it."""
    said: Said = field(default_factory=dict[str, Json])
    absent: dict[str, str] = field(default_factory=dict[str, str])
    """Servers that could not be had, and why."""
    locks: dict[str, anyio.Lock] = field(default_factory=dict[str, anyio.Lock])
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    answered: bool = False
    """The client was told who is there."""
    ready: Call | None = None
    """Its `notifications/initialized`."""


@dataclass(kw_only=True, eq=False)
class Talks:
    fan: Fan
    tasks: TaskGroup | None
    """Where a server that needs longer than we wait goes on coming up."""
    _talks: OrderedDict[str, Talk] = field(default_factory=OrderedDict[str, Talk], repr=False)

    async def initialize(self, call: Call) -> Json:
        talk = Talk(hello=call, locks={key: anyio.Lock() for key in self.fan.upstreams})
        if (before := self._talks.pop(call.client.key, None)) is not None:
            before.scope.cancel()
        self._talks[call.client.key] = talk
        if len(self._talks) > CONVERSATIONS:
            self._talks.popitem(last=False)
        if self.tasks is None:
            await self.fan.gather(lambda key: self._greeted(talk, key))
        else:
            done = anyio.Event()
            self.tasks.start_soon(self._all_greeted, talk, done)
            with anyio.move_on_after(self.fan.patience):
                await done.wait()
        talk.answered = True
        absent = self._absent(talk)
        for key, error in absent.items():
            self.fan.warn(key, error)
        if absent and len(talk.absent) == len(self.fan.upstreams):
            raise RpcError(INTERNAL_ERROR, "; ".join(absence(key, error) for key, error in absent.items()))
        said = {key: talk.said[key] for key in self.fan.upstreams if key in talk.said}
        can = [object_of(one.get("capabilities")) for one in said.values()]
        return {
            "protocolVersion": merging.version(list(said.values()), call.params.get("protocolVersion")),
            "capabilities": merging.capabilities(can, more=bool(absent)),
            "serverInfo": SERVER,
            "instructions": merging.instructions(said, self.fan.book.prefixes, absent),
        }

    async def there(self, call: Call, key: str) -> None:
        """A server that did not hear the client's hello hears it before anything else. Raises RpcError."""
        talk = self._of(call)
        if talk is not None and key not in talk.said:
            await self._greeted(talk, key)
            if key in talk.absent:
                raise Absent(key, talk.absent[key])

    def lacks(self, call: Call, key: str, capability: str) -> bool:
        """Whether a server said who it is, and nothing of this."""
        talk = self._of(call)
        said = talk.said.get(key) if talk is not None else None
        return said is not None and capability not in object_of(said.get("capabilities"))

    def incomplete(self, call: Call) -> bool:
        """Whether some servers may still come."""
        talk = self._of(call)
        return talk is not None and len(talk.said) < len(self.fan.upstreams)

    async def notice(self, call: Call) -> None:
        """What a client says by the way is passed on to everybody who knows it."""
        talk = self._talks.get(call.client.key)
        if call.method == CLOSED:
            self._talks.pop(call.client.key, None)
            if talk is not None:
                talk.scope.cancel()
        elif call.method == "notifications/initialized" and talk is not None:
            talk.ready = call
        known = [key for key in self.fan.upstreams if talk is None or call.method == CLOSED or key in talk.said]
        await self._noticed(call, known)

    async def _noticed(self, call: Call, keys: Sequence[str]) -> None:
        _, failed = await self.fan.gather(lambda key: self.fan.upstreams[key](self.fan.to(call, key)), keys)
        for key, error in failed.items():
            log.debug("%s took no notice of %s: %s", key, call.method, why(error))

    async def _all_greeted(self, talk: Talk, done: anyio.Event) -> None:
        try:
            with talk.scope:
                async with anyio.create_task_group() as group:
                    for key in self.fan.upstreams:
                        group.start_soon(self._greeted, talk, key)
        finally:
            done.set()

    async def _greeted(self, talk: Talk, key: str) -> Json:
        """Say hello to one server. Where it comes late, the client is told that there is more now."""
        async with talk.locks[key]:
            if key in talk.said:
                return talk.said[key]
            try:
                said = await self.fan.upstreams[key](self.fan.to(talk.hello, key))
            except Exception as error:
                talk.absent[key] = why(error)
                return {}
            if talk.ready is not None:
                await self._noticed(talk.ready, [key])
            talk.said[key] = said
            talk.absent.pop(key, None)
        if talk.answered:
            for name in object_of(said.get("capabilities")):
                if name in _CHANGED:
                    await talk.hello.client.tell(_CHANGED[name], {})
        return said

    def _absent(self, talk: Talk) -> dict[str, str]:
        late = f"it did not answer within {self.fan.patience:g} seconds; what it has appears when it does"
        return {key: talk.absent.get(key, late) for key in self.fan.upstreams if key not in talk.said}

    def _of(self, call: Call) -> Talk | None:
        return None if modern(call.client) else self._talks.get(call.client.key)
