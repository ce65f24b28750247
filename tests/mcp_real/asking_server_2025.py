"""A server of the SDK's first edition that asks its client, in the middle of a call: it knows no other way.

Tools and answers are those of asking_server.py. Runs in an environment with mcp<2.
"""

from mcp.server.fastmcp import Context, FastMCP  # type: ignore
from mcp.types import SamplingMessage, TextContent  # type: ignore
from pydantic import BaseModel

server = FastMCP("asking", instructions="Ask, and you shall be asked.", log_level="ERROR")


class Choice(BaseModel):
    colour: str
    sure: bool


@server.tool()
async def paint(thing: str, context: Context) -> str:
    """Paints a thing in the colour that the person chose."""
    answer = await context.elicit("Which colour, and are you sure?", Choice)
    if answer.action != "accept":
        raise ValueError(f"nobody chose: {answer.action}")
    return f"The {thing} is {answer.data.colour}{'' if answer.data.sure else ', perhaps'}."


@server.tool()
async def poem(about: str, context: Context) -> str:
    """Has the client's model write a verse."""
    message = SamplingMessage(role="user", content=TextContent(type="text", text=f"A verse about {about}"))
    said = await context.session.create_message([message], max_tokens=100)
    return f"{said.model}: {getattr(said.content, 'text', said.content)}"


@server.tool()
async def places(context: Context) -> str:
    """Says where the client lets it look."""
    return ", ".join(str(one.uri) for one in (await context.session.list_roots()).roots)


@server.tool()
def plain(thing: str) -> str:
    """Asks nobody."""
    return f"Here is the {thing}."


if __name__ == "__main__":
    server.run(transport="stdio")
