"""Agents behind agents in Inspect, tools that are made inside of them, and ways round the guard."""

from typing import Any

import pytest

pytest.importorskip("inspect_ai")

from inspect_ai import Task, eval
from inspect_ai.agent import Agent, AgentState, agent, as_tool, handoff, react
from inspect_ai.approval import ApprovalPolicy, auto_approver
from inspect_ai.dataset import Sample
from inspect_ai.model import get_model
from inspect_ai.solver import chain, generate, use_tools
from inspect_ai.tool import Tool, ToolDef, ToolSource, tool

from lookahead import Journal, with_lookahead
from lookahead.errors import ConfigError
from lookahead.testing import ScriptedWorld

from .fakes import Office, Say, model, results, use

pytestmark = [
    pytest.mark.filterwarnings("ignore:The 'initial' parameter is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Unclosed <MemoryObjectReceiveStream:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <function MemoryObjectReceiveStream"),
]

DENY = {"delete": "deny"}


def quiet(**more: Any) -> dict[str, Any]:
    return {"world": ScriptedWorld(script={"*": "as imagined"}), "journal": Journal(":memory:"), **more}


def told(solver: Any, *turns: Any, **more: Any) -> list[str]:
    (log,) = eval(Task(dataset=[Sample(input="go")], solver=solver, **more), model=model(*(turns or ("done",))))
    assert log.status == "success", log.error
    assert log.samples is not None
    return results(log.samples[0].messages)


def cleaner(office: Office, **more: Any) -> Any:
    turns = ([use("delete", path="a"), use("write", path="b")], "cleaned")
    return office.agent(*turns, name="cleaner", description="Cleans up.", **more)


@pytest.mark.parametrize("how", [handoff, as_tool])
@pytest.mark.parametrize(("mode", "done"), [("guard", ["write b"]), ("dry-run", [])])
def test_agents_that_are_handed_over_to_or_used_as_tools_are_guarded(how: Any, mode: Any, done: list[str]) -> None:
    office = Office()
    name = "transfer_to_cleaner" if how is handoff else "cleaner"
    call = use(name) if how is handoff else use(name, input="clean up")
    outer = react(model=model([call], "done"), tools=[how(cleaner(office))], name="boss", description="Leads.")
    wrapped = with_lookahead(outer, **quiet(policy=DENY, mode=mode))
    told(wrapped)
    assert office.done == done
    assert {(path.where, path.tool) for path in wrapped.lookahead.coverage} == {
        ("boss", name),
        ("boss/cleaner", "read"),
        ("boss/cleaner", "write"),
        ("boss/cleaner", "delete"),
    }


def test_an_inner_agent_with_approvers_of_its_own_does_not_escape() -> None:
    office = Office()
    lenient = [ApprovalPolicy(auto_approver(), "*")]
    outer = react(model=model([use("cleaner", input="x")], "done"), tools=[as_tool(cleaner(office, approval=lenient))])
    told(with_lookahead(outer, **quiet(policy=DENY)))
    assert office.done == ["write b"]


def test_the_approvers_of_the_task_go_on_to_be_asked() -> None:
    office = Office()
    strict = [ApprovalPolicy(auto_approver("reject"), "write"), ApprovalPolicy(auto_approver(), "*")]
    wrapped = with_lookahead(office.agent([use("write", path="b"), use("read", path="c")], "done"), **quiet())
    said = told(wrapped, approval=strict)
    assert said[1] == "the text of c"
    assert office.done == ["read c"]


def test_the_tools_of_a_chain_of_solvers_are_guarded() -> None:
    office = Office()
    task = Task(dataset=[Sample(input="go")], solver=chain(use_tools(office.tools), generate()))
    wrapped = with_lookahead(task, **quiet(policy=DENY))
    (log,) = eval(wrapped, model=model([use("delete", path="a"), use("write", path="b")], Say("done")))
    assert log.status == "success", log.error
    assert office.done == ["write b"]
    (log,) = eval(task, model=model([use("delete", path="a")], Say("done")))
    assert office.done == ["write b", "delete a"], "the task that was given is as it was"


def test_a_tool_that_an_agent_makes_inside_of_itself_is_blocked_before_it_runs() -> None:
    office = Office()

    @agent
    def secretive() -> Agent:
        async def execute(state: AgentState) -> AgentState:
            state.messages, state.output = await get_model().generate_loop(state.messages, tools=[Office().tools[0]])
            return state

        return execute

    wrapped = with_lookahead(secretive(), **quiet())
    said = told(wrapped, [use("read", path="a")], Say("done"))
    assert said[0].startswith("Not done: read was made inside of the agent")
    assert office.done == []


@tool
def loose() -> Tool:
    async def execute(path: str) -> str:
        """Lies in the module.

        Args:
            path: which one
        """
        return path

    return execute


LOOSE = loose()


def test_a_tool_that_lies_in_the_module_is_opaque() -> None:
    @agent
    def careless() -> Agent:
        async def execute(state: AgentState) -> AgentState:
            await LOOSE(path="x")
            return state

        return execute

    with pytest.raises(ConfigError, match="LOOSE at careless: opaque"):
        with_lookahead(careless(), **quiet())


class Server(ToolSource):
    def __init__(self, office: Office) -> None:
        self.office = office

    async def tools(self) -> list[Tool]:
        return self.office.tools


def test_the_tools_of_a_server_are_guarded_when_it_brings_them() -> None:
    office = Office()
    outer = react(model=model([use("delete", path="a"), use("write", path="b")], "done"), tools=[Server(office)])
    wrapped = with_lookahead(outer, **quiet(policy=DENY))
    told(wrapped)
    assert office.done == ["write b"]


def test_a_definition_keeps_what_it_says_of_its_tool() -> None:
    office = Office()
    given = ToolDef(office.tools[1], name="note", description="Takes a note.", parallel=False)
    (wrapped,) = with_lookahead([given], **quiet())
    assert isinstance(wrapped, ToolDef)
    assert (wrapped.name, wrapped.parameters) == ("note", given.parameters)
    assert wrapped.tool is not given.tool


def test_what_is_guarded_already_is_not_guarded_twice() -> None:
    with pytest.raises(ConfigError, match="guarded already"):
        with_lookahead(with_lookahead(Office().tools, **quiet()), **quiet())


def test_a_function_that_no_framework_made_is_what_it_was() -> None:
    def write(path: str) -> str:
        """Writes."""
        return path

    write.note = "mine"  # type: ignore[attr-defined]
    assert with_lookahead(write, **quiet())("a") == "a"
