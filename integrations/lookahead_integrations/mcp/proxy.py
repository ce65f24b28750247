"""The proxy: what stands between its front and its upstream, in order, and for how long."""

import importlib
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from subprocess import Popen
from typing import Any, Final, Protocol, cast

from lookahead_integrations.mcp.exchange import METHOD_NOT_FOUND, Call, Json, RpcError, Service
from lookahead_integrations.mcp.settings import ProxySettings
from lookahead_integrations.mcp.wire.channel import Connect


class Layer(Protocol):
    """What a mode, pins or an extension is made by: `layer` in its module.

    `next` is who answers what this one does not. What is opened (journals, tasks, files) is given back by `stack`,
    which closes after the last call. State of a conversation is kept by `call.client.key` until a notice `CLOSED`.
    """

    def __call__(self, next: Service, /, *, settings: ProxySettings, stack: AsyncExitStack) -> Service: ...


_HERE: Final = "lookahead_integrations.mcp"
_MODES: Final = {name: f"{_HERE}.modes.{name}" for name in ("guard", "simulate", "shadow", "record", "replay")}
_EXTENSIONS: Final = {name: f"{_HERE}.{name}" for name in ("resolve", "interceptors")}


async def compose(upstream: Service, *, settings: ProxySettings, stack: AsyncExitStack) -> Service:
    """The upstream behind the pins, the mode and the extensions that were asked for."""
    service = upstream
    names = [] if settings.mode == "off" else [_MODES[settings.mode], f"{_HERE}.pins"]
    names += [_EXTENSIONS[name] for name in settings.extensions]
    for name in names:
        service = _layer(name)(service, settings=settings, stack=stack)
    return service


def _layer(module: str) -> Layer:
    # By name, so that a proxy loads the one mode that it runs in.
    return cast(Layer, importlib.import_module(module).layer)


@asynccontextmanager
async def opened(settings: ProxySettings, early: Popen[bytes] | None = None) -> AsyncGenerator[Service]:
    """The whole proxy but for its front. `early` is a process of the command that has already begun."""
    async with AsyncExitStack() as stack:
        if settings.config is not None:
            yield await stack.enter_async_context(_module("many.config").opened(settings))
            return
        upstream = await _upstream(settings, stack, early)
        yield await compose(upstream, settings=settings, stack=stack)


async def serve(settings: ProxySettings, early: Popen[bytes] | None = None) -> None:
    """Until the client has gone, or we are told to end."""
    if settings.listen is not None:
        http = _module("http.listen")
        with http.endpoint(settings) as at:
            async with opened(settings, early) as service:
                await http.listen(service, settings, at)
        return
    from lookahead_integrations.mcp.wire import stdio
    from lookahead_integrations.mcp.wire.pipes import Pipes

    if sys.stdin.isatty():
        print("lookahead: a client starts this command and speaks to it here; Ctrl-C ends it", file=sys.stderr)
    # What is printed by mistake must not get between the messages.
    out = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    async with opened(settings, early) as service:
        await stdio.serve(service, Pipes(read=sys.stdin.fileno(), write=out), limits=settings.limits)


async def _upstream(settings: ProxySettings, stack: AsyncExitStack, early: Popen[bytes] | None) -> Service:
    """Reached when it is first needed: one that is down must not keep a client from connecting."""
    from lookahead_integrations.mcp.wire.upstream import upstream

    if settings.url is not None:
        http = _module("http.upstream")
        address = _module("http.address").Address(
            url=settings.url, headers=settings.headers, passed=frozenset(settings.passed)
        )
        many = replace(settings.limits, conversations=settings.limits.sessions)
        connect: Connect = await stack.enter_async_context(http.reaching(address, limits=settings.limits))
        name = settings.name or address.shown
        return await stack.enter_async_context(upstream(connect, name=name, limits=many))
    if settings.command:
        from lookahead_integrations.mcp.wire.child import Spawner
        from lookahead_integrations.mcp.wire.command import Command

        command = Command(arguments=settings.command, env=settings.env, cwd=settings.cwd)
        spawner = Spawner(command=command, limits=settings.limits, early=early or command.early())
        stack.push_async_callback(spawner.aclose)
        name = settings.name or os.path.basename(settings.command[0])
        return await stack.enter_async_context(upstream(spawner, name=name, limits=settings.limits))
    return nobody


async def nobody(call: Call, /) -> Json:
    """Where no upstream was named."""
    if call.notice:
        return {}
    raise RpcError(METHOD_NOT_FOUND, f"there is no server here to answer {call.method}: none was named")


def _module(name: str) -> Any:
    return importlib.import_module(f"{_HERE}.{name}")
