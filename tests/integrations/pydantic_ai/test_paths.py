"""Every way to a tool: toolsets of the agent, of a run, of an override; servers, native and outside tools; agents."""

from typing import Any

import pytest

pytest.importorskip("pydantic_ai")

from pydantic_ai import RunContext
from pydantic_ai.agent import WrapperAgent
from pydantic_ai.capabilities import AbstractCapability, NativeTool
from pydantic_ai.native_tools import WebSearchTool
from pydantic_ai.tools import DeferredToolRequests, DeferredToolResults, ToolDefinition
from pydantic_ai.toolsets import AbstractToolset, ExternalToolset, FunctionToolset
from pydantic_ai.toolsets.abstract import ToolsetTool
from pydantic_core import SchemaValidator, core_schema

from lookahead import with_lookahead
from lookahead.errors import ConfigError

from .office import Office, outcomes, quiet, results, use

pytestmark = pytest.mark.anyio
DENY = {"policy": {"*delete": "deny"}}


def toolset(office: Office) -> FunctionToolset[Any]:
    return FunctionToolset(office.tools)


class Server(AbstractToolset[Any]):
    """Stands for a server's toolset: its tools are known when it is asked."""

    def __init__(self, office: Office) -> None:
        self.office = office

    @property
    def id(self) -> str | None:
        return "server"

    async def get_tools(self, ctx: RunContext[Any]) -> dict[str, ToolsetTool[Any]]:
        schema = {"type": "object", "properties": {"path": {"type": "string"}}}
        made = ToolsetTool(
            toolset=self,
            tool_def=ToolDefinition(name="delete", parameters_json_schema=schema),
            max_retries=1,
            args_validator=SchemaValidator(core_schema.dict_schema()),
        )
        return {"delete": made}

    async def call_tool(self, name: str, tool_args: dict[str, Any], ctx: Any, tool: Any) -> Any:
        self.office.done.append(f"{name} {tool_args['path']}")
        return "deleted there"


@pytest.mark.parametrize(
    "toolsets",
    [
        lambda office: [toolset(office)],
        lambda office: [Server(office)],
        lambda office: [toolset(office).filtered(lambda ctx, tool: True)],
        lambda office: [lambda ctx: toolset(office)],
    ],
    ids=["functions", "server", "wrapped", "dynamic"],
)
@pytest.mark.parametrize("mode", ["guard", "dry-run"])
async def test_a_toolset_of_the_agent_is_guarded(toolsets: Any, mode: Any):
    office = Office()
    agent = office.agent([use("delete", path="a")], "done", tools=[], toolsets=toolsets(office))
    run = await with_lookahead(agent, **quiet(mode=mode, **DENY)).run("go")
    assert (office.done, outcomes(run)) == ([], ["denied"])
    office = Office()
    agent = office.agent([use("delete", path="a")], "done", tools=[], toolsets=toolsets(office))
    run = await with_lookahead(agent, **quiet(mode=mode, policy={"delete": "preview"} | {"delete": "allow"})).run("go")
    assert office.done == (["delete a"] if mode == "guard" else [])


@pytest.mark.parametrize("mode", ["guard", "dry-run"])
async def test_what_a_run_or_an_override_brings_along_is_guarded(mode: Any):
    office = Office()
    wrapped = with_lookahead(office.agent([use("delete", path="a")], "done", tools=[]), **quiet(mode=mode, **DENY))
    await wrapped.run("go", toolsets=[toolset(office)])
    for brought in ({"toolsets": [toolset(office)]}, {"tools": office.tools}):
        office.asked.clear()
        with wrapped.override(**brought):
            run = await wrapped.run("go")
        assert outcomes(run) == ["denied"]
    assert office.done == []


async def test_an_override_of_the_one_is_not_an_override_of_the_other():
    office = Office()
    agent = office.agent("done")
    wrapped = with_lookahead(agent, **quiet())
    with wrapped.override(model=Office().model("another")):
        assert (await agent.run("go")).output == "done"
    wrapped.tool_plain(lambda: "x", name="late")  # type: ignore[call-overload]
    assert "late" not in agent.toolsets[0].tools


async def test_a_hook_that_changes_the_arguments_does_not_change_what_was_judged():
    class Changes(AbstractCapability[Any]):
        async def before_tool_execute(self, ctx: Any, *, call: Any, tool_def: Any, args: Any) -> Any:
            return {"path": "/etc/passwd"}

    office = Office()
    rule = {"rule": "allow", "when": [{"argument": "path", "equals": "/etc/passwd", "rule": "deny"}]}
    agent = office.agent([use("write", path="a")], "done", capabilities=[Changes()])
    run = await with_lookahead(agent, **quiet(policy={"write": rule})).run("go")
    assert (office.done, outcomes(run)) == ([], ["denied"])


async def test_a_prefixed_tool_is_known_by_the_name_that_the_model_uses():
    office = Office()
    agent = office.agent([use("db_delete", path="a")], "done", tools=[], toolsets=[toolset(office).prefixed("db")])
    await with_lookahead(agent, **quiet(policy={"db_delete": "deny"})).run("go")
    assert office.done == []


async def test_a_toolset_that_asks_itself_is_kept_and_the_call_runs_once():
    office = Office()
    agent = office.agent(
        [use("delete", path="a")],
        "done",
        tools=[],
        toolsets=[toolset(office).approval_required(lambda ctx, tool, args: True)],
        output_type=[str, DeferredToolRequests],
    )
    wrapped = with_lookahead(agent, **quiet())
    asked = await wrapped.run("go")
    assert [one.tool_name for one in asked.output.approvals] == ["delete"]
    answers = DeferredToolResults(approvals={"delete-a": True})
    run = await wrapped.run(message_history=asked.all_messages(), deferred_tool_results=answers)
    assert (run.output, office.done) == ("done", ["delete a"])


async def test_what_is_done_outside_of_the_run_is_opaque():
    office = Office()
    outside = ExternalToolset([ToolDefinition(name="ship", parameters_json_schema={"type": "object"})])
    agent = office.agent([use("ship")], toolsets=[outside], output_type=[str, DeferredToolRequests])
    with pytest.raises(ConfigError, match=r"ship at .*: opaque"):
        with_lookahead(agent, **quiet())
    run = await with_lookahead(agent, **quiet(policy={"opaque": "allow"})).run("go")
    assert [one.tool_name for one in run.output.calls] == ["ship"]
    office.asked.clear()
    bare = with_lookahead(office.agent([use("ship")], output_type=[str, DeferredToolRequests]), **quiet())
    with pytest.raises(ConfigError, match="outside of this run"):
        await bare.run("go", toolsets=[outside])


async def test_what_the_provider_does_is_opaque_and_is_left_out_of_a_dry_run():
    agent = Office().agent("done", capabilities=[NativeTool(WebSearchTool())])
    with pytest.raises(ConfigError, match="web_search: opaque"):
        with_lookahead(agent, **quiet())
    assert with_lookahead(agent, **quiet(mode="dry-run")).lookahead.coverage[-1].how == "blocked"


async def test_an_agent_that_hides_in_a_tool_is_opaque_unless_it_is_guarded_itself():
    office = Office()
    inner = office.agent([use("delete", path="a")], "inner done")
    guarded = with_lookahead(inner, **quiet(**DENY))

    async def delegate(task: str) -> str:
        """Has somebody else do it."""
        return (await inner.run(task)).output

    async def safely(task: str) -> str:
        """Has somebody else do it, who is guarded."""
        return (await guarded.run(task)).output

    with pytest.raises(ConfigError, match=r"delegate at .*: opaque \(an agent runs inside"):
        with_lookahead(Office().agent("done", tools=[delegate]), **quiet())
    outer = Office().agent([use("safely", task="x")], "done", tools=[safely])
    run = await with_lookahead(outer, **quiet()).run("go")
    assert (results(run), office.done) == (["inner done"], [])


@pytest.mark.parametrize("mode", ["guard", "dry-run"])
async def test_an_agent_that_wraps_another_stays_of_its_class(mode: Any):
    class Named(WrapperAgent[Any, Any]): ...

    office = Office()
    agent = Named(office.agent([use("delete", path="a")], "done"))
    wrapped = with_lookahead(agent, **quiet(mode=mode, **DENY))
    assert isinstance(wrapped, Named)
    assert (await wrapped.run("go")).output == "done"
    assert office.done == []


def test_a_realtime_session_is_refused_and_so_is_wrapping_twice():
    wrapped = with_lookahead(Office().agent("done"), **quiet())
    with pytest.raises(ConfigError, match="realtime"):
        wrapped.realtime_session()
    with pytest.raises(ConfigError, match="guarded already"):
        with_lookahead(wrapped, **quiet())
