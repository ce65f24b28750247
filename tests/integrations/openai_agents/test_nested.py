"""Every way from one agent to another: handed over to, called as a tool, hidden in a function, behind a server."""

from typing import Any

import pytest

pytest.importorskip("agents")

from agents import Agent, Handoff, RunContextWrapper, Runner, WebSearchTool, function_tool, handoff
from agents.mcp import MCPServer
from mcp.types import CallToolResult, GetPromptResult, ListPromptsResult, TextContent
from mcp.types import Tool as McpTool

from lookahead import with_lookahead
from lookahead.errors import ConfigError

from .kit import Office, model, quiet, results, use

pytestmark = pytest.mark.anyio
DENY = {"policy": {"delete": "deny"}}


async def test_an_agent_that_is_handed_over_to_is_guarded():
    office = Office()
    sub = office.agent([use("delete", path="a")], "done", name="sub")
    main = Agent("main", handoffs=[sub], model=model([use("transfer_to_sub")]))
    wrapped = with_lookahead(main, **quiet(**DENY))
    run = await Runner.run(wrapped, "go")
    assert office.done == []
    assert results(run)[-1].startswith("Not done: delete")
    assert run.last_agent is wrapped.handoffs[0]
    assert main.handoffs == [sub]


async def test_two_agents_that_hand_over_to_one_another_are_each_wrapped_once():
    office = Office()
    one = office.agent([use("transfer_to_two", "h1")], [use("delete", path="a")], "done", name="one")
    two = Agent("two", model=model([use("transfer_to_one", "h2")]), handoffs=[one])
    one.handoffs.append(two)
    wrapped = with_lookahead(one, **quiet(**DENY))
    assert wrapped.handoffs[0].handoffs[0] is wrapped
    run = await Runner.run(wrapped, "go")
    assert office.done == []
    assert run.last_agent is wrapped


@pytest.mark.parametrize("mode", ["guard", "dry-run"])
async def test_a_handoff_with_code_of_its_own_leads_to_the_guarded_agent(mode: Any):
    office, told = Office(), []
    sub = office.agent([use("write", path="a")], "done", name="sub")
    main = Agent("main", model=model([use("transfer_to_sub")]))
    main.handoffs = [handoff(sub, on_handoff=lambda context: told.append("handed over"))]
    run = await Runner.run(with_lookahead(main, **quiet(mode=mode)), "go")
    assert run.final_output == "done"
    assert told == (["handed over"] if mode == "guard" else [])
    assert office.done == (["write a"] if mode == "guard" else [])


async def test_an_agent_that_nobody_knew_of_is_guarded_when_it_is_handed_over_to():
    office = Office()

    async def choose(context: RunContextWrapper[Any], arguments: str) -> Agent[Any]:
        return office.agent([use("delete", path="a")], "done", name="late")

    way = Handoff("go_on", "goes on", {"type": "object", "properties": {}}, choose, "late", strict_json_schema=False)
    wrapped = with_lookahead(Agent("main", handoffs=[way], model=model([use("go_on")])), **quiet(**DENY))
    await Runner.run(wrapped, "go")
    assert office.done == []


async def test_an_agent_that_is_called_as_a_tool_is_guarded_and_the_one_that_was_given_is_not():
    office = Office()
    turns = ([use("delete", path="a")], "done")
    sub = office.agent(*turns, name="sub")
    tool = sub.as_tool("helper", "helps")
    main = Agent("main", tools=[tool], model=model([use("helper", input="x")], "over"))
    wrapped = with_lookahead(main, **quiet(**DENY))
    run = await Runner.run(wrapped, "go")
    assert run.final_output == "over"
    assert office.done == []
    assert tool._agent_instance is sub
    assert "delete at helper: guarded" in [str(path) for path in wrapped.lookahead.coverage]


async def test_a_question_of_an_agent_in_a_tool_comes_out_and_its_answer_goes_in():
    office = Office()
    sub = office.agent([use("delete", path="a"), use("write", path="b")], "done", name="sub")
    main = Agent("main", tools=[sub.as_tool("helper", "helps")], model=model([use("helper", input="x")], "over"))
    wrapped = with_lookahead(main, **quiet(policy={"delete": "ask"}))
    state = (await Runner.run(wrapped, "go")).to_state()
    assert office.done == []
    for one in state.get_interruptions():
        state.approve(one)
    run = await Runner.run(wrapped, state)
    assert run.final_output == "over"
    assert sorted(office.done) == ["delete a", "write b"]


async def test_the_policy_may_speak_of_an_agent_that_is_called_as_a_tool():
    office = Office()
    sub = office.agent("done", name="sub")
    main = Agent("main", tools=[sub.as_tool("helper", "helps")], model=model([use("helper", input="x")], "over"))
    run = await Runner.run(with_lookahead(main, **quiet(policy={"helper": "deny"})), "go")
    assert results(run)[0].startswith("Not done: helper")
    assert sub.model.calls == ()


async def test_an_agent_that_hides_in_a_function_is_an_error_unless_it_was_said_to_be_known():
    inner = Office().agent("done", name="inner")

    @function_tool
    async def delegate(task: str) -> str:
        """Has somebody else do it."""
        return (await Runner.run(inner, task)).final_output

    main = Agent("main", tools=[delegate], model=model([use("delegate", task="x")], "over"))
    with pytest.raises(ConfigError, match=r"delegate: opaque \(an agent runs inside"):
        with_lookahead(main, **quiet())
    with_lookahead(main, **quiet(policy={"opaque": "allow"}))
    assert with_lookahead(main, **quiet(mode="dry-run")).lookahead.coverage[0].how == "blocked"


async def test_a_tool_that_the_provider_runs_is_an_error_unless_allowed_and_is_left_out_of_a_dry_run():
    main = Agent("main", tools=[WebSearchTool()], model=model("over"))
    with pytest.raises(ConfigError, match="web_search: opaque"):
        with_lookahead(main, **quiet())
    assert (await Runner.run(with_lookahead(main, **quiet(policy={"opaque": "allow"})), "go")).final_output == "over"
    main.model = model("over")
    dry = with_lookahead(main, **quiet(mode="dry-run"))
    assert dry.tools == []
    assert (await Runner.run(dry, "go")).final_output == "over"


class Server(MCPServer):
    """An MCP server in memory."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.done: list[Any] = []

    @property
    def name(self) -> str:
        return "drive"

    async def connect(self) -> None: ...

    async def cleanup(self) -> None: ...

    async def list_tools(self, run_context: Any = None, agent: Any = None) -> list[McpTool]:
        schema = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
        return [McpTool(name=name, input_schema=schema) for name in ("wipe", "look")]

    async def call_tool(self, tool_name: str, arguments: Any, meta: Any = None) -> CallToolResult:
        self.done.append((tool_name, arguments))
        return CallToolResult(content=[TextContent(type="text", text=f"{tool_name} done")])

    async def list_prompts(self, cursor: str | None = None) -> ListPromptsResult:
        raise NotImplementedError

    async def get_prompt(self, name: str, arguments: Any = None) -> GetPromptResult:
        raise NotImplementedError


@pytest.mark.parametrize("mode", ["guard", "dry-run"])
async def test_what_a_server_does_is_judged_and_in_a_dry_run_imagined(mode: Any):
    server = Server()
    agent = Agent("main", mcp_servers=[server], model=model([use("wipe", path="a"), use("look", path="b")], "over"))
    wrapped = with_lookahead(agent, **quiet(mode=mode, policy={"wipe": "deny"}))
    run = await Runner.run(wrapped, "go")
    assert results(run)[0].startswith("Not done: wipe")
    assert server.done == ([("look", {"path": "b"})] if mode == "guard" else [])
    if mode == "dry-run":
        assert results(run)[1] == "as imagined"
        with pytest.raises(RuntimeError, match="dry run"):
            await wrapped.mcp_servers[0].call_tool("look", {"path": "b"})


async def test_a_question_about_a_server_s_tool_is_put_and_answered_once():
    server = Server()
    agent = Agent("main", mcp_servers=[server], model=model([use("wipe", path="a"), use("look", path="b")], "over"))
    wrapped = with_lookahead(agent, **quiet(policy={"wipe": "ask", "look": {"effect": "reads"}}))
    state = (await Runner.run(wrapped, "go")).to_state()
    assert server.done == [("look", {"path": "b"})]
    state.approve(state.get_interruptions()[0])
    assert (await Runner.run(wrapped, state)).final_output == "over"
    assert server.done == [("look", {"path": "b"}), ("wipe", {"path": "a"})]


async def test_what_is_added_later_is_guarded_or_refused():
    office = Office()
    wrapped = with_lookahead(office.agent([use("delete", path="a")], "done", tools=[]), **quiet(**DENY))
    wrapped.tools.extend(office.tools)
    await Runner.run(wrapped, "go")
    assert office.done == []
    wrapped.handoffs.append(Agent("stranger"))
    with pytest.raises(ConfigError, match="a handoff to 'stranger' was added"):
        await Runner.run(wrapped, "go")


async def test_a_clone_is_guarded_also_with_tools_and_hooks_of_its_own():
    office = Office()
    wrapped = with_lookahead(office.agent([use("delete", path="a")], "done"), **quiet(**DENY))
    clone = wrapped.clone(name="another", tools=office.tools, hooks=None)
    await Runner.run(clone, "go")
    assert office.done == []
    assert clone.lookahead is wrapped.lookahead
