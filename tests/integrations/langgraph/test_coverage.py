"""Every way to a tool is guarded, blocked or opaque, and says which."""

import asyncio
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import BaseTool, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command

from lookahead import Journal, with_lookahead
from lookahead.errors import ConfigError, Refused
from lookahead.testing import ScriptedWorld
from lookahead_integrations.langgraph import tool_node
from lookahead_integrations.langgraph.leave import Blocked

from .kit import ASKED, KINDS, Real, answers, by_hand, calls, run, turns

HOW = pytest.mark.parametrize("how", ["sync", "async"])


def wrap(graph: Any, **settings: Any) -> Any:
    given = {"world": ScriptedWorld(script={"*": "imagined"}), "journal": Journal(":memory:"), **settings}
    return with_lookahead(graph, **given)


def ways(graph: Any) -> set[tuple[str, str, str]]:
    return {(path.tool, path.how, path.where) for path in graph.lookahead.coverage}


@pytest.mark.parametrize("kind", KINDS)
def test_every_tool_of_a_tool_node_is_guarded_and_its_node_is_named(kind: str) -> None:
    at = "inner/tools" if kind == "nested" else "tools"
    graph = wrap(KINDS[kind](turns(AIMessage("hello")), Real().tools()))
    assert ways(graph) == {(name, "guarded", at) for name in ("pay", "note", "look")}


def alone(*nodes: Any, **kwargs: Any) -> Any:
    """A graph of these nodes, one after the other."""
    graph = StateGraph(MessagesState)
    for place, node in enumerate(nodes):
        graph.add_node(f"n{place}", node)
        graph.add_edge(f"n{place - 1}" if place else START, f"n{place}")
    return graph.add_edge(f"n{len(nodes) - 1}", END).compile(**kwargs)


def callers(pay: BaseTool) -> dict[str, Any]:
    """Nodes that call a tool themselves, in all the ways that people do it."""
    agent = create_agent(turns(calls(("pay", {"amount": 5}))), [pay])

    def invoke(state: MessagesState) -> Any:
        pay.invoke({"amount": 5})
        return {"messages": []}

    async def ainvoke(state: MessagesState) -> Any:
        await pay.ainvoke({"amount": 5})
        return {"messages": []}

    async def to_thread(state: MessagesState) -> Any:
        await asyncio.to_thread(pay.invoke, {"amount": 5})
        return {"messages": []}

    def batch(state: MessagesState) -> Any:
        pay.batch([{"amount": 5}])
        return {"messages": []}

    def with_call(state: MessagesState) -> Any:
        pay.invoke({"name": "pay", "args": {"amount": 5}, "id": "c1", "type": "tool_call"})
        return {"messages": []}

    def an_agent(state: MessagesState) -> Any:
        return {"messages": agent.invoke({"messages": [("user", "x")]})["messages"][-1:]}

    async def an_agent_async(state: MessagesState) -> Any:
        return {"messages": (await agent.ainvoke({"messages": [("user", "x")]}))["messages"][-1:]}

    def a_tool_node(state: MessagesState, config: Any = None) -> Any:
        return ToolNode([pay]).invoke([calls(("pay", {"amount": 5}))])

    return {
        "invoke": invoke,
        "ainvoke": ainvoke,
        "to_thread": to_thread,
        "batch": batch,
        "with_call": with_call,
        "agent": an_agent,
        "agent_async": an_agent_async,
        "runnable": RunnableLambda(invoke),
    }


@pytest.mark.parametrize("name", callers(Real().tools()[0]))
def test_a_tool_that_is_called_in_a_function_is_named_and_stopped_before_it_runs(name: str) -> None:
    real = Real()
    node = callers(real.tools()[0])[name]
    graph = wrap(alone(node))
    assert ways(graph) == {("pay", "blocked", "n0")}
    how = "async" if name in ("ainvoke", "to_thread", "agent_async") else "sync"
    with pytest.raises(Blocked, match="was not run"):
        run(graph, ASKED, how=how)
    assert real.done == []


def test_a_function_without_tools_is_no_way_to_a_tool() -> None:
    graph = wrap(alone(lambda state: {"messages": [AIMessage("hello")]}))
    assert ways(graph) == set()
    assert graph.invoke(ASKED)["messages"][-1].content == "hello"


MODULE_AGENT: Any = None


@HOW
@pytest.mark.parametrize("held", ["closure", "global", "dictionary", "field", "method"])
def test_an_agent_in_a_tool_is_guarded_or_blocked_wherever_the_tool_holds_it(how: str, held: str) -> None:
    global MODULE_AGENT
    real = Real()
    inner = create_agent(turns(calls(("pay", {"amount": 5}))), real.tools())
    MODULE_AGENT = inner
    helpers = {"research": inner}
    given: Any = {"messages": [("user", "x")]}

    if held == "closure":

        @tool
        def delegate(task: str) -> str:
            """Have somebody else do it."""
            return str(inner.invoke(given)["messages"][-2].content)
    elif held == "global":

        @tool
        def delegate(task: str) -> str:
            """Have somebody else do it."""
            return str(MODULE_AGENT.invoke(given)["messages"][-2].content)
    elif held == "dictionary":

        @tool
        def delegate(task: str) -> str:
            """Have somebody else do it."""
            return str(helpers["research"].invoke(given)["messages"][-2].content)
    elif held == "field":

        class Delegate(BaseTool):
            name: str = "delegate"
            description: str = "Have somebody else do it."
            agent: Any = inner

            def _run(self, task: str) -> str:
                return str(self.agent.invoke(given)["messages"][-2].content)

        delegate = Delegate()
    else:

        class ByMethod(BaseTool):
            name: str = "delegate"
            description: str = "Have somebody else do it."

            def _run(self, task: str) -> str:
                return str(inner.invoke(given)["messages"][-2].content)

        delegate = ByMethod()

    outer = create_agent(turns(calls(("delegate", {"task": "x"}))), [delegate])
    graph = wrap(outer, policy={"pay": "deny", "delegate": "allow"})
    if held == "method":
        assert ("pay", "blocked", "tools/delegate") in ways(graph)
        with pytest.raises(Blocked):
            run(graph, ASKED, how=how)
    else:
        assert ("pay", "guarded", "tools/delegate/tools") in ways(graph)
        (said,) = answers(run(graph, ASKED, how=how))
        assert "the policy forbids" in said.content
    assert real.done == []
    assert MODULE_AGENT is inner


def test_an_agent_in_a_tool_asks_through_the_outer_one() -> None:
    real = Real()
    inner = create_agent(turns(calls(("pay", {"amount": 5}), ("note", {"text": "a"}))), real.tools())

    @tool
    def delegate(task: str) -> str:
        """Have somebody else do it."""
        return str(inner.invoke({"messages": [("user", "x")]})["messages"][-1].content)

    outer = create_agent(turns(calls(("delegate", {"task": "x"}))), [delegate], checkpointer=InMemorySaver())
    graph = wrap(outer, policy={"pay": "ask", "delegate": "allow"})
    config: Any = {"configurable": {"thread_id": "t"}}
    (asked,) = graph.invoke(ASKED, config)["__interrupt__"]
    assert asked.value["action_requests"][0]["name"] == "pay"
    assert real.done == []
    ended = graph.invoke(Command(resume="approve"), config)
    assert sorted(real.done) == ["note a", "pay 5"]
    assert answers(ended)[0].content == "done"


@HOW
def test_a_tool_that_is_a_node_walks_the_line(how: str) -> None:
    real = Real()

    class Bill(MessagesState):
        amount: int

    @tool
    def settle(amount: int) -> dict[str, Any]:
        """Settle the bill."""
        real.do(f"settle {amount}")
        return {"amount": 0}

    def built() -> Any:
        return StateGraph(Bill).add_node("settle", settle).add_edge(START, "settle").add_edge("settle", END).compile()

    graph = wrap(built(), policy={"settle": "allow"})
    assert ways(graph) == {("settle", "guarded", "settle")}
    assert run(graph, {"messages": [], "amount": 5}, how=how)["amount"] == 0
    assert real.done == ["settle 5"]
    with pytest.raises(Refused, match="the policy forbids"):
        run(wrap(built(), policy={"settle": "deny"}), {"messages": [], "amount": 5}, how=how)
    with pytest.raises(Refused):
        run(wrap(built(), mode="dry-run"), {"messages": [], "amount": 5}, how=how)
    assert real.done == ["settle 5"]


class RemoteGraph(RunnableLambda):  # type: ignore[type-arg]
    """Stands for a graph on another machine, which is known by the name of its class."""


def test_a_graph_on_another_machine_is_opaque_which_is_an_error_unless_allowed() -> None:
    graph = alone(lambda state: {"messages": []})
    remote = RemoteGraph(lambda state: {"messages": []})
    graph = graph.copy({"nodes": {**graph.nodes, "n0": graph.nodes["n0"].copy({"bound": remote})}})
    with pytest.raises(ConfigError, match="n0: opaque"):
        wrap(graph)
    assert ("*", "opaque", "n0") in ways(wrap(graph, policy={"opaque": "allow"}))


@HOW
def test_a_wrapper_of_the_users_own_stays_outside_of_ours(how: str) -> None:
    real = Real()

    def edit(request: Any, execute: Any) -> Any:
        return execute(request.override(tool_call={**request.tool_call, "args": {"amount": 99}}))

    async def aedit(request: Any, execute: Any) -> Any:
        return await execute(request.override(tool_call={**request.tool_call, "args": {"amount": 99}}))

    node = ToolNode(real.tools(), wrap_tool_call=edit, awrap_tool_call=aedit)
    graph = alone(lambda state: {"messages": [calls(("pay", {"amount": 1}))]}, node)
    rule = {"pay": {"when": [{"argument": "amount", "above": 50, "rule": "deny"}]}}
    assert "the policy forbids" in answers(run(wrap(graph, policy=rule), ASKED, how=how))[0].content
    assert real.done == [], "what is judged is what would run"


def test_a_subclass_of_tool_node_keeps_what_it_adds() -> None:
    real, seen = Real(), []

    class Counting(ToolNode):
        def _func(self, input: Any, config: RunnableConfig, runtime: Any) -> Any:
            seen.append(len(input["messages"]))
            return super()._func(input, config, runtime)

    graph = wrap(
        alone(lambda state: {"messages": [calls(("pay", {"amount": 1}))]}, Counting(real.tools())),
        policy={"pay": "deny"},
    )
    graph.invoke(ASKED)
    assert seen == [2]
    assert real.done == []


@HOW
def test_a_graph_of_ones_own_takes_a_guarded_tool_node(how: str) -> None:
    real = Real()
    node = tool_node(
        real.tools(), policy={"pay": "deny", "note": "allow"}, journal=Journal(":memory:"), handle_tool_errors=True
    )
    assert isinstance(node, ToolNode)
    graph = alone(lambda state: {"messages": [calls(("pay", {"amount": 1}), ("note", {"text": "a"}))]}, node)
    ended = run(graph, ASKED, how=how)
    assert real.done == ["note a"]
    assert [one.status for one in answers(ended)] == ["error", "success"]
    assert {path.tool for path in node.lookahead.coverage} == {"pay", "note", "look"}


def test_a_dry_run_holds_stubs_in_place_of_the_tools() -> None:
    real = Real()
    graph = wrap(by_hand(turns(calls(("pay", {"amount": 1}))), real.tools()), mode="dry-run")
    for held in graph.nodes["tools"].bound.tools_by_name.values():
        with pytest.raises(Exception, match=r"dry run|was not run"):
            held.invoke({"amount": 1} if held.name == "pay" else {"text": "a", "at": "a"})
    assert real.done == []


def test_in_a_dry_run_arguments_that_do_not_fit_are_said_to() -> None:
    graph = wrap(by_hand(turns(calls(("pay", {"amount": "a lot"}))), Real().tools()), mode="dry-run")
    (said,) = answers(graph.invoke(ASKED))
    assert said.status == "error"
    assert "do not fit" in said.content
