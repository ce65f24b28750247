"""The default critic: the rules, composed. It sees goal, action and predicted effects, never the agent's persuasion."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import anyio

from lookahead.critics.bookkeeping import by_git, without_bookkeeping
from lookahead.critics.carried import carried
from lookahead.critics.code import python
from lookahead.critics.conditions import unproven
from lookahead.critics.effects import judge_effects
from lookahead.critics.finding import ORDER, Finding, count
from lookahead.critics.nameset import nameset
from lookahead.critics.orders import unasked
from lookahead.critics.own import ground_of, own_history
from lookahead.critics.paths import PROTECTED, Ground
from lookahead.critics.places import by_place
from lookahead.critics.provenance import recipients
from lookahead.critics.script import judge_shell
from lookahead.critics.sql import judge_sql
from lookahead.critics.started import own_process
from lookahead.critics.texts import Text, texts_of
from lookahead.critics.tools import by_name
from lookahead.errors import CriticError, LookaheadError, boundary
from lookahead.types import Action, Cost, Critic, Effect, Hazard, Observation, Rollout, Severity, State, Verdict

MOST: Final = 12
"""So many hazards are named; the rest are counted."""
_SCORES: Final[dict[Severity | None, float]] = {"danger": 0.2, "caution": 0.55, "note": 0.95, None: 1.0}
_DATABASES: Final = ("fork:sqlite", "fork:postgres")
"""Worlds that look into a database, so that even no effect at all is an answer."""
_RECORDS: Final = nameset("row rows table column index view trigger schema database sequence constraint collection")
_ASKED: Final = re.compile(
    r"(?i)\b(delete|deleting|remove|removing|drop|erase|wipe|clear|clean|purge|truncate|empty|reset|discard|overwrite|replace|send|upload|post|publish|push|destroy|revert)\b"
)


class RuleCritic:
    """Judges a future by what it would lose, leak or open: by exact effects where it can, by the text where not."""

    def __init__(self, *, root: str | None = None, protected: Sequence[str] = PROTECTED) -> None:
        self.ground = Ground(root=root, protected=tuple(protected))
        self._own = own_history(root)

    async def __call__(self, state: State, rollout: Rollout, /) -> Verdict:
        with boundary(CriticError, "the rules could not judge this call"):
            return self.judge(state, rollout)

    def judge(self, state: State, rollout: Rollout) -> Verdict:
        """The same without waiting: the rules ask nobody."""
        hazards: list[Hazard] = []
        losses = 0
        seen = rollout.steps[0].observation if rollout.steps else None
        steps = tuple(_steps(rollout, seen))
        for index, (action, observation) in enumerate(steps):
            for finding, predicted in self._found(state, action, observation):
                finding = _as_asked(finding, state.goal)
                hazards.append(finding.hazard(predicted=predicted, step=index))
                losses += finding.loses
            if observation is not None and index + 1 < len(steps):
                state = state.then(action, observation)
        return _verdict(hazards, losses)

    def _found(self, state: State, action: Action, seen: Observation | None) -> Iterator[tuple[Finding, bool]]:
        effects = None if seen is None else seen.effects
        exact = seen is not None and effects is not None and seen.origin.kind == "exact"
        tool = state.tool(action.tool)
        texts = texts_of(action)
        own = self._own.of(state)
        ground = ground_of(self.ground, own, texts)
        discards = False
        for text in texts:
            findings, contained = judge_text(text, ground)
            findings = tuple(own_process(finding, text, state) for finding in findings)
            discards = discards or any(finding.rule == "git.uncommitted-lost" for finding in findings)
            # An exact copy replaces what the text says about the things that it holds; a model's word replaces nothing.
            shown = _shown(seen, contained) if exact and seen is not None else frozenset[str]()
            yield from ((finding, False) for finding in findings if finding.reach not in shown)
            if text.language in ("shell", "keys") and shown:
                cleared = [finding for finding in findings if finding.reach in shown]
                left = unproven(text.text, cleared, effects or (), ground)
                yield from ((finding, False) for finding in left)
        if not texts:
            yield from ((finding, False) for finding in by_place(action, tool, ground))
        if not texts and not exact:
            yield from ((finding, False) for finding in by_name(action, tool))
        for rule in (recipients, carried, unasked):
            yield from ((finding, False) for finding in rule(state, action, tool))
        if effects is not None:
            shell = any(text.language in ("shell", "keys") for text in texts)
            told = without_bookkeeping(effects, by_git=by_git(action, texts))
            judged = judge_effects(told, state, ground, discards=discards, shell=shell, own=own.of(told))
            yield from ((finding, True) for finding in judged)


def judge_text(text: Text, ground: Ground) -> tuple[tuple[Finding, ...], bool]:
    """The findings in one text, and whether a copy without a network would do the same as the real thing."""
    if text.language == "sql":
        return judge_sql(text.text), True
    if text.language == "python":

        def shell(inner: str) -> Iterator[Finding]:
            yield from judge_shell(inner, ground, text.cwd).findings

        return tuple(dict.fromkeys(python(text.text, ground, text.cwd, shell, lambda sql: iter(judge_sql(sql))))), True
    judged = judge_shell(text.text, ground, text.cwd)
    return judged.findings, judged.contained


def _steps(rollout: Rollout, seen: Observation | None) -> Iterator[tuple[Action, Observation | None]]:
    yield rollout.action, seen
    for step in rollout.steps[1:]:
        yield step.action, step.observation


def _shown(seen: Observation, contained: bool) -> frozenset[str]:
    """What the copy has truly shown. A run that failed early or missed its network has shown less than will happen."""
    stopped = seen.failed and not any(effect.happened in ("changed", "deleted") for effect in seen.effects or ())
    if not contained or stopped or any(effect.happened == "sent" for effect in seen.effects or ()):
        return frozenset()
    rows = seen.origin.world.startswith(_DATABASES) or any(_of_records(effect) for effect in seen.effects or ())
    return frozenset(("files", "rows")) if rows else frozenset(("files",))


def _of_records(effect: Effect) -> bool:
    """Whether an effect speaks of what is in a database; that its file changed says nothing about its rows."""
    return effect.unit == "rows" or effect.what in _RECORDS


def _as_asked(finding: Finding, goal: str) -> Finding:
    """A goal that asks for just this loss makes it one degree milder; leaks and whole systems stay what they are."""
    if not finding.names or finding.severity == "note" or not _ASKED.search(goal):
        return finding
    named = any(
        len(name) > 2 and re.search(rf"(?<![\w/.-]){re.escape(name.rstrip('/'))}(?![\w-]|/\w)", goal)
        for name in finding.names
    )
    return finding.milder() if named else finding


def _verdict(hazards: Sequence[Hazard], losses: int) -> Verdict:
    unique = {(hazard.rule, hazard.what, hazard.step): hazard for hazard in hazards}
    ordered = sorted(unique.values(), key=lambda hazard: (hazard.step, -ORDER.index(hazard.severity)))
    first = [hazard for hazard in ordered if hazard.step == 0]
    rest = [hazard for hazard in ordered if hazard.step]
    kept = [*first[:MOST], *rest[: max(0, MOST - len(first))]]
    worst, later = _worst(first), _worst(rest)
    score = _SCORES[worst] - 0.05 * min(1.0, (losses + 0.2 * len(unique)) / 20)
    if later is not None and later != "note":
        # What follows can still be stopped when its turn comes, so it weighs less; a worse class is never made up for.
        score = min(score, (score + _SCORES[later] + 0.2) / 2)
    left = len(ordered) - len(kept)
    reason = kept[0].what if kept else "nothing speaks against it"
    if len(ordered) > 1:
        reason += (
            f", and {count(len(ordered) - 1, 'more thing')}" if left == 0 else f", and {len(ordered) - 1} more things"
        )
    return Verdict(score=round(max(0.0, min(1.0, score)), 4), hazards=tuple(kept), reason=reason)


def _worst(hazards: Sequence[Hazard]) -> Severity | None:
    return ORDER[max(ORDER.index(hazard.severity) for hazard in hazards)] if hazards else None


def strictest(*critics: Critic) -> Critic:
    """All of them at once: every hazard counts, and the lowest score. One that fails is never outvoted: it raises."""
    # Rules wait for nobody, so they need no task of their own, and the last critic that is left has nobody beside it.
    waits = [index for index, critic in enumerate(critics) if type(critic) is not RuleCritic]
    at_once = [index for index in range(len(critics)) if index not in waits]
    alone = [*at_once, *waits] if len(waits) < 2 else at_once

    async def judge(state: State, rollout: Rollout, /) -> Verdict:
        verdicts: dict[int, Verdict] = {}
        failed: dict[int, CriticError] = {}

        async def ask(index: int) -> None:
            try:
                with boundary(CriticError, f"the critic {_name(critics[index])} failed; mend it or take it out"):
                    verdicts[index] = await critics[index](state, rollout)
            except LookaheadError as error:
                failed[index] = (
                    error if isinstance(error, CriticError) else CriticError(f"{_name(critics[index])}: {error}")
                )

        for index in alone:
            await ask(index)
        if len(waits) > 1:
            async with anyio.create_task_group() as group:
                for index in waits:
                    group.start_soon(ask, index)
        if failed:
            raise failed[min(failed)]
        return _joined([verdicts[index] for index in sorted(verdicts)])

    return judge


def _joined(verdicts: Sequence[Verdict]) -> Verdict:
    if not verdicts:
        return Verdict(score=1.0, reason="nobody was asked")
    hazards: dict[Hazard, None] = {}
    for verdict in verdicts:
        hazards.update(dict.fromkeys(verdict.hazards))
    reasons = dict.fromkeys(verdict.reason for verdict in sorted(verdicts, key=lambda one: one.score) if verdict.reason)
    return Verdict(
        score=min(verdict.score for verdict in verdicts),
        hazards=tuple(hazards),
        reason="; ".join(reasons),
        cost=sum((verdict.cost for verdict in verdicts), Cost()),
    )


def _name(critic: Critic) -> str:
    return getattr(critic, "__name__", type(critic).__name__)


__all__ = ["RuleCritic", "judge_text", "strictest"]
