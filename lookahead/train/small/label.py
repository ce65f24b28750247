"""Says as a program what really happened: the shortest one found that, run on the scene before, gives just that.

Nothing is taken from the command but its words. A formula is kept only where computing it gives, to the byte, what the
shell answered; a change only where applying it leads to the files that were really there afterwards.
"""

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from typing import Final

from lookahead.train.small.refer import referring
from lookahead.worlds.embedded.effects import applied
from lookahead.worlds.embedded.formulas import Unknowable, evaluate
from lookahead.worlds.embedded.paths import NoSuchPath, followed, is_directory, is_file, typed
from lookahead.worlds.embedded.program import Ending, Program, filled, formula, shielded
from lookahead.worlds.embedded.scene import ASIDE, IS, Scene

_WORD: Final = re.compile(r"'([^']*)'|\"([^\"]*)\"|([^\s;|&<>'\"()]+)")
_LOOKING: Final = frozenset(
    "cat ls find head tail grep sort uniq sed cut awk tac rev wc tr readlink git".split()  # noqa: SIM905
)
_GIT_CHANGES: Final = re.compile(r"\bgit (?!status|log|ls-files|branch)")
_MOST: Final = 4_000
"""How many formulas are tried for one answer."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """What a command line is made of, as far as it matters for finding formulas."""

    line: str

    @cached_property
    def all(self) -> list[str]:
        """Its words in order, each once, quotes taken off."""
        found = ("".join(parts) for parts in _WORD.findall(self.line))
        return list(dict.fromkeys(word for word in found if word))

    @cached_property
    def flags(self) -> str:
        return "".join(word for word in self.all if word.startswith("-"))

    @cached_property
    def numbers(self) -> list[str]:
        return list(dict.fromkeys(re.findall(r"\d+", self.line)))[:6]

    @cached_property
    def plain(self) -> list[str]:
        """Words that could be looked for or put in: no spaces, no flags."""
        parts = (part for word in self.all for part in (word, *re.split(r"[/=,]", word)))
        found = dict.fromkeys(part for part in parts if part and " " not in part and not part.startswith("-"))
        # Who looks for a word seldom looks for the command's own name.
        return sorted(found, key=lambda part: part in _LOOKING)[:12]

    def has(self, name: str) -> bool:
        return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.])", self.line) is not None


def labelled(scene: Scene, line: str, ending: Ending, answer: str, after: Scene) -> Program:
    """The program of one real call. `answer` is without the line break at its end."""
    words = Words(line=line)
    found = Program(ending=ending, result=_result(scene, words, answer), changes=_changes(scene, words, after))
    program = referring(scene, line, found, answer, after)
    assert filled(scene, line, program.result, exact=False) == answer, (line, answer, program)
    assert same(applied(scene, line, program.changes), after), (line, program)
    return program


def same(one: Scene, other: Scene) -> bool:
    return one.here == other.here and dict(one.facts) == dict(other.facts)


# what came back


def _result(scene: Scene, words: Words, answer: str) -> str:
    if not answer:
        return _silent(scene, words)
    whole = _explained(scene, words, answer)
    if whole is not None:
        return whole
    lines = answer.split("\n")
    if 1 < len(lines) <= 8:
        for cut in range(len(lines) - 1, 0, -1):  # the longest beginning that is explained, then the rest by itself
            first = _explained(scene, words, "\n".join(lines[:cut]))
            if first is not None:
                return first + shielded("\n") + _result(scene, words, "\n".join(lines[cut:]))
        return shielded(lines[0] + "\n") + _result(scene, words, "\n".join(lines[1:]))
    return shielded(answer)


def _silent(scene: Scene, words: Words) -> str:
    """Nothing came back: from a command that only looks, the formula that comes to nothing."""
    line = re.sub(r"^cd \S+ && ", "", words.line)
    stages = [stage.split()[:1] for stage in line.split("|")]
    if (
        any(sign in line for sign in (">", "&", ";", "-i ", "<<"))
        or _GIT_CHANGES.search(line)
        or not all(stage and stage[0] in _LOOKING for stage in stages)
    ):
        return ""
    return next((formula(found) for found, text in _computed(scene, words) if not text), "")


def _explained(scene: Scene, words: Words, answer: str) -> str | None:
    """A formula, or one with a few words of the command behind it, as `wc` prints a name."""
    for found, text in _computed(scene, words):
        value = text.removesuffix("\n")
        if value == answer:
            return formula(found)
        rest = answer.removeprefix(value)
        if value and rest.startswith(" ") and value.isdigit() and rest[1:] in words.all:
            return formula(found) + rest
    return None


def _computed(scene: Scene, words: Words) -> Iterator[tuple[str, str]]:
    """Formulas made of the command's own words with what they come to, likely ones first."""
    tried = 0
    sources = list(dict.fromkeys(_sources(scene, words)))
    chains = _chains(words)
    for chain in chains:
        for source in sources:
            tried += 1
            if tried > _MOST:
                return
            found = " | ".join((source, *chain))
            try:
                yield found, evaluate(scene, words.line, found)
            except Unknowable:
                continue


def _sources(scene: Scene, words: Words) -> Iterator[str]:
    files, directories = _paths(scene, words)
    patterns = [word for word in words.all if "*" in word and " " not in word]
    if words.has("cat"):
        yield from (f"cat {one} {other}" for one, other in _pairs(words, files))
        yield from (f"cat {pattern}" for pattern in patterns)
    if words.has("ls"):
        yield from (f"glob {pattern}" for pattern in patterns)
        letters = [letter for letter in "AFp" if letter in words.flags] or (["A"] if "a" in words.flags else [])
        names = [f"ls-{letter}" for letter in letters] or ["ls"]
        if "-a" in words.flags or re.search(r"-\w*a", words.flags):
            names = ["ls-a", *names]
        yield from (f"{name} {path}" for name, path in product(names, [*directories, "."]))
    if words.has("find"):
        tests = [word for word in ("f", "d") if f"type {word}" in words.line]
        for path in [*directories, "."]:
            yield from (f"find {path} {' '.join((*tests, pattern))}" for pattern in patterns)
            yield " ".join(("find", path, *tests))
    if words.has("grep") and "r" in words.flags:
        name = "having" if "l" in words.flags else "grep-rn" if "n" in words.flags else "grep-r"
        yield from (f"{name} {word} {path}" for word, path in product(words.plain, [*directories, "."]))
    if words.has("rm"):
        yield from (f"refused {pattern}" for pattern in patterns)
    if words.has("pwd"):
        yield "pwd"
        yield from (f"realpath {path}" for path in directories)
    if words.has("stat"):
        yield from (f"mode {path}" for path in (*files, *directories))
    for name in ("readlink", "realpath", "basename", "dirname"):
        if words.has(name):
            yield from (f"{name} {path}" for path in (*files, *directories))
    if words.has("git"):
        yield from (found for asked, found in _GIT.items() if f"git {asked}" in words.line)
    yield from (f"cat {path}" for path in files)


_GIT: Final = {
    "status --porcelain": "status",
    "status": "status-near",
    "log": "log",
    "branch": "git head",
    "ls-files": "tracked",
    "commit": "unsaid",
}


def _paths(scene: Scene, words: Words) -> tuple[list[str], list[str]]:
    """The command's words that are files and directories, also below a directory that it changes to."""
    files: list[str] = []
    directories: list[str] = []
    bases = [word for word in words.all if words.has("cd")]
    candidates = [*words.all, *(f"{base}/{word}" for base in bases for word in words.all if base != word)]
    for word in candidates:
        if " " in word or word.startswith(("-", ASIDE)) or "*" in word:
            continue
        try:
            name = followed(scene, word)
        except (NoSuchPath, KeyError):
            continue
        if is_directory(scene, name):
            directories.append(word)
        elif is_file(scene, name) or typed(scene, word) in scene.facts:
            files.append(word)
    return files[:4], directories[:3]


def _pairs(words: Words, files: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Two files one after the other in the line, the same twice perhaps."""
    order = [word for parts in _WORD.findall(words.line) if (word := "".join(parts)) in files]
    yield from pairwise(order)


def _chains(words: Words) -> list[tuple[str, ...]]:
    """What may be done with a text, in the order in which the command names it; then also less of it."""
    named = sorted((place, stages) for place, stages in _stages(words) if stages and place >= 0)
    full = [stages for _, stages in named][:3]
    chains: list[tuple[str, ...]] = []
    for length in range(len(full), -1, -1):
        for start in range(len(full) - length + 1):
            chains += product(*full[start : start + length])
    return list(dict.fromkeys(chains))


def _stages(words: Words) -> Iterator[tuple[int, list[str]]]:
    line, numbers, plain = words.line, words.numbers, words.plain
    yield _at(line, r"\bsort\b"), _flagged("sort", "rnu", line)
    yield _at(line, r"\buniq\b"), _flagged("uniq", "c", line)
    yield _at(line, r"\bhead\b"), [f"head {number}" for number in numbers]
    yield _at(line, r"\btail\b"), [f"tail {number}" for number in numbers]
    yield _at(line, r"\bwc\b"), [f"wc-{letter}" for letter in "lwc" if letter in words.flags]
    yield _at(line, r"stat -c %s"), ["wc-c"]
    yield (
        _at(line, r"\bgrep\b(?! -\w*r)"),  # below a directory the source itself looks
        [f"{name} {word}" for name in _flagged("grep", "ncvi", line) for word in plain],
    )
    yield _at(line, r"\bcut\b"), [f"cut {sign} {number}" for sign in ",=:" if sign in line for number in numbers]
    yield _at(line, r"\bawk\b"), [f"field {number}" for number in numbers]
    yield _at(line, r"\btac\b"), ["tac"]
    yield _at(line, r"\brev\b"), ["rev"]
    yield _at(line, r"\btr\b"), ["upper", "lower"]
    if sed := re.search(r"sed (?:-i )?'s/([^/ ]+)/([^/ ]+)/(g?)'", line):
        yield sed.start(), [f"sub{sed.group(3)} {sed.group(1)} {sed.group(2)}"]
    elif words.has("sed"):
        dropped = [f"drop {number}" for number in numbers]
        kept = [f"lines {first} {last}" for first in numbers for last in numbers if int(first) <= int(last)]
        yield _at(line, r"\bsed\b"), dropped if "d'" in line else kept


def _at(line: str, pattern: str) -> int:
    found = re.search(pattern, line)
    return found.start() if found else -1


def _flagged(name: str, letters: str, line: str) -> list[str]:
    """The variants that this command's own flags ask for, else the plain one."""
    found = re.search(rf"\b{name}\b([^|;&<>]*)", line)
    flags = "".join(word for word in found.group(1).split() if word.startswith("-")) if found else ""
    return [f"{name}-{letter}" for letter in letters if letter in flags] or [name]


# what is different afterwards


def _changes(before: Scene, words: Words, after: Scene) -> tuple[str, ...]:
    """Lines, each of which brings the scene nearer to what is really there; those that explain most come first."""
    found: list[str] = []
    current, missing = before, _missing(before, after)
    if not missing:
        return ()
    candidates = list(dict.fromkeys((*_shorthand(before, words, after), *_spelled(before, words, after))))
    while missing:
        best: tuple[int, int, str, Scene] | None = None
        for place, change in enumerate(candidates):
            try:
                reached = applied(before, words.line, (*found, change))
            except Unknowable:
                continue
            left = _missing(reached, after)
            if len(left) < len(missing) and (best is None or (len(left), place) < best[:2]):
                best = (len(left), place, change, reached)
        if best is None:
            raise Unknowable(f"no line of change explains {sorted(missing)[:3]} of {words.line[:80]!r}")
        found.append(best[2])
        current = best[3]
        missing = _missing(current, after)
    return tuple(found)


def _missing(one: Scene, other: Scene) -> set[str]:
    """The names of what differs; the working directory has the empty one."""
    facts = {name for name, _ in one.facts.items() ^ other.facts.items()}
    return facts | ({""} if one.here != other.here else set())


def _shorthand(before: Scene, words: Words, after: Scene) -> Iterator[str]:
    """Lines made of the command's words, which say in one what would take many."""
    paths = [word for word in words.all if " " not in word and not word.startswith("-")]
    if words.has("cd"):
        if re.search(r"\bcd\s*(~\s*)?($|[;&|])", words.line):
            yield "@~"
        yield from (f"@{path}" for path in paths)
    if words.has("rm") or words.has("rmdir"):
        yield from (f"-{path}" for path in paths)
        yield from (f"~removed {path}" for path in paths if "*" in path)
    if words.has("mv"):
        yield from (f">{source}{IS}{target}" for source, target in product(paths, paths) if source != target)
    if words.has("cp"):
        yield from (f"*{source}{IS}{target}" for source, target in product(paths, paths) if source != target)
    if words.has("mkdir"):
        yield from (f"+{path}/{IS}" for path in paths)
    if words.has("git"):
        whole = ("~",) if re.search(r"add (-A|--all)\b", words.line) else ()
        yield from (f"~staged {path}" for path in (*whole, *(path for path in paths if path not in ("git", "add"))))
        yield from (f"~{name} {word}" for name in ("committed", "snapshot") for word in words.all)
    if words.has("chmod"):
        modes = {value[1 : value.index("=")] for value in after.facts.values() if value.startswith(":")} | {"644"}
        yield from (f":{path}{IS}{mode}" for path in paths for mode in sorted(modes))
    if words.has("ln"):
        yield from (f"+{target}{IS}>{source}" for source, target in product(paths, paths))
    if ">" in words.line or "sed -i" in words.line or words.has("tee"):
        yield from _computed_contents(before, words, after, paths)


def _computed_contents(before: Scene, words: Words, after: Scene, paths: Sequence[str]) -> Iterator[str]:
    if words.has("echo") or words.has("printf") or "<<" in words.line:
        return
    for path in paths:
        try:
            name = followed(before, path)
        except (NoSuchPath, KeyError):
            continue
        value = after.facts.get(name, "")
        if (
            before.facts.get(name) == value
            or "=" not in value
            or words.has("touch")
            or words.line.startswith((":", ">"))
        ):
            continue
        body, old = value[value.index("=") + 1 :], before.facts.get(name, "=")
        start = old[old.index("=") + 1 :] if "=" in old else ""
        for found, text in _computed(before, words):
            if text == body:
                yield f"+{path}{IS}={formula(found)}"
                break
            if start and text and start + text == body and ">>" in words.line:
                yield f"&{path}{IS}{formula(found)}"
                break


def _spelled(before: Scene, words: Words, after: Scene) -> Iterator[str]:
    """One line for each fact that differs, with all of its text; named as the command names it where it does."""
    named: dict[str, str] = {}
    bases = [word for word in words.all if words.has("cd")]
    for word in (*words.all, *(f"{base}/{word}" for base in bases for word in words.all)):
        if " " not in word and not word.startswith("-"):
            try:
                named.setdefault(followed(before, word), word)
                named.setdefault(typed(before, word), word)
            except (NoSuchPath, KeyError):
                continue
    if before.here != after.here:
        yield f"@{named.get(after.here) or _near(before, after.here)}"
    # Longest first where things go, shortest first where they come: a directory before what is in it.
    for name in sorted(before.facts.keys() - after.facts.keys(), key=len, reverse=True):
        yield f"-{_name(before, named, name)}"
    for name in sorted(name for name, value in after.facts.items() if before.facts.get(name) != value):
        yield from _one_spelled(before, named, name, after.facts[name])


def _one_spelled(before: Scene, named: dict[str, str], name: str, value: str) -> Iterator[str]:
    path = _name(before, named, name)
    old = before.facts.get(name)
    if name.startswith(ASIDE):
        if old is not None and value.startswith(old):
            yield f"&{name}{IS}{shielded(value[len(old) :])}"
        yield f"+{name}{IS}{shielded(value)}"
    elif name.endswith("/"):
        yield f"+{path}/{IS}"
    elif value.startswith(">"):
        yield f"+{path}{IS}{value}"
    else:
        body = value[value.index("=") + 1 :]
        if old is not None and "=" in old and body.startswith(start := old[old.index("=") + 1 :]) and start:
            yield f"&{path}{IS}{shielded(body[len(start) :])}"
        kept = (old or "=").partition("=")[0]
        yield f"+{path}{IS}{'' if kept == value.partition('=')[0] else value.partition('=')[0]}={shielded(body)}"


def _name(scene: Scene, named: dict[str, str], name: str) -> str:
    if name.startswith(ASIDE):
        return name
    bare = name.rstrip("/")
    return named.get(bare) or _near(scene, bare)


def _near(scene: Scene, name: str) -> str:
    return posixpath.relpath(name or ".", scene.here) if scene.here else name or "."
