"""`lookahead proxy --save-tools PATH`: what a server lists, written down, so that it can be simulated without it."""

import argparse
import sys
from contextlib import AsyncExitStack
from dataclasses import replace

import anyio

from lookahead_integrations.mcp.exchange import Lost, RpcError
from lookahead_integrations.mcp.lists import Saved, save
from lookahead_integrations.mcp.proxy import opened
from lookahead_integrations.mcp.settings import ProxySettings
from lookahead_integrations.mcp.told import settings_of


def run(args: argparse.Namespace) -> int:
    settings = settings_of(args)
    try:
        saved = anyio.run(saved_of, settings, args.save_tools)
    except (RpcError, Lost, OSError) as error:
        sys.stderr.write(f"lookahead: the server's lists could not be saved: {error}\n")
        return 1
    counted = ", ".join(f"{len(rows)} {name}" for name, rows in saved.lists.items())
    sys.stdout.write(f"{args.save_tools}: {counted}\n")
    return 0


async def saved_of(settings: ProxySettings, path: str) -> Saved:
    """Ask the server itself, with no mode in between."""
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(opened(replace(settings, mode="off", extensions=())))
        return await save(service, path)
