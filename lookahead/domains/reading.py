"""What a world model's text says, read exactly as the published evaluation reads it.

Linear in the length of the text, whatever is in it.
"""

import re
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

ANSWER: Final = "predicted_observation"
"""The tag that holds a prediction."""

MARKER: Final = "**Environment Observation:**"
"""What begins an observation in the history."""

NOTHING: Final = "No output"
"""What the published parser says where there is nothing to say."""

# Letter case is folded as the published parser folds it, the Kelvin sign that counts as a `k` included.
_THINK: Final = re.compile("<(/?)think>", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is left of a generation when its thinking is gone."""

    text: str
    tagged: bool
    """Whether it stood in an answer tag."""


def answer(text: str, tag: str = ANSWER) -> Answer:
    """The last answer block; where there is none, all that was not thought."""
    said = without_thinking(text, tag)
    block = last_block(said, tag)
    return Answer(text=said.strip(), tagged=False) if block is None else Answer(text=block, tagged=True)


def predicted(text: str) -> str:
    """The prediction in a generation, as the published parser finds it."""
    found = answer(text)
    return found.text if found.tagged else found.text or NOTHING


def cleaned(text: str) -> str:
    """An observation without its marker: predictions and recorded answers are compared in this form."""
    if text.startswith(MARKER):
        return text[len(MARKER) :].strip()
    return text.replace(MARKER, "").strip()


def without_thinking(text: str, tag: str) -> str:
    """Drop every span of thinking; what was never closed ends where the answer begins.

    A text that thinks nowhere comes back as it is, and any other one stripped: the published parser does so.
    """
    tags = [(found.start(), found.end(), bool(found[1])) for found in _THINK.finditer(text)]
    if not tags:
        return text
    spans = sorted(_spans(tags, text, tag))
    kept: list[str] = []
    reached = 0
    for start, end in spans:
        if start > reached:
            kept.append(text[reached:start])
        reached = max(reached, end)
    kept.append(text[reached:])
    return "".join(kept).strip()


def _spans(tags: list[tuple[int, int, bool]], text: str, tag: str) -> list[tuple[int, int]]:
    closes = [(start, end) for start, end, closing in tags if closing]
    used: set[int] = set()
    spans: list[tuple[int, int]] = []
    alone: list[int] = []
    following = 0
    for opening in (start for start, _, closing in tags if not closing):
        # Openings come in order, and each takes the next closing that is left: what was passed by stays passed by.
        while following < len(closes) and closes[following][0] < opening:
            following += 1
        if following == len(closes):
            alone.append(opening)
            continue
        spans.append((opening, closes[following][1]))
        used.add(following)
        following += 1
    spans += [(0, end) for number, (_, end) in enumerate(closes) if number not in used]
    if alone:
        begins = [found.start() for found in _opening(tag).finditer(text)]
        for opening in alone:
            place = bisect_left(begins, opening)
            spans.append((opening, begins[place] if place < len(begins) else len(text)))
    return spans


def last_block(text: str, tag: str) -> str | None:
    """What stands in the last such tag, closed or not; None where there is none."""
    begun = None
    for found in _opening(tag).finditer(text):
        begun = found.end()
    if begun is None:
        return None
    ended = _closing(tag).search(text, begun)
    return text[begun : ended.start() if ended else len(text)].strip()


@lru_cache(maxsize=16)
def _opening(tag: str) -> re.Pattern[str]:
    return re.compile(f"<{re.escape(tag)}>", re.IGNORECASE)


@lru_cache(maxsize=16)
def _closing(tag: str) -> re.Pattern[str]:
    return re.compile(f"</{re.escape(tag)}>", re.IGNORECASE)
