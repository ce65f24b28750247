"""Formulas over a store of keys and values. They speak of the call's own arguments: `value` is that of its `key`."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from lookahead.worlds.embedded.formulas.base import Unknowable
from lookahead.worlds.embedded.formulas.calls import argument, called
from lookahead.worlds.embedded.scene import Scene

Source: TypeAlias = Callable[[Scene, str], str]


def keys(scene: Scene, action: str, formula: str) -> str:
    """The text; where it is an answer, with a line break at its end, which the answer leaves out."""
    name, _, rest = formula.partition(" ")
    try:
        return argument(action, rest) if name == "arg" else SOURCES[formula](scene, action)
    except (KeyError, ValueError) as cause:
        raise Unknowable(f"{formula[:80]!r} cannot be computed here") from cause


def whole(text: str) -> int:
    """The number that a value is: digits, with a sign or without."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise ValueError(text)
    return int(text)


def _chosen(scene: Scene, action: str) -> list[str]:
    prefix = str(called(action)[1].get("prefix", ""))
    return sorted(name for name in scene.facts if name.startswith(prefix))


def _value(scene: Scene, action: str) -> str:
    return f"{scene.facts[argument(action, 'key')]}\n"


def _kept(scene: Scene, action: str) -> str:
    return scene.facts[argument(action, "key")]


def _names(scene: Scene, action: str) -> str:
    return "\n".join(_chosen(scene, action)) or "(none)"


def _count(scene: Scene, action: str) -> str:
    return f"{len(_chosen(scene, action))}"


def _plus(scene: Scene, action: str) -> str:
    by = called(action)[1].get("by", 1)
    return f"{whole(scene.facts.get(argument(action, 'key'), '0')) + int(by)}"


def _length(scene: Scene, action: str) -> str:
    return f"{len(scene.facts[argument(action, 'key')] + argument(action, 'value'))}"


def _sum(scene: Scene, action: str) -> str:
    total = 0
    for name in _chosen(scene, action):
        try:
            total += whole(scene.facts[name])
        except ValueError:
            continue
    return f"{total}"


SOURCES: Final[Mapping[str, Source]] = {
    "value": _value,
    "kept": _kept,
    "names": _names,
    "count": _count,
    "plus": _plus,
    "length": _length,
    "sum": _sum,
}
