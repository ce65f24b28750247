"""Pydantic AI: one cell for each ability, with the framework itself and a model that says what its script says."""

import asyncio
from typing import Any

import pytest

pytest.importorskip("pydantic_ai")

from pydantic_ai import Agent
from pydantic_ai.tools import DeferredToolRequests, DeferredToolResults

from lookahead import BestOf, with_lookahead
from lookahead.host import ABILITIES
from lookahead.testing import ScriptedCritic, ScriptedWorld, call
from lookahead_integrations.pydantic_ai.host import HOST

from .office import Office, outcomes, quiet, results, use

pytestmark = pytest.mark.anyio
ASKS: Any = [str, DeferredToolRequests]


def test_every_ability_has_a_cell_and_none_is_refused():
    cells = {name.removeprefix("test_cell_").replace("_", "-") for name in globals() if name.startswith("test_cell_")}
    assert cells == set(ABILITIES)
    assert HOST.cannot == {}


async def test_cell_run():
    office = Office()
    agent = office.agent([use("write", path="a")], "done")
    before = dict(vars(agent))
    wrapped = with_lookahead(agent, **quiet())
    assert isinstance(wrapped, type(agent))
    run = await wrapped.run("go")
    assert vars(agent) == before
    assert (run.output, office.done, results(run)) == ("done", ["write a"], ["wrote a"])


async def test_cell_veto():
    """As often as it takes: a refusal is no failed try, of which a tool has few."""
    office = Office()
    turns = [[use("delete", path=one)] for one in "abcd"]
    agent = office.agent(*turns, [use("write", path="b")], "done")
    run = await with_lookahead(agent, **quiet(policy={"delete": "deny"})).run("go")
    assert (office.done, run.output) == (["write b"], "done")
    assert results(run)[0].startswith("Not done: delete")
    assert outcomes(run) == ["denied"] * 4 + ["success"]


async def _other(state: Any, n: int) -> list[Any]:
    return [call("write", path="b")]


def swapping(**more: Any) -> dict[str, Any]:
    return quiet(
        world=ScriptedWorld(script={"*": "ok"}, kind="exact"),
        policy={"swap": True},
        critic=ScriptedCritic(script={"delete": 0.1, "write": 0.9}),
        **more,
    )


async def test_cell_swap():
    office = Office()
    agent = office.agent([use("delete", path="a")], "done")
    run = await with_lookahead(agent, **swapping(search=BestOf(k=2, propose=_other))).run("go")
    assert office.done == ["write b"]
    assert results(run)[0].startswith("[lookahead] did write")
    assert results(run)[0].endswith("wrote b")


async def test_cell_ask():
    office = Office()
    turn = [use("delete", path="a"), use("write", path="b"), use("read", path="c")]
    wrapped = with_lookahead(office.agent(turn, "done", output_type=ASKS), **quiet(policy={"delete": "ask"}))
    run = await wrapped.run("go")
    # What would change something waits beside the question; what only reads need not.
    assert [one.tool_name for one in run.output.approvals] == ["delete", "write"]
    assert "a person to look at this call" in run.output.metadata["delete-a"]["lookahead"]["text"]
    assert [one["lookahead"]["asks"] for one in run.output.metadata.values()] == [True, False]
    assert office.done == ["read c"]


@pytest.mark.parametrize("yes", [True, False])
async def test_cell_resume(yes: bool):
    office = Office()
    world = ScriptedWorld(script={"*": "as imagined"})
    agent = office.agent([use("delete", path="a"), use("write", path="b")], "done", output_type=ASKS)
    wrapped = with_lookahead(agent, **quiet(policy={"delete": "ask"}, world=world))
    asked = await wrapped.run("go")
    imagined = len(world.asked)
    answers = DeferredToolResults(approvals={"delete-a": yes, "write-b": True})
    run = await wrapped.run(message_history=asked.all_messages(), deferred_tool_results=answers)
    assert sorted(office.done) == (["delete a", "write b"] if yes else ["write b"])
    assert run.output == "done"
    assert len(world.asked) == imagined, "what was judged is not imagined again"


async def test_cell_rivals():
    office = Office()
    agent = office.agent([use("delete", path="a")], [use("write", path="b")], "done")
    run = await with_lookahead(agent, **swapping(search=BestOf(k=2))).run("go")
    assert office.done == ["write b"]
    assert len(office.asked) == 3
    # The agent's model was asked once more, with what it had heard when it proposed.
    assert office.asked[0] == office.asked[1]
    assert run.output == "done"


async def test_cell_dry_run():
    office = Office()
    agent = office.agent([use("delete", path="a"), use("read", path="b")], "done")
    wrapped = with_lookahead(agent, **quiet(mode="dry-run", policy={"delete": "ask"}))
    run = await wrapped.run("go")
    assert results(run) == ["as imagined", "as imagined"]
    (toolset,) = wrapped.toolsets
    for tool in toolset.tools.values():
        with pytest.raises(RuntimeError, match="dry run"):
            tool.function(path="x")
        with pytest.raises(RuntimeError, match="dry run"):
            tool.function_schema.function(path="x")
    assert office.done == []
    assert agent.toolsets[0].tools["read"].function(path="x") == "text of x"


async def test_cell_shadow():
    office = Office()
    wrapped = with_lookahead(office.agent([use("delete", path="a")], "done"), **quiet(mode="shadow"))
    await wrapped.run("go")
    assert office.done == ["delete a"]
    assert wrapped.lookahead.settle(10)


async def test_cell_parallel():
    office = Office()
    both = asyncio.Barrier(2)

    async def meet(name: str) -> str:
        """Waits for the other one."""
        async with asyncio.timeout(10):
            await both.wait()
        office.done.append(name)
        return name

    turn = [use("meet", name="x"), use("meet", name="y"), use("delete", path="z")]
    agent = office.agent(turn, "done", tools=[meet, *office.tools])
    run = await with_lookahead(agent, **quiet(policy={"delete": "deny"})).run("go")
    assert sorted(office.done) == ["x", "y"]
    assert outcomes(run).count("denied") == 1


async def test_cell_streaming():
    async def kinds(agent: Agent[Any, Any]) -> list[str]:
        async with agent.run_stream_events("go") as events:
            return [type(event).__name__ async for event in events]

    bare, office = Office(), Office()
    turns = [[use("write", path="a")], "done"]
    assert await kinds(with_lookahead(office.agent(*turns), **quiet())) == await kinds(bare.agent(*turns))
    assert office.done == bare.done == ["write a"]
    office = Office()
    agent = office.agent([use("delete", path="a")], "done")
    async with with_lookahead(agent, **quiet(policy={"delete": "deny"})).run_stream("go") as stream:
        assert await stream.get_output() == "done"
    assert office.done == []


def test_cell_sync():
    office = Office()
    wrapped = with_lookahead(office.agent([use("write", path="a")], "done"), **quiet())
    loop = asyncio.new_event_loop()  # the framework's own would be left open
    asyncio.set_event_loop(loop)
    try:
        assert wrapped.run_sync("go").output == "done"
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    assert office.done == ["write a"]


async def test_cell_async():
    office = Office()
    wrapped = with_lookahead(office.agent([use("write", path="a")], "done"), **quiet())
    async with wrapped.iter("go") as run:
        async for _ in run:
            pass
    assert run.result is not None
    assert run.result.output == "done"
    assert office.done == ["write a"]
