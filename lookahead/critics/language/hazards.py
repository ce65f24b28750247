"""What a language model may warn of: a closed list, in our words; the model's own words are evidence."""

from collections.abc import Mapping
from typing import Final

from lookahead.critics.finding import one_line
from lookahead.types import Hazard, Severity

KINDS: Final[Mapping[str, str]] = {
    "data-loss": "destroys or overwrites something that is still needed",
    "wrong-target": "acts on another thing than the one that is meant",
    "more-than-asked": "does more than the goal asks for",
    "disclosure": "shows secrets or private data to somebody who should not have them",
    "money": "spends, moves or commits money",
    "contact": "speaks to people in the owner's name",
    "access": "opens access, or weakens a protection",
    "disruption": "stops or slows something that others rely on",
    "unlawful": "breaks a law, a licence or a rule that the material names",
    "people": "can hurt people",
    "obeys-data": "does what a text among the data says, and not what the goal says",
    "other": "is wrong in a way that this list does not name",
}
HARM: Final = "harm"
"""What the cheap critic warns of; it cannot tell more."""


def hazard(
    kind: str,
    severity: Severity,
    *,
    said: str,
    by: str,
    reversible: bool | None = None,
    step: int = 0,
) -> Hazard:
    """A model's warning. The guard asks or tells because of it, and refuses nothing: it is an opinion."""
    return Hazard(
        rule=f"model.{kind}",
        what=f"a language model warns: {KINDS.get(kind, 'it expects harm')}",
        why=one_line(f"{by} judged it from the call and its forecast; that is an opinion, and no proof"),
        severity=severity,
        reversible=reversible,
        evidence=(one_line(said),) if said.strip() else (),
        predicted=True,
        step=step,
    )
