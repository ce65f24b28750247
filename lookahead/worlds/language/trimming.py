"""A history that fits: whole turns, the first and the last ones, cut where the next steps will cut as well.

An engine remembers a prompt by its beginning. A history that lost one turn at every step would begin anew at every
step; so when it has grown too long, half of the room or more is freed at once, and the same beginning serves until that
is full. Everything here follows from the turns alone, so that all candidates of a step, and a process that was started
anew, cut at the same place.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, TypeAlias
from zlib import crc32

from lookahead.types import Message, Step

Count: TypeAlias = Callable[[str], int]

KEPT: Final = 8_192
"""Tokens of the last turns that a cut leaves, where a quarter of the room is less; and never more than half of it.

What is left has to be read anew, once for each cut: the less it is, the longer it takes to the next one.
"""
SHARE: Final = 8
"""One message takes at most this part of the room: more of it is left out in its middle."""
AROUND: Final = 8
"""Tokens that a chat template puts round a message."""
GAP: Final = 48
"""What the words for what was left out take at most."""
ALIKE: Final = 8
"""So many steps in a row make one place in a history different from another."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What was done, and what came of it, as two messages."""

    user: str
    assistant: str

    def messages(self) -> tuple[Message, Message]:
        return Message(role="user", content=self.user), Message(role="assistant", content=self.assistant)


def trimmed(turns: Sequence[Turn], room: int, count: Count) -> list[Turn]:
    """The turns that fit into so many tokens: the first, which holds how things were, and the last ones."""
    longest = max(1, room // SHARE - AROUND)
    turns = [
        Turn(user=shortened(turn.user, longest, count), assistant=shortened(turn.assistant, longest, count))
        for turn in turns
    ]
    sizes = [count(turn.user) + count(turn.assistant) + 2 * AROUND for turn in turns]
    start = begins(sizes, room - GAP)
    if start <= 1:
        return list(turns)
    return [turns[0], _after_gap(turns[start], start - 1), *turns[start + 1 :]]


def begins(sizes: Sequence[int], room: int) -> int:
    """The first turn after the gap, which follows turn 0; 1 where there is no gap.

    It is found by walking through the history as it grew, so that it is the same at the next step unless that one
    overflows.
    """
    if not sizes:
        return 1
    room -= sizes[0]
    start, used = 1, 0
    for last in range(1, len(sizes)):
        used += sizes[last]
        if used <= room:
            continue
        while start < last and used > left_by_a_cut(room):
            used -= sizes[start]
            start += 1
    return start


def left_by_a_cut(room: int) -> int:
    """What the turns behind the gap take at most when the history was just cut."""
    return min(room // 2, max(room // 4, KEPT))


def shortened(text: str, tokens: int, count: Count) -> str:
    """The text, or its beginning and its end where it takes more than so many tokens. Follows from these alone."""
    size = count(text)
    if size <= tokens:
        return text
    kept = len(text) * tokens // size
    while kept > 0:
        head, tail = text[: kept - kept // 2], text[len(text) - kept // 2 :]
        short = f"{head}\n[… {len(text) - kept} characters are left out here …]\n{tail}"
        if count(short) <= tokens:
            return short
        kept = kept * 9 // 10
    return ""


def _after_gap(turn: Turn, missing: int) -> Turn:
    return Turn(user=f"[{missing} earlier turns are left out here.]\n\n{turn.user}", assistant=turn.assistant)


def anchor(steps: Sequence[Step]) -> int:
    """Where to begin in a history whose first steps were dropped one by one, so that the window slides.

    A place that slides along with the steps: the one in the first half whose name is the least, told apart from others
    like it by what follows.
    """
    half = max(1, len(steps) // 2)
    names = [_name(step) for step in steps[: half + ALIKE]]
    return min(range(half), key=lambda index: names[index : index + ALIKE])


def _name(step: Step) -> int:
    said = step.observation.content
    return crc32(
        f"{step.action.tool}\0{step.action.arguments!r:.500}\0{said[:200]}\0{len(said)}".encode(errors="replace")
    )


class Remembering:
    """Counts each text once: a history is counted anew at every step, and most of it was there before."""

    def __init__(self, count: Count, *, size: int = 16_384) -> None:
        self._count = count
        self._size = size
        self._known: dict[bytes, int] = {}

    def __call__(self, text: str) -> int:
        name = blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
        known = self._known.get(name)
        if known is None:
            known = self._count(text)
            if len(self._known) >= self._size:
                self._known.clear()
            self._known[name] = known
        return known
