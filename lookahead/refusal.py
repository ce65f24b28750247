"""What the agent and the person are told when a call is not done: what, why, the evidence, how to allow it once."""

import os
import shlex
from typing import Any, cast

from lookahead.guard import hazards_of
from lookahead.redact import shared
from lookahead.settings import JOURNAL
from lookahead.show import call_line, effect_lines, origin_line, safe
from lookahead.types import Action, Considered, Decision, Observation

OVERTAKEN = "an earlier yes does not hold"
"""How a note begins that speaks of an approval which was given in another state, or to another prospect."""

_WIDTH = 110


def refusal(decision: Decision, how: str | None = None) -> str:
    """At most six lines, and no secret in them. `how`: the way to allow it once, where it is a special one."""
    decision = cleaned(decision)
    hazards = hazards_of(decision)
    lines = [f"Not done: {call_line(decision.proposed, _WIDTH)}"]
    if hazards:
        worst = hazards[0]
        more = f" (and {len(hazards) - 1} more)" if len(hazards) > 1 else ""
        lines.append(f"what: {safe(worst.what, _WIDTH)}{more}")
        asked = "" if decision.rule in (worst.rule, "swap") else f"; and {safe(_because(decision), _WIDTH)}"
        lines.append(f"why: {safe(worst.why, _WIDTH)} [{worst.rule}]{asked}")
        if worst.evidence:
            lines.append(f"evidence: {safe('; '.join(worst.evidence), _WIDTH)}")
    else:
        lines.append(f"what: {safe(decision.reason, _WIDTH)}")
        lines.append(f"why: {safe(decision.rule, _WIDTH)}")
    lines.append(f"seen by: {_witness(decision)}")
    overtaken = "".join(f" ({safe(note, _WIDTH)})" for note in _overtaken(decision))
    lines.append(f"allow once: {how or allow_once(decision)}{overtaken}")
    return "\n".join(lines)


def _because(decision: Decision) -> str:
    plain = decision.rule in ("changed", "world.failed", "world.none")
    return decision.reason if plain else f"the policy: {decision.rule}"


def how(decision: Decision, journal: str, *, dry_run: bool) -> str:
    """How to allow it once, from where the user stands."""
    if dry_run:
        return "nothing: in a dry run no real call is made"
    forbidden = decision.choice == "veto" and not decision.considered and not decision.rule.startswith("doubt:")
    if journal == ":memory:" and not forbidden:
        return "give with_lookahead(approve=…): a journal in memory cannot be reached by a command"
    usual = os.path.abspath(journal) == os.path.abspath(JOURNAL)
    return allow_once(decision, "" if usual else f" --journal {shlex.quote(journal)}")


def allow_once(decision: Decision, options: str = "") -> str:
    """The command that does it; `options` name the journal where it is not the usual one."""
    if decision.rule.startswith("doubt:"):
        return f"lookahead journal resolve{options} {decision.rule[6:]}, once you know whether it happened"
    if decision.choice == "veto" and not decision.considered:
        return "only a change of the policy allows it"
    return f"lookahead journal approve{options} {decision.id}, then call it again unchanged"


def prompt(decision: Decision) -> str:
    """What a person sees before saying yes: the call, its predicted effects, its hazards."""
    decision = cleaned(decision)
    lines = [call_line(decision.proposed, None), f"  asked because: {safe(decision.reason, _WIDTH)}"]
    if decision.rule.startswith("doubt:"):
        lines.append(f"  to settle that: lookahead journal resolve {decision.rule[6:]}")
    lines += [f"  {safe(note, _WIDTH)}" for note in _overtaken(decision)]
    for hazard in hazards_of(decision)[:4]:
        lines.append(f"  {hazard.severity}: {safe(hazard.what, _WIDTH)}: {safe(hazard.why, _WIDTH)}")
    for one in _mine(decision)[:1]:
        if one.rollout.steps:
            lines += [f"  {line}" for line in effect_lines(one.rollout.steps[0].observation.effects, 12)]
    lines.append(f"  seen by: {_witness(decision)}")
    return "\n".join(lines)


def _overtaken(decision: Decision) -> list[str]:
    return [note for note in decision.notes if note.startswith(OVERTAKEN)][:1]


def cleaned(decision: Decision) -> Decision:
    """The decision with its secrets taken out. Names and digests that we made ourselves are not secrets."""
    body = decision.model_dump(mode="json")
    clean = cast(dict[str, Any], shared().json(body))
    return Decision.model_validate({**clean, "id": decision.id, "rule": decision.rule, "state": decision.state})


def _mine(decision: Decision) -> list[Considered]:
    wanted = decision.proposed.digest
    return [one for one in decision.considered if one.rollout.action.digest == wanted]


def _witness(decision: Decision) -> str:
    for one in _mine(decision):
        if one.rollout.steps:
            return origin_line(one.rollout.steps[0].observation.origin)
        return f"nobody: {safe(one.rollout.failure or 'it was not imagined', _WIDTH)}; judged by its text"
    return "nobody: it was not imagined"


def first_imagined(decision: Decision, action: Action) -> Observation | None:
    """What was imagined to come back from this action, if anything was."""
    wanted = ""
    for considered in decision.considered:
        mine = considered.rollout.action is action
        if not mine:
            wanted = wanted or action.digest
            mine = considered.rollout.action.digest == wanted
        if mine and considered.rollout.steps:
            return considered.rollout.steps[0].observation
    return None
