"""What a guarded agent of the OpenAI Agents SDK keeps of its own: errors, limits, guardrails, hooks, types, asking."""

import asyncio
import gc
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("agents")

from agents import (
    Agent,
    AgentHooks,
    RunConfig,
    RunContextWrapper,
    Runner,
    RunState,
    SQLiteSession,
    ToolGuardrailFunctionOutput,
    ToolInputGuardrail,
    UserError,
    function_tool,
    set_trace_processors,
    set_tracing_disabled,
)
from agents.testing import ScriptedModel, assistant_message, function_call
from openai.types.responses import ResponseFunctionToolCall
from pydantic import BaseModel

from lookahead import BestOf, Journal, with_lookahead
from lookahead.errors import ConfigError
from lookahead.testing import ScriptedCritic, ScriptedWorld, Yes

from .kit import Office, model, quiet, results, use

pytestmark = pytest.mark.anyio


def recorded(agent: Any) -> list[tuple[str, bool]]:
    """What is on record as done, and whether it failed."""
    return [(one.action.tool, one.observation.failed) for one in agent.lookahead.journal.transitions()]


async def test_an_error_in_a_tool_is_told_as_before_and_is_on_record_as_a_failure():
    @function_tool
    def breaks(x: int) -> str:
        """Breaks."""
        raise ValueError("no such file")

    @function_tool(failure_error_function=lambda context, error: f"sorry: {error}")
    def words(x: int) -> str:
        """Breaks, and says so itself."""
        raise ValueError("no such row")

    turns = [use("breaks", x=1), use("words", x=2)], "done"
    bare = await Runner.run(Agent("a", tools=[breaks, words], model=model(*turns)), "go")
    wrapped = with_lookahead(Agent("a", tools=[breaks, words], model=model(*turns)), **quiet())
    run = await Runner.run(wrapped, "go")
    assert results(run) == results(bare)
    assert sorted(recorded(wrapped)) == [("breaks", True), ("words", True)]


async def test_an_error_that_is_not_told_ends_the_run_as_before():
    @function_tool(failure_error_function=None)
    def breaks(x: int) -> str:
        """Breaks."""
        raise ValueError("no such file")

    wrapped = with_lookahead(Agent("a", tools=[breaks], model=model([use("breaks", x=1)])), **quiet())
    with pytest.raises(UserError, match="no such file"):
        await Runner.run(wrapped, "go")
    assert recorded(wrapped) == [("breaks", True)]


async def test_the_limit_of_time_is_the_tool_s_and_not_that_of_thinking():
    @function_tool(timeout=0.2)
    async def slow(x: float) -> str:
        """Waits."""
        await asyncio.sleep(x)
        return "awake"

    async def thinks(state: Any, action: Any) -> str:
        await asyncio.sleep(0.3)
        return "imagined"

    turns = [[use("slow", x=0)], [use("slow", x=5)], "done"]
    wrapped = with_lookahead(Agent("a", tools=[slow], model=model(*turns)), **quiet(world=ScriptedWorld(script=thinks)))
    run = await Runner.run(wrapped, "go")
    assert results(run)[0] == "awake"
    assert "timed out" in results(run)[1]


async def test_arguments_that_cannot_be_read_are_told_to_the_agent_and_nothing_runs():
    office = Office()
    odd = ResponseFunctionToolCall(
        type="function_call", name="write", call_id="c1", arguments='{"path": "a", "path": "b"}'
    )
    agent = office.agent(tools=office.tools)
    agent.model = ScriptedModel([[odd], [assistant_message("done")]])
    run = await Runner.run(with_lookahead(agent, **quiet()), "go")
    assert office.done == []
    assert results(run)[0].startswith("Not done: the arguments of write cannot be read")
    assert run.final_output == "done"


async def test_a_tool_s_own_checks_are_kept():
    office = Office()
    refused = ToolInputGuardrail(
        guardrail_function=lambda data: ToolGuardrailFunctionOutput.reject_content("not on Fridays")
    )
    write, delete, _ = office.tools
    write.tool_input_guardrails = [refused]
    delete.needs_approval = True
    agent = office.agent([use("write", path="a")], [use("delete", path="b")], "done", tools=[write, delete])
    wrapped = with_lookahead(agent, **quiet(policy={"*": "allow"}))
    run = await Runner.run(wrapped, "go")
    assert results(run) == ["not on Fridays"]
    assert [one.name for one in run.interruptions] == ["delete"]
    state = run.to_state()
    state.approve(run.interruptions[0])
    assert (await Runner.run(wrapped, state)).final_output == "done"
    assert office.done == ["delete b"]


async def test_what_is_forbidden_is_not_put_to_a_person_first():
    office = Office()
    _, delete, _ = office.tools
    delete.needs_approval = True
    agent = office.agent([use("delete", path="b")], "done", tools=[delete])
    run = await Runner.run(with_lookahead(agent, **quiet(policy={"delete": "deny"})), "go")
    assert run.interruptions == []
    assert results(run)[0].startswith("Not done")


async def test_a_yes_for_always_is_no_answer_to_a_question_that_was_not_put():
    office = Office()
    agent = office.agent([use("delete", path="a")], [use("delete", path="b")], "done")
    wrapped = with_lookahead(agent, **quiet(policy={"delete": "ask"}))
    state = (await Runner.run(wrapped, "go")).to_state()
    state.approve(state.get_interruptions()[0], always_approve=True)
    run = await Runner.run(wrapped, state)
    assert office.done == ["delete a"]
    assert results(run)[1].startswith("Not done: delete")


async def test_a_swapped_call_does_not_go_round_the_checks_of_the_other_tool():
    from lookahead.testing import call

    async def other(state: Any, n: int) -> list[Any]:
        return [call("write", path="b")]

    office = Office()
    write, delete, _ = office.tools
    write.needs_approval = True
    agent = office.agent([use("delete", path="a")], "done", tools=[write, delete])
    wrapped = with_lookahead(
        agent,
        **quiet(
            world=ScriptedWorld(script={"*": "ok"}, kind="exact"),
            policy={"swap": True},
            critic=ScriptedCritic(script={"delete": 0.1, "write": 0.9}),
            search=BestOf(k=2, propose=other),
        ),
    )
    run = await Runner.run(wrapped, "go")
    assert office.done == []
    assert "propose it itself" in results(run)[0]


async def test_a_user_who_is_asked_in_code_answers_before_anything_begins():
    office, yes = Office(), Yes()
    agent = office.agent([use("delete", path="a")], "done")
    run = await Runner.run(with_lookahead(agent, **quiet(policy={"delete": "ask"}, approve=yes)), "go")
    assert (run.interruptions, office.done, len(yes.asked)) == ([], ["delete a"], 1)


@dataclass
class Desk:
    owner: str


class Report(BaseModel):
    title: str
    pages: int


async def test_context_structured_output_and_hooks_are_as_before():
    told: list[str] = []

    class Hooks(AgentHooks[Any]):
        async def on_tool_start(self, context: Any, agent: Any, tool: Any) -> None:
            told.append(f"start {tool.name}")

        async def on_llm_end(self, context: Any, agent: Any, response: Any) -> None:
            told.append("llm")

    @function_tool
    def whose(context: RunContextWrapper[Desk], x: int) -> Report:
        """Says whose desk it is."""
        return Report(title=context.context.owner, pages=x)

    agent = Agent[Desk](
        "a",
        tools=[whose],
        hooks=Hooks(),
        output_type=Report,
        model=model([use("whose", x=1)], '{"title": "t", "pages": 2}'),
    )
    run = await Runner.run(with_lookahead(agent, **quiet()), "go", context=Desk(owner="Ann"))
    assert run.final_output == Report(title="t", pages=2)
    assert results(run) == [Report(title="Ann", pages=1)]
    assert told == ["llm", "start whose", "llm"]


async def test_an_agent_that_ends_with_a_tool_s_answer_does_not_end_with_a_refusal():
    office = Office()
    agent = office.agent([use("delete", path="a")], [use("write", path="b")], tool_use_behavior="stop_on_first_tool")
    run = await Runner.run(with_lookahead(agent, **quiet(policy={"delete": "deny"})), "go")
    assert run.final_output == "wrote b"


async def test_two_runs_of_one_agent_at_once_keep_apart_though_their_calls_have_the_same_names():
    office = Office()

    def said(call: Any) -> Any:
        text = str(call.input)
        if "function_call_output" in text:
            return [assistant_message("done")]
        who = "a" if "for a" in text else "b"
        return [function_call("write", {"path": who}, call_id="same")]

    agent = office.agent()
    agent.model = Answering(said)
    wrapped = with_lookahead(agent, **quiet())
    await asyncio.gather(*(Runner.run(wrapped, f"for {who}") for who in "abab"))
    assert sorted(office.done) == ["write a", "write a", "write b", "write b"]
    assert len(wrapped.lookahead._conversations) == 4


async def test_two_runs_that_ask_at_once_are_answered_each_for_itself():
    def said(call: Any) -> Any:
        text = str(call.input)
        if "function_call_output" in text:
            return [assistant_message("done")]
        return [function_call("delete", {"path": "a" if "for a" in text else "b"}, call_id="same")]

    office = Office()
    agent = office.agent()
    agent.model = Answering(said)
    wrapped = with_lookahead(agent, **quiet(policy={"delete": "ask"}))
    for run in await asyncio.gather(*(Runner.run(wrapped, f"for {who}") for who in "ab")):
        state = run.to_state()
        state.approve(run.interruptions[0])
        assert (await Runner.run(wrapped, state)).final_output == "done"
    assert office.done == ["delete a", "delete b"]


async def test_a_question_of_an_agent_behind_another_is_answered_in_another_process(tmp_path: Path):
    office = Office()

    def agent(sub: list[Any], main: list[Any]) -> Any:
        helper = office.agent(*sub, name="sub").as_tool("helper", "helps")
        kept = quiet(policy={"delete": "ask"}, journal=Journal(tmp_path / "journal.db"))
        return with_lookahead(Agent("main", tools=[helper], model=model(*main)), **kept)

    first = agent([[use("delete", path="b")]], [[use("helper", input="x")]])
    kept = (await Runner.run(first, "go")).to_state().to_string()
    first.lookahead.journal.close()
    second = agent(["helped"], ["done"])
    state = await RunState.from_string(second, kept)
    state.approve(state.get_interruptions()[0])
    run = await Runner.run(second, state)
    second.lookahead.journal.close()
    assert (run.final_output, results(run), office.done) == ("done", ["helped"], ["delete b"])


async def test_a_conversation_of_several_runs_is_named_after_its_group_and_kept_by_its_session():
    office = Office()
    wrapped = with_lookahead(office.agent([use("write", path="a")], "one", [use("write", path="b")], "two"), **quiet())
    session = SQLiteSession("desk")
    set_tracing_disabled(False)
    set_trace_processors([])
    try:
        for goal in ("go", "go on"):
            await Runner.run(wrapped, goal, session=session, run_config=RunConfig(group_id="tuesday"))
    finally:
        set_tracing_disabled(True)
        session.close()
    assert office.done == ["write a", "write b"]
    assert [run.run.startswith("tuesday/") for run in wrapped.lookahead.journal.runs()].count(True) == 2


class Answering(ScriptedModel):
    """Answers by what it is asked."""

    def __init__(self, said: Any) -> None:
        super().__init__([])
        self.said = said
        self.asked = 0

    async def get_response(self, *args: Any, **kwargs: Any) -> Any:
        self.asked += 1
        asked = kwargs["input"] if "input" in kwargs else args[1]
        return await ScriptedModel([self.said(SimpleNamespace(input=asked))]).get_response(*args, **kwargs)


async def test_a_cancelled_run_leaves_its_call_in_doubt():
    begun = asyncio.Event()

    @function_tool
    async def endless(x: int) -> str:
        """Never ends."""
        begun.set()
        await asyncio.Event().wait()
        return ""

    wrapped = with_lookahead(Agent("a", tools=[endless], model=model([use("endless", x=1)])), **quiet())
    task = asyncio.create_task(Runner.run(wrapped, "go"))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    while not wrapped.lookahead.in_doubt:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert [one.action.tool for one in wrapped.lookahead.in_doubt] == ["endless"]


async def test_a_question_is_answered_in_another_process(tmp_path: Path):
    """Nothing is left of the first but what is on disk."""
    office, worlds = Office(), [ScriptedWorld(script={"*": "as imagined"}) for _ in range(2)]

    def agent(world: ScriptedWorld, *turns: Any) -> Any:
        kept = quiet(policy={"delete": "ask"}, world=world, journal=Journal(tmp_path / "journal.db"))
        return with_lookahead(office.agent(*turns), **kept)

    first = agent(worlds[0], [use("write", path="a")], [use("delete", path="b")])
    kept = (await Runner.run(first, "go")).to_state().to_string()
    first.lookahead.journal.close()
    assert office.done == ["write a"]

    second = agent(worlds[1], "done")
    state = await RunState.from_string(second, kept)
    state.approve(state.get_interruptions()[0])
    run = await Runner.run(second, state)
    second.lookahead.journal.close()
    assert (run.final_output, office.done) == ("done", ["write a", "delete b"])
    assert worlds[1].asked == [], "what was judged is not imagined again"


async def test_alternatives_cost_nothing_where_a_tool_only_reads_and_the_world_nothing_where_all_agree():
    office, world = Office(), ScriptedWorld(script={"*": "ok"})

    def said(call: Any) -> Any:
        text = str(call.input)
        if "wrote" in text:
            return [assistant_message("done")]
        if "text of" in text:
            return [function_call("write", {"path": "b"}, call_id="w")]
        return [function_call("read", {"path": "a"}, call_id="r")]

    agent = office.agent()
    agent.model = Answering(said)
    wrapped = with_lookahead(agent, **quiet(world=world, search=BestOf(k=3)))
    run = await Runner.run(wrapped, "go")
    assert run.final_output == "done"
    assert agent.model.asked == 3 + 2
    assert world.asked == []


async def test_alternatives_need_a_model_that_can_be_asked_and_say_so():
    office = Office()
    agent = office.agent()
    agent.model = "gpt-5"
    with pytest.raises(ConfigError, match="has its model only by name"):
        with_lookahead(agent, **quiet(search=BestOf(k=2)))
    agent.model = model()
    wrapped = with_lookahead(agent, **quiet(search=BestOf(k=2)))
    other = RunConfig(model=model([use("write", path="a")], "done"))
    await Runner.run(wrapped, "go", run_config=other)
    assert office.done == ["write a"]
    (call,) = wrapped.lookahead.journal.calls()
    assert any("not the agent's own" in note for note in call.decided.decision.notes)


async def test_wrapping_twice_is_an_error_and_a_repr_is_short():
    wrapped = with_lookahead(Office().agent(), **quiet())
    with pytest.raises(ConfigError, match="guarded already"):
        with_lookahead(wrapped, **quiet())
    assert len(repr(wrapped)) < 5000


async def test_streamed_runs_ask_go_on_and_think_of_alternatives():
    async def through(run: Any) -> Any:
        async for _ in run.stream_events():
            pass
        return run

    office = Office()
    wrapped = with_lookahead(office.agent([use("delete", path="a")], "done"), **quiet(policy={"delete": "ask"}))
    run = await through(Runner.run_streamed(wrapped, "go"))
    state = run.to_state()
    state.approve(run.interruptions[0])
    assert (await through(Runner.run_streamed(wrapped, state))).final_output == "done"
    assert office.done == ["delete a"]

    office = Office()
    agent = office.agent([use("delete", path="a")], [use("write", path="b")], "done")
    wrapped = with_lookahead(
        agent,
        **quiet(
            world=ScriptedWorld(script={"*": "ok"}, kind="exact"),
            policy={"swap": True},
            critic=ScriptedCritic(script={"delete": 0.1, "write": 0.9}),
            search=BestOf(k=2),
        ),
    )
    await through(Runner.run_streamed(wrapped, "go"))
    assert office.done == ["write b"]


async def test_what_cannot_be_recorded_is_not_done():
    office = Office()
    wrapped = with_lookahead(office.agent([use("delete", path="a")], "done"), **quiet(policy={"delete": "allow"}))
    wrapped.lookahead.journal.close()
    with pytest.raises(Exception, match="journal"):
        await Runner.run(wrapped, "go")
    assert office.done == []


def test_in_a_dry_run_there_is_no_way_from_the_agent_to_what_its_tools_do():
    office = Office()
    sub = office.agent(name="sub")
    sub.handoffs.append(office.agent(name="third"))
    agent = office.agent(handoffs=[sub], tools=[*office.tools, sub.as_tool("helper", "helps")])
    assert reaches(agent, office)
    assert not reaches(with_lookahead(agent, **quiet(mode="dry-run")), office)


def reaches(start: Any, wanted: Any) -> bool:
    """Whether an object holds another, whatever lies between; what is in a module belongs to nobody."""
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        one = waiting.pop()
        if one is wanted.done:
            return True
        module = isinstance(one, ModuleType) or (isinstance(one, dict) and "__builtins__" in one)
        if id(one) in seen or module or isinstance(one, type):
            continue
        seen.add(id(one))
        waiting += gc.get_referents(one)
    return False
