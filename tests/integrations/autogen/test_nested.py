"""Teams, agents as tools, code that agents write, and agents that hide."""

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("autogen_agentchat")

from autogen_agentchat.agents import (
    ApprovalResponse,
    AssistantAgent,
    BaseChatAgent,
    CodeExecutorAgent,
    MessageFilterAgent,
    MessageFilterConfig,
    SocietyOfMindAgent,
)
from autogen_agentchat.base import Response
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.messages import TextMessage
from autogen_agentchat.teams import RoundRobinGroupChat, Swarm
from autogen_agentchat.tools import AgentTool, TeamTool
from autogen_core.code_executor import CodeExecutor, CodeResult
from autogen_core.tools import FunctionTool, StaticWorkbench, Workbench

from lookahead import with_lookahead
from lookahead.errors import ConfigError
from lookahead.journal import Journal
from lookahead.testing import ScriptedWorld, Yes

pytestmark = pytest.mark.anyio
Says = Callable[..., Any]


def made(name: str, tools: list[Any], client: Any, **more: Any) -> Any:
    return AssistantAgent(name, client, tools=tools, description=name, **{"max_tool_iterations": 5, **more})


def guarded(agent: Any, **more: Any) -> Any:
    return with_lookahead(agent, **{"world": "none", "journal": Journal(":memory:"), **more})


def served(tools: Any, says: Says) -> Any:
    inner = made("writer", [tools["write"]], says([("write", {"path": "/"})], "inner done"))
    middle = made("lead", [AgentTool(inner)], says([("writer", {"task": "go"})], "middle done"))
    team = RoundRobinGroupChat([middle], termination_condition=MaxMessageTermination(6), max_turns=1)
    tool = TeamTool(team, "team", "a team")
    return made("boss", [tool, tools["look"]], says([("team", {"task": "go"})], "done"))


async def test_tools_of_agents_and_teams_as_tools_are_guarded_at_any_depth(real: Any, tools: Any, says: Says) -> None:
    wrapped = guarded(served(tools, says), policy={"write": "deny"})
    assert (await wrapped.run(task="go")).messages[-1].content == "done"
    assert real.done == []
    assert "write at team/lead/writer: guarded" in [str(path) for path in wrapped.lookahead.coverage]
    await guarded(served(tools, says)).run(task="go")
    assert real.done == [("write", "/")]


async def test_in_a_dry_run_inner_agents_think_and_their_tools_are_imagined(real: Any, tools: Any, says: Says) -> None:
    world = ScriptedWorld(script={"*": "gone"})
    result = await guarded(served(tools, says), mode="dry-run", world=world).run(task="go")
    assert result.messages[-1].content == "done"
    assert [action.tool for _, action in world.asked] == ["write"]
    assert real.done == []


async def test_an_agent_as_tool_can_be_forbidden_or_asked_about_by_its_name(real: Any, tools: Any, says: Says) -> None:
    await guarded(served(tools, says), policy={"writer": "deny"}).run(task="go")
    assert real.done == []
    yes = Yes()
    await guarded(served(tools, says), policy={"writer": "ask"}, approve=yes).run(task="go")
    assert [request.decision.proposed.tool for request in yes.asked] == ["writer"]
    assert real.done == [("write", "/")]


@pytest.mark.parametrize("kind", [RoundRobinGroupChat, Swarm])
async def test_the_members_of_a_team_are_guarded(kind: Any, real: Any, tools: Any, says: Says) -> None:
    first = made(
        "first",
        [tools["write"]],
        says([("write", {"path": "/"})], [("transfer_to_second", {})], "x"),
        handoffs=["second"],
    )
    second = made("second", [tools["look"]], says([("look", {"place": "x"})], "done", "done"))
    team = kind([first, second], termination_condition=MaxMessageTermination(12), max_turns=2)
    wrapped = guarded(team, policy={"write": "deny"})
    assert type(wrapped) is kind
    kinds = [type(event).__name__ async for event in wrapped.run_stream(task="go")]
    assert kinds[-1] == "TaskResult"
    assert real.done == [("look", "x")]
    assert not team._initialized
    assert team._team_id not in str(wrapped._participant_topic_types)
    await wrapped.reset()


async def test_a_team_within_an_agent_and_a_filtered_agent_are_guarded(real: Any, tools: Any, says: Says) -> None:
    inner = made("inner", [tools["write"]], says([("write", {"path": "/"})], "x"))
    filtered = MessageFilterAgent("filtered", inner, MessageFilterConfig(per_source=[]))
    mind = SocietyOfMindAgent("mind", RoundRobinGroupChat([filtered], max_turns=1), says("summary"))
    await guarded(mind, policy={"write": "deny"}).run(task="go")
    assert real.done == []


async def test_code_that_an_agent_has_written_is_a_call(real: Any) -> None:
    class Runs(CodeExecutor):
        component_config_schema = StaticWorkbench.component_config_schema

        async def execute_code_blocks(self, code_blocks: Any, cancellation_token: Any) -> Any:
            real.done.append(code_blocks[0].code.strip())
            return CodeResult(exit_code=0, output="ran")

        async def start(self) -> None: ...
        async def stop(self) -> None: ...
        async def restart(self) -> None: ...

    task = "```python\nprint(1)\n```"
    agent = CodeExecutorAgent("coder", Runs(), approval_func=lambda request: ApprovalResponse(approved=True, reason=""))
    result = await guarded(agent, policy={"execute_code": "deny"}).run(task=task)
    assert "Not done: execute_code" in result.messages[-1].content
    world = ScriptedWorld(script={"*": "1"})
    await guarded(agent, mode="dry-run", world=world).run(task=task)
    assert real.done == []
    result = await guarded(agent, policy={"execute_code": "allow"}).run(task=task)
    assert "ran" in result.messages[-1].content
    assert real.done == ["print(1)"]


async def test_a_workbench_that_tells_its_tools_later_is_guarded(real: Any, tools: Any, says: Says) -> None:
    class Later(Workbench):
        component_config_schema = StaticWorkbench.component_config_schema
        inner = StaticWorkbench([tools["write"]])

        async def list_tools(self) -> Any:
            return await self.inner.list_tools()

        async def call_tool(
            self, name: str, arguments: Any = None, cancellation_token: Any = None, call_id: Any = None
        ) -> Any:
            return await self.inner.call_tool(name, arguments, cancellation_token)

        async def start(self) -> None: ...
        async def stop(self) -> None: ...
        async def reset(self) -> None: ...
        async def save_state(self) -> Any: ...
        async def load_state(self, state: Any) -> None: ...

    def agent() -> Any:
        client = says([("write", {"path": "/"})], "done")
        return AssistantAgent("late", client, workbench=Later(), max_tool_iterations=3)

    await guarded(agent(), policy={"write": "deny"}).run(task="go")
    await guarded(agent(), mode="dry-run", world=ScriptedWorld(script={"*": "so"})).run(task="go")
    assert real.done == []
    await guarded(agent()).run(task="go")
    assert real.done == [("write", "/")]


def test_an_agent_of_an_unknown_kind_is_opaque(tools: Any, says: Says) -> None:
    class Own(BaseChatAgent):
        produced_message_types = (TextMessage,)

        async def on_messages(self, messages: Any, cancellation_token: Any) -> Any:
            return Response(chat_message=TextMessage(content="x", source="own"))

        async def on_reset(self, cancellation_token: Any) -> None: ...

    with pytest.raises(ConfigError, match="Own"):
        guarded(RoundRobinGroupChat([Own("own", "own")]))


def test_an_agent_that_hides_in_a_function_is_found(tools: Any, says: Says) -> None:
    inner = made("inner", [tools["write"]], says())

    async def delegate(task: str) -> str:
        """Gives a task to somebody."""
        return str(await inner.run(task=task))

    with pytest.raises(ConfigError, match="delegate: opaque"):
        guarded(made("outer", [delegate], says()))


def test_two_tools_of_one_name_are_refused(tools: Any, says: Says) -> None:
    def write(everything: str) -> str:
        return everything

    inner = made("inner", [FunctionTool(write, "Otherwise.")], says())
    with pytest.raises(ConfigError, match="two different tools"):
        guarded(made("outer", [tools["write"], AgentTool(inner)], says()))
