"""The servers of one configuration file behind one endpoint."""

import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import anyio

from lookahead.errors import ConfigError
from lookahead.show import safe
from lookahead_integrations.mcp.clients.upstreams import Target, Unreachable, targets
from lookahead_integrations.mcp.exchange import INTERNAL_ERROR, Call, Json, RpcError, Service
from lookahead_integrations.mcp.many.fan import cause
from lookahead_integrations.mcp.many.service import many
from lookahead_integrations.mcp.settings import ProxySettings

log: Final = logging.getLogger("lookahead.mcp")


@asynccontextmanager
async def opened(settings: ProxySettings) -> AsyncGenerator[Service]:
    """All servers of `settings.config`. One that cannot be had says so when it is asked.

    Each is behind pins and a mode of its own: rules and pins name a tool as its server does, not as clients here do.
    """
    if "interceptors" in settings.extensions or settings.saved is not None:
        option = "--saved" if settings.saved is not None else "--offer interceptors"
        raise ConfigError(f"{option} is about one server, and --config names several; start one proxy for that server")
    found = targets(Path(settings.config or ""))
    if not found:
        raise ConfigError(f"{settings.config} names no server that is switched on; add one, then run again")
    async with AsyncExitStack() as stack:
        upstreams: dict[str, Service] = {}
        wrong: list[ConfigError] = []
        for key, target in found.items():
            try:
                upstreams[key] = await _reached(settings, key, target, stack)
            except ConfigError as error:
                wrong.append(error)
                upstreams[key] = _nobody(str(error))
        if len(wrong) == len(found):
            raise wrong[0]  # it is not about one server
        async with anyio.create_task_group() as tasks:
            # As the entry of this endpoint in a client's file is called, where it was said.
            yield many(upstreams, tasks=tasks, entry=settings.name or "lookahead")
            tasks.cancel_scope.cancel()


async def _reached(settings: ProxySettings, key: str, target: Target | Unreachable, stack: AsyncExitStack) -> Service:
    from lookahead_integrations.mcp.proxy import opened as alone

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
        return await stack.enter_async_context(alone(told))
    except (RpcError, OSError, ConfigError, BaseExceptionGroup) as error:
        why = cause(error)
        if isinstance(why, RpcError | OSError):
            return _nobody(str(why))
        raise why from None


def _nobody(why: str) -> Service:
    async def answers(call: Call, /) -> Json:
        if call.notice:
            return {}
        raise RpcError(INTERNAL_ERROR, why)

    return answers
