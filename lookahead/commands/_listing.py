"""What the commands about records share: which journal, how a table looks, how an answer for programs looks."""

import argparse
import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from lookahead.errors import ConfigError
from lookahead.journal import Journal
from lookahead.settings import Settings
from lookahead.show import safe

T = TypeVar("T")

VERSION: Final = 1
"""Of the answers for programs: fields may be added to a version, never changed or taken away."""

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def common(parser: argparse.ArgumentParser) -> None:
    """The options that every command about records has."""
    parser.add_argument("--journal", metavar="PATH", help="the journal (LOOKAHEAD_JOURNAL, else .lookahead/journal.db)")
    parser.add_argument("--json", action="store_true", help="answer for programs")


def path_of(args: argparse.Namespace) -> str:
    return args.journal or Settings.found().journal


def opened(args: argparse.Namespace, *, readonly: bool = True) -> Journal:
    """The journal that is meant. Looking at one never makes one."""
    path = path_of(args)
    if not readonly and not Path(path).is_file():
        raise ConfigError(f"there is no journal at {path}: name one with --journal or LOOKAHEAD_JOURNAL")
    return Journal(path, readonly=readonly)


def emit(what: str, answer: dict[str, Any]) -> None:
    """An answer for programs."""
    print(json.dumps({"format": f"lookahead.{what}", "version": VERSION, **answer}, indent=2))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> None:
    """Columns: drawn where a person looks on, plain where it goes into a file or a pipe."""
    cells = [[safe(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _drawn(heads, cells, right)
        return
    wide = [max(len(line[place]) for line in (heads, *cells)) for place in range(len(heads))]
    for line in (heads, *cells):
        put = [
            cell.rjust(w) if place in right else cell.ljust(w)
            for place, (cell, w) in enumerate(zip(line, wide, strict=True))
        ]
        print("  ".join(put).rstrip())


def _drawn(heads: Sequence[str], cells: Sequence[Sequence[str]], right: frozenset[int]) -> None:
    # Only needed where somebody looks on, and slow to load.
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, pad_edge=False)
    for place, head in enumerate(heads):
        drawn.add_column(Text(head), justify="right" if place in right else "left", overflow="fold")
    for line in cells:
        # As text, never as markup: it may come from anywhere.
        drawn.add_row(*(Text(cell) for cell in line))
    Console(highlight=False).print(drawn)


def when(at: float) -> str:
    """A moment as people here write it; a clock that was out of its mind must not hide the row."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
    except (OverflowError, ValueError, OSError):
        return f"{at:g} s"


def seconds(text: str) -> float:
    """`90d`, `12h`, `15m`, `30s`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no length of time: write 30s, 15m, 12h, 90d or 4w")
    return float(found[1]) * _SECONDS[found[2]]


def moment(text: str) -> float:
    """A date, or how long ago."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        pass
    try:
        return time.time() - seconds(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no date and no length of time: write 2026-01-31, or 90d for ninety days ago"
        ) from None


def confirmed(question: str) -> bool:
    """Ask on the terminal. No answer, or anything but a yes, is a no."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    try:
        return input().strip().lower() in ("y", "yes")
    except EOFError:
        sys.stderr.write("\n")
        return False


def named(start: str, known: Mapping[str, T], what: str) -> T:
    """The one thing whose id begins like this."""
    found = [known[start]] if start in known else [one for name, one in known.items() if name.startswith(start)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"{len(found)} ids begin with {start!r}: write more of it")
    raise ConfigError(f"there is no {what} {start!r}. See: lookahead journal ls")
