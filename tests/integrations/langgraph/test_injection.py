"""What the host injects, carries along and hands on arrives as before, and is never shown to a world or a record."""

import contextvars
import threading
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelCallLimitMiddleware
from langchain.agents.structured_output import ToolStrategy
from langchain.tools import InjectedState, InjectedStore, ToolRuntime
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command
from pydantic import BaseModel

from lookahead import Journal, with_lookahead
from lookahead.testing import ScriptedWorld

from .kit import ASKED, KINDS, Real, answers, by_hand, calls, run, turns

HOW = pytest.mark.parametrize("how", ["sync", "async"])
SECRET = "the-state-of-the-host"
asking: contextvars.ContextVar[str] = contextvars.ContextVar("asking", default="nobody")


def wrap(graph: Any, **settings: Any) -> Any:
    given = {"world": ScriptedWorld(script={"*": "imagined"}), "journal": Journal(":memory:"), **settings}
    return with_lookahead(graph, **given)


def agent(*tools: Any, call: Any = ("probe", {"x": 1}), **kwargs: Any) -> Any:
    return create_agent(turns(calls(call)), list(tools), **kwargs)


@HOW
def test_injected_arguments_reach_the_tool_and_nobody_else(how: str) -> None:
    got: dict[str, Any] = {}

    @tool
    def probe(
        x: int,
        state: Annotated[dict[str, Any], InjectedState],
        store: Annotated[Any, InjectedStore()],
        call: Annotated[str, InjectedToolCallId],
        runtime: ToolRuntime,
    ) -> str:
        """Looks at what it is given."""
        got.update(x=x, messages=len(state["messages"]), kept=store.get(("a",), "b").value, call=call)
        got.update(runtime_call=runtime.tool_call_id, tools=len(runtime.tools or ()))
        return "ok"

    store = InMemoryStore()
    store.put(("a",), "b", {"secret": SECRET})
    world = ScriptedWorld(script={"*": "imagined"})
    # A model that makes up what only the host may say.
    forged = ("probe", {"x": 1, "state": {"messages": "forged"}, "store": "forged", "call": "forged"})
    graph = wrap(agent(probe, call=forged, store=store), world=world)
    run(graph, ASKED, how=how)
    assert got == {"x": 1, "messages": 2, "kept": {"secret": SECRET}, "call": "c1", "runtime_call": "c1", "tools": 1}
    ((state, action),) = world.asked
    assert action.arguments == {"x": 1}
    assert list(state.tools[0].parameters["properties"]) == ["x"]
    (recorded,) = graph.lookahead.journal.calls()
    assert "forged" not in repr(recorded)
    assert SECRET not in repr(recorded)


@HOW
def test_the_context_callbacks_and_stream_writer_of_the_caller_are_the_tools(how: str) -> None:
    seen: list[Any] = []

    class Listens(BaseCallbackHandler):
        def on_tool_start(self, serialized: Any, input_str: str, **kwargs: Any) -> None:
            seen.append(("start", serialized["name"]))

        def on_tool_end(self, output: Any, **kwargs: Any) -> None:
            seen.append(("end", output.content))

    @tool
    def probe(x: int) -> str:
        """Looks round."""
        get_stream_writer()({"x": x})
        seen.append(("context", asking.get()))
        return "ok"

    graph = wrap(agent(probe))
    token = asking.set("me")
    try:
        run(graph, ASKED, {"callbacks": [Listens()]}, how=how)
        parts = list(graph.stream(ASKED, stream_mode="custom")) if how == "sync" else []
    finally:
        asking.reset(token)
    assert seen[:3] == [("start", "probe"), ("context", "me"), ("end", "ok")]
    if how == "sync":
        assert {"x": 1} in parts


@HOW
@pytest.mark.parametrize("kind", ["create_agent", "react_v2", "by_hand"])
def test_a_tool_that_answers_with_a_command_updates_the_state(kind: str, how: str) -> None:
    @tool
    def probe(x: int, call: Annotated[str, InjectedToolCallId]) -> Command:
        """Updates the state itself."""
        return Command(update={"messages": [ToolMessage(f"set {x}", tool_call_id=call, artifact={"mine": x})]})

    graph = wrap(KINDS[kind](turns(calls(("probe", {"x": 1}))), [probe]))
    (said,) = answers(run(graph, ASKED, how=how))
    assert (said.content, said.artifact) == ("set 1", {"mine": 1})
    (recorded,) = graph.lookahead.journal.calls()
    assert recorded.resulted.observation.content == "set 1"


@HOW
@pytest.mark.parametrize("mode", ["guard", "dry-run"])
def test_return_direct_ends_the_run_also_when_imagined(how: str, mode: Any) -> None:
    @tool(return_direct=True)
    def probe(x: int) -> str:
        """Its answer is the answer."""
        return "direct"

    ended = run(wrap(agent(probe), mode=mode), ASKED, how=how)
    assert isinstance(ended["messages"][-1], ToolMessage)
    assert ended["messages"][-1].content == ("direct" if mode == "guard" else "imagined")


@HOW
def test_an_artifact_is_untouched(how: str) -> None:
    thing = object()

    @tool(response_format="content_and_artifact")
    def probe(x: int) -> tuple[str, Any]:
        """Says one thing and hands over another."""
        return "said", thing

    (said,) = answers(run(wrap(agent(probe)), ASKED, how=how))
    assert said.content == "said"
    assert said.artifact is thing


@HOW
def test_a_tool_that_raises_raises_and_one_that_may_fail_says_so(how: str) -> None:
    @tool
    def probe(x: int) -> str:
        """Fails."""
        raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        run(wrap(agent(probe)), ASKED, how=how)
    graph = wrap(by_hand(turns(calls(("probe", {"x": 1}))), [probe]))
    with pytest.raises(OSError, match="no disk"):
        run(graph, ASKED, how=how)
    (recorded,) = graph.lookahead.journal.calls()
    assert recorded.status == "failed"


@HOW
def test_arguments_that_do_not_fit_are_said_to_by_the_host(how: str) -> None:
    real = Real()
    graph = wrap(create_agent(turns(calls(("pay", {"amount": "much"}))), real.tools()), policy={"pay": "allow"})
    (said,) = answers(run(graph, ASKED, how=how))
    assert "Error invoking tool 'pay'" in said.content
    assert real.done == []


@HOW
def test_a_tool_that_does_not_exist_is_named_by_the_host(how: str) -> None:
    (said,) = answers(run(wrap(create_agent(turns(calls(("fly", {}))), Real().tools())), ASKED, how=how))
    assert "fly is not a valid tool" in said.content


@HOW
def test_structured_output_and_limits_work_beside_it(how: str) -> None:
    class Bill(BaseModel):
        amount: int

    real = Real()
    model = turns(calls(("note", {"text": "a"})), calls(("Bill", {"amount": 7}), start=2))
    graph = create_agent(
        model, real.tools(), response_format=ToolStrategy(Bill), middleware=[ModelCallLimitMiddleware(run_limit=3)]
    )
    assert run(wrap(graph), ASKED, how=how)["structured_response"] == Bill(amount=7)
    assert real.done == ["note a"]


def test_many_threads_at_once_are_as_many_conversations() -> None:
    real = Real()
    graph = wrap(create_agent(turns(calls(("note", {"text": "a"}))), real.tools(), checkpointer=InMemorySaver()))
    workers = [
        threading.Thread(target=graph.invoke, args=(ASKED, {"configurable": {"thread_id": str(number)}}))
        for number in range(8)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert real.done == ["note a"] * 8
    assert len({call.run for call in graph.lookahead.journal.calls()}) == 8
