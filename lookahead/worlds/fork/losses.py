"""Whether what a run destroyed can be had again: it is committed, or stands elsewhere in the copy, byte for byte."""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from lookahead.worlds.fork.changes import Change, Entry, Reader

GIT: Final = (
    "git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null",
    "-c", "safe.directory=*", "-c", "protocol.allow=never", "cat-file", "--batch-check",
)  # fmt: skip
GIT_ENVIRONMENT: Final = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM": "1",
}
_CHUNK: Final = 1 << 20
_HASHED: Final = 1 << 30
"""Bytes of lost files that are compared at most; beyond that, nobody knows."""


def lost(changes: Iterable[Change]) -> list[Change]:
    """The changes that took content away."""
    return [
        change
        for change in changes
        if change.before and change.before.what in ("file", "link") and change.happened != "created"
    ]


def recoverable(
    changes: Sequence[Change], reader: Reader, committed: dict[str, list[str]] | None
) -> dict[str, bool | None]:
    """For each change that lost content: can it be had again? `committed`: git's names for it."""
    budget = _Budget(reader)
    repositories = _destroyed(changes)
    places = _created_by_size(changes)
    answer: dict[str, bool | None] = {}
    for change in lost(changes):
        was = change.before
        assert was is not None
        try:
            found = _one(change, was, reader, committed or {}, places, budget)
            answer[change.name] = None if committed is None and found is False else found
        except (OSError, _TooMuch):
            answer[change.name] = None
    for name in answer:
        if any(name.startswith(folder) for folder in repositories):
            answer[name] = False
    return answer


def _destroyed(changes: Iterable[Change]) -> list[str]:
    """Git folders that are none any more: with them goes every commit that is nowhere else."""
    gone = (change.name for change in changes if change.happened == "deleted" and change.what == "file")
    return [name.removesuffix("HEAD") for name in gone if name == ".git/HEAD" or name.endswith("/.git/HEAD")]


def _one(
    change: Change,
    was: Entry,
    reader: Reader,
    committed: dict[str, list[str]],
    places: dict[int, list[Entry]],
    budget: "_Budget",
) -> bool | None:
    if change.happened == "changed" and change.after and _still_there(was, change.after, reader):
        return True
    if was.what == "file" and was.status.st_size == 0:
        return True
    objects = committed.get(change.name, ())
    if objects and any(budget.blob(was, len(name)) == name for name in objects):
        return True
    same = [entry for entry in places.get(was.status.st_size, ()) if entry.what == was.what]
    if any(budget.digest(entry) == budget.digest(was) for entry in same):
        return True
    return None if _of_git(change.name) else False


def _of_git(name: str) -> bool:
    """Git's own files hold each other's content; which of them is the last to hold something is not for us to say."""
    return ".git" in name.split("/")


def _still_there(was: Entry, now: Entry, reader: Reader) -> bool:
    """Only its mode changed, or something was appended."""
    if was.what != now.what:
        return False
    if was.what == "link" or was.status.st_size > now.status.st_size:
        return reader.same_content(was, now)
    with reader.open_bytes(was.path) as old, reader.open_bytes(now.path) as new:
        left = was.status.st_size
        while left:
            part = os.read(old, min(_CHUNK, left))
            if not part or part != _exactly(new, len(part)):
                return False
            left -= len(part)
    return True


def _exactly(descriptor: int, count: int) -> bytes:
    parts: list[bytes] = []
    while count:
        part = os.read(descriptor, count)
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _created_by_size(changes: Iterable[Change]) -> dict[int, list[Entry]]:
    found: dict[int, list[Entry]] = {}
    for change in changes:
        if change.happened == "created" and change.after and change.after.what in ("file", "link"):
            found.setdefault(change.after.status.st_size, []).append(change.after)
    return found


class _TooMuch(Exception):
    pass


class _Budget:
    """Hashes each thing once, and not more bytes than is decent."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._left = _HASHED
        self._digests: dict[tuple[str, str], str] = {}

    def blob(self, entry: Entry, length: int) -> str:
        """The name that git would give to this content; its length tells which hash the repository uses."""
        header = f"blob {entry.status.st_size}\0".encode()
        return self._hash(entry, "sha256" if length == 64 else "sha1", header)

    def digest(self, entry: Entry) -> str:
        return self._hash(entry, "blake2b", b"")

    def _hash(self, entry: Entry, kind: str, header: bytes) -> str:
        key = (entry.path, kind)
        if key not in self._digests:
            self._left -= entry.status.st_size
            if self._left < 0:
                raise _TooMuch
            state = hashlib.new(kind, header, usedforsecurity=False)
            if entry.what == "link":
                state.update(os.fsencode(os.readlink(entry.path)))
            else:
                with self._reader.open_bytes(entry.path) as descriptor:
                    while part := os.read(descriptor, _CHUNK):
                        state.update(part)
            self._digests[key] = state.hexdigest()
        return self._digests[key]


def git_questions(changes: Sequence[Change], head: str) -> tuple[list[Change], bytes]:
    """What to ask git on its standard input: what it has under each lost name, in the last commit and in the stash."""
    asked = [change for change in lost(changes) if "\n" not in change.name and not _of_git(change.name)]
    lines = [f"{commit}:./{change.name}" for change in asked for commit in _commits(head)]
    return asked, "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def git_answers(asked: Sequence[Change], head: str, output: bytes) -> dict[str, list[str]]:
    """The object names, by the name of the lost thing."""
    lines = iter(output.decode("utf-8", "surrogateescape").splitlines())
    found: dict[str, list[str]] = {}
    for change in asked:
        for _ in _commits(head):
            fields = next(lines, "").split(" ")
            if len(fields) == 3 and fields[1] == "blob" and len(fields[0]) in (40, 64):
                found.setdefault(change.name, []).append(fields[0])
    return found


def _commits(head: str) -> tuple[str, ...]:
    return head, "refs/stash", "refs/stash^3"


def head_commit(read: Callable[[str], str]) -> str:
    """The commit that HEAD named in a view of the directory, read from git's files; empty where it cannot be."""
    text = read(".git/HEAD").strip()
    if not text.startswith("ref: "):
        return text
    name = text.removeprefix("ref: ").strip()
    loose = read(f".git/{name}").strip()
    if loose:
        return loose
    packed = (line.split(" ") for line in read(".git/packed-refs").splitlines() if line[:1] not in "#^")
    return next((fields[0] for fields in packed if len(fields) == 2 and fields[1] == name), "")
