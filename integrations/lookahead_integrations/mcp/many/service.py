"""Several servers as one: a `Service` before many. One that fails, is slow or hangs stops none of the others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import anyio
from anyio.abc import TaskGroup

from lookahead_integrations.mcp.exchange import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    Call,
    Json,
    Lost,
    RpcError,
    Service,
    modern,
)
from lookahead_integrations.mcp.many import merging
from lookahead_integrations.mcp.many.fan import Fan, first, unknown, why
from lookahead_integrations.mcp.many.listening import Listening
from lookahead_integrations.mcp.many.merging import MERGED, object_of, objects
from lookahead_integrations.mcp.many.names import Names, prefixes, room
from lookahead_integrations.mcp.many.talks import Talks
from lookahead_integrations.mcp.many.uris import Uris
from lookahead_integrations.mcp.many.voice import Book, owners

PAGES: Final = 1000
_NOT_THERE: Final = (-32002, INVALID_PARAMS, METHOD_NOT_FOUND)
"""What servers answer to an address that they do not know."""
_NEEDS: Final = {**{kind: kind for kind in MERGED.values()}, "resourceTemplates": "resources"}
"""The capability by which a server says that it has such a list."""


def many(
    upstreams: Mapping[str, Service],
    *,
    tasks: TaskGroup | None = None,
    entry: str = "lookahead",
    short: Mapping[str, str] | None = None,
    patience: float = 20.0,
) -> "Many":
    """One service for several, which are named by the keys of a configuration file.

    `tasks` is where a server that needs longer than `patience` seconds to come up goes on coming up; its tools are
    told of when it is there. `entry` is what a client calls the proxy, which takes room in the names of its tools.
    `short` gives a key another name.
    """
    named = prefixes(upstreams, short or {}, room(entry) // 2)
    tools, prompts = Names(named, room(entry)), Names(named, room(entry))
    book = Book(prefixes=named, tools=tools, prompts=prompts, uris=Uris(named))
    fan = Fan(upstreams=dict(upstreams), book=book, patience=patience)
    return Many(fan=fan, talks=Talks(fan=fan, tasks=tasks))


@dataclass(kw_only=True, eq=False)
class Many:
    """Made by `many()`."""

    fan: Fan
    talks: Talks
    _listed: set[str] = field(default_factory=set[str], repr=False)
    """The lists that have been asked for at least once."""

    async def __call__(self, call: Call, /) -> Json:
        if call.notice:
            await self.talks.notice(call)
            return {}
        match call.method:
            case "initialize":
                return await self.talks.initialize(call)
            case "server/discover":
                return await self._discover(call)
            case "ping":
                return {}
            case "logging/setLevel":
                return await self._level(call)
            case "subscriptions/listen":
                if object_of(call.params.get("notifications")).get("resourceSubscriptions"):
                    await self._addresses(call)
                return await Listening(fan=self.fan, call=call).run()
            case "tools/call" | "prompts/get" | "tools/resolve":
                kind = "prompts" if call.method == "prompts/get" else "tools"
                key, name = await self._whose(call, kind, call.params.get("name"))
                return self.fan.book.result(key, await self._asked(call.asking(name=name), key))
            case "completion/complete":
                return await self._completed(call)
            case "resources/read" | "resources/subscribe" | "resources/unsubscribe":
                return await self._addressed(call, call.params.get("uri"), lambda uri: call.asking(uri=uri))
            case method if method in MERGED:
                return await self._list(call)
            case method if method.startswith("tasks/"):
                return await self._task(call)
            case _:
                raise RpcError(METHOD_NOT_FOUND, "Method not found", call.method)

    async def _discover(self, call: Call) -> Json:
        said, failed = await self.fan.gather(lambda key: self._asked(call, key))
        if not said:
            raise first(failed)
        absent = {key: why(error) for key, error in failed.items()}
        for key, error in absent.items():
            self.fan.warn(key, error)
        can = [object_of(one.get("capabilities")) for one in said.values()]
        return merging.complete(
            list(said.values()),
            supportedVersions=merging.versions(list(said.values())),
            capabilities=merging.capabilities(can, more=bool(absent)),
            instructions=merging.instructions(said, self.fan.book.prefixes, absent),
        )

    async def _list(self, call: Call) -> Json:
        if call.params.get("cursor") is not None:
            raise RpcError(INVALID_PARAMS, "this list has one page: there is no cursor")
        kind = MERGED[call.method]
        pages: dict[str, list[Json]] = {}

        async def walked(key: str) -> Json:
            page, pages[key] = await self._walked(call, key, kind)
            return page

        said, failed = await self.fan.gather(walked)
        for key, error in failed.items():
            if not unknown(error):
                await self.fan.say(call, key, why(error))
        if failed and not said and not self.talks.incomplete(call):
            raise first(failed)
        for key in said:
            self.fan.book.learn(key, kind, pages[key])
        self._listed.add(kind)
        items = [self.fan.book.listed(key, kind, item) for key in said for item in pages[key]]
        return merging.complete(list(said.values()), **{kind: items}) if modern(call.client) else {kind: items}

    async def _walked(self, call: Call, key: str, kind: str) -> tuple[Json, list[Json]]:
        """The first page of a server's list, and what is on all of them."""
        if self.talks.lacks(call, key, _NEEDS[kind]):
            raise RpcError(METHOD_NOT_FOUND, "Method not found", call.method)
        page = await self._asked(call, key)
        begin, items, seen = page, objects(page.get(kind)), set[str]()
        while isinstance(cursor := page.get("nextCursor"), str) and cursor not in seen and len(seen) < PAGES:
            seen.add(cursor)
            page = await self._asked(call.asking(cursor=cursor), key)
            items += objects(page.get(kind))
        return begin, items

    async def _whose(self, call: Call, kind: str, shown: object) -> tuple[str, str]:
        """The server that has a tool or a prompt, and what it is called there."""
        names = self.fan.book.prompts if kind == "prompts" else self.fan.book.tools
        if isinstance(shown, str) and not names.listed(shown):
            await self._learnt(call, f"{kind}/list")
        found = names.inner(shown) if isinstance(shown, str) else None
        if found is None:
            prefixes = ", ".join(f"{prefix}__" for prefix in self.fan.book.prefixes.values())
            raise RpcError(INVALID_PARAMS, f"Unknown {kind[:-1]}: {shown}; names here begin with one of {prefixes}")
        return found

    async def _completed(self, call: Call) -> Json:
        ref = object_of(call.params.get("ref"))
        if ref.get("type") == "ref/prompt":
            key, name = await self._whose(call, "prompts", ref.get("name"))
            return await self._asked(call.asking(ref={**ref, "name": name}), key)
        return await self._addressed(call, ref.get("uri"), lambda uri: call.asking(ref={**ref, "uri": uri}))

    async def _addressed(self, call: Call, shown: object, asking: Callable[[str], Call]) -> Json:
        """Whoever has this address answers. Where nobody is known to, each is asked until one does."""
        if not isinstance(shown, str):
            raise RpcError(INVALID_PARAMS, "uri is a text")
        if not self.fan.book.uris.inner(shown):
            await self._addresses(call)
        known = bool(self.fan.book.uris.inner(shown))
        failed: dict[str, Exception] = {}
        for key, uri in owners(self.fan.book, shown):
            try:
                if self.talks.lacks(call, key, "resources"):
                    raise RpcError(METHOD_NOT_FOUND, "Method not found", call.method)
                with anyio.fail_after(None if known else self.fan.patience):
                    return self.fan.book.result(key, await self._asked(asking(uri), key))
            except (RpcError, TimeoutError) as error:
                if isinstance(error, Lost) or (known and not _not_there(error)):
                    raise
                failed[key] = error
        raise first(failed)

    async def _task(self, call: Call) -> Json:
        shown = call.params.get("taskId")
        found = self.fan.book.owner(shown) if isinstance(shown, str) else None
        if found is None:
            raise RpcError(INVALID_PARAMS, f"Unknown task: {shown}")
        return self.fan.book.result(found[0], await self._asked(call.asking(taskId=found[1]), found[0]))

    async def _level(self, call: Call) -> Json:
        said, failed = await self.fan.gather(lambda key: self._asked(call, key))
        if failed and not said:
            raise first(failed)
        return {}

    async def _addresses(self, call: Call) -> None:
        await self._learnt(call, "resources/list")
        await self._learnt(call, "resources/templates/list")

    async def _learnt(self, call: Call, method: str) -> None:
        """A list that nobody asked for yet, where something can be found by it alone."""
        if MERGED[method] in self._listed:
            return
        meta = {name: value for name, value in object_of(call.params.get("_meta")).items() if name != "progressToken"}
        try:
            await self._list(Call(method=method, params={"_meta": meta} if meta else {}, client=call.client))
        except RpcError:
            self._listed.add(MERGED[method])

    async def _asked(self, call: Call, key: str) -> Json:
        await self.talks.there(call, key)
        return await self.fan.upstreams[key](self.fan.to(call, key))


def _not_there(error: Exception) -> bool:
    return isinstance(error, RpcError) and error.code in _NOT_THERE
