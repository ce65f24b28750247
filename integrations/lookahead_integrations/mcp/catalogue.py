"""What tools there are behind the proxy, as each client was told or would be: what a call is judged by."""

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

import anyio

from lookahead.policy import Policy
from lookahead.types import Tool
from lookahead_integrations.mcp.actions import tool_of
from lookahead_integrations.mcp.exchange import (
    CLOSED,
    METHOD_NOT_FOUND,
    TOOLS_CHANGED,
    Call,
    Json,
    RpcError,
    Service,
    Through,
)

LIST: Final = "tools/list"
CLIENTS: Final = 1000
"""So many clients' lists are remembered."""
TOOLS: Final = 10_000
"""A server that lists more, or never ends, is not listened to any longer."""
PATIENCE: Final = 30.0
"""Seconds that a call waits for the list that it is judged by."""


@dataclass(kw_only=True, eq=False)
class Known:
    """What one client's list holds."""

    tools: tuple[Tool, ...] = ()
    fresh: bool = False
    pages: list[Json] = field(default_factory=list[Json])
    """Of a list that is being read, what came so far, and the cursor of what comes next."""
    awaited: str | None = None
    lock: anyio.Lock = field(default_factory=anyio.Lock)


@dataclass(kw_only=True, eq=False)
class Catalogue:
    """Passes every call on, and remembers what is said of tools on the way.

    `policy` says what a tool does, where the user has said so.
    """

    next: Service
    policy: Policy = field(default_factory=Policy)
    _clients: OrderedDict[str, Known] = field(default_factory=OrderedDict[str, Known], repr=False)
    _news: int = field(default=0, repr=False)
    """How often the tools have changed: a list that was asked for before is not new."""
    _last: tuple[list[Json], tuple[Tool, ...]] = field(default=([], ()), repr=False)

    async def __call__(self, call: Call, /) -> Json:
        if call.method == LIST and not call.notice:
            news = self._news
            result = await self.next(call)
            self._page(self._known(call.client.key), call.params.get("cursor"), result, news)
            return result
        if call.method in ("initialize", "subscriptions/listen"):
            # What the server says of its own accord comes by the client of these two.
            call = replace(call, client=_Listening(client=call.client, catalogue=self))
        elif call.method == CLOSED:
            self._clients.pop(call.client.key, None)
        return await self.next(call)

    async def tools(self, call: Call) -> tuple[Tool, ...]:
        """Those that this client has. Asked of the server, where the client has not done so or they changed since."""
        known = self._known(call.client.key)
        if known.fresh:
            return known.tools
        async with known.lock:
            if not known.fresh:
                with anyio.move_on_after(PATIENCE):
                    await self._ask(known, call)
        return known.tools

    def changed(self) -> None:
        """The server has other tools now: whoever calls next is judged by a new list."""
        self._news += 1
        for known in self._clients.values():
            known.fresh = False

    async def _ask(self, known: Known, call: Call) -> None:
        meta = {name: value for name, value in _object(call.params.get("_meta")).items() if name != "progressToken"}
        said: Json = {"_meta": meta} if meta else {}
        cursor: str | None = None
        client = _Silent(client=call.client)
        news = self._news
        while True:
            params = said if cursor is None else {**said, "cursor": cursor}
            try:
                result = await self.next(Call(method=LIST, params=params, client=client))
            except RpcError as error:
                # It has no tools, or cannot tell of them now: a tool that nobody knows is judged by its name.
                known.fresh = error.code == METHOD_NOT_FOUND
                return
            self._page(known, cursor, result, news)
            cursor = known.awaited
            if cursor is None:
                return

    def _page(self, known: Known, cursor: object, result: Json, news: int) -> None:
        listed: Any = result.get("tools")
        following = result.get("nextCursor")
        if not isinstance(listed, list) or (cursor is not None and cursor != known.awaited):
            known.pages, known.awaited = [], None
            return
        page = [cast(Json, one) for one in cast(list[object], listed) if isinstance(one, dict)]
        known.pages = page if cursor is None else [*known.pages, *page]
        again = following == cursor or len(known.pages) > TOOLS
        known.awaited = following if isinstance(following, str) and not again else None
        if known.awaited is None:
            known.tools, known.fresh = self._read(known.pages), news == self._news
            known.pages = []

    def _read(self, listed: list[Json]) -> tuple[Tool, ...]:
        """The same list is read once, however many clients have it."""
        if listed != self._last[0]:
            tools: dict[str, Tool] = {}
            for one in listed:
                if (tool := tool_of(one)) is not None:
                    effect = self.policy.effect_of(tool.name, tool)
                    tools.setdefault(tool.name, tool.model_copy(update={"effect": effect}))
            self._last = listed, tuple(tools.values())
        return self._last[1]

    def _known(self, key: str) -> Known:
        known = self._clients.get(key)
        if known is None:
            known = self._clients[key] = Known()
            if len(self._clients) > CLIENTS:
                self._clients.popitem(last=False)
        else:
            self._clients.move_to_end(key)
        return known


def _object(value: object) -> Json:
    return cast(Json, value) if isinstance(value, dict) else {}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Listening(Through):
    """Hears what the server says of its tools."""

    catalogue: Catalogue

    async def tell(self, method: str, params: Json, /) -> None:
        if method == TOOLS_CHANGED:
            self.catalogue.changed()
        await self.client.tell(method, params)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Silent(Through):
    """Is not disturbed by what we ask for ourselves."""

    async def tell(self, method: str, params: Json, /) -> None:
        pass
