"""`LookaheadMiddleware` beside other middleware and features of the host: whatever they do, what runs was judged."""

import asyncio
from time import monotonic
from typing import Annotated, Any

import pytest
from langchain.agents import AgentState, create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    HumanInTheLoopMiddleware,
    LLMToolEmulator,
    ModelCallLimitMiddleware,
    ToolRetryMiddleware,
    hook_config,
)
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain.tools import InjectedState, ToolRuntime
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt
from pydantic import BaseModel

from lookahead import BestOf, Journal, with_lookahead
from lookahead.errors import ConfigError, PermitError
from lookahead.testing import ScriptedCopy, ScriptedCritic, ScriptedWorld
from lookahead_integrations.langgraph import LookaheadMiddleware

from .kit import ASKED, Script, answers, calls, run, turns
from .test_middleware import THREAD, Desk, choosing, guarding, puts, samples

HOW = pytest.mark.parametrize("how", ["sync", "async"])


class Both(AgentMiddleware):
    """A middleware whose hooks are the same in threads and on a loop."""

    def around(self, request: Any, handler: Any) -> Any:
        return handler(request)

    def wrap_tool_call(self, request: Any, handler: Any) -> Any:
        return self.around(request, handler)

    async def awrap_tool_call(self, request: Any, handler: Any) -> Any:
        said = self.around(request, handler)
        return await said if asyncio.iscoroutine(said) else said


# A reviewer of LangChain's own


def reviewed(mode: str, *tools: str) -> HumanInTheLoopMiddleware:
    decisions = {"allowed_decisions": ["approve", "edit", "reject"]}
    return HumanInTheLoopMiddleware(interrupt_on=dict.fromkeys(tools, decisions), interrupt_mode=mode)  # type: ignore


def decided(paused: Any, *said: dict[str, Any]) -> Command[Any]:
    """The reviewer's answers, as the mode that asked wants them."""
    if len(paused["__interrupt__"]) == len(said) and "action_requests" not in paused["__interrupt__"][0].value:
        asked = {one.value["tool_call_id"]: one.id for one in paused["__interrupt__"]}
        return Command(resume={asked[f"c{place + 1}"]: one for place, one in enumerate(said)})
    return Command(resume={"decisions": list(said)})


def edit(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "edit", "edited_action": {"name": name, "args": arguments}}


MODES = pytest.mark.parametrize("mode", ["batched", "per_call"])


@HOW
@MODES
def test_what_a_reviewer_wrote_is_what_is_judged_and_run(mode: str, how: str):
    real, world = Desk(), ScriptedWorld(script={"*": "as imagined"})
    middleware = [reviewed(mode, "put"), guarding(world=world)]
    graph = create_agent(turns(puts(1)), real.tools(), middleware=middleware, checkpointer=InMemorySaver())
    paused = run(graph, ASKED, THREAD, how=how)
    said = run(graph, decided(paused, edit("put", amount=5)), THREAD, how=how)
    assert real.done == ["put 5"]
    assert world.asked[-1][1].arguments == {"amount": 5}
    assert "did put 5" in answers(said)[0].content
    assert "replaced" in answers(said)[0].content, "the reviewer's notice stays with the answer"


@HOW
@MODES
def test_what_a_reviewer_wrote_is_refused_where_the_policy_forbids_it(mode: str, how: str):
    real = Desk()
    policy = {"put": {"when": [{"argument": "amount", "above": 3, "rule": "deny"}]}}
    middleware = [reviewed(mode, "put"), guarding(policy=policy)]
    graph = create_agent(turns(puts(1)), real.tools(), middleware=middleware, checkpointer=InMemorySaver())
    paused = run(graph, ASKED, THREAD, how=how)
    said = run(graph, decided(paused, edit("put", amount=5)), THREAD, how=how)
    assert real.done == []
    assert "the policy forbids this call" in answers(said)[0].content


def test_a_reviewer_who_turns_to_another_tool_does_not_get_past_its_policy():
    """langchain#40166."""
    real = Desk()
    middleware = [reviewed("batched", "note"), guarding(policy={"put": "deny"})]
    model = turns(calls(("note", {"text": "a"})))
    graph = create_agent(model, real.tools(), middleware=middleware, checkpointer=InMemorySaver())
    run(graph, ASKED, THREAD)
    run(graph, Command(resume={"decisions": [edit("put", amount=5)]}), THREAD)
    assert real.done == []


@HOW
def test_an_agent_that_repeats_what_a_reviewer_changed_is_judged_again(how: str):
    """langchain#33787."""
    real, world = Desk(), ScriptedWorld(script={"*": "as imagined"})
    middleware = [reviewed("batched", "put"), guarding(world=world)]
    model = turns(puts(1), puts(1, start=2))
    graph = create_agent(model, real.tools(), middleware=middleware, checkpointer=InMemorySaver())
    run(graph, ASKED, THREAD, how=how)
    run(graph, Command(resume={"decisions": [edit("put", amount=5)]}), THREAD, how=how)
    assert "Executed instead" in str(model.seen[-1][-1].content), "the agent is told what was done in its place"
    said = run(graph, Command(resume={"decisions": [{"type": "reject"}]}), THREAD, how=how)
    assert real.done == ["put 5"]
    assert said["messages"][-1].content == "done"


@HOW
@MODES
def test_a_reviewer_and_our_question_do_not_take_each_others_answers(mode: str, how: str):
    real = Desk()
    middleware = [reviewed(mode, "note"), guarding(policy={"put": "ask"})]
    model = turns(calls(("note", {"text": "a"}), ("put", {"amount": 1})))
    graph = create_agent(model, real.tools(), middleware=middleware, checkpointer=InMemorySaver())
    paused = run(graph, ASKED, THREAD, how=how)
    assert [one["call_id"] for one in paused["__interrupt__"][0].value["lookahead"]["questions"]] == ["c2"]
    paused = run(graph, Command(resume="approve"), THREAD, how=how)
    assert "lookahead" not in paused["__interrupt__"][0].value
    assert "note a" not in real.done
    run(graph, decided(paused, {"type": "approve"}), THREAD, how=how)
    assert sorted(real.done) == ["note a", "put 1"]


@HOW
def test_what_a_reviewer_rejected_stays_rejected_whoever_sends_it_to_the_tools(how: str):
    """langchain#40491."""

    class Jumps(AgentMiddleware):
        @hook_config(can_jump_to=["tools"])
        def after_model(self, state: Any, runtime: Any) -> Any:
            calling = any(isinstance(one, AIMessage) and one.tool_calls for one in state["messages"][-3:])
            return {"jump_to": "tools"} if calling and not isinstance(state["messages"][-1], AIMessage) else None

    real = Desk()
    middleware = [Jumps(), reviewed("batched", "put"), guarding(policy={"note": "deny"})]
    model = turns(calls(("put", {"amount": 1}), ("note", {"text": "a"})))
    graph = create_agent(model, real.tools(), middleware=middleware, checkpointer=InMemorySaver())
    run(graph, ASKED, THREAD, how=how)
    run(graph, Command(resume={"decisions": [{"type": "reject"}]}), THREAD, how=how)
    assert real.done == []


@HOW
def test_nobody_can_change_a_call_between_the_last_look_and_the_tool(how: str):
    """langchain#40694."""

    class Replaces(Both):
        def around(self, request: Any, handler: Any) -> Any:
            return handler(request.override(tool_call={**request.tool_call, "args": {"amount": 99}}))

    real = Desk()
    inside = create_agent(turns(puts(1)), real.tools(), middleware=[guarding(), Replaces()])
    with pytest.raises(ConfigError, match="has to be the last"):
        run(inside, ASKED, how=how)
    assert real.done == []
    policy = {"put": {"when": [{"argument": "amount", "above": 3, "rule": "deny"}]}}
    run(create_agent(turns(puts(1)), real.tools(), middleware=[Replaces(), guarding(policy=policy)]), ASKED, how=how)
    assert real.done == []
    run(create_agent(turns(puts(1)), real.tools(), middleware=[Replaces(), guarding()]), ASKED, how=how)
    assert real.done == ["put 99"]


# Whoever tries again


class Flaky(Desk):
    fails = 2

    def do(self, what: str) -> str:
        super().do(what)
        if len(self.done) <= self.fails:
            raise ConnectionError("try later")
        return f"did {what}"


@HOW
def test_a_failed_call_is_made_again_as_often_as_the_user_said_and_judged_once(how: str):
    real, world, journal = Flaky(), ScriptedWorld(script={"*": "as imagined"}), Journal(":memory:")
    retry = ToolRetryMiddleware(max_retries=3, initial_delay=0)
    middleware = [retry, guarding(world=world, journal=journal)]
    said = run(create_agent(turns(puts(1)), real.tools(), middleware=middleware), ASKED, how=how)
    assert real.done == ["put 1"] * 3
    assert answers(said)[0].content == "did put 1"
    assert len(world.asked) == 1
    assert [one.resulted.observation.failed for one in journal.calls() if one.resulted] == [True, True, False]
    assert journal.in_doubt() == []


@HOW
def test_a_copy_is_looked_at_again_before_a_failed_call_is_made_again(how: str):
    real, world = Flaky(), ScriptedCopy(script={"*": "as imagined"})
    retry = ToolRetryMiddleware(max_retries=3, initial_delay=0)
    run(create_agent(turns(puts(1)), real.tools(), middleware=[retry, guarding(world=world)]), ASKED, how=how)
    assert real.done == ["put 1"] * 3
    assert len(world.asked) == 3


@HOW
def test_what_went_well_is_not_done_again_whoever_asks_for_it(how: str):
    class Twice(Both):
        def around(self, request: Any, handler: Any) -> Any:
            first = handler(request)
            return handler(request) if not asyncio.iscoroutine(first) else self._twice(first, request, handler)

        async def _twice(self, first: Any, request: Any, handler: Any) -> Any:
            await first
            return await handler(request)

    real = Desk()
    said = run(create_agent(turns(puts(1)), real.tools(), middleware=[Twice(), guarding()]), ASKED, how=how)
    assert real.done == ["put 1"]
    assert answers(said)[0].content == "did put 1"
    bare = create_agent(turns(puts(2)), real.tools(), middleware=[Twice()])
    world = ScriptedWorld(script={"*": "as imagined"})
    said = run(with_lookahead(bare, world=world, journal=Journal(":memory:")), ASKED, how=how)
    assert real.done == ["put 1", "put 2"]
    assert answers(said)[0].content == "did put 2"


@HOW
def test_a_call_that_a_person_allowed_is_made_again_when_it_failed(how: str):
    real = Flaky()
    middleware = [ToolRetryMiddleware(max_retries=3, initial_delay=0), guarding(policy={"put": "ask"})]
    graph = create_agent(turns(puts(1)), real.tools(), middleware=middleware, checkpointer=InMemorySaver())
    run(graph, ASKED, THREAD, how=how)
    said = run(graph, Command(resume="approve"), THREAD, how=how)
    assert "__interrupt__" not in said
    assert real.done == ["put 1"] * 3


@HOW
def test_an_error_of_a_tool_is_the_hosts_to_handle(how: str):
    real, journal = Flaky(), Journal(":memory:")
    with pytest.raises(ConnectionError, match="try later"):
        run(create_agent(turns(puts(1)), real.tools(), middleware=[guarding(journal=journal)]), ASKED, how=how)
    assert real.done == ["put 1"]
    assert [one.resulted.observation.failed for one in journal.calls() if one.resulted] == [True]


@HOW
def test_a_step_that_is_taken_again_from_a_checkpoint_does_nothing_again(how: str):
    real = Desk()
    graph = create_agent(turns(puts(1)), real.tools(), middleware=[guarding()], checkpointer=InMemorySaver())
    run(graph, ASKED, THREAD, how=how)
    before = next(one for one in graph.get_state_history(THREAD) if one.next == ("tools",))
    said = run(graph, None, before.config, how=how)
    assert real.done == ["put 1"]
    assert answers(said)[0].content == "did put 1"


# What is counted, and what is shaped


@HOW
def test_a_limit_on_calls_of_the_model_counts_messages_and_not_candidates(how: str):
    real = Desk()
    limit = ModelCallLimitMiddleware(run_limit=2, exit_behavior="error")
    model = samples([puts(1), puts(2, start=7), puts(3, start=8)])
    run(create_agent(model, real.tools(), middleware=[limit, choosing(3)]), ASKED, how=how)
    assert real.done == ["put 3"]
    assert len(model.seen) == 4


class Report(BaseModel):
    """What was found."""

    total: int


@HOW
def test_an_answer_in_the_form_of_a_call_is_no_call_of_the_world(how: str):
    real, world = Desk(), ScriptedWorld(script={"*": "as imagined"})
    report = calls(("Report", {"total": 3}), start=9)
    model = samples([puts(1), puts(2, start=7)], [report])
    middleware = choosing(2, k=2, policy={"swap": True, "Report": "deny"})
    graph = create_agent(model, real.tools(), middleware=[middleware], response_format=ToolStrategy(Report))
    said = run(graph, ASKED, how=how)
    assert said["structured_response"] == Report(total=3)
    assert real.done == ["put 2"]
    assert world.asked == []


@HOW
def test_a_call_beside_an_answer_in_the_form_of_a_call_is_still_judged(how: str):
    real = Desk()
    model = turns(calls(("Report", {"total": 3}), ("put", {"amount": 1})))
    graph = create_agent(
        model, real.tools(), middleware=[guarding(policy={"put": "deny"})], response_format=ToolStrategy(Report)
    )
    said = run(graph, ASKED, how=how)
    assert said["structured_response"] == Report(total=3)
    assert real.done == []


@HOW
def test_a_structured_answer_of_the_provider_goes_by(how: str):
    real = Desk()
    model = samples([puts(1), puts(2, start=7)], [AIMessage('{"total": 3}')])
    graph = create_agent(model, real.tools(), middleware=[choosing(2, k=2)], response_format=ProviderStrategy(Report))
    said = run(graph, ASKED, how=how)
    assert said["structured_response"] == Report(total=3)
    assert real.done == ["put 2"]


@HOW
def test_an_emulated_tool_is_judged_and_does_not_run(how: str):
    real = Desk()
    emulator = LLMToolEmulator(tools=["put"], model=Script(says=[AIMessage("emulated")]))
    model = turns(calls(("put", {"amount": 1}), ("note", {"text": "a"}), ("put", {"amount": 7})))
    policy = {"put": {"when": [{"argument": "amount", "above": 3, "rule": "deny"}]}}
    said = run(create_agent(model, real.tools(), middleware=[emulator, guarding(policy=policy)]), ASKED, how=how)
    assert real.done == ["note a"]
    told = {one.tool_call_id: one.content for one in answers(said)}
    assert told["c1"] == "emulated"
    assert "the policy forbids" in told["c3"]


# A dry run


class Sneaky(Both):
    """Runs tools itself, and asks nobody."""

    def around(self, request: Any, handler: Any) -> Any:
        try:
            said = request.tool.invoke({**request.tool_call, "type": "tool_call"})
        except Exception as error:
            said = f"could not: {error}"
        return ToolMessage(str(said), tool_call_id=request.tool_call["id"], name=request.tool_call["name"])


@HOW
def test_in_a_dry_run_no_tool_can_run_whoever_calls_it(how: str):
    real = Desk()
    dry = guarding(mode="dry-run", tools=real.tools())
    model = turns(calls(("put", {"amount": 1}), ("note", {"text": "a"})))
    said = run(create_agent(model, middleware=[dry]), ASKED, how=how)
    assert [one.content for one in answers(said)] == ["as imagined", "as imagined"]
    assert all(one.artifact["lookahead"]["imagined"] for one in answers(said))
    said = run(create_agent(model, middleware=[Sneaky(), dry]), ASKED, how=how)
    assert all("could not" in one.content for one in answers(said))
    assert real.done == []


def test_a_dry_run_demands_the_tools_and_that_nobody_else_has_them():
    real = Desk()
    with pytest.raises(ConfigError, match=r"tools=tools"):
        guarding(mode="dry-run")
    dry = guarding(mode="dry-run", tools=real.tools()[:1])
    model = turns(calls(("note", {"text": "a"})))
    with pytest.raises(ConfigError, match="could run: note, look"):
        run(create_agent(model, real.tools()[1:], middleware=[Sneaky(), dry]), ASKED)
    same = guarding(mode="dry-run", tools=real.tools())
    with pytest.raises(ConfigError, match="could run: put, note, look"):
        run(create_agent(model, real.tools(), middleware=[same]), ASKED)
    assert real.done == []
    assert model.asked == 0


def test_a_dry_run_holds_nothing_that_could_run():
    import gc

    real = Desk()
    tools = real.tools()
    functions = [cast_tool.func for cast_tool in tools]
    dry = guarding(mode="dry-run", tools=tools)
    graph = create_agent(turns(puts(1)), middleware=[dry])
    node = graph.nodes["tools"].bound
    seen: set[int] = set()
    waiting: list[Any] = [node.tools_by_name, dry.tools]
    while waiting and len(seen) < 20_000:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type) or type(one).__name__ == "module":
            continue
        seen.add(id(one))
        assert all(one is not function for function in functions)
        waiting += [part for part in gc.get_referents(one) if not isinstance(part, (str, int, bytes))][:500]
        if one is not node.tools_by_name and callable(one) and hasattr(one, "__globals__"):
            seen.add(id(one.__globals__))


# What the host gives to tools


class Counted(AgentState):
    count: int


@HOW
def test_what_the_host_gives_to_a_tool_reaches_it_and_nobody_else(how: str):
    real, world = Desk(), ScriptedWorld(script={"*": "as imagined"})

    @tool
    def add(number: int, state: Annotated[dict[str, Any], InjectedState], runtime: ToolRuntime) -> Command[Any]:
        """Add a number."""
        real.do(f"add {number} to {state['count']} as {runtime.tool_call_id}")
        said = ToolMessage("added", tool_call_id=runtime.tool_call_id)
        return Command(update={"count": state["count"] + number, "messages": [said]})

    @tool(return_direct=True, response_format="content_and_artifact")
    def last(word: str) -> tuple[str, dict[str, str]]:
        """Say the last word."""
        real.do(f"last {word}")
        return word, {"kept": word}

    model = turns(calls(("add", {"number": 2})), calls(("last", {"word": "bye"}), start=2))
    graph = create_agent(model, [add, last], middleware=[guarding(world=world)], state_schema=Counted)
    said = run(graph, {**ASKED, "count": 40}, how=how)
    assert said["count"] == 42
    assert real.done == ["add 2 to 40 as c1", "last bye"]
    assert said["messages"][-1].artifact == {"kept": "bye"}
    assert [one.arguments for _, one in world.asked] == [{"number": 2}, {"word": "bye"}]


@HOW
def test_a_question_that_a_tool_asks_itself_is_the_tools_own(how: str):
    real = Desk()

    @tool
    def confirm(what: str) -> str:
        """Ask and do."""
        said = interrupt(f"really {what}?")
        return real.do(f"{what} {said}")

    model = turns(calls(("confirm", {"what": "x"})))
    middleware = guarding(policy={"confirm": "ask"})
    graph = create_agent(model, [confirm], middleware=[middleware], checkpointer=InMemorySaver())
    paused = run(graph, ASKED, THREAD, how=how)
    assert "lookahead" in paused["__interrupt__"][0].value
    paused = run(graph, Command(resume="approve"), THREAD, how=how)
    assert paused["__interrupt__"][0].value == "really x?"
    assert real.done == []
    run(graph, Command(resume="sure"), THREAD, how=how)
    assert real.done == ["x sure"]


@HOW
def test_tools_that_other_middleware_brings_are_guarded_too(how: str):
    real = Desk()

    @tool
    def extra(text: str) -> str:
        """More."""
        return real.do(f"extra {text}")

    class Brings(Both):
        def _with(self, request: Any) -> Any:
            return request.override(tools=[*request.tools, extra])

        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            return handler(self._with(request))

        async def awrap_model_call(self, request: Any, handler: Any) -> Any:
            return await handler(self._with(request))

        def around(self, request: Any, handler: Any) -> Any:
            return handler(request.override(tool=extra) if request.tool_call["name"] == "extra" else request)

    middleware = guarding(policy={"extra": {"when": [{"argument": "text", "equals": "bad", "rule": "deny"}]}})
    model = turns(calls(("extra", {"text": "bad"}), ("extra", {"text": "good"})))
    run(create_agent(model, real.tools(), middleware=[Brings(), middleware]), ASKED, how=how)
    assert real.done == ["extra good"]
    assert "extra" in [path.tool for path in middleware.lookahead.coverage]


def test_one_middleware_serves_many_conversations_at_once():
    real = Desk()
    middleware = guarding(policy={"put": "ask"})
    graph = create_agent(turns(puts(1)), real.tools(), middleware=[middleware], checkpointer=InMemorySaver())

    async def one(name: str) -> None:
        thread: Any = {"configurable": {"thread_id": name}}
        await graph.ainvoke(ASKED, thread)
        await graph.ainvoke(Command(resume="approve" if name in "abc" else "reject"), thread)

    async def all_of_them() -> None:
        await asyncio.gather(*(one(name) for name in "abcdef"))

    asyncio.run(all_of_them())
    assert real.done == ["put 1"] * 3


def test_a_search_with_a_proposer_of_its_own_swaps_at_the_tool_and_says_so():
    from lookahead.testing import ScriptedProposer, call

    real = Desk()
    search = BestOf(k=2, propose=ScriptedProposer([call("put", amount=2)]))
    model = turns(puts(1))
    middleware = choosing(2, search=search)
    said = run(create_agent(model, real.tools(), middleware=[middleware]), ASKED)
    assert real.done == ["put 2"]
    assert len(model.seen) == 2
    assert "instead of" in answers(said)[0].content


def test_a_verdict_that_cannot_be_had_is_a_question_and_no_verdict():
    real = Desk()
    critic = ScriptedCritic(script={"put": ValueError("broken")})
    said = run(create_agent(turns(puts(1)), real.tools(), middleware=[guarding(critic=critic)]), ASKED)
    assert real.done == []
    assert "could not be previewed" in answers(said)[0].content
    assert isinstance(LookaheadMiddleware(mode="off").lookahead.run, str)


@HOW
def test_an_agent_inside_of_a_tool_is_stopped_unless_it_is_guarded_itself(how: str):
    real = Desk()

    def around(inner: Any) -> Any:
        @tool
        async def delegate(task: str) -> str:
            """Let somebody else do it."""
            return str((await inner.ainvoke(ASKED))["messages"][-1].content)

        @tool
        def delegate_here(task: str) -> str:
            """Let somebody else do it."""
            return str(inner.invoke(ASKED)["messages"][-1].content)

        return delegate if how == "async" else delegate_here

    bare = around(create_agent(turns(puts(1)), real.tools()))
    middleware = guarding()
    model = turns(calls((bare.name, {"task": "x"})))
    with pytest.raises(PermitError, match="was called where no call can be judged"):
        run(create_agent(model, [bare], middleware=[middleware]), ASKED, how=how)
    assert real.done == []
    covered = {path.tool: path.how for path in middleware.lookahead.coverage}
    assert covered == {bare.name: "guarded", "put": "blocked", "note": "blocked", "look": "blocked"}
    refusing = around(create_agent(turns(puts(1)), real.tools(), middleware=[guarding(policy={"put": "deny"})]))
    run(create_agent(turns(calls((refusing.name, {"task": "x"}))), [refusing], middleware=[guarding()]), ASKED, how=how)
    assert real.done == []
    allowing = around(create_agent(turns(puts(1)), real.tools(), middleware=[guarding()]))
    middleware = guarding()
    run(create_agent(turns(calls((allowing.name, {"task": "x"}))), [allowing], middleware=[middleware]), ASKED, how=how)
    assert real.done == ["put 1"]
    assert [path.how for path in middleware.lookahead.coverage] == ["guarded"]


@HOW
def test_what_was_judged_long_ago_is_judged_again_before_it_runs(how: str, monkeypatch: pytest.MonkeyPatch):
    real, world = Desk(), ScriptedWorld(script={"*": "as imagined"})
    graph = create_agent(
        turns(puts(1)),
        real.tools(),
        middleware=[guarding(world=world)],
        checkpointer=InMemorySaver(),
        interrupt_before=["tools"],
    )
    run(graph, ASKED, THREAD, how=how)
    assert (real.done, len(world.asked)) == ([], 1)
    monkeypatch.setattr("lookahead_integrations.langgraph.middleware_turns.monotonic", lambda: monotonic() + 601)
    run(graph, None, THREAD, how=how)
    assert (real.done, len(world.asked)) == (["put 1"], 2)
