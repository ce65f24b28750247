"""An ordinary MCP server, which knows nothing of Lookahead: it keeps notes in files."""

from pathlib import Path

from mcp.server import MCPServer

server = MCPServer("notes")
folder = Path("notes")


@server.tool()
def write_note(name: str, text: str) -> str:
    """Keeps a note under a name, in place of what was there."""
    folder.mkdir(exist_ok=True)
    (folder / f"{Path(name).name}.txt").write_text(text)
    return f"kept {name}"


@server.tool()
def read_note(name: str) -> str:
    """Says what a note says."""
    return (folder / f"{Path(name).name}.txt").read_text()


@server.tool()
def delete_notes() -> str:
    """Throws all notes away, for good."""
    gone = [note.unlink() for note in folder.glob("*.txt")]
    return f"{len(gone)} notes are gone"


if __name__ == "__main__":
    server.run(transport="stdio")
