"""The proxy: what stands between its front and its upstream, in order, and for how long."""

import importlib
from contextlib import AsyncExitStack
from typing import Final, Protocol, cast

from lookahead_integrations.mcp.exchange import Service
from lookahead_integrations.mcp.settings import ProxySettings


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
    names = [] if settings.mode == "off" else [_MODES[settings.mode]]
    names += [f"{_HERE}.pins"] if settings.mode != "off" else []
    names += [_EXTENSIONS[name] for name in settings.extensions]
    for name in names:
        service = _layer(name)(service, settings=settings, stack=stack)
    return service


def _layer(module: str) -> Layer:
    # By name, so that a proxy loads the one mode that it runs in.
    return cast(Layer, importlib.import_module(module).layer)
