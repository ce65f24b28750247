"""Draws a tree as lines of marked text: the same shape for a terminal with colour, without, and without Unicode.

What is imagined hangs on a dashed line and what is real on a solid one, so that the two differ in shape and not in
colour alone. Text here is only ever text: no markup is read out of it.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from rich.text import Text

Tone: TypeAlias = Literal["plain", "strong", "faint", "good", "caution", "danger"]
Span: TypeAlias = tuple[str, Tone]
Label: TypeAlias = tuple[Span, ...]

STYLES: dict[Tone, str] = {
    "plain": "",
    "strong": "bold",
    "faint": "dim",
    "good": "green",
    "caution": "yellow",
    "danger": "bold red",
}
NARROWEST = 16
"""Below so many columns for a label, lines run over the edge rather than become a column of letters."""


@dataclass(frozen=True, kw_only=True)
class Branch:
    """One node: what it is, what is to be said of it, and what hangs below it."""

    label: Label
    notes: tuple[Label, ...] = ()
    imagined: bool = False
    below: tuple["Branch", ...] = ()


@dataclass(frozen=True)
class Guides:
    """How a node hangs on its parent: beside it, beside it as the last one, and past it."""

    tee: str
    last: str
    past: str


SOLID, DASHED = Guides("├── ", "└── ", "│   "), Guides("├╌╌ ", "└╌╌ ", "╎   ")
ASCII = str.maketrans(
    {
        "├": "|", "└": "`", "│": "|", "╎": ":", "─": "-", "╌": ".",
        "→": "->", "…": "...", "·": "-", "•": "*", "▶": ">", "✓": "ok", "✗": "x", "×": "x",
    }
)  # fmt: skip


def say(text: str, tone: Tone = "plain") -> Label:
    """A label of one tone."""
    return ((text, tone),)


def label(*spans: Span) -> Label:
    """A label of several tones."""
    return spans


def draw(branch: Branch, wide: int, *, ascii_only: bool = False) -> list[list[Span]]:
    """The lines of a tree, none wider than `wide` cells where the words allow it."""
    drawn = [list(line) for line in _node(branch, wide, "", "")]
    return [[(to_ascii(text), tone) for text, tone in line] for line in drawn] if ascii_only else drawn


def plain(lines: Iterable[Sequence[Span]]) -> list[str]:
    return ["".join(text for text, _ in line).rstrip() for line in lines]


def to_ascii(text: str) -> str:
    """The same in ASCII: our signs get a stand-in, any other character its escape."""
    return text.translate(ASCII).encode("ascii", "backslashreplace").decode("ascii")


def cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return len(text) if text.isascii() else sum(_cell(char) for char in text)


@dataclass(frozen=True)
class Drawing:
    """A tree as something that rich can print at the width and in the characters of whatever it prints to."""

    branch: Branch
    wide: int | None = None
    tallest: int | None = None
    """With a limit, only the last so many lines: what is new is at the end."""

    def __rich_console__(self, console: Any, options: Any) -> Iterator["Text"]:
        from rich.text import Text

        wide = min(self.wide or options.max_width, options.max_width)
        lines = draw(self.branch, wide, ascii_only=options.ascii_only)
        for line in lines[-self.tallest :] if self.tallest else lines:
            text = Text(no_wrap=True, overflow="ignore", end="\n")
            for content, tone in line:
                text.append(content, STYLES[tone])
            yield text


def _node(branch: Branch, wide: int, first: str, rest: str) -> Iterator[Sequence[Span]]:
    beside = (DASHED if branch.below[0].imagined else SOLID).past if branch.below else "    "
    yield from _wrapped(branch.label, wide, first, rest + beside)
    for note in branch.notes:
        yield from _wrapped(note, wide, rest + beside, rest + beside + "  ")
    for position, child in enumerate(branch.below):
        guides, is_last = DASHED if child.imagined else SOLID, position == len(branch.below) - 1
        following = branch.below[min(position + 1, len(branch.below) - 1)]
        past = "    " if is_last else (DASHED if following.imagined else SOLID).past
        yield from _node(child, wide, rest + (guides.last if is_last else guides.tee), rest + past)


def _wrapped(label: Label, wide: int, first: str, rest: str) -> Iterator[Sequence[Span]]:
    """One label over as many lines as it needs, broken at spaces where there are any."""
    marked: list[Span] = [(char, tone) for text, tone in label for char in text]
    lead = first
    while True:
        cut = _fitting(marked, max(wide - cells(lead), NARROWEST))
        yield [(lead, "faint"), *_joined(_without_end(marked[:cut]))]
        marked, lead = marked[cut:], rest
        while marked and marked[0][0] == " ":
            marked = marked[1:]
        if not marked:
            return


def _fitting(marked: Sequence[Span], room: int) -> int:
    """How many characters fit into the room: up to the last space, or as many as there is room for."""
    used, space = 0, 0
    for position, (char, _) in enumerate(marked):
        used += _cell(char)
        if used > room:
            if char == " ":
                return position
            return space if space > room // 3 else max(position, 1)
        if char == " ":
            space = position + 1
    return len(marked)


def _without_end(marked: Sequence[Span]) -> Sequence[Span]:
    """Without the spaces at the end, where a line was broken."""
    end = len(marked)
    while end and marked[end - 1][0] == " ":
        end -= 1
    return marked[:end]


def _joined(marked: Iterable[Span]) -> list[Span]:
    joined: list[Span] = []
    for char, tone in marked:
        if joined and joined[-1][1] == tone:
            joined[-1] = (joined[-1][0] + char, tone)
        else:
            joined.append((char, tone))
    return joined


def _cell(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
