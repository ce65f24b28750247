"""A server of the official SDK that asks, tells, changes and ends, for tests of what stands in front of it.

python mcp_server.py both|2025|2026: which eras it speaks.
"""

import logging
import os
import sys
import warnings
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import anyio
import mcp_types
from mcp.server import MCPServer
from mcp.server.lowlevel.server import NotificationOptions
from mcp.server.mcpserver import Context, Elicit, ListRoots, Resolve, Sample
from mcp.server.runner import serve_loop
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
server = MCPServer("asking", version="7", instructions="Ask, and you shall be asked.")
core = server._lowlevel_server
told = NotificationOptions(tools_changed=True, resources_changed=True, prompts_changed=True)
core.create_initialization_options = partial(core.create_initialization_options, told)  # type: ignore[method-assign]


class Choice(BaseModel):
    colour: str
    sure: bool


async def which() -> Elicit[Choice]:
    return Elicit("Which colour, and are you sure?", Choice)


async def verse(about: str) -> Sample:
    text = mcp_types.TextContent(type="text", text=f"A verse about {about}")
    return Sample([mcp_types.SamplingMessage(role="user", content=text)], max_tokens=100)


async def where() -> ListRoots:
    return ListRoots()


@server.tool()
def echo(text: str) -> str:
    """Says the same."""
    return text


@server.tool()
def paint(thing: str, choice: Annotated[Choice, Resolve(which)]) -> str:
    """Paints a thing in the colour that the person chose."""
    return f"The {thing} is {choice.colour}{'' if choice.sure else ', perhaps'}."


@server.tool()
def poem(about: str, said: Annotated[mcp_types.CreateMessageResult, Resolve(verse)]) -> str:
    """Has the client's model write a verse."""
    return f"{said.model}: {getattr(said.content, 'text', said.content)}"


@server.tool()
def places(found: Annotated[mcp_types.ListRootsResult, Resolve(where)]) -> str:
    """Says where the client lets it look."""
    return ", ".join(str(one.uri) for one in found.roots)


@server.tool()
async def count(to: int, ctx: Context) -> str:
    """Counts, and says how far it is."""
    for number in range(1, to + 1):
        await ctx.report_progress(number, to, f"number {number}")
    return f"counted to {to}"


@server.tool()
async def shout(ctx: Context) -> str:
    """Says something in the log."""
    await ctx.session.send_log_message("warning", "so it is", related_request_id=ctx.request_id)
    return "said"


@server.tool()
async def wait(mark: str, ctx: Context) -> str:
    """Waits for ever; writes down that it began, and that it was given up."""
    note(mark, "began")
    try:
        await anyio.sleep_forever()
    finally:
        note(mark, "given up")
    return ""


@server.tool()
async def grow(ctx: Context) -> str:
    """Gets one more tool, and says so."""
    server.add_tool(lambda: "grown", name="grown", description="Was not there before.")
    await ctx.notify_tools_changed()
    await ctx.session.send_tool_list_changed()
    return "done"


@server.tool()
async def touch(uri: str, ctx: Context) -> str:
    """Says that a resource has changed."""
    await ctx.notify_resource_updated(uri)
    if uri in subscribed:
        await ctx.session.send_resource_updated(uri)
    return "touched"


@server.tool()
def whoami() -> dict[str, Any]:
    """What kind of process it is."""
    return {"pid": os.getpid(), "cwd": os.getcwd(), "env": dict(os.environ)}


@server.tool()
def die(code: int) -> str:
    """Ends in the middle of a call."""
    print("goodbye \x1b[31mworld", file=sys.stderr, flush=True)
    os._exit(code)


@server.resource("memo://one")
def memo() -> str:
    """A memo."""
    return "remember"


@server.prompt()
def greet(name: str) -> str:
    """Greets."""
    return f"Greet {name}"


def note(mark: str, text: str) -> None:
    Path(mark).write_text(text)


subscribed: set[str] = set()
level: list[str] = []


def handler(change: Callable[[Any], object]) -> Callable[[Any, Any], Awaitable[mcp_types.EmptyResult]]:
    async def handle(ctx: Any, params: Any) -> mcp_types.EmptyResult:
        change(params)
        return mcp_types.EmptyResult()

    return handle


core.add_request_handler(
    "resources/subscribe", mcp_types.SubscribeRequestParams, handler(lambda params: subscribed.add(str(params.uri)))
)
core.add_request_handler(
    "resources/unsubscribe",
    mcp_types.UnsubscribeRequestParams,
    handler(lambda params: subscribed.discard(str(params.uri))),
)
core.add_request_handler(
    "logging/setLevel", mcp_types.SetLevelRequestParams, handler(lambda params: level.append(params.level))
)


async def only_older() -> None:
    async with stdio_server() as (read, write), core.lifespan(core) as state:
        options = core.create_initialization_options()
        await serve_loop(core, read, write, lifespan_state=state, init_options=options)


async def only_newer(ctx: Any, call_next: Any) -> Any:
    if ctx.method == "initialize":
        raise MCPError(-32601, "Method not found: initialize")
    return await call_next(ctx)


if __name__ == "__main__":
    if sys.argv[1] == "2025":
        anyio.run(only_older)
    else:
        if sys.argv[1] == "2026":
            core.middleware.insert(0, only_newer)
        server.run(transport="stdio")
