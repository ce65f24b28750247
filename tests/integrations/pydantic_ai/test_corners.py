"""What a guarded agent of Pydantic AI keeps of its own: errors, retries, output, dependencies, histories, questions."""

import asyncio
import gc
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("pydantic_ai")

from pydantic import BaseModel
from pydantic_ai import Agent, ModelRetry, RunContext
from pydantic_ai.capabilities import HandleDeferredToolCalls
from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelResponse, TextPart, ToolReturn
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.tools import DeferredToolRequests, DeferredToolResults, ToolApproved
from pydantic_ai.toolsets import FunctionToolset

from lookahead import BestOf, Journal, with_lookahead
from lookahead.testing import ScriptedCritic, ScriptedWorld, Yes, call

from .office import Office, outcomes, quiet, results, use

pytestmark = pytest.mark.anyio
ASKS: Any = [str, DeferredToolRequests]


def recorded(agent: Any) -> list[tuple[str, bool]]:
    """What is on record as done, and whether it failed."""
    return [(one.action.tool, one.observation.failed) for one in agent.lookahead.journal.transitions()]


async def test_an_error_in_a_tool_ends_the_run_as_before_and_is_on_record_as_a_failure():
    def breaks(x: int) -> str:
        """Breaks."""
        raise ValueError("no such file")

    wrapped = with_lookahead(Office().agent([use("breaks", x=1)], tools=[breaks]), **quiet())
    with pytest.raises(ValueError, match="no such file"):
        await wrapped.run("go")
    assert recorded(wrapped) == [("breaks", True)]


async def test_a_tool_that_wants_to_be_tried_again_is():
    tried: list[int] = []

    def picky(x: int) -> str:
        """Wants a two."""
        tried.append(x)
        if x != 2:
            raise ModelRetry("a two, please")
        return "fine"

    office = Office()
    wrapped = with_lookahead(office.agent([use("picky", x=1)], [use("picky", x=2)], "done", tools=[picky]), **quiet())
    assert (await wrapped.run("go")).output == "done"
    assert tried == [1, 2]
    assert recorded(wrapped) == [("picky", True), ("picky", False)]


async def test_arguments_that_do_not_fit_are_told_to_the_agent_and_not_imagined():
    office, world = Office(), ScriptedWorld(script={"*": "ok"})
    agent = office.agent([use("write", "c1", way=1)], [use("write", path="a")], "done")
    await with_lookahead(agent, **quiet(world=world)).run("go")
    assert office.done == ["write a"]
    assert len(world.asked) == 1


@dataclass
class Desk:
    owner: str


class Report(BaseModel):
    title: str
    pages: int = 3


async def test_dependencies_structured_output_and_rich_answers_are_as_before():
    def whose(ctx: RunContext[Desk], report: Report) -> ToolReturn:
        """Says whose desk it is."""
        return ToolReturn(return_value=f"{ctx.deps.owner}: {report.pages}", metadata={"kept": True})

    office, world = Office(), ScriptedWorld(script={"*": "ok"})
    turns = [use("whose", "c1", report={"title": "t"})], [use("final_result", title="u", pages=2)]
    agent = office.agent(*turns, tools=[whose], output_type=Report, deps_type=Desk)
    wrapped = with_lookahead(agent, **quiet(world=world))
    run = await wrapped.run("go", deps=Desk(owner="Ann"))
    assert run.output == Report(title="u", pages=2)
    assert results(run)[0] == "Ann: 3"
    assert [one.tool for _, one in world.asked] == ["whose"], "what the run ends with is not an action"
    (done,) = wrapped.lookahead.journal.transitions()
    assert done.observation.content == "Ann: 3"


async def test_where_a_run_cannot_end_with_a_question_the_agent_is_told_no():
    office = Office()
    agent = office.agent([use("delete", path="a"), use("write", path="b")], "done")
    run = await with_lookahead(agent, **quiet(policy={"delete": "ask"})).run("go")
    assert office.done == ["write b"]
    assert outcomes(run) == ["denied", "success"]


@pytest.mark.parametrize("how", ["code", "capability"])
async def test_a_question_that_is_answered_within_the_run_holds_it_up_and_no_more(how: str):
    office, yes = Office(), Yes()

    def all_of_them(ctx: Any, requests: DeferredToolRequests) -> DeferredToolResults:
        yes.asked.extend(requests.approvals)  # type: ignore[arg-type]
        return DeferredToolResults(approvals={one.tool_call_id: True for one in requests.approvals})

    more: Any = {"capabilities": [HandleDeferredToolCalls(all_of_them)]} if how == "capability" else {}
    agent = office.agent([use("delete", path="a")], "done", **more)
    approve = {"approve": yes} if how == "code" else {}
    run = await with_lookahead(agent, **quiet(policy={"delete": "ask"}, **approve)).run("go")
    assert (run.output, office.done, len(yes.asked)) == ("done", ["delete a"], 1)


async def test_a_question_is_answered_in_another_process(tmp_path: Path):
    """Nothing is left of the first but what is on disk."""
    office, other = Office(), Office()
    other.done = office.done
    worlds = [ScriptedWorld(script={"*": "as imagined"}) for _ in range(2)]

    def agent(office: Office, world: ScriptedWorld, *turns: Any) -> Any:
        kept = quiet(policy={"delete": "ask"}, world=world, journal=Journal(tmp_path / "journal.db"))
        return with_lookahead(office.agent(*turns, output_type=ASKS), **kept)

    first = agent(office, worlds[0], [use("write", path="a")], [use("delete", path="b")])
    kept = (await first.run("go")).all_messages_json()
    first.lookahead.journal.close()
    assert office.done == ["write a"]

    second = agent(other, worlds[1], "done")
    answers = DeferredToolResults(approvals={"delete-b": True})
    run = await second.run(message_history=ModelMessagesTypeAdapter.validate_json(kept), deferred_tool_results=answers)
    second.lookahead.journal.close()
    assert (run.output, office.done) == ("done", ["write a", "delete b"])
    assert worlds[1].asked == [], "what was judged is not imagined again"


async def test_a_call_that_a_person_wrote_anew_is_judged_anew_and_what_is_forbidden_stays_so():
    rule = {"rule": "ask", "when": [{"argument": "path", "equals": "z", "rule": "deny"}]}
    for path, done in (("b", ["delete b"]), ("z", [])):
        office = Office()
        wrapped = with_lookahead(
            office.agent([use("delete", path="a")], "done", output_type=ASKS), **quiet(policy={"delete": rule})
        )
        asked = await wrapped.run("go")
        answers = DeferredToolResults(approvals={"delete-a": ToolApproved(override_args={"path": path})})
        await wrapped.run(message_history=asked.all_messages(), deferred_tool_results=answers)
        assert office.done == done


async def test_a_yes_to_what_was_never_asked_is_none():
    office = Office()
    agent = office.agent([use("delete", path="a")], "done", output_type=ASKS)
    bare = office.agent([use("delete", path="a")], output_type=ASKS)
    bare.toolsets[0].tools["delete"].requires_approval = True
    asked = await bare.run("go")
    wrapped = with_lookahead(agent, **quiet(policy={"delete": "ask"}))
    office.asked = [[]]
    answers = DeferredToolResults(approvals={"delete-a": True})
    run = await wrapped.run(message_history=asked.all_messages(), deferred_tool_results=answers)
    assert (office.done, outcomes(run)) == ([], ["denied"])


async def test_two_runs_of_one_agent_at_once_keep_apart_though_their_calls_have_the_same_names():
    office = Office()

    def said(messages: Any, info: Any) -> ModelResponse:
        if len(messages) > 1:
            return ModelResponse(parts=[TextPart("done")])
        return ModelResponse(parts=[use("write", "same", path=messages[0].parts[-1].content)])

    wrapped = with_lookahead(Agent(FunctionModel(said), tools=office.tools), **quiet())
    await asyncio.gather(*(wrapped.run(who) for who in "abab"))
    assert sorted(office.done) == ["write a", "write a", "write b", "write b"]
    assert len(wrapped.lookahead._conversations) == 4


async def test_a_conversation_is_named_as_the_framework_names_it():
    office = Office()
    wrapped = with_lookahead(office.agent([use("write", path="a")], "done"), **quiet())
    await wrapped.run("go", conversation_id="tuesday")
    assert "tuesday" in [run.run for run in wrapped.lookahead.journal.runs()]


async def test_a_cancelled_run_leaves_its_call_in_doubt():
    begun = asyncio.Event()

    async def endless(x: int) -> str:
        """Never ends."""
        begun.set()
        await asyncio.Event().wait()
        return ""

    wrapped = with_lookahead(Office().agent([use("endless", x=1)], tools=[endless]), **quiet())
    task = asyncio.create_task(wrapped.run("go"))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [one.action.tool for one in wrapped.lookahead.in_doubt] == ["endless"]


async def test_alternatives_cost_nothing_where_a_tool_only_reads_and_the_world_nothing_where_all_agree():
    office, world = Office(), ScriptedWorld(script={"*": "ok"})
    write = [use("write", "w", path="b")]
    agent = office.agent([use("read", path="a")], write, write, write, "done")
    run = await with_lookahead(agent, **quiet(world=world, search=BestOf(k=3))).run("go")
    assert run.output == "done"
    assert len(office.asked) == 3 + 2
    assert world.asked == []


async def test_a_swapped_call_does_not_go_round_the_approval_of_the_other_tool():
    async def other(state: Any, n: int) -> list[Any]:
        return [call("write", path="b")]

    office = Office()
    agent = office.agent([use("delete", path="a")], "done")
    agent.toolsets[0].tools["write"].requires_approval = True
    wrapped = with_lookahead(
        agent,
        **quiet(
            world=ScriptedWorld(script={"*": "ok"}, kind="exact"),
            policy={"swap": True},
            critic=ScriptedCritic(script={"delete": 0.1, "write": 0.9}),
            search=BestOf(k=2, propose=other),
        ),
    )
    run = await wrapped.run("go")
    assert office.done == []
    assert "propose it itself" in results(run)[0]


async def test_what_cannot_be_recorded_is_not_done():
    office = Office()
    wrapped = with_lookahead(office.agent([use("delete", path="a")], "done"), **quiet(policy={"delete": "allow"}))
    wrapped.lookahead.journal.close()
    with pytest.raises(Exception, match="journal"):
        await wrapped.run("go")
    assert office.done == []


def test_in_a_dry_run_there_is_no_way_from_the_agent_to_what_its_tools_do():
    office = Office()
    agent = office.agent("done", toolsets=[FunctionToolset(office.tools).prefixed("db")])
    agent.model = None
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


async def test_an_override_by_a_spec_goes_round_nothing():
    office = Office()
    wrapped = with_lookahead(office.agent([use("delete", path="a")], "done"), **quiet(policy={"delete": "deny"}))
    with wrapped.override(spec={"instructions": "be quick"}):
        run = await wrapped.run("go")
    assert (office.done, outcomes(run)) == ([], ["denied"])


def test_a_stream_without_a_loop_is_guarded_too():
    office = Office()
    wrapped = with_lookahead(office.agent([use("delete", path="a")], "done"), **quiet(policy={"delete": "deny"}))
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        assert wrapped.run_stream_sync("go").get_output() == "done"
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    assert office.done == []
