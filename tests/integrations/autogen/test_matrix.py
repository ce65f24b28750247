"""One cell for each thing that a host may be able to do; what it cannot is said in its HOST, with the way out."""

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("autogen_agentchat")

from autogen_agentchat.agents import AssistantAgent

from lookahead import with_lookahead
from lookahead.host import ABILITIES
from lookahead.journal import Journal
from lookahead.search import BestOf
from lookahead.testing import No, ScriptedCopy, ScriptedCritic, ScriptedProposer, ScriptedWorld, Yes, call
from lookahead.types import Hazard
from lookahead_integrations.autogen.host import HOST

pytestmark = pytest.mark.anyio
Says = Callable[..., Any]
DANGER = Hazard(rule="files.lost", what="it loses files", why="they are gone", severity="danger", predicted=True)


def made(tools: dict[str, Any], client: Any, **more: Any) -> Any:
    return AssistantAgent("tidier", client, tools=list(tools.values()), **{"max_tool_iterations": 5, **more})


def guarded(agent: Any, **more: Any) -> Any:
    return with_lookahead(agent, **{"world": "none", "journal": Journal(":memory:"), **more})


def results(result: Any) -> str:
    executed = [message for message in result.messages if message.type == "ToolCallExecutionEvent"]
    return "\n".join(one.content for message in executed for one in message.content)


def test_every_ability_has_its_cell_or_its_reason() -> None:
    cells = {name.removeprefix("test_").replace("_", "-") for name in globals() if name.startswith("test_")}
    assert all(ability in HOST.cannot or ability in cells for ability in ABILITIES)


async def test_run(real: Any, tools: Any, says: Says) -> None:
    client = says([("look", {"place": "here"})], "done")
    agent = made(tools, client)
    wrapped = guarded(agent)
    assert type(wrapped) is type(agent)
    result = await wrapped.run(task="look around")
    assert result.messages[-1].content == "done"
    assert real.done == [("look", "here")]
    assert "nothing at here" in results(result)
    assert agent._model_client is client
    assert await agent._model_context.get_messages() == []
    assert [str(path) for path in wrapped.lookahead.coverage] == ["look: guarded", "write: guarded"]


async def test_veto(real: Any, tools: Any, says: Says) -> None:
    client = says([("write", {"path": "/"})], [("write", {"path": "/tmp/x"})], "done")
    deny = {"write": {"when": [{"argument": "path", "equals": "/", "rule": "deny"}]}}
    result = await guarded(made(tools, client), policy=deny).run(task="tidy")
    assert real.done == [("write", "/tmp/x")]
    assert "Not done: write" in results(result)
    assert "Not done: write" in str(client.asked[1])


async def test_swap(real: Any, tools: Any, says: Says) -> None:
    wrapped = guarded(
        made(tools, says([("write", {"path": "/"})], "done")),
        world=ScriptedCopy(script={"*": "fine"}),
        critic=ScriptedCritic(script={"write": DANGER, "look": 0.9}),
        search=BestOf(k=2, propose=ScriptedProposer([call("look", place="first")])),
        policy={"swap": True},
    )
    result = await wrapped.run(task="tidy")
    assert real.done == [("look", "first")]
    assert "instead of write" in results(result)
    assert "nothing at first" in results(result)


async def test_ask(real: Any, tools: Any, says: Says) -> None:
    """All questions of a message are put before any of its calls is done."""
    seen: list[Any] = []

    class Asked(Yes):
        def __call__(self, request: Any) -> bool:
            seen.append(list(real.done))
            return super().__call__(request)

    for approve, expected in ((No(), [("look", "b")]), (Asked(), [("look", "b"), ("write", "a")])):
        real.done.clear()
        client = says([("look", {"place": "b"}), ("write", {"path": "a"})], "done")
        await guarded(made(tools, client), policy={"write": "ask"}, approve=approve).run(task="tidy")
        assert len(approve.asked) == 1
        assert sorted(real.done) == expected
    assert seen == [[]]


@pytest.mark.parametrize("stream", [False, True])
async def test_rivals(stream: bool, real: Any, tools: Any, says: Says) -> None:
    client = says([("write", {"path": "/"})], [("look", {"place": "again"})], "done")
    wrapped = guarded(
        made(tools, client, model_client_stream=stream),
        world=ScriptedCopy(script={"*": "fine"}),
        critic=ScriptedCritic(script={"write": DANGER, "look": 0.9}),
        search=BestOf(k=2),
        policy={"swap": True},
    )
    await wrapped.run(task="tidy")
    assert real.done == [("look", "again")]
    assert client.asked[0] == client.asked[1]
    assert wrapped.lookahead.spent.tokens == 13


async def test_dry_run(real: Any, tools: Any, says: Says) -> None:
    wrapped = guarded(
        made(tools, says([("write", {"path": "/"}), ("look", {"place": "x"})], "done")),
        mode="dry-run",
        world=ScriptedWorld(script={"write": "wrote, so it seems", "*": "seen"}),
    )
    result = await wrapped.run(task="tidy")
    assert "wrote, so it seems" in results(result)
    (bench,) = wrapped._workbench
    assert bench._tools == []
    assert dict(bench._door.real) == {}
    assert wrapped._tools == []
    await bench.call_tool("write", {"path": "x"})
    async for _ in bench.call_tool_stream("look", {"place": "x"}):
        pass
    assert real.done == []


async def test_shadow(real: Any, tools: Any, says: Says) -> None:
    journal = Journal(":memory:")
    wrapped = guarded(
        made(tools, says([("write", {"path": "/"})], "done")),
        mode="shadow",
        journal=journal,
        world=ScriptedWorld(script={"write": "wrote /"}),
        policy={"write": "deny"},
    )
    await wrapped.run(task="tidy")
    assert real.done == [("write", "/")]
    assert wrapped.lookahead.settle(10)
    assert len(journal.transitions()) == 1


async def test_parallel(real: Any, tools: Any, says: Says) -> None:
    calls = [("look", {"place": str(number)}) for number in range(4)] + [("write", {"path": "/"})] * 2
    policy = {"write": "deny", "look": {"effect": "reads"}}
    result = await guarded(made(tools, says(calls, "done")), policy=policy).run(task="look everywhere")
    assert sorted(real.done) == [("look", str(number)) for number in range(4)]
    assert results(result).count("Not done") == 2


@pytest.mark.parametrize("chunks", [False, True])
async def test_streaming(chunks: bool, real: Any, tools: Any, says: Says) -> None:
    turns = [("write", {"path": "/"}), ("look", {"place": "x"})], "done"

    async def kinds(agent: Any) -> list[str]:
        return [type(event).__name__ async for event in agent.run_stream(task="tidy")]

    bare = await kinds(made(tools, says(*turns), model_client_stream=chunks))
    assert len(real.done) == 2
    real.done.clear()
    wrapped = guarded(made(tools, says(*turns), model_client_stream=chunks), policy={"write": "deny"})
    assert await kinds(wrapped) == bare
    assert real.done == [("look", "x")]


async def test_async(real: Any, tools: Any, says: Says) -> None:
    """The same call in two turns is done twice, whatever ids the model gives; a reset begins a conversation anew."""
    from autogen_core import CancellationToken

    wrapped = guarded(made(tools, says([("look", {"place": "x"})], "one", [("look", {"place": "x"})], "two")))
    await wrapped.run(task="a")
    await wrapped.run(task="b")
    assert real.done == [("look", "x")] * 2
    await wrapped.on_reset(CancellationToken())
    assert await wrapped._model_context.get_messages() == []
