"""Bugs of the frameworks that cost real actions: on a wrapped agent none of them does."""

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    HumanInTheLoopMiddleware,
    ToolRetryMiddleware,
    after_model,
)
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from lookahead import Journal, with_lookahead
from lookahead.testing import ScriptedWorld

from .kit import ASKED, KINDS, Real, Script, answers, by_hand, calls, run, turns

THREAD: Any = {"configurable": {"thread_id": "t"}}
HOW = pytest.mark.parametrize("how", ["sync", "async"])


def wrap(graph: Any, **settings: Any) -> Any:
    given = {"world": ScriptedWorld(script={"*": "imagined"}), "journal": Journal(":memory:"), **settings}
    return with_lookahead(graph, **given)


@HOW
def test_a_call_that_a_person_refused_is_not_run_by_a_jump_to_the_tools(how: str) -> None:
    """langchain#40491: the refused call is still in the message, and the jump passes by what would have left it out."""
    real = Real()

    def says(messages: Any) -> AIMessage:
        return calls(("pay", {"amount": 1})) if len(messages) == 1 else AIMessage("done")

    graph = create_agent(
        Script(says=says),
        real.tools(),
        # The last one is asked first after the model.
        middleware=[once(), HumanInTheLoopMiddleware(interrupt_on={"pay": True}, interrupt_mode="batched")],
        checkpointer=InMemorySaver(),
    )
    graph = wrap(graph, policy={"pay": "allow"})
    run(graph, ASKED, THREAD, how=how)
    run(graph, Command(resume={"decisions": [{"type": "reject", "message": "no"}]}), THREAD, how=how)
    assert real.done == []


def once() -> Any:
    jumped: list[int] = []

    @after_model(can_jump_to=["tools"])
    def jump(state: Any, runtime: Any) -> Any:
        if jumped:
            return None
        jumped.append(1)
        return {"jump_to": "tools"}

    return jump


@HOW
def test_an_edit_to_another_tool_is_under_that_tools_policy(how: str) -> None:
    """langchain#40166: what a person made of a call is another call, and is judged as what it is now."""
    real = Real()
    graph = create_agent(
        turns(calls(("note", {"text": "a"}))),
        real.tools(),
        middleware=[HumanInTheLoopMiddleware(interrupt_on={"note": True}, interrupt_mode="batched")],
        checkpointer=InMemorySaver(),
    )
    graph = wrap(graph, policy={"pay": "deny", "note": "allow"})
    (asked,) = run(graph, ASKED, THREAD, how=how)["__interrupt__"]
    edit = {"type": "edit", "edited_action": {"name": "pay", "args": {"amount": 9}}}
    answer = {asked.id: {"decisions": [edit]}}
    ended = run(graph, Command(resume=answer), THREAD, how=how)
    assert real.done == []
    assert any("the policy forbids" in str(one.content) for one in answers(ended))


@HOW
def test_what_was_done_instead_is_said_so_that_the_model_does_not_ask_again(how: str) -> None:
    """langchain#33787: a model that is not told of the change makes its first call again."""
    from lookahead import BestOf
    from lookahead.testing import ScriptedCritic, ScriptedProposer, call

    real = Real()

    def says(messages: Any) -> AIMessage:
        told = [str(one.content) for one in messages if one.type == "tool"]
        if told and "instead of" in told[-1]:
            return AIMessage("done")
        return calls(("pay", {"amount": 1}), start=1 + len(told))

    graph = wrap(
        create_agent(Script(says=says), real.tools()),
        world=ScriptedWorld(script={"*": "imagined"}, kind="exact"),
        search=BestOf(k=2, propose=ScriptedProposer([call("note", text="better")])),
        critic=ScriptedCritic(script={"pay": 0.1, "note": 0.9}),
        policy={"swap": True},
    )
    run(graph, ASKED, how=how)
    assert real.done == ["note better"]


@HOW
@pytest.mark.parametrize("kind", ["react_v1", "by_hand"])
def test_all_parallel_questions_come_at_once_and_each_gets_its_own_answer(kind: str, how: str) -> None:
    """langgraph#6624: one of several questions was put; langgraph#6626: their ids were the same."""
    real = Real()
    model = turns(calls(("pay", {"amount": 1}), ("pay", {"amount": 2}), ("pay", {"amount": 3})))
    graph = wrap(KINDS[kind](model, real.tools(), checkpointer=InMemorySaver()), policy={"pay": "ask"})
    (asked,) = run(graph, ASKED, THREAD, how=how)["__interrupt__"]
    assert [one["args"] for one in asked.value["action_requests"]] == [{"amount": 1}, {"amount": 2}, {"amount": 3}]
    run(graph, Command(resume={"c2": "approve", "c1": "reject", "c3": "reject"}), THREAD, how=how)
    assert real.done == ["pay 2"]


@HOW
@pytest.mark.parametrize("kind", ["react_v1", "by_hand"])
def test_siblings_of_a_tool_that_asks_are_not_run_again(kind: str, how: str) -> None:
    """langgraph#6208, deepagents#420: on resume the whole node runs again, and with it every other tool."""
    real = Real()

    @tool
    def confirm(what: str) -> str:
        """Ask somebody."""
        return real.do(f"confirmed {interrupt(what)}")

    model = turns(calls(("note", {"text": "a"}), ("confirm", {"what": "?"}), ("note", {"text": "b"})))
    graph = wrap(KINDS[kind](model, [*real.tools(), confirm], checkpointer=InMemorySaver()))
    run(graph, ASKED, THREAD, how=how)
    run(graph, Command(resume="yes"), THREAD, how=how)
    assert sorted(real.done) == ["confirmed yes", "note a", "note b"]


@HOW
def test_a_question_inside_a_retry_is_a_question_and_no_failure(how: str) -> None:
    """langchain#38722: a retry took the interrupt for an error, and tried again."""
    real = Real()
    graph = create_agent(
        turns(calls(("pay", {"amount": 1}))),
        real.tools(),
        middleware=[ToolRetryMiddleware(max_retries=2, initial_delay=0)],
        checkpointer=InMemorySaver(),
    )
    graph = wrap(graph, policy={"pay": "ask"})
    assert len(run(graph, ASKED, THREAD, how=how)["__interrupt__"]) == 1
    run(graph, Command(resume="reject"), THREAD, how=how)
    assert real.done == []


@HOW
def test_a_retry_of_a_tool_that_failed_is_another_call_under_the_same_yes(how: str) -> None:
    real = Real()

    @tool
    def flaky(text: str) -> str:
        """Fails once."""
        real.do(f"try {text}")
        if len(real.done) < 2:
            raise OSError("not yet")
        return "at last"

    graph = create_agent(
        turns(calls(("flaky", {"text": "a"}))),
        [flaky],
        middleware=[ToolRetryMiddleware(max_retries=2, initial_delay=0)],
        checkpointer=InMemorySaver(),
    )
    graph = wrap(graph, policy={"flaky": "ask"})
    run(graph, ASKED, THREAD, how=how)
    ended = run(graph, Command(resume="approve"), THREAD, how=how)
    assert real.done == ["try a", "try a"]
    assert answers(ended)[0].content == "at last"


@HOW
@pytest.mark.parametrize("way", ["closure", "thread", "nested graph"])
def test_an_agent_inside_an_agent_does_not_escape(way: str, how: str) -> None:
    """deepagents#2946 and its kin: what guards the outer agent did not reach the one that it delegates to."""
    import threading

    real = Real()
    inner: Any = create_agent(turns(calls(("pay", {"amount": 5}))), real.tools())
    if way == "nested graph":
        inner = by_hand(turns(calls(("delegate", {"task": "x"}))), [_delegates(inner)])

    @tool
    def task(description: str) -> str:
        """Have a subagent do it."""
        said: list[str] = []

        def work() -> None:
            said.append(str(inner.invoke({"messages": [("user", description)]})["messages"][-1].content))

        if way == "thread":
            worker = threading.Thread(target=work)
            worker.start()
            worker.join()
        else:
            work()
        return said[0] if said else "nothing came back"

    outer = create_agent(turns(calls(("task", {"description": "x"}))), [task])
    graph = wrap(outer, policy={"pay": "deny", "*": {"effect": "unknown"}})
    run(graph, ASKED, how=how)
    assert real.done == []
    assert inner.invoke({"messages": [("user", "x")]}), "the bare one is as it was"
    assert real.done == ["pay 5"]


def _delegates(agent: Any) -> Any:
    @tool
    def delegate(task: str) -> str:
        """Have somebody else do it."""
        return str(agent.invoke({"messages": [("user", task)]})["messages"][-1].content)

    return delegate


@HOW
def test_a_policy_of_the_host_and_ours_both_hold(how: str) -> None:
    """A call that a person approved to LangChain's own middleware is still under ours."""
    real = Real()
    graph = create_agent(
        turns(calls(("pay", {"amount": 1}), ("note", {"text": "a"}))),
        real.tools(),
        middleware=[HumanInTheLoopMiddleware(interrupt_on={"pay": True}, interrupt_mode="batched")],
        checkpointer=InMemorySaver(),
    )
    graph = wrap(graph, policy={"pay": "deny", "note": "allow"})
    run(graph, ASKED, THREAD, how=how)
    run(graph, Command(resume={"decisions": [{"type": "approve"}]}), THREAD, how=how)
    assert real.done == ["note a"]
