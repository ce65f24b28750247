"""Stands before a server's tools: a tool that is not the one that was accepted is not shown, and not called."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

import anyio
import anyio.to_thread

from lookahead.errors import ConfigError
from lookahead_integrations.mcp.exchange import INTERNAL_ERROR, Call, Client, Json, Lost, Question, RpcError, Service
from lookahead_integrations.mcp.fencing import plain
from lookahead_integrations.mcp.pins.hints import hints
from lookahead_integrations.mcp.pins.judge import Judgement, Listed, Withheld, judged
from lookahead_integrations.mcp.pins.refusal import KEY, refusal, told
from lookahead_integrations.mcp.pins.store import Kept, PinStore

log: Final = logging.getLogger("lookahead.mcp")

CHANGED: Final = "notifications/tools/list_changed"
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
    _stale: bool = True
    _checking: anyio.Lock = field(default_factory=anyio.Lock)
    _told: dict[str, None] = field(default_factory=dict[str, None])

    async def __call__(self, call: Call, /) -> Json:
        if call.notice:
            return await self.next(call)
        try:
            if call.method == "tools/list":
                return await self._listed(call)
            if call.method == "tools/call":
                return await self._called(call)
            if call.method in ("initialize", "server/discover", "subscriptions/listen"):
                result = await self.next(replace(call, client=_Listening(client=call.client, pinned=self)))
                self._look_at(result)
                return result
            return await self.next(call)
        except Lost:
            # Whoever comes back may be somebody else.
            self.renewed()
            raise

    def renewed(self) -> None:
        """Before the next call, the server's list is asked for and compared again."""
        self._stale = True

    async def _called(self, call: Call) -> Json:
        name = call.params.get("name")
        if self._stale:
            async with self._checking:
                if self._stale:
                    await self._checked(await self._walked(call), call, complete=True)
        held = self._withheld.get(name) if isinstance(name, str) else None
        if held is not None and not await self._accepted_since(held):
            return refusal(held, label=self.identity.label, store=self.store.path, version=call.client.version)
        if self.strict and isinstance(name, str) and not await self._pinned(name):
            held = Withheld(name=name, why="new", because="it is in no list that was accepted")
            return refusal(held, label=self.identity.label, store=self.store.path, version=call.client.version)
        return await self.next(replace(call, client=_Listening(client=call.client, pinned=self)))

    async def _listed(self, call: Call) -> Json:
        result = await self.next(replace(call, client=_Listening(client=call.client, pinned=self)))
        given: object = result.get("tools")
        if not isinstance(given, list):
            return result
        tools = cast(list[object], given)
        first = call.params.get("cursor") is None
        more = result.get("nextCursor")
        async with self._checking:
            if first and more is None:
                made = await self._checked(tools, call, complete=True)
            else:
                if self._stale or first:
                    whole = await self._walked(call, [tools] if first else [], more if first else None)
                    await self._checked(whole, call, complete=True)
                made = await self._checked(tools, call, complete=False)
        return _without(result, tools, made)

    async def _walked(self, call: Call, pages: list[list[object]] | None = None, cursor: object = None) -> list[object]:
        """All tools of the server, page by page, from the first one or from where the client's own call ended."""
        pages = list(pages or [])
        seen: set[str] = set()
        while not pages or cursor is not None:
            if len(pages) >= _PAGES or str(cursor) in seen:
                raise RpcError(INTERNAL_ERROR, "the server's list of tools has no end, so it cannot be compared")
            seen.add(str(cursor))
            params = {key: value for key, value in call.params.items() if key == "_meta"}
            if cursor is not None:
                params["cursor"] = cursor
            page = await self.next(Call(method="tools/list", params=_own(params), client=_Quiet(client=call.client)))
            tools: object = page.get("tools")
            pages.append(cast(list[object], tools) if isinstance(tools, list) else [])
            cursor = page.get("nextCursor")
        return [tool for page in pages for tool in page]

    async def _checked(self, tools: list[object], call: Call, *, complete: bool) -> Judgement:
        client = call.client
        listed = Listed(tools=tools, complete=complete, version=client.version, audience=_audience(client))
        try:
            made = await anyio.to_thread.run_sync(self._compared, listed)
        except ConfigError as cause:
            self._say(str(cause))
            raise RpcError(INTERNAL_ERROR, str(cause)) from cause
        for name in made.fine:
            self._withheld.pop(name, None)
        self._withheld.update(made.withheld)
        for said in made.said:
            self._say(said)
        if complete:
            self._stale = False
        return made

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


@dataclass(frozen=True, kw_only=True, eq=False)
class _Listening:
    """The client, where a server may say that its tools have changed."""

    client: Client
    pinned: Pinned

    @property
    def key(self) -> str:
        return self.client.key

    @property
    def version(self) -> str:
        return self.client.version

    @property
    def info(self) -> Json:
        return self.client.info

    @property
    def capabilities(self) -> Json:
        return self.client.capabilities

    @property
    def headers(self) -> Mapping[str, str]:
        return self.client.headers

    async def ask(self, questions: Mapping[str, Question], /) -> dict[str, Json]:
        return await self.client.ask(questions)

    async def tell(self, method: str, params: Json, /) -> None:
        if method == CHANGED:
            self.pinned.renewed()
        await self.client.tell(method, params)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Quiet(_Listening):
    """The client, for a list that it did not ask for: it is asked and told nothing."""

    pinned: Pinned = field(default=cast(Pinned, None))

    async def ask(self, questions: Mapping[str, Question], /) -> dict[str, Json]:
        raise RpcError(INTERNAL_ERROR, "a server that asks something before it lists its tools is not asked again")

    async def tell(self, method: str, params: Json, /) -> None:
        return None


def _audience(client: Client) -> str:
    """What servers choose by when they leave out tools that a client could not use."""
    extensions: Any = client.capabilities.get("extensions")
    more = sorted(cast(Json, extensions)) if isinstance(extensions, dict) else []
    named = sorted(name for name in client.capabilities if name not in ("extensions", "experimental"))
    return plain(" ".join([*named, *more]), 400)


def _own(params: Json) -> Json:
    """The parameters of a list of our own: who asks, and nothing that the client waits for."""
    meta: Any = params.get("_meta")
    if not isinstance(meta, dict):
        return params
    kept = {key: value for key, value in cast(Json, meta).items() if key != "progressToken"}
    return {**params, "_meta": kept}


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
