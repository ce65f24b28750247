"""Tools that are neither shell nor SQL: where the paths among their arguments point."""

import os
import re
from collections.abc import Iterator
from typing import Final

from lookahead.critics.finding import Finding, caution, danger
from lookahead.critics.nameset import nameset
from lookahead.critics.orders import leaves
from lookahead.critics.paths import Ground, is_secret, place, runs_later
from lookahead.critics.texts import words_of
from lookahead.critics.tools import LOSES, reads_by_name
from lookahead.types import Action, Tool

_PATHS: Final = nameset(
    "path paths pathname file files filename filepath dest destination dst target source src to from output out outfile"
    " folder directory dir location where old new"
)
_WORDS: Final = nameset(
    "text content contents body message query pattern description comment title subject prompt thought reason url uri"
    " route endpoint data note summary"
)
"""What holds prose or addresses, so that a slash in it means nothing."""
_LOOKS: Final = re.compile(r"~[\w.-]*(/[^\n]*)?|/[^\n/][^\n]*|(\.\./)+[^\n]*|[A-Za-z]:[\\/][^\n]*")
_TOP: Final = nameset(
    "bin boot dev etc home lib lib64 media mnt opt private proc root run sbin srv sys tmp usr var Users Library System"
    " Applications Volumes Windows data"
)


def by_place(action: Action, tool: Tool | None, ground: Ground) -> Iterator[Finding]:
    """What a tool reads that is secret, and what it would touch outside the work."""
    reads = (tool is not None and tool.effect == "reads") or reads_by_name(action.tool)
    takes = bool(LOSES & set(words_of(action.tool))) or "move" in words_of(action.tool)
    for name, value in _paths(action):
        there = place(value, glob=False, ground=ground)
        if there.kind == "sink":
            continue
        if reads:
            if is_secret(value) and (not there.local or not _env(value)):
                yield caution("secrets.read", f"reads {value}", "keys that were read can be passed on", name)
        elif (later := runs_later(value)) and not there.local:
            why = "what stands there runs later, unasked"
            yield danger("files.starts-later", f"{action.tool} touches {value}", why, value, loses=False)
        elif later:
            why = "what stands there runs later, unasked"
            yield caution("files.starts-later", f"{action.tool} touches {value}", why, value)
        elif there.kind in ("root", "system", "home", "device", "elsewhere") or (
            not there.local and (there.kind == "protected" or (there.kind == "shared" and takes))
        ):
            yield caution(
                "files.outside",
                f"{action.tool} touches {value}",
                "it lies outside the work, where no copy shows what happens",
                value,
                loses=takes,
                names=(value,),
            )


def _paths(action: Action) -> Iterator[tuple[str, str]]:
    for name, value in leaves(action.arguments):
        value = value.strip()
        words = set(words_of(name))
        if not value or len(value) > 1000 or "\n" in value or "://" in value or words & _WORDS:
            continue
        looks = _LOOKS.fullmatch(value) and _real(value)
        if (looks and (words & _PATHS or " " not in value)) or (
            words & _PATHS and (is_secret(value) or runs_later(value))
        ):
            yield name, value


def _real(value: str) -> bool:
    """Whether there can be such a path on a machine: many services have paths of their own that begin with a slash."""
    if value[:1] != "/":
        return True
    top = value.lstrip("/").split("/")[0]
    return top in _TOP or os.path.lexists(f"/{top}")


def _env(value: str) -> bool:
    return re.search(r"(^|/|\.)\.?env(\.|$)", value) is not None


__all__ = ["by_place"]
