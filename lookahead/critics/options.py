"""A command line split into options, their values and the rest, as getopt would."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from lookahead.critics.words import Word


@dataclass(frozen=True, slots=True)
class Options:
    flags: frozenset[str]
    """Long ones with their dashes, short ones letter by letter: `-rf` is `-r` and `-f`."""
    values: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    rest: tuple[Word, ...] = ()
    dashes: int | None = None
    """How many of the rest stood before `--`."""

    def has(self, *names: str) -> bool:
        """Whether one is set. A long option may be shortened, as getopt allows."""
        return any(self._has(name) for name in names)

    def _has(self, name: str) -> bool:
        if name in self.flags or name in self.values:
            return True
        if not name.startswith("--"):
            return False
        return any(len(flag) > 3 and name.startswith(flag) for flag in self.flags if flag.startswith("--"))

    def value(self, *names: str) -> str | None:
        return next((self.values[name][-1] for name in names if name in self.values), None)

    @property
    def texts(self) -> list[str]:
        return [word.text for word in self.rest]


def options(args: Iterable[Word], valued: str = "", *, bundled: bool = True, first: bool = False) -> Options:
    """Read a command line. `valued`: the options that take the next word; `first`: stop at the first plain word."""
    takes = frozenset(valued.split())
    flags: set[str] = set()
    values: dict[str, list[str]] = {}
    rest: list[Word] = []
    dashes: int | None = None
    words = list(args)
    index = 0
    while index < len(words):
        text = words[index].text
        index += 1
        if text == "--" and dashes is None:
            dashes = len(rest)
            rest.extend(words[index:])
            break
        if not text.startswith("-") or text == "-":
            rest.append(words[index - 1])
            if first:
                rest.extend(words[index:])
                break
            continue
        name, equals, value = text.partition("=")
        if text.startswith("--") or not bundled:
            flags.add(name)
            if equals:
                values.setdefault(name, []).append(value)
            elif name in takes and index < len(words):
                values.setdefault(name, []).append(words[index].text)
                index += 1
            continue
        for at, letter in enumerate(text[1:], start=2):
            flags.add(f"-{letter}")
            if f"-{letter}" in takes:
                if text[at:]:
                    values.setdefault(f"-{letter}", []).append(text[at:])
                elif index < len(words):
                    values.setdefault(f"-{letter}", []).append(words[index].text)
                    index += 1
                break
    return Options(frozenset(flags), values, tuple(rest), dashes)
