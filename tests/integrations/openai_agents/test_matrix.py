"""The OpenAI Agents SDK: one cell for each ability, with the SDK itself and a model that says what its script says."""

import asyncio
from typing import Any

import pytest

pytest.importorskip("agents")

from agents import Agent, Runner, function_tool

from lookahead import BestOf, with_lookahead
from lookahead.host import ABILITIES
from lookahead.testing import ScriptedCritic, ScriptedWorld, call
from lookahead_integrations.openai_agents.host import HOST

from .kit import Office, quiet, results, use

pytestmark = pytest.mark.anyio


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
    assert vars(agent) == before
    run = await Runner.run(wrapped, "go")
    assert (run.final_output, office.done, results(run)) == ("done", ["write a"], ["wrote a"])
    assert run.last_agent is wrapped


async def test_cell_veto():
    office = Office()
    agent = office.agent([use("delete", path="a")], [use("write", path="b")], "done")
    run = await Runner.run(with_lookahead(agent, **quiet(policy={"delete": "deny"})), "go")
    assert office.done == ["write b"]
    assert results(run)[0].startswith("Not done: delete")
    assert run.final_output == "done"


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
    wrapped = with_lookahead(
        office.agent([use("delete", path="a")], "done"), **swapping(search=BestOf(k=2, propose=_other))
    )
    run = await Runner.run(wrapped, "go")
    assert office.done == ["write b"]
    assert results(run)[0].startswith("[lookahead] did write")
    assert results(run)[0].endswith("wrote b")


async def test_cell_ask():
    office = Office()
    agent = office.agent([use("delete", path="a"), use("write", path="b"), use("read", path="c")], "done")
    run = await Runner.run(with_lookahead(agent, **quiet(policy={"delete": "ask"})), "go")
    # What would change something waits beside the question; what only reads need not.
    assert [one.name for one in run.interruptions] == ["delete", "write"]
    assert office.done == ["read c"]


@pytest.mark.parametrize("yes", [True, False])
async def test_cell_resume(yes: bool):
    office = Office()
    world = ScriptedWorld(script={"*": "as imagined"})
    agent = office.agent([use("delete", path="a"), use("write", path="b")], "done")
    wrapped = with_lookahead(agent, **quiet(policy={"delete": "ask"}, world=world))
    state = (await Runner.run(wrapped, "go")).to_state()
    imagined = len(world.asked)
    for one in state.get_interruptions():
        if yes or one.name == "write":
            state.approve(one)
        else:
            state.reject(one)
    run = await Runner.run(wrapped, state)
    assert sorted(office.done) == (["delete a", "write b"] if yes else ["write b"])
    assert run.final_output == "done"
    assert len(world.asked) == imagined, "what was judged is not imagined again"


async def test_cell_rivals():
    office = Office()
    agent = office.agent([use("delete", path="a")], [use("write", path="b")], "done")
    wrapped = with_lookahead(agent, **swapping(search=BestOf(k=2)))
    run = await Runner.run(wrapped, "go")
    assert office.done == ["write b"]
    calls = agent.model.calls
    assert len(calls) == 3
    # The agent's model was asked once more, with what it had heard when it proposed.
    assert calls[0].input == calls[1].input
    assert run.final_output == "done"


async def test_cell_dry_run():
    office = Office()
    agent = office.agent([use("delete", path="a"), use("read", path="b")], "done")
    wrapped = with_lookahead(agent, **quiet(mode="dry-run", policy={"delete": "ask"}))
    run = await Runner.run(wrapped, "go")
    assert results(run) == ["as imagined", "as imagined"]
    assert office.done == []
    assert [tool.on_invoke_tool.real for tool in wrapped.tools] == [None, None, None]


async def test_cell_shadow():
    office = Office()
    wrapped = with_lookahead(office.agent([use("delete", path="a")], "done"), **quiet(mode="shadow"))
    await Runner.run(wrapped, "go")
    assert office.done == ["delete a"]
    assert wrapped.lookahead.settle(10)


async def test_cell_parallel():
    office = Office()
    both = asyncio.Barrier(2)

    @function_tool
    async def meet(name: str) -> str:
        """Waits for the other one."""
        async with asyncio.timeout(10):
            await both.wait()
        office.done.append(name)
        return name

    turn = [use("meet", name="x"), use("meet", name="y"), use("delete", path="z")]
    agent = office.agent(turn, "done", tools=[meet, *office.tools])
    run = await Runner.run(with_lookahead(agent, **quiet(policy={"delete": "deny"})), "go")
    assert sorted(office.done) == ["x", "y"]
    assert sum(one.startswith("Not done") for one in results(run)) == 1


async def test_cell_streaming():
    async def kinds(agent: Agent[Any]) -> list[str]:
        run = Runner.run_streamed(agent, "go")
        return [getattr(event, "name", event.type) async for event in run.stream_events()]

    bare, office = Office(), Office()
    turns = [[use("write", path="a")], "done"]
    wrapped = with_lookahead(office.agent(*turns), **quiet())
    assert await kinds(wrapped) == await kinds(bare.agent(*turns))
    assert office.done == bare.done == ["write a"]


def test_cell_sync():
    office = Office()
    wrapped = with_lookahead(office.agent([use("write", path="a")], "done"), **quiet())
    loop = asyncio.new_event_loop()  # the SDK's own would be left open
    asyncio.set_event_loop(loop)
    try:
        assert Runner.run_sync(wrapped, "go").final_output == "done"
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    assert office.done == ["write a"]


async def test_cell_async():
    office = Office()
    wrapped = with_lookahead(office.agent([use("write", path="a")], "done"), **quiet())
    assert (await Runner.run(wrapped, "go")).final_output == "done"
    assert office.done == ["write a"]
