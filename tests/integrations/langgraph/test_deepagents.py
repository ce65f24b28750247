"""deepagents: the subagents, and the file tools that it brings along, are guarded as well."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("deepagents")

from deepagents import create_deep_agent
from deepagents.backends import FilesystemBackend
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from lookahead import Journal, with_lookahead
from lookahead.testing import ScriptedWorld

from .kit import ASKED, Real, Script, calls, run

HOW = pytest.mark.parametrize("how", ["sync", "async"])
THREAD: Any = {"configurable": {"thread_id": "t"}}


def script(subagent: str, *inner: tuple[str, dict[str, Any]]) -> Script:
    """The outer agent delegates at once; the inner one does what it is to do."""

    def says(messages: Any) -> AIMessage:
        asked = next(str(one.content) for one in messages if isinstance(one, HumanMessage))
        if any(isinstance(one, ToolMessage) for one in messages):
            return AIMessage("done")
        if asked == "please":
            return calls(("task", {"description": "the inner task", "subagent_type": subagent}))
        return calls(*inner, start=10)

    return Script(says=says)


def deep(model: Script, real: Real, tmp_path: Path, **settings: Any) -> Any:
    agent = create_deep_agent(
        model=model,
        tools=real.tools(),
        subagents=[
            {"name": "helper", "description": "Helps.", "system_prompt": "Help.", "tools": real.tools()},
        ],
        backend=FilesystemBackend(root_dir=tmp_path, virtual_mode=True),
        checkpointer=InMemorySaver(),
    )
    world = ScriptedWorld(script={"*": "imagined"})
    return with_lookahead(agent, world=world, journal=Journal(":memory:"), **settings)


@HOW
@pytest.mark.parametrize("subagent", ["general-purpose", "helper"])
def test_a_subagent_is_under_the_same_policy(subagent: str, how: str, tmp_path: Path) -> None:
    real = Real()
    model = script(subagent, ("pay", {"amount": 5}), ("write_file", {"file_path": "/a.txt", "content": "x"}))
    graph = deep(model, real, tmp_path, policy={"pay": "deny", "write_file": "deny", "task": "allow"})
    run(graph, ASKED, THREAD, how=how)
    assert real.done == []
    assert list(tmp_path.iterdir()) == []


@HOW
@pytest.mark.parametrize("subagent", ["general-purpose", "helper"])
def test_a_question_of_a_subagent_comes_up_and_its_answer_goes_down(subagent: str, how: str, tmp_path: Path) -> None:
    real = Real()
    graph = deep(script(subagent, ("pay", {"amount": 5})), real, tmp_path, policy={"pay": "ask", "task": "allow"})
    (asked,) = run(graph, ASKED, THREAD, how=how)["__interrupt__"]
    assert asked.value["action_requests"][0]["name"] == "pay"
    assert real.done == []
    run(graph, Command(resume="approve"), THREAD, how=how)
    assert real.done == ["pay 5"]


@HOW
def test_in_a_dry_run_nothing_of_it_runs(how: str, tmp_path: Path) -> None:
    real = Real()
    graph = deep(script("helper", ("pay", {"amount": 5})), real, tmp_path, mode="dry-run")
    run(graph, ASKED, THREAD, how=how)
    assert real.done == []


def test_every_tool_of_every_subagent_is_in_the_coverage(tmp_path: Path) -> None:
    graph = deep(script("helper"), Real(), tmp_path)
    guarded = {(path.tool, path.where) for path in graph.lookahead.coverage if path.how == "guarded"}
    assert ("write_file", "tools") in guarded
    assert len({where for tool, where in guarded if tool == "pay"}) == 3, guarded
