"""What a command line would write to, read from its words: for places that no run in the copy can show."""

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from lookahead.worlds.fork.reach import Ground

_SIGNS: Final = "();<>|&\n"
_ASSIGNED: Final = re.compile(r"[A-Za-z_]\w*\+?=")
_IN_FRONT: Final = frozenset(
    (
        "sudo",
        "env",
        "nohup",
        "time",
        "command",
        "exec",
        "builtin",
        "then",
        "do",
        "else",
        "if",
        "while",
        "until",
        "{",
        "!",
    )
)
_SHELLS: Final = frozenset(("sh", "bash", "dash", "zsh", "ksh", "ash"))
_EVERY: Final = frozenset(("rm", "rmdir", "unlink", "shred", "truncate", "tee", "touch", "mkdir", "mv"))
_LAST: Final = frozenset(("cp", "install", "rsync", "ln"))
_BUT_FIRST: Final = frozenset(("chmod", "chown", "chgrp"))
_IN_PLACE: Final = re.compile(r"-\w*i|--in-place")
_THE_NAME_ITSELF: Final = frozenset(("rm", "unlink", "mv", "ln"))
"""They act on a link, not on what it leads to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deed:
    """One place that is written to, or removed."""

    word: str
    place: str
    by_link: bool
    """Its name lies in the directory, and only a link leads from there to the place."""


@dataclass(kw_only=True)
class Deeds:
    """Follows one command line from left to right, with the folders it goes to and the links it makes."""

    ground: Ground
    cwd: str
    links: dict[str, str] = field(default_factory=dict[str, str])
    folders: set[str] = field(default_factory=set[str])

    def outside(self, command: str) -> Iterator[Deed]:
        """What it would do to places that the copy is no copy of."""
        for words, redirected in _simple(command):
            plain = _plain(words)
            program = os.path.basename(plain[0]) if plain else ""
            if program in _SHELLS and "-c" in plain[:-1]:
                inner = Deeds(ground=self.ground, cwd=self.cwd, links=self.links, folders=self.folders)
                yield from inner.outside(plain[plain.index("-c") + 1])
            for word in (*redirected, *_written(program, plain[1:])):
                if deed := self._deed(word, itself=program in _THE_NAME_ITSELF and word not in redirected):
                    known = program == "mkdir" and os.path.isdir(deed.place)
                    if not known and self.ground.harmed(deed.place):
                        yield deed
                    self._done(program, deed.place)
            if program == "ln":
                self._link(plain[1:])
            elif program in ("cd", "pushd") and len(plain) == 2:
                self.cwd = self._place(plain[1], itself=False)

    def _done(self, program: str, place: str) -> None:
        if program in ("rm", "unlink", "mv"):
            self.links.pop(place, None)
        elif program == "mkdir":
            self.folders.add(place)

    def _deed(self, word: str, *, itself: bool) -> Deed | None:
        named = re.split(r"[*?\[]", word, maxsplit=1)[0]
        if not named or "$" in named.removeprefix("$HOME") or "`" in named:
            return None
        itself = itself and named == word and not word.endswith("/")
        place = self._place(named, itself=itself)
        if named.startswith(("/", "..")):
            by_link = self.ground.inside(os.path.normpath(os.path.join(self.cwd, named)))
        else:
            by_link = not named.startswith(("~", "$"))
        return Deed(word=word, place=place, by_link=by_link)

    def _place(self, word: str, *, itself: bool) -> str:
        """Where a name leads, the links followed that are there and those that this command makes."""
        if word.startswith(("~", "$HOME")):
            return self.ground.expanded(word, self.cwd)
        place = os.path.normpath(os.path.join(self.cwd, word))
        head, tail = os.path.split(place) if itself else (place, "")
        for _ in range(40):
            link = next((name for name in self.links if head == name or head.startswith(name + "/")), None)
            if link is None:
                break
            head = self.links[link] + head[len(link) :]
        return os.path.join(os.path.realpath(head), tail) if tail else os.path.realpath(head)

    def _link(self, arguments: list[str]) -> None:
        options, names = _split(arguments)
        if not any(option == "--symbolic" or re.match(r"-\w*s", option) for option in options) or not names:
            return
        last = names[-1] if len(names) > 1 else "."
        where = self._place(last, itself=True)
        for target in names[:-1] or names:
            folder = where in self.folders or (os.path.isdir(where) and not os.path.islink(where))
            name = os.path.join(where, os.path.basename(target)) if folder else where
            self.links[name] = os.path.normpath(os.path.join(os.path.dirname(name), target))
            if self.links[name] == name:
                del self.links[name]


def _simple(command: str) -> Iterator[tuple[list[str], list[str]]]:
    """Each simple command: its words, and the files that its output is sent to."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=_SIGNS)
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    words: list[str] = []
    redirected: list[str] = []
    sign = ""
    try:
        for token in lexer:
            if token and not token.strip(_SIGNS):
                sign = token
                if "<" not in sign and ">" not in sign:
                    yield words, redirected
                    words, redirected = [], []
                continue
            if ">" in sign:
                redirected += [] if sign.endswith(">&") and (token.isdigit() or token == "-") else [token]
            elif "<" not in sign:
                words.append(token)
            sign = ""
    except ValueError:
        return  # no shell could read it either
    yield words, redirected


def _plain(words: list[str]) -> list[str]:
    """The program and its arguments, without what may stand in front of it."""
    start = 0
    while start < len(words) and (words[start] in _IN_FRONT or _ASSIGNED.match(words[start])):
        start += 1
    return words[start:]


def _written(program: str, arguments: list[str]) -> list[str]:
    options, names = _split(arguments)
    if program in _EVERY:
        return names
    if program in _LAST:
        return names[-1:] if len(names) > 1 else []
    if program in _BUT_FIRST:
        return names[1:]
    if program == "dd":
        return [name.removeprefix("of=") for name in names if name.startswith("of=")]
    if program in ("sed", "perl") and any(_IN_PLACE.match(option) for option in options):
        return names
    return []


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    options = [word for word in arguments if word.startswith("-") and word != "-"]
    return options, [word for word in arguments if word not in options]
