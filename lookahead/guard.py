"""Decide: what a verdict may do, given the policy and the track record of the world that it rests on."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias

from lookahead.planner import Outcome
from lookahead.policy import Policy, Ruling
from lookahead.search.thinking import merit
from lookahead.types import Action, Choice, Considered, Decision, Hazard, Origin, Severity, State, ToolEffect

Authority: TypeAlias = Literal["full", "warn"]

_RANK: Final[dict[Severity, int]] = {"note": 0, "caution": 1, "danger": 2}
OPINION: Final = "model."
"""How the rules of critics begin that ask a language model."""
ENOUGH_TO_DOUBT: Final = 5
"""An exact copy starts trusted; after so many comparisons its record speaks instead."""


class Standing(Protocol):
    """How often a world was right about a tool."""

    def trials(self, changed: bool, /) -> int: ...

    def rate(self, changed: bool, /) -> float: ...

    def bound(self, changed: bool, /) -> float:
        """The lower confidence bound; 0 with no record."""
        ...


class Record(Protocol):
    """Where standings are kept."""

    def standing(self, tool: str, world: str, /) -> Standing: ...


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Turns what was imagined into `run`, `swap`, `veto` or `ask`."""

    policy: Policy
    record: Record | None = None

    def decide(self, state: State, action: Action, ruling: Ruling, outcome: Outcome) -> Decision:
        """One rule after the other, the strictest first; the first that speaks decides."""
        draft = Draft(state=state, action=action, outcome=outcome)
        mine = outcome.proposed
        worst = self._worst(mine, ruling.effect)
        held = self._unseen(ruling, outcome)
        if ruling.rule == "deny":
            return draft.made("veto", ruling.line, "the policy forbids this call")
        if worst is not None and worst.severity == "danger" and self._authority(mine, worst, ruling.effect) == "full":
            return self._better(draft, ruling) or draft.made("veto", worst.rule, worst.what)
        if ruling.rule == "ask":
            return draft.made("ask", ruling.line, "the policy wants a person to look at this call")
        if worst is not None and worst.severity != "note":
            full = self._authority(mine, worst, ruling.effect) == "full"
            if full or worst.severity == "danger":
                return self._better(draft, ruling) or draft.made("ask", worst.rule, worst.what)
            draft.notes.append(f"a world without a record warns: {worst.what}")
        if held is not None:
            return self._better(draft, ruling) or draft.made(*held)
        if self.policy.swap and (better := self._better(draft, ruling)):
            return better
        return draft.made(
            "run", worst.rule if worst else ruling.line, worst.what if worst else "nothing speaks against it"
        )

    def depth(self, tool: str, effect: ToolEffect, world: str, *, exact: bool) -> int | None:
        """How many steps deep the record of this world allows to look; None: as deep as wanted."""
        if exact and not self._disproved(tool, world, effect != "reads"):
            return None
        bound = self._bound(tool, world, effect != "reads")
        depth = 1
        while depth < 16 and bound ** (depth + 1) >= self.policy.trust.depth:
            depth += 1
        return depth

    def _worst(self, considered: Considered, effect: ToolEffect) -> Hazard | None:
        """The worst hazard of the first step. What may follow later is judged when it is about to happen.

        Of equals the one that may decide: what a model warns of must not hide what the text of the call says.
        """
        if considered.verdict is None:
            return None
        mine = [hazard for hazard in considered.verdict.hazards if hazard.step == 0]
        if not mine:
            return None
        most = max(_RANK[hazard.severity] for hazard in mine)
        worst = [hazard for hazard in mine if _RANK[hazard.severity] == most]
        # The record is asked only where it can make a difference: a look at it is a look at the disk.
        if len({(one.rule.startswith(OPINION), one.predicted) for one in worst}) == 1:
            return worst[0]
        return next((one for one in worst if self._authority(considered, one, effect) == "full"), worst[0])

    def _unseen(self, ruling: Ruling, outcome: Outcome) -> tuple[Choice, str, str] | None:
        """What to do when the proposed action could not be imagined or judged: its effect decides."""
        mine = outcome.proposed
        if mine.verdict is None or outcome.failure:
            then = ruling.on_failure or ("run" if ruling.effect == "reads" else "hold")
            if then == "run" and mine.verdict is not None:
                return None
            why = outcome.failure or "the rules could not be read"
            return ("ask", "world.failed", f"it could not be previewed: {why}")
        if not mine.rollout.steps and ruling.effect == "destroys":
            return ("ask", "world.none", "it destroys, and no world here can show what")
        return None

    def _better(self, draft: "Draft", ruling: Ruling) -> Decision | None:
        """A rival to do in its place: only where swapping is on, and only one that would itself be allowed."""
        if not self.policy.swap:
            return None
        mine = draft.outcome.proposed
        for rival in draft.outcome.considered:
            if rival is mine or not self._may_stand_in(draft.state, rival) or not _beats(rival, mine):
                continue
            action = rival.rollout.action
            assert rival.verdict is not None
            why = f"{action.tool} promises better: {rival.verdict.score:.2f} against "
            why += f"{mine.verdict.score:.2f}" if mine.verdict else "what could not be judged"
            return draft.made("swap", "swap", why, chosen=action)
        return None

    def prefers(self, state: State, theirs: Sequence[Decision], mine: Sequence[Decision]) -> bool:
        """Whether all calls of another message may be made in the place of all calls of the agent's own.

        The rule for one call, for several that come and go together: each of them would itself be allowed to stand in
        for another, and the worst of them is better than the worst of the agent's own.
        """
        if not self.policy.swap or any(one.choice != "run" for one in theirs):
            return False
        rivals = [seen for one in theirs if (seen := seen_of(one)) is not None]
        own = [seen for one in mine if (seen := seen_of(one)) is not None]
        if not rivals or not own or not all(self._may_stand_in(state, rival) for rival in rivals):
            return False
        return _beats(min(rivals, key=merit), min(own, key=merit))

    def _may_stand_in(self, state: State, rival: Considered) -> bool:
        """Whether this would itself be allowed, and was imagined by a world that has earned to be followed."""
        if rival.verdict is None or not rival.rollout.steps:
            return False
        action = rival.rollout.action
        tool = state.tool(action.tool)
        if tool is None and state.tools:
            return False
        theirs = self.policy.rule_on(action, tool)
        worst = self._worst(rival, theirs.effect)
        if theirs.rule in ("ask", "deny") or (worst is not None and worst.severity != "note"):
            return False
        return self._may_swap(rival, theirs.effect)

    def _may_swap(self, rival: Considered, effect: ToolEffect) -> bool:
        origin = rival.rollout.steps[0].observation.origin
        changed = effect != "reads"
        if origin.kind == "exact":
            return not self._disproved(rival.rollout.action.tool, origin.world, changed)
        return self._bound(rival.rollout.action.tool, origin.world, changed) >= self.policy.trust.swap

    def _authority(self, considered: Considered, hazard: Hazard, effect: ToolEffect) -> Authority:
        """Rules on text and exact copies decide; a model decides where its record is good enough, else it warns.

        What a language model makes of a future is an opinion, whoever foretold the future: it warns.
        """
        if hazard.rule.startswith(OPINION):
            return "warn"
        if not hazard.predicted or not considered.rollout.steps:
            return "full"
        origin: Origin = considered.rollout.steps[0].observation.origin
        tool, changed = considered.rollout.action.tool, effect != "reads"
        if origin.kind == "exact":
            return "warn" if self._disproved(tool, origin.world, changed) else "full"
        return "full" if self._bound(tool, origin.world, changed) >= self.policy.trust.veto else "warn"

    def _bound(self, tool: str, world: str, changed: bool) -> float:
        return 0.0 if self.record is None else self.record.standing(tool, world).bound(changed)

    def _disproved(self, tool: str, world: str, changed: bool) -> bool:
        if self.record is None:
            return False
        standing = self.record.standing(tool, world)
        return standing.trials(changed) >= ENOUGH_TO_DOUBT and standing.rate(changed) < self.policy.trust.veto


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A decision in the making."""

    state: State
    action: Action
    outcome: Outcome
    notes: list[str] = field(default_factory=list[str])

    def made(self, choice: Choice, rule: str, reason: str, *, chosen: Action | None = None) -> Decision:
        return Decision(
            id=new_id(),
            proposed=self.action,
            considered=self.outcome.considered,
            choice=choice,
            chosen=chosen or (self.action if choice == "run" else None),
            rule=rule,
            reason=reason,
            state=self.state.digest,
            cost=self.outcome.cost,
            forecast=self.outcome.forecast,
            notes=(*self.outcome.notes, *self.notes),
        )


def at_once(state: State, action: Action, choice: Choice, rule: str, reason: str) -> Decision:
    """A decision that needed no imagination."""
    return Decision(
        id=new_id(),
        proposed=action,
        choice=choice,
        chosen=action if choice == "run" else None,
        rule=rule,
        reason=reason,
        state=state.digest,
    )


def new_id() -> str:
    """Short enough to type, long enough not to meet another: eight bytes, so a clash needs billions of calls."""
    return secrets.token_hex(8)


def hazards_of(decision: Decision) -> Sequence[Hazard]:
    """What is wrong with the action that was proposed, worst first."""
    wanted = decision.proposed.digest
    for considered in decision.considered:
        if considered.rollout.action.digest == wanted and considered.verdict is not None:
            return sorted(considered.verdict.hazards, key=lambda hazard: -_RANK[hazard.severity])
    return ()


def seen_of(decision: Decision) -> Considered | None:
    """What was imagined and thought of the proposed action itself; None where it was decided at once."""
    wanted = decision.proposed.digest
    return next((one for one in decision.considered if one.rollout.action.digest == wanted), None)


def _beats(rival: Considered, mine: Considered) -> bool:
    """Strictly better, or not at all: the agent's own choice is the prior."""
    if mine.verdict is None or rival.verdict is None:
        return rival.verdict is not None
    worst = mine.verdict.worst
    if worst is not None and worst.severity != "note":
        return True
    return rival.verdict.score > mine.verdict.score


__all__ = ["Guard", "Record", "Standing", "at_once", "hazards_of", "new_id", "seen_of"]
