"""The critic as the line sees it: a verdict, or an error that says which critic failed."""

import subprocess
import sys

import anyio
import pytest

from lookahead.critics import RuleCritic, strictest
from lookahead.errors import CriticError, ModelUnreachable
from lookahead.types import Action, Cost, Critic, Hazard, Rollout, State, Verdict

pytestmark = pytest.mark.anyio
ROLLOUT = Rollout(action=Action(tool="bash", arguments={"command": "rm -rf src"}))


def says(score: float, rule: str = "", reason: str = ""):
    async def critic(state: State, rollout: Rollout) -> Verdict:
        hazards = (Hazard(rule=rule, what="w", why="y", severity="note"),) if rule else ()
        return Verdict(score=score, hazards=hazards, reason=reason, cost=Cost(calls=1))

    return critic


async def test_the_critic_is_one_pure_function_of_goal_action_and_future():
    first, second = await RuleCritic()(State(), ROLLOUT), await RuleCritic()(State(), ROLLOUT)
    assert first == second
    assert first.worst is not None
    assert first.reason == "deletes all of src"


async def test_the_strictest_keeps_every_hazard_the_lowest_score_and_all_reasons():
    verdict = await strictest(says(0.9, "a", "fine"), says(0.3, "b", "bad"), says(0.5, "a", "so so"))(State(), ROLLOUT)
    assert verdict.score == 0.3
    assert [hazard.rule for hazard in verdict.hazards] == ["a", "b"]
    assert verdict.reason == "bad; so so; fine"
    assert verdict.cost.calls == 3


async def test_one_critic_that_fails_is_never_outvoted():
    async def broken(state: State, rollout: Rollout) -> Verdict:
        raise ValueError("no answer")

    with pytest.raises(CriticError, match="broken"):
        await strictest(says(1.0), broken, says(1.0))(State(), ROLLOUT)


@pytest.mark.parametrize("beside", [(), (says(1.0),)], ids=["beside the rules", "beside another"])
async def test_a_critic_whose_model_is_gone_is_a_critic_that_failed(beside: tuple[Critic, ...]):
    async def gone(state: State, rollout: Rollout) -> Verdict:
        raise ModelUnreachable("nobody answers there")

    with pytest.raises(CriticError, match=r"gone.*nobody answers there"):
        await strictest(RuleCritic(), gone, *beside)(State(), ROLLOUT)


async def test_the_rules_and_one_more_both_count():
    verdict = await strictest(RuleCritic(), says(0.1, "a", "bad"))(State(), ROLLOUT)
    assert verdict.score == 0.1
    assert [hazard.rule for hazard in verdict.hazards] == ["files.deleted", "a"]


async def test_critics_that_wait_wait_at_the_same_time():
    met = anyio.Event()

    async def waits(state: State, rollout: Rollout) -> Verdict:
        await met.wait()
        return Verdict(score=0.5)

    async def comes(state: State, rollout: Rollout) -> Verdict:
        met.set()
        return Verdict(score=0.4)

    with anyio.fail_after(5):
        assert (await strictest(waits, RuleCritic(), comes)(State(), ROLLOUT)).score <= 0.4


async def test_precious_paths_can_be_named():
    critic = RuleCritic(protected=("ledger.*",))
    action = Action(tool="bash", arguments={"command": "rm ledger.db"})
    assert (await critic(State(), Rollout(action=action))).hazards[0].rule == "files.deleted-protected"


@pytest.mark.parametrize(
    ("arguments", "tool"),
    [
        ({"command": "rm -rf src"}, "bash"),
        ({"cmd": ["rm", "-rf", "src"]}, "exec"),
        ({"command": ["bash", "-lc", "rm -rf src"]}, "shell"),
        ({"args": "push --force"}, "git"),
        ({"input": "rm -rf src"}, "terminal"),
        ({"commands": [{"keystrokes": "rm -rf src\n", "duration": 1}]}, "anything"),
        ({"keystrokes": "\x03rm -rf src\n"}, "terminal"),
        ({"sql": "DROP TABLE t"}, "anything"),
        ({"query": "DROP TABLE t"}, "postgres_query"),
        ({"query": "DELETE FROM t"}, "anything"),
        ({"code": "import shutil; shutil.rmtree('src')"}, "python"),
        ({"options": {"command": "rm -rf src"}}, "anything"),
        ({"command": "rm -rf .", "cwd": "/"}, "bash"),
        ({"whatever": "rm -rf src"}, "bash"),
        ({"command": "rm -rf src"}, "mcp__box__run_command"),
    ],
)
async def test_harmful_text_is_found_wherever_a_tool_keeps_it(arguments, tool: str):
    verdict = await RuleCritic()(State(), Rollout(action=Action(tool=tool, arguments=arguments)))
    assert verdict.worst is not None
    assert verdict.worst.severity == "danger"


@pytest.mark.parametrize(
    ("arguments", "tool"),
    [
        ({"query": "how to drop a table"}, "web_search"),
        ({"command": "view", "path": "/a.py"}, "str_replace_based_edit_tool"),
        ({"text": "rm -rf /"}, "translate"),
        ({"content": "DROP TABLE t"}, "write_note"),
    ],
)
async def test_text_that_nothing_will_run_is_left_alone(arguments, tool: str):
    verdict = await RuleCritic()(State(), Rollout(action=Action(tool=tool, arguments=arguments)))
    assert verdict.worst is None


def test_the_parsers_are_loaded_when_they_are_first_needed():
    code = "import lookahead.critics, sys; print(sorted({'sqlglot', 'tree_sitter'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
