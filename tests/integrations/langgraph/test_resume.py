"""A question, an answer, and everything round them: nothing runs before the answer, nothing runs twice."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from lookahead import Journal, with_lookahead
from lookahead.testing import ScriptedWorld

from .kit import ASKED, KINDS, Real, answers, calls, run, turns

THREAD: Any = {"configurable": {"thread_id": "t"}}
KIND = pytest.mark.parametrize("kind", KINDS)
HOW = pytest.mark.parametrize("how", ["sync", "async"])


def world() -> ScriptedWorld:
    return ScriptedWorld(script={"*": "as imagined"})


def asking(kind: str, model: Any, tools: Any, imagined: Any = None, **more: Any) -> Any:
    graph = KINDS[kind](model, tools, checkpointer=InMemorySaver())
    settings: dict[str, Any] = {"policy": {"pay": "ask"}, "journal": Journal(":memory:"), **more}
    return with_lookahead(graph, world=imagined or world(), **settings)


def questions(result: Any) -> list[str]:
    return [one["call_id"] for i in result["__interrupt__"] for one in i.value["lookahead"]["questions"]]


PARALLEL = (("pay", {"amount": 1}), ("note", {"text": "a"}), ("pay", {"amount": 2}), ("note", {"text": "b"}))


@KIND
@HOW
def test_one_interrupt_asks_everything_before_any_sibling_runs(kind: str, how: str) -> None:
    real, model, imagined = Real(), turns(calls(*PARALLEL)), world()
    graph = asking(kind, model, real.tools(), imagined)
    stopped = run(graph, ASKED, THREAD, how=how)
    assert real.done == []
    assert len(stopped["__interrupt__"]) == 1
    assert questions(stopped) == ["c1", "c3"]
    foreseen = len(imagined.asked)

    ended = run(
        graph, Command(resume={"c3": "approve", "c1": {"type": "reject", "message": "not now"}}), THREAD, how=how
    )

    assert sorted(real.done) == ["note a", "note b", "pay 2"]
    assert len(imagined.asked) == foreseen, "nothing is imagined again"
    assert model.asked == 2, "nor is the model asked again"
    said = {one.tool_call_id: one for one in answers(ended)}
    assert said["c1"].status == "error"
    assert "not now" in said["c1"].content
    assert said["c3"].content == "did pay 2"


@KIND
@HOW
def test_an_interrupt_is_answered_by_its_id_as_well(kind: str, how: str) -> None:
    real = Real()
    graph = asking(kind, turns(calls(*PARALLEL)), real.tools())
    stopped = run(graph, ASKED, THREAD, how=how)
    value = {stopped["__interrupt__"][0].id: {"decisions": [{"type": "approve"}, {"type": "approve"}]}}
    run(graph, Command(resume=value), THREAD, how=how)
    assert sorted(real.done) == ["note a", "note b", "pay 1", "pay 2"]


@HOW
def test_with_one_worker_no_sibling_waits_for_ever(how: str) -> None:
    real = Real()
    graph = asking("create_agent", turns(calls(*PARALLEL)), real.tools())
    config = {**THREAD, "max_concurrency": 1}
    run(graph, ASKED, config, how=how)
    assert real.done == []
    run(graph, Command(resume={"c1": "approve", "c3": "approve"}), config, how=how)
    assert sorted(real.done) == ["note a", "note b", "pay 1", "pay 2"]


@pytest.mark.parametrize(
    "answer",
    ["approve", True, {"type": "approve"}, [{"type": "accept", "args": None}], {"decisions": [{"type": "approve"}]}],
    ids=str,
)
def test_one_question_takes_a_plain_yes(answer: Any) -> None:
    real = Real()
    graph = asking("create_agent", turns(calls(("pay", {"amount": 1}))), real.tools())
    graph.invoke(ASKED, THREAD)
    graph.invoke(Command(resume=answer), THREAD)
    assert real.done == ["pay 1"]


@pytest.mark.parametrize(
    "answer", ["approve", True, "perhaps", 7, {"c9": "approve"}, [{"type": "approve"}], {"decisions": []}], ids=str
)
def test_of_two_questions_no_unclear_answer_allows_anything(answer: Any) -> None:
    real = Real()
    graph = asking("create_agent", turns(calls(("pay", {"amount": 1}), ("pay", {"amount": 2}))), real.tools())
    graph.invoke(ASKED, THREAD)
    ended = graph.invoke(Command(resume=answer), THREAD)
    assert real.done == []
    assert all(one.status == "error" and "names none of the questions" in one.content for one in answers(ended))


@pytest.mark.parametrize("answer", ["reject", False, {"type": "edit", "args": {}}, {"type": "respond", "message": "m"}])
def test_a_no_is_a_no(answer: Any) -> None:
    real = Real()
    graph = asking("create_agent", turns(calls(("pay", {"amount": 1}))), real.tools())
    graph.invoke(ASKED, THREAD)
    graph.invoke(Command(resume=answer), THREAD)
    assert real.done == []


def test_the_question_has_the_shape_that_interfaces_render() -> None:
    graph = asking("create_agent", turns(calls(("pay", {"amount": 1}))), Real().tools())
    value = graph.invoke(ASKED, THREAD)["__interrupt__"][0].value
    (request,) = value["action_requests"]
    assert (request["name"], request["args"], request["call_id"]) == ("pay", {"amount": 1}, "c1")
    assert "asked because" in request["description"]
    assert value["review_configs"] == [{"action_name": "pay", "allowed_decisions": ["approve", "reject"]}]
    (asked,) = value["lookahead"]["questions"]
    assert asked["predicted"]["content"] == "as imagined"
    assert asked["predicted"]["origin"]["kind"] == "model"
    json.dumps(value)


@KIND
@HOW
def test_a_tool_that_asks_itself_goes_on_after_its_answer_and_its_siblings_ran_once(kind: str, how: str) -> None:
    real = Real()

    @tool
    def park(slot: int) -> str:
        """Park the car."""
        said = interrupt(f"is {slot} free?")
        return real.do(f"park {slot} {said}")

    model = turns(calls(("note", {"text": "a"}), ("park", {"slot": 7}), ("note", {"text": "b"})))
    graph = asking(kind, model, [*real.tools(), park])
    stopped = run(graph, ASKED, THREAD, how=how)
    assert [one.value for one in stopped["__interrupt__"]] == ["is 7 free?"]
    assert sorted(real.done) == ["note a", "note b"]
    ended = run(graph, Command(resume="yes"), THREAD, how=how)
    assert sorted(real.done) == ["note a", "note b", "park 7 yes"]
    assert [one.content for one in answers(ended)] == ["did note a", "did park 7 yes", "did note b"]


@pytest.mark.parametrize("kind", ["react_v1", "by_hand"])
@HOW
def test_siblings_that_no_worker_has_begun_when_a_tool_asks_itself_run_before_the_answer(kind: str, how: str) -> None:
    real = Real()

    @tool
    def park(slot: int) -> str:
        """Park the car."""
        return real.do(f"park {slot} {interrupt('is it free?')}")

    # Enough of them that some have not begun when the one who waits hears of the question.
    notes = [("note", {"text": str(number)}) for number in range(12)]
    graph = asking(kind, turns(calls(("park", {"slot": 7}), *notes)), [*real.tools(), park])
    config = {**THREAD, "max_concurrency": 1}
    run(graph, ASKED, config, how=how)
    assert sorted(real.done) == sorted(f"note {number}" for number in range(12))
    done = list(real.done)
    run(graph, Command(resume="yes"), config, how=how)
    assert real.done == [*done, "park 7 yes"]


@KIND
@HOW
def test_our_question_and_the_tools_own_are_never_mixed_up(kind: str, how: str) -> None:
    real = Real()

    @tool
    def park(slot: int) -> str:
        """Park the car."""
        return real.do(f"park {slot} {interrupt('is it free?')}")

    model = turns(calls(("park", {"slot": 1}), ("pay", {"amount": 1}), ("note", {"text": "a"}), ("park", {"slot": 2})))
    if kind in ("react_v1", "by_hand"):
        # Where all calls run in one task, LangGraph itself mixes up the answers of two tools that ask at once.
        model = turns(
            calls(("note", {"text": "b"}), ("pay", {"amount": 1}), ("note", {"text": "a"}), ("park", {"slot": 1}))
        )
    graph = asking(kind, model, [*real.tools(), park], policy={"pay": "ask", "park": "ask"})
    stopped = run(graph, ASKED, THREAD, how=how)
    stopped = run(graph, Command(resume=dict.fromkeys(questions(stopped), "approve")), THREAD, how=how)
    assert {one.value for one in stopped["__interrupt__"]} == {"is it free?"}
    assert "pay 1" in real.done
    ended = run(graph, Command(resume={one.id: "yes" for one in stopped["__interrupt__"]}), THREAD, how=how)
    assert "__interrupt__" not in ended
    wanted = [one.content.removeprefix("did ") for one in answers(ended)]
    assert sorted(real.done) == sorted(wanted)
    assert "park 1 yes" in wanted


def test_without_a_checkpointer_the_question_is_a_refusal_that_says_how_to_allow_it() -> None:
    real = Real()
    graph = with_lookahead(
        KINDS["create_agent"](turns(calls(("pay", {"amount": 1}))), real.tools()),
        world=world(),
        policy={"pay": "ask"},
        journal=Journal(":memory:"),
    )
    (said,) = answers(graph.invoke(ASKED))
    assert real.done == []
    assert said.status == "error"
    assert "allow once" in said.content


def test_whoever_gave_a_way_of_asking_is_asked_that_way() -> None:
    from lookahead.testing import Yes

    real, yes = Real(), Yes()
    graph = asking("create_agent", turns(calls(("pay", {"amount": 1}))), real.tools(), approve=yes)
    assert "__interrupt__" not in graph.invoke(ASKED, THREAD)
    assert real.done == ["pay 1"]
    assert len(yes.asked) == 1


def test_the_same_id_in_a_later_turn_is_another_call() -> None:
    real = Real()
    one = calls(("note", {"text": "a"}))
    graph = asking("create_agent", turns(one, one.model_copy()), real.tools())
    graph.invoke(ASKED, THREAD)
    assert real.done == ["note a", "note a"]


def test_going_back_in_time_does_not_do_it_again() -> None:
    real = Real()
    graph = asking("create_agent", turns(calls(("note", {"text": "a"}))), real.tools())
    graph.invoke(ASKED, THREAD)
    before = next(one for one in graph.get_state_history(THREAD) if one.next == ("tools",))
    (said,) = answers(graph.invoke(None, before.config))
    assert said.content == "did note a"
    assert real.done == ["note a"]


def test_two_threads_are_two_conversations() -> None:
    real = Real()
    graph = asking("create_agent", turns(calls(("note", {"text": "a"}))), real.tools())
    for name in ("one", "two"):
        graph.invoke(ASKED, {"configurable": {"thread_id": name}})
    assert real.done == ["note a", "note a"]
    assert {call.run for call in graph.lookahead.journal.calls()} == {"one", "two"}


def test_without_a_thread_each_invocation_is_a_conversation_of_its_own() -> None:
    real = Real()
    graph = with_lookahead(
        KINDS["create_agent"](turns(calls(("note", {"text": "a"})), calls(("note", {"text": "b"}))), real.tools()),
        world=world(),
        journal=Journal(":memory:"),
    )
    graph.invoke(ASKED)
    graph.invoke(ASKED)
    assert real.done == ["note a", "note b"] * 2
    runs = [call.run for call in graph.lookahead.journal.calls()]
    assert len(set(runs)) == 2
    assert all(runs.count(one) == 2 for one in runs)


PROGRAM = """
import json, sqlite3, sys
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command
from langchain.agents import create_agent
from langgraph.prebuilt import create_react_agent
from langchain_core.tools import tool
from lookahead import with_lookahead
from lookahead.testing import ScriptedWorld

sys.path.insert(0, sys.argv[4])
from kit import KINDS, calls, turns

kind, folder, answer = sys.argv[1], sys.argv[2], sys.argv[3]

@tool
def pay(amount: int) -> str:
    "Pay somebody."
    with open(folder + "/real", "a") as real:
        real.write(f"pay {amount}\\n")
    return f"did pay {amount}"

@tool
def note(text: str) -> str:
    "Write a note."
    with open(folder + "/real", "a") as real:
        real.write(f"note {text}\\n")
    return f"did note {text}"

world = ScriptedWorld(script={"*": "as imagined"})
model = turns(calls(("note", {"text": "a"}), ("pay", {"amount": 1}), ("pay", {"amount": 2})))
with sqlite3.connect(folder + "/checkpoints.db", check_same_thread=False) as db:
    graph = KINDS[kind](model, [pay, note], checkpointer=SqliteSaver(db))
    graph = with_lookahead(graph, world=world, policy={"pay": "ask"}, journal=folder + "/journal.db")
    given = {"messages": [("user", "please")]} if answer == "-" else Command(resume=json.loads(answer))
    out = graph.invoke(given, {"configurable": {"thread_id": "t"}})
    asked = [one["call_id"] for i in out.get("__interrupt__", ()) for one in i.value["lookahead"]["questions"]]
    print(json.dumps({"asked": asked, "imagined": len(world.asked), "model": model.asked}))
    graph.lookahead.close()
db.close()
"""


@pytest.mark.parametrize("kind", ["create_agent", "by_hand"])
def test_another_process_goes_on_where_the_first_one_asked(kind: str, tmp_path: Path) -> None:
    def process(answer: Any) -> dict[str, Any]:
        said = "-" if answer is None else json.dumps(answer)
        here = str(Path(__file__).parent)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROGRAM, kind, str(tmp_path), said, here],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    assert process(None) == {"asked": ["c2", "c3"], "imagined": 3, "model": 1}
    assert not (tmp_path / "real").exists()
    assert process({"c2": "approve", "c3": "reject"}) == {"asked": [], "imagined": 0, "model": 1}
    assert sorted((tmp_path / "real").read_text().splitlines()) == ["note a", "pay 1"]


def test_a_message_that_calls_nothing_ends_the_run() -> None:
    real = Real()
    graph = asking("create_agent", turns(AIMessage("nothing to do")), real.tools())
    assert graph.invoke(ASKED, THREAD)["messages"][-1].content == "nothing to do"
