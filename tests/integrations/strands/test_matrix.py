"""Strands: one cell for each ability, with the framework itself and a model that says what its script says."""

import threading
from typing import Any

import pytest

pytest.importorskip("strands")

from lookahead import BestOf, Journal, with_lookahead
from lookahead.host import ABILITIES
from lookahead.testing import ScriptedCritic, ScriptedWorld, call
from lookahead_integrations.nested import hidden
from lookahead_integrations.strands.host import HOST

from .fakes import Office, results, statuses, use

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Strands runs on asyncio alone."""
    return "asyncio"


def quiet(**more: Any) -> dict[str, Any]:
    return {"world": ScriptedWorld(script={"*": "as imagined"}), "journal": Journal(":memory:"), **more}


def test_every_ability_has_a_cell_and_none_is_refused() -> None:
    cells = {name.removeprefix("test_cell_").replace("_", "-") for name in globals() if name.startswith("test_cell_")}
    assert cells == set(ABILITIES)
    assert HOST.cannot == {}


def test_cell_run() -> None:
    office = Office()
    agent = office.agent([use("write", path="a.txt")], "done")
    wrapped = with_lookahead(agent, **quiet())
    assert type(wrapped) is type(agent)
    assert str(wrapped("go")).strip() == "done"
    assert office.done == ["write a.txt"]
    assert results(wrapped) == ["wrote a.txt"]
    assert agent.messages == []


def test_cell_veto() -> None:
    office = Office()
    wrapped = with_lookahead(
        office.agent([use("delete", path="a")], [use("write", path="b")], "done"), **quiet(policy={"delete": "deny"})
    )
    wrapped("go")
    assert office.done == ["write b"]
    assert results(wrapped)[0].startswith("Not done: delete")
    assert statuses(wrapped) == ["error", "success"]


def test_cell_swap() -> None:
    office = Office()
    critic = ScriptedCritic(script={"delete": 0.1, "write": 0.9})
    wrapped = with_lookahead(
        office.agent([use("delete", path="a")], "done"),
        **quiet(
            world=ScriptedWorld(script={"*": "ok"}, kind="exact"),
            policy={"swap": True},
            critic=critic,
            search=BestOf(k=2, propose=_other),
        ),
    )
    wrapped("go")
    assert office.done == ["write b"]
    assert results(wrapped)[0].startswith("[lookahead] did write")
    assert results(wrapped)[0].endswith("wrote b")


async def _other(state: Any, n: int) -> list[Any]:
    return [call("write", path="b")]


def test_cell_ask() -> None:
    office = Office()
    agent = office.agent([use("delete", "t1", path="a"), use("write", "t2", path="b")], "done")
    wrapped = with_lookahead(agent, **quiet(policy={"delete": "ask"}))
    stopped = wrapped("go")
    assert stopped.stop_reason == "interrupt"
    assert office.done == [], "its sibling waits too"
    (question,) = stopped.interrupts[0].reason["lookahead"]["questions"]
    assert (question["tool"], question["arguments"]) == ("delete", {"path": "a"})


def answered(stopped: Any, response: Any) -> list[Any]:
    return [{"interruptResponse": {"interruptId": one.id, "response": response}} for one in stopped.interrupts]


@pytest.mark.parametrize(
    ("response", "done"),
    [
        ("yes", ["delete a", "write b"]),
        ({"t1": True}, ["delete a", "write b"]),
        ("no", ["write b"]),
        ({"t2": True}, ["write b"]),
    ],
)
def test_cell_resume(response: Any, done: list[str]) -> None:
    office = Office()
    world = ScriptedWorld(script={"*": "as imagined"})
    agent = office.agent([use("delete", "t1", path="a"), use("write", "t2", path="b")], "done")
    wrapped = with_lookahead(agent, **quiet(policy={"delete": "ask"}, world=world))
    stopped = wrapped("go")
    asked = len(world.asked)
    wrapped(answered(stopped, response))
    assert sorted(office.done) == done
    assert len(world.asked) == asked, "what was judged is not imagined again"


def test_cell_rivals() -> None:
    office = Office()
    agent = office.agent([use("delete", path="a")], [use("write", path="b")], "done")
    wrapped = with_lookahead(
        agent,
        **quiet(
            world=ScriptedWorld(script={"*": "ok"}, kind="exact"),
            policy={"swap": True},
            critic=ScriptedCritic(script={"delete": 0.1, "write": 0.9}),
            search=BestOf(k=2),
        ),
    )
    wrapped("go")
    assert office.done == ["write b"]
    # The agent's model was asked once more, with what it had heard when it proposed.
    heard = wrapped.model.heard
    assert heard[0] == heard[1]
    assert len(heard) == 3


def test_cell_dry_run() -> None:
    office = Office()
    agent = office.agent([use("delete", path="a"), use("read", path="b")], "done")
    wrapped = with_lookahead(agent, **quiet(mode="dry-run"))
    wrapped("go")
    assert results(wrapped) == ["as imagined", "as imagined"]
    assert wrapped.tool.write(path="c")["content"] == [{"text": "as imagined"}]
    assert office.done == []
    for real, stub in zip(office.tools, wrapped.tool_registry.registry.values(), strict=True):
        assert not hidden(stub, lambda one, real=real: one is real or one is real._tool_func, framework="-")


def test_cell_shadow() -> None:
    office = Office()
    wrapped = with_lookahead(office.agent([use("delete", path="a")], "done"), **quiet(mode="shadow"))
    wrapped("go")
    assert office.done == ["delete a"]
    assert wrapped.lookahead.settle(10)


def test_cell_parallel() -> None:
    office = Office()
    both = threading.Barrier(2, timeout=10)
    from strands import tool

    @tool
    def meet(name: str) -> str:
        """Waits for the other one."""
        both.wait()
        office.done.append(name)
        return name

    agent = office.agent([use("meet", name="x"), use("meet", name="y"), use("delete", path="z")], "done", tools=[meet])
    wrapped = with_lookahead(agent, **quiet(policy={"delete": "deny"}))
    wrapped("go")
    assert sorted(office.done) == ["x", "y"]
    assert statuses(wrapped).count("error") == 1


async def test_cell_streaming() -> None:
    office = Office()

    def kinds(events: list[Any]) -> list[str]:
        return [sorted(event)[0] for event in events]

    bare = [event async for event in office.agent([use("write", path="a")], "done").stream_async("go")]
    wrapped = with_lookahead(office.agent([use("write", path="a")], "done"), **quiet(policy={"*": "allow"}))
    guarded = [event async for event in wrapped.stream_async("go")]
    assert kinds(guarded) == kinds(bare)


def test_cell_sync() -> None:
    office = Office()
    wrapped = with_lookahead(office.agent("done"), **quiet())
    assert wrapped.tool.write(path="a")["content"] == [{"text": "wrote a"}]
    assert office.done == ["write a"]


async def test_cell_async() -> None:
    office = Office()
    wrapped = with_lookahead(office.agent([use("write", path="a")], "done"), **quiet())
    await wrapped.invoke_async("go")
    assert office.done == ["write a"]
