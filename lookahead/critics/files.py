"""Programs that delete, overwrite or expose files: how bad it is follows from the place."""

from collections.abc import Callable, Iterator
from typing import Final

from lookahead.critics.finding import Finding, Reach, caution, danger, note
from lookahead.critics.options import Options, options
from lookahead.critics.paths import Ground, Place, place, runs_later
from lookahead.critics.shell import Call
from lookahead.critics.words import Word
from lookahead.critics.wrappers import find_starts

Rule = Callable[[Call, Ground], Iterator[Finding]]


def at(call: Call, word: Word | str, ground: Ground, *, glob: bool | None = None) -> Place:
    """Where a word of this call points."""
    text, star = (word.text, word.glob) if isinstance(word, Word) else (word, True)
    if call.elsewhere:
        found = place(text, glob=star, cwd=call.cwd, ground=Ground(protected=ground.protected))
        return Place(found.kind, found.path, local=False)
    return place(text, glob=star if glob is None else glob, cwd=call.cwd, ground=ground)


def deleted(found: Place, *, verb: str, whole: bool, some: bool = False) -> Finding | None:
    """`whole`: folders with all that is in them. `some`: only those that pass a filter."""
    rule, shown, reach = "files.deleted", found.shown, _reach(found)
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
                "files.deleted-protected", f"{verb} {shown}", "keys, history and backups are what recovery needs",
                shown, reach=reach,
            )  # fmt: skip
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
    shown, reach = found.shown, _reach(found)
    if runs_later(found.path):
        return danger(
            "files.starts-later",
            f"{verb} {shown}",
            "what is written there runs later, unasked",
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
            return danger(
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


def _reach(found: Place) -> Reach:
    return "files" if found.local else "beyond"


def _each(found: Iterator[Finding | None]) -> Iterator[Finding]:
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


def _rm(call: Call, ground: Ground) -> Iterator[Finding]:
    found = options(call.args)
    whole = found.has("-r", "-R", "--recursive", "-d", "--dir")
    if found.has("--no-preserve-root"):
        yield danger("files.deleted-root", "deletes even the root of the file system", "it says so: --no-preserve-root")
    yield from _each(deleted(at(call, word, ground), verb="deletes", whole=whole) for word in found.rest)


def _windows_del(call: Call, ground: Ground) -> Iterator[Finding]:
    low = [text.lower() for text in call.texts]
    whole = any(text in ("/s", "-recurse", "-r", "-rec") for text in low)
    for word, text in zip(call.args, low, strict=True):
        if not text.startswith("-") and text not in ("/s", "/q", "/f", "/p", "/a"):
            yield from _each(iter([deleted(at(call, word, ground), verb="deletes", whole=whole)]))


def _shred(call: Call, ground: Ground) -> Iterator[Finding]:
    for word in options(call.args, "-n -s -p").rest:
        there = at(call, word, ground)
        if there.kind != "sink":
            reach: Reach = "files" if there.local else "beyond"
            yield danger(
                "files.shredded",
                f"overwrites {there.shown} for good",
                "shredding leaves nothing to recover",
                there.shown,
                reach=reach,
            )


def _device(call: Call, ground: Ground) -> Iterator[Finding]:
    yield danger(
        "device.formatted",
        f"{call.name} makes or unmakes a file system or partition",
        "what was on it is gone",
        call.shown,
    )


def _dd(call: Call, ground: Ground) -> Iterator[Finding]:
    for text in call.texts:
        if text.startswith("of="):
            there = at(call, text[3:], ground)
            yield from _each(iter([written(there, verb="overwrites", emptied=True)]))


def _truncate(call: Call, ground: Ground) -> Iterator[Finding]:
    found = options(call.args, "-s -r --size --reference")
    grows = (found.value("-s", "--size") or "").startswith("+")
    for word in found.rest:
        yield from _each(iter([written(at(call, word, ground), verb="truncates", emptied=not grows)]))


def _tee(call: Call, ground: Ground) -> Iterator[Finding]:
    found = options(call.args)
    appended = found.has("-a", "--append")
    for word in found.rest:
        yield from _each(iter([written(at(call, word, ground), verb="writes", appended=appended)]))


def _copied(call: Call, ground: Ground) -> Iterator[Finding]:
    found = options(call.args, "-t -S -m -o -g --target-directory --suffix --mode --owner --group")
    if found.has("-n", "--no-clobber", "--backup", "-b") and call.name != "mv":
        return
    moved = call.name in ("mv", "move", "ren", "move-item")
    sources, target = list(found.rest[:-1]), found.value("-t", "--target-directory")
    if target is not None:
        sources = list(found.rest)
    elif found.rest:
        target = found.rest[-1].text
    for word in sources if moved else []:
        there = at(call, word, ground)
        if there.kind in ("root", "system", "home", "device", "root-if-empty"):
            yield danger("files.deleted-root", f"moves {there.shown} away", "this is not part of the work", there.shown)
        elif there.kind in ("protected", "everything"):
            yield caution(
                "files.moved",
                f"moves {there.shown} away",
                "other programs look for it there",
                there.shown,
                reach=_reach(there),
            )
        elif there.kind == "unknown" or (there.kind == "elsewhere" and not there.local):
            yield caution(
                "files.moved",
                f"moves {there.shown} away",
                "it may lie outside the work",
                there.shown,
                reach=_reach(there),
            )
    if target == "/dev/null" and moved:
        yield danger("files.deleted", "moves files onto /dev/null", "nothing comes back from there", call.shown)
    elif target is not None and call.name != "ln":
        yield from _each(iter([written(at(call, target, ground), verb="writes")]))
    elif target is not None and found.has("-f", "--force"):
        yield from _each(iter([written(at(call, target, ground), verb="replaces")]))


def _find(call: Call, ground: Ground) -> Iterator[Finding]:
    texts = call.texts
    if "-delete" in texts:
        named = [texts[i + 1] for i, t in enumerate(texts[:-1]) if t in ("-name", "-iname", "-path", "-wholename")]
        some = any(
            t in texts
            for t in ("-name", "-iname", "-path", "-empty", "-mtime", "-mmin", "-size", "-regex", "-newer", "-user")
        )
        bare = named in (["*"], ["**"])
        for start in find_starts(texts):
            there = at(call, start, ground)
            by_name = (
                place(named[0], ground=Ground()).kind
                if len(named) == 1 and "-o" not in texts and "!" not in texts
                else ""
            )
            kind = (
                by_name
                if by_name == "cache" and there.kind in ("everything", "inside", "elsewhere", "build")
                else there.kind
            )
            yield from _each(
                iter(
                    [
                        deleted(
                            Place(kind, there.path, local=there.local),
                            verb="finds and deletes in",
                            whole=True,
                            some=some and not bare,
                        )
                    ]
                )
            )
    for index, text in enumerate(texts[:-1]):
        if text in ("-fprint", "-fls", "-fprintf", "-fprint0"):
            yield from _each(iter([written(at(call, texts[index + 1], ground), verb="writes")]))


def _modes(call: Call, ground: Ground) -> Iterator[Finding]:
    found = options(
        [
            Word("+" + w.text)
            if w.text[:1] == "-" and w.text.strip("-rwxXstugoa,=+") == "" and set(w.text) & set("wxst")
            else w
            for w in call.args
        ]
    )
    whole = found.has("-R", "--recursive") or "/t" in [text.lower() for text in call.texts]
    mode = found.texts[0] if found.rest else ""
    digits = mode.lstrip("0")
    wide = (digits.isdigit() and len(digits) >= 3 and int(digits[-1]) & 2) or any(
        part in mode for part in ("o+w", "a+w", "o+rw", "a+rw", "ugo+w", "=rwx", "o=rw", "+rwx")
    )
    setuid = (digits.isdigit() and len(digits) == 4 and int(digits[0]) & 6) or "+s" in mode
    for word in found.rest[1:] if call.name not in ("icacls", "setfacl") else found.rest[:1]:
        there = at(call, word, ground)
        if there.kind in ("root", "system", "home", "root-if-empty", "device") and (whole or wide or setuid):
            yield danger(
                "permissions.system",
                f"changes permissions of {there.shown}",
                "the system may no longer start or be safe",
                there.shown,
            )
        elif setuid:
            yield danger(
                "permissions.setuid",
                f"makes {there.shown} run with its owner's rights",
                "a way to more rights",
                there.shown,
                loses=False,
            )
        elif wide:
            yield caution(
                "permissions.loosened",
                f"lets everybody write {there.shown}",
                "others can change it then",
                there.shown,
                reach=_reach(there),
            )
        elif there.kind == "protected" and digits[-1:] not in ("0", ""):
            yield caution(
                "permissions.loosened",
                f"changes permissions of {there.shown}",
                "keys should be readable by one user",
                there.shown,
                reach=_reach(there),
            )
        elif whole and there.kind in ("everything", "unknown", "elsewhere"):
            yield caution(
                "permissions.changed",
                f"changes permissions of all in {there.shown}",
                "the old ones are not kept",
                there.shown,
                reach=_reach(there),
            )
        elif whole:
            yield note(
                "permissions.changed",
                f"changes permissions in {there.shown}",
                "the old ones are not kept",
                there.shown,
                reach=_reach(there),
            )


def _in_place(call: Call, ground: Ground) -> Iterator[Finding]:
    found = options(call.args, "-e -f -E --expression --file")
    if call.name in ("sed", "gsed", "perl", "ruby") and not found.has("-i", "--in-place"):
        return
    names = found.rest if found.has("-e", "-f", "--expression", "--file") else found.rest[1:]
    for word in names:
        there = at(call, word, ground)
        finding = written(there, verb="edits")
        if finding is not None and finding.severity != "note":
            yield finding
        elif there.kind == "everything" or word.glob:
            yield caution(
                "files.mass-edit",
                f"edits {there.shown} in place",
                "many files change and none is kept",
                there.shown,
                reach=_reach(there),
            )


def _output(call: Call, ground: Ground) -> Iterator[Finding]:
    """Programs that write what `-o` names."""
    for name in _OUTPUTS[call.name].split():
        for target in options(call.args, _OUTPUTS[call.name]).values.get(name, []):
            yield from _each(iter([written(at(call, target, ground), verb="writes")]))


def _unpacked(call: Call, ground: Ground) -> Iterator[Finding]:
    texts = call.texts
    old_style = texts[0] if texts and texts[0][:1] not in "-/" else ""
    found: Options = options(
        [Word("-" + old_style), *call.args[1:]] if old_style else call.args, "-f -C -X -T --file --directory"
    )
    where = found.value("-C", "--directory")
    if found.has("-x", "--extract", "--get") and (found.has("-P", "--absolute-names") or where):
        yield from _each(iter([written(at(call, where or "/", ground), verb="unpacks into")]))
    if found.has("--remove-files"):
        yield caution(
            "files.deleted", "deletes what it packed", "only the archive is left", call.shown, reach="files", loses=True
        )


def _unlink_tree(call: Call, ground: Ground) -> Iterator[Finding]:
    found = options(call.args)
    yield from _each(deleted(at(call, word, ground), verb="deletes", whole=True) for word in found.rest)


def _rsync(call: Call, ground: Ground) -> Iterator[Finding]:
    found = options(
        call.args, "-e --rsh --exclude --include --filter -f --rsync-path --log-file --bwlimit --timeout -M"
    )
    if found.has("-n", "--dry-run") or not found.rest or any(":" in text for text in found.texts):
        return
    there = at(call, found.rest[-1], ground)
    if any(flag.startswith(("--delete", "--del")) for flag in found.flags) or found.has("--remove-source-files"):
        kind = "inside" if there.kind in ("everything", "build") else there.kind
        finding = deleted(Place(kind, there.path, local=there.local), verb="deletes what is only in", whole=True)
        if finding is not None:
            yield finding
    else:
        yield from _each(iter([written(there, verb="copies over")]))


_OUTPUTS: Final = {
    "sort": "-o --output",
    "curl": "-o --output",
    "wget": "-O --output-document",
    "gcc": "-o",
    "tree": "-o",
}
FILES: Final[dict[str, Rule]] = {
    **dict.fromkeys(("rm", "unlink", "grm", "srm", "rimraf", "trash-empty"), _rm),
    **dict.fromkeys(("del", "erase", "rd", "remove-item", "ri", "clear-content"), _windows_del),
    **dict.fromkeys(("shred", "wipe", "sdelete"), _shred),
    **dict.fromkeys(
        ("mkfs", "mke2fs", "mkswap", "fdisk", "sfdisk", "parted", "wipefs", "sgdisk", "blkdiscard", "format", "diskpart",
         "pvremove", "vgremove", "lvremove", "mdadm", "cryptsetup", "hdparm", "badblocks", "zpool", "newfs",
         "format-volume", "clear-disk"),
        _device,
    ),
    **dict.fromkeys(("cp", "mv", "install", "ln", "gcp", "gmv", "move", "copy", "ren", "move-item", "copy-item"), _copied),
    **dict.fromkeys(("find", "gfind"), _find),
    **dict.fromkeys(("chmod", "chown", "chgrp", "chattr", "setfacl", "icacls"), _modes),
    **dict.fromkeys(("sed", "gsed", "perl", "ruby"), _in_place),
    **dict.fromkeys(tuple(_OUTPUTS), _output),
    **dict.fromkeys(("tar", "gtar", "bsdtar"), _unpacked),
    "dd": _dd, "gdd": _dd, "truncate": _truncate, "tee": _tee, "sponge": _tee, "rsync": _rsync,
    "rimraf": _unlink_tree, "trash": _unlink_tree,
}  # fmt: skip
