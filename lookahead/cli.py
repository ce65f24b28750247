"""The `lookahead` command: finds the commands, reads the arguments, turns what happened into an exit code."""

import argparse
import importlib
import os
import pkgutil
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn, cast

from lookahead import __version__, commands
from lookahead.errors import LookaheadError

INTERRUPTED = 130
NOBODY_READS = 141

EPILOG = """\
exit codes:
  0  clean            2  findings: something needs your eyes
  1  error            3  incomplete: not all could be looked at
  130  you stopped it with Ctrl-C

example:
  lookahead demo
"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors exit with 1, because 2 means findings here."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Where a command passes flags on (it sets `extra`), what comes after `--` is not ours to read."""
        if args is None or self.get_default("extra") is None:
            return super().parse_known_args(args, namespace)
        mark = args.index("--") if "--" in args else len(args)
        found, unknown = super().parse_known_args(args[:mark], namespace)
        found.extra = [*args[mark + 1 :]]
        return found, unknown

    def error(self, message: str) -> NoReturn:
        self.exit(1, f"{self.prog}: {message}\nSee: {self.prog} --help\n")


def names() -> list[str]:
    """The commands that exist: the modules of `lookahead.commands`."""
    return sorted(found.name for found in pkgutil.iter_modules(commands.__path__) if not found.name.startswith("_"))


def build(only: str | None = None) -> Parser:
    """The whole parser, or the part that one command needs, so that a command pays for its own imports alone."""
    parser = Parser(
        prog="lookahead", description="See what an agent's action would do before it does it.", epilog=EPILOG
    )
    parser.add_argument("--version", action="version", version=f"lookahead {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in names():
        if only in (None, name):
            importlib.import_module(f"lookahead.commands.{name}").register(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. What Lookahead itself has to say against it becomes one message, never a traceback."""
    if argv is None:
        _stop_as_by_ctrl_c()
    arguments = list(sys.argv[1:] if argv is None else argv)
    first = arguments[0] if arguments else None
    try:
        code = _ran(build(first if first in names() else None), arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output went away. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS
    except (LookaheadError, BaseExceptionGroup) as error:
        return _say(error)
    return code


def _stop_as_by_ctrl_c() -> None:
    """Being told to stop, or losing the terminal, ends a command as cleanly as Ctrl-C does."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what runs in the background
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


def _ran(parser: Parser, arguments: list[str]) -> int:
    try:
        args = parser.parse_args(arguments)
    except SystemExit as asked:  # --help, --version, or a mistake that has been explained
        return asked.code if isinstance(asked.code, int) else 0
    return int(args.run(args) or 0)


def _say(error: LookaheadError | BaseExceptionGroup[BaseException]) -> int:
    leaves = _leaves(error)
    if any(isinstance(leaf, KeyboardInterrupt) for leaf in leaves):
        return INTERRUPTED
    if not all(isinstance(leaf, LookaheadError) for leaf in leaves):
        raise error
    if os.environ.get("LOOKAHEAD_DEBUG") == "1":
        traceback.print_exception(error)
    for message in dict.fromkeys(str(leaf) or type(leaf).__name__ for leaf in leaves):
        print(f"lookahead: {message}", file=sys.stderr)
    return 1


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        group = cast(BaseExceptionGroup[BaseException], error)
        return [leaf for inner in group.exceptions for leaf in _leaves(inner)]
    return [error]
