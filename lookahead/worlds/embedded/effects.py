"""Applies what was foretold to a scene: one line of change after the other, each on what stood before the call.

-NAME            gone (a directory with all that is in it)
+NAME IS VALUE   this is so now
&NAME IS TEXT    this text at its end
@NAME            the working directory           (trees from here on; paths are as they were typed)
>NAME IS NAME    moved (into it, where it is a directory)
*NAME IS NAME    copied (the same)
:NAME IS MODE    its permissions
"""

import posixpath
import re
from collections.abc import Iterator
from typing import Final

from lookahead.worlds.embedded.formulas import Unknowable, evaluate
from lookahead.worlds.embedded.formulas.repository import noticed
from lookahead.worlds.embedded.formulas.typed import put_in
from lookahead.worlds.embedded.paths import NoSuchPath, content, followed, is_directory, matching, mode, typed, written
from lookahead.worlds.embedded.program import DO, filled
from lookahead.worlds.embedded.scene import ASIDE, BREAK, IS, TREES, Scene

_SYMBOLIC: Final = re.compile(r"([ugoa]*)([+-])([rwx]+)")
_BITS: Final = {"r": 0o444, "w": 0o222, "x": 0o111}
_WHO: Final = {"u": 0o700, "g": 0o070, "o": 0o007}


def applied(scene: Scene, action: str, changes: tuple[str, ...]) -> Scene:
    """The scene after all changes. What cannot be applied raises `Unknowable`: a wrong change is never half made."""
    facts = dict(scene.facts)
    after = scene
    for change in _whole(scene, action, changes):
        try:
            after = _apply(scene, after, facts, action, change)
        except (KeyError, NoSuchPath, ValueError, IndexError) as cause:
            raise Unknowable(f"the change {change[:80]!r} does not fit what is there") from cause
    return after.with_facts(facts)


def _whole(scene: Scene, action: str, changes: tuple[str, ...]) -> Iterator[str]:
    for change in changes:
        if change.startswith("~"):
            yield from evaluate(scene, action, change[1:]).splitlines()
        else:
            yield change


def _apply(before: Scene, after: Scene, facts: dict[str, str], action: str, change: str) -> Scene:
    mark, name, value = change[0], *_parts(change[1:])
    name = _named(before, action, name)
    if before.kind not in TREES or name.startswith(ASIDE):
        _apply_plainly(before, facts, action, mark, name, value)
        return after
    current = before.with_facts(facts)
    if mark == "@":
        found = followed(current, name)
        if not is_directory(current, found):
            raise KeyError(found)
        return after.at(found)
    _apply_in_tree(before, current, facts, action, mark, name, value)
    facts.update(noticed(current.facts, facts))
    return after


def _apply_in_tree(
    before: Scene, current: Scene, facts: dict[str, str], action: str, mark: str, name: str, value: str
) -> None:
    match mark:
        case "-":
            for path in matching(current, name):
                _remove(facts, typed(current, path))
        case "+" if name.endswith("/"):
            _make_directories(facts, followed(current, name))
        case "+" if value.startswith(">"):
            facts[typed(current, name)] = _named(before, action, value).replace(BREAK, "\n")
        case "+":
            found = followed(current, name)
            _must_fit(current, found)
            said, _, body = value.partition("=")
            kept = said[1:] or (mode(current, found) if found in facts else "644")
            facts[found] = written(filled(before, action, body, exact=True), kept)
        case "&":
            found = followed(current, name)
            facts[found] = written(
                content(current, found) + filled(before, action, value, exact=True), mode(current, found)
            )
        case ":":
            found = followed(current, name)
            allowed = changed_mode(mode(current, found), _named(before, action, value))
            facts[found] = written(content(current, found), allowed)
        case ">" | "*":
            target = _named(before, action, value)
            for path in matching(current, name):
                _carry(current, facts, path, target, keep=mark == "*")
        case _:
            raise ValueError(mark)


def _apply_plainly(scene: Scene, facts: dict[str, str], action: str, mark: str, name: str, value: str) -> None:
    match mark:
        case "-":
            del facts[name]
        case "+":
            facts[name] = filled(scene, action, value, exact=True)
        case "&":
            facts[name] += filled(scene, action, value, exact=True)
        case _:
            raise ValueError(mark)


def _named(scene: Scene, action: str, name: str) -> str:
    """A name with what it refers to put in. What git knows of `$2` it knows by the path from the top."""
    if name.startswith(f"{ASIDE}/$") and scene.kind == "shell":
        return f"{ASIDE}/{typed(scene, put_in(name[2:], action))}"
    if DO in name:
        name = filled(scene, action, name, exact=False)
    return put_in(name, action) if scene.kind == "shell" else name


def changed_mode(mode: str, asked: str) -> str:
    """The permissions after `chmod`: `755`, `+x`, `go-w`. Where it says for whom nothing, the usual mask holds."""
    if asked.isdigit():
        return f"{int(asked, 8):o}"
    found = _SYMBOLIC.fullmatch(asked)
    if found is None:
        raise ValueError(asked)
    who, sign, what = found.groups()
    bits = sum(_BITS[letter] for letter in set(what))
    bits &= sum(_WHO[letter] for letter in set(who)) if "a" not in who and who else 0o777 if who else 0o755
    old = int(mode, 8)
    return f"{old | bits if sign == '+' else old & ~bits:o}"


def _parts(text: str) -> tuple[str, str]:
    name, _, value = text.partition(IS)
    return name, value


def _remove(facts: dict[str, str], name: str) -> None:
    if name in facts:
        del facts[name]
        return
    gone = [found for found in facts if found.startswith(f"{name}/")]
    if not gone:
        raise KeyError(name)
    for found in gone:
        del facts[found]


def _make_directories(facts: dict[str, str], name: str) -> None:
    parts = name.split("/") if name else []  # the root is there
    for count in range(len(parts)):
        path = "/".join(parts[: count + 1])
        if path in facts:
            raise KeyError(path)
        facts[f"{path}/"] = ""


def _must_fit(scene: Scene, name: str) -> None:
    """A file needs the directory that it is in, and a name that no directory has."""
    if is_directory(scene, name) or not is_directory(scene, posixpath.dirname(name)):
        raise KeyError(name)


def _carry(scene: Scene, facts: dict[str, str], source: str, target: str, *, keep: bool) -> None:
    start, end = typed(scene, source), followed(scene, target)
    if is_directory(scene, end):
        end = posixpath.join(end, posixpath.basename(start))
    if not is_directory(scene, posixpath.dirname(end)):
        raise KeyError(end)
    if start in facts:
        value = facts[start]
        if keep and value.startswith(">"):  # what a link leads to is copied, not the link
            found = followed(scene, source)
            value = written(content(scene, found), mode(scene, found))
        if keep and end in facts:  # the copy's permissions are those of the file that it overwrites
            value = written(content(scene.with_facts({"": value}), ""), mode(scene, end))
        moved = {end: value}
    else:
        moved = {end + found[len(start) :]: facts[found] for found in facts if found.startswith(f"{start}/")}
        if not moved:
            raise KeyError(start)
    if not keep:
        _remove(facts, start)
    facts.update(moved)
