"""FastMCP's proxy as its documentation writes it, for the environment in which FastMCP is installed.

python mcp_fastmcp.py [--listen PORT] (--url URL | -- COMMAND ARGS)
"""

import os
import sys
import warnings

warnings.filterwarnings("ignore")

from fastmcp.client.transports import StdioTransport  # type: ignore  # noqa: E402
from fastmcp.server import create_proxy  # type: ignore  # noqa: E402


def main() -> None:
    given = sys.argv[1:]
    at = given.index("--") if "--" in given else len(given)
    options, command = given[:at], given[at + 1 :]
    if command:
        # One process for all calls, as it is when a configuration names the server.
        target = StdioTransport(command=command[0], args=command[1:], env=dict(os.environ))
    else:
        target = options[options.index("--url") + 1]
    proxy = create_proxy(target)
    if "--listen" in options:
        port = int(options[options.index("--listen") + 1])
        proxy.run(transport="http", host="127.0.0.1", port=port, show_banner=False, log_level="ERROR")
    else:
        proxy.run(transport="stdio", show_banner=False)


if __name__ == "__main__":
    main()
