"""Agents within agents: managed ones are guarded with the one that leads them, hidden ones are found."""

from collections.abc import Callable
from typing import Any

import pytest

smolagents = pytest.importorskip("smolagents")

from lookahead import with_lookahead  # noqa: E402
from lookahead.errors import ConfigError  # noqa: E402
from lookahead.journal import Journal  # noqa: E402
from lookahead.testing import ScriptedWorld, Yes  # noqa: E402

tool = smolagents.tool
Says = Callable[..., Any]
DONE = [("final_answer", {"answer": "done"})]


def calling(tools: Any, model: Any, **more: Any) -> Any:
    return smolagents.ToolCallingAgent(tools=list(tools), model=model, verbosity_level=0, **more)


def guarded(agent: Any, **more: Any) -> Any:
    return with_lookahead(agent, **{"world": "none", "journal": Journal(":memory:"), **more})


def team(tools: Any, says: Says, kind: str) -> Any:
    inner = smolagents.CodeAgent(
        tools=[tools["write"]],
        model=says("<code>\nwrite('/')\n</code>", "<code>\nfinal_answer('inner')\n</code>"),
        name="cleaner",
        description="cleans",
        verbosity_level=0,
    )
    middle = calling(
        [], says([("cleaner", {"task": "clean"})], DONE), name="foreman", description="leads", managed_agents=[inner]
    )
    if kind == "calling":
        return calling([tools["look"]], says([("foreman", {"task": "go"})], DONE), managed_agents=[middle])
    return smolagents.CodeAgent(
        tools=[tools["look"]],
        model=says("<code>\nfinal_answer(foreman('go'))\n</code>"),
        managed_agents=[middle],
        verbosity_level=0,
    )


@pytest.mark.parametrize("kind", ["calling", "coding"])
def test_tools_of_managed_agents_are_guarded_at_any_depth(kind: str, real: Any, tools: Any, says: Says) -> None:
    agent = team(tools, says, kind)
    wrapped = guarded(agent, policy={"write": "deny"})
    wrapped.run("tidy")
    assert real.done == []
    where = {path.tool: path.where for path in wrapped.lookahead.coverage if path.how == "guarded"}
    assert where["write"] == "foreman/cleaner"
    assert agent.managed_agents["foreman"].managed_agents["cleaner"].tools["write"] is tools["write"]
    assert agent.managed_agents["foreman"].memory.steps == []


def test_without_a_rule_against_it_a_managed_agent_does_its_work_once(real: Any, tools: Any, says: Says) -> None:
    guarded(team(tools, says, "coding")).run("tidy")
    assert real.done == [("write", "/")]


def test_in_a_dry_run_managed_agents_think_and_their_tools_are_imagined(real: Any, tools: Any, says: Says) -> None:
    world = ScriptedWorld(script={"write": "gone"})
    wrapped = guarded(team(tools, says, "calling"), mode="dry-run", world=world)
    assert wrapped.run("tidy") == "done"
    assert [action.tool for _, action in world.asked] == ["write"]
    assert real.done == []


def test_a_managed_agent_can_be_forbidden_or_asked_about_by_its_name(real: Any, tools: Any, says: Says) -> None:
    wrapped = guarded(team(tools, says, "calling"), policy={"foreman": "deny"})
    wrapped.run("tidy")
    assert real.done == []
    assert any("Not done: foreman" in str(getattr(step, "observations", "")) for step in wrapped.memory.steps)
    yes = Yes()
    guarded(team(tools, says, "calling"), policy={"foreman": "ask"}, approve=yes).run("tidy")
    assert [request.decision.proposed.tool for request in yes.asked] == ["foreman"]
    assert real.done == [("write", "/")]


def test_an_agent_that_hides_in_a_tool_is_found(real: Any, tools: Any, says: Says) -> None:
    hidden = calling([tools["write"]], says([("write", {"path": "/"})], DONE))

    @tool
    def delegate(task: str) -> str:
        """Gives a task to somebody.

        Args:
            task: what to do
        """
        return str(hidden.run(task))

    with pytest.raises(ConfigError, match=r"delegate: opaque"):
        guarded(calling([delegate], says()))


def test_a_tool_that_an_agent_keeps_beside_its_tools_is_found(tools: Any, says: Says) -> None:
    class Own(smolagents.ToolCallingAgent):
        pass

    agent = Own(tools=[], model=says(), verbosity_level=0)
    agent.secret = tools["write"]
    with pytest.raises(ConfigError, match=r"Own\.secret"):
        guarded(agent)


def test_two_tools_of_one_name_are_refused(tools: Any, says: Says) -> None:
    @tool
    def write(everything: str) -> str:
        """Writes otherwise.

        Args:
            everything: all of it
        """
        return everything

    inner = calling([write], says(), name="inner", description="inner")
    with pytest.raises(ConfigError, match="two different tools"):
        guarded(calling([tools["write"]], says(), managed_agents=[inner]))


def test_what_a_managed_agent_does_belongs_to_the_conversation_of_its_leader(real: Any, tools: Any, says: Says) -> None:
    wrapped = guarded(team(tools, says, "calling"))
    wrapped.run("tidy up")
    (conversation,) = wrapped.lookahead._conversations.values()
    assert [step.action.tool for step in conversation.state.steps] == ["write"]
    assert conversation.state.goal == "tidy up"
