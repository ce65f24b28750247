"""What can be decided about a call before anything is imagined."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from lookahead.guard import Guard, at_once
from lookahead.journal import Journal
from lookahead.permit import Answer
from lookahead.policy import Ruling
from lookahead.types import Action, Decision, State, Tool, ToolEffect

EffectOf: TypeAlias = Callable[[Action, Tool | None], ToolEffect | None]


@dataclass(frozen=True, kw_only=True)
class Screen:
    """Looks at the policy and at the record, and at nothing else."""

    guard: Guard
    journal: Journal
    run: str
    effect_of: EffectOf
    """What the text of a call says it could do: proves that a shell or SQL call only reads, or that it destroys."""

    def ruling(self, action: Action, tool: Tool | None) -> Ruling:
        ruling = self.guard.policy.rule_on(action, tool)
        seen = self.effect_of(action, tool)
        if seen == "destroys" or (seen is not None and ruling.effect in ("unknown", "changes")):
            return ruling.model_copy(update={"effect": seen})
        return ruling

    def known(self, action: Action) -> bool:
        """Whether anything is on record of a call of this name in this run."""
        return action.call_id is not None and self.journal.named(self.run, action.call_id)

    def recorded(self, state: State, action: Action, ruling: Ruling, digest: str) -> Answer | None:
        """This very call of this very run was made before: its answer is on record and it does not run again."""
        if action.call_id is None or ruling.rule == "deny":
            return None
        known = self.journal.finished(self.run, action.call_id, digest)
        if known is None:
            return None
        decision = at_once(
            state, action, "veto", "recorded", "this call of this run was done before; this is its answer"
        )
        return Answer(observation=known, decision=decision)

    def screened(self, state: State, action: Action, ruling: Ruling, digest: str) -> Decision | None:
        """What can be decided without imagining anything."""
        if ruling.rule == "deny":
            return at_once(state, action, "veto", ruling.line, "the policy forbids this call")
        if ruling.effect != "reads":
            doubt = self.journal.doubtful(digest)
            if doubt is not None:
                why = f"this very call (as {doubt.call}) was cut off before its result was known: it may have happened"
                return at_once(state, action, "ask", f"doubt:{doubt.call}", why)
        if ruling.rule == "ask":
            return None
        if ruling.rule == "allow" and not ruling.textual:
            return at_once(state, action, "run", ruling.line, "the policy allows it")
        if ruling.effect == "reads":
            return at_once(state, action, "run", "reads", "it only reads")
        return None

    def unrepeated(self, state: State, decision: Decision) -> Decision:
        """A rival that was cut off before is not done again by putting it in the place of another call."""
        if decision.choice != "swap" or decision.chosen is None:
            return decision
        doubt = self.journal.doubtful(decision.chosen.digest)
        if doubt is None or self.ruling(decision.chosen, state.tool(decision.chosen.tool)).effect == "reads":
            return decision
        why = f"what would be done instead (as {doubt.call}) was cut off before: it may have happened"
        return decision.model_copy(
            update={"choice": "veto", "chosen": None, "rule": f"doubt:{doubt.call}", "reason": why}
        )
