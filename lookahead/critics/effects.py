"""What predicted effects mean: what is lost, overwritten, sent or spent, and whether it comes back."""

import posixpath
import re
from collections.abc import Iterator, Sequence, Set
from typing import Final

from lookahead.critics.finding import Finding, caution, count, danger, note
from lookahead.critics.nameset import nameset
from lookahead.critics.paths import Ground, is_secret, place, runs_later
from lookahead.critics.records import MANY, network, records, sent, spent
from lookahead.types import Effect, State

_BY_HAND: Final = re.compile(r"(?i)\.(md|rst|docx?|odt|pages|tex|xlsx?|ods|pptx?|ipynb|psd|sketch|drawio|sql|csv)$")
_FILES: Final = nameset("file directory folder link symlink path mode permission permissions")
_MODE: Final = re.compile(r"(?:mode|permissions?)[^\d]{0,12}(?:0o?)?(\d{3,5})\s*(?:→|->|to)\s*(?:0o?)?(\d{3,5})")


def judge_effects(
    effects: Sequence[Effect],
    state: State,
    ground: Ground,
    *,
    discards: bool = False,
    shell: bool = False,
    own: Set[str] = frozenset(),
) -> Iterator[Finding]:
    """All effects of one step, taken together: ten thousand lost files are one hazard.

    `discards`: the call is there to throw changes away, so a change is a loss and not an edit. `shell`: it is shell
    text, and what of it leaves is judged there, program by program. `own`: the targets that this session made itself.
    """
    files = [effect for effect in effects if _is_file(effect)]
    others = [effect for effect in effects if not _is_file(effect) and effect.unit != "cents"]
    created = {(posixpath.basename(effect.target), effect.after) for effect in files if effect.happened == "created"}
    mine = [effect for effect in files if effect.target in own and _only_content(effect)]
    if mine:
        yield note(
            "files.own",
            f"{'deletes' if any(effect.happened == 'deleted' for effect in mine) else 'changes'} {_sum(mine)}",
            "this session made it itself",
            *_targets(mine),
            reach="files",
        )
    theirs = [effect for effect in files if not (effect.target in own and _only_content(effect))]
    gone = [effect for effect in theirs if effect.happened == "deleted" and not _moved(effect, created)]
    yield from _deleted(gone, ground)
    changed = [effect for effect in theirs if effect.happened == "changed"]
    thrown = [effect for effect in changed if discards and _thrown(effect)]
    if thrown:
        yield danger(
            "files.work-lost",
            f"throws away changes in {_sum(thrown)}",
            "they were never committed, so nothing brings them back",
            *_targets(thrown),
            reach="files",
            names=_names(thrown),
        )
    yield from _changed([effect for effect in changed if not (discards and _thrown(effect))], files, ground)
    yield from _created([effect for effect in files if effect.happened == "created"], ground)
    yield from _outside(theirs, ground)
    yield from records([effect for effect in others if effect.happened in ("deleted", "changed")])
    for effect in effects:
        if effect.happened == "sent":
            yield network(effect) if shell else sent(effect, state)
        elif effect.happened == "spent" or effect.unit == "cents":
            yield spent(effect, state)


def _is_file(effect: Effect) -> bool:
    return effect.happened in ("created", "changed", "deleted") and (effect.what in _FILES or effect.unit == "bytes")


def _only_content(effect: Effect) -> bool:
    """Whether nothing speaks against it but what was in it: no looser mode, nothing that runs later."""
    if effect.happened == "created":
        return False
    return effect.happened == "deleted" or not (runs_later(effect.target) or _MODE.search(effect.detail))


def _thrown(effect: Effect) -> bool:
    return effect.recoverable is not True and bool(effect.before) and not _in_git(effect.target)


def _moved(effect: Effect, created: set[tuple[str, int | None]]) -> bool:
    """Deleted here and created there with the same size and name, or said to be renamed: nothing is lost."""
    if "renamed to" in effect.detail or "moved to" in effect.detail:
        return True
    return bool(effect.before) and (posixpath.basename(effect.target), effect.before) in created


def _deleted(gone: Sequence[Effect], ground: Ground) -> Iterator[Finding]:
    lost: list[Effect] = []
    perhaps: list[Effect] = []
    kept: list[Effect] = []
    for effect in gone:
        kind = place(effect.target, glob=False, ground=ground).kind
        empty = effect.before == 0 or effect.what in ("directory", "folder")
        if effect.recoverable is not True and kind == "protected" and not _lock(effect.target):
            yield danger(
                "files.lost-protected",
                f"deletes {effect.target}",
                "keys, history and backups are what recovery needs",
                effect.target,
                reach="files",
            )
        elif effect.recoverable is True or empty or kind in ("cache", "temporary", "shared") or _lock(effect.target):
            kept.append(effect)
        elif kind == "build":
            by_hand = effect.recoverable is False and _BY_HAND.search(effect.target)
            (perhaps if by_hand else kept).append(effect)
        else:
            lost.append(effect)
    if lost:
        unsure = all(effect.recoverable is None for effect in lost)
        why = (
            "nobody knows of another copy" if unsure else "they are not committed anywhere, so nothing brings them back"
        )
        yield danger("files.lost", f"deletes {_sum(lost)}", why, *_targets(lost), reach="files", names=_names(lost))
    if perhaps:
        yield caution(
            "files.lost-build",
            f"deletes {_sum(perhaps)} from build folders",
            "they look written by hand and are not in git",
            *_targets(perhaps),
            reach="files",
            loses=True,
        )
    if (
        sum(map(_number, kept)) >= MANY
        and sum(_number(effect) for effect in kept if effect.recoverable is True) >= MANY
    ):
        yield caution(
            "files.many-deleted",
            f"deletes {_sum(kept)}",
            "they can be had again, but it is a lot",
            *_targets(kept),
            reach="files",
        )
    elif kept:
        yield note(
            "files.deleted-recoverable",
            f"deletes {_sum(kept)}",
            "they can be had again",
            *_targets(kept),
            reach="files",
        )


def _in_git(path: str) -> bool:
    return path.startswith(".git/") or "/.git/" in path


def _lock(path: str) -> bool:
    """What git takes away by itself: locks, packed objects, merge notes."""
    return (
        re.search(
            r"(^|/)\.git/(.*\.lock$|objects/|[A-Z_]+_HEAD$|MERGE_|AUTO_MERGE|COMMIT_EDITMSG|rebase-|gc\.|ORIG_HEAD|index$|packed-refs|logs/)",
            path,
        )
        is not None
    )


def _changed(changed: Sequence[Effect], files: Sequence[Effect], ground: Ground) -> Iterator[Finding]:
    sizes = {effect.before for effect in files if effect.happened == "deleted" and effect.before}
    replaced: list[Effect] = []
    shrunk: list[Effect] = []
    edited: list[Effect] = []
    for effect in changed:
        kind = place(effect.target, glob=False, ground=ground).kind
        if match := _MODE.search(effect.detail):
            if int(match[2][-1]) & 2 and not int(match[1][-1]) & 2:
                yield caution(
                    "permissions.loosened",
                    f"lets everybody write {effect.target}",
                    "others can change it then",
                    match[0],
                    reach="files",
                )
                continue
            if effect.before == effect.after:
                continue
        if later := runs_later(effect.target):
            yield (danger if later == "system" else caution)(
                "files.starts-later",
                f"changes {effect.target}",
                "what is written there runs later, unasked",
                effect.target,
                reach="files",
                loses=False,
            )
        elif kind == "protected" and not _in_git(effect.target):
            secret = is_secret(effect.target)
            yield (danger if effect.recoverable is not True and effect.after == 0 else caution)(
                "files.protected-changed",
                f"changes {effect.target}",
                "keys are in it" if secret else "recovery needs it",
                effect.target,
                reach="files",
                loses=effect.recoverable is not True,
            )
        elif (
            effect.recoverable is True
            or kind in ("cache", "temporary", "shared", "build")
            or not effect.before
            or _lock(effect.target)
        ):
            edited.append(effect)
        elif effect.after == 0 or (effect.after is not None and effect.after in sizes) or _removed(effect) >= 0.9:
            replaced.append(effect)
        elif (effect.after is not None and effect.after * 2 < effect.before) or _removed(effect) >= 0.5:
            shrunk.append(effect)
        else:
            edited.append(effect)
    if replaced:
        yield danger(
            "files.overwritten",
            f"overwrites all of {_sum(replaced)}",
            "what was in there was not committed anywhere",
            *_targets(replaced),
            reach="files",
            names=_names(replaced),
        )
    if shrunk:
        tiny = [effect for effect in shrunk if (effect.after or 0) * 10 < (effect.before or 0)]
        make = danger if tiny else caution
        yield make(
            "files.shrunk",
            f"takes most out of {_sum(shrunk)}",
            "what is cut was not committed anywhere",
            *_targets(shrunk),
            reach="files",
            loses=True,
        )
    if sum(map(_number, edited)) >= MANY:
        yield caution(
            "files.many-changed",
            f"changes {_sum(edited)}",
            "nobody reads so many by eye",
            *_targets(edited),
            reach="files",
        )
    elif edited:
        yield note("files.changed", f"changes {_sum(edited)}", "worth a glance", *_targets(edited), reach="files")


def _removed(effect: Effect) -> float:
    """Which share of what was there a diff says is gone: 1.0 when all of it is. Without a diff, 0."""
    lines = effect.detail.split("\n")
    hunks = [int(match[1] or 1) for line in lines if (match := re.match(r"@@ -\d+(?:,(\d+))? \+\d", line))]
    sample = [len(line.encode()) for line in lines if line.startswith("-") and not line.startswith("---")]
    if not hunks or not sample or not effect.before:
        return 0.0
    return sum(hunks) * (sum(sample) / len(sample)) / effect.before


def _created(created: Sequence[Effect], ground: Ground) -> Iterator[Finding]:
    for effect in created:
        if later := runs_later(effect.target):
            yield (danger if later == "system" else caution)(
                "files.starts-later",
                f"creates {effect.target}",
                "what is written there runs later, unasked",
                effect.target,
                reach="files",
                loses=False,
            )
    if sum(map(_number, created)) >= 20 * MANY:
        yield caution(
            "files.many-created", f"creates {_sum(created)}", "a lot to clean up", *_targets(created), reach="files"
        )


def _outside(files: Sequence[Effect], ground: Ground) -> Iterator[Finding]:
    strange = [effect for effect in files if _abroad(effect, ground)]
    if strange:
        yield caution(
            "files.outside",
            f"changes {_sum(strange)} outside the work",
            "the goal is about another folder",
            *_targets(strange),
            reach="files",
        )


_STORES: Final = re.compile(
    r"/\.(npm|m2|rustup|nuget|yarn|pnpm-store|bun|deno|matplotlib|keras|cargo/(registry|git)|local/(share|state))(/|$)"
)
"""Where programs keep what they fetched."""


def _abroad(effect: Effect, ground: Ground) -> bool:
    kind = place(effect.target, glob=False, ground=ground).kind
    if kind == "shared":
        return effect.happened != "created"
    if kind == "elsewhere":
        stored = effect.happened != "deleted" and (_is_folder(effect) or _STORES.search(effect.target))
        return ground.root is not None and not stored
    return kind in ("root", "system", "home", "device")


def _is_folder(effect: Effect) -> bool:
    """A folder that is there, or is now, says nothing that the files in it do not say."""
    return effect.what in ("directory", "folder")


def _sum(effects: Sequence[Effect]) -> str:
    if len(effects) == 1:
        size = f" ({_bytes(effects[0].before)})" if effects[0].before and effects[0].unit == "bytes" else ""
        return f"{effects[0].target}{size}"
    size = sum(effect.before or 0 for effect in effects if effect.unit == "bytes")
    return count(sum(map(_number, effects)), "file") + (f" ({_bytes(size)})" if size else "")


def _number(effect: Effect) -> int:
    """One, unless a world says that it sums up many."""
    match = re.match(r"and ([\d,]+) more", effect.detail) if effect.what == "things" else None
    return int(match[1].replace(",", "")) if match else 1


def _bytes(number: int | None) -> str:
    size = float(number or 0)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _targets(effects: Sequence[Effect]) -> list[str]:
    """Three names, the largest first."""
    largest = sorted(effects, key=lambda effect: -(effect.before or 0))
    shown = [effect.target for effect in largest[:3]]
    more = sum(map(_number, effects)) - 3
    return [*shown[:2], f"{shown[2]} and {more:,} more"] if len(effects) > 3 else shown


def _names(effects: Sequence[Effect]) -> tuple[str, ...]:
    """What a goal would have to name: every single thing, or the one folder that holds them all."""
    if len(effects) == 1:
        return (effects[0].target, posixpath.basename(effects[0].target))
    shared = (
        posixpath.commonpath([effect.target for effect in effects])
        if len({e.target[:1] == "/" for e in effects}) == 1
        else ""
    )
    return (shared, posixpath.basename(shared)) if shared not in ("", "/") else ()
