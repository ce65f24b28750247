"""One cell for each thing that a host may be able to do; what it cannot is said in its HOST, with the way out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

framework = pytest.importorskip("agent_framework")

from lookahead import with_lookahead  # noqa: E402
from lookahead.host import ABILITIES  # noqa: E402
from lookahead.journal import Journal  # noqa: E402
from lookahead.search import BestOf  # noqa: E402
from lookahead.testing import No, ScriptedCopy, ScriptedCritic, ScriptedProposer, ScriptedWorld, Yes, call  # noqa: E402
from lookahead.types import Hazard  # noqa: E402
from lookahead_integrations.agent_framework.host import HOST  # noqa: E402

pytestmark = pytest.mark.anyio
Says = Callable[..., Any]
DANGER = Hazard(rule="files.lost", what="it loses files", why="they are gone", severity="danger", predicted=True)


def made(tools: dict[str, Any], client: Any, **more: Any) -> Any:
    return framework.Agent(client, tools=list(tools.values()), name="tidier", **more)


def guarded(agent: Any, **more: Any) -> Any:
    return with_lookahead(agent, **{"world": "none", "journal": Journal(":memory:"), **more})


def results(response: Any) -> str:
    return "\n".join(
        str(item.result) for message in response.messages for item in message.contents if item.type == "function_result"
    )


def test_every_ability_has_its_cell_or_its_reason() -> None:
    cells = {name.removeprefix("test_").replace("_", "-") for name in globals() if name.startswith("test_")}
    assert all(ability in HOST.cannot or ability in cells for ability in ABILITIES)


async def test_run(real: Any, tools: Any, says: Says) -> None:
    agent = made(tools, says([("look", {"place": "here"})], "done"))
    before = dict(vars(agent)), list(agent.context_providers), agent.client
    wrapped = guarded(agent)
    assert type(wrapped) is type(agent)
    response = await wrapped.run("look around", session=wrapped.create_session())
    assert response.text == "done"
    assert real.done == [("look", "here")]
    assert "nothing at here" in results(response)
    assert (dict(vars(agent)), agent.context_providers, agent.client) == before
    assert [str(path) for path in wrapped.lookahead.coverage] == ["look: guarded", "write: guarded"]


async def test_veto(real: Any, tools: Any, says: Says) -> None:
    client = says([("write", {"path": "/"})], [("write", {"path": "/tmp/x"})], "done")
    deny = {"write": {"when": [{"argument": "path", "equals": "/", "rule": "deny"}]}}
    response = await guarded(made(tools, client), policy=deny).run("tidy")
    assert real.done == [("write", "/tmp/x")]
    assert "Not done: write" in results(response)
    assert response.text == "done"


async def test_swap(real: Any, tools: Any, says: Says) -> None:
    wrapped = guarded(
        made(tools, says([("write", {"path": "/"})], "done")),
        world=ScriptedCopy(script={"*": "fine"}),
        critic=ScriptedCritic(script={"write": DANGER, "look": 0.9}),
        search=BestOf(k=2, propose=ScriptedProposer([call("look", place="first")])),
        policy={"swap": True},
    )
    response = await wrapped.run("tidy")
    assert real.done == [("look", "first")]
    assert "instead of write" in results(response)
    assert "nothing at first" in results(response)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("lasting", [False, True])
async def test_ask(stream: bool, lasting: bool, real: Any, tools: Any, says: Says) -> None:
    """The framework's own approval request; nothing of the same message is done before it is answered."""
    turns = [("look", {"place": "b"}), ("write", {"path": "a"})], "done"
    for yes in (True, False):
        real.done.clear()
        client = says(*turns)
        # Without a session the framework believes an answer only where it was told to.
        client.function_invocation_configuration["disable_approval_response_binding"] = not lasting
        wrapped = guarded(made(tools, client), policy={"write": "ask"})
        session = wrapped.create_session() if lasting else None
        run = wrapped.run("tidy", session=session, stream=stream)
        response = await (run.get_final_response() if stream else run)
        assert real.done == []
        asked = response.user_input_requests
        assert "write" in [request.function_call.name for request in asked]
        answers = [
            request.to_function_approval_response(yes or request.function_call.name == "look") for request in asked
        ]
        messages = [framework.Message(role="user", contents=answers)]
        if not lasting:
            messages = [framework.Message(role="user", contents=["tidy"]), *response.messages, *messages]
        run = wrapped.run(messages, session=session, stream=stream)
        response = await (run.get_final_response() if stream else run)
        assert response.text == "done"
        assert sorted(real.done) == [("look", "b")] + ([("write", "a")] if yes else [])


async def test_a_way_of_asking_that_was_given_is_used(real: Any, tools: Any, says: Says) -> None:
    for approve, expected in ((No(), [("look", "b")]), (Yes(), [("look", "b"), ("write", "a")])):
        real.done.clear()
        client = says([("write", {"path": "a"}), ("look", {"place": "b"})], "done")
        response = await guarded(made(tools, client), policy={"write": "ask"}, approve=approve).run("tidy")
        assert len(approve.asked) == 1
        assert not response.user_input_requests
        assert sorted(real.done) == expected


async def test_resume(real: Any, tools: Any, says: Says, tmp_path: Path) -> None:
    """After a restart: another process has the session and the journal, and imagines nothing again."""
    world = ScriptedWorld(script={"*": "fine"})
    options: dict[str, Any] = {"policy": {"write": "ask"}, "world": world, "journal": tmp_path / "j.db"}
    turns = [("write", {"path": "before"})], [("write", {"path": "a"})], "done"
    first = with_lookahead(made(tools, says(*turns[1:2])), **options)
    session = first.create_session()
    response = await first.run("tidy", session=session)
    kept = session.to_dict()
    first.lookahead.close()
    imagined = len(world.asked)
    second = with_lookahead(made(tools, says(turns[2])), **options)
    answer = response.user_input_requests[0].to_function_approval_response(True)
    again = framework.AgentSession.from_dict(kept)
    response = await second.run(framework.Message(role="user", contents=[answer]), session=again)
    assert response.text == "done"
    assert real.done == [("write", "a")]
    assert len(world.asked) == imagined
    second.lookahead.close()


async def test_rivals(real: Any, tools: Any, says: Says) -> None:
    client = says([("write", {"path": "/"})], [("look", {"place": "again"})], "done")
    wrapped = guarded(
        made(tools, client),
        world=ScriptedCopy(script={"*": "fine"}),
        critic=ScriptedCritic(script={"write": DANGER, "look": 0.9}),
        search=BestOf(k=2),
        policy={"swap": True},
    )
    await wrapped.run("tidy")
    assert real.done == [("look", "again")]
    assert [m.text for m in client.asked[0]] == [m.text for m in client.asked[1]]


async def test_dry_run(real: Any, tools: Any, says: Says) -> None:
    wrapped = guarded(
        made(tools, says([("write", {"path": "/"}), ("look", {"place": "x"})], "done")),
        mode="dry-run",
        world=ScriptedWorld(script={"write": "wrote, so it seems", "*": "seen"}),
    )
    response = await wrapped.run("tidy")
    assert "wrote, so it seems" in results(response)
    for tool in wrapped.default_options["tools"]:
        assert tool.func not in [one.func for one in tools.values()]
        with pytest.raises(Exception, match="dry run"):
            await tool.invoke(arguments={"path": "x"} if tool.name == "write" else {"place": "x"})
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
    await wrapped.run("tidy")
    assert real.done == [("write", "/")]
    assert wrapped.lookahead.settle(10)
    assert len(journal.transitions()) == 1
    assert wrapped.lookahead.spent.calls == 1


async def test_parallel(real: Any, tools: Any, says: Says) -> None:
    calls = [("look", {"place": str(number)}) for number in range(4)] + [("write", {"path": "/"})] * 2
    wrapped = guarded(made(tools, says(calls, "done")), policy={"write": "deny", "look": {"effect": "reads"}})
    response = await wrapped.run("look everywhere")
    assert sorted(real.done) == [("look", str(number)) for number in range(4)]
    assert results(response).count("Not done") == 2


async def test_streaming(real: Any, tools: Any, says: Says) -> None:
    turns = [("write", {"path": "/"}), ("look", {"place": "x"})], "done"

    async def kinds(agent: Any) -> list[str]:
        found = [item.type async for update in agent.run("tidy", stream=True) for item in update.contents]
        return found

    bare = await kinds(made(tools, says(*turns)))
    assert len(real.done) == 2
    real.done.clear()
    assert await kinds(guarded(made(tools, says(*turns)), policy={"write": "deny"})) == bare
    assert real.done == [("look", "x")]


async def test_async(real: Any, tools: Any, says: Says) -> None:
    import asyncio

    client = says([("look", {"place": "x"})], [("look", {"place": "x"})], "one", "two")
    wrapped = guarded(made(tools, client))
    await asyncio.gather(wrapped.run("a"), wrapped.run("b"))
    assert real.done == [("look", "x")] * 2
