"""Every way of streaming tells the same of a wrapped agent, and nothing of a tool that did not run."""

import asyncio
from typing import Any

import pytest
from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from lookahead import Journal, with_lookahead
from lookahead.testing import ScriptedWorld

from .kit import ASKED, KINDS, Real, calls, turns

MODES: Any = ["values", "updates", "messages", "custom", "tasks", "debug", "checkpoints"]
THREAD: Any = {"configurable": {"thread_id": "t"}}


def wrap(graph: Any, **settings: Any) -> Any:
    given = {"world": ScriptedWorld(script={"*": "imagined"}), "journal": Journal(":memory:"), **settings}
    return with_lookahead(graph, **given)


def build(kind: str, real: Real) -> Any:
    return KINDS[kind](
        turns(calls(("note", {"text": "a"}), ("look", {"at": "b"}))), real.tools(), checkpointer=InMemorySaver()
    )


def shape(part: Any) -> Any:
    """What a part is, without names and times that differ each time."""
    mode, data = part
    if mode == "updates":
        return mode, sorted(data)
    if mode == "messages":
        return mode, type(data[0]).__name__, str(data[0].content), data[1]["langgraph_node"]
    if mode in ("tasks", "debug"):
        return mode, data.get("type", "input" if "input" in data else "result")
    if mode == "values":
        return mode, [type(one).__name__ for one in data["messages"]]
    return mode, sorted(data) if mode == "checkpoints" else data


def streamed(graph: Any, how: str, modes: Any) -> list[Any]:
    async def collect() -> list[Any]:
        return [one async for one in graph.astream(ASKED, THREAD, stream_mode=modes)]

    parts = list(graph.stream(ASKED, THREAD, stream_mode=modes)) if how == "sync" else asyncio.run(collect())
    return sorted((shape(one) for one in parts if not told_by_us(one)), key=repr)


def told_by_us(part: Any) -> bool:
    mode, data = part
    return mode == "custom" and "lookahead" in data


@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize("kind", KINDS)
def test_all_stream_modes_tell_the_same_as_of_the_bare_graph(kind: str, how: str) -> None:
    bare = streamed(build(kind, Real()), how, MODES)
    assert streamed(wrap(build(kind, Real())), how, MODES) == bare
    assert {one[0] for one in bare} >= {"values", "updates", "tasks", "debug", "checkpoints"}


def events(graph: Any) -> list[tuple[str, str]]:
    async def collect() -> list[tuple[str, str]]:
        return [(one["event"], one["name"]) async for one in graph.astream_events(ASKED, THREAD, version="v2")]

    return sorted(asyncio.run(collect()))


@pytest.mark.parametrize("kind", KINDS)
def test_events_are_the_same_too(kind: str) -> None:
    assert events(wrap(build(kind, Real()))) == events(build(kind, Real()))


@pytest.mark.parametrize("settings", [{"mode": "dry-run"}, {"policy": {"*": "deny"}}], ids=["dry-run", "denied"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_tool_that_did_not_run_never_started(kind: str, settings: Any) -> None:
    real = Real()
    told = events(wrap(build(kind, real), **settings))
    assert real.done == []
    assert not [one for one in told if one[0].startswith("on_tool")]
    assert [one for one in told if one[0] == "on_chat_model_end"]


def test_a_question_is_streamed_as_an_interrupt() -> None:
    real = Real()
    graph = wrap(
        create_agent(turns(calls(("pay", {"amount": 1}))), real.tools(), checkpointer=InMemorySaver()),
        policy={"pay": "ask"},
    )
    parts = list(graph.stream(ASKED, THREAD, stream_mode="updates"))
    (asked,) = parts[-1]["__interrupt__"]
    assert asked.value["action_requests"][0]["name"] == "pay"
    parts = list(graph.stream(Command(resume="approve"), THREAD, stream_mode="updates"))
    assert [list(part) for part in parts] == [["tools"], ["model"]]
    assert real.done == ["pay 1"]
    assert graph.get_state(THREAD).next == ()


@pytest.mark.parametrize("kind", KINDS)
def test_the_custom_stream_tells_what_is_imagined_judged_and_done(kind: str) -> None:
    parts = wrap(build(kind, Real())).stream(ASKED, THREAD, stream_mode="custom", subgraphs=True)
    told = [part["lookahead"] for _, part in parts if "lookahead" in part]
    assert {one["event"] for one in told} >= {"candidates", "imagined", "scored", "verdict", "done"}
    assert {one["call"] for one in told if one["event"] == "done"} == {"note: a", "look: b"}


@pytest.mark.parametrize("kind", KINDS)
def test_what_runs_in_a_guarded_node_is_found_by_its_metadata_and_checkpoints_have_none_of_it(kind: str) -> None:
    graph = wrap(build(kind, Real()))
    parts = graph.stream(ASKED, THREAD, stream_mode="messages", subgraphs=True)
    said = {meta.get("lookahead_run") for _, (message, meta) in parts if message.type == "tool"}
    assert said == {graph.lookahead.run}
    assert "lookahead_run" not in graph.get_state(THREAD).metadata
