"""One cell for each thing that a host may be able to do; what it cannot is said in its HOST, with the way out."""

from collections.abc import Callable
from typing import Any

import pytest

smolagents = pytest.importorskip("smolagents")

from lookahead import with_lookahead  # noqa: E402
from lookahead.errors import ConfigError  # noqa: E402
from lookahead.host import ABILITIES  # noqa: E402
from lookahead.journal import Journal  # noqa: E402
from lookahead.search import BestOf  # noqa: E402
from lookahead.testing import No, ScriptedCopy, ScriptedCritic, ScriptedProposer, ScriptedWorld, Yes, call  # noqa: E402
from lookahead.types import Hazard  # noqa: E402
from lookahead_integrations.smolagents.host import HOST  # noqa: E402

Says = Callable[..., Any]
DONE = [("final_answer", {"answer": "done"})]
DANGER = Hazard(rule="files.lost", what="it loses files", why="they are gone", severity="danger", predicted=True)


def calling(tools: dict[str, Any], model: Any, **more: Any) -> Any:
    return smolagents.ToolCallingAgent(tools=list(tools.values()), model=model, verbosity_level=0, **more)


def coding(tools: dict[str, Any], model: Any, **more: Any) -> Any:
    return smolagents.CodeAgent(tools=list(tools.values()), model=model, verbosity_level=0, **more)


def guarded(agent: Any, **more: Any) -> Any:
    return with_lookahead(agent, **{"world": "none", "journal": Journal(":memory:"), **more})


def told(agent: Any) -> str:
    return "\n".join(
        str(getattr(step, "observations", "")) + str(getattr(step, "error", "")) for step in agent.memory.steps
    )


def test_every_ability_has_its_cell_or_its_reason() -> None:
    cells = {name.removeprefix("test_").replace("_", "-") for name in globals() if name.startswith("test_")}
    assert all(ability in HOST.cannot or ability in cells for ability in ABILITIES)


def test_run(real: Any, tools: dict[str, Any], says: Says) -> None:
    agent = calling(tools, says([("look", {"place": "here"})], DONE))
    wrapped = guarded(agent)
    assert type(wrapped) is type(agent)
    assert wrapped.run("look around") == "done"
    assert real.done == [("look", "here")]
    assert "nothing at here" in told(wrapped)
    assert wrapped.lookahead.coverage[0].tool == "look"
    assert agent.memory.steps == []  # the original has seen nothing of it
    assert agent.tools["look"] is tools["look"]


def test_veto(real: Any, tools: dict[str, Any], says: Says) -> None:
    model = says([("write", {"path": "/"})], [("write", {"path": "/tmp/x"})], DONE)
    wrapped = guarded(
        calling(tools, model),
        policy={"write": {"when": [{"argument": "path", "equals": "/", "rule": "deny"}]}},
    )
    assert wrapped.run("tidy") == "done"
    assert real.done == [("write", "/tmp/x")]
    assert "Not done: write" in told(wrapped)
    assert any("Not done" in str(message.content) for message in model.asked[1])  # and decides again


def test_swap(real: Any, tools: dict[str, Any], says: Says) -> None:
    wrapped = guarded(
        calling(tools, says([("write", {"path": "/"})], DONE)),
        world=ScriptedCopy(script={"*": "fine"}),
        critic=ScriptedCritic(script={"write": DANGER, "look": 0.9}),
        search=BestOf(k=2, propose=ScriptedProposer([call("look", place="first")])),
        policy={"swap": True},
    )
    wrapped.run("tidy")
    assert real.done == [("look", "first")]
    assert "instead of write" in told(wrapped)
    assert "nothing at first" in told(wrapped)


def test_ask(real: Any, tools: dict[str, Any], says: Says) -> None:
    turns = [("write", {"path": "a"}), ("look", {"place": "b"})], DONE
    for approve, expected in ((No(), [("look", "b")]), (Yes(), [("look", "b"), ("write", "a")])):
        real.done.clear()
        wrapped = guarded(calling(tools, says(*turns)), policy={"write": "ask"}, approve=approve)
        wrapped.run("tidy")
        assert len(approve.asked) == 1
        assert sorted(real.done) == expected


def test_a_question_comes_before_any_call_of_its_message_is_done(real: Any, tools: dict[str, Any], says: Says) -> None:
    seen: list[Any] = []

    def approve(request: Any) -> bool:
        seen.append(list(real.done))
        return True

    wrapped = guarded(
        calling(tools, says([("look", {"place": "b"}), ("write", {"path": "a"})], DONE)),
        policy={"write": "ask"},
        approve=approve,
    )
    wrapped.run("tidy")
    assert seen == [[]]
    assert len(real.done) == 2


def test_rivals(real: Any, tools: dict[str, Any], says: Says) -> None:
    """The agent's own model is asked again, and the better of its thoughts is done where that is allowed."""
    model = says([("write", {"path": "/"})], [("look", {"place": "again"})], DONE)
    wrapped = guarded(
        calling(tools, model),
        world=ScriptedCopy(script={"*": "fine"}),
        critic=ScriptedCritic(script={"write": DANGER, "look": 0.9}),
        search=BestOf(k=2),
        policy={"swap": True},
    )
    wrapped.run("tidy")
    assert real.done == [("look", "again")]
    assert model.asked[0] == model.asked[1]
    assert wrapped.lookahead.spent.calls >= 1


def test_alternatives_to_a_call_in_code_are_refused_at_wrap_time(tools: dict[str, Any], says: Says) -> None:
    with pytest.raises(ConfigError, match="nobody who thinks of other actions"):
        guarded(coding(tools, says()), world=ScriptedWorld(script={}), search=BestOf(k=2))


@pytest.mark.parametrize("kind", [calling, coding])
def test_dry_run(kind: Any, real: Any, tools: dict[str, Any], says: Says) -> None:
    turns = (
        ([("write", {"path": "/"})], DONE)
        if kind is calling
        else ("<code>\nprint(write('/'))\nfinal_answer(count('/') + 1)\n</code>",)
    )
    wrapped = guarded(
        kind(tools, says(*turns)),
        mode="dry-run",
        world=ScriptedWorld(script={"write": "wrote, so it seems", "count": "41", "*": "seen"}),
    )
    assert wrapped.run("tidy") == ("done" if kind is calling else 42)
    assert "wrote, so it seems" in told(wrapped)
    for tool in wrapped.tools.values():
        if tool.name != "final_answer":
            tool(**dict.fromkeys(list(tool.inputs)[:1], "x"))
            tool.forward("x")
    assert real.done == []


def test_in_a_dry_run_nothing_that_the_agent_holds_leads_to_a_real_tool(tools: dict[str, Any], says: Says) -> None:
    import gc

    wrapped = guarded(coding(tools, says()), mode="dry-run", world=ScriptedWorld(script={}))
    bare = {id(tool) for tool in tools.values()} | {id(type(tool).forward) for tool in tools.values()}
    seen: set[int] = set()
    left: list[Any] = [wrapped.tools, wrapped.python_executor, wrapped.lookahead]
    while left and len(seen) < 20_000:
        one = left.pop()
        if id(one) in seen or isinstance(one, type) or type(one).__name__ in ("module", "frame"):
            continue
        seen.add(id(one))
        assert id(one) not in bare
        # By closures and attributes, as a call would go; the globals of a module lead everywhere.
        left += [part for part in gc.get_referents(one) if not (isinstance(part, dict) and "__builtins__" in part)]
    assert len(seen) > 50


def test_shadow(real: Any, tools: dict[str, Any], says: Says) -> None:
    journal = Journal(":memory:")
    wrapped = guarded(
        calling(tools, says([("write", {"path": "/"})], DONE)),
        mode="shadow",
        journal=journal,
        world=ScriptedWorld(script={"write": "wrote /"}),
        policy={"write": "deny"},
    )
    wrapped.run("tidy")
    assert real.done == [("write", "/")]
    assert wrapped.lookahead.settle(10)
    assert len(journal.transitions()) == 1
    assert wrapped.lookahead.spent.calls == 1


def test_parallel(real: Any, tools: dict[str, Any], says: Says) -> None:
    calls = [("look", {"place": str(number)}) for number in range(4)] + [("write", {"path": "/"})] * 2
    wrapped = guarded(calling(tools, says(calls, DONE)), policy={"write": "deny", "look": {"effect": "reads"}})
    wrapped.run("look everywhere")
    assert sorted(real.done) == [("look", str(number)) for number in range(4)]
    assert told(wrapped).count("Not done") == 2


@pytest.mark.parametrize("tokens", [False, True])
def test_streaming(tokens: bool, real: Any, tools: dict[str, Any], says: Says) -> None:
    turns = [("write", {"path": "/"}), ("look", {"place": "x"})], DONE

    def kinds(agent: Any) -> list[str]:
        found = [type(event).__name__ for event in agent.run("tidy", stream=True)]
        return [kind for kind in found if kind != "ToolOutput"] + [kind for kind in found if kind == "ToolOutput"]

    bare = kinds(calling(tools, says(*turns), stream_outputs=tokens))
    assert len(real.done) == 2
    real.done.clear()
    assert kinds(guarded(calling(tools, says(*turns), stream_outputs=tokens), policy={"write": "deny"})) == bare
    assert real.done == [("look", "x")]


def test_sync(real: Any, tools: dict[str, Any], says: Says) -> None:
    wrapped = guarded(coding(tools, says("<code>\nfinal_answer(count('x') * 2)\n</code>")))
    assert wrapped.run("count") == 6
    assert real.done == [("count", "x")]
