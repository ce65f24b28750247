"""Agents behind agents: as tools, in graphs and in swarms. What they do is judged like what the first one does."""

from typing import Any

import pytest

pytest.importorskip("strands")

from strands import Agent, tool
from strands.multiagent import GraphBuilder, Swarm

from lookahead import Journal, with_lookahead
from lookahead.errors import ConfigError
from lookahead.testing import ScriptedWorld

from .fakes import Office, ScriptedModel, results, use

DENY = {"delete": "deny"}


def quiet(**more: Any) -> dict[str, Any]:
    return {"world": ScriptedWorld(script={"*": "as imagined"}), "journal": Journal(":memory:"), **more}


def nested(office: Office, *turns: Any) -> Agent:
    inner = office.agent([use("delete", path="a"), use("write", path="b")], "inner done", name="cleaner")
    return Agent(model=ScriptedModel(*turns), tools=[inner], callback_handler=None)


def test_an_agent_as_a_tool_is_guarded_all_the_way_down() -> None:
    office = Office()
    agent = nested(office, [use("cleaner", input="clean up")], "done")
    wrapped = with_lookahead(agent, **quiet(policy=DENY))
    wrapped("go")
    assert office.done == ["write b"]
    assert results(wrapped) == ["inner done\n"]
    assert [(path.where, path.tool, path.how) for path in wrapped.lookahead.coverage] == [
        ("", "cleaner", "guarded"),
        ("cleaner", "read", "guarded"),
        ("cleaner", "write", "guarded"),
        ("cleaner", "delete", "guarded"),
    ]
    agent.model.heard.clear()
    agent.tool_registry.registry["cleaner"].agent.model.heard.clear()
    agent("go")
    assert office.done == ["write b", "delete a", "write b"], "the one that was given is as it was"


def test_the_policy_may_speak_of_the_agent_behind_a_tool() -> None:
    office = Office()
    agent = nested(office, [use("cleaner", input="clean up")], "done")
    wrapped = with_lookahead(agent, **quiet(policy={"cleaner": "deny"}))
    wrapped("go")
    assert office.done == []
    assert results(wrapped)[0].startswith("Not done: cleaner")


def test_a_question_from_within_reaches_whoever_called_the_outer_one_and_is_answered_there() -> None:
    office = Office()
    wrapped = with_lookahead(nested(office, [use("cleaner", input="x")], "done"), **quiet(policy={"delete": "ask"}))
    stopped = wrapped("go")
    assert stopped.stop_reason == "interrupt"
    assert office.done == []
    responses = [{"interruptResponse": {"interruptId": one.id, "response": "yes"}} for one in stopped.interrupts]
    assert str(wrapped(responses)).strip() == "done"
    assert sorted(office.done) == ["delete a", "write b"]


def test_a_dry_run_goes_through_the_agents_and_does_nothing() -> None:
    office = Office()
    wrapped = with_lookahead(nested(office, [use("cleaner", input="x")], "done"), **quiet(mode="dry-run"))
    wrapped("go")
    assert office.done == []
    assert results(wrapped) == ["inner done\n"]


def test_an_agent_that_hides_in_a_function_is_an_error_unless_the_user_knows_of_it() -> None:
    office = Office()
    hidden_agent = office.agent([use("delete", path="a")], "done")

    @tool
    def ask_cleaner(question: str) -> str:
        """Ask the cleaner."""
        return str(hidden_agent(question))

    agent = Agent(model=ScriptedModel("done"), tools=[ask_cleaner], callback_handler=None)
    with pytest.raises(ConfigError, match=r"ask_cleaner: opaque \(an agent hides in it"):
        with_lookahead(agent, **quiet())
    assert with_lookahead(agent, **quiet(policy={"opaque": "allow"})).lookahead.coverage[0].how == "opaque"


def test_the_nodes_of_a_graph_are_guarded_and_the_graph_that_was_given_is_not() -> None:
    office = Office()
    builder = GraphBuilder()
    first = builder.add_node(office.agent([use("delete", path="a")], "first done", name="first"), "first")
    second = builder.add_node(office.agent([use("write", path="b")], "second done", name="second"), "second")
    builder.add_edge(first, second)
    graph = builder.set_max_node_executions(9).build()
    wrapped = with_lookahead(graph, **quiet(policy=DENY))
    assert type(wrapped) is type(graph)
    done = wrapped("go")
    assert [node.node_id for node in done.execution_order] == ["first", "second"]
    assert office.done == ["write b"]
    assert {path.where for path in wrapped.lookahead.coverage} == {"first", "second"}
    assert graph.nodes["first"].executor.messages == []
    for node in graph.nodes.values():
        node.executor.model.heard.clear()
    graph("go")
    assert office.done == ["write b", "delete a", "write b"]


def test_a_swarm_hands_over_between_guarded_agents() -> None:
    office = Office()
    hand = use("handoff_to_agent", agent_name="two", message="over to you")
    one = office.agent([hand], "one done", name="one")
    two = office.agent([use("delete", path="a")], [use("write", path="b")], "two done", name="two")
    swarm = Swarm([one, two])
    wrapped = with_lookahead(swarm, **quiet(policy=DENY))
    done = wrapped("go")
    assert [node.node_id for node in done.node_history] == ["one", "two"]
    assert office.done == ["write b"]
    assert swarm.state.node_history == []


def test_a_dry_swarm_does_nothing() -> None:
    office = Office()
    hand = use("handoff_to_agent", agent_name="two", message="over to you")
    one = office.agent([hand], "one done", name="one")
    two = office.agent([use("delete", path="a")], "two done", name="two")
    done = with_lookahead(Swarm([one, two]), **quiet(mode="dry-run"))("go")
    assert [node.node_id for node in done.node_history] == ["one", "two"]
    assert office.done == []
