"""CrewAI: one cell for each ability, with the framework itself and a model that says what its script says."""

from typing import Any

import pytest

pytest.importorskip("crewai")

from crewai import Agent, Crew, Task
from crewai.tools import BaseTool, tool

from lookahead import BestOf, Journal, with_lookahead
from lookahead.errors import ConfigError
from lookahead.host import ABILITIES
from lookahead.testing import No, ScriptedCritic, ScriptedWorld, Yes, call
from lookahead_integrations.crewai.host import HOST
from lookahead_integrations.nested import hidden

from .fakes import Office, results, use

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("default")]


def quiet(**more: Any) -> dict[str, Any]:
    return {"world": ScriptedWorld(script={"*": "as imagined"}), "journal": Journal(":memory:"), **more}


def crew_of(*agents: Any, **more: Any) -> Crew:
    tasks = [Task(description=f"go {one.role}", expected_output="x", agent=one) for one in agents]
    return Crew(agents=list(agents), tasks=tasks, **more)


def test_every_ability_has_a_cell_or_a_reason() -> None:
    cells = {name.removeprefix("test_cell_").replace("_", "-") for name in globals() if name.startswith("test_cell_")}
    assert cells == set(ABILITIES) - HOST.cannot.keys()
    assert set(HOST.cannot) == {"rivals", "resume"}


def test_rivals_of_its_own_are_refused_when_it_is_wrapped() -> None:
    with pytest.raises(ConfigError, match="CrewAI cannot think of alternatives itself"):
        with_lookahead(Office().agent("done"), **quiet(search=BestOf(k=3)))


def test_cell_run() -> None:
    office = Office()
    agent = office.agent([use("write", path="a")], "done")
    wrapped = with_lookahead(agent, **quiet())
    assert type(wrapped) is Agent
    assert wrapped.kickoff("go").raw == "done"
    assert office.done == ["write a"]
    assert results(wrapped) == ["wrote a"]
    assert agent.tools == office.tools
    assert [(path.where, path.tool) for path in wrapped.lookahead.coverage][:2] == [
        ("clerk", "read"),
        ("clerk", "write"),
    ]


def test_cell_veto() -> None:
    office = Office()
    agent = office.agent([use("delete", path="a")], [use("write", path="b")], "done")
    wrapped = with_lookahead(agent, **quiet(policy={"delete": "deny"}))
    wrapped.kickoff("go")
    assert office.done == ["write b"]
    assert results(wrapped)[0].startswith("Not done: delete")


async def _other(state: Any, n: int) -> list[Any]:
    return [call("write", path="b")]


def test_cell_swap() -> None:
    office = Office()
    wrapped = with_lookahead(
        office.agent([use("delete", path="a")], "done"),
        **quiet(
            world=ScriptedWorld(script={"*": "ok"}, kind="exact"),
            policy={"swap": True},
            critic=ScriptedCritic(script={"delete": 0.1, "write": 0.9}),
            search=BestOf(k=2, propose=_other),
        ),
    )
    wrapped.kickoff("go")
    assert office.done == ["write b"]
    (said,) = results(wrapped)
    assert said.startswith("[lookahead] did write")
    assert said.endswith("wrote b")


@pytest.mark.parametrize(("approve", "done"), [(Yes(), ["delete a"]), (No(), [])])
def test_cell_ask(approve: Any, done: list[str]) -> None:
    office = Office()
    agent = office.agent([use("delete", path="a")], "done")
    with_lookahead(agent, **quiet(policy={"delete": "ask"}, approve=approve)).kickoff("go")
    assert office.done == done
    assert len(approve.asked) == 1


def test_cell_dry_run() -> None:
    office = Office()
    agent = office.agent([use("delete", path="a"), use("read", path="b")], "done")
    wrapped = with_lookahead(agent, **quiet(mode="dry-run"))
    wrapped.kickoff("go")
    assert results(wrapped) == ["as imagined", "as imagined"]
    assert wrapped.tools[1].run(path="c") == "as imagined"
    assert wrapped.tools[1].to_structured_tool().invoke({"path": "c"}) == "as imagined"
    for real, stub in zip(office.tools, wrapped.tools, strict=True):
        assert not hidden(stub, lambda one, real=real: one is real or one is real.func, framework="-")
    assert office.done == []


def test_cell_shadow() -> None:
    office = Office()
    wrapped = with_lookahead(office.agent([use("delete", path="a")], "done"), **quiet(mode="shadow"))
    wrapped.kickoff("go")
    assert office.done == ["delete a"]
    assert wrapped.lookahead.settle(10)


def test_cell_parallel() -> None:
    office = Office()
    turn = [use("write", path="a"), use("delete", path="b"), use("read", path="c")]
    wrapped = with_lookahead(office.agent(turn, "done"), **quiet(policy={"delete": "deny"}))
    wrapped.kickoff("go")
    assert sorted(office.done) == ["read c", "write a"]
    assert [one.startswith("Not done") for one in results(wrapped)] == [False, True, False]


def test_cell_streaming() -> None:
    office = Office()
    wrapped = with_lookahead(crew_of(office.agent([use("write", path="a")], "done"), stream=True), **quiet())
    streaming = wrapped.kickoff()
    list(streaming)
    assert streaming.result.raw == "done"
    assert office.done == ["write a"]


def test_cell_sync() -> None:
    office = Office()
    crew = crew_of(office.agent([use("delete", path="a")], [use("write", path="b")], "done"))
    wrapped = with_lookahead(crew, **quiet(policy={"delete": "deny"}))
    assert type(wrapped) is Crew
    assert wrapped.kickoff().raw == "done"
    assert office.done == ["write b"]
    assert crew.agents[0].tools == office.tools
    assert crew.tasks[0].output is None


def sender(done: list[str]) -> Any:
    @tool("send")
    async def send(path: str) -> str:
        """Send a file."""
        done.append(path)
        return f"sent {path}"

    return send


async def test_cell_async() -> None:
    done: list[str] = []
    office = Office()
    wrapped = with_lookahead(crew_of(office.agent([use("write", path="a")], "done")), **quiet())
    assert (await wrapped.akickoff()).raw == "done"
    assert office.done == ["write a"]
    (guarded,) = with_lookahead(office.agent("done", tools=[sender(done)]), **quiet(policy={"send": "allow"})).tools
    assert await guarded.arun(path="b") == "sent b"
    assert done == ["b"]


def test_an_async_tool_runs_where_its_caller_is_not() -> None:
    done: list[str] = []
    agent = Office().agent("done", tools=[sender(done)])
    (guarded,) = with_lookahead(agent, **quiet(policy={"send": "allow"})).tools
    assert guarded.run(path="c") == "sent c"
    assert done == ["c"]


def test_delegation_goes_to_guarded_coworkers() -> None:
    office = Office()
    hand = use("delegate_work_to_coworker", task="clean", context="all", coworker="cleaner")
    boss = office.agent([hand], "done", role="boss", tools=[], allow_delegation=True)
    cleaner = office.agent([use("delete", path="a")], [use("write", path="b")], "cleaned", role="cleaner")
    task = Task(description="lead", expected_output="x", agent=boss)
    wrapped = with_lookahead(Crew(agents=[boss, cleaner], tasks=[task]), **quiet(policy={"delete": "deny"}))
    assert wrapped.kickoff().raw == "done"
    assert office.done == ["write b"]


def test_the_tools_of_a_task_are_guarded_too() -> None:
    office = Office()
    agent = office.agent([use("delete", path="a")], "done", tools=[])
    task = Task(description="go", expected_output="x", agent=agent, tools=office.tools)
    with_lookahead(Crew(agents=[agent], tasks=[task]), **quiet(policy={"delete": "deny"})).kickoff()
    assert office.done == []


def test_kickoff_for_each_copies_the_guards_along() -> None:
    office = Office()
    wrapped = with_lookahead(
        crew_of(office.agent([use("delete", path="a")], "done")), **quiet(policy={"delete": "deny"})
    )
    wrapped.kickoff_for_each([{"name": "a"}, {"name": "b"}])
    assert office.done == []


def test_a_tool_that_is_added_when_it_runs_is_blocked() -> None:
    office = Office()
    wrapped = with_lookahead(office.agent([use("delete", path="a")], "done", tools=[]), **quiet())
    wrapped.tools.append(office.tools[2])
    wrapped.kickoff("go")
    assert office.done == []
    assert "blocked by hook" in results(wrapped)[0]


def test_an_agent_of_somebody_else_is_not_touched_by_the_hook() -> None:
    office = Office()
    with_lookahead(office.agent("done"), **quiet())
    office.agent([use("delete", path="a")], "done").kickoff("go")
    assert office.done == ["delete a"]


def test_a_guard_that_breaks_does_not_let_the_tool_run() -> None:
    office = Office()
    wrapped = with_lookahead(office.agent([use("write", path="a")], "done"), **quiet())
    wrapped.lookahead.journal.close()
    wrapped.kickoff("go")
    assert office.done == []
    assert "Error executing tool" in results(wrapped)[0]


def test_a_refusal_is_not_kept_as_the_answer_to_the_same_call() -> None:
    office = Office()
    asked = Answers(False, True)
    agent = office.agent([use("delete", path="a")], [use("delete", path="a")], "done", cache=True)
    with_lookahead(crew_of(agent, cache=True), **quiet(policy={"delete": "ask"}, approve=asked)).kickoff()
    assert office.done == ["delete a"]


class Answers:
    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)

    def __call__(self, request: Any) -> bool:
        return self.answers.pop(0)


def test_an_agent_that_hides_in_a_tool_is_an_error() -> None:
    office = Office()
    helper = office.agent("done", role="helper")

    @tool("ask_helper")
    def ask_helper(question: str) -> str:
        """Ask."""
        return helper.kickoff(question).raw

    with pytest.raises(ConfigError, match="ask_helper at clerk: opaque"):
        with_lookahead(office.agent("done", tools=[ask_helper]), **quiet())


def test_servers_and_apps_are_blocked_and_said_to_be() -> None:
    wrapped = with_lookahead(Office().agent("done", mcps=["https://example.invalid/mcp"]), **quiet())
    assert [path.how for path in wrapped.lookahead.coverage if path.tool == "mcps"] == ["blocked"]
    assert not wrapped.mcps


def test_what_is_guarded_already_is_not_guarded_twice() -> None:
    with pytest.raises(ConfigError, match="guarded already"):
        with_lookahead(with_lookahead(Office().agent("done"), **quiet()), **quiet())


def test_a_tool_of_a_class_keeps_its_schema_and_its_limits() -> None:
    class Note(BaseTool):
        name: str = "Take a note"
        description: str = "Writes it down."
        max_usage_count: int | None = 1

        def _run(self, text: str) -> str:
            return f"noted {text}"

    (guarded,) = with_lookahead(Office().agent("done", tools=[Note()]), **quiet(policy={"*": "allow"})).tools
    assert guarded.args_schema.model_json_schema()["properties"].keys() == {"text"}
    assert guarded.run(text="x") == "noted x"
    assert "usage limit" in str(guarded.run(text="x"))
