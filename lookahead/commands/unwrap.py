"""`lookahead unwrap`: takes the proxy away from the servers of a client's configuration file again."""

import argparse
from typing import Any, Final

from lookahead.commands.wrap import common, told

EXAMPLE: Final = """\
Each server gets back the very entry that it had, whatever else was changed in
the file since; no backup is needed for that.

exit codes:
  0  done, or nothing to do        2  --dry-run: something would change
  1  error, nothing was changed    3  some servers or files were left as they are

example:
  lookahead unwrap .mcp.json --server github
"""


def register(subparsers: Any) -> None:
    summary = "take the proxy away from a client's MCP servers"
    parser = subparsers.add_parser(
        "unwrap", help=summary, description=f"{summary[0].upper()}{summary[1:]}.", epilog=EXAMPLE
    )
    common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    return told("unwrap", args)
