"""A client on the way to its server, where a server may say that its tools have changed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from lookahead_integrations.mcp.exchange import TOOLS_CHANGED, Client, Json, Through
from lookahead_integrations.mcp.fencing import plain


@dataclass(frozen=True, kw_only=True, eq=False)
class Listening(Through):
    """The client, where a server may say that its tools have changed."""

    changed: Callable[[], None]

    async def tell(self, method: str, params: Json, /) -> None:
        if method == TOOLS_CHANGED:
            self.changed()
        await self.client.tell(method, params)


@dataclass(frozen=True, kw_only=True, eq=False)
class Quiet(Listening):
    """The client, for a list that it did not ask for, and whose progress is none of its business."""

    async def tell(self, method: str, params: Json, /) -> None:
        if method == TOOLS_CHANGED:
            await super().tell(method, params)


def audience(client: Client) -> str:
    """What servers choose by when they leave out tools that a client could not use."""
    extensions: Any = client.capabilities.get("extensions")
    more = sorted(cast(Json, extensions)) if isinstance(extensions, dict) else []
    named = sorted(name for name in client.capabilities if name not in ("extensions", "experimental"))
    return plain(" ".join([*named, *more]), 400)


def own(params: Json) -> Json:
    """The parameters of a list of our own: who asks, and nothing that the client waits for."""
    meta: Any = params.get("_meta")
    if not isinstance(meta, dict):
        return params
    kept = {key: value for key, value in cast(Json, meta).items() if key != "progressToken"}
    return {**params, "_meta": kept}
