"""Agents as tools, tools that come at run time, and middleware of the user's own."""

from collections.abc import Callable
from typing import Any

import pytest

framework = pytest.importorskip("agent_framework")

from lookahead import with_lookahead  # noqa: E402
from lookahead.errors import ConfigError  # noqa: E402
from lookahead.journal import Journal  # noqa: E402
from lookahead.testing import ScriptedWorld, Yes  # noqa: E402

pytestmark = pytest.mark.anyio
Says = Callable[..., Any]


def made(tools: list[Any], client: Any, **more: Any) -> Any:
    return framework.Agent(client, tools=tools, **{"name": "tidier", **more})


def guarded(agent: Any, **more: Any) -> Any:
    return with_lookahead(agent, **{"world": "none", "journal": Journal(":memory:"), **more})


def team(tools: Any, says: Says) -> Any:
    inner = made([tools["write"]], says([("write", {"path": "/"})], "inner done"), name="writer", description="writes")
    middle = made(
        [inner.as_tool()], says([("writer", {"task": "go"})], "middle done"), name="lead", description="leads"
    )
    return made([middle.as_tool()], says([("lead", {"task": "go"})], "done"))


async def test_tools_of_agents_as_tools_are_guarded_at_any_depth(real: Any, tools: Any, says: Says) -> None:
    wrapped = guarded(team(tools, says), policy={"write": "deny"})
    assert (await wrapped.run("go")).text == "done"
    assert real.done == []
    assert [str(path) for path in wrapped.lookahead.coverage] == ["write at lead/writer: guarded"]
    await guarded(team(tools, says)).run("go")
    assert real.done == [("write", "/")]


async def test_in_a_dry_run_inner_agents_think_and_their_tools_are_imagined(real: Any, tools: Any, says: Says) -> None:
    world = ScriptedWorld(script={"*": "gone"})
    assert (await guarded(team(tools, says), mode="dry-run", world=world).run("go")).text == "done"
    assert [action.tool for _, action in world.asked] == ["write"]
    assert real.done == []


async def test_an_agent_as_tool_can_be_forbidden_by_its_name(real: Any, tools: Any, says: Says) -> None:
    await guarded(team(tools, says), policy={"lead": "deny"}).run("go")
    assert real.done == []
    yes = Yes()
    await guarded(team(tools, says), policy={"lead": "ask"}, approve=yes).run("go")
    assert [request.decision.proposed.tool for request in yes.asked] == ["lead"]
    assert real.done == [("write", "/")]


async def test_a_tool_that_is_given_to_one_run_is_guarded_too(real: Any, tools: Any, says: Says) -> None:
    for where in ({"tools": [tools["write"]]}, {"options": {"tools": [tools["write"]]}}):
        wrapped = guarded(made([], says([("write", {"path": "/"})], "done")), policy={"write": "deny"})
        await wrapped.run("go", **where)
    wrapped = guarded(
        made([], says([("write", {"path": "/"})], "done")), mode="dry-run", world=ScriptedWorld(script={"*": "so"})
    )
    await wrapped.run("go", tools=[tools["write"]])
    assert real.done == []


async def test_a_tool_that_is_added_while_the_agent_runs_is_guarded_too(real: Any, tools: Any, says: Says) -> None:
    @framework.tool
    def more(ctx: framework.FunctionInvocationContext) -> str:
        """Adds a tool."""
        ctx.add_tools([tools["write"]])
        return "added"

    client = says([("more", {})], [("write", {"path": "/"})], "done")
    await guarded(made([more], client), policy={"write": "deny"}).run("go")
    assert real.done == []


async def test_middleware_of_the_users_own_comes_before_ours(real: Any, tools: Any, says: Says) -> None:
    """It may change a call; what runs is what was judged after that."""

    @framework.function_middleware
    async def moved(context: Any, call_next: Any) -> None:
        context.arguments = {"path": "/etc"}
        await call_next()

    deny = {"write": {"when": [{"argument": "path", "equals": "/etc", "rule": "deny"}]}}
    for level in ({"middleware": [moved]}, {}):
        agent = made([tools["write"]], says([("write", {"path": "/tmp"})], "done"), **level)
        wrapped = guarded(agent, policy=deny)
        await wrapped.run("go", **({} if level else {"middleware": [moved]}))
    assert real.done == []


async def test_a_tool_that_the_user_has_asked_about_is_still_asked_about(real: Any, tools: Any, says: Says) -> None:
    @framework.tool(approval_mode="always_require")
    def pay(cents: int) -> str:
        """Pays."""
        real.done.append(("pay", cents))
        return "paid"

    wrapped = guarded(made([pay], says([("pay", {"cents": 5})], "done")))
    session = wrapped.create_session()
    response = await wrapped.run("go", session=session)
    assert real.done == []
    answer = response.user_input_requests[0].to_function_approval_response(True)
    await wrapped.run(framework.Message(role="user", contents=[answer]), session=session)
    assert real.done == [("pay", 5)]
    assert pay.approval_mode == "always_require"


async def test_a_limit_on_calls_holds_for_the_wrapped_agent(real: Any, says: Says) -> None:
    @framework.tool(max_invocations=1)
    def once() -> str:
        """Only once."""
        real.done.append("once")
        return "done"

    wrapped = guarded(made([once], says([("once", {})], "a", [("once", {})], "b")))
    await wrapped.run("go")
    await wrapped.run("go")
    assert real.done == ["once"]


def test_what_the_provider_runs_is_opaque(says: Says) -> None:
    agent = made([{"type": "code_interpreter"}], says())
    with pytest.raises(ConfigError, match="code_interpreter: opaque"):
        guarded(agent)
    with pytest.raises(ConfigError, match="dry run"):
        guarded(agent, mode="dry-run", policy={"opaque": "allow"})
    assert guarded(agent, policy={"opaque": "allow"}).lookahead.coverage[0].how == "opaque"


async def test_what_the_provider_runs_is_refused_when_a_run_brings_it(says: Says) -> None:
    with pytest.raises(ConfigError, match="web_search"):
        await guarded(made([], says("done"))).run("go", tools=[{"type": "web_search"}])


def test_an_agent_that_hides_in_a_function_is_found(tools: Any, says: Says) -> None:
    inner = made([tools["write"]], says())

    @framework.tool
    async def delegate(task: str) -> str:
        """Gives a task to somebody."""
        return (await inner.run(task)).text

    with pytest.raises(ConfigError, match="delegate: opaque"):
        guarded(made([delegate], says()))


def test_two_tools_of_one_name_are_refused(tools: Any, says: Says) -> None:
    @framework.tool(name="write")
    def other(everything: str) -> str:
        """Writes otherwise."""
        return everything

    inner = made([other], says(), name="inner", description="inner")
    with pytest.raises(ConfigError, match="two different tools"):
        guarded(made([tools["write"], inner.as_tool()], says()))
