"""Inspect AI: one cell for each ability, with the framework itself and its own mock model."""

import io
import sys
import threading
from typing import Any

import anyio.to_thread
import pytest

pytest.importorskip("inspect_ai")

from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.tool import Tool, ToolDef, tool

from lookahead import BestOf, Journal, with_lookahead
from lookahead.errors import ConfigError
from lookahead.host import ABILITIES
from lookahead.testing import No, ScriptedCritic, ScriptedWorld, Yes, call
from lookahead_integrations.inspect.host import HOST
from lookahead_integrations.nested import hidden

from .fakes import Office, model, results, use

pytestmark = [
    pytest.mark.anyio,
    # Of what Inspect stands on.
    pytest.mark.filterwarnings("ignore:The 'initial' parameter is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Unclosed <MemoryObjectReceiveStream:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <function MemoryObjectReceiveStream"),
]


def quiet(**more: Any) -> dict[str, Any]:
    return {"world": ScriptedWorld(script={"*": "as imagined"}), "journal": Journal(":memory:"), **more}


def told(agent: Any) -> list[str]:
    """What its tools told it, in an evaluation of one sample."""
    (log,) = eval(Task(dataset=[Sample(input="go")], solver=agent), model=model("done"))
    assert log.status == "success", log.error
    assert log.samples is not None
    return results(log.samples[0].messages)


def test_every_ability_has_a_cell_or_a_reason() -> None:
    cells = {name.removeprefix("test_cell_").replace("_", "-") for name in globals() if name.startswith("test_cell_")}
    assert cells == set(ABILITIES) - HOST.cannot.keys()
    assert set(HOST.cannot) == {"rivals", "resume", "streaming"}


def test_rivals_of_its_own_are_refused_when_it_is_wrapped() -> None:
    with pytest.raises(ConfigError, match="Inspect AI cannot think of alternatives itself"):
        with_lookahead(Office().agent("done"), **quiet(search=BestOf(k=3)))


def test_cell_run() -> None:
    office = Office()
    agent = office.agent([use("write", path="a")], "done")
    wrapped = with_lookahead(agent, **quiet())
    assert told(wrapped) == ["wrote a"]
    assert office.done == ["write a"]
    assert [(path.where, path.tool, path.how) for path in wrapped.lookahead.coverage] == [
        ("react", "read", "guarded"),
        ("react", "write", "guarded"),
        ("react", "delete", "guarded"),
    ]


def test_cell_veto() -> None:
    office = Office()
    agent = office.agent([use("delete", path="a")], [use("write", path="b")], "done")
    said = told(with_lookahead(agent, **quiet(policy={"delete": "deny"})))
    assert said[0].startswith("Not done: delete")
    assert office.done == ["write b"]


async def _other(state: Any, n: int) -> list[Any]:
    return [call("write", path="b")]


def test_cell_swap() -> None:
    office = Office()
    wrapped = with_lookahead(
        office.agent([use("delete", path="a")], "done"),
        **quiet(
            world=ScriptedWorld(script={"*": "ok"}, kind="exact"),
            policy={"swap": True},
            critic=ScriptedCritic(script={"delete": 0.1, "write": 0.9}),
            search=BestOf(k=2, propose=_other),
        ),
    )
    (said,) = told(wrapped)
    assert office.done == ["write b"]
    assert said.startswith("[lookahead] did write")
    assert said.endswith("wrote b")


@pytest.mark.parametrize(("approve", "done"), [(Yes(), ["delete a"]), (No(), [])])
def test_cell_ask(approve: Any, done: list[str]) -> None:
    office = Office()
    agent = office.agent([use("delete", path="a")], "done")
    told(with_lookahead(agent, **quiet(policy={"delete": "ask"}, approve=approve)))
    assert office.done == done
    assert len(approve.asked) == 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "done"), [("a\n", ["delete a"]), ("r\n", [])])
def test_without_an_approver_of_the_user_the_human_approver_of_inspect_asks(
    typed: str, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Office()
    wrapped = with_lookahead(office.agent([use("delete", path="a")], "done"), **quiet(policy={"delete": "ask"}))
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    monkeypatch.setattr(sys, "stderr", Terminal())
    (log,) = eval(Task(dataset=[Sample(input="go")], solver=wrapped), model=model("done"))
    assert log.status == "success"
    assert office.done == done


def test_where_nobody_is_there_a_question_is_a_no() -> None:
    office = Office()
    wrapped = with_lookahead(office.agent([use("delete", path="a")], "done"), **quiet(policy={"delete": "ask"}))
    assert told(wrapped)[0].startswith("Not done: delete")
    assert office.done == []


def test_cell_dry_run() -> None:
    office = Office()
    agent = office.agent([use("delete", path="a"), use("read", path="b")], "done")
    assert told(with_lookahead(agent, **quiet(mode="dry-run"))) == ["as imagined", "as imagined"]
    assert office.done == []


async def test_a_dry_run_of_a_list_of_tools() -> None:
    office = Office()
    tools = with_lookahead(office.tools, **quiet(mode="dry-run"))
    assert await tools[1](path="c") == "as imagined"
    for real, stub in zip(office.tools, tools, strict=True):
        assert not hidden(stub, lambda one, real=real: one is real, framework="-")
    assert office.done == []


def test_cell_shadow() -> None:
    office = Office()
    wrapped = with_lookahead(office.agent([use("delete", path="a")], "done"), **quiet(mode="shadow"))
    assert told(wrapped) == ["deleted a"]
    assert wrapped.lookahead.settle(10)


def test_cell_parallel() -> None:
    office = Office()
    both = [threading.Event(), threading.Event()]

    @tool(parallel=True)
    def meet() -> Tool:
        async def execute(number: int) -> str:
            """Waits for the other one.

            Args:
                number: which one
            """
            both[number].set()
            assert await anyio.to_thread.run_sync(both[1 - number].wait, 10)
            return f"met {number}"

        return execute

    agent = office.agent([use("meet", number=0), use("meet", number=1)], "done", tools=[meet()])
    assert told(with_lookahead(agent, **quiet())) == ["met 0", "met 1"]


def test_cell_sync() -> None:
    """A whole evaluation; each sample is a conversation of its own."""
    office = Office()
    turns = ([use("write", path="a")], "done", [use("write", path="b")], "done")
    task = with_lookahead(
        Task(dataset=[Sample(input="one"), Sample(input="two")], solver=office.agent(*turns)),
        **quiet(policy={"delete": "deny"}),
    )
    assert isinstance(task, Task)
    (log,) = eval(task, model=model("done"), max_samples=1)
    assert log.status == "success", log.error
    assert office.done == ["write a", "write b"]
    assert len(task.lookahead._conversations) == 2


async def test_cell_async() -> None:
    office = Office()
    tools = with_lookahead(office.tools, **quiet(policy={"delete": "deny"}))
    assert isinstance(tools, list)
    assert [ToolDef(one).name for one in tools] == ["read", "write", "delete"]
    assert await tools[1](path="a") == "wrote a"
    with pytest.raises(Exception, match="Not done: delete"):
        await tools[2](path="a")
    assert office.done == ["write a"]
