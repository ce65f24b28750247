"""One cell for each thing that a host may be able to do; what it cannot is said in its HOST, with the way out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("google.adk")

from google.adk.agents import LlmAgent
from google.genai import types

from lookahead import with_lookahead
from lookahead.host import ABILITIES
from lookahead.journal import Journal
from lookahead.search import BestOf
from lookahead.testing import No, ScriptedCopy, ScriptedCritic, ScriptedProposer, ScriptedWorld, Yes, call
from lookahead.types import Hazard
from lookahead_integrations.google_adk.host import HOST

pytestmark = pytest.mark.anyio
Some = Callable[..., Any]
DANGER = Hazard(rule="files.lost", what="it loses files", why="they are gone", severity="danger", predicted=True)


def made(tools: dict[str, Any], model: Any, **more: Any) -> Any:
    return LlmAgent(name="tidier", model=model, tools=list(tools.values()), **more)


def guarded(agent: Any, **more: Any) -> Any:
    return with_lookahead(agent, **{"world": "none", "journal": Journal(":memory:"), **more})


def results(events: list[Any]) -> str:
    return "\n".join(str(response.response) for event in events for response in event.get_function_responses())


def asked(events: list[Any]) -> list[Any]:
    calls = [one for event in events for one in event.get_function_calls()]
    return [one for one in calls if one.name == "adk_request_confirmation"]


def answer(request: Any, yes: bool) -> Any:
    return types.FunctionResponse(id=request.id, name=request.name, response={"confirmed": yes})


def test_every_ability_has_its_cell_or_its_reason() -> None:
    cells = {name.removeprefix("test_").replace("_", "-") for name in globals() if name.startswith("test_")}
    assert all(ability in HOST.cannot or ability in cells for ability in ABILITIES)


async def test_run(real: Any, tools: Any, says: Some, run: Some) -> None:
    agent = made(tools, says([("look", {"place": "here"})], "done"))
    before = list(agent.tools)
    wrapped = guarded(agent)
    assert type(wrapped) is type(agent)
    events = await run(wrapped)
    assert events[-1].content.parts[0].text == "done"
    assert real.done == [("look", "here")]
    assert "nothing at here" in results(events)
    assert agent.tools == before
    assert agent.before_model_callback is None
    assert [str(path) for path in wrapped.lookahead.coverage] == ["look: guarded", "write: guarded"]


async def test_veto(real: Any, tools: Any, says: Some, run: Some) -> None:
    model = says([("write", {"path": "/"})], [("write", {"path": "/tmp/x"})], "done")
    deny = {"write": {"when": [{"argument": "path", "equals": "/", "rule": "deny"}]}}
    events = await run(guarded(made(tools, model), policy=deny))
    assert real.done == [("write", "/tmp/x")]
    assert "Not done: write" in results(events)
    assert "Not done: write" in str(model.asked[1])


async def test_swap(real: Any, tools: Any, says: Some, run: Some) -> None:
    wrapped = guarded(
        made(tools, says([("write", {"path": "/"})], "done")),
        world=ScriptedCopy(script={"*": "fine"}),
        critic=ScriptedCritic(script={"write": DANGER, "look": 0.9}),
        search=BestOf(k=2, propose=ScriptedProposer([call("look", place="first")])),
        policy={"swap": True},
    )
    events = await run(wrapped)
    assert real.done == [("look", "first")]
    assert "instead of write" in results(events)
    assert "nothing at first" in results(events)


async def test_ask(real: Any, tools: Any, says: Some, run: Some) -> None:
    """The framework's own confirmation; what is not asked about is done once, and not again afterwards."""
    for yes in (True, False):
        real.done.clear()
        model = says([("look", {"place": "b"}), ("write", {"path": "a"})], "waiting", "done")
        wrapped = guarded(made(tools, model), policy={"write": "ask"})
        events = await run(wrapped, session=str(yes))
        (request,) = asked(events)
        assert request.args["originalFunctionCall"]["name"] == "write"
        assert real.done == [("look", "b")]
        model.turns[:] = ["done"]
        events = await run(wrapped, answer(request, yes), session=str(yes))
        assert events[-1].content.parts[0].text == "done"
        assert real.done == [("look", "b")] + ([("write", "a")] if yes else [])
        assert yes or "Not done: write" in results(events)


async def test_a_way_of_asking_that_was_given_is_used(real: Any, tools: Any, says: Some, run: Some) -> None:
    """All questions of a message are put before any of its calls is done."""
    seen: list[Any] = []

    class Asked(Yes):
        def __call__(self, request: Any) -> bool:
            seen.append(list(real.done))
            return super().__call__(request)

    for approve, expected in ((No(), [("look", "b")]), (Asked(), [("look", "b"), ("write", "a")])):
        real.done.clear()
        model = says([("look", {"place": "b"}), ("write", {"path": "a"})], "done")
        events = await run(guarded(made(tools, model), policy={"write": "ask"}, approve=approve))
        assert len(approve.asked) == 1
        assert asked(events) == []
        assert sorted(real.done) == expected
    assert seen == [[]]


async def test_resume(real: Any, tools: Any, says: Some, run: Some, tmp_path: Path) -> None:
    """After a restart: another process has the ADK session and the journal, and imagines nothing again."""
    world = ScriptedWorld(script={"*": "fine"})
    options: dict[str, Any] = {"policy": {"write": {"when": [{"argument": "path", "equals": "a", "rule": "ask"}]}}}
    options |= {"world": world, "journal": tmp_path / "j.db"}
    turns = [("write", {"path": "before"})], [("write", {"path": "a"})], "waiting"
    first = with_lookahead(made(tools, says(*turns)), **options)
    (request,) = asked(await run(first))
    first.lookahead.close()
    assert real.done == [("write", "before")]
    imagined = len(world.asked)
    second = with_lookahead(made(tools, says("done")), **options)
    await run(second, answer(request, True))
    assert real.done == [("write", "before"), ("write", "a")]
    assert len(world.asked) == imagined
    second.lookahead.close()


async def test_rivals(real: Any, tools: Any, says: Some, run: Some) -> None:
    model = says([("write", {"path": "/"})], [("look", {"place": "again"})], "done")
    wrapped = guarded(
        made(tools, model),
        world=ScriptedCopy(script={"*": "fine"}),
        critic=ScriptedCritic(script={"write": DANGER, "look": 0.9}),
        search=BestOf(k=2),
        policy={"swap": True},
    )
    await run(wrapped)
    assert real.done == [("look", "again")]
    assert model.asked[0] == model.asked[1]


async def test_dry_run(real: Any, tools: Any, says: Some, run: Some) -> None:
    wrapped = guarded(
        made(tools, says([("write", {"path": "/"}), ("look", {"place": "x"})], "done")),
        mode="dry-run",
        world=ScriptedWorld(script={"write": "wrote, so it seems", "*": "seen"}),
    )
    events = await run(wrapped)
    assert "wrote, so it seems" in results(events)
    assert real.done == []
    for tool in wrapped.tools:
        assert not hasattr(tool, "func")
        assert tool._door.real == {}
        assert tool._get_declaration().name == tool.name


async def test_shadow(real: Any, tools: Any, says: Some, run: Some) -> None:
    journal = Journal(":memory:")
    wrapped = guarded(
        made(tools, says([("write", {"path": "/"})], "done")),
        mode="shadow",
        journal=journal,
        world=ScriptedWorld(script={"write": "wrote /"}),
        policy={"write": "deny"},
    )
    await run(wrapped)
    assert real.done == [("write", "/")]
    assert wrapped.lookahead.settle(10)
    assert len(journal.transitions()) == 1


async def test_parallel(real: Any, tools: Any, says: Some, run: Some) -> None:
    calls = [("look", {"place": str(number)}) for number in range(4)] + [("write", {"path": "/"})] * 2
    policy = {"write": "deny", "look": {"effect": "reads"}}
    events = await run(guarded(made(tools, says(calls, "done")), policy=policy))
    assert sorted(real.done) == [("look", str(number)) for number in range(4)]
    assert results(events).count("Not done") == 2


async def test_streaming(real: Any, tools: Any, says: Some, run: Some) -> None:
    turns = [("write", {"path": "/"}), ("look", {"place": "x"})], "done"

    def kinds(events: list[Any]) -> list[Any]:
        return [(event.partial, len(event.content.parts), event.author) for event in events]

    bare = kinds(await run(made(tools, says(*turns)), stream=True, session="bare"))
    assert len(real.done) == 2
    real.done.clear()
    wrapped = guarded(made(tools, says(*turns)), policy={"write": "deny"})
    assert kinds(await run(wrapped, stream=True, session="wrapped")) == bare
    assert real.done == [("look", "x")]


async def test_async(real: Any, tools: Any, says: Some, run: Some) -> None:
    """The same call in two turns is done twice, and two sessions are two conversations."""
    wrapped = guarded(made(tools, says(*[[("look", {"place": "x"})], "done"] * 3)))
    for session in ("a", "a", "b"):
        await run(wrapped, session=session)
    assert real.done == [("look", "x")] * 3
    steps = [len(one.state.steps) for one in wrapped.lookahead._conversations.values()]
    assert steps == [2, 1]


def test_sync(real: Any, tools: Any, says: Some) -> None:
    from google.adk.runners import InMemoryRunner

    wrapped = guarded(made(tools, says([("write", {"path": "/"})], "done")), policy={"write": "deny"})
    runner = InMemoryRunner(agent=wrapped, app_name="app")
    runner.auto_create_session = True
    message = types.Content(role="user", parts=[types.Part(text="go")])
    events = list(runner.run(user_id="u", session_id="s", new_message=message))
    assert "Not done: write" in results(events)
    assert real.done == []
