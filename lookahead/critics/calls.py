"""A program with its arguments, as it would be run, and a text as the programs in it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lookahead.critics.paths import UNKNOWN
from lookahead.critics.words import Word


@dataclass(frozen=True, slots=True)
class Redirect:
    operator: str
    target: str
    glob: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One program with its arguments, as it would be run."""

    name: str
    """Its own name, without the folder."""
    args: tuple[Word, ...] = ()
    cwd: str = ""
    """Where it runs, seen from where the text starts; empty: there."""
    redirects: tuple[Redirect, ...] = ()
    fed_by: "tuple[Call, ...]" = ()
    """The programs before it in the pipeline."""
    stdin: str | None = None
    """What it reads, where that is certain."""
    elsewhere: str = ""
    """The other machine or container that it runs on."""
    plain: bool = True
    """Whether every word is there to be read: nothing assigned, substituted or expanded."""
    path: str = ""
    """How the program was named."""

    @property
    def texts(self) -> list[str]:
        return [word.text for word in self.args]

    @property
    def shown(self) -> str:
        return " ".join((self.name, *self.texts))[:400].replace(UNKNOWN, "$…")


@dataclass(slots=True)
class Script:
    """What a text does, as far as it can be read."""

    calls: list[Call] = field(default_factory=list[Call])
    unread: list[str] = field(default_factory=list[str])
    """Why parts of it could not be read. Text with an entry here is never called safe."""
    odd: bool = False
    """Whether it holds more than programs, pipelines and lists of them: functions, loops, assignments, and so on."""


def calls_of(script: Script) -> Iterator[Call]:
    """Every call once; two that differ in nothing but their place in a loop are one."""
    seen: set[tuple[object, ...]] = set()
    for call in script.calls:
        feeders = tuple(feeder.name for feeder in call.fed_by)
        key = (call.name, call.args, call.cwd, call.redirects, call.elsewhere, call.stdin, feeders)
        if key not in seen:
            seen.add(key)
            yield call


@dataclass(frozen=True, kw_only=True, slots=True)
class Inner:
    """What is run inside: shell text, or a program with its arguments."""

    text: str | None = None
    words: tuple[Word, ...] = ()
    elsewhere: str = ""
    cwd: str = ""


def quoted(words: "list[Word] | tuple[Word, ...]") -> str:
    return " ".join(word.text for word in words)
