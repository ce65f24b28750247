"""What code can look up is looked up, not learned: beside each call stands what its words name in the scene.

`rm -r box` is read as `rm -r box`, and behind it `2d`: the second word is a directory with something in it. Whether a
name of many letters stands somewhere in a scene is what a small model gets wrong first, and code never.
"""

import posixpath
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, TypeAlias

from lookahead.canonical import canonical
from lookahead.worlds.embedded.formulas import Unknowable, evaluate
from lookahead.worlds.embedded.formulas.calls import called
from lookahead.worlds.embedded.formulas.tickets import fields_of
from lookahead.worlds.embedded.formulas.typed import words
from lookahead.worlds.embedded.landing import CARRY, REMOVE, ending, standing
from lookahead.worlds.embedded.paths import NoSuchPath, content, followed, is_directory, is_file, matching, typed
from lookahead.worlds.embedded.scene import ASIDE, IS, Kind, Scene

OUTSIDE, ABSENT, NOWHERE, IN_A_FILE = "o", "a", "x", "t"
"""A path that leaves the tree; nothing there; not even its directory; below what is a file."""
FILE, EMPTY_FILE, SAME_FILE = "f", "e", "g"
DIRECTORY, EMPTY_DIRECTORY = "d", "q"
LINK, LINK_TO_DIRECTORY, BROKEN_LINK = "l", "p", "b"
MATCHED, MATCHED_DIRECTORY, UNMATCHED = "m", "i", "z"
WITHIN, THROUGHOUT = "c", "w"
"""No path, but found in one of the files that the line names; in each of their lines, where `grep -v` asks."""
TRACKED, STAGED, UNBORN = "k", "s", "n"
"""A file that git knows; something that a commit would keep; nothing that was ever committed."""
_NUMBER: Final = re.compile(r"-?\d+")

Ground: TypeAlias = Callable[[Scene, str], Iterator[str]]


def asked(scene: Scene, action: str) -> str:
    """A call as the model reads it."""
    return f"{_read(scene, action)}{IS}{grounding(scene, action)}"


def _read(scene: Scene, action: str) -> str:
    """A flag that is false says what holds without it, and is not read: `dryRun`."""
    if scene.kind == "shell" or ":false" not in action:
        return action
    try:
        tool, given = called(action)
    except Unknowable:
        return action
    return f"{tool} {canonical({name: value for name, value in given.items() if value is not False})}"


def grounding(scene: Scene, action: str) -> str:
    """As far as it can be looked up: a call of another world has words that mean nothing here."""
    found: list[str] = []
    with suppress(Unknowable, NoSuchPath, KeyError, ValueError, TypeError):
        found.extend(_GROUND[scene.kind](scene, action))
    return "".join(found)


def _shell(scene: Scene, line: str) -> Iterator[str]:
    found = words(line)
    texts = [content(scene, name) for name in _files(scene, found)]
    place = _changed_to(scene, line, found)
    seen: set[str] = set()
    with_git = f"{ASIDE}head" in scene.facts
    stands = _standing(scene, line, found)
    for number, word in enumerate(found):
        if not word.startswith("-") and (number or ">" in line):
            sign = path(place if number > 1 else scene, word)
            if sign == FILE:
                body = content(scene, followed(place if number > 1 else scene, word))
                sign = SAME_FILE if body in seen else FILE
                seen.add(body)
            elif sign in (ABSENT, NOWHERE) and _is_within(word, texts, line):
                sign = THROUGHOUT if " -v " in line and _is_throughout(word, texts) else WITHIN
            yield f"{number}{sign}{TRACKED if with_git and _is_tracked(scene, word) else ''}{stands.get(number, '')}"
    if with_git and any(_is_staged(name, value) for name, value in scene.facts.items()):
        yield STAGED
    if with_git and not scene.facts.get(f"{ASIDE}log"):
        yield UNBORN


def _standing(scene: Scene, line: str, found: tuple[str, ...]) -> dict[int, str]:
    """By the number of a word what stands in the way of `mv`, `cp`, `rm`; of one command alone, not of several."""
    if not found or found[0] not in (*CARRY, *REMOVE) or any(sign in line for sign in ";|&<>"):
        return {}
    operands = {number: word for number, word in enumerate(found) if number and not word.startswith("-")}
    return dict(zip(operands, standing(scene, found[0], tuple(operands.values())), strict=True))


def _is_throughout(word: str, texts: list[str]) -> bool:
    return all(word in line for text in texts for line in text.splitlines())


def _is_within(word: str, texts: list[str], line: str) -> bool:
    if " -i " in line:
        return any(word.lower() in text.lower() for text in texts)
    return any(word in text for text in texts)


def _files(scene: Scene, found: tuple[str, ...]) -> Iterator[str]:
    for word in found:
        try:
            name = followed(scene, word)
        except (NoSuchPath, KeyError):
            continue
        if is_file(scene, name):
            yield name


def _changed_to(scene: Scene, line: str, found: tuple[str, ...]) -> Scene:
    """Where the words behind a `cd … &&` are looked up."""
    if found[:1] == ("cd",) and "&&" in line and len(found) > 1:
        try:
            name = followed(scene, found[1])
        except (NoSuchPath, KeyError):
            return scene
        return scene.at(name) if is_directory(scene, name) else scene
    return scene


def _is_tracked(scene: Scene, word: str) -> bool:
    try:
        return f"{ASIDE}/{typed(scene, word)}" in scene.facts
    except NoSuchPath:
        return False


def _is_staged(name: str, code: str) -> bool:
    return name.startswith(f"{ASIDE}/") and code[:1] not in (" ", "-", "?")


def path(scene: Scene, word: str) -> str:
    """What a path names."""
    try:
        if any(sign in posixpath.basename(word) for sign in "*?"):
            directory = any(is_directory(scene, typed(scene, found)) for found in matching(scene, word))
            return MATCHED_DIRECTORY if directory else MATCHED
        link = scene.facts.get(typed(scene, word), "").startswith(">")
        name = followed(scene, word)
    except NoSuchPath:
        return UNMATCHED if "*" in word else OUTSIDE
    except KeyError:
        return NOWHERE
    if is_directory(scene, name):
        if link:
            return LINK_TO_DIRECTORY
        return DIRECTORY if any(scene.below(name)) else EMPTY_DIRECTORY
    if is_file(scene, name):
        if link:
            return LINK
        return FILE if content(scene, name) else EMPTY_FILE
    if link:
        return BROKEN_LINK
    above = posixpath.dirname(name)
    if is_directory(scene, above):
        return ABSENT
    while above:
        if is_file(scene, above):
            return IN_A_FILE
        above = posixpath.dirname(above)
    return NOWHERE


def _files_server(scene: Scene, action: str) -> Iterator[str]:
    given = called(action)[1]
    for name in ("path", "source", "destination"):
        if isinstance(given.get(name), str):
            yield f"{name[0]}{path(scene, given[name])}"
    if isinstance(given.get("source"), str) and isinstance(given.get("destination"), str):
        yield ending(scene, given["source"], given["destination"])
    for one in given.get("paths", ()):
        yield path(scene, str(one))
    if "edits" in given:
        body = content(scene, followed(scene, given["path"]))
        for edit in given["edits"]:
            old = str(edit["oldText"])
            yield "y" if old in body else "n"
            body = body.replace(old, str(edit["newText"]), 1)
    if "head" in given and "tail" in given:
        yield "2"


def _keys(scene: Scene, action: str) -> Iterator[str]:
    given: Mapping[str, Any] = called(action)[1]
    for name in ("key", "to"):
        if name in given:
            value = scene.facts.get(str(given[name]))
            sign = ABSENT if value is None else "i" if _NUMBER.fullmatch(value) else "s"
            yield f"{name[0]}{sign}"


def _tickets(scene: Scene, action: str) -> Iterator[str]:
    given: Mapping[str, Any] = called(action)[1]
    if "id" in given:
        number = str(given["id"])
        yield fields_of(scene, number)["status"][0] if number in scene.facts else ABSENT
    if "title" in given and not str(given["title"]).strip():
        yield EMPTY_FILE
    if "text" in given and not str(given["text"]).strip():
        yield EMPTY_FILE


def _sqlite(scene: Scene, action: str) -> Iterator[str]:
    given: Mapping[str, Any] = called(action)[1]
    if "table_name" in given:
        yield "y" if str(given["table_name"]) in scene.facts else "n"
    if "query" in given:
        try:
            evaluate(scene, action, "error")
            yield "n"
        except (Unknowable, sqlite3.Error):
            yield "y"
        yield "r" if str(given["query"]).lstrip()[:6].upper() == "SELECT" else "u"


_GROUND: Final[Mapping[Kind, Ground]] = {
    "shell": _shell,
    "files": _files_server,
    "sqlite": _sqlite,
    "keys": _keys,
    "tickets": _tickets,
}
