"""What a judge's answer says: five scores from 1 to 5, read exactly as the published evaluation reads them.

The evaluation uses it, and so does every critic that asks a model for its verdict in this form.
"""

import json
import re
from typing import Any, Final, cast

from lookahead.domains.braces import backward, objects
from lookahead.domains.reading import last_block, without_thinking
from lookahead.types import Noun

DIMENSIONS: Final = ("format", "factuality", "consistency", "realism", "quality")
VERDICT: Final = "final_evaluation"
"""The tag that holds a judge's scores."""

_FENCE: Final = "```"
_SCORES: Final = '"scores"'
_ONLY_SCORES: Final = re.compile(r'"scores"\s*:\s*\{[^}]+\}')
_REPAIRS: Final = (
    # A comma before the end; keys in single quotes; keys in none.
    (re.compile(r",(\s*[}\]])"), r"\1"),
    (re.compile(r"'(\w+)'(\s*:)"), r'"\1"\2'),
    (re.compile(r"([{,])\s*(\w+)\s*:"), r'\1"\2":'),
)


class Judged(Noun):
    """One judge's answer. `success` is whether there were scores at all; a score of 0 is one that is missing."""

    success: bool
    scores: dict[str, int]
    total: float = 0.0
    """The mean of the scores above 0."""
    strengths: tuple[str, ...] = ()
    weaknesses: tuple[str, ...] = ()
    problem: str = ""
    """Why there are no scores."""


def judged(text: str) -> Judged:
    """Read one answer. Never raises: what cannot be read has `success` False and says why."""
    try:
        return _read(text.strip())
    except RecursionError:
        return _none("its JSON is nested too deeply")
    except (ValueError, OverflowError, TypeError) as cause:
        return _none(f"its scores cannot be read: {cause}"[:500])


def _read(text: str) -> Judged:
    if not text:
        return _none("it is empty")
    text = without_thinking(text, VERDICT)
    text = last_block(text, VERDICT) or text
    candidate = _fenced(text) or _balanced(text) or backward(text)
    if not candidate:
        return _none("there is no JSON object in it")
    result = _parsed(candidate)
    given = result.get("scores")
    if not isinstance(given, dict):
        return _none("its JSON has no scores")
    scores = {name: _score(cast(dict[str, Any], given).get(name, 0)) for name in DIMENSIONS}
    valid = [score for score in scores.values() if score > 0]
    return Judged(
        success=True,
        scores=scores,
        total=sum(valid) / len(valid) if valid else 0.0,
        strengths=_texts(result.get("strengths", [])),
        weaknesses=_texts(result.get("weaknesses", [])),
    )


def _none(problem: str) -> Judged:
    return Judged(success=False, scores=dict.fromkeys(DIMENSIONS, 0), problem=problem)


def _fenced(text: str) -> str | None:
    """The last fenced object that speaks of scores, else the last fenced object."""
    blocks: list[str] = []
    opening = text.find(_FENCE)
    while opening >= 0:
        begin = opening + len(_FENCE)
        begin += len("json") if text.startswith("json", begin) else 0
        end = text.find(_FENCE, begin)
        if end < 0:
            break
        block = text[begin:end].strip()
        if block.startswith("{") and block.endswith("}"):
            blocks.append(block)
        opening = text.find(_FENCE, end + len(_FENCE))
    return _best(blocks)


def _balanced(text: str) -> str | None:
    return _best(objects(text))


def _best(candidates: list[str]) -> str | None:
    return next((one for one in reversed(candidates) if _SCORES in one), candidates[-1] if candidates else None)


def _parsed(candidate: str) -> dict[str, Any]:
    for wrong, right in _REPAIRS:
        candidate = wrong.sub(right, candidate)
    try:
        return json.loads(candidate)
    except json.JSONDecodeError:
        found = _ONLY_SCORES.search(candidate)
        if not found:
            raise
        return json.loads("{" + found[0] + "}")


def _score(value: object) -> int:
    if isinstance(value, int):
        score = int(value)
    elif isinstance(value, float):
        # Half goes to the even neighbour: 4.5 is 4.
        score = round(value)
    elif isinstance(value, str):
        try:
            score = int(value.split("/")[0].strip())
        except ValueError:
            score = 0
    else:
        score = 0
    return min(5, score)


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(str(item) for item in cast(list[Any], value))
    return (value,) if isinstance(value, str) and value else ()
