"""Formulas over a tree of files: `cat a.txt | sort | head 2`, `ls src`, `find . f`. Words are divided by spaces.

The first stage says where text comes from, each further one what is done with it. Paths are as they were typed, or
`$2`: the second word behind the command.
"""

import posixpath
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

from lookahead.worlds.embedded.formulas.base import Unknowable
from lookahead.worlds.embedded.formulas.lines import FILTERS
from lookahead.worlds.embedded.formulas.repository import REPOSITORY, Source
from lookahead.worlds.embedded.formulas.typed import body, printed, put_in, word
from lookahead.worlds.embedded.landing import landing
from lookahead.worlds.embedded.paths import NoSuchPath, children, content, followed, is_directory, matching, mode, typed
from lookahead.worlds.embedded.scene import Scene


def tree(scene: Scene, action: str, formula: str) -> str:
    """The text, to the byte."""
    first, *filters = formula.split(" | ")
    try:
        name, *arguments = _said(scene, action, first)
        text = _own(action, name, arguments) if name in OWN else SOURCES[name](scene, arguments)
        for stage in filters:
            name, *arguments = _said(scene, action, stage)
            text = FILTERS[name](text, arguments)
    except (KeyError, ValueError, IndexError, NoSuchPath) as cause:
        raise Unknowable(f"{formula[:80]!r} cannot be computed here") from cause
    return text


OWN: Final = ("word", "printf", "body")
"""Texts out of the command line itself: `word 1`, `printf 1`, `body`."""


def _said(scene: Scene, action: str, stage: str) -> list[str]:
    """The parts of a stage, the command's own words put in by number."""
    parts = stage.split(" ")
    return [put_in(part, action) for part in parts] if scene.kind == "shell" and "$" in stage else parts


def _own(action: str, name: str, arguments: Sequence[str]) -> str:
    if name == "body":
        return body(action)
    number = int(arguments[0])
    return word(action, number) if name == "word" else printed(action, number)


def _cat(scene: Scene, paths: Sequence[str]) -> str:
    return "".join(content(scene, followed(scene, found)) for path in paths for found in matching(scene, path))


def _glob(scene: Scene, arguments: Sequence[str]) -> str:
    """`ls PATTERN`: the files, then what is in each directory."""
    found = matching(scene, arguments[0])
    directories = [path for path in found if is_directory(scene, followed(scene, path))]
    files = "".join(f"{path}\n" for path in found if path not in directories)
    inside = {path: _listed(_plain)(scene, (path,)) for path in directories}
    if len(found) == len(directories) == 1:
        return inside[directories[0]]
    shown = [*((files,) if files else ()), *(f"{path}:\n{listing}" for path, listing in inside.items())]
    return "\n".join(shown)


def _removed(scene: Scene, arguments: Sequence[str]) -> str:
    """`rm PATTERN`, as lines of change: what is no directory is gone."""
    return "".join(f"-{path}\n" for path in matching(scene, arguments[0]) if not _is_kept(scene, path))


def _refused(scene: Scene, arguments: Sequence[str]) -> str:
    """What `rm PATTERN` says of the directories."""
    found = (path for path in matching(scene, arguments[0]) if _is_kept(scene, path))
    return "".join(f"rm: cannot remove '{path}': Is a directory\n" for path in found)


def _is_kept(scene: Scene, path: str) -> bool:
    return is_directory(scene, typed(scene, path))


def _here(scene: Scene, arguments: Sequence[str]) -> str:
    return _absolute(scene, scene.here) + "\n"


def _real(scene: Scene, arguments: Sequence[str]) -> str:
    return _absolute(scene, followed(scene, arguments[0])) + "\n"


def _absolute(scene: Scene, name: str) -> str:
    return f"{scene.root.rstrip('/')}/{name}".rstrip("/") or "/"


def _listed(show: Callable[[Scene, str, str], str | None]) -> Source:
    def source(scene: Scene, arguments: Sequence[str]) -> str:
        name = followed(scene, arguments[0])
        if not is_directory(scene, name):
            raise KeyError(name)
        shown = (show(scene, name, child) for child in children(scene, name))
        return "".join(f"{child}\n" for child in shown if child is not None)

    return source


def _plain(scene: Scene, directory: str, child: str) -> str | None:
    return None if child.startswith(".") else child.rstrip("/")


def _all(scene: Scene, directory: str, child: str) -> str:
    return child.rstrip("/")


def _really_all(scene: Scene, arguments: Sequence[str]) -> str:
    return f".\n..\n{_listed(_all)(scene, arguments)}"


def _marked(scene: Scene, directory: str, child: str) -> str | None:
    if child.startswith("."):
        return None
    if child.endswith("/"):
        return child
    value = scene.facts[f"{directory}/{child}" if directory else child]
    if value.startswith(">"):
        return f"{child}@"
    permissions = value[1 : value.index("=")] if value.startswith(":") else "644"
    return f"{child}*" if any(int(digit) & 1 for digit in permissions) else child


def _slashed(scene: Scene, directory: str, child: str) -> str | None:
    return None if child.startswith(".") else child


def _told(scene: Scene, directory: str, child: str) -> str:
    return f"[DIR] {child.rstrip('/')}" if child.endswith("/") else f"[FILE] {child}"


def _found(scene: Scene, arguments: Sequence[str]) -> str:
    """`find PATH`, sorted; then `f` or `d` for files or directories, and a pattern for their names."""
    path, *tests = arguments
    top = followed(scene, path)
    if not is_directory(scene, top):
        raise KeyError(top)
    names = ["", *(name[len(top) :].strip("/") + ("/" if name.endswith("/") else "") for name in scene.below(top))]
    kept = [name for name in names if all(_passes(scene, top, path, name, test) for test in tests)]
    lines = [f"{path}/{name.rstrip('/')}" if name else path for name in kept]
    return "".join(f"{line}\n" for line in sorted(lines, key=str.encode))


def _passes(scene: Scene, top: str, path: str, name: str, test: str) -> bool:
    if test in ("f", "d"):
        directory = not name or name.endswith("/")
        link = not directory and scene.facts[f"{top}/{name}" if top else name].startswith(">")
        return directory if test == "d" else not (directory or link)
    last = (name or path).rstrip("/").rsplit("/", 1)[-1]
    return fnmatchcase(last, test)


def _searched(scene: Scene, arguments: Sequence[str]) -> str:
    """`having WORD PATH`: the files with a word in them, sorted, as `grep -rl` names them."""
    word, path = arguments
    top = followed(scene, path)
    found: list[str] = []
    for name in scene.below(top):
        if not name.endswith("/") and not scene.facts[name].startswith(">") and word in content(scene, name):
            found.append(f"{path}/{name[len(top) :].strip('/')}\n")
    return "".join(sorted(found, key=str.encode))


def _lines_with(*, numbered: bool) -> Source:
    """`grep-r WORD PATH`: every line with a word in it, sorted, as `grep -r` names them."""

    def source(scene: Scene, arguments: Sequence[str]) -> str:
        word, path = arguments
        top = followed(scene, path)
        found: list[str] = []
        for name in scene.below(top):
            if name.endswith("/") or scene.facts[name].startswith(">"):
                continue
            for count, line in enumerate(content(scene, name).removesuffix("\n").split("\n"), 1):
                if word in line:
                    place = f"{path}/{name[len(top) :].strip('/')}:" + (f"{count}:" if numbered else "")
                    found.append(f"{place}{line}\n")
        return "".join(sorted(found, key=str.encode))

    return source


def _last_part(scene: Scene, arguments: Sequence[str]) -> str:
    return posixpath.basename(arguments[0].rstrip("/")) + "\n"


def _all_but_the_last_part(scene: Scene, arguments: Sequence[str]) -> str:
    return (posixpath.dirname(arguments[0].rstrip("/")) or ".") + "\n"


def _permissions(scene: Scene, arguments: Sequence[str]) -> str:
    name = followed(scene, arguments[0])
    return "755\n" if is_directory(scene, name) else f"{mode(scene, name)}\n"


def _landed(scene: Scene, arguments: Sequence[str]) -> str:
    return landing(scene, arguments[0], arguments[1]) + "\n"


def _target(scene: Scene, arguments: Sequence[str]) -> str:
    value = scene.facts[typed(scene, arguments[0])]
    if not value.startswith(">"):
        raise KeyError(arguments[0])
    return f"{value[1:]}\n"


SOURCES: Final[Mapping[str, Source]] = {
    "cat": _cat,
    "glob": _glob,
    "removed": _removed,
    "refused": _refused,
    "pwd": _here,
    "realpath": _real,
    "ls": _listed(_plain),
    "ls-a": _really_all,
    "ls-A": _listed(_all),
    "ls-F": _listed(_marked),
    "ls-p": _listed(_slashed),
    "listing": _listed(_told),
    "find": _found,
    "having": _searched,
    "grep-r": _lines_with(numbered=False),
    "grep-rn": _lines_with(numbered=True),
    "basename": _last_part,
    "dirname": _all_but_the_last_part,
    "mode": _permissions,
    "readlink": _target,
    "landing": _landed,
    **REPOSITORY,
}
