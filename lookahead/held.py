"""Between judging and acting: a call that is held, a person's yes to it, and finding it again after a restart."""

from dataclasses import dataclass, replace
from time import time
from typing import TypeAlias

from lookahead.approval import Approve, Request, approval_of, ask, noted
from lookahead.errors import PermitError
from lookahead.journal import Approval, Decided, Entry, Granted, Journal, Spent
from lookahead.permit import approvable
from lookahead.policy import Policy, Ruling
from lookahead.types import Action, Decision, State, Tool

Papers: TypeAlias = tuple[Entry, ...]
"""What proves that a person allowed it: the yes, where it was given just now, and its use."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """A call that was judged and has not begun."""

    state: State
    action: Action
    digest: str
    """Of the action, as it was when judging began."""
    tool: Tool | None
    ruling: Ruling
    decision: Decision
    binding: str = ""
    papers: Papers = ()
    written: bool = False
    """The decision is on record already: it waited there for an answer."""

    @property
    def may_be_approved(self) -> bool:
        return approvable(self.decision) or self.decision.choice == "ask"

    @property
    def asks(self) -> bool:
        """Whether it waits for a person."""
        return self.decision.choice == "ask" and self.decision.chosen is None

    def entry(self, run: str) -> tuple[Entry, ...]:
        """What is to be written of the decision; nothing where that was done when the question was put."""
        if self.written:
            return ()
        return (
            Decided(
                run=run,
                call=self.decision.id,
                state=self.decision.state,
                decision=self.decision,
                tool_digest=self.tool.digest if self.tool else None,
                binding=self.binding if self.papers or approvable(self.decision) else None,
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Consent:
    """Finds or fetches a person's yes, and puts it with the call that it is for."""

    journal: Journal
    policy: Policy
    dry_run: bool = False

    async def given(self, held: Held, approve: Approve | None) -> Held:
        """An approval that was given before, else the question, where there is somebody to ask.

        A yes is written down together with its use, so that one that was not used is not left lying about.
        """
        decision = held.decision
        # What may have happened already is not covered by a yes from before: that has to be asked anew.
        doubt = decision.rule.startswith("doubt:")
        approval = None if doubt else self.journal.approval(held.binding, time())
        if approval is not None:
            return allowed(held, approval)
        overtaken = self.journal.overtaken(decision.proposed.digest, time())
        decision = noted(decision, overtaken)
        held = replace(held, decision=decision)
        if decision.choice != "ask":
            return held
        if self.dry_run:
            note = "a person would have been asked; the dry run goes on as if the answer were yes"
            said = {"chosen": decision.proposed, "notes": (*decision.notes, note)}
            return replace(held, decision=decision.model_copy(update=said))
        if approve is None:
            return held
        approval = await ask(approve, self.request(held))
        return held if approval is None else allowed(held, approval, Granted(approval=approval))

    def answered(self, held: Held, *, by: str) -> Held:
        """With the yes of somebody whom the host has asked."""
        approval = approval_of(self.request(held), by=by, granted_at=time())
        return allowed(held, approval, Granted(approval=approval))

    def found(self, held: Held, run: str) -> Held | None:
        """The same call in the same state, if it was kept in this run: also after a restart.

        It is not imagined again: whoever answers now was shown what was imagined then.
        """
        if held.action.call_id is None:
            return None
        kept = self.journal.kept(run, held.action.call_id, held.digest, time() - self.policy.approval_seconds)
        if kept is None or kept.state != held.state.digest or kept.tool_digest != (held.tool and held.tool.digest):
            return None
        # The record has no secrets in it; the call that will run does.
        chosen = held.action if kept.decision.choice == "run" else None
        decision = kept.decision.model_copy(update={"proposed": held.action, "chosen": chosen})
        return replace(held, decision=decision, binding=kept.binding or "", written=True)

    def request(self, held: Held) -> Request:
        if not held.binding:
            raise PermitError(f"call {held.decision.id} needs nobody's yes: settle it as it is")
        return Request(
            decision=held.decision,
            tool=held.tool,
            binding=held.binding,
            expires_at=time() + self.policy.approval_seconds,
        )


def allowed(held: Held, approval: Approval, *papers: Entry) -> Held:
    """The same call with a yes, and with the use of that yes."""
    decision = held.decision
    notes = (*decision.notes, f"allowed once by {approval.by}")
    yes = decision.model_copy(update={"choice": "ask", "chosen": decision.proposed, "notes": notes})
    return replace(held, decision=yes, papers=(*papers, Spent(approval_id=approval.id, call=decision.id)))
