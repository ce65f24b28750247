"""What a row can say: one noun for each kind of entry, and the nouns that they are made of."""

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from lookahead.journal.owner import Owner
from lookahead.types import Action, Decision, Noun, Observation, Tool, ToolEffect

How: TypeAlias = Literal["exact", "normalised", "no"]


class Agreement(Noun):
    """Whether what was imagined turned out true."""

    agreed: bool
    changed: bool
    """Whether the call changed something, really or by the tool's declared effect: the two are counted apart."""
    how: How
    detail: str = ""
    """The first difference found. Data, never instructions."""


class Approval(Noun):
    """A person's yes to one call, in one state, for some time."""

    id: str = Field(min_length=1)
    binding: str
    """The digest of tool, arguments, tool schema and state: what the yes is good for."""
    granted_at: float
    expires_at: float
    by: str
    seen: str
    """The digest of what was shown to the person."""


class Tally(Noun):
    """How often one world was right about one tool, for calls that changed something or for calls that did not."""

    tool: str
    world: str
    changed: bool
    trials: int = Field(ge=0)
    agreed: int = Field(ge=0)


class Started(Noun):
    """A run began, or went on."""

    kind: Literal["started"] = "started"
    run: str
    goal: str
    mode: str
    world: str
    policy: str
    tools: tuple[Tool, ...] = ()


class Decided(Noun):
    """What was considered and chosen."""

    kind: Literal["decided"] = "decided"
    run: str
    call: str
    state: str
    decision: Decision
    tool_digest: str | None = None
    binding: str | None = None
    """What an approval of this call would be bound to; None where no approval can help."""


class Intended(Noun):
    """The intent, on disk before the act. One call has one, ever."""

    kind: Literal["intended"] = "intended"
    run: str
    call: str
    action: Action
    action_digest: str
    tool_digest: str | None = None
    effect: ToolEffect = "unknown"
    call_id: str | None = None
    owner: Owner | None = None
    """The process that is about to act. The journal fills it in."""


class Resulted(Noun):
    """What came of it."""

    kind: Literal["resulted"] = "resulted"
    run: str
    call: str
    observation: Observation
    seconds: float = 0.0
    agreement: Agreement | None = None
    world: str | None = None
    """Whose prediction was compared with it."""
    tool: str


class Foreseen(Noun):
    """What was imagined beside a call that was not held up for it, and whether it turned out true."""

    kind: Literal["foreseen"] = "foreseen"
    run: str
    call: str
    decision: Decision
    """What the guard would have decided."""
    agreement: Agreement | None = None
    world: str | None = None
    tool: str


class Interrupted(Noun):
    """The act was cut off: it may have happened or not."""

    kind: Literal["interrupted"] = "interrupted"
    run: str
    call: str
    why: str


class Granted(Noun):
    """An approval was given."""

    kind: Literal["granted"] = "granted"
    approval: Approval


class Spent(Noun):
    """An approval was used, the one time that it can be."""

    kind: Literal["spent"] = "spent"
    approval_id: str
    call: str


class Resolved(Noun):
    """A person found out what became of a call that was in doubt."""

    kind: Literal["resolved"] = "resolved"
    call: str
    happened: bool
    by: str


class Pruned(Noun):
    """Old rows were taken out on purpose. Says enough to prove that nothing else is missing."""

    kind: Literal["pruned"] = "pruned"
    before: float
    removed: int
    through: int
    """Up to this row there may be holes; after it there are none."""
    anchor: str
    """The hash of that row, from which the chain goes on."""
    kept: int
    kept_digest: str
    """Names the rows up to there that were kept because they are still needed."""
    tallies: tuple[Tally, ...] = ()
    """What the ledger had counted in all rows ever taken out."""


Entry: TypeAlias = (
    Started | Decided | Intended | Resulted | Foreseen | Interrupted | Granted | Spent | Resolved | Pruned
)
ENTRY: Final[TypeAdapter[Entry]] = TypeAdapter(Annotated[Entry, Field(discriminator="kind")])
