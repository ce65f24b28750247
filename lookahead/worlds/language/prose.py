"""Whether who answers is a world model at all, or talks about the question."""

import re
from collections.abc import Sequence
from typing import Final

from lookahead.domains.reading import ANSWER
from lookahead.types import Sample

PATIENCE: Final = 3
"""So many answers in a row without the tag: it was not made for this."""

_TAG: Final = re.compile(f"<{ANSWER}>", re.IGNORECASE)
_OPENINGS: Final = (
    r"as (?:an? (?:large )?(?:language model|ai)|your assistant)",
    r"i(?:['’]?m| am) (?:sorry|unable|not able|just an?|an? (?:ai|language|assistant)|happy to)",
    r"i (?:can['’]?t|cannot|can not|do not|don['’]?t|would need|need more|have no (?:access|way))",
    r"(?:sure|certainly|of course|absolutely|great question)\s*[,!.:–-]",
    r"(?:here(?:['’]s| is| are)|let(?:['’]s| me| us)|to (?:answer|predict|simulate)) ",
    r"(?:based on|given) the (?:provided|conversation|information|context|history|above|input)",
    r"(?:the|this) (?:action|command|call|tool) (?:will|would|should|is likely|appears|attempts)",
)
"""How a text begins that speaks of the question, or of who was asked."""
_OF_ITSELF: Final = re.compile(rf"\W*(?:{'|'.join(_OPENINGS)})", re.IGNORECASE)

NEXT: Final = (
    'Next: serve a world model and name it (lookahead serve Qwen/Qwen-AgentWorld-35B-A3B, then world="http://…/v1"), '
    "or a model that follows instructions"
)


def untagged(sample: Sample) -> bool:
    return not _TAG.search(sample.text)


def of_itself(sample: Sample) -> bool:
    """Prose about the question where the answer of a tool should stand."""
    return untagged(sample) and _OF_ITSELF.match(sample.text) is not None


class Manners:
    """Counts the answers in a row that do not look like a world's."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def fine(self) -> None:
        self._in_a_row = 0

    def missed(self, samples: Sequence[Sample]) -> str | None:
        """These samples could not be read. Whether that is because no world model answers, and what to do then."""
        if not samples or not all(untagged(sample) for sample in samples):
            return None
        self._in_a_row += 1
        if all(of_itself(sample) for sample in samples):
            return f"it talks about the call and does not answer it, so it is no world model. {NEXT}"
        if self._in_a_row >= PATIENCE:
            return f"{self._in_a_row} answers in a row came without the tag for answers: it is no world model. {NEXT}"
        return None
