"""What git says of a tree, and what it knows afterwards: `status`, `staged PATH`, `committed MESSAGE`, `unsaid`.

What git knows of a file stands beside the tree (`#/PATH`) as the two letters of `git status --short`; `--` is tracked
and unchanged. Of what is committed only the first lines are known, oldest first (`#log`).
"""

import posixpath
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from lookahead.worlds.embedded.paths import is_directory, typed
from lookahead.worlds.embedded.scene import ASIDE, BREAK, IS, Scene

Source: TypeAlias = Callable[[Scene, Sequence[str]], str]


def _tracked(scene: Scene, arguments: Sequence[str]) -> str:
    return "".join(f"{name}\n" for name in sorted(_known(scene), key=str.encode))


def _status(scene: Scene, arguments: Sequence[str]) -> str:
    """`git status --short` at the top of a repository: what differs, then what git does not know."""
    known = _known(scene)
    differs = [f"{code} {name}\n" for name, code in sorted(known.items(), key=_name_bytes) if code != "--"]
    unknown: set[str] = set()
    for name in scene.below(""):
        if not name.endswith("/") and name not in known:
            unknown.add(_outermost(name, known))
    return "".join((*differs, *(f"?? {name}\n" for name in sorted(unknown, key=str.encode))))


def _name_bytes(item: tuple[str, str]) -> bytes:
    return item[0].encode()


def _outermost(name: str, known: Mapping[str, str]) -> str:
    """The outermost directory in which git knows nothing, or the file itself."""
    parts = name.split("/")
    for count in range(1, len(parts)):
        directory = "/".join(parts[:count]) + "/"
        if not any(found.startswith(directory) for found in known):
            return directory
    return name


def _staged(scene: Scene, arguments: Sequence[str]) -> str:
    """`git add PATH`, as lines of change: what git now knows of each file below the path."""
    return "".join(f"{line}\n" for line in _added(scene, arguments[0]))


def _added(scene: Scene, path: str) -> list[str]:
    mark, top, known = f"{ASIDE}/", typed(scene, path), _known(scene)
    new = {name: "??" for name in scene.below("") if not name.endswith("/") and name not in known}
    lines: list[str] = []
    for name, code in {**known, **new}.items():
        if (not top or name == top or name.startswith(f"{top}/")) and code in _ADDED:
            after = _ADDED[code]
            lines.append(f"+{mark}{name}{IS}{after}" if after else f"-{mark}{name}")
    if not lines and top and not is_directory(scene, top) and top not in scene.facts and top not in known:
        raise KeyError(path)
    return lines


_ADDED: Final = {"??": "A ", " M": "M ", "AM": "A ", "MM": "M ", " D": "D ", "MD": "D ", "AD": ""}
"""What git knows of a file before and after it is added; nothing, where it never was."""


def _committed(scene: Scene, arguments: Sequence[str]) -> str:
    """`git commit -m MESSAGE`, as lines of change."""
    lines: list[str] = []
    for name, code in _known(scene).items():
        if code[0] in "AMD":
            after = "--" if code[1] == " " else f" {code[1]}"
            lines.append(f"-{ASIDE}/{name}" if code[0] == "D" else f"+{ASIDE}/{name}{IS}{after}")
    if not lines:
        raise KeyError("nothing to commit")
    return "".join(f"{line}\n" for line in (*lines, f"&{ASIDE}log{IS}{' '.join(arguments)}{BREAK}"))


def _snapshot(scene: Scene, arguments: Sequence[str]) -> str:
    """`git add -A && git commit -m MESSAGE`."""
    facts = dict(scene.facts)
    for line in _added(scene, scene.root):
        name, _, code = line[1:].partition(IS)
        if code:
            facts[name] = code
        else:
            del facts[name]
    after = _committed(scene.with_facts(facts), arguments)
    gone = [f"-{name}\n" for name in scene.facts if name not in facts]
    return "".join((*gone, after))


def _fact(scene: Scene, arguments: Sequence[str]) -> str:
    return f"{scene.facts[f'{ASIDE}{arguments[0]}']}\n"


def _near(scene: Scene, name: str) -> str:
    """As git prints it to somebody who stands in the working directory."""
    if not scene.here:
        return name
    return posixpath.relpath(name, scene.here) + ("/" if name.endswith("/") else "")


def _status_near(scene: Scene, arguments: Sequence[str]) -> str:
    """`git status --short` where somebody stands: `status` is as a script is told it, from the top."""
    lines = _status(scene, arguments).splitlines()
    return "".join(f"{line[:3]}{_near(scene, line[3:])}\n" for line in lines)


def _log(scene: Scene, arguments: Sequence[str]) -> str:
    """The first lines of what was committed, newest first."""
    log = scene.facts[f"{ASIDE}log"]
    if not log:
        raise KeyError("no commits")
    return "".join(f"{line}\n" for line in reversed(log.splitlines()))


def _unsaid(scene: Scene, arguments: Sequence[str]) -> str:
    """What `git commit` answers where nothing is staged."""
    known = _known(scene)
    changed = {name: code[1] for name, code in known.items() if code[1] in _WHAT}
    unknown = [line[3:] for line in _status(scene, ()).splitlines() if line.startswith("??")]
    begun = bool(scene.facts[f"{ASIDE}log"])
    lines = [f"On branch {scene.facts[f'{ASIDE}head']}", *(() if begun else ("", "Initial commit", ""))]
    if changed:
        gone = "/rm" if "D" in changed.values() else ""
        lines += ["Changes not staged for commit:"]
        lines += [f'  (use "git add{gone} <file>..." to update what will be committed)']
        lines += ['  (use "git restore <file>..." to discard changes in working directory)']
        lines += [f"\t{_WHAT[code]}{_near(scene, name)}" for name, code in sorted(changed.items(), key=_name_bytes)]
        lines += [""]
    if unknown:
        lines += ["Untracked files:", '  (use "git add <file>..." to include in what will be committed)']
        lines += [f"\t{_near(scene, name)}" for name in unknown]
        lines += [""]
    return "".join(f"{line}\n" for line in (*lines, _last(changed, unknown, begun=begun)))


_WHAT: Final = {"M": "modified:   ", "D": "deleted:    "}


def _last(changed: Mapping[str, str], unknown: Sequence[str], *, begun: bool) -> str:
    if changed:
        return 'no changes added to commit (use "git add" and/or "git commit -a")'
    if unknown:
        return 'nothing added to commit but untracked files present (use "git add" to track)'
    if begun:
        return "nothing to commit, working tree clean"
    return 'nothing to commit (create/copy files and use "git add" to track)'


def noticed(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """What git notices by itself when files that it tracks are gone, other ones or back: the second of the letters.

    A file that is back is taken for another than the one that git knows: what that was is not in the scene.
    """
    if f"{ASIDE}head" not in before:
        return {}
    found: dict[str, str] = {}
    for name, code in before.items():
        if not name.startswith(f"{ASIDE}/") or after.get(name) != code:
            continue
        old, new = (_content(facts.get(name.removeprefix(f"{ASIDE}/"))) for facts in (before, after))
        if old != new:
            found[name] = f"{code[0] if code != '--' else ' '}{'D' if new is None else 'M'}"
    return found


def _content(value: str | None) -> tuple[str, bool] | None:
    """As git sees a file: what is in it, and whether it may be executed."""
    if value is None or not value.startswith(":"):
        return None if value is None else (value, False)
    permissions, _, body = value[1:].partition("=")
    return f"={body}", bool(int(permissions, 8) & 0o100)


def _known(scene: Scene) -> dict[str, str]:
    mark = f"{ASIDE}/"
    return {name.removeprefix(mark): code for name, code in scene.facts.items() if name.startswith(mark)}


REPOSITORY: Final[Mapping[str, Source]] = {
    "tracked": _tracked,
    "status": _status,
    "status-near": _status_near,
    "log": _log,
    "unsaid": _unsaid,
    "staged": _staged,
    "committed": _committed,
    "snapshot": _snapshot,
    "git": _fact,
}
