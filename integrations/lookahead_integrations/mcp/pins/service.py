"""Stands before a server's tools: a tool that is not the one that was accepted is not shown, and not called."""

import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

import anyio
import anyio.to_thread

from lookahead.errors import ConfigError
from lookahead_integrations.mcp.exchange import (
    CLOSED,
    INTERNAL_ERROR,
    METHOD_NOT_FOUND,
    Call,
    Client,
    Json,
    Lost,
    RpcError,
    Service,
)
from lookahead_integrations.mcp.fencing import plain
from lookahead_integrations.mcp.pins.hearing import Listening, Quiet, audience, own
from lookahead_integrations.mcp.pins.hints import hints
from lookahead_integrations.mcp.pins.judge import Judgement, Listed, Withheld, judged
from lookahead_integrations.mcp.pins.refusal import KEY, refusal, told
from lookahead_integrations.mcp.pins.store import Kept, PinStore, Stamp

log: Final = logging.getLogger("lookahead.mcp")

HOLDS: Final = 300.0
"""Seconds after which a list is asked for again before a call: not every server says that its tools have changed."""
PATIENCE: Final = 60.0
_CLIENTS: Final = 1000
_LISTS: Final = 16
_PAGES: Final = 1000
_FORGOTTEN: Final = 1000
"""So many sentences are remembered, so that each is said once."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Which server this is: by its command and arguments, or by its address; never by what it calls itself."""

    key: str
    label: str
    """For a person to read; without secrets."""


@dataclass(kw_only=True, eq=False)
class Pinned:
    """A service before another one; `renewed()` says that the server may not be the one that it was."""

    next: Service
    store: PinStore
    identity: Identity
    strict: bool = False
    say: Callable[[str], None] = log.warning
    _withheld: dict[str, Withheld] = field(default_factory=dict[str, Withheld])
    _compared_at: OrderedDict[str, float] = field(default_factory=OrderedDict[str, float])
    """By the client's key, because each conversation may have a server process of its own."""
    _comparing: dict[str, anyio.Lock] = field(default_factory=dict[str, anyio.Lock])
    _last: OrderedDict[tuple[bool, str, str], tuple[object, Stamp, Judgement]] = field(
        default_factory=OrderedDict[tuple[bool, str, str], tuple[object, Stamp, Judgement]]
    )
    """The same list compared with the same file gives the same judgement."""
    _told: dict[str, None] = field(default_factory=dict[str, None])

    async def __call__(self, call: Call, /) -> Json:
        if call.notice:
            if call.method == CLOSED:
                self._compared_at.pop(call.client.key, None)
                self._comparing.pop(call.client.key, None)
            return await self.next(call)
        try:
            if call.method == "tools/list":
                return await self._listed(call)
            if call.method == "tools/call":
                return await self._called(call)
            if call.method in ("initialize", "server/discover", "subscriptions/listen"):
                result = await self.next(self._heard(call))
                self._look_at(result)
                return result
            return await self.next(call)
        except Lost:
            # Whoever comes back may be somebody else.
            self._compared_at.pop(call.client.key, None)
            raise

    def renewed(self) -> None:
        """Before the next call of any client, the server's list is asked for and compared again."""
        self._compared_at.clear()

    def _stale(self, client: Client) -> bool:
        return anyio.current_time() - self._compared_at.get(client.key, -math.inf) > HOLDS

    def _one_at_a_time(self, client: Client) -> anyio.Lock:
        """Calls of one client wait for one comparison; a server that hangs for one client holds up no other."""
        if len(self._comparing) > _CLIENTS:
            self._comparing.clear()
        return self._comparing.setdefault(client.key, anyio.Lock())

    def _heard(self, call: Call) -> Call:
        """The call, by whose client a server may say that its tools have changed."""
        return replace(call, client=Listening(client=call.client, changed=self.renewed))

    async def _called(self, call: Call) -> Json:
        name = call.params.get("name")
        if self._stale(call.client):
            async with self._one_at_a_time(call.client):
                if self._stale(call.client):
                    await self._checked(await self._walked(call), call, complete=True)
        held = self._withheld.get(name) if isinstance(name, str) else None
        if held is not None and not await self._accepted_since(held):
            return refusal(held, label=self.identity.label, store=self.store.path, version=call.client.version)
        if self.strict and isinstance(name, str) and not await self._pinned(name):
            held = Withheld(name=name, why="new", because="it is in no list that was accepted")
            return refusal(held, label=self.identity.label, store=self.store.path, version=call.client.version)
        return await self.next(self._heard(call))

    async def _listed(self, call: Call) -> Json:
        result = await self.next(self._heard(call))
        given: object = result.get("tools")
        if not isinstance(given, list):
            return result
        tools = cast(list[object], given)
        first = call.params.get("cursor") is None
        more = result.get("nextCursor")
        async with self._one_at_a_time(call.client):
            if first and more is None:
                made = await self._checked(tools, call, complete=True)
            else:
                if first or self._stale(call.client):
                    whole = await self._walked(call, [tools] if first else [], more if first else None)
                    await self._checked(whole, call, complete=True)
                made = await self._checked(tools, call, complete=False)
        return _without(result, tools, made)

    async def _walked(self, call: Call, pages: list[list[object]] | None = None, cursor: object = None) -> list[object]:
        """All tools of the server, page by page, from the first one or from where the client's own call ended."""
        pages = list(pages or [])
        seen: set[str] = set()
        client = Quiet(client=call.client, changed=self.renewed)
        while not pages or cursor is not None:
            if len(pages) >= _PAGES or str(cursor) in seen:
                raise RpcError(INTERNAL_ERROR, "the server's list of tools has no end, so it cannot be compared")
            seen.add(str(cursor))
            params = {key: value for key, value in call.params.items() if key == "_meta"}
            if cursor is not None:
                params["cursor"] = cursor
            page = await self._page(Call(method="tools/list", params=own(params), client=client))
            tools: object = page.get("tools")
            pages.append(cast(list[object], tools) if isinstance(tools, list) else [])
            cursor = page.get("nextCursor")
        return [tool for page in pages for tool in page]

    async def _page(self, call: Call) -> Json:
        try:
            with anyio.fail_after(PATIENCE):
                return await self.next(call)
        except TimeoutError as cause:
            said = f"the server has not listed its tools within {PATIENCE:.0f} s, so they cannot be compared"
            raise RpcError(INTERNAL_ERROR, said) from cause
        except RpcError as error:
            if error.code == METHOD_NOT_FOUND:
                return {}
            raise

    async def _checked(self, tools: list[object], call: Call, *, complete: bool) -> Judgement:
        client = call.client
        listed = Listed(tools=tools, complete=complete, version=client.version, audience=audience(client))
        place = (complete, listed.version, listed.audience)
        known = self._last.get(place)
        if known is not None and known[1] == self.store.stamp() and known[0] == tools:
            made = known[2]
        else:
            try:
                made = await anyio.to_thread.run_sync(self._compared, listed)
            except ConfigError as cause:
                self._say(str(cause))
                raise RpcError(INTERNAL_ERROR, str(cause)) from cause
            self._remember(place, tools, made)
        for name in made.fine:
            self._withheld.pop(name, None)
        self._withheld.update(made.withheld)
        for said in made.said:
            self._say(said)
        if complete:
            self._compared_at[client.key] = anyio.current_time()
            self._compared_at.move_to_end(client.key)
            if len(self._compared_at) > _CLIENTS:
                self._compared_at.popitem(last=False)
        return made

    def _remember(self, place: tuple[bool, str, str], tools: object, made: Judgement) -> None:
        stamp = self.store.stamp()
        if self.store.read().upstreams.get(self.identity.key) == made.upstream:
            self._last[place] = tools, stamp, made
            if len(self._last) > _LISTS:
                self._last.popitem(last=False)

    def _compared(self, listed: Listed) -> Judgement:
        """Against what is in the file. Written where there is something new, after another look under the lock."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        key, label = self.identity.key, self.identity.label
        known = self.store.read().upstreams.get(key)
        made = judged(known, label, listed, now=now, strict=self.strict)
        if made.upstream == known:
            return made
        latest: list[Judgement] = []

        def change(kept: Kept) -> Kept:
            latest.append(judged(kept.upstreams.get(key), label, listed, now=now, strict=self.strict))
            return kept.with_(key, latest[-1].upstream)

        self.store.change(change)
        return latest[-1]

    async def _accepted_since(self, held: Withheld) -> bool:
        """Whether somebody has said yes to just this tool meanwhile, in another process."""
        if held.now is None:
            return False
        try:
            upstream = (await anyio.to_thread.run_sync(self.store.read)).upstreams.get(self.identity.key)
        except ConfigError as cause:
            raise RpcError(INTERNAL_ERROR, str(cause)) from cause
        pin = upstream.tools.get(held.name) if upstream is not None else None
        if pin is None or not pin.seen.same(held.now):
            return False
        self._withheld.pop(held.name, None)
        return True

    async def _pinned(self, name: str) -> bool:
        upstream = (await anyio.to_thread.run_sync(self.store.read)).upstreams.get(self.identity.key)
        return upstream is not None and name in upstream.tools

    def _look_at(self, result: Json) -> None:
        for hint in hints({"instructions": result.get("instructions")}):
            self._say(f"look at what {plain(self.identity.label, 80)} tells the model of itself: {hint.line}")

    def _say(self, said: str) -> None:
        if said not in self._told:
            self._told[said] = None
            if len(self._told) > _FORGOTTEN:
                self._told.pop(next(iter(self._told)))
            self.say(said)


def _without(result: Json, tools: list[object], made: Judgement) -> Json:
    """The same result, where nothing is withheld; else without those tools, and saying so."""
    if not made.withheld and not made.unreadable:
        return result
    shown = [tool for place, tool in enumerate(tools) if place not in made.unreadable and not _held(tool, made)]
    meta: Any = result.get("_meta")
    why = [told(one) for one in made.withheld.values()]
    return {**result, "tools": shown, "_meta": {**(cast(Json, meta) if isinstance(meta, dict) else {}), KEY: why}}


def _held(tool: object, made: Judgement) -> bool:
    return isinstance(tool, dict) and cast(dict[str, Any], tool).get("name") in made.withheld
