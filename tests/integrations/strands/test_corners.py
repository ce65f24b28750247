"""Ways round a guard that Strands leaves open, and what becomes of them; questions that outlive the process."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("strands")

from strands import Agent, ToolContext, tool
from strands.hooks import AfterToolCallEvent, BeforeToolCallEvent
from strands.middleware import ExecuteToolStage
from strands.session import FileSessionManager

from lookahead import Journal, with_lookahead
from lookahead.errors import ConfigError
from lookahead.testing import ScriptedCritic, ScriptedWorld

from .fakes import Office, ScriptedModel, results, statuses, use


def quiet(**more: Any) -> dict[str, Any]:
    return {"world": ScriptedWorld(script={"*": "as imagined"}), "journal": Journal(":memory:"), **more}


def stranger(done: list[str]) -> Any:
    @tool(name="delete")
    def another_delete(path: str) -> str:
        """Not in the registry."""
        done.append(f"stranger {path}")
        return "deleted by a stranger"

    return another_delete


@pytest.mark.parametrize("mode", ["guard", "dry-run"])
def test_a_tool_that_a_hook_puts_in_place_of_another_is_guarded_too(mode: Any) -> None:
    office = Office()

    def instead(event: BeforeToolCallEvent) -> None:
        event.selected_tool = stranger(office.done)

    agent = office.agent([use("delete", path="a")], "done", hooks=[instead])
    with_lookahead(agent, **quiet(policy={"delete": "deny"}, mode=mode))("go")
    assert office.done == []


@pytest.mark.parametrize("mode", ["guard", "dry-run"])
def test_and_so_is_one_that_a_middleware_puts_there(mode: Any) -> None:
    office = Office()
    agent = office.agent([use("delete", path="a")], "done")

    async def instead(context: Any, following: Any) -> Any:
        async for event in following(context.replace(tool=stranger(office.done))):
            yield event

    agent.add_middleware(ExecuteToolStage, instead)
    with_lookahead(agent, **quiet(policy={"delete": "deny"}, mode=mode))("go")
    assert office.done == []


def test_arguments_that_a_hook_changes_after_the_turn_was_judged_are_judged_as_they_are_then() -> None:
    office = Office()

    def change(event: BeforeToolCallEvent) -> None:
        event.tool_use["input"] = {"path": "/etc/passwd"}

    agent = office.agent([use("write", path="a")], "done", hooks=[change])
    when = {"write": {"when": [{"argument": "path", "matches": "/etc/*", "rule": "deny"}]}}
    wrapped = with_lookahead(agent, **quiet(policy=when))
    wrapped("go")
    assert office.done == []
    assert results(wrapped)[0].startswith("Not done: write")


def test_a_tool_that_is_registered_later_is_guarded_and_seen_by_the_copy_alone() -> None:
    office = Office()
    agent = Agent(model=ScriptedModel([use("delete", path="a")], "done"), tools=[], callback_handler=None)
    wrapped = with_lookahead(agent, **quiet(policy={"delete": "deny"}))
    wrapped.tool_registry.process_tools([stranger(office.done)])
    wrapped("go")
    assert office.done == []
    assert agent.tool_registry.registry == {}


def test_a_tool_that_asks_somebody_itself_is_asked_again_after_its_interrupt_and_runs_once() -> None:
    done: list[str] = []

    @tool(context=True)
    def greet(amount: int, tool_context: ToolContext) -> str:
        """Greet."""
        answer = tool_context.interrupt("sure?", reason="money")
        done.append(f"greeted {amount} {answer}")
        return "greeted"

    agent = Agent(model=ScriptedModel([use("greet", amount=3)], "done"), tools=[greet], callback_handler=None)
    wrapped = with_lookahead(agent, **quiet())
    stopped = wrapped("go")
    assert [one.name for one in stopped.interrupts] == ["sure?"]
    wrapped([{"interruptResponse": {"interruptId": stopped.interrupts[0].id, "response": "yes"}}])
    assert done == ["greeted 3 yes"]
    assert wrapped.lookahead.in_doubt == []


def test_a_tool_that_fails_is_told_to_the_agent_and_on_record() -> None:
    @tool
    def broken(path: str) -> str:
        """Breaks."""
        raise RuntimeError("no disk")

    agent = Agent(model=ScriptedModel([use("broken", path="a")], "done"), tools=[broken], callback_handler=None)
    wrapped = with_lookahead(agent, **quiet())
    wrapped("go")
    assert statuses(wrapped) == ["error"]
    assert "no disk" in wrapped.lookahead.state.steps[0].observation.content
    assert wrapped.lookahead.state.steps[0].observation.failed


def test_a_hook_that_asks_for_one_more_try_gets_one_that_is_judged_anew() -> None:
    office = Office()
    tries: list[str] = []

    def again(event: AfterToolCallEvent) -> None:
        tries.append("try")
        event.retry = len(tries) < 2

    agent = office.agent([use("write", path="a")], "done", hooks=[again])
    with_lookahead(agent, **quiet())("go")
    assert office.done == ["write a", "write a"]


def test_a_provider_whose_ids_are_only_names_gets_no_old_answers() -> None:
    office = Office()
    twice = [use("write", "write", path="a")]
    with_lookahead(office.agent(twice, twice, "done"), **quiet())("go")
    assert office.done == ["write a", "write a"]


def test_a_world_or_a_critic_that_breaks_lets_nothing_destructive_run() -> None:
    office = Office()
    world = ScriptedWorld(script={"*": RuntimeError("world is broken")})
    wrapped = with_lookahead(office.agent([use("delete", path="a")], "done"), **quiet(world=world))
    assert wrapped("go").stop_reason == "interrupt"
    critic = ScriptedCritic(script=lambda state, rollout: RuntimeError("critic is broken"))
    wrapped = with_lookahead(office.agent([use("delete", path="a")], "done"), **quiet(critic=critic))
    assert wrapped("go").stop_reason == "interrupt"
    assert office.done == []


def test_background_tasks_are_refused_when_it_is_wrapped() -> None:
    agent = Agent(model=ScriptedModel("done"), tools=[], callback_handler=None, background_tasks=True)
    with pytest.raises(ConfigError, match="make the agent without background_tasks"):
        with_lookahead(agent, **quiet())


def test_what_is_guarded_already_is_not_guarded_twice() -> None:
    with pytest.raises(ConfigError, match="guarded already"):
        with_lookahead(with_lookahead(Office().agent("done"), **quiet()), **quiet())


def test_two_tools_of_one_name_that_differ_are_an_error() -> None:
    office = Office()

    @tool(name="delete")
    def other(table: str) -> str:
        """Drops a table."""
        return table

    inner = Agent(model=ScriptedModel("done"), tools=[other], name="inner", callback_handler=None)
    with pytest.raises(ConfigError, match="two tools are called 'delete'"):
        with_lookahead(office.agent("done", tools=[inner]), **quiet())


def test_a_question_outlives_the_process_and_is_not_imagined_again(tmp_path: Path) -> None:
    office = Office()

    def agent(*turns: Any) -> tuple[Any, ScriptedWorld]:
        world = ScriptedWorld(script={"*": "as imagined"})
        kept = FileSessionManager(session_id="s1", storage_dir=str(tmp_path / "sessions"))
        bare = office.agent(*turns, session_manager=kept, agent_id="ops")
        journal = Journal(tmp_path / "journal.db")
        return with_lookahead(bare, world=world, journal=journal, policy={"delete": "ask"}), world

    first, world = agent([use("write", path="x")], [use("delete", "t1", path="a")], "done")
    stopped = first("go")
    assert (stopped.stop_reason, len(world.asked)) == ("interrupt", 2)
    first.lookahead.journal.close()
    second, world = agent("done")
    second([{"interruptResponse": {"interruptId": stopped.interrupts[0].id, "response": "yes"}}])
    assert office.done == ["write x", "delete a"]
    assert world.asked == []
    second.lookahead.journal.close()
