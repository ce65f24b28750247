"""How bad it is to delete or overwrite something: that follows from the place."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from lookahead.critics.calls import Call
from lookahead.critics.finding import Finding, Reach, caution, danger, note
from lookahead.critics.paths import Ground, Place, place, runs_later
from lookahead.critics.words import Word

Rule: TypeAlias = Callable[[Call, Ground], Iterator[Finding]]


def at(call: Call, word: Word | str, ground: Ground, *, glob: bool | None = None) -> Place:
    """Where a word of this call points."""
    text, star = (word.text, word.glob) if isinstance(word, Word) else (word, True)
    if call.elsewhere:
        found = place(text, glob=star, cwd=call.cwd, ground=Ground(protected=ground.protected))
        return Place(found.kind, found.path, local=False)
    return place(text, glob=star if glob is None else glob, cwd=call.cwd, ground=ground)


def deleted(found: Place, *, verb: str, whole: bool, some: bool = False) -> Finding | None:
    """`whole`: folders with all that is in them. `some`: only those that pass a filter."""
    rule, shown, reach = "files.deleted", found.shown, reach_of(found)
    names = (shown.rstrip("/*").rpartition("/")[2], shown)
    match found.kind:
        case "root" | "system" | "home" | "root-if-empty":
            place_is = {"system": "the operating system", "home": "a whole home folder"}.get(found.kind, "everything")
            why = (
                "if the variable is empty, this is the root of the file system"
                if found.kind == "root-if-empty"
                else (f"this is {place_is}, not the work")
            )
            return danger("files.deleted-root", f"{verb} {shown}", why, shown)
        case "device":
            return danger("device.written", f"{verb} the device {shown}", "what is on a device is gone at once", shown)
        case "protected":
            return danger(
                "files.deleted-protected",
                f"{verb} {shown}",
                "keys, history and backups are what recovery needs",
                shown,
                reach=reach,
            )
        case "everything":
            if some:
                return caution(
                    rule, f"{verb} files all over {shown}", "what was not committed is gone", reach=reach, loses=True
                )
            return danger(
                "files.deleted-everything",
                f"{verb} everything in {shown}",
                "uncommitted work goes with it",
                shown,
                reach=reach,
            )
        case "sink":
            return None
        case "cache" | "temporary":
            return note(f"{rule}-temporary", f"{verb} {shown}", "such files are made again", shown, reach=reach)
        case "build":
            return caution(
                rule,
                f"{verb} {shown}",
                "probably made again by a build; nobody looked",
                shown,
                reach=reach,
                loses=True,
                names=names,
            )
        case "unknown" if whole and not some:
            return danger(
                rule,
                f"{verb} all of {shown}",
                "where that is will be known only when it runs",
                shown,
                reach=reach,
                names=names,
            )
        case "inside" | "elsewhere" if whole and not some:
            why = (
                "a deleted folder does not come back"
                if found.local
                else "outside the work, where no copy can be looked at"
            )
            return danger(rule, f"{verb} all of {shown}", why, shown, reach=reach, names=names)
        case _:
            why = (
                "a deleted file does not come back"
                if found.local
                else "outside the work, where no copy can be looked at"
            )
            return caution(rule, f"{verb} {shown}", why, shown, reach=reach, loses=True, names=names)


def written(found: Place, *, verb: str, emptied: bool = False, appended: bool = False) -> Finding | None:
    """Something is put there, whatever was there before."""
    shown, reach = found.shown, reach_of(found)
    later = runs_later(found.path)
    if later:
        make = danger if later == "system" else caution
        return make(
            "files.starts-later",
            f"{verb} {shown}",
            "what stands there runs later, unasked",
            shown,
            reach=reach,
            loses=False,
        )
    if found.path == "-":
        return None
    match found.kind:
        case "device":
            return danger("device.written", f"{verb} the device {shown}", "what is on a device is gone at once", shown)
        case "root" | "system" | "root-if-empty":
            return danger("files.system-changed", f"{verb} {shown}", "this belongs to the operating system", shown)
        case "protected" if not appended:
            return (danger if emptied else caution)(
                "files.overwritten-protected",
                f"{verb} {shown}",
                "keys, settings and backups in it are replaced",
                shown,
                reach=reach,
            )
        case "protected" | "home":
            return caution(
                "files.protected-changed", f"{verb} {shown}", "keys and settings are in it", shown, reach=reach
            )
        case "sink" | "temporary" | "cache":
            return None
        case "elsewhere" | "unknown" if not found.local:
            return caution(
                "files.outside",
                f"{verb} {shown}",
                "it may lie outside the work",
                shown,
                reach=reach,
                loses=not appended,
            )
        case _ if emptied:
            return caution(
                "files.emptied", f"empties {shown}", "what was in it is gone", shown, reach=reach, loses=True
            )
        case _ if appended:
            return None
        case _:
            return note(
                "files.overwritten", f"{verb} {shown}", "if it exists, what was in it is replaced", shown, reach=reach
            )


def reach_of(found: Place) -> Reach:
    return "files" if found.local else "beyond"


def each(found: Iterable[Finding | None]) -> Iterator[Finding]:
    return (item for item in found if item is not None)


def redirects(call: Call, ground: Ground) -> Iterator[Finding]:
    """`>` and its like."""
    for redirect in call.redirects:
        target = redirect.target
        if target.startswith(("/dev/tcp/", "/dev/udp/")):
            yield danger(
                "network.raw-socket",
                f"connects to {target[9:]}",
                "a raw connection can carry a shell or data away",
                target,
                loses=False,
            )
        elif ">" in redirect.operator and not (redirect.operator == ">&" and target.isdigit()):
            there = at(call, Word(target, glob=redirect.glob), ground)
            appended = ">>" in redirect.operator
            bare = call.name in ("", ":", "true") and not appended
            finding = written(there, verb="appends to" if appended else "writes", emptied=bare, appended=appended)
            if finding is not None:
                yield finding
