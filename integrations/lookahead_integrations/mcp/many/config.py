"""The servers of one configuration file behind one endpoint."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

import anyio

from lookahead.errors import ConfigError
from lookahead.show import safe
from lookahead_integrations.mcp import pins
from lookahead_integrations.mcp.clients.upstreams import Target, Unreachable, targets
from lookahead_integrations.mcp.exchange import INTERNAL_ERROR, Call, Json, RpcError, Service
from lookahead_integrations.mcp.many.service import many
from lookahead_integrations.mcp.settings import ProxySettings

log: Final = logging.getLogger("lookahead.mcp")

Reach: TypeAlias = Callable[[ProxySettings, AsyncExitStack], Awaitable[Service]]
"""Makes the service of one server."""


@asynccontextmanager
async def opened(settings: ProxySettings, reach: Reach) -> AsyncGenerator[Service]:
    """All servers of `settings.config`. One that cannot be had says so when it is asked."""
    found = targets(Path(settings.config or ""))
    if not found:
        raise ConfigError(f"{settings.config} names no server that is switched on; add one, then run again")
    async with AsyncExitStack() as stack:
        upstreams: dict[str, Service] = {}
        for key, target in found.items():
            upstreams[key] = await _reached(settings, key, target, reach, stack)
        async with anyio.create_task_group() as tasks:
            # As the entry of this endpoint in a client's file is called, where it was said.
            yield many(upstreams, tasks=tasks, entry=settings.name or "lookahead")
            tasks.cancel_scope.cancel()


async def _reached(
    settings: ProxySettings, key: str, target: Target | Unreachable, reach: Reach, stack: AsyncExitStack
) -> Service:
    if isinstance(target, Unreachable):
        return _nobody(str(target))
    for name in target.unset:
        log.warning("the server %s names ${%s}, which is not set: it gets it as it is written", safe(key), safe(name))
    told = replace(
        settings,
        config=None,
        name=key,
        command=target.command,
        env=dict(target.env) or None,
        cwd=target.cwd,
        url=target.url,
        headers=dict(target.headers),
    )
    try:
        service = await reach(told, stack)
        return service if told.mode == "off" else pins.layer(service, settings=told, stack=stack)
    except (ConfigError, RpcError, OSError) as error:
        return _nobody(str(error))


def _nobody(why: str) -> Service:
    async def answers(call: Call, /) -> Json:
        if call.notice:
            return {}
        raise RpcError(INTERNAL_ERROR, why)

    return answers
