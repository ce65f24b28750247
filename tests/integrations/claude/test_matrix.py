"""Claude Agent SDK: one cell for each ability, against a process that speaks its control protocol."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("claude_agent_sdk")

from claude_agent_sdk import (
    AgentDefinition,
    ClaudeAgentOptions,
    ClaudeSDKClient,
    HookMatcher,
    PermissionResultAllow,
    PermissionResultDeny,
    ResultMessage,
    create_sdk_mcp_server,
    query,
    tool,
)

from lookahead import BestOf, Journal, with_lookahead
from lookahead.errors import ConfigError
from lookahead.host import ABILITIES
from lookahead.testing import ScriptedCritic, ScriptedWorld, Yes
from lookahead_integrations.claude.host import HOST

from .fakes import Process, prompts, told, use

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def quiet(**more: Any) -> dict[str, Any]:
    return {"world": ScriptedWorld(script={"*": "as imagined"}), "journal": Journal(":memory:"), **more}


def test_every_ability_has_a_cell_or_a_reason() -> None:
    cells = {name.removeprefix("test_cell_").replace("_", "-") for name in globals() if name.startswith("test_cell_")}
    assert cells == set(ABILITIES) - HOST.cannot.keys()
    assert set(HOST.cannot) == {"swap", "rivals", "resume", "sync"}


def test_what_it_cannot_do_is_refused_when_it_is_wrapped() -> None:
    with pytest.raises(ConfigError, match="Claude Agent SDK cannot do another action in place"):
        with_lookahead(ClaudeAgentOptions(), **quiet(policy={"swap": True}))
    with pytest.raises(ConfigError, match="Claude Agent SDK cannot think of alternatives itself"):
        with_lookahead(ClaudeAgentOptions(), **quiet(search=BestOf(k=3)))


async def test_cell_run(tmp_path: Path) -> None:
    process = Process(tmp_path, [use("Write", file_path="a.txt", content="x")])
    options = process.options()
    wrapped = with_lookahead(options, **quiet())
    assert type(wrapped) is ClaudeAgentOptions
    assert await told(wrapped) == ["Write done"]
    assert process.done == [["Write", {"file_path": "a.txt", "content": "x"}]]
    assert options.hooks is None
    assert wrapped.lookahead.in_doubt == []
    (session,) = wrapped.lookahead._conversations.values()
    assert [step.observation.content for step in session.state.steps] == ["Write done"]


async def test_cell_veto(tmp_path: Path) -> None:
    process = Process(tmp_path, [use("Bash", command="rm -rf /")], [use("Write", file_path="a", content="")])
    said = await told(with_lookahead(process.options(), **quiet(policy={"Bash": "deny"})))
    assert said[0].startswith("Not done: Bash")
    assert [name for name, _ in process.done] == ["Write"]


@pytest.mark.parametrize(("yes", "done"), [(True, ["Write"]), (False, [])])
async def test_cell_ask(yes: bool, done: list[str], tmp_path: Path) -> None:
    asked: list[Any] = []

    async def can_use_tool(name: str, given: dict[str, Any], context: Any) -> Any:
        asked.append((name, given))
        return PermissionResultAllow() if yes else PermissionResultDeny(message="no")

    process = Process(tmp_path, [use("Write", file_path="a", content="x")])
    wrapped = with_lookahead(process.options(can_use_tool=can_use_tool), **quiet(policy={"Write": "ask"}))
    await told(wrapped)
    assert [name for name, _ in process.done] == done
    assert asked == [("Write", {"file_path": "a", "content": "x"})]
    assert wrapped.lookahead.in_doubt == []


async def test_with_an_approver_of_the_user_it_is_asked_and_with_nobody_the_answer_is_no(tmp_path: Path) -> None:
    process = Process(tmp_path, [use("Write", file_path="a", content="x")])
    said = await told(with_lookahead(process.options(), **quiet(policy={"Write": "ask"})))
    assert said[0].startswith("Not done: Write")
    assert process.done == []
    await told(with_lookahead(process.options(), **quiet(policy={"Write": "ask"}, approve=Yes())))
    assert [name for name, _ in process.done] == ["Write"]


def office(done: list[str]) -> Any:
    @tool("delete", "Deletes a file.", {"path": str})
    async def delete(given: dict[str, Any]) -> dict[str, Any]:
        done.append(given["path"])
        return {"content": [{"type": "text", "text": f"deleted {given['path']}"}]}

    return create_sdk_mcp_server("office", tools=[delete])


def alone(**more: Any) -> dict[str, Any]:
    """Options with which nothing but this process's own tools is there."""
    return {"tools": [], "strict_mcp_config": True, "setting_sources": [], **more}


async def test_cell_dry_run(tmp_path: Path) -> None:
    done: list[str] = []
    # The process is as wicked as can be: it has tools that it was told not to have.
    process = Process(tmp_path, [use("mcp__office__delete", path="a")], [use("Bash", command="ls")])
    options = process.options(**alone(mcp_servers={"office": office(done)}))
    wrapped = with_lookahead(options, **quiet(mode="dry-run"))
    said = await told(wrapped)
    assert said[0] == "[{'type': 'text', 'text': 'as imagined'}]" or "as imagined" in said[0]
    assert said[1].startswith("Not done: this is a dry run")
    assert (done, process.done) == ([], [])
    await told(options)
    assert done == ["a"], "what was given is as it was"


@pytest.mark.parametrize(
    "missing",
    [{"tools": None}, {"strict_mcp_config": False}, {"setting_sources": None}, {"mcp_servers": "servers.json"}],
)
def test_a_dry_run_in_which_something_would_be_real_is_refused(missing: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="cannot be run dry with these options"):
        with_lookahead(ClaudeAgentOptions(**{**alone(), **missing}), **quiet(mode="dry-run"))


async def test_cell_shadow(tmp_path: Path) -> None:
    process = Process(tmp_path, [use("Bash", command="rm -rf /tmp/x")])
    wrapped = with_lookahead(process.options(), **quiet(mode="shadow"))
    assert await told(wrapped) == ["Bash done"]
    assert wrapped.lookahead.settle(10)


async def test_cell_parallel(tmp_path: Path) -> None:
    turn = [use("Write", file_path=name, content="") for name in "abc"] + [use("Bash", command="rm -rf /")]
    process = Process(tmp_path, turn)
    said = await told(with_lookahead(process.options(), **quiet(policy={"Bash": "deny"})))
    assert sorted(said)[1:] == ["Write done"] * 3
    assert len(process.done) == 3


async def test_cell_streaming(tmp_path: Path) -> None:
    async def kinds(options: Any) -> list[str]:
        return [type(message).__name__ async for message in query(prompt=prompts(), options=options)]

    process = Process(tmp_path, [use("Write", file_path="a", content="")])
    assert await kinds(with_lookahead(process.options(), **quiet())) == await kinds(process.options())


async def test_cell_async(tmp_path: Path) -> None:
    """A client gets what options get."""
    process = Process(tmp_path, [use("Bash", command="rm -rf /")])
    bare = ClaudeSDKClient(process.options())
    client = with_lookahead(bare, **quiet(policy={"Bash": "deny"}))
    assert type(client) is ClaudeSDKClient
    async with client:
        await client.query("go")
        messages = [message async for message in client.receive_response()]
    assert isinstance(messages[-1], ResultMessage)
    assert process.done == []
    assert client.lookahead.coverage
    assert bare.options.hooks is None


async def test_a_guard_that_breaks_blocks(tmp_path: Path) -> None:
    critic = ScriptedCritic(script=lambda state, rollout: RuntimeError("critic is broken"))
    process = Process(tmp_path, [use("Bash", command="git push --force")])
    await told(with_lookahead(process.options(), **quiet(critic=critic)))
    assert process.done == []
    wrapped = with_lookahead(process.options(), **quiet(policy={"Bash": "allow"}))
    wrapped.lookahead.journal.close()
    said = await told(wrapped)
    assert said[0].startswith("hook failed")
    assert process.done == []


async def test_a_process_too_old_to_fail_closed_is_not_spoken_to(tmp_path: Path) -> None:
    process = Process(tmp_path, [use("Write", file_path="a", content="")])
    with pytest.raises(Exception, match="does not honor on_failure"):
        await told(with_lookahead(process.options(env={"FAKE_OLD": "1"}), **quiet()))
    assert process.done == []


async def test_what_a_hook_of_the_user_changes_is_judged_as_it_left_it(tmp_path: Path) -> None:
    async def change(given: Any, tool_use_id: str | None, context: Any) -> Any:
        changed = {
            "hookEventName": "PreToolUse",
            "permissionDecision": "allow",
            "updatedInput": {"file_path": "b.txt"},
        }
        return {"hookSpecificOutput": changed}

    process = Process(tmp_path, [use("Write", file_path="a")])
    options = process.options(hooks={"PreToolUse": [HookMatcher(matcher="Write|Edit", hooks=[change])]})
    when = {"Write": {"when": [{"argument": "file_path", "matches": "b*", "rule": "deny"}]}}
    said = await told(with_lookahead(options, **quiet(policy=when)))
    assert said[0].startswith("Not done: Write")
    await told(with_lookahead(options, **quiet()))
    assert process.done == [["Write", {"file_path": "b.txt"}]]


async def test_what_can_use_tool_changes_is_judged_anew(tmp_path: Path) -> None:
    async def change(name: str, given: dict[str, Any], context: Any) -> Any:
        return PermissionResultAllow(updated_input={"file_path": "/etc/x"})

    process = Process(tmp_path, [use("Write", file_path="a", prompts=True)])
    when = {"Write": {"when": [{"argument": "file_path", "matches": "/etc/*", "rule": "deny"}]}}
    wrapped = with_lookahead(process.options(can_use_tool=change), **quiet(policy=when))
    said = await told(wrapped)
    assert said[0].startswith("Not done: Write")
    assert process.done == []
    assert wrapped.lookahead.in_doubt == []


async def test_what_the_permissions_of_the_process_refuse_is_not_in_doubt(tmp_path: Path) -> None:
    async def never(name: str, given: dict[str, Any], context: Any) -> Any:
        return PermissionResultDeny(message="never")

    process = Process(tmp_path, [use("Write", file_path="a", prompts=True)])
    wrapped = with_lookahead(process.options(can_use_tool=never), **quiet())
    assert await told(wrapped) == ["never"]
    assert wrapped.lookahead.in_doubt == []


def test_subagents_are_blocked_or_where_they_are_wanted_an_error() -> None:
    wrapped = with_lookahead(ClaudeAgentOptions(), **quiet())
    assert {"Task", "Agent", "Skill"} <= set(wrapped.disallowed_tools)
    assert {path.how for path in wrapped.lookahead.coverage if path.tool in ("Task", "Agent")} == {"blocked"}
    helper = AgentDefinition(description="Helps.", prompt="Help.")
    with pytest.raises(ConfigError, match="Task: opaque"):
        with_lookahead(ClaudeAgentOptions(agents={"helper": helper}), **quiet())
    known = with_lookahead(ClaudeAgentOptions(agents={"helper": helper}), **quiet(policy={"opaque": "allow"}))
    assert "Task" not in known.disallowed_tools


async def test_a_call_that_only_reads_is_not_imagined(tmp_path: Path) -> None:
    world = ScriptedWorld(script={"*": "as imagined"})
    process = Process(tmp_path, [use("Read", file_path="a")])
    await told(with_lookahead(process.options(), **quiet(world=world)))
    assert world.asked == []
    assert [name for name, _ in process.done] == ["Read"]


def test_options_that_are_guarded_already_are_not_guarded_twice() -> None:
    with pytest.raises(ConfigError, match="guarded already"):
        with_lookahead(with_lookahead(ClaudeAgentOptions(), **quiet()), **quiet())
