"""Where `mv` and `cp` put what they are told to carry, and what stands in the way: looked up, not learned."""

import posixpath
from collections.abc import Iterator, Sequence
from typing import Final

from lookahead.worlds.embedded.paths import NoSuchPath, followed, is_directory, is_file
from lookahead.worlds.embedded.scene import Scene

SAME, INSIDE, HERE, AGAIN, TAKEN = "=", ">", "^", "!", "&"
"""Ends where it is; ends below itself; holds the working directory; was named before; another just went there."""
ON_A_FILE, ON_A_DIRECTORY = "+", "/"
"""What already has the name where it ends."""
CARRY: Final = ("mv", "cp")
REMOVE: Final = ("rm", "rmdir")


def landing(scene: Scene, source: str, target: str) -> str:
    """Where a source ends, as `mv` and `cp` print it: below the target, where that is a directory."""
    try:
        below = is_directory(scene, followed(scene, target))
    except NoSuchPath:
        below = False
    return posixpath.join(target, posixpath.basename(source.rstrip("/"))) if below else target


def standing(scene: Scene, command: str, operands: Sequence[str]) -> Iterator[str]:
    """For each of a command's operands a sign or more, as far as there is something to say."""
    carries = command in CARRY and len(operands) > 1
    sources, target = (operands[:-1], operands[-1]) if carries else (operands, "")
    before: list[str] = []
    ends: list[str] = []
    for source in sources:
        name = _name(scene, source)
        signs = AGAIN if name is not None and name in before else ""
        if name is not None and is_directory(scene, name) and _holds(name, scene.here):
            signs += HERE
        if name is not None:
            before.append(name)
        end = _name(scene, landing(scene, source, target)) if carries else None
        if end is not None and name is not None:
            signs += _sign(scene, name, end)
            if end in ends and not signs.startswith(AGAIN):
                signs += TAKEN
            ends.append(end)
        yield signs
    if carries:
        yield ""


def ending(scene: Scene, source: str, end: str) -> str:
    """What becomes of a source at just this end: a sign, where it is none that is free."""
    name, reached = _name(scene, source), _name(scene, end)
    return "" if name is None or reached is None else _sign(scene, name, reached)


def _sign(scene: Scene, name: str, end: str) -> str:
    if end == name:
        return SAME
    if is_directory(scene, name) and _holds(name, end):
        return INSIDE
    if is_directory(scene, end):
        return ON_A_DIRECTORY
    return ON_A_FILE if is_file(scene, end) else ""


def _holds(directory: str, name: str) -> bool:
    return not directory or name == directory or name.startswith(f"{directory}/")


def _name(scene: Scene, path: str) -> str | None:
    try:
        return followed(scene, path)
    except NoSuchPath:
        return None
