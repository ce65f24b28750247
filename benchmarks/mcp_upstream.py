"""A server of the official SDK that answers at once, over HTTP: what the proxies stand in front of.

python mcp_upstream.py PORT
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def upstream(work: Path) -> Iterator[str]:
    """It, in a process of its own, and its address."""
    import mcp_paths

    port = mcp_paths.free_port()
    with (work / "upstream.log").open("w") as log:
        command = [sys.executable, __file__, str(port)]
        with mcp_paths.listening(command, {}, port, log):
            yield f"http://127.0.0.1:{port}/mcp"


def main() -> None:
    import uvicorn
    from mcp.server import MCPServer

    server = MCPServer("upstream")

    @server.tool()
    def echo(message: str) -> str:
        """Gives back what it was given."""
        return f"Echo: {message}"

    uvicorn.run(server.streamable_http_app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")


if __name__ == "__main__":
    main()
