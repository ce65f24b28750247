"""Sub-agents, agents as tools, toolsets, and what the user's own callbacks may do."""

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("google.adk")

from google.adk.agents import BaseAgent, LlmAgent, LoopAgent, ParallelAgent, SequentialAgent
from google.adk.plugins.base_plugin import BasePlugin
from google.adk.tools import FunctionTool
from google.adk.tools.agent_tool import AgentTool
from google.adk.tools.base_toolset import BaseToolset
from google.genai import types

from lookahead import with_lookahead
from lookahead.errors import ConfigError
from lookahead.journal import Journal
from lookahead.testing import ScriptedWorld

# The framework warns of an argument that it uses itself for an agent that serves as a tool.
pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore:The `plugins` argument:DeprecationWarning")]
Some = Callable[..., Any]


def made(name: str, tools: list[Any], model: Any, **more: Any) -> Any:
    return LlmAgent(name=name, description=name, model=model, tools=tools, **more)


def guarded(agent: Any, **more: Any) -> Any:
    return with_lookahead(agent, **{"world": "none", "journal": Journal(":memory:"), **more})


def served(tools: Any, says: Some) -> Any:
    inner = made("writer", [tools["write"]], says([("write", {"path": "/"})], "inner done"))
    middle = made("lead", [AgentTool(inner)], says([("writer", {"request": "go"})], "middle done"))
    return made("boss", [AgentTool(middle)], says([("lead", {"request": "go"})], "done"))


async def test_tools_of_agents_as_tools_are_guarded_at_any_depth(real: Any, tools: Any, says: Some, run: Some) -> None:
    wrapped = guarded(served(tools, says), policy={"write": "deny"})
    events = await run(wrapped)
    assert events[-1].content.parts[0].text == "done"
    assert real.done == []
    assert [str(path) for path in wrapped.lookahead.coverage] == ["write at lead/writer: guarded"]
    await run(guarded(served(tools, says)), session="again")
    assert real.done == [("write", "/")]


async def test_in_a_dry_run_inner_agents_think_and_their_tools_are_imagined(
    real: Any, tools: Any, says: Some, run: Some
) -> None:
    world = ScriptedWorld(script={"*": "gone"})
    await run(guarded(served(tools, says), mode="dry-run", world=world))
    assert [action.tool for _, action in world.asked] == ["write"]
    assert real.done == []


async def test_an_agent_as_tool_can_be_forbidden_by_its_name(real: Any, tools: Any, says: Some, run: Some) -> None:
    await run(guarded(served(tools, says), policy={"writer": "deny"}))
    assert real.done == []


async def test_a_sub_agent_that_is_handed_over_to_is_guarded(real: Any, tools: Any, says: Some, run: Some) -> None:
    sub = made("sub", [tools["write"]], says([("write", {"path": "/"})], "sub done"))
    agent = made("main", [tools["look"]], says([("transfer_to_agent", {"agent_name": "sub"})]), sub_agents=[sub])
    wrapped = guarded(agent, policy={"write": "deny"})
    events = await run(wrapped)
    assert events[-1].content.parts[0].text == "sub done"
    assert real.done == []
    assert sub.parent_agent is agent
    assert sub.tools == [tools["write"]]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", [SequentialAgent, ParallelAgent, LoopAgent])
async def test_the_members_of_a_workflow_are_guarded(kind: Any, real: Any, tools: Any, says: Some, run: Some) -> None:
    first = made("first", [tools["write"]], says([("write", {"path": "/"})], "one"))
    second = made("second", [tools["look"]], says([("look", {"place": "x"})], "two"))
    more = {"max_iterations": 1} if kind is LoopAgent else {}
    wrapped = guarded(kind(name="flow", sub_agents=[first, second], **more), policy={"write": "deny"})
    assert type(wrapped) is kind
    await run(wrapped)
    assert real.done == [("look", "x")]


async def test_a_toolset_is_guarded_when_it_tells_its_tools(real: Any, tools: Any, says: Some, run: Some) -> None:
    class Later(BaseToolset):
        async def get_tools(self, readonly_context: Any = None) -> Any:
            return [FunctionTool(tools["write"])]

        async def close(self) -> None: ...

    def agent(**more: Any) -> Any:
        return made("late", [Later(**more)], says([("prefixed_write" if more else "write", {"path": "/"})], "done"))

    await run(guarded(agent(), policy={"write": "deny"}), session="1")
    await run(guarded(agent(tool_name_prefix="prefixed"), policy={"prefixed_write": "deny"}), session="2")
    await run(guarded(agent(), mode="dry-run", world=ScriptedWorld(script={"*": "so"})), session="3")
    assert real.done == []
    await run(guarded(agent()), session="4")
    assert real.done == [("write", "/")]


async def test_callbacks_and_plugins_come_before_the_line(real: Any, tools: Any, says: Some, run: Some) -> None:
    """They may change a call; what runs is what was judged after that."""

    def moved(tool: Any, args: dict[str, Any], tool_context: Any) -> None:
        args["path"] = "/etc"

    class Moves(BasePlugin):
        async def before_tool_callback(self, *, tool: Any, tool_args: dict[str, Any], tool_context: Any) -> None:
            tool_args["path"] = "/etc"

    deny = {"write": {"when": [{"argument": "path", "equals": "/etc", "rule": "deny"}]}}
    turns = [("write", {"path": "/tmp"})], "done"
    await run(guarded(made("a", [tools["write"]], says(*turns), before_tool_callback=moved), policy=deny))
    agent = guarded(made("a", [tools["write"]], says(*turns)), policy=deny)
    await run(agent, session="2", plugins=[Moves(name="moves")])
    assert real.done == []


async def test_a_tool_that_asks_for_itself_is_asked_about_once_and_done_once(
    real: Any, tools: Any, says: Some, run: Some
) -> None:
    tool = FunctionTool(tools["write"], require_confirmation=True)
    model = says([("write", {"path": "a"})], "waiting")
    wrapped = guarded(made("careful", [tool], model))
    events = await run(wrapped)
    assert real.done == []
    calls = [one for event in events for one in event.get_function_calls()]
    (request,) = [one for one in calls if one.name == "adk_request_confirmation"]
    model.turns[:] = ["done"]
    reply = types.FunctionResponse(id=request.id, name=request.name, response={"confirmed": True})
    await run(wrapped, reply)
    assert real.done == [("write", "a")]


def test_what_the_provider_runs_is_opaque(says: Some) -> None:
    from google.adk.tools import google_search

    agent = made("searcher", [google_search], says())
    with pytest.raises(ConfigError, match="google_search: opaque"):
        guarded(agent)
    with pytest.raises(ConfigError, match="dry run"):
        guarded(agent, mode="dry-run", policy={"opaque": "allow"})


def test_an_agent_of_an_unknown_kind_is_opaque(tools: Any, says: Some) -> None:
    class Own(BaseAgent):
        pass

    with pytest.raises(ConfigError, match="Own"):
        guarded(made("main", [], says(), sub_agents=[Own(name="own")]))


def test_an_agent_that_hides_in_a_function_is_found(tools: Any, says: Some, run: Some) -> None:
    inner = made("inner", [tools["write"]], says())

    async def delegate(task: str) -> str:
        """Gives a task to somebody."""
        return str(await run(inner, task))

    with pytest.raises(ConfigError, match="delegate: opaque"):
        guarded(made("outer", [delegate], says()))


def test_two_tools_of_one_name_are_refused(tools: Any, says: Some) -> None:
    def write(everything: str) -> str:
        """Writes otherwise."""
        return everything

    inner = made("inner", [write], says())
    with pytest.raises(ConfigError, match="two different tools"):
        guarded(made("outer", [tools["write"], AgentTool(inner)], says()))
