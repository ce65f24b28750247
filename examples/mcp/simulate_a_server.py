"""Simulate: the tools are the server's, the answers are imagined, and nothing is done.

Who imagines here is the client's own model, which the proxy asks by sampling; `--world URL` names another.
"""

import json
import sys
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp_types import CreateMessageResult, TextContent

IDEAS = {"write_note": "kept plan", "read_note": "a note", "delete_notes": "12 notes are gone"}
SERVER = [sys.executable, str(Path(__file__).with_name("notes_server.py"))]


async def model(context: Any, asked: Any) -> CreateMessageResult:
    """Stands in for the model that the client has anyhow: it has an idea of what such tools say."""
    about = str(asked.messages[-1].content)
    said = next((idea for tool, idea in IDEAS.items() if tool in about), "nothing")
    text = TextContent(type="text", text=json.dumps({"result": said}))
    return CreateMessageResult(role="assistant", model="my-model", content=text)


async def main() -> None:
    proxy = ["-m", "lookahead", "proxy", "--mode", "simulate", "--journal", "journal.db", "--", *SERVER]
    behind = StdioServerParameters(command=sys.executable, args=proxy)
    async with Client(behind, sampling_callback=model) as client:
        tools = (await client.list_tools()).tools
        print("its tools:", ", ".join(tool.name for tool in tools))
        for tool, given in (
            ("write_note", {"name": "plan", "text": "Look first."}),
            ("read_note", {"name": "plan"}),
            ("delete_notes", {}),
        ):
            answer = await client.call_tool(tool, given)
            origin = (answer.meta or {}).get("lookahead/origin", {})
            print(f"{tool}: {answer.content[0].text} (imagined: {origin.get('imagined')}, by {origin.get('world')})")


if __name__ == "__main__":
    anyio.run(main)
    print("really there:", Path("notes").exists())
