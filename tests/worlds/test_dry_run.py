import logging
from typing import Any

import pytest

from lookahead.errors import NotMyWorld, WorldError
from lookahead.policy import DryRunFlag
from lookahead.types import Action, Effect, Observation, Origin, State, Tool
from lookahead.worlds.fork.dry_run import DryRun

pytestmark = pytest.mark.anyio

SCHEMA: dict[str, Any] = {"properties": {"path": {"type": "string"}, "dry_run": {"type": "boolean"}}}
DELETE = Action(tool="delete_files", arguments={"path": "a"}, call_id="call-1")
FLAGS = {"delete_*": DryRunFlag(argument="dry_run")}


class Host:
    """A real tool that keeps a list of what was asked of it."""

    def __init__(self, *, structured: Any = None) -> None:
        self.asked: list[Action] = []
        self.structured = structured

    async def __call__(self, state: State, action: Action, /) -> Observation:
        self.asked.append(action)
        return Observation(content="would delete 3 files", structured=self.structured)


def state(schema: dict[str, Any] | None = SCHEMA) -> State:
    return State(tools=(Tool(name="delete_files", parameters=schema or {}),))


async def test_the_real_tool_is_asked_with_its_own_flag_and_the_answer_is_marked_imagined():
    host = Host()
    observation = await DryRun(host, FLAGS)(state(), DELETE)
    (asked,) = host.asked
    assert asked.arguments == {"path": "a", "dry_run": True}
    assert asked.call_id is None
    assert (observation.content, observation.imagined) == ("would delete 3 files", True)
    assert (observation.origin.kind, observation.origin.world) == ("exact", "fork:dry-run")
    assert observation.effects is None


async def test_effects_that_the_tool_names_are_taken_over():
    named = {"effects": [{"happened": "deleted", "target": "a", "what": "file", "before": 3, "unit": "bytes"}]}
    observation = await DryRun(Host(structured=named), FLAGS)(state(), DELETE)
    assert observation.effects == (Effect(happened="deleted", target="a", what="file", before=3, unit="bytes"),)
    odd = await DryRun(Host(structured={"effects": [{"boom": 1}]}), FLAGS)(state(), DELETE)
    assert odd.effects is None


async def test_a_tool_without_a_declaration_is_not_ours():
    host = Host()
    with pytest.raises(NotMyWorld):
        await DryRun(host, FLAGS)(state(), Action(tool="send"))
    assert host.asked == []


@pytest.mark.parametrize(
    ("schema", "flag"),
    [
        ({"properties": {"path": {}}}, DryRunFlag(argument="dry_run")),
        ({"type": "object"}, DryRunFlag(argument="dry_run")),
        (SCHEMA, DryRunFlag(argument="dry_run", value="yes")),
        (SCHEMA, DryRunFlag(argument="dry_run", value=1)),
        ({"properties": {"mode": {"enum": ["plan", "apply"]}}}, DryRunFlag(argument="mode", value="preview")),
        ({"properties": {"n": {"type": "integer"}}}, DryRunFlag(argument="n", value=True)),
        ({"properties": {"n": {"const": 1}}}, DryRunFlag(argument="n", value=1.0)),
    ],
)
async def test_a_declaration_that_the_schema_contradicts_never_reaches_the_tool(
    schema: dict[str, Any], flag: DryRunFlag
):
    host = Host()
    with pytest.raises(WorldError, match="correct dry_run in the policy"):
        await DryRun(host, {"delete_files": flag})(state(schema), DELETE)
    assert host.asked == []


async def test_a_flag_that_the_agent_set_to_something_else_is_refused():
    host = Host()
    schema = {"properties": {"path": {}, "mode": {"enum": ["plan", "apply"]}}}
    world = DryRun(host, {"delete_files": DryRunFlag(argument="mode", value="plan")})
    with pytest.raises(NotMyWorld, match="the agent itself set 'mode'"):
        await world(state(schema), Action(tool="delete_files", arguments={"path": "a", "mode": "apply"}))
    assert host.asked == []
    await world(state(schema), Action(tool="delete_files", arguments={"path": "a", "mode": "plan"}))
    assert len(host.asked) == 1


async def test_an_agent_that_says_no_dry_run_is_previewed_by_one():
    host = Host()
    await DryRun(host, FLAGS)(state(), Action(tool="delete_files", arguments={"path": "a", "dry_run": False}))
    assert host.asked[0].arguments["dry_run"] is True


async def test_without_a_schema_only_the_policy_vouches_and_that_is_said_once(caplog: pytest.LogCaptureFixture):
    world = DryRun(Host(), FLAGS)
    with caplog.at_level(logging.WARNING, logger="lookahead"):
        await world(state({}), DELETE)
        await world(state({}), DELETE)
    assert [record.getMessage() for record in caplog.records] == [
        "fork:dry-run: 'delete_files' has no schema, so only the policy says that 'dry_run' makes it a dry run"
    ]


async def test_after_an_imagined_change_the_real_tool_is_not_asked():
    host = Host()
    changed = state().then(Action(tool="move"), Observation(origin=Origin(kind="model", world="m")))
    with pytest.raises(NotMyWorld):
        await DryRun(host, FLAGS)(changed, DELETE)
    assert host.asked == []


async def test_a_dry_run_that_breaks_is_a_failure_of_this_world():
    async def broken(state: State, action: Action, /) -> Observation:
        raise OSError("gone")

    with pytest.raises(WorldError, match="the dry run of delete_files: OSError: gone"):
        await DryRun(broken, FLAGS)(state(), DELETE)
