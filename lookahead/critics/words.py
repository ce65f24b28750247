"""Shell words as the shell will see them: quotes gone, escapes read, braces spread, known variables filled in."""

import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from lookahead.critics.grammar import Node
from lookahead.critics.paths import SOMETHING, UNKNOWN

MOST: Final = 32
"""How many readings of one word are followed."""

Characters: TypeAlias = list[tuple[str, int]]
"""Each character with where it came from."""
PLAIN, QUOTED, EXPANDED = 0, 1, 2

_ANSI: Final = re.compile(r"\\(x[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{1,4}|U[0-9a-fA-F]{1,8}|[0-7]{1,3}|c.|.)", re.DOTALL)
_LETTERS: Final = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "E": "\x1b",
    "f": "\f",
    "v": "\v",
}
_SIMPLE: Final = re.compile(r"[^\\{}*?\[\]~\s'\"$`]+")


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    known: bool = True
    """Whether this is the text for sure, and not the likeliest reading of it."""
    glob: bool = False
    uses: frozenset[str] = frozenset()
    """The variables in it whose value is not known."""


@dataclass(slots=True)
class Words:
    """Reads words. It knows the variables that the text itself has set so far."""

    inner: Callable[[Node], str | None]
    """Runs over a substitution inside a word and says what it prints, if that is certain."""
    variables: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Every value that a variable may have here, likeliest last."""
    used: set[str] = field(default_factory=set[str])

    def read(self, node: Node) -> list[Word]:
        """The fields that a word becomes."""
        text = text_of(node)
        if node.type in ("word", "number") and _SIMPLE.fullmatch(text):
            return [Word(text)]
        found: list[Word] = []
        self.used = set()
        readings = self._readings(node)
        uses = frozenset(self.used)
        for characters in readings[:MOST]:
            known = not any(character in (UNKNOWN, SOMETHING) or kind == EXPANDED for character, kind in characters)
            for spread in _braces(characters)[:MOST]:
                found.extend(_word(piece, known, uses) for piece in _fields(spread))
        return found[:MOST]

    def value(self, node: Node) -> tuple[str, ...]:
        """What an assignment stores: no splitting, no globs."""
        return tuple("".join(character for character, _ in reading) for reading in self._readings(node)[:MOST])

    def _readings(self, node: Node) -> list[Characters]:
        kind, text = node.type, text_of(node)
        if kind in ("word", "number", "variable_name", "extglob_pattern", "regex", "special_variable_name"):
            return [_unescaped(text)]
        if kind == "raw_string":
            return [[(character, QUOTED) for character in text[1:-1]]]
        if kind == "ansi_c_string":
            return [[(character, QUOTED) for character in ansi(text[2:-1])]]
        if kind in ("string", "translated_string"):
            return self._string(node)
        if kind == "string_content":
            return [[(character, QUOTED) for character in in_quotes(text)]]
        if kind == "concatenation":
            return _joined(self._between(node))
        if kind in ("simple_expansion", "expansion"):
            return [[(c, EXPANDED) for c in value] for value in self._variable(node)]
        if kind in ("command_substitution", "process_substitution"):
            printed = self.inner(node)
            return [[(character, EXPANDED) for character in (UNKNOWN if printed is None else printed.rstrip("\n"))]]
        if kind == "brace_expression":
            return _sequence(text)
        if kind == "arithmetic_expansion":
            return [[(SOMETHING, QUOTED)]]
        if kind in ("command_name", "heredoc_body") and node.children:
            return _joined(self._readings(child) for child in node.children)
        return [[(UNKNOWN, QUOTED)]]

    def _between(self, node: Node) -> Iterable[list[Characters]]:
        """The children, and the characters between them that the grammar gives no node."""
        at = node.start
        raw = node.text
        for child in node.children:
            if child.start > at:
                between = raw[at - node.start : child.start - node.start]
                yield [_unescaped(between)]
            at = max(at, child.end)
            if child.is_named:
                yield self._readings(child)
            elif child.type != "$":  # the mark of a translated string
                yield [_unescaped(text_of(child))]

    def _string(self, node: Node) -> list[Characters]:
        parts: list[list[Characters]] = []
        start = node.start
        raw = node.text
        inside = [child for child in node.children if child.is_named and child.type != "string"]
        nested = [child for child in node.children if child.is_named and child.type == "string"]
        if nested:
            return self._string(nested[0])
        at = start + (raw.index('"') + 1 if '"' in raw else 1)
        for child in inside:
            if child.start > at:
                gap = raw[at - start : child.start - start]
                parts.append([[(character, QUOTED) for character in in_quotes(gap)]])
            parts.append([[(c, QUOTED) for c, _ in reading] for reading in self._readings(child)])
            at = child.end
        end = node.end - (1 if raw.endswith('"') else 0)
        if end > at:
            gap = raw[at - start : end - start]
            parts.append([[(character, QUOTED) for character in in_quotes(gap)]])
        return _joined(parts)

    def _variable(self, node: Node) -> tuple[str, ...]:
        """The values of `$X` or `${X…}`."""
        text = text_of(node)
        match = re.fullmatch(r"\$\{?([A-Za-z_]\w*|[0-9@*#?$!-])(.*?)\}?", text, re.DOTALL)
        for child in node.children:
            if child.type in ("command_substitution", "process_substitution"):
                self.inner(child)
        if match is None:
            return (SOMETHING if text.startswith("${#") else UNKNOWN,)
        name, operator = match.group(1), match.group(2)
        values = self.variables.get(name) or _USUAL.get(name)
        if values is None:
            self.used.add(name)
        if not operator:
            return values or (UNKNOWN,)
        return _operated(values, operator, [self.value(child) for child in node.named_children[1:]])


HOME: Final = "\ue003"
"""Stands for the home folder where a tilde in quotes would not."""
_USUAL: Final[dict[str, tuple[str, ...]]] = {
    "IFS": (" ",),
    "HOME": (HOME,),
    "PWD": (".",),
    "TMPDIR": ("/tmp/tmp",),
    "SHELL": ("/bin/sh",),
    "@": ("\ue002",),
    "*": ("\ue002",),
    "#": ("0",),
    "$": ("1",),
    "?": ("0",),
    "!": ("1",),
    "-": ("",),
    **{str(number): ("\ue002",) for number in range(1, 10)},
}
_PARAMETER: Final = "\ue002"
"""Stands for `$@` and its like: nothing when there is something else in the word, unknown when there is not."""


def _operated(values: tuple[str, ...] | None, operator: str, given: list[tuple[str, ...]]) -> tuple[str, ...]:
    if operator.startswith((":?", "?")):
        return values or (SOMETHING,)
    if operator.startswith((":-", "-", ":=", "=")):
        return values or ((*itertools.chain.from_iterable(given),) or (UNKNOWN,))
    if operator.startswith((":+", "+")):
        return (*itertools.chain.from_iterable(given),) or (UNKNOWN,)
    piece = re.fullmatch(r":\s?(-?\d+)(?::(\d+))?", operator)
    if piece and values:
        start, length = int(piece.group(1)), piece.group(2)
        return tuple(value[start:][: int(length) if length else None] for value in values)
    swap = re.fullmatch(r"(//?)([\w ./-]+)/?([\w ./-]*)", operator)
    if swap and values:
        times = -1 if swap.group(1) == "//" else 1
        return tuple(value.replace(swap.group(2), swap.group(3), times) for value in values)
    return (UNKNOWN,)


def _word(piece: Characters, known: bool, uses: frozenset[str]) -> Word:
    if not piece:
        return Word("", known)
    text = "".join(character for character, _ in piece)
    if _PARAMETER in text:
        text = text.replace(_PARAMETER, "") or UNKNOWN
        known = False
    glob = any(character in "*?[" and kind != QUOTED for character, kind in piece)
    if text[:1] == "~" and piece[0][1] == QUOTED:
        text = "./" + text
    text = text.replace(HOME, "~")
    return Word(text, known, glob, uses)


def _fields(characters: Characters) -> list[Characters]:
    """Split at the blanks that came out of an unquoted expansion."""
    if not any(kind == EXPANDED and character.isspace() for character, kind in characters):
        return [characters]
    found: list[Characters] = [[]]
    for character, kind in characters:
        if kind == EXPANDED and character.isspace():
            if found[-1]:
                found.append([])
        else:
            found[-1].append((character, kind))
    return [piece for piece in found if piece]


def _braces(characters: Characters) -> list[Characters]:
    """`a{b,c}d` is two words."""
    depth, start, commas = 0, -1, list[int]()
    for index, (character, kind) in enumerate(characters):
        if kind != PLAIN:
            continue
        if character == "{":
            depth += 1
            if depth == 1:
                start, commas = index, []
        elif character == "}" and depth:
            depth -= 1
            if depth == 0 and commas:
                edges = [start, *commas, index]
                head, tail = characters[:start], characters[index + 1 :]
                options = [characters[left + 1 : right] for left, right in itertools.pairwise(edges)]
                return [spread for option in options for spread in _braces([*head, *option, *tail])[:MOST]][:MOST]
        elif character == "," and depth == 1:
            commas.append(index)
    return [characters]


def _sequence(text: str) -> list[Characters]:
    match = re.fullmatch(r"\{(-?\d+)\.\.(-?\d+)(?:\.\.-?\d+)?\}", text)
    if match is None:
        return [[(character, PLAIN) for character in text]]
    first, last = int(match.group(1)), int(match.group(2))
    if abs(last - first) >= MOST:
        return [[(SOMETHING, QUOTED)]]
    step = 1 if last >= first else -1
    return [[(character, PLAIN) for character in str(number)] for number in range(first, last + step, step)]


def _joined(parts: Iterable[list[Characters]]) -> list[Characters]:
    readings: list[Characters] = [[]]
    for part in parts:
        readings = [[*left, *right] for left in readings for right in part][:MOST]
    return readings


def _unescaped(text: str) -> Characters:
    if "\\" not in text:
        return [(character, PLAIN) for character in text]
    found: Characters = []
    index = 0
    while index < len(text):
        character = text[index]
        if character == "\\" and index + 1 < len(text):
            index += 1
            if text[index] != "\n":
                found.append((text[index], QUOTED))
        else:
            found.append((character, PLAIN))
        index += 1
    return found


def in_quotes(text: str) -> str:
    """What a backslash does between double quotes."""
    return re.sub(r'\\([$`"\\]|\n)', lambda match: "" if match.group(1) == "\n" else match.group(1), text)


def ansi(text: str) -> str:
    """What `$'…'` stands for."""

    def one(match: re.Match[str]) -> str:
        code = match.group(1)
        if code[0] in "xuU" and len(code) > 1:
            number = int(code[1:], 16)
            return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else UNKNOWN
        if code[0].isdigit():
            return chr(int(code, 8) & 0xFF) if code[0] in "01234567" else code
        if code[0] == "c" and len(code) == 2:
            return chr(ord(code[1]) & 0x1F)
        return _LETTERS.get(code, code)

    return _ANSI.sub(one, text)


def text_of(node: Node) -> str:
    return node.text
