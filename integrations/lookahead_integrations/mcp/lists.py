"""What a server says that it has: kept from the first time, or from a file where no server is there at all."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Self, cast

from lookahead.errors import ConfigError
from lookahead_integrations.mcp.exchange import (
    CLOSED,
    INVALID_PARAMS,
    LEGACY,
    LISTS,
    METHOD_NOT_FOUND,
    Call,
    Json,
    Question,
    RpcError,
    Service,
    modern,
)
from lookahead_integrations.mcp.wire import eras

SIMULATED: Final = (
    "This server is simulated by Lookahead: what its tools answer is imagined, and nothing that they are asked to do "
    "happens. Each answer says so in its _meta, under lookahead/origin."
)
_FORMAT: Final = "mcp-lists"
_PAGES: Final = 1000
_UNANSWERED: Final = (METHOD_NOT_FOUND, INVALID_PARAMS)


@dataclass(frozen=True, kw_only=True)
class Saved:
    """All lists of a server, and how it greets, as a file holds them."""

    greeting: Json = field(default_factory=dict[str, Any])
    """Its answer to `initialize`."""
    lists: Mapping[str, list[Json]] = field(default_factory=dict[str, list[Json]])

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Reads what `save` wrote, and just as well the plain answer to `tools/list`, or a list of tools."""
        try:
            with open(path, encoding="utf-8") as file:
                read: Any = json.load(file)
        except (OSError, ValueError) as error:
            raise ConfigError(f"the saved list of tools cannot be read: {path}: {error}") from error
        held: Json = {"tools": read} if isinstance(read, list) else cast(Json, read) if isinstance(read, dict) else {}
        if isinstance(held.get("result"), dict):
            held = cast(Json, held["result"])
        lists = {name: _objects(held[name]) for name in LISTS.values() if isinstance(held.get(name), list)}
        if "tools" not in lists:
            raise ConfigError(
                f"{path} holds no list of tools; `lookahead proxy --save-tools {path} -- COMMAND` writes one"
            )
        greeting: Any = held.get("initialize")
        return cls(greeting=cast(Json, greeting) if isinstance(greeting, dict) else {}, lists=lists)

    def save(self, path: str | os.PathLike[str]) -> None:
        written = {"lookahead": _FORMAT, "version": 1, "initialize": self.greeting, **self.lists}
        with open(path, "w", encoding="utf-8") as file:
            json.dump(written, file, indent=2, ensure_ascii=False)
            file.write("\n")

    def initialized(self, version: str) -> Json:
        """The answer to `initialize` in this revision."""
        capabilities = self.greeting.get("capabilities")
        declared = dict(cast(Json, capabilities)) if isinstance(capabilities, dict) else {}
        names = {"tools": "tools", "resources": "resources", "resourceTemplates": "resources", "prompts": "prompts"}
        for name, capability in names.items():
            if self.lists.get(name):
                declared.setdefault(capability, {})
        server = self.greeting.get("serverInfo") or {"name": "saved", "version": "0"}
        return {**self.greeting, "protocolVersion": version, "capabilities": declared, "serverInfo": server}


@dataclass(kw_only=True, eq=False)
class Kept:
    """Greetings and lists, asked of the server once and then told again, also when it is gone.

    With `saved` the server is never asked for them.
    """

    next: Service
    saved: Saved | None = None
    alone: bool = False
    """Whether no server is there at all."""
    note: str = SIMULATED
    """Put before the server's own instructions."""
    _kept: dict[tuple[str, Any, bool], Json] = field(default_factory=dict[tuple[str, Any, bool], Json], repr=False)

    async def __call__(self, call: Call, /) -> Json:
        if call.notice:
            return {} if self.saved is not None else await self.next(call)
        if call.method in ("initialize", "server/discover"):
            return self._noted(await self._greeting(call))
        if call.method in LISTS:
            return await self._list(call)
        return await self.next(call)

    async def _greeting(self, call: Call) -> Json:
        if self.saved is not None:
            initialized = self.saved.initialized(eras.agreed(call.params.get("protocolVersion")))
            return initialized if call.method == "initialize" else eras.discovered(initialized)
        newer = modern(call.client)
        key = (call.method, None if newer else eras.agreed(call.params.get("protocolVersion")), newer)
        try:
            return self._keep(key, await self.next(call))
        except RpcError as error:
            if key not in self._kept or error.code in _UNANSWERED:
                raise
        return self._kept[key]

    def _keep(self, key: tuple[str, Any, bool], result: Json) -> Json:
        self._kept[key] = result
        if len(self._kept) > _PAGES:
            del self._kept[next(iter(self._kept))]
        return result

    async def _list(self, call: Call) -> Json:
        cursor = call.params.get("cursor")
        if self.saved is not None:
            result: Json = {LISTS[call.method]: self.saved.lists.get(LISTS[call.method], [])}
            if not modern(call.client):
                return result
            server = self.saved.initialized(LEGACY[-1])["serverInfo"]
            return eras.completed(call.method, result, cast(Json, server))
        if not isinstance(cursor, str | None):
            return await self.next(call)
        key = (call.method, cursor, modern(call.client))
        return self._kept[key] if key in self._kept else self._keep(key, await self.next(call))

    def _noted(self, greeting: Json) -> Json:
        """With a word that it is simulated, and without what a simulation has no place for."""
        own = greeting.get("instructions")
        said = f"{self.note}\n\n{own}" if isinstance(own, str) and own else self.note
        declared: Any = greeting.get("capabilities")
        left_out = {"tasks", *(("logging", "completions") if self.alone else ())}
        kept = {name: value for name, value in cast(Json, declared or {}).items() if name not in left_out}
        if self.alone and isinstance(kept.get("resources"), dict):
            kept["resources"] = {name: value for name, value in kept["resources"].items() if name != "subscribe"}
        return {**greeting, "capabilities": kept, "instructions": said}


async def collect(service: Service) -> Saved:
    """Ask a server for everything that it lists."""
    client = _Asker()
    hello: Json = {"protocolVersion": client.version, "capabilities": {}, "clientInfo": client.info}
    try:
        greeting = await service(Call(method="initialize", params=hello, client=client))
        await _notice(service, client, "notifications/initialized")
        lists: dict[str, list[Json]] = {}
        for method, name in LISTS.items():
            lists[name] = await _all(service, client, method, name)
        return Saved(greeting=greeting, lists={name: rows for name, rows in lists.items() if rows or name == "tools"})
    finally:
        await _notice(service, client, CLOSED)


async def save(service: Service, path: str | os.PathLike[str]) -> Saved:
    """Ask a server for everything that it lists, and write it down for `--tools PATH`."""
    saved = await collect(service)
    saved.save(path)
    return saved


async def _notice(service: Service, client: "_Asker", method: str) -> None:
    with suppress(RpcError):
        await service(Call(method=method, client=client, notice=True))


async def _all(service: Service, client: "_Asker", method: str, name: str) -> list[Json]:
    rows: list[Json] = []
    cursor: Any = None
    for _ in range(_PAGES):
        params: Json = {} if cursor is None else {"cursor": cursor}
        try:
            result = await service(Call(method=method, params=params, client=client))
        except RpcError as error:
            if error.code in _UNANSWERED:
                return rows
            raise
        rows += _objects(result.get(name))
        before, cursor = cursor, result.get("nextCursor")
        if cursor is None or cursor == before:
            break
    return rows


def _objects(value: Any) -> list[Json]:
    given = cast(list[Any], value) if isinstance(value, list) else []
    return [cast(Json, one) for one in given if isinstance(one, dict)]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Asker:
    """Us, when we ask for ourselves."""

    key: str = "lookahead-lists"
    version: str = LEGACY[-1]
    info: Json = field(default_factory=lambda: {"name": "lookahead", "version": "1"})
    capabilities: Json = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    async def ask(self, questions: Mapping[str, Question], /) -> dict[str, Json]:
        raise RpcError(METHOD_NOT_FOUND, "nobody is here to be asked")

    async def tell(self, method: str, params: Json, /) -> None:
        pass
