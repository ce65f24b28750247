"""Whatever a tool has answered, the rules can judge the call that follows."""

import math
from typing import Any

import pytest

from lookahead.critics import RuleCritic
from lookahead.types import Action, Observation, Rollout, State, Tool

LOOKED = State(goal="pay the bill", tools=(Tool(name="look", effect="reads"),))

CALLS = [
    Action(tool="odd"),
    Action(tool="shell", arguments={"command": "cat notes"}),
    Action(tool="send_mail", arguments={"to": "ann@example.org", "body": "hello"}),
    Action(tool="transfer", arguments={"iban": "DE89370400440532013000", "amount": 5}),
    Action(tool="query", arguments={"sql": "SELECT 1"}),
]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "said",
    [10**5000, {"a": [10**5000]}, math.nan, [math.inf], "\udc80", {"\udc80": "\udc80"}],
    ids=lambda said: repr(type(said)),
)
async def test_an_odd_answer_holds_no_later_call_up(said: Any) -> None:
    state = LOOKED.then(Action(tool="look"), Observation(content="x", structured=said))
    for action in CALLS:
        verdict = await RuleCritic(root=None)(state, Rollout(action=action, failure="no world"))
        assert "injected" not in str(verdict.hazards)
