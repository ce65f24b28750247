"""Puts promoted weights into a folder: all of its files at once, with the report beside it, and keeps those before.

    weights/                      the new ones
    weights.0123456789ab/         those that were there, by the name of theirs
    weights.promotion.html        why, also as .json and .md

Whoever opens the folder finds the old weights or the new ones, never some of each: a whole new folder is written beside
it, and the two change places in one step (where the system has none, by two renamings).
"""

import ctypes
import fcntl
import json
import os
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from lookahead.errors import ConfigError
from lookahead.evaluate.report import Report, to_html, to_json, to_markdown
from lookahead.models.embedded.weights import ABOUT, ARCHIVE, GRAPH, TOKENS, check, is_weights, name_of
from lookahead.train.current import flushed, written

FILES: Final = (GRAPH, ARCHIVE, TOKENS, ABOUT)
_EXCHANGE: Final = 2
_HERE: Final = -100  # AT_FDCWD: names are taken from the working directory


def check_place(into: Path, instead_of: str) -> None:
    """`ConfigError` unless the folder is new, empty, or holds the weights of this name."""
    if not into.exists():
        return
    if not into.is_dir():
        raise ConfigError(f"--into {into} is no folder")
    if not any(into.iterdir()):
        return
    if not is_weights(into):
        raise ConfigError(f"--into {into} holds something that is no weights: name another folder")
    if (there := name_of(check(into, readable=False))) != instead_of:
        raise ConfigError(
            f"--into {into} holds {there}, and the new ones are measured against {instead_of}: "
            f"measure them against what is there, with --instead-of {into}"
        )


def placed(new: Path, into: Path, report: Report, facts: Mapping[str, Any], *, measured: str, instead_of: str) -> Path:
    """Put a copy of `new` at `into`, with these facts in its `about.json`. Returns the folder, links followed.

    `measured` is the name of the weights that the report is of: if `new` holds others by now, or `into` others than
    `instead_of`, nothing is done.
    """
    into = into.resolve()
    into.parent.mkdir(parents=True, exist_ok=True)
    beside = into.with_name(f".{into.name}.{os.getpid()}.new")
    with _alone(into.parent):
        check_place(into, instead_of)
        try:
            beside.mkdir()
            for name in FILES:
                shutil.copyfile(new / name, beside / name)
            if name_of(check(beside)) != measured:
                raise ConfigError(f"{new} was changed since it was measured: measure it again")
            about = json.dumps(
                {**check(beside), "promotion": dict(facts)}, indent=1, sort_keys=True, ensure_ascii=False
            )
            written(beside / ABOUT, about + "\n")
            for name in FILES:
                flushed(beside / name)
            flushed(beside)
            for ending, text in (("html", to_html), ("json", to_json), ("md", to_markdown)):
                written(into.with_name(f"{into.name}.promotion.{ending}"), text(report))
            _put(beside, into)
            flushed(into.parent)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return into


def kept_as(into: Path, instead_of: str) -> Path:
    """Where the weights go that were there."""
    return into.with_name(f"{into.name}.{instead_of.rpartition(':')[2]}")


def _put(beside: Path, into: Path) -> None:
    if not into.exists() or not any(into.iterdir()):
        os.replace(beside, into)  # an empty folder is no hindrance
        return
    kept = kept_as(into, name_of(check(into, readable=False)))
    shutil.rmtree(kept, ignore_errors=True)  # the same weights, from an earlier time
    if _exchanged(beside, into):
        os.replace(beside, kept)
        return
    os.replace(into, kept)
    try:
        os.replace(beside, into)
    except BaseException:
        with suppress(OSError):
            os.replace(kept, into)
        raise


def _exchanged(one: Path, other: Path) -> bool:
    """Whether the two could change places in one step."""
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    return call(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """One promotion into a folder's neighbourhood at a time. The lock ends with the process, however that ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
