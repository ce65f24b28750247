"""Says a program with the numbers of the command's words, where it spelled them: `-$2` for `-old notes.txt`.

A small model that copies a strange name letter by letter gets one letter wrong. Where the name stands it always knows.
"""

import re
from contextlib import suppress
from dataclasses import replace
from typing import Final

from lookahead.worlds.embedded.effects import applied
from lookahead.worlds.embedded.formulas import Unknowable
from lookahead.worlds.embedded.formulas.typed import body, printed, words
from lookahead.worlds.embedded.landing import landing
from lookahead.worlds.embedded.paths import NoSuchPath
from lookahead.worlds.embedded.paths import typed as typed_path
from lookahead.worlds.embedded.program import DO, OD, Program, filled, formula, shielded
from lookahead.worlds.embedded.scene import ASIDE, BREAK, IS, Scene

_SCRIPTED: Final = {"sub": "sed", "subg": "sed", "drop": "sed", "lines": "sed"}
"""Filters that one word of the command says whole."""
_INSIDE: Final = re.compile(f"{DO}([^{OD}]*){OD}")
_SHORTEST: Final = 2


def referring(scene: Scene, line: str, program: Program, answer: str, after: Scene) -> Program:
    """The same program with references, as far as it still gives just what happened."""
    try:
        typed = words(line)
    except Unknowable:
        return program
    found = program
    for result in (_result(typed, _landings(scene, typed, program.result)), _result(typed, program.result)):
        if _says(scene, line, result, answer):
            found = Program(ending=found.ending, result=result, changes=found.changes)
            break
    if not program.changes and program.ending == "0" and typed[:1] == ("chmod",) and len(typed) == 3:
        tried = (f":$2{IS}$1",)  # it makes no difference, and is said all the same: so there is nothing to look up
        return replace(found, changes=tried) if _leads(scene, line, tried, after) else found
    for place, change in enumerate(program.changes):
        for other in _changes(scene, typed, line, change):
            tried = (*found.changes[:place], other, *found.changes[place + 1 :])
            if _leads(scene, line, tried, after):
                found = Program(ending=found.ending, result=found.result, changes=tried)
                break
    return found


def _says(scene: Scene, line: str, result: str, answer: str) -> bool:
    try:
        return filled(scene, line, result, exact=False) == answer
    except Unknowable:
        return False


def _leads(scene: Scene, line: str, changes: tuple[str, ...], after: Scene) -> bool:
    try:
        reached = applied(scene, line, changes)
    except Unknowable:
        return False
    return reached.here == after.here and dict(reached.facts) == dict(after.facts)


def _landings(scene: Scene, typed: tuple[str, ...], result: str) -> str:
    """What `mv` and `cp` say of where something was to end, and git of its branch, as the formula for it."""
    if typed[:1] == ("git",):
        branch = scene.facts.get(f"{ASIDE}head", "")
        return result.replace(f"branch '{branch}'", f"branch '{formula('git head')}'") if branch else result
    if DO in result or typed[:1] not in (("mv",), ("cp",)):
        return result
    operands = [number for number, word in enumerate(typed) if number and not word.startswith("-")]
    if len(operands) < 2:
        return result
    *sources, target = operands
    ends: dict[str, str] = {}
    for source in sources:
        ends.setdefault(landing(scene, typed[source], typed[target]), formula(f"landing ${source} ${target}"))

    def said(match: re.Match[str]) -> str:
        return f"{match.group(1)}'{ends.get(match.group(2), match.group(2))}'"

    return _ENDS.sub(said, result)


_ENDS: Final = re.compile(
    r"(itself, |just-created |' and |' to |overwrite (?:non-)?(?:directory )?|create (?:regular file|directory) )"
    r"'([^']*)'"
)
"""Words of `mv` and `cp` behind which stands where something was to end."""


def _result(typed: tuple[str, ...], result: str) -> str:
    """Formulas with references; and what is spelled, with the words of the command taken from there."""
    parts = _INSIDE.split(result)
    return "".join(
        formula(_formula(typed, part)) if place % 2 else _spelled(typed, part) for place, part in enumerate(parts)
    )


def _spelled(typed: tuple[str, ...], text: str) -> str:
    if not text:
        return text
    named = {word: number for number, word in reversed(list(enumerate(typed))) if _worth(typed, word, number, text)}
    if not named:
        return text
    pattern = "|".join(re.escape(shielded(word)) for word in sorted(named, key=len, reverse=True))
    found = re.compile(rf"(?<![\w./-])(?:{pattern})(?![\w/-])(?!\.\w)")
    return found.sub(lambda match: formula(f"word {named[match.group(0).replace(BREAK, chr(10))]}"), text)


def _worth(typed: tuple[str, ...], word: str, number: int, text: str) -> bool:
    if number == 0:
        return "command not found" in text or len(typed) == 1  # `> notes` names what it writes first
    if typed[0] == "git" and number == 1:
        return False
    return (len(word) >= _SHORTEST and not word.startswith("-")) or word == text


def _formula(typed: tuple[str, ...], said: str) -> str:
    stages = [stage.split(" ") for stage in said.split(" | ")]
    return " | ".join(" ".join(_stage(typed, stage)) for stage in stages)


def _count(typed: tuple[str, ...], name: str, argument: str) -> str:
    """How many lines `head` or `tail` were asked for: the number behind their own name, not one of the other's."""
    own = typed.index(name)
    return f"${own + 2}" if typed[own + 1 : own + 3] == ("-n", argument) else argument


def _stage(typed: tuple[str, ...], stage: list[str]) -> list[str]:
    name, *arguments = stage
    if name in _SCRIPTED:
        scripts = [number for number, word in enumerate(typed) if number and re.search(r"^s/|^\d+(,\d+)?[pd]$", word)]
        if len(scripts) == 1:
            return ["sed", f"${scripts[0]}"]
    if name in ("head", "tail") and name in typed and len(arguments) == 1:
        return [name, _count(typed, name, arguments[0])]
    return [name, *(_reference(typed, argument) for argument in arguments)]


def _reference(typed: tuple[str, ...], argument: str) -> str:
    for number, word in enumerate(typed):
        if (number or len(typed) == 1) and word == argument and not word.startswith("-"):
            return f"${number}"
    if "/" in argument:  # below a directory that the command changes to
        base, _, rest = argument.rpartition("/")
        if base in typed[1:] and rest in typed[1:]:
            return f"${typed.index(base, 1)}/${typed.index(rest, 1)}"
    return argument


def _tracked(scene: Scene, typed: tuple[str, ...], name: str) -> str:
    """The word that git knows by this name, which it counts from the top."""
    for number, word in enumerate(typed):
        with suppress(NoSuchPath):
            if number and typed_path(scene, word) == name and not word.startswith("-"):
                return f"${number}"
    return name


def _changes(scene: Scene, typed: tuple[str, ...], line: str, change: str) -> list[str]:
    """A line of change with references, most of them first."""
    mark, rest = change[0], change[1:]
    name, divided, value = rest.partition(IS)
    if mark == "~":
        source, _, argument = rest.partition(" ")
        return [f"~{source} {_reference(typed, argument)}"] if argument else []
    if name.startswith(f"{ASIDE}/"):
        return [f"{mark}{ASIDE}/{_tracked(scene, typed, name[2:])}{divided}{value}"]
    if name.startswith(ASIDE):
        number = next((number for number, word in enumerate(typed) if number and word == value), None)
        return [f"{mark}{name}{IS}{formula(f'word {number}')}"] if number is not None and mark == "+" else []
    slash = "/" if mark == "+" and name.endswith("/") else ""
    bare = name[:-1] if slash else name
    other = _reference(typed, bare) + slash
    if not divided:
        return [f"{mark}{other}"]
    if mark in ">*":
        return [f"{mark}{other}{IS}{_reference(typed, value)}"]
    if value.startswith(">"):
        return [f"{mark}{other}{IS}>{_reference(typed, value[1:])}"]
    if mark == ":":
        return [*(f"{mark}{other}{IS}${number}" for number in range(1, len(typed) - 1)), f"{mark}{other}{IS}{value}"]
    if slash:
        return [f"{mark}{other}{IS}{value}"]
    sign, text = ("", value) if mark == "&" else (value[: value.index("=") + 1], value[value.index("=") + 1 :])
    return [f"{mark}{other}{IS}{sign}{content}" for content in (*_contents(typed, line, text), text)]


def _contents(typed: tuple[str, ...], line: str, text: str) -> list[str]:
    plain = text.replace(BREAK, "\n")
    found: list[str] = []
    for number, word in enumerate(typed):
        if not number or not word:
            continue
        if f"{word}\n" == plain:
            found.append(f"{formula(f'word {number}')}{BREAK}")
        if word == plain:
            found.append(formula(f"word {number}"))
        if "printf" in line and printed(line, number) == plain:
            found.append(formula(f"printf {number}"))
    if "<<" in line:
        try:
            if body(line) == plain:
                found.append(formula("body"))
        except Unknowable:
            pass
    if DO in text:
        found.append(_INSIDE.sub(lambda inside: formula(_formula(typed, inside.group(1))), text))
    return found
