"""Tell changes as effects: bounded, each with sizes and a short excerpt that a person can judge by."""

import difflib
import os
import stat
from collections.abc import Sequence
from typing import Final

from lookahead.types import Effect, Happened
from lookahead.worlds.fork.changes import Change, Entry, Reader
from lookahead.worlds.fork.confined.spec import Report

_READ: Final = 64 << 10
_LINES: Final = 8
_LETTERS: Final = 400
_DETAILED: Final = 100
"""How many effects get an excerpt: reading takes time, and nobody reads more."""
_ORDER: Final = ("deleted", "changed", "created")


def tell(
    changes: Sequence[Change], reader: Reader, recoverable: dict[str, bool | None], most: int
) -> tuple[Effect, ...]:
    """The effects, deletions first. Beyond `most`, what cannot be had again is listed, and the rest summed up."""
    losses_first = sorted(sorted(changes, key=_place), key=lambda change: recoverable.get(change.name, True) is True)
    shown, rest = losses_first[:most], losses_first[most:]
    detailed = {id(change) for change in shown[:_DETAILED]}
    folders = _folders(changes, recoverable)
    shown.sort(key=_place)
    told = [_effect(change, reader, recoverable, folders, id(change) in detailed) for change in shown]
    return (*told, *_summed_up(rest, recoverable))


def _place(change: Change) -> tuple[int, str]:
    return _ORDER.index(change.happened), change.name


def _effect(
    change: Change,
    reader: Reader,
    recoverable: dict[str, bool | None],
    folders: dict[str, bool | None],
    detailed: bool,
) -> Effect:
    before = change.before.size if change.before else None
    after = change.after.size if change.after else None
    again = recoverable.get(change.name)
    if change.what == "directory" and change.happened == "deleted":
        again = folders.get(change.name, True)
    elif change.happened == "changed" and change.name not in recoverable:
        again = True  # only its mode or its owner is another
    return Effect(
        happened=change.happened,
        target=change.name,
        what=change.what if change.what in ("file", "directory", "link") else "thing",
        before=before,
        after=after,
        unit="bytes" if before is not None or after is not None else None,
        recoverable=again,
        detail=_detail(change, reader) if detailed else "",
    )


def _folders(changes: Sequence[Change], recoverable: dict[str, bool | None]) -> dict[str, bool | None]:
    """A folder can be had again when all that was in it can."""
    found: dict[str, bool | None] = {}
    for change in changes:
        again = recoverable.get(change.name, True)
        if change.happened == "deleted" and again is not True:
            for folder in _parents(change.name):
                found[folder] = False if again is False or found.get(folder) is False else None
    return found


def _parents(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _summed_up(rest: Sequence[Change], recoverable: dict[str, bool | None]) -> list[Effect]:
    told: list[Effect] = []
    kinds: tuple[Happened, ...] = ("deleted", "changed", "created")
    for happened in kinds:
        of_kind = [change for change in rest if change.happened == happened]
        if not of_kind:
            continue
        common = os.path.commonpath([change.name for change in of_kind])
        answers = {recoverable.get(change.name, True if happened != "created" else None) for change in of_kind}
        before = sum(change.before.size or 0 for change in of_kind if change.before)
        after = sum(change.after.size or 0 for change in of_kind if change.after)
        told.append(
            Effect(
                happened=happened,
                target=f"{common}/" if common else ".",
                what="things",
                before=before if happened != "created" else None,
                after=after if happened != "deleted" else None,
                unit="bytes",
                recoverable=False if False in answers else None if None in answers else True,
                detail=f"and {len(of_kind):,} more, not listed one by one",
            )
        )
    return told


def outside(report: Report, path: str) -> list[Effect]:
    """What was left in the private /tmp and home, as effects on the real ones."""
    told: list[Effect] = []
    for item in report.get("left", []):
        real = os.path.lexists(item["name"])
        size = item["size"] if item["kind"] == "file" else None
        told.append(
            Effect(
                happened="changed" if real else "created",
                target=item["name"],
                what=item["kind"],
                after=size,
                unit="bytes" if size is not None else None,
                detail=f"outside {path}",
            )
        )
    return told


def _detail(change: Change, reader: Reader) -> str:
    was, now = change.before, change.after
    notes: list[str] = []
    if was and now and stat.S_IMODE(was.status.st_mode) != stat.S_IMODE(now.status.st_mode):
        notes.append(f"mode {stat.S_IMODE(was.status.st_mode):04o} to {stat.S_IMODE(now.status.st_mode):04o}")
    if was and now and (was.status.st_uid, was.status.st_gid) != (now.status.st_uid, now.status.st_gid):
        owners = [f"{entry.status.st_uid}:{entry.status.st_gid}" for entry in (was, now)]
        notes.append(f"owner {owners[0]} to {owners[1]}")
    if was and now and was.what != now.what:
        notes.append(f"was a {was.what}")
    old, new = _text(was, reader), _text(now, reader)
    if was and now and old is not None and new is not None:
        notes += _difference(old, new)
    elif (old or new) and not (was and now):
        notes += (old or new or "").splitlines()[:_LINES]
    return "\n".join(notes)[:_LETTERS]


def _difference(old: str, new: str) -> list[str]:
    before, after = old.splitlines(), new.splitlines()
    if len(before) > 2000 or len(after) > 2000:
        return [f"{len(before)} lines before, {len(after)} after"]
    lines = difflib.unified_diff(before, after, lineterm="", n=0)
    found = [line for line in lines if not line.startswith(("---", "+++"))]
    return found[:_LINES] + ([f"… {len(found) - _LINES} more lines"] if len(found) > _LINES else [])


def _text(entry: Entry | None, reader: Reader) -> str | None:
    """Its text; None for what is absent, large, unreadable or not text."""
    if entry is None:
        return None
    try:
        if entry.what == "link":
            return f"-> {os.readlink(entry.path)}"
        if entry.what != "file" or entry.status.st_size > _READ:
            return None
        with reader.open_bytes(entry.path) as descriptor:
            data = os.read(descriptor, _READ)
    except OSError:
        return None
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None
