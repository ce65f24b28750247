"""Deeper steps are those that this agent would take: its own graph says them, in a dry copy."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from lookahead import BestOf, Journal, with_lookahead
from lookahead.testing import ScriptedCopy, ScriptedCritic, ScriptedProposer, ScriptedWorld, call

from .kit import ASKED, KINDS, Real, Script, calls, run

THREAD: Any = {"configurable": {"thread_id": "t"}}
HOW = pytest.mark.parametrize("how", ["sync", "async"])


def plans(messages: list[BaseMessage]) -> AIMessage:
    """After a note comes a look at what the note was said to be; after a look, a payment; then nothing."""
    last = messages[-1]
    turn = sum(isinstance(one, AIMessage) for one in messages) + 1
    if not isinstance(last, ToolMessage):
        return calls(("note", {"text": "first"}))
    if last.name == "note":
        return calls(("look", {"at": str(last.content)}), start=turn)
    if last.name == "look":
        return calls(("pay", {"amount": 1}), start=turn)
    return AIMessage("done")


@HOW
@pytest.mark.parametrize("kind", KINDS)
def test_the_imagined_future_is_what_this_agent_would_do(kind: str, how: str) -> None:
    real, heard = Real(), 0

    def says(messages: list[BaseMessage]) -> AIMessage:
        nonlocal heard
        heard += 1
        if heard == 2:
            return calls(("note", {"text": "second"}))
        return plans(messages)

    world = ScriptedCopy(script={"note": "imagined note", "look": "seen", "pay": "paid"})
    critic = ScriptedCritic()
    store = InMemoryStore()
    bare = KINDS[kind](Script(says=says), real.tools(), checkpointer=InMemorySaver(), store=store)
    graph = with_lookahead(
        bare,
        world=world,
        critic=critic,
        search=BestOf(k=2, depth=3),
        policy={"look": "deny", "pay": "deny"},
        journal=Journal(":memory:"),
    )
    ended = run(graph, ASKED, THREAD, how=how)
    assert real.done == ["note first"], "nothing of what was imagined was done"
    futures = [[(step.action.tool, step.action.arguments) for step in one.steps] for one in critic.judged]
    assert [("note", {"text": "first"}), ("look", {"at": "imagined note"}), ("pay", {"amount": 1})] in futures
    assert [("note", {"text": "second"}), ("look", {"at": "imagined note"}), ("pay", {"amount": 1})] in futures
    assert "imagined note" not in str(ended["messages"]), "the real thread knows nothing of it"
    threads = {one.config["configurable"]["thread_id"] for one in bare.checkpointer.list(None)}
    assert threads == {"t"}, "the copy has a checkpointer of its own"
    assert list(store.search(())) == []


def test_what_the_dry_copy_says_is_streamed_to_nobody() -> None:
    real = Real()
    graph = with_lookahead(
        KINDS["create_agent"](Script(says=plans), real.tools(), checkpointer=InMemorySaver()),
        world=ScriptedCopy(script={"*": "imagined"}),
        search=BestOf(k=3, depth=2),
        policy={"look": "deny", "pay": "deny"},
        journal=Journal(":memory:"),
    )
    told = [str(part) for part in graph.stream(ASKED, THREAD, stream_mode=["messages", "updates", "tasks"])]
    assert not [one for one in told if "imagined-" in one]


@HOW
def test_a_node_that_calls_a_tool_by_itself_cannot_do_so_in_the_dry_copy(how: str) -> None:
    from langgraph.graph import END, START, MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode, tools_condition

    real = Real()
    pay = real.tools()[0]
    model = Script(says=plans).bind_tools(real.tools())

    def agent(state: MessagesState) -> Any:
        if isinstance(state["messages"][-1], ToolMessage):
            pay.invoke({"amount": 99})
        return {"messages": [model.invoke(state["messages"])]}

    graph = (
        StateGraph(MessagesState)
        .add_node("agent", agent)
        .add_node("tools", ToolNode(real.tools()))
        .add_edge(START, "agent")
        .add_conditional_edges("agent", tools_condition, {"tools": "tools", "__end__": END})
        .add_edge("tools", "agent")
        .compile()
    )
    search = BestOf(k=2, depth=2, propose=None)
    guarded = with_lookahead(
        graph,
        world=ScriptedWorld(script={"*": "imagined"}, kind="exact"),
        search=search,
        journal=Journal(":memory:"),
    )
    with pytest.raises(Exception, match="was not run"):
        run(guarded, ASKED, how=how)
    assert "pay 99" not in real.done


def test_whoever_is_given_another_proposer_is_asked_in_its_place() -> None:
    real, proposer = Real(), ScriptedProposer([call("note", text="other")])
    model = Script(says=plans)
    graph = with_lookahead(
        KINDS["create_agent"](model, real.tools(), checkpointer=InMemorySaver()),
        world=ScriptedWorld(script={"*": "imagined"}, kind="exact"),
        search=BestOf(k=2, propose=proposer),
        policy={"look": "deny", "pay": "deny"},
        journal=Journal(":memory:"),
    )
    graph.invoke(ASKED, THREAD)
    assert len(proposer.asked) >= 1
    assert model.asked == 4
