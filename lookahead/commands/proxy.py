"""`lookahead proxy`: stands in front of an MCP server, so that what its tools would do is seen before they do it."""

import argparse
import os
import sys
from importlib import import_module
from typing import Any, Final

EXAMPLE: Final = """\
Put it in front of a server's command where a client names it; nothing else
changes. `lookahead wrap FILE` does that for whole configuration files.

exit codes: 0 the client has gone, 1 error, 130 stopped by Ctrl-C,
  2 --accept-tools: some tools still wait

examples:
  lookahead proxy -- npx -y @modelcontextprotocol/server-filesystem .
  lookahead proxy --mode simulate --world http://localhost:8000/v1 --url URL
"""
_THEN: Final = "for what is not recorded: simulate, forward"
_MODES: Final = "guard (default), simulate, shadow, record, replay, off"


class _All(argparse.Action):
    """The help on a screen, and what is too rare for it."""

    def __call__(self, parser: argparse.ArgumentParser, *given: Any) -> None:
        for action, text in self.const.items():
            action.help = text
        parser.print_help()
        parser.exit()


def register(subparsers: Any) -> None:
    summary = "stand in front of an MCP server"
    said = "See what the tools of an MCP server would do before they do it."
    parser = subparsers.add_parser("proxy", help=summary, description=said, epilog=EXAMPLE)
    parser.usage = "lookahead proxy [options] -- COMMAND [ARGUMENTS]\n       lookahead proxy [options] --url URL"
    rare: dict[argparse.Action, str] = {}
    for fill, title in ((_upstream, "the server"), (_deciding, "what becomes of a call"), (_serving, "serving HTTP")):
        group = parser.add_argument_group(title)

        def more(*flags: str, help: str, add: Any = group.add_argument, **given: Any) -> None:
            rare[add(*flags, help=argparse.SUPPRESS, **given)] = help

        fill(group.add_argument, more)
    parser.add_argument("--help-all", action=_All, nargs=0, const=rare, help="show every option there is, and exit")
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    parser.set_defaults(run=run, extra=[])


def _upstream(add: Any, more: Any) -> None:
    add("--url", metavar="URL", help="of a server that is reached by HTTP")
    add("--config", metavar="FILE", help="several servers behind one: a client's file")
    more("--header", action="append", default=[], metavar="NAME: VALUE", help="sent to the server at the URL")
    add("--header-env", action="append", default=[], metavar="N=VAR", help="a header, its value in a variable")
    more("--bearer-env", metavar="VAR", help="the variable that holds the token for the URL")
    more("--cwd", metavar="PATH", help="the folder that the command runs in")
    more("--env", action="append", default=[], metavar="NAME=VALUE", help="for the command, beside our own environment")
    more("--name", default="", metavar="NAME", help="what the server is called in records and messages")
    # What `unwrap` reads; it changes nothing here.
    add("--wrapped", action="append", default=[], help=argparse.SUPPRESS)


def _deciding(add: Any, more: Any) -> None:
    add("--mode", metavar="MODE", help=_MODES)
    add("--policy", metavar="PATH", help="rules for tools: a file of lookahead, or JSON")
    add("--world", metavar="WORLD", help="who imagines: auto, or the URL of a world model")
    more("--goal", metavar="TEXT", help="what the agent is to reach")
    add("--journal", metavar="PATH", help="where the record is kept")
    add("--tools", "--saved", dest="saved", metavar="PATH", help="lists that were saved, where there is no server")
    more("--save-tools", metavar="PATH", help="save what the server lists, for --tools, and end")
    more("--recording", metavar="PATH", help="the journal to replay (our own)")
    more("--run", dest="recorded", metavar="RUN", help="the run in it (all of them)")
    more(
        "--replay",
        choices=("in-order", "match"),
        default="match",
        help="recorded answers in order, or by call and state",
    )
    add("--fall-through", "--then", dest="then", action="append", default=[], metavar="WHO", help=_THEN)
    more("--no-sampling", action="store_true", help="never ask the client's own model to imagine")
    more("--pins", metavar="PATH", help="where accepted tools are kept (beside the journal)")
    more("--strict", action="store_true", help="every tool that comes later waits until it is accepted")
    add("--accept-tools", nargs="*", metavar="TOOL", help="look at tools that wait, and say yes or no")
    more("--yes", action="store_true", help="with --accept-tools: yes to all of them")
    more("--json", action="store_true", help="with --accept-tools: answer for programs")
    more("--offer", action="append", default=[], metavar="WHAT", help="extensions: resolve, interceptors")
    more("--patience", type=float, metavar="S", help="seconds that a question waits for its answer (300)")


def _serving(add: Any, more: Any) -> None:
    add("--listen", metavar="HOST:PORT", help="where to serve: 127.0.0.1:8931, say")
    add("--token-env", action="append", default=[], metavar="VAR", help="the variable with a token that clients show")
    add("--allow-host", action="append", default=[], metavar="NAME", help="by which others call this machine")
    more("--allow-origin", action="append", default=[], metavar="URL", help="of pages that may connect")
    more("--pass-header", action="append", default=[], metavar="NAME", help="of clients that goes on to the server")


def run(args: argparse.Namespace) -> int:
    if args.accept_tools is not None:
        return import_module("lookahead_integrations.mcp.pins.accept").run(args)
    from lookahead.errors import ConfigError

    if args.words:
        raise ConfigError(f"before the server's command comes --, as in: lookahead proxy -- {' '.join(args.words)}")
    if args.save_tools is not None:
        return import_module("lookahead_integrations.mcp.saving").run(args)
    # By name: the core knows no integration.
    told = import_module("lookahead_integrations.mcp.told")
    command = told.command_of(args)
    # It begins while we are still loading the rest of us.
    early = command.early() if command is not None else None
    try:
        _logs()
        settings = told.settings_of(args)
        import anyio

        anyio.run(import_module("lookahead_integrations.mcp.proxy").serve, settings, early)
    except ImportError as error:
        raise ConfigError(str(error)) from error
    finally:
        if early is not None:
            import_module("lookahead_integrations.mcp.wire.command").given_up(early)
    return 0


def _logs() -> None:
    """What the proxy has to say goes to stderr, where a client's log shows it."""
    import logging

    from lookahead.show import safe

    class Safe(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            # What a server wrote is spelled out already, and is not to be spelled twice.
            lines = super().format(record).split("\n")
            return "\n".join(line if line.isprintable() else safe(line, None) for line in lines)

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Safe("lookahead: %(message)s"))
    logger = logging.getLogger("lookahead")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if os.environ.get("LOOKAHEAD_DEBUG") == "1" else logging.INFO)
    logger.propagate = False
