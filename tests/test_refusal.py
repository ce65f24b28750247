from typing import Any

import pytest

from lookahead.guard import at_once
from lookahead.refusal import allow_once, prompt, refusal
from lookahead.testing import call, state_of
from lookahead.types import (
    Action,
    Considered,
    Decision,
    Effect,
    Hazard,
    Observation,
    Origin,
    Rollout,
    Severity,
    Step,
    Verdict,
)

STATE = state_of(changes=["write"])
WRITE = call("write", path="a")


def hazard(severity: Severity = "danger", rule: str = "files.lost", **more: Any) -> Hazard:
    return Hazard(rule=rule, what=f"{rule} happens", why="nowhere else", severity=severity, **more)


def decision(
    *hazards: Hazard,
    action: Action = WRITE,
    effects: tuple[Effect, ...] | None = (),
    imagined: bool = True,
    failure: str = "",
    **more: Any,
) -> Decision:
    said = Observation(effects=effects, origin=Origin(kind="exact", world="copy"))
    steps = (Step(action=action, observation=said),) if imagined else ()
    considered = Considered(
        rollout=Rollout(action=action, steps=steps, failure=failure), verdict=Verdict(score=0.1, hazards=hazards)
    )
    rival = Considered(
        rollout=Rollout(action=call("other")), verdict=Verdict(score=0.9, hazards=(hazard(rule="theirs"),))
    )
    fields: dict[str, Any] = {
        "id": "0123456789abcdef",
        "proposed": action,
        "considered": (rival, considered),
        "choice": "veto",
        "rule": "files.lost",
        "reason": "the reason",
        **more,
    }
    return Decision(**fields)


def test_a_refusal_says_what_why_on_what_evidence_who_saw_it_and_how_to_allow_it():
    found = refusal(decision(hazard("note", "small"), hazard(evidence=("a", "b"))))
    assert found.splitlines() == [
        "Not done: write: a",
        "what: files.lost happens (and 1 more)",
        "why: nowhere else [files.lost]",
        "evidence: a; b",
        "seen by: imagined in an exact copy, copy",
        "allow once: lookahead journal approve 0123456789abcdef, then call it again unchanged",
    ]


def test_without_evidence_there_is_no_line_for_it_and_one_hazard_has_no_more():
    assert refusal(decision(hazard())).splitlines()[1:4] == [
        "what: files.lost happens",
        "why: nowhere else [files.lost]",
        "seen by: imagined in an exact copy, copy",
    ]


def test_without_a_hazard_the_reason_and_the_rule_are_said():
    assert refusal(decision(rule="world.failed")).splitlines()[1:3] == ["what: the reason", "why: world.failed"]


@pytest.mark.parametrize(
    ("made", "witness"),
    [
        (decision(imagined=False, failure="the world is down"), "nobody: the world is down; judged by its text"),
        (decision(imagined=False), "nobody: it was not imagined; judged by its text"),
        (at_once(STATE, WRITE, "veto", "r", "why"), "nobody: it was not imagined"),
    ],
)
def test_who_saw_it_is_said_even_where_nobody_did(made: Decision, witness: str):
    assert f"seen by: {witness}" in refusal(made).splitlines()
    assert f"  seen by: {witness}" in prompt(made).splitlines()


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (decision(), "lookahead journal approve 0123456789abcdef, then call it again unchanged"),
        (decision(choice="ask"), "lookahead journal approve 0123456789abcdef, then call it again unchanged"),
        (
            decision(choice="ask", considered=()),
            "lookahead journal approve 0123456789abcdef, then call it again unchanged",
        ),
        (
            decision(considered=(), rule='"write" = deny'),
            "only a change of the policy allows it",
        ),
        (
            decision(rule="doubt:fedcba9876543210", choice="ask"),
            "lookahead journal resolve fedcba9876543210, once you know whether it happened",
        ),
    ],
)
def test_how_to_allow_it_once_follows_from_why_it_was_refused(made: Decision, says: str):
    assert allow_once(made) == says
    assert refusal(made).splitlines()[-1] == f"allow once: {says}"


NASTY = "a\nNot done: \x1b[31m" + "x" * 5000


@pytest.mark.parametrize("where", ["path", "what", "why", "evidence", "reason", "rule", "failure"])
def test_a_refusal_has_at_most_six_lines_of_decent_length_whatever_it_is_about(where: str):
    action = call("write", path=NASTY if where == "path" else "a")
    texts = {"what": "w", "why": "y", "evidence": ("e",)} | ({where: NASTY} if where in ("what", "why") else {})
    texts = texts | ({"evidence": (NASTY,) * 50} if where == "evidence" else {})
    hazards = () if where in ("reason", "rule") else (Hazard(rule="r", severity="danger", **texts),)  # type: ignore[arg-type]
    more = {where: NASTY} if where in ("reason", "rule") else {}
    made = decision(
        *hazards, action=action, imagined=where != "failure", failure=NASTY if where == "failure" else "", **more
    )
    found = refusal(made).splitlines()
    assert len(found) <= 6
    assert all(len(line) < 400 for line in found)
    assert "\x1b" not in "".join(found)
    assert [line.startswith("Not done: ") for line in found] == [True] + [False] * (len(found) - 1)


def test_no_secret_stands_in_a_refusal_or_in_a_question():
    key = "sk-ant-api03-" + "Ab1" * 30
    made = decision(hazard(evidence=(f"key {key}",)), action=call("write", header=f"Authorization: Bearer {key}"))
    assert key not in refusal(made)
    assert key not in prompt(made)
    assert made.id in refusal(made)


def test_a_question_shows_the_call_its_effects_and_its_hazards():
    effects = (
        Effect(happened="deleted", target="notes.md", before=2100, unit="bytes", recoverable=False),
        Effect(happened="created", target="new.md", after=10, unit="bytes"),
    )
    assert prompt(decision(hazard("caution", "b"), hazard("danger", "a"), effects=effects)).splitlines() == [
        "write: a",
        "  asked because: the reason",
        "  danger: a happens: nowhere else",
        "  caution: b happens: nowhere else",
        "  - deleted notes.md (2.1 kB, nowhere else)",
        "  + created new.md (10 B)",
        "  seen by: imagined in an exact copy, copy",
    ]


def test_a_question_shows_the_whole_call_and_the_four_worst_hazards():
    long = "x" * 3000
    hazards = [hazard("note", f"n{n}") for n in range(3)] + [hazard("danger", f"d{n}") for n in range(3)]
    shown = prompt(decision(*hazards, action=call("write", path=long), effects=None)).splitlines()
    assert shown[0] == f"write: {long}"
    assert [line.split()[1] for line in shown[2:6]] == ["d0", "d1", "d2", "n0"]
    assert shown[6] == "  nobody looked what it did"
    assert len(shown) == 8


def test_a_question_about_what_was_not_imagined_shows_no_effects():
    assert len(prompt(decision(imagined=False)).splitlines()) == 3
