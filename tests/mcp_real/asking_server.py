"""A server of the official SDK that asks its client: a person, a model, and where it may look.

python asking_server.py [2026]: both eras, or the newer one alone. asking_server_2025.py speaks the older one.
"""

import sys
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Elicit, ListRoots, Resolve, Sample
from mcp.shared.exceptions import MCPError
from mcp_types import CreateMessageResult, ListRootsResult, SamplingMessage, TextContent
from pydantic import BaseModel

server = MCPServer("asking", instructions="Ask, and you shall be asked.")


class Choice(BaseModel):
    colour: str
    sure: bool


async def which() -> Elicit[Choice]:
    return Elicit("Which colour, and are you sure?", Choice)


async def verse(about: str) -> Sample:
    message = SamplingMessage(role="user", content=TextContent(type="text", text=f"A verse about {about}"))
    return Sample([message], max_tokens=100)


async def where() -> ListRoots:
    return ListRoots()


@server.tool()
def paint(thing: str, choice: Annotated[Choice, Resolve(which)]) -> str:
    """Paints a thing in the colour that the person chose."""
    return f"The {thing} is {choice.colour}{'' if choice.sure else ', perhaps'}."


@server.tool()
def poem(about: str, said: Annotated[CreateMessageResult, Resolve(verse)]) -> str:
    """Has the client's model write a verse."""
    return f"{said.model}: {getattr(said.content, 'text', said.content)}"


@server.tool()
def places(found: Annotated[ListRootsResult, Resolve(where)]) -> str:
    """Says where the client lets it look."""
    return ", ".join(str(one.uri) for one in found.roots)


@server.tool()
def plain(thing: str) -> str:
    """Asks nobody."""
    return f"Here is the {thing}."


def main() -> None:
    async def only_new(context: Any, call_next: Any) -> Any:
        if context.method == "initialize":
            raise MCPError(-32601, "Method not found: initialize")
        return await call_next(context)

    if sys.argv[1:] == ["2026"]:
        server._lowlevel_server.middleware.insert(0, only_new)
    server.run(transport="stdio")


if __name__ == "__main__":
    main()
