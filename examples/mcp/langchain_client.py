"""An agent's tools by langchain-mcp-adapters, from a client's file: nothing here knows of Lookahead."""

import asyncio
import json
from pathlib import Path

from langchain_mcp_adapters.client import MultiServerMCPClient  # type: ignore
from langchain_mcp_adapters.tools import load_mcp_tools  # type: ignore


async def main(servers: dict[str, dict[str, object]]) -> None:
    client = MultiServerMCPClient({name: {"transport": "stdio", **server} for name, server in servers.items()})
    async with client.session("files") as session:
        tools = {tool.name: tool for tool in await load_mcp_tools(session)}
        print(len(tools), "tools")
        for name, given in (
            ("read_text_file", {"path": "thesis.txt"}),
            ("create_directory", {"path": "drafts"}),
            ("write_file", {"path": "thesis.txt", "content": "Hello"}),
            ("read_text_file", {"path": "thesis.txt"}),
        ):
            answer = await tools[name].ainvoke(given)
            print(f"{name}:", " ".join(block["text"] for block in answer).strip())


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path("mcp.json").read_text())["mcpServers"]))
