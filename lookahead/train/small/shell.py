"""Episodes in a real shell: at each step several command lines, each really run in a copy of what is there."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Final

from lookahead.train.small.example import Branch, Example
from lookahead.train.small.label import labelled
from lookahead.train.small.shell_lines import Line, Lines
from lookahead.train.small.words import Words
from lookahead.worlds.embedded.formulas import Unknowable
from lookahead.worlds.embedded.paths import written
from lookahead.worlds.embedded.program import Ending, Program
from lookahead.worlds.embedded.scene import ASIDE, Scene

BRANCHES: Final = 6
LARGEST: Final = 1_000
"""Characters of a scene. An episode in which there is more ends."""
LONGEST: Final = 400
"""Characters of an answer. A longer one is not learned."""
STEPS: Final = (6, 26)
WITH_GIT, OFTEN_WITH_GIT = 0.08, 0.3

_PLACE: Final = re.compile(r"\b(?:bash: )?line \d+: ")
_SCRIPT: Final = (
    "( HOME={copy}/top && cd {copy}/top/{here} && exec > {copy}/out 2>&1 < /dev/null && "
    """trap 'echo "$? $PWD" > {copy}/end' EXIT && eval "$(<{copy}/line)" )\n"""
)


@dataclass(frozen=True, kw_only=True)
class Came:
    """What really came of one line."""

    ending: Ending
    answer: str
    after: Scene


class Shell:
    """Runs lines in copies of a scene. One bash for all lines of a step; each has files and a subshell of its own."""

    def __init__(self) -> None:
        memory = Path("/dev/shm")
        self._folder = Path(tempfile.mkdtemp(prefix="scenes-", dir=memory if memory.is_dir() else None))

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, scene: Scene, lines: list[str]) -> list[Came | None]:
        """None for a line whose answer is no text, or that left something behind that is no part of a scene."""
        with_git = f"{ASIDE}head" in scene.facts
        script: list[str] = []
        for number, line in enumerate(lines):
            copy = self._folder / str(number)
            shutil.rmtree(copy, ignore_errors=True)
            top = copy / "top"
            top.mkdir(parents=True)
            if with_git:
                _copy_git(self._folder / "git", top)
            lay(scene, top)
            (copy / "line").write_text(line.replace(scene.root, str(top)))
            script.append(_SCRIPT.format(copy=copy, here=scene.here))
        subprocess.run(
            ["bash", "--norc", "--noprofile"], input="".join(script).encode(), env=_environment(), capture_output=True,
            cwd=self._folder, timeout=60,
        )  # fmt: skip
        return [self._came(scene, number) for number in range(len(lines))]

    def keep(self, number: int) -> None:
        """Go on from what the numbered line of the last run left: git's own files are no part of a scene."""
        kept, found = self._folder / "git", self._folder / str(number) / "top" / ".git"
        shutil.rmtree(kept, ignore_errors=True)
        if found.is_dir():
            shutil.copytree(found, kept, symlinks=True)

    def _came(self, scene: Scene, number: int) -> Came | None:
        copy = self._folder / str(number)
        top = str(copy / "top")
        try:
            code, _, here = (copy / "end").read_text().strip().partition(" ")
            answer = (copy / "out").read_bytes().decode()
            facts = seen(copy / "top")
        except (OSError, UnicodeDecodeError, Unknowable):
            return None
        if here != top and not here.startswith(f"{top}/"):
            return None
        answer = _PLACE.sub("bash: line 1: ", answer.replace(top, scene.root).replace("bash: bash:", "bash:"))
        ending: Ending = code if code in ("0", "1", "2") else "x"  # type: ignore[assignment]
        return Came(
            ending=ending,
            answer=answer.removesuffix("\n"),
            after=scene.with_facts(facts).at(here[len(top) :].strip("/")),
        )


def episode(seed: int, shell: Shell, *, hard: bool = False) -> Iterator[Example]:
    """One episode. The same seed gives the same one; a hard one has more repositories, and more of what is rare."""
    random = Random(seed)
    words = Words(random)
    scene = beginning(random, words, with_git=OFTEN_WITH_GIT if hard else WITH_GIT)
    shell.keep(-1)
    for depth in range(random.randint(*STEPS)):
        lines = _different(scene, words, hard=hard)
        real = [line for line in lines if line[0] != "foreign"]
        came = shell.run(scene, [line for _, line in real])
        branches = [_branch(scene, line, result) for line, result in zip(real, came, strict=True)]
        going = [number for number, branch in enumerate(branches) if branch is not None and _fits(came[number])]
        if not going:
            return
        weights = [_worth(branch) for number in going if (branch := branches[number]) is not None]
        chosen = random.choices(going, weights)[0]
        outside = [
            Branch(action=line, program=Program(ending="?"), command=kind) for kind, line in lines if kind == "foreign"
        ]
        found = [_marked(branch, number == chosen) for number, branch in enumerate(branches) if branch is not None]
        yield Example(scene=scene, branches=(*found, *outside), depth=depth, episode=f"shell-{seed}")
        shell.keep(chosen)
        after = came[chosen]
        assert after is not None
        scene = after.after


def beginning(random: Random, words: Words, *, with_git: float) -> Scene:
    """A few files and directories to begin with; often none."""
    root = random.choice(
        [
            "/home/user",
            "/root",
            "/workspace",
            "/app",
            "/srv",
            f"/home/{words.letters(3, 7)}",
            f"/tmp/{words.letters(4, 8)}",
        ]
    )
    facts: dict[str, str] = {}
    directories = [""]
    for _ in range(random.choice([0, 0, 0, 2, 4, 6, 8, 10])):
        where = random.choice(directories)
        if random.random() < 0.3:
            name = where + words.name()
            if name not in facts:
                facts[f"{name}/"] = ""
                directories.append(f"{name}/")
        elif f"{(name := where + words.file())}/" not in facts:
            body = (
                "\n".join(words.lines(1, 5)) + ("\n" if random.random() < 0.92 else "")
                if random.random() < 0.93
                else ""
            )
            facts[name] = written(body, random.choice(["644"] * 8 + ["600", "755"]))
    scene = Scene(kind="shell", root=root, facts=MappingProxyType(facts))
    if random.random() < with_git:
        return scene.with_facts({**facts, f"{ASIDE}head": "?"})
    return scene


def _different(scene: Scene, words: Words, *, hard: bool) -> list[Line]:
    """Lines of different kinds, as far as chance allows. A scene that is to have a repository first makes one."""
    if scene.facts.get(f"{ASIDE}head") == "?":
        return [("git init", "git init -q")]
    made = Lines(scene, words, hard=hard)
    found: dict[str, Line] = {}
    for _ in range(BRANCHES * 3):
        line = made.pick()
        if len(line[1]) <= 160:
            found.setdefault(line[0], line)
        if len(found) == BRANCHES:
            break
    return list(found.values())


def _branch(scene: Scene, line: Line, came: Came | None) -> Branch | None:
    if came is None or len(came.answer) > LONGEST:
        return None
    try:
        program = labelled(scene, line[1], came.ending, came.answer, came.after)
    except Unknowable:
        return None
    return Branch(action=line[1], program=program, command=line[0])


def _fits(came: Came | None) -> bool:
    return (
        came is not None and len(came.after.text()) <= LARGEST and "?" not in came.after.facts.get(f"{ASIDE}head", "")
    )


def _worth(branch: Branch) -> float:
    """An episode goes on mostly where something changed."""
    return 4.0 if branch.program.changes else 1.0


def _marked(branch: Branch, chosen: bool) -> Branch:
    return Branch(action=branch.action, program=branch.program, command=branch.command, chosen=chosen)


# between a scene and real files


def lay(scene: Scene, top: Path) -> None:
    """Make real files of a scene."""
    for name, value in sorted(scene.facts.items()):
        path = f"{top}/{name}"
        if name.startswith(ASIDE):
            continue
        if name.endswith("/"):
            os.mkdir(path)
        elif value.startswith(">"):
            os.symlink(value[1:], path)
        else:
            mode, _, body = value.partition("=")
            with open(path, "w", encoding="utf-8", newline="") as out:
                out.write(body)
            if mode:
                os.chmod(path, int(mode[1:], 8))


def seen(top: Path) -> Mapping[str, str]:
    """The facts of real files. Raises `Unknowable` for what is neither file, directory nor link, or is no text."""
    facts: dict[str, str] = {}
    for folder, directories, files in os.walk(top):
        below = os.path.relpath(folder, top)
        start = "" if below == "." else f"{below}/"
        if ".git" in directories and not start:
            directories.remove(".git")
            facts.update(_git(top))
        for name in directories + files:
            path = f"{folder}/{name}"
            if os.path.islink(path):
                facts[start + name] = f">{os.readlink(path)}"
            elif os.path.isdir(path):
                facts[f"{start}{name}/"] = ""
            elif os.path.isfile(path):
                with open(path, encoding="utf-8", newline="") as body:
                    facts[start + name] = written(body.read(), f"{os.stat(path).st_mode & 0o777:o}")
            else:
                raise Unknowable(name)
    return facts


def _git(top: Path) -> dict[str, str]:
    def asked(*arguments: str) -> str:
        command = ["git", "-c", "core.quotePath=false", *arguments]
        return subprocess.run(command, cwd=top, env=_environment(), capture_output=True, check=False).stdout.decode()

    facts = {f"{ASIDE}/{name}": "--" for name in asked("ls-files").splitlines()}
    for line in asked("status", "--porcelain", "--untracked-files=no", "--no-renames").splitlines():
        facts[f"{ASIDE}/{line[3:]}"] = line[:2]
    log = asked("log", "--reverse", "--format=%s")
    return {**facts, f"{ASIDE}head": asked("symbolic-ref", "--short", "HEAD").strip(), f"{ASIDE}log": log}


def _copy_git(kept: Path, top: Path) -> None:
    if kept.is_dir():
        shutil.copytree(kept, top / ".git", symlinks=True)


def _environment() -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C",
        "HOME": "/nonexistent",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "user",
        "GIT_AUTHOR_EMAIL": "user@example.com",
        "GIT_COMMITTER_NAME": "user",
        "GIT_COMMITTER_EMAIL": "user@example.com",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "init.defaultBranch",
        "GIT_CONFIG_VALUE_0": "main",
    }
