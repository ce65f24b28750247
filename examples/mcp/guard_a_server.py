"""Guard: a server's calls pass, except those that a person should see first. The person is asked in the client itself.

Nothing of the server or the client is changed: between them stands `lookahead proxy`.
"""

import json
import sys
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp_types import ElicitResult

RULES = {"read_*": {"effect": "reads"}, "write_note": "allow", "delete_*": {"effect": "destroys", "rule": "ask"}}
SERVER = [sys.executable, str(Path(__file__).with_name("notes_server.py"))]


async def person(context: Any, question: Any) -> ElicitResult:
    """Is shown what would be done, and refuses once."""
    asked.append(question.message)
    print("the person is asked:")
    print("\n".join(f"    {line}" for line in question.message.splitlines()[:3]))
    return ElicitResult(action="accept", content={"approve": len(asked) > 1})


asked: list[str] = []


async def main() -> None:
    proxy = ["-m", "lookahead", "proxy", "--policy", "rules.json", "--journal", "journal.db", "--", *SERVER]
    behind = StdioServerParameters(command=sys.executable, args=proxy)
    async with Client(behind, elicitation_callback=person) as client:
        print("speaking", client.protocol_version, "with", client.server_info.name)
        for tool, given in (
            ("write_note", {"name": "plan", "text": "Look first."}),
            ("delete_notes", {}),
            ("read_note", {"name": "plan"}),
            ("delete_notes", {}),
        ):
            answer = await client.call_tool(tool, given)
            print(f"{tool}: {answer.content[0].text.splitlines()[0]}")


if __name__ == "__main__":
    Path("rules.json").write_text(json.dumps(RULES))
    anyio.run(main)
    print("left in the folder:", sorted(note.name for note in Path("notes").iterdir()))
