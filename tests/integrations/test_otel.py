"""What a tracing backend gets to see."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest
from opentelemetry import trace as telemetry
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from lookahead import BestOf, Observation, Refused, State, with_lookahead
from lookahead.critics.language import RubricCritic
from lookahead.errors import ConfigError
from lookahead.models import ScriptedModel
from lookahead.testing import No, ScriptedCopy, ScriptedCritic, ScriptedProposer, ScriptedWorld, Yes, call
from lookahead.types import Action, Hazard
from lookahead.worlds.language import LanguageWorld
from lookahead_integrations.otel import SWITCH, trace
from lookahead_integrations.otel.tracer import Tracer

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "ghp_" + "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5"
LOST = Hazard(rule="files.lost", what="a file is lost", why="it is not kept anywhere", severity="danger")


@dataclass
class Backend:
    """Keeps in memory what would be sent."""

    tracers: TracerProvider = field(default_factory=TracerProvider)
    loggers: LoggerProvider = field(default_factory=LoggerProvider)
    spans: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    logs: InMemoryLogRecordExporter = field(default_factory=InMemoryLogRecordExporter)

    def __post_init__(self) -> None:
        self.tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        self.loggers.add_log_record_processor(SimpleLogRecordProcessor(self.logs))

    def trace(self, agent: Any, **given: Any) -> Any:
        return trace(agent, tracer_provider=self.tracers, logger_provider=self.loggers, **given)

    def all(self, word: str) -> list[ReadableSpan]:
        return [span for span in self.spans.get_finished_spans() if span.name.split()[0] == word]

    def one(self, word: str) -> ReadableSpan:
        [span] = self.all(word)
        return span

    def events(self, name: str = "gen_ai.evaluation.result") -> list[Any]:
        return [one.log_record for one in self.logs.get_finished_logs() if one.log_record.event_name == name]

    def names(self) -> list[str]:
        return sorted(span.name for span in self.spans.get_finished_spans())

    def everything(self) -> str:
        spans = [(span.name, dict(span.attributes or {}), span.status) for span in self.spans.get_finished_spans()]
        return repr(
            [*spans, *((one.log_record.event_name, one.log_record.attributes) for one in self.logs.get_finished_logs())]
        )


@pytest.fixture
def backend() -> Iterator[Backend]:
    made = Backend()
    yield made
    made.tracers.shutdown()
    made.loggers.shutdown()


def said(span: ReadableSpan) -> Mapping[str, Any]:
    return span.attributes or {}


def inside(span: ReadableSpan, parent: ReadableSpan) -> bool:
    return span.parent is not None and span.parent.span_id == parent.context.span_id


async def paint(coats: int = 1) -> str:
    """Paint something."""
    return f"painted {coats}"


async def save(text: str = "") -> str:
    """Save a text."""
    return "saved"


async def look() -> str:
    """Look only."""
    return "seen"


def guarded(backend: Backend, *functions: Any, content: bool = False, **given: Any) -> list[Any]:
    given = {"world": ScriptedWorld(script={"*": "ok"}), "journal": ":memory:", "critic": ScriptedCritic(), **given}
    agent = with_lookahead(list(functions), **given)
    return backend.trace(agent, content=content)


async def test_a_decision_is_a_plan_with_simulations_in_it_and_the_real_call_beside_it(backend: Backend):
    [one] = guarded(backend, paint)
    assert await one(3) == "painted 3"
    plan, step, real = backend.one("plan"), backend.one("simulate"), backend.one("execute_tool")
    assert inside(step, plan)
    assert plan.parent is None
    assert real.parent is None
    assert (plan.name, step.name, real.name) == ("plan", "simulate paint", "execute_tool paint")
    assert {span.kind for span in (plan, step, real)} == {SpanKind.INTERNAL}
    assert said(plan)["gen_ai.operation.name"] == "plan"
    assert said(plan)["gen_ai.conversation.id"] == one.lookahead.run
    assert (said(plan)["lookahead.verdict"], said(plan)["lookahead.chosen.index"]) == ("run", 0)
    assert (said(plan)["lookahead.mode"], said(plan)["lookahead.candidates"]) == ("guard", 1)
    assert said(step)["lookahead.simulated"] is True
    assert (said(step)["lookahead.candidate.index"], said(step)["lookahead.depth"]) == (0, 0)
    assert (said(step)["lookahead.world"], said(step)["lookahead.score"]) == ("scripted", 0.5)
    assert said(real)["gen_ai.operation.name"] == "execute_tool"
    assert said(real)["gen_ai.tool.name"] == "paint"
    assert [link.context.span_id for link in real.links] == [plan.context.span_id]
    assert [said(span)["openinference.span.kind"] for span in (plan, step, real)] == ["AGENT", "CHAIN", "TOOL"]


async def test_nothing_imagined_passes_for_a_tool_call(backend: Backend):
    [one] = guarded(backend, paint, mode="dry-run")
    await one()
    assert backend.all("execute_tool") == []
    assert backend.all("simulate")
    for span in backend.spans.get_finished_spans():
        assert not {name for name in said(span) if name.startswith("gen_ai.tool.")}
        assert said(span)["openinference.span.kind"] != "TOOL"
        assert said(span).get("gen_ai.operation.name") in ("plan", None)
        assert said(span)["lookahead.mode"] == "dry-run"


async def test_a_verdict_is_an_evaluation_result_of_the_step_that_it_judges(backend: Backend):
    [one] = guarded(
        backend, paint, world=ScriptedCopy(script={"*": "ok"}), critic=ScriptedCritic(script={"paint": LOST})
    )
    with pytest.raises(Refused):
        await one()
    plan, step = backend.one("plan"), backend.one("simulate")
    [event] = backend.events()
    assert (event.trace_id, event.span_id) == (step.context.trace_id, step.context.span_id)
    assert event.attributes["gen_ai.evaluation.name"] == "lookahead.critic"
    assert event.attributes["gen_ai.evaluation.score.value"] == 0.5
    assert event.attributes["gen_ai.evaluation.score.label"] == "danger"
    assert tuple(event.attributes["lookahead.hazards"]) == ("files.lost",)
    assert (said(plan)["lookahead.verdict"], said(plan)["lookahead.rule"]) == ("veto", "files.lost")
    assert said(plan)["openinference.span.kind"] == "GUARDRAIL"
    assert "lookahead.chosen.index" not in said(plan)
    assert backend.all("execute_tool") == []


async def test_every_candidate_has_its_own_number_and_a_swap_says_where_it_came_from(backend: Backend):
    rivals = ScriptedProposer([call("save", text="a"), call("save", text="b")])
    tools = guarded(
        backend, paint, save,
        world=ScriptedCopy(script={"*": "ok"}),
        critic=ScriptedCritic(script=lambda state, rollout: 0.9 if rollout.action.arguments == {"text": "b"} else LOST),
        search=BestOf(k=3, propose=rivals),
        policy={"swap": True},
    )  # fmt: skip
    assert (await tools[0]()).endswith("saved")
    plan, steps, real = backend.one("plan"), backend.all("simulate"), backend.one("execute_tool")
    assert sorted((said(step)["lookahead.candidate.index"], step.name) for step in steps) == [
        (0, "simulate paint"), (1, "simulate save"), (2, "simulate save"),
    ]  # fmt: skip
    assert all(inside(step, plan) for step in steps)
    assert len(backend.events()) == 3
    assert {event.span_id for event in backend.events()} == {step.context.span_id for step in steps}
    assert (said(plan)["lookahead.verdict"], said(plan)["lookahead.chosen.index"]) == ("swap", 2)
    assert said(real)["gen_ai.tool.name"] == "save"
    assert (said(real)["lookahead.substituted"], said(real)["lookahead.proposed"]) == (True, "paint")
    assert [link.context.span_id for link in real.links] == [plan.context.span_id]


async def test_deeper_steps_of_one_future_are_told_apart(backend: Backend):
    rivals = ScriptedProposer([call("save", text="a")], [call("save", text="later")])
    search = BestOf(k=2, depth=2, propose=rivals)
    [one, _] = guarded(backend, paint, save, world=ScriptedCopy(script={"*": "ok"}), search=search)
    await one()
    places = [
        (said(step)["lookahead.candidate.index"], said(step)["lookahead.depth"]) for step in backend.all("simulate")
    ]
    assert sorted(places) == [(0, 0), (0, 1), (1, 0), (1, 1)]


async def test_a_tool_that_only_reads_leaves_its_call_alone(backend: Backend):
    [one] = guarded(backend, look, policy={"look": {"effect": "reads"}})
    await one()
    assert backend.names() == ["execute_tool look"]


async def test_what_a_rule_refuses_before_anybody_thinks_is_a_guardrail(backend: Backend):
    [one] = guarded(backend, paint, policy={"paint": "deny"})
    with pytest.raises(Refused):
        await one()
    plan = backend.one("plan")
    assert backend.names() == ["plan"]
    assert (said(plan)["lookahead.verdict"], said(plan)["openinference.span.kind"]) == ("veto", "GUARDRAIL")


@pytest.mark.parametrize("answer", [Yes, No])
async def test_what_a_person_said_is_told_when_they_said_it(backend: Backend, answer: Any):
    [one] = guarded(backend, paint, policy={"paint": "ask"}, approve=answer())
    if answer is Yes:
        await one()
    else:
        with pytest.raises(Refused):
            await one()
    plan = backend.one("plan")
    assert (said(plan)["lookahead.verdict"], said(plan)["lookahead.approved"]) == ("ask", False)
    told = backend.events("lookahead.decision")
    assert [event.attributes["lookahead.approved"] for event in told] == ([True] if answer is Yes else [])
    assert [event.span_id for event in told] == [plan.context.span_id] * len(told)
    assert len(backend.all("execute_tool")) == (answer is Yes)


async def test_a_model_that_imagines_is_a_chat_with_its_price(backend: Backend):
    model = ScriptedModel("<predicted_observation>done</predicted_observation>", name="openai:little@localhost:8000")
    [one] = guarded(backend, paint, world=LanguageWorld(model))
    await one()
    chat, step = backend.one("chat"), backend.one("simulate")
    assert (chat.name, chat.kind) == ("chat little", SpanKind.CLIENT)
    assert inside(chat, step)
    assert said(chat)["gen_ai.operation.name"] == "chat"
    assert (said(chat)["gen_ai.provider.name"], said(chat)["gen_ai.request.model"]) == ("openai", "little")
    assert (said(chat)["server.address"], said(chat)["server.port"]) == ("localhost", 8000)
    assert said(chat)["gen_ai.usage.input_tokens"] > 0
    assert said(chat)["gen_ai.usage.output_tokens"] > 0
    assert said(chat)["gen_ai.response.finish_reasons"] == ("stop",)
    spent = said(chat)["gen_ai.usage.input_tokens"] + said(chat)["gen_ai.usage.output_tokens"]
    assert said(step)["lookahead.usage.tokens"] == said(backend.one("plan"))["lookahead.usage.tokens"] == spent


async def test_a_model_that_judges_is_asked_in_an_evaluation_that_ends_also_where_it_cannot_be_read(backend: Backend):
    judge = ScriptedModel("I would rather not say", name="judge")
    [one] = guarded(backend, paint, critic=RubricCritic(judge), approve=Yes())
    await one()
    evaluation = backend.one("evaluate")
    assert said(evaluation)["openinference.span.kind"] == "EVALUATOR"
    assert inside(evaluation, backend.one("plan"))
    assert all(inside(chat, evaluation) for chat in backend.all("chat"))
    assert len(backend.all("chat")) == 2  # it could not be read, and was asked again
    assert evaluation.status.status_code is StatusCode.ERROR


async def test_a_world_that_fails_leaves_a_failed_step_and_no_open_span(backend: Backend):
    [one] = guarded(backend, paint, world=ScriptedWorld(script={"*": RuntimeError(f"no {TOKEN} here")}), approve=Yes())
    await one()
    step = backend.one("simulate")
    assert step.status.status_code is StatusCode.ERROR
    assert said(step)["lookahead.failed"] is True
    assert TOKEN not in backend.everything()


async def test_what_takes_too_long_is_cut_off_and_ended(backend: Backend):
    async def slow(state: State, action: Action) -> str:
        await anyio.sleep(60)
        return "never"

    [one] = guarded(backend, paint, world=ScriptedWorld(script=slow), budget=0.05, approve=Yes())
    before = telemetry.get_current_span()
    await one()
    assert telemetry.get_current_span() is before
    plan, step = backend.one("plan"), backend.one("simulate")
    assert inside(step, plan)
    assert step.status.status_code is StatusCode.ERROR
    assert backend.one("execute_tool").parent is None


async def test_calls_at_the_same_time_do_not_get_into_each_others_plans(backend: Backend):
    async def waits(state: State, action: Action) -> str:
        await anyio.lowlevel.checkpoint()
        return str(action.arguments)

    [one] = guarded(backend, paint, world=ScriptedWorld(script=waits), content=True)
    async with anyio.create_task_group() as group:
        for coats in range(8):
            group.start_soon(one, coats)
    plans = {plan.context.span_id: said(plan)["lookahead.arguments"] for plan in backend.all("plan")}
    assert len(plans) == 8
    for step in backend.all("simulate"):
        assert step.parent is not None
        assert plans[step.parent.span_id] == said(step)["lookahead.arguments"]
    assert len(backend.all("execute_tool")) == 8


async def test_it_all_hangs_under_the_span_of_whoever_calls(backend: Backend):
    [one] = guarded(backend, paint)
    tracer = telemetry.get_tracer("user", tracer_provider=backend.tracers)
    with tracer.start_as_current_span("invoke_agent bob"):
        await one()
        assert telemetry.get_current_span().is_recording()
    outer = backend.one("invoke_agent")
    assert inside(backend.one("plan"), outer)
    assert inside(backend.one("execute_tool"), outer)


def test_a_function_that_is_not_async_is_traced_the_same(backend: Backend):
    tracer = telemetry.get_tracer("user", tracer_provider=backend.tracers)

    def store(text: str) -> str:
        """Store a text."""
        with tracer.start_as_current_span("POST"):
            return "stored"

    [one] = guarded(backend, store)
    with tracer.start_as_current_span("invoke_agent bob"):
        assert one("x") == "stored"
    outer, plan, real = backend.one("invoke_agent"), backend.one("plan"), backend.one("execute_tool")
    assert inside(plan, outer)
    assert inside(backend.one("simulate"), plan)
    assert inside(real, outer)
    assert inside(backend.one("POST"), real)
    assert real.end_time is not None
    assert plan.end_time is not None
    assert plan.end_time <= (real.start_time or 0)


@pytest.mark.parametrize("wait", [True, False])
def test_a_real_call_that_fails_says_so(backend: Backend, wait: bool):
    async def broken() -> str:
        """Break."""
        raise KeyError(TOKEN)

    def broken_here() -> str:
        """Break."""
        raise KeyError(TOKEN)

    [one] = guarded(backend, broken if wait else broken_here)
    with pytest.raises(KeyError):
        anyio.run(one) if wait else one()
    real = backend.one("execute_tool")
    assert real.status.status_code is StatusCode.ERROR
    assert said(real)["error.type"] == "KeyError"
    assert TOKEN not in backend.everything()


async def test_arguments_results_and_reasons_are_told_only_where_that_was_asked_for(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
):
    for asked in (False, True):
        backend.spans.clear()
        backend.logs.clear()
        [one] = guarded(backend, save, content=asked, world=ScriptedWorld(script={"*": "an imagined result"}))
        await one(text="my own words")
        for words in ("my own words", "an imagined result", "saved", "nothing speaks against it"):
            assert (words in backend.everything()) is asked
    monkeypatch.setenv(SWITCH, "true")
    backend.spans.clear()
    [one] = backend.trace(with_lookahead([save], world=ScriptedWorld(script={"*": "ok"}), journal=":memory:"))
    await one(text="my own words")
    assert "my own words" in backend.everything()


async def test_secrets_are_in_no_attribute(backend: Backend):
    model = ScriptedModel(f"<predicted_observation>token {TOKEN}</predicted_observation>", name="m")

    async def login(password: str) -> str:
        """Log in."""
        return f"your token is {TOKEN}"

    [one] = guarded(backend, login, world=LanguageWorld(model), content=True)
    await one(password="correct-Horse7-battery9")
    shown = backend.everything()
    assert "redacted" in shown
    assert TOKEN not in shown
    assert "correct-Horse7-battery9" not in shown


async def test_what_is_imagined_beside_an_agent_is_told_with_what_the_guard_would_do(backend: Backend):
    [one] = guarded(backend, paint, mode="shadow", critic=ScriptedCritic(script={"paint": 0.7}))
    tracer = telemetry.get_tracer("user", tracer_provider=backend.tracers)
    with tracer.start_as_current_span("invoke_agent bob"):
        await one()
    assert await anyio.to_thread.run_sync(one.lookahead.settle, 10)
    plan = backend.one("plan")
    assert inside(plan, backend.one("invoke_agent"))
    assert inside(backend.one("simulate"), plan)
    assert said(plan)["lookahead.mode"] == "shadow"
    assert said(plan)["lookahead.verdict"] == "run"


async def test_the_span_of_a_framework_says_what_its_call_came_from(backend: Backend):
    """A host takes the permit itself, under an execute_tool span of its own."""
    [one] = guarded(backend, paint)
    session = one.lookahead
    tracer = telemetry.get_tracer("framework", tracer_provider=backend.tracers)
    with tracer.start_as_current_span("execute_tool paint", attributes={"gen_ai.operation.name": "execute_tool"}):
        permit = await session.begin(Action(tool="paint", arguments={"coats": 2}, call_id="c1"))
        permit.take(permit.action)
        await session.finish(permit, Observation(content="painted"))
    [real] = backend.all("execute_tool")
    assert said(real)["lookahead.verdict"] == "run"
    assert [link.context.span_id for link in real.links] == [backend.one("plan").context.span_id]


async def test_each_conversation_has_its_own_name(backend: Backend):
    [one] = guarded(backend, paint)
    await one.lookahead.conversation("thread-7").begin(Action(tool="paint"))
    assert said(backend.one("plan"))["gen_ai.conversation.id"] == "thread-7"


async def test_an_agent_that_has_a_name_is_called_by_it(backend: Backend):
    [one] = guarded(backend, paint)
    one.lookahead.agent = "bob"
    backend.trace(one)
    await one()
    assert backend.one("plan").name == "plan bob"
    assert said(backend.one("plan"))["gen_ai.agent.name"] == "bob"


async def test_tracing_twice_tells_everything_once(backend: Backend):
    [one] = guarded(backend, paint)
    backend.trace([one])
    await one()
    assert backend.names() == ["execute_tool paint", "plan", "simulate paint"]


def test_what_was_not_wrapped_cannot_be_traced():
    with pytest.raises(ConfigError, match=r"trace\(with_lookahead\(agent\)\)"):
        trace([paint])


def test_what_is_switched_off_may_be_traced_and_tells_nothing(backend: Backend):
    [one] = backend.trace(with_lookahead([paint], mode="off"))
    assert anyio.run(one) == "painted 1"
    assert backend.names() == []


def test_a_variable_turns_it_on_for_every_agent(monkeypatch: pytest.MonkeyPatch):
    for said, on in (("otel", True), ("off", False)):
        monkeypatch.setenv("LOOKAHEAD_TRACE", said)
        [one] = with_lookahead([paint], world=ScriptedWorld(script={"*": "ok"}), journal=":memory:")
        assert any(isinstance(watcher, Tracer) for watcher in one.lookahead.watchers) is on
    monkeypatch.setenv("LOOKAHEAD_TRACE", "otl")
    with pytest.raises(ConfigError, match="did you mean 'otel'"):
        with_lookahead([paint], journal=":memory:")


def test_a_file_turns_it_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "lookahead.toml").write_text('trace = "otel"\n')
    monkeypatch.chdir(tmp_path)
    [one] = with_lookahead([paint], journal=":memory:")
    assert any(isinstance(watcher, Tracer) for watcher in one.lookahead.watchers)


OFF = """
import sys, anyio
from lookahead import with_lookahead
async def paint() -> str:
    "Paint."
    return "painted"
[one] = with_lookahead([paint], journal=":memory:")
assert anyio.run(one) == "painted"
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
MISSING = """
import os, sys
sys.modules["opentelemetry"] = None
os.environ["LOOKAHEAD_TRACE"] = "otel"
from lookahead import with_lookahead
from lookahead.errors import ConfigError
def paint() -> str:
    "Paint."
try:
    with_lookahead([paint], journal=":memory:")
except ConfigError as error:
    print(error)
"""


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True).stdout


def test_switched_off_it_is_not_even_loaded():
    assert run(OFF).strip() == "[]"


def test_without_its_extra_it_says_which_line_is_needed():
    assert "pip install 'lookahead-agents[otel]'" in run(MISSING)
