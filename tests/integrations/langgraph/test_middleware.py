"""`LookaheadMiddleware` in an agent of `create_agent`: what runs, what is asked, what is refused, what is chosen."""

import asyncio
import itertools
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.tools import BaseTool, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from lookahead import BestOf, Journal
from lookahead.errors import ConfigError
from lookahead.testing import ScriptedCopy, ScriptedCritic, ScriptedWorld
from lookahead.types import Hazard
from lookahead_integrations.langgraph import LookaheadMiddleware

from .kit import ASKED, Real, Script, answers, calls, run, turns

THREAD: Any = {"configurable": {"thread_id": "t"}}
HOW = pytest.mark.parametrize("how", ["sync", "async"])


class Desk(Real):
    """Where numbers are put: that changes something, and nothing about it sounds dangerous."""

    def tools(self) -> list[BaseTool]:
        @tool
        def put(amount: int) -> str:
            """Put a number."""
            return self.do(f"put {amount}")

        return [put, *super().tools()[1:]]


def guarding(**more: Any) -> LookaheadMiddleware:
    settings: dict[str, Any] = {"world": ScriptedWorld(script={"*": "as imagined"}), "journal": Journal(":memory:")}
    return LookaheadMiddleware(**{**settings, **more})


def agent(model: Any, real: Desk, middleware: Any, **more: Any) -> Any:
    outer = more.pop("outer", [])
    return create_agent(model, real.tools(), middleware=[*outer, middleware], **more)


def samples(*rows: Sequence[AIMessage]) -> Script:
    """The n-th row is what the model says when it is asked for the n-th time in a turn; its own message comes first."""
    lock, asked = threading.Lock(), itertools.count()
    counts: dict[int, int] = {}

    def says(messages: Sequence[BaseMessage]) -> AIMessage:
        turn = sum(isinstance(one, AIMessage) for one in messages)
        if turn >= len(rows):
            return AIMessage("done")
        with lock:
            next(asked)
            counts[turn] = counts.get(turn, 0) + 1
            row = rows[turn]
            return row[min(counts[turn], len(row)) - 1].model_copy(deep=True)

    return Script(says=says)


def puts(amount: int, *, start: int = 1, text: str = "") -> AIMessage:
    said = calls(("put", {"amount": amount}), start=start)
    return said.model_copy(update={"content": text})


def liking(amount: int) -> ScriptedCritic:
    """Likes to see this paid, and nothing else as much."""

    def thinks(state: Any, rollout: Any) -> float:
        return 0.9 if rollout.action.arguments.get("amount") == amount else 0.4

    return ScriptedCritic(script=thinks)


def choosing(best: int, k: int = 3, **more: Any) -> LookaheadMiddleware:
    settings: dict[str, Any] = {
        "world": ScriptedCopy(script={"*": "as imagined"}),
        "critic": liking(best),
        "search": BestOf(k=k),
        "policy": {"swap": True},
    }
    return guarding(**{**settings, **more})


# What runs


@HOW
def test_what_is_allowed_runs_once_and_answers_as_it_always_did(how: str):
    real, middleware = Desk(), guarding()
    said = run(agent(turns(calls(("put", {"amount": 1}))), real, middleware), ASKED, how=how)
    assert real.done == ["put 1"]
    assert [one.content for one in answers(said)] == ["did put 1"]
    assert answers(said)[0].response_metadata == {}
    assert "lookahead" not in said


@HOW
def test_each_call_is_imagined_once_between_model_and_tool(how: str):
    world = ScriptedWorld(script={"*": "as imagined"})
    real = Desk()
    model = turns(calls(("put", {"amount": 1}), ("note", {"text": "a"}), ("put", {"amount": 2})))
    run(agent(model, real, guarding(world=world)), ASKED, how=how)
    assert sorted(real.done) == ["note a", "put 1", "put 2"]
    assert len(world.asked) == 3


@HOW
def test_what_is_denied_does_not_run_and_the_agent_decides_again(how: str):
    real = Desk()
    model = turns(calls(("put", {"amount": 1}), ("note", {"text": "a"})), calls(("note", {"text": "b"}), start=3))
    said = run(agent(model, real, guarding(policy={"put": "deny"})), ASKED, how=how)
    assert real.done == ["note a", "note b"]
    refused = answers(said)[0]
    assert (refused.status, refused.tool_call_id) == ("error", "c1")
    assert "the policy forbids this call" in refused.content
    assert said["messages"][-1].content == "done"


@HOW
def test_a_turn_of_refusals_ends(how: str):
    real = Desk()
    model = Script(says=lambda messages: puts(1, start=len(messages)))
    said = run(agent(model, real, guarding(policy={"put": "deny"}, vetoes=2)), ASKED, how=how)
    assert real.done == []
    assert len(model.seen) == 3
    assert "3 proposals in it were refused" in said["messages"][-1].content
    again = run(agent(model, real, guarding(policy={"put": "deny"}, vetoes=2)), ASKED | said, how=how)
    assert real.done == []
    assert "4 proposals" in again["messages"][-1].content


def test_a_turn_that_ends_leaves_no_call_without_an_answer():
    real = Desk()

    def both(messages: Sequence[BaseMessage]) -> AIMessage:
        return calls(("put", {"amount": 1}), ("note", {"text": "a"}), start=len(messages))

    said = run(agent(Script(says=both), real, guarding(policy={"put": "deny"}, vetoes=1)), ASKED)
    asked = [call["id"] for one in said["messages"] if isinstance(one, AIMessage) for call in one.tool_calls]
    assert sorted(asked) == sorted(one.tool_call_id for one in answers(said))
    assert real.done == ["note a"]


def test_what_a_person_says_begins_a_new_count():
    real = Desk()
    model = Script(
        says=lambda messages: puts(1, start=len(messages)) if messages[-1].type == "human" else AIMessage("no")
    )
    graph = agent(model, real, guarding(policy={"put": "deny"}, vetoes=1), checkpointer=InMemorySaver())
    for _ in range(3):
        said = run(graph, ASKED, THREAD)
        assert said["messages"][-1].content == "no"


# What is asked


@HOW
def test_all_questions_of_a_message_are_one_and_nothing_runs_before_the_answer(how: str):
    real, world = Desk(), ScriptedWorld(script={"*": "as imagined"})
    model = turns(calls(("put", {"amount": 1}), ("note", {"text": "a"}), ("put", {"amount": 2})))
    graph = agent(model, real, guarding(world=world, policy={"put": "ask"}), checkpointer=InMemorySaver())
    paused = run(graph, ASKED, THREAD, how=how)
    (question,) = paused["__interrupt__"]
    assert [one["call_id"] for one in question.value["lookahead"]["questions"]] == ["c1", "c3"]
    assert [one["name"] for one in question.value["action_requests"]] == ["put", "put"]
    assert real.done == []
    asked = len(model.seen)
    said = run(graph, Command(resume={"c1": "reject", "c3": "approve"}), THREAD, how=how)
    assert sorted(real.done) == ["note a", "put 2"]
    assert len(model.seen) == asked + 1, "only the final answer was asked for"
    assert len(world.asked) == 3, "what was imagined is not imagined again"
    assert "said no" in next(one for one in answers(said) if one.tool_call_id == "c1").content


@HOW
def test_a_yes_given_before_a_restart_holds_after_it(how: str, tmp_path: Path):
    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    real = Desk()

    def built(saver: Any, journal: Journal) -> Any:
        world = ScriptedWorld(script={"*": "as imagined"})
        middleware = guarding(world=world, policy={"put": "ask"}, journal=journal)
        model = turns(calls(("put", {"amount": 1}), ("put", {"amount": 2})))
        return agent(model, real, middleware, checkpointer=saver, interrupt_before=["tools"]), model, world

    def sync_step(given: Any) -> tuple[Any, Any, Any]:
        with SqliteSaver.from_conn_string(str(tmp_path / "graph.db")) as saver, Journal(tmp_path / "j.db") as journal:
            graph, model, world = built(saver, journal)
            return graph.invoke(given, THREAD), len(model.seen), len(world.asked)

    async def async_step(given: Any) -> tuple[Any, Any, Any]:
        async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "graph.db")) as saver:
            with Journal(tmp_path / "j.db") as journal:
                graph, model, world = built(saver, journal)
                return await graph.ainvoke(given, THREAD), len(model.seen), len(world.asked)

    step: Callable[[Any], Any] = sync_step if how == "sync" else lambda given: asyncio.run(async_step(given))
    paused, _, imagined = step(ASKED)
    assert len(paused["__interrupt__"]) == 1
    assert imagined == 2
    paused, asked, imagined = step(Command(resume={"c1": "approve", "c2": "approve"}))
    assert real.done == []
    assert (asked, imagined) == (0, 0), "a new process plans nothing again"
    said, asked, imagined = step(None)
    assert sorted(real.done) == ["put 1", "put 2"]
    assert (asked, imagined) == (1, 0)
    assert said["messages"][-1].content == "done"


@HOW
def test_a_question_is_put_to_whoever_the_user_names(how: str):
    real = Desk()
    model = turns(calls(("put", {"amount": 1}), ("put", {"amount": 2})))

    def approve(request: Any) -> bool:
        return request.decision.proposed.arguments["amount"] == 2

    run(agent(model, real, guarding(policy={"put": "ask"}, approve=approve)), ASKED, how=how)
    assert real.done == ["put 2"]


def test_without_a_checkpointer_a_question_is_a_refusal_that_says_how_to_allow_it():
    real = Desk()
    said = run(agent(turns(puts(1)), real, guarding(policy={"put": "ask"})), ASKED)
    assert real.done == []
    assert "allow once" in answers(said)[0].content


# What is chosen


@HOW
def test_the_message_that_promises_better_goes_on_whole(how: str):
    real = Desk()
    model = samples([puts(1, text="one"), puts(2, start=7, text="two"), puts(3, start=8, text="three")])
    said = run(agent(model, real, choosing(2)), ASKED, how=how)
    assert real.done == ["put 2"]
    chosen = said["messages"][1]
    assert (chosen.content, chosen.tool_calls[0]["id"]) == ("two", "c7")
    assert answers(said)[0].content == "did put 2", "the agent itself said so: there is nothing to explain"


@HOW
def test_without_the_users_word_the_agents_own_message_stays(how: str):
    real = Desk()
    model = samples([puts(1), puts(2, start=7), puts(3, start=8)])
    run(agent(model, real, choosing(2, policy={})), ASKED, how=how)
    assert real.done == ["put 1"]


def test_a_world_without_a_record_changes_nobodys_mind():
    real = Desk()
    model = samples([puts(1), puts(2, start=7), puts(3, start=8)])
    run(agent(model, real, choosing(2, world=ScriptedWorld(script={"*": "as imagined"}))), ASKED)
    assert real.done == ["put 1"]


@HOW
def test_several_calls_are_one_candidate_and_as_good_as_the_worst_of_them(how: str):
    real = Desk()
    mixed = calls(("put", {"amount": 2}), ("put", {"amount": 9}), start=3)
    better = calls(("put", {"amount": 2}), ("put", {"amount": 2}), start=5)
    model = samples([calls(("put", {"amount": 1}), ("put", {"amount": 2})), mixed, better])
    said = run(agent(model, real, choosing(2)), ASKED, how=how)
    assert real.done == ["put 2", "put 2"]
    assert [one["id"] for one in said["messages"][1].tool_calls] == ["c5", "c6"]


def test_a_rival_that_a_person_would_have_to_allow_is_no_rival_and_nobody_is_asked():
    real, asked = Desk(), []
    model = samples([puts(1), puts(2, start=7)])
    policy = {"swap": True, "put": {"when": [{"argument": "amount", "equals": 2, "rule": "ask"}]}}
    run(agent(model, real, choosing(2, policy=policy, approve=lambda request: asked.append(request))), ASKED)
    assert real.done == ["put 1"]
    assert asked == []


def test_a_proposal_that_is_dangerous_gives_way_to_one_that_is_not():
    real = Desk()
    bad = Hazard(rule="x.lost", what="it loses all", why="so", severity="danger", predicted=True)

    def thinks(state: Any, rollout: Any) -> Any:
        return bad if rollout.action.arguments.get("amount") == 1 else 0.5

    model = samples([puts(1), puts(2, start=7)])
    run(agent(model, real, choosing(0, k=2, critic=ScriptedCritic(script=thinks))), ASKED)
    assert real.done == ["put 2"]


@HOW
def test_what_only_reads_costs_no_other_call_of_the_model(how: str):
    real, world = Desk(), ScriptedWorld(script={"*": "as imagined"})
    model = samples([calls(("look", {"at": "a"}), ("look", {"at": "b"}))], [calls(("look", {"at": "c"}), start=3)])
    middleware = choosing(2, k=4, world=world, policy={"swap": True, "look": {"effect": "reads"}})
    run(agent(model, real, middleware), ASKED, how=how)
    assert sorted(real.done) == ["look a", "look b", "look c"]
    assert len(model.seen) == 3
    assert world.asked == []
    assert middleware.lookahead.spent.tokens == 0


def test_where_all_messages_are_the_same_nothing_is_imagined():
    real, world = Desk(), ScriptedWorld(script={"*": "as imagined"})
    model = samples([puts(1), puts(1, start=7), puts(1, start=8)])
    run(agent(model, real, choosing(2, world=world)), ASKED)
    assert real.done == ["put 1"]
    assert world.asked == []


@HOW
def test_candidates_are_paid_for_from_our_own_budget(how: str):
    real, middleware = Desk(), choosing(2)
    counted = {"usage_metadata": {"input_tokens": 10, "output_tokens": 1, "total_tokens": 11}}
    model = samples([puts(1), *(puts(n, start=n + 5).model_copy(update=counted) for n in (2, 3))])
    run(agent(model, real, middleware), ASKED, how=how)
    assert middleware.lookahead.spent.tokens == 22


def test_a_cache_of_answers_does_not_make_one_of_all_candidates():
    real = Desk()
    set_llm_cache(InMemoryCache())
    try:
        run(agent(samples([puts(1), puts(2, start=7), puts(3, start=8)]), real, choosing(3)), ASKED)
    finally:
        set_llm_cache(None)
    assert real.done == ["put 3"]


def test_a_candidate_that_cannot_be_had_is_one_less_to_choose_from():
    real, lock, asked = Desk(), threading.Lock(), itertools.count()

    def says(messages: Sequence[BaseMessage]) -> AIMessage:
        if any(isinstance(one, AIMessage) for one in messages):
            return AIMessage("done")
        with lock:
            turn = next(asked)
        if turn == 1:
            raise ValueError("busy")
        return puts(turn + 1, start=turn + 1)

    run(agent(Script(says=says), real, choosing(3)), ASKED)
    assert real.done == ["put 3"]


def test_the_future_is_what_this_agent_would_do_next():
    real = Desk()
    world = ScriptedCopy(script={"*": "as imagined"})
    critic = ScriptedCritic(otherwise=0.5)
    seen: list[list[str]] = []

    def says(messages: Sequence[BaseMessage]) -> AIMessage:
        seen.append([one.type for one in messages])
        spoken = sum(isinstance(one, AIMessage) for one in messages)
        if spoken == 0:
            return puts(len(seen), start=len(seen))
        return (
            calls(("note", {"text": "then"}), start=9) if "as imagined" in str(messages[-1].content) else AIMessage("x")
        )

    run(agent(Script(says=says), real, choosing(0, world=world, critic=critic, search=BestOf(k=2, depth=2))), ASKED)
    assert max(len(one.steps) for one in critic.judged) == 2
    assert {one.steps[1].action.tool for one in critic.judged if len(one.steps) == 2} == {"note"}
    assert real.done == ["put 1"]


# What is seen


@HOW
def test_the_agents_own_message_streams_and_the_others_are_silent(how: str):
    real = Desk()
    model = samples([puts(1, text="own words"), puts(2, start=7, text="other"), puts(3, start=8, text="third")])
    graph = agent(model, real, choosing(2))

    async def collect() -> list[Any]:
        return [one async for one in graph.astream(ASKED, stream_mode=["messages", "updates", "custom"])]

    chunks = (
        list(graph.stream(ASKED, stream_mode=["messages", "updates", "custom"]))
        if how == "sync"
        else asyncio.run(collect())
    )
    spoken = [said[0] for mode, said in chunks if mode == "messages"]
    tokens = "".join(str(one.content) for one in spoken if isinstance(one, AIMessageChunk))
    assert tokens.startswith("own words")
    assert "third" not in tokens
    assert "other" not in tokens
    whole = [one for one in spoken if isinstance(one, AIMessage) and not isinstance(one, AIMessageChunk)]
    assert [one.content for one in whole][:1] == ["other "], "the message that goes on comes as one"
    nodes = [name for mode, said in chunks if mode == "updates" for name in said]
    assert nodes == ["model", "LookaheadMiddleware.after_model", "tools", "model", "LookaheadMiddleware.after_model"]
    told = [said["lookahead"] for mode, said in chunks if mode == "custom" and "lookahead" in said]
    assert {"candidates", "imagined", "scored", "verdict", "done"} <= {one["event"] for one in told}
    assert len(next(one for one in told if one["event"] == "candidates")["calls"]) == 3


def test_our_own_calls_of_the_model_are_known_as_ours():
    from langchain_core.callbacks import BaseCallbackHandler

    metadata: list[dict[str, Any]] = []

    class Listens(BaseCallbackHandler):
        def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
            metadata.append(kwargs["metadata"])

    real = Desk()
    model = samples([puts(1), puts(2, start=7), puts(3, start=8)])
    run(agent(model, real, choosing(2)), ASKED, {"callbacks": [Listens()]})
    assert [one.get("lc_source") for one in metadata].count("lookahead") == 2
    assert len(metadata) == 4


@HOW
def test_the_shadow_watches_and_samples_nothing(how: str):
    real, world = Desk(), ScriptedWorld(script={"*": "did put 1"})
    model = samples([puts(1), puts(2, start=7)])
    middleware = choosing(2, world=world, mode="shadow", policy={"put": "deny", "swap": True})
    run(agent(model, real, middleware), ASKED, how=how)
    assert middleware.lookahead.settle(5)
    assert real.done == ["put 1"]
    assert len(model.seen) == 2
    assert len(world.asked) == 1


@HOW
def test_switched_off_it_is_not_there(how: str):
    real = Desk()
    middleware = LookaheadMiddleware(mode="off", policy={"put": "deny"}, search=BestOf(k=3))
    run(agent(samples([puts(1), puts(2)]), real, middleware), ASKED, how=how)
    assert real.done == ["put 1"]
    assert middleware.lookahead.mode == "off"


# What is known of the tools


def test_the_tools_are_known_at_the_first_message_or_before():
    real, later = Desk(), guarding()
    with pytest.raises(ConfigError, match="give tools="):
        _ = later.lookahead
    run(agent(turns(puts(1)), real, later), ASKED)
    assert [str(path) for path in later.lookahead.coverage] == [
        "put at tools: guarded", "note at tools: guarded", "look at tools: guarded"
    ]  # fmt: skip
    first = guarding(tools=real.tools())
    assert [path.tool for path in first.lookahead.coverage] == ["put", "note", "look"]
    run(create_agent(turns(puts(2)), middleware=[first]), ASKED)
    assert real.done == ["put 1", "put 2"]


def test_a_tool_of_the_provider_is_opaque_and_an_error_unless_the_user_knows_it():
    real, searching = Desk(), {"type": "web_search"}
    model = turns(puts(1))
    with pytest.raises(ConfigError, match="web_search at the model's provider: opaque"):
        run(create_agent(model, [*real.tools(), searching], middleware=[guarding()]), ASKED)
    assert (real.done, len(model.seen)) == ([], 0)
    known = guarding(policy={"opaque": "allow"})
    run(create_agent(model, [*real.tools(), searching], middleware=[known]), ASKED)
    assert [path.how for path in known.lookahead.coverage] == ["guarded"] * 3 + ["opaque"]


@HOW
def test_a_call_of_a_tool_that_does_not_exist_is_not_asked_about(how: str):
    real = Desk()
    graph = agent(turns(calls(("fly", {}))), real, guarding(policy={"default": "ask"}), checkpointer=InMemorySaver())
    said = run(graph, ASKED, THREAD, how=how)
    assert "__interrupt__" not in said
    assert "not a valid tool" in answers(said)[0].content


def test_it_says_what_cannot_be_meant():
    with pytest.raises(ConfigError, match="vetoes=0"):
        LookaheadMiddleware(vetoes=0)
    with pytest.raises(ConfigError, match="mode='dry'"):
        LookaheadMiddleware(mode="dry")  # type: ignore[arg-type]


def test_a_chat_model_imagines_as_a_world():
    real = Desk()
    imagining = Script(says=lambda messages: AIMessage("<predicted_observation>did put 1</predicted_observation>"))
    middleware = guarding(world=imagining)
    said = run(agent(turns(puts(1)), real, middleware), ASKED)
    assert real.done == ["put 1"], answers(said)[0].content
    assert imagining.asked >= 1
    assert isinstance(answers(said)[0], ToolMessage)
