"""`lookahead wrap`: puts the proxy in front of the servers that a client's configuration file names."""

import argparse
from importlib import import_module
from typing import Any, Final

from lookahead.commands._listing import emit

EXAMPLE: Final = """\
FILE is a configuration file of Claude Desktop, Claude Code, Cursor, VS Code or
Codex. Names, environment and folders of its servers stay as they are, and so
does every other byte of the file. The file as it was is kept beside it.

exit codes:
  0  done, or nothing to do        2  --dry-run: something would change
  1  error, nothing was changed    3  some servers or files were left as they are

examples:
  lookahead wrap .mcp.json --dry-run
  lookahead wrap ~/.codex/config.toml --server github --mode shadow
  lookahead wrap .cursor/mcp.json -- --world http://localhost:8000/v1
"""


def register(subparsers: Any) -> None:
    summary = "put the proxy in front of a client's MCP servers"
    parser = subparsers.add_parser(
        "wrap", help=summary, description=f"{summary[0].upper()}{summary[1:]}.", epilog=EXAMPLE
    )
    parser.usage = "lookahead wrap FILE [FILE ...] [options] [-- MORE OPTIONS OF lookahead proxy]"
    common(parser)
    parser.add_argument("--mode", default="guard", help="guard (the default), simulate, shadow, record or replay")
    parser.add_argument("--policy", metavar="PATH", help="the policy file that the proxy goes by")
    parser.add_argument("--journal", metavar="PATH", help="where the proxy keeps its record")
    parser.add_argument("--command", metavar="WORDS", help="how a client starts lookahead (this installation's path)")
    parser.set_defaults(run=run, extra=[])


def common(parser: argparse.ArgumentParser) -> None:
    """What wrap and unwrap are both told."""
    parser.add_argument("file", nargs="+", metavar="FILE", help="a client's configuration file")
    parser.add_argument("--server", action="append", default=[], metavar="NAME", help="only this one; may be repeated")
    parser.add_argument("--dry-run", action="store_true", help="show the change, without secrets, and write nothing")
    parser.add_argument("--json", action="store_true", help="answer for programs")


def run(args: argparse.Namespace) -> int:
    return told("wrap", args)


def told(name: str, args: argparse.Namespace) -> int:
    # By name: the core knows no integration.
    code, report = getattr(import_module("lookahead_integrations.mcp.clients.command"), name)(args)
    if args.json:
        emit(name, report)
    return code
