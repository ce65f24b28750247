"""`--listen HOST:PORT`: an endpoint that serves until it is told to stop."""

import socket
import sys
from collections.abc import Callable
from typing import Final

import anyio

from lookahead.errors import ConfigError
from lookahead_integrations.mcp.exchange import Service
from lookahead_integrations.mcp.http.app import PATH, Front
from lookahead_integrations.mcp.http.gate import gate_for, loopback
from lookahead_integrations.mcp.page import DESK
from lookahead_integrations.mcp.settings import ProxySettings

try:
    import uvicorn
except ImportError as error:
    raise ImportError('--listen needs MCP\'s transport: pip install "lookahead-agents[mcp]"') from error

_CONNECTIONS: Final = 4096
_PARTING: Final = 1
"""Seconds that open connections have when the proxy stops."""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def endpoint(settings: ProxySettings) -> socket.socket:
    """Bound before anything else is opened, so that what is wrong with it is said at once. Raises ConfigError."""
    host, port = _address(settings)
    if settings.tokens and "authorization" in {name.lower() for name in settings.passed}:
        raise ConfigError(
            "a client's Authorization holds our own token: it cannot be passed on to the upstream. "
            "Give the upstream's with --header"
        )
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigError(f"--listen {host}:{port}: {error.strerror or error}. Another port: {host}:0") from error


async def listen(
    service: Service, settings: ProxySettings, at: socket.socket, *, say: Callable[[str], None] = _say
) -> None:
    """Serves until a signal, or until it is cancelled."""
    host, _ = _address(settings)
    shown = f"[{host}]" if ":" in host else host
    gate = gate_for(host, hosts=settings.hosts, origins=settings.origins, largest=settings.limits.frame)
    async with anyio.create_task_group() as tasks:
        front = Front(service=service, tasks=tasks, gate=gate, limits=settings.limits, tokens=settings.tokens)
        config = uvicorn.Config(
            front,
            http="h11",
            ws="none",
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=_PARTING,
        )
        base = f"http://{shown}:{at.getsockname()[1]}"
        if loopback(host):
            DESK.base = base
        say(f"MCP at {base}{PATH}")
        if not loopback(host):
            whoever = "has one of the tokens" if settings.tokens else "reaches it: nobody is asked for a token"
            say(f"other machines reach this address too, and it serves whoever {whoever}")
        server = uvicorn.Server(config)
        try:
            await server.serve(sockets=[at])
        except anyio.get_cancelled_exc_class():
            front.close()
            with anyio.CancelScope(shield=True):
                await server.shutdown(sockets=[at])
            raise
        tasks.cancel_scope.cancel()


def _address(settings: ProxySettings) -> tuple[str, int]:
    host, colon, port = (settings.listen or "").rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isdigit() or int(port) > 65535 or (not colon and not port):
        raise ConfigError(f"--listen {settings.listen}: HOST:PORT, for example 127.0.0.1:8931")
    if not loopback(host) and not settings.hosts:
        raise ConfigError(
            f"--listen {settings.listen}: other machines can reach that address. Name the host by which they call it: "
            "--allow-host NAME; and give them a token: --token"
        )
    return host, int(port)
