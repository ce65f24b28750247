"""Programs that delete, overwrite or expose files: how bad it is follows from the place."""

from collections.abc import Iterator
from typing import Final

from lookahead.critics.calls import Call
from lookahead.critics.finding import Finding, Reach, caution, danger, note
from lookahead.critics.losses import Rule, at, deleted, each, reach_of, written
from lookahead.critics.nested import find_starts
from lookahead.critics.options import Options, options
from lookahead.critics.paths import Ground, Place, place
from lookahead.critics.words import Word


def _rm(call: Call, ground: Ground) -> Iterator[Finding]:
    found = options(call.args)
    whole = found.has("-r", "-R", "--recursive", "-d", "--dir")
    if found.has("--no-preserve-root"):
        yield danger("files.deleted-root", "deletes even the root of the file system", "it says so: --no-preserve-root")
    yield from each(deleted(at(call, word, ground), verb="deletes", whole=whole) for word in found.rest)


def _windows_del(call: Call, ground: Ground) -> Iterator[Finding]:
    low = [text.lower() for text in call.texts]
    whole = any(text in ("/s", "-recurse", "-r", "-rec") for text in low)
    for word, text in zip(call.args, low, strict=True):
        if not text.startswith("-") and text not in ("/s", "/q", "/f", "/p", "/a"):
            yield from each([deleted(at(call, word, ground), verb="deletes", whole=whole)])


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
    if set(call.texts) & {"-l", "--list", "-s", "print", "list", "--help", "--version", "-V", "--dump", "-d", "-n"}:
        return
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
            blank = bool({"if=/dev/zero", "if=/dev/urandom", "if=/dev/random", "if=/dev/null"} & set(call.texts))
            yield from each([written(there, verb="overwrites", emptied=blank)])


def _truncate(call: Call, ground: Ground) -> Iterator[Finding]:
    found = options(call.args, "-s -r --size --reference")
    grows = (found.value("-s", "--size") or "").startswith("+")
    for word in found.rest:
        yield from each([written(at(call, word, ground), verb="truncates", emptied=not grows)])


def _tee(call: Call, ground: Ground) -> Iterator[Finding]:
    found = options(call.args)
    appended = found.has("-a", "--append")
    for word in found.rest:
        yield from each([written(at(call, word, ground), verb="writes", appended=appended)])


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
                reach=reach_of(there),
            )
        elif there.kind in ("unknown", "shared") or (there.kind == "elsewhere" and not there.local):
            yield caution(
                "files.moved",
                f"moves {there.shown} away",
                "it may lie outside the work",
                there.shown,
                reach=reach_of(there),
            )
    if target == "/dev/null" and moved:
        yield danger("files.deleted", "moves files onto /dev/null", "nothing comes back from there", call.shown)
    elif target is not None and call.name != "ln":
        empty = bool(sources) and all(word.text == "/dev/null" for word in sources)
        yield from each([written(at(call, target, ground), verb="writes", emptied=empty)])
    elif target is not None and found.has("-f", "--force"):
        yield from each([written(at(call, target, ground), verb="replaces")])


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
            yield from each(
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
            yield from each([written(at(call, texts[index + 1], ground), verb="writes")])


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
    for word in found.rest if call.name in ("icacls", "setfacl", "chattr") else found.rest[1:]:
        there = at(call, word, ground)
        if there.kind in ("root", "system", "home", "root-if-empty", "device") and (whole or wide or setuid):
            yield danger(
                "permissions.system",
                f"changes permissions of {there.shown}",
                "the system may no longer start or be safe",
                there.shown,
            )
        elif there.kind == "system":
            yield caution(
                "permissions.system",
                f"changes permissions of {there.shown}",
                "programs may fail or open up",
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
                reach=reach_of(there),
            )
        elif there.kind == "protected" and digits[-1:] not in ("0", ""):
            yield caution(
                "permissions.loosened",
                f"changes permissions of {there.shown}",
                "keys should be readable by one user",
                there.shown,
                reach=reach_of(there),
            )
        elif whole and there.kind in ("everything", "unknown", "elsewhere"):
            yield caution(
                "permissions.changed",
                f"changes permissions of all in {there.shown}",
                "the old ones are not kept",
                there.shown,
                reach=reach_of(there),
            )
        elif whole:
            yield note(
                "permissions.changed",
                f"changes permissions in {there.shown}",
                "the old ones are not kept",
                there.shown,
                reach=reach_of(there),
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
                reach=reach_of(there),
            )


def _output(call: Call, ground: Ground) -> Iterator[Finding]:
    """Programs that write what `-o` names."""
    for name in _OUTPUTS[call.name].split():
        for target in options(call.args, _OUTPUTS[call.name]).values.get(name, []):
            yield from each([written(at(call, target, ground), verb="writes")])


def _unpacked(call: Call, ground: Ground) -> Iterator[Finding]:
    texts = call.texts
    old_style = texts[0] if texts and texts[0][:1] not in "-/" else ""
    found: Options = options(
        [Word("-" + old_style), *call.args[1:]] if old_style else call.args, "-f -C -X -T --file --directory"
    )
    where = found.value("-C", "--directory")
    if found.has("-x", "--extract", "--get") and (found.has("-P", "--absolute-names") or where):
        yield from each([written(at(call, where or "/", ground), verb="unpacks into")])
    if found.has("--remove-files"):
        yield caution(
            "files.deleted", "deletes what it packed", "only the archive is left", call.shown, reach="files", loses=True
        )


def _unlink_tree(call: Call, ground: Ground) -> Iterator[Finding]:
    found = options(call.args)
    yield from each(deleted(at(call, word, ground), verb="deletes", whole=True) for word in found.rest)


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
        yield from each([written(there, verb="copies over")])


_OUTPUTS: Final = {
    "sort": "-o --output",
    "curl": "-o --output",
    "wget": "-O --output-document",
    "gcc": "-o",
    "tree": "-o",
}
FILES: Final[dict[str, Rule]] = {
    **dict.fromkeys(("rm", "unlink", "grm", "srm", "trash-empty"), _rm),
    **dict.fromkeys(("del", "erase", "rd", "remove-item", "clear-content"), _windows_del),
    **dict.fromkeys(("shred", "wipe", "sdelete", "scrub"), _shred),
    **dict.fromkeys(
        (
            "mkfs",
            "mke2fs",
            "mkswap",
            "fdisk",
            "sfdisk",
            "parted",
            "wipefs",
            "sgdisk",
            "blkdiscard",
            "format",
            "diskpart",
            "newfs",
            "format-volume",
            "clear-disk",
        ),
        _device,
    ),
    **dict.fromkeys(
        ("cp", "mv", "install", "ln", "gcp", "gmv", "move", "copy", "ren", "move-item", "copy-item"), _copied
    ),
    **dict.fromkeys(("find", "gfind"), _find),
    **dict.fromkeys(("chmod", "chown", "chgrp", "chattr", "setfacl", "icacls"), _modes),
    **dict.fromkeys(("sed", "gsed", "perl", "ruby"), _in_place),
    **dict.fromkeys(tuple(_OUTPUTS), _output),
    **dict.fromkeys(("tar", "gtar", "bsdtar"), _unpacked),
    "dd": _dd,
    "gdd": _dd,
    "truncate": _truncate,
    "tee": _tee,
    "sponge": _tee,
    "rsync": _rsync,
    "rimraf": _unlink_tree,
}
