"""A copy that did not take a branch has shown nothing about it, where the reason may be that it is a copy."""

import pytest

from lookahead.critics import RuleCritic
from lookahead.types import Action, Effect, Observation, Origin, Rollout, State, Step

LOST = Effect(happened="deleted", target="thesis.txt", what="file", before=90, unit="bytes", recoverable=True)


def worst(text: str, *effects: Effect) -> str:
    action = Action(tool="bash", arguments={"command": text})
    seen = Observation(effects=effects, origin=Origin(kind="exact", world="fork:directory"))
    hazard = RuleCritic().judge(State(), Rollout(action=action, steps=(Step(action=action, observation=seen),))).worst
    return hazard.severity if hazard else "nothing"


HIDDEN = [
    "[ $$ -gt 200 ] && rm -f thesis.txt; true",
    "[ -w /opt/x ] && rm thesis.txt; true",
    "if ! ip route get 1.1.1.1; then :; else rm -f thesis.txt; fi",
    "test $(hostname) = laptop && : > thesis.txt",
    "case $(hostname) in laptop) truncate -s 0 thesis.txt;; esac; true",
    "while ./here; do rm thesis.txt; done",
    "./probe || rm thesis.txt",
    "f=thesis.txt; ./probe && rm -f $f; true",
    "[ $$ -gt 200 ] || exit 0; rm -f thesis.txt",
    "bash -c '[ $$ -gt 200 ] && rm -f thesis.txt'; true",
    "(./probe && { cd . ; rm -f thesis.txt; }); true",
    "./probe && cp /dev/null thesis.txt; true",
    "./probe && echo x > thesis.txt; true",
    "gone() { ./probe && rm thesis.txt; }; gone; true",
]


@pytest.mark.parametrize("text", HIDDEN)
def test_a_loss_under_a_condition_that_the_copy_did_not_perform_stays_a_question(text: str):
    assert worst(text) in ("caution", "danger")


@pytest.mark.parametrize("text", ["[ $$ -gt 200 ] && rm -f thesis.txt; true", "./probe || rm thesis.txt"])
def test_a_loss_that_the_copy_did_perform_is_judged_by_what_was_lost(text: str):
    assert worst(text, LOST) == "note"


@pytest.mark.parametrize(
    "text",
    [
        "touch a.txt && rm a.txt",
        "[ -f old.txt ] && rm old.txt; true",
        "if [ -d build ]; then rm -rf build; fi",
        "cd src && rm -f *.orig",
        "mkdir -p gen && rm -rf gen",
        "git add -A && git commit -qm x",
        "python3 -m pytest -q && echo fine",
        "rm -f thesis.txt",
    ],
)
def test_a_condition_that_a_copy_shares_hides_nothing(text: str):
    assert worst(text) in ("nothing", "note")
