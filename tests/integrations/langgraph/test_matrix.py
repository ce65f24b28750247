"""LangGraph: one cell for each ability, with the framework itself and a model that says what its script says."""

import asyncio
from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from lookahead import BestOf, Journal, with_lookahead
from lookahead.host import ABILITIES
from lookahead.testing import ScriptedCritic, ScriptedProposer, ScriptedWorld, call
from lookahead_integrations.langgraph.host import HOST
from lookahead_integrations.langgraph.messages import MARK

from .kit import ASKED, KINDS, Real, Script, answers, calls, run, turns

KIND = pytest.mark.parametrize("kind", KINDS)
HOW = pytest.mark.parametrize("how", ["sync", "async"])
THREAD: Any = {"configurable": {"thread_id": "t"}}
PAY = ("pay", {"amount": 1})
ALLOW = {"pay": "allow", "note": "allow"}


def wrapped(kind: str, real: Real, model: Any, **settings: Any) -> Any:
    graph = KINDS[kind](model, real.tools(), checkpointer=InMemorySaver())
    world = ScriptedWorld(script={"*": "as imagined"})
    return with_lookahead(graph, **{"world": world, "journal": Journal(":memory:"), **settings})


def test_every_ability_has_a_cell_and_none_is_refused() -> None:
    assert not HOST.cannot
    cells = {name.removeprefix("test_cell_") for name in globals() if name.startswith("test_cell_")}
    assert cells == {ability.replace("-", "_") for ability in ABILITIES}


@KIND
@HOW
def test_cell_run(kind: str, how: str) -> None:
    real = Real()
    graph = wrapped(kind, real, turns(calls(PAY)), policy=ALLOW)
    ended = run(graph, ASKED, THREAD, how=how)
    (said,) = answers(ended)
    assert real.done == ["pay 1"]
    assert (said.content, said.status, said.artifact, said.response_metadata) == ("did pay 1", "success", None, {})
    assert ended["messages"][-1].content == "done"
    (recorded,) = graph.lookahead.journal.calls()
    assert (recorded.run, recorded.status) == ("t", "done")


@KIND
@HOW
def test_cell_veto(kind: str, how: str) -> None:
    real, model = Real(), turns(calls(PAY))
    ended = run(wrapped(kind, real, model, policy={"pay": "deny"}), ASKED, THREAD, how=how)
    (said,) = answers(ended)
    assert real.done == []
    assert said.status == "error"
    assert "the policy forbids" in said.content
    assert said.response_metadata[MARK]["origin"]["kind"] == "guard"
    assert "the policy forbids" in model.seen[-1][-1].content, "the agent decides again"


@KIND
@HOW
def test_cell_swap(kind: str, how: str) -> None:
    real = Real()
    search = BestOf(k=2, propose=ScriptedProposer([call("note", text="better")]))
    critic = ScriptedCritic(script={"pay": 0.1, "note": 0.9})
    world = ScriptedWorld(script={"*": "as imagined"}, kind="exact")
    graph = wrapped(kind, real, turns(calls(PAY)), search=search, critic=critic, world=world, policy={"swap": True})
    ended = run(graph, ASKED, THREAD, how=how)
    (said,) = answers(ended)
    assert real.done == ["note better"]
    assert said.tool_call_id == "c1"
    assert said.content.startswith("[lookahead] did note")
    assert said.content.endswith("did note better")
    assert said.response_metadata[MARK]["did"]["tool"] == "note"


@KIND
@HOW
def test_cell_ask(kind: str, how: str) -> None:
    real = Real()
    graph = wrapped(kind, real, turns(calls(PAY)), policy={"pay": "ask"})
    stopped = run(graph, ASKED, THREAD, how=how)
    assert real.done == []
    assert stopped["__interrupt__"][0].value["action_requests"][0]["name"] == "pay"
    run(graph, Command(resume="approve"), THREAD, how=how)
    assert real.done == ["pay 1"]


@KIND
@HOW
def test_cell_resume(kind: str, how: str) -> None:
    """In the same process; `test_resume.py` goes on in another one."""
    real = Real()
    graph = wrapped(kind, real, turns(calls(PAY)), policy={"pay": "ask"})
    run(graph, ASKED, THREAD, how=how)
    ended = run(graph, Command(resume={"c1": {"type": "reject", "message": "too dear"}}), THREAD, how=how)
    assert real.done == []
    assert "too dear" in answers(ended)[0].content


@KIND
@HOW
def test_cell_rivals(kind: str, how: str) -> None:
    """The agent's own model thinks of them: no proposer is given."""
    real, asked = Real(), 0

    def says(messages: Any) -> Any:
        nonlocal asked
        asked += 1
        if any(isinstance(one, ToolMessage) for one in messages):
            return AIMessage("done")
        return calls(("note", {"text": "first"})) if asked == 1 else calls(("note", {"text": "second"}))

    critic = ScriptedCritic(script=lambda state, rollout: 0.9 if "second" in str(rollout.action.arguments) else 0.1)
    world = ScriptedWorld(script={"*": "as imagined"}, kind="exact")
    graph = wrapped(
        kind, real, Script(says=says), search=BestOf(k=2), critic=critic, world=world, policy={"swap": True}
    )
    run(graph, ASKED, THREAD, how=how)
    assert real.done == ["note second"]


@KIND
@HOW
def test_cell_dry_run(kind: str, how: str) -> None:
    real = Real()
    graph = wrapped(kind, real, turns(calls(PAY, ("note", {"text": "a"}))), mode="dry-run", policy={"note": "ask"})
    ended = run(graph, ASKED, THREAD, how=how)
    assert real.done == []
    assert [one.content for one in answers(ended)] == ["as imagined"] * 2
    assert all(one.artifact[MARK]["imagined"] for one in answers(ended))
    assert all(one.artifact[MARK]["origin"]["kind"] == "model" for one in answers(ended))


@KIND
@HOW
def test_cell_shadow(kind: str, how: str) -> None:
    real = Real()
    world = ScriptedWorld(script={"*": "as imagined"})
    graph = wrapped(kind, real, turns(calls(PAY)), mode="shadow", policy={"pay": "deny"}, world=world)
    run(graph, ASKED, THREAD, how=how)
    assert graph.lookahead.settle(10)
    assert real.done == ["pay 1"]
    assert len(world.asked) == 1


@KIND
@HOW
def test_cell_parallel(kind: str, how: str) -> None:
    real = Real()
    graph = wrapped(
        kind,
        real,
        turns(calls(PAY, ("note", {"text": "a"}), ("look", {"at": "x"}))),
        policy={"note": "deny", "pay": "allow"},
    )
    ended = run(graph, ASKED, THREAD, how=how)
    assert sorted(real.done) == ["look x", "pay 1"]
    assert [one.tool_call_id for one in answers(ended)] == ["c1", "c2", "c3"]


@KIND
@HOW
def test_cell_streaming(kind: str, how: str) -> None:
    real = Real()
    graph = wrapped(kind, real, turns(calls(PAY)), policy=ALLOW)

    async def collect() -> list[Any]:
        return [one async for one in graph.astream(ASKED, THREAD, stream_mode=["updates", "messages"])]

    parts = (
        list(graph.stream(ASKED, THREAD, stream_mode=["updates", "messages"]))
        if how == "sync"
        else asyncio.run(collect())
    )
    assert real.done == ["pay 1"]
    wanted = {"updates"} if kind == "nested" else {"updates", "messages"}
    assert {mode for mode, _ in parts} >= wanted


@KIND
def test_cell_sync(kind: str) -> None:
    real = Real()
    assert run(wrapped(kind, real, turns(calls(PAY)), policy=ALLOW), ASKED, THREAD)["messages"][-1].content == "done"
    assert real.done == ["pay 1"]


@KIND
def test_cell_async(kind: str) -> None:
    real = Real()
    real.awaited = True
    run(wrapped(kind, real, turns(calls(("send", {"to": "x"}))), policy={"send": "allow"}), ASKED, THREAD, how="async")
    assert real.done == ["send x"]


def _drawn(graph: Any) -> dict[str, Any]:
    """As LangGraph draws it; what LangSmith is told of a guarded node is not part of the picture."""
    drawn = graph.get_graph().to_json()
    for node in drawn["nodes"]:
        told = {key: value for key, value in node.pop("metadata", {}).items() if not key.startswith("lookahead_")}
        node.update({"metadata": told} if told else {})
    return drawn


@KIND
def test_the_same_class_comes_back_and_the_original_is_untouched(kind: str) -> None:
    real = Real()
    bare = KINDS[kind](turns(calls(PAY)), real.tools(), checkpointer=InMemorySaver(), name="mine")
    before = {name: node.bound for name, node in bare.nodes.items()}
    graph = with_lookahead(bare, policy={"*": "deny"}, journal=Journal(":memory:"))
    assert type(graph) is type(bare)
    assert graph is not bare
    assert {name: node.bound for name, node in bare.nodes.items()} == before
    assert not hasattr(bare, "lookahead")
    assert graph.name == "mine"
    assert _drawn(graph) == _drawn(bare)
    assert graph.get_input_jsonschema() == bare.get_input_jsonschema()
    bare.invoke(ASKED, THREAD)
    assert real.done == ["pay 1"]


def test_a_tool_that_only_reads_costs_no_tokens_and_no_look_into_the_world() -> None:
    real, world = Real(), ScriptedWorld(script={"*": "x"})
    graph = wrapped(
        "create_agent", real, turns(calls(("look", {"at": "x"}))), world=world, policy={"look": {"effect": "reads"}}
    )
    graph.invoke(ASKED, THREAD)
    assert real.done == ["look x"]
    assert world.asked == []
    assert graph.lookahead.spent.tokens == 0


def test_what_was_imagined_stays_imagined_in_the_next_state() -> None:
    world = ScriptedWorld(script={"*": "as imagined"})
    model = turns(calls(PAY), calls(("note", {"text": "b"})))
    graph = wrapped("create_agent", Real(), model, mode="dry-run", world=world)
    graph.invoke(ASKED, THREAD)
    state, _ = world.asked[-1]
    assert state.goal == "please"
    assert [(step.action.tool, step.observation.imagined) for step in state.steps] == [("pay", True)]


def test_off_is_the_graph_itself() -> None:
    bare = KINDS["create_agent"](turns(calls(PAY)), Real().tools())
    assert with_lookahead(bare, mode="off") is bare


def test_it_is_wrapped_once() -> None:
    from lookahead.errors import ConfigError

    graph = wrapped("create_agent", Real(), turns(calls(PAY)))
    with pytest.raises(ConfigError, match="wrapped before"):
        with_lookahead(graph)
