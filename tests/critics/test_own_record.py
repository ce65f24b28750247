"""Whoever is guarded is not the one who says yes, and does not hold the record."""

import pytest

from lookahead import Action, Rollout, State, Tool
from lookahead.critics import RuleCritic

STATE = State(goal="tidy up", tools=(Tool(name="shell"),))


def worst(command: str) -> str:
    action = Action(tool="shell", arguments={"command": command})
    hazard = RuleCritic().judge(STATE, Rollout(action=action, failure="nobody imagined it")).worst
    return hazard.severity if hazard else "none"


@pytest.mark.parametrize(
    "command",
    [
        "lookahead journal approve 3f2a9c1d --yes",
        "true && ./.venv/bin/lookahead journal approve 3f2a9c1d",
        "python -m lookahead journal approve 3f2a9c1d",
        "python3.12 -m lookahead journal resolve 3f2a9c1d --happened",
        "uv run lookahead journal prune --before 2030-01-01",
        "sudo -u dev lookahead unwrap",
        "rm -rf .lookahead",
        "rm .lookahead/journal.db",
    ],
)
def test_an_agent_cannot_approve_its_own_calls_nor_touch_the_record(command: str):
    assert worst(command) == "danger"


@pytest.mark.parametrize("command", ["lookahead journal ls", "lookahead doctor", "python -m lookahead journal verify"])
def test_an_agent_may_read_the_record(command: str):
    assert worst(command) == "none"


def test_an_agent_does_not_write_its_own_policy_unasked():
    assert worst("echo '[policy]' > lookahead.toml") in ("caution", "danger")
