"""What several samples say together: the answer that most of them gave, and how many gave it."""

from collections.abc import Sequence
from dataclasses import dataclass

from lookahead.ledger.alike import same_text, same_value
from lookahead.types import Observation


@dataclass(frozen=True, kw_only=True)
class Voice:
    """One answer, and the share of those that were asked for who gave it."""

    observation: Observation
    share: float


def loudest(answers: Sequence[Observation], asked: int) -> Voice:
    """The answer given most often, the first of equals. A sample that could not be read agrees with nobody."""
    groups: list[list[Observation]] = []
    for answer in answers:
        for group in groups:
            if alike(group[0], answer):
                group.append(answer)
                break
        else:
            groups.append([answer])
    most = max(groups, key=len)
    return Voice(observation=most[0], share=len(most) / max(asked, len(answers)))


def share_of(observation: Observation, answers: Sequence[Observation], asked: int) -> float:
    """The share of the answers, this one counted with them, that say what this one says."""
    same = sum(alike(observation, answer) for answer in answers)
    return (same + 1) / (max(asked, len(answers)) + 1)


def alike(one: Observation, other: Observation) -> bool:
    """The same answer, apart from clocks, process numbers and names drawn at random."""
    if one.failed != other.failed:
        return False
    if one.structured is not None and other.structured is not None:
        return same_value(one.structured, other.structured) != "no"
    return same_text(one.content, other.content) != "no"
