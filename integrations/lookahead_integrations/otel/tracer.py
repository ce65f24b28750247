"""Turns what a session tells into spans. What is under way is kept in OpenTelemetry's own context."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import time_ns
from typing import Any, Final

from opentelemetry import context
from opentelemetry._logs import Logger, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace import Tracer as Telemetry

from lookahead.events import (
    Acted,
    Acting,
    Answered,
    Asked,
    Began,
    Decided,
    Event,
    Imagined,
    Imagining,
    Judged,
    Judging,
    Over,
    Proposed,
    Thought,
)
from lookahead.redact import shared
from lookahead.types import Decision
from lookahead_integrations.otel.under_way import (
    CHAT,
    PLAN,
    STEP,
    VERDICT,
    Open,
    Plan,
    Verdict,
    current,
    cut_off,
    executes,
    failed,
    found,
    under,
)
from lookahead_integrations.otel.words import (
    KIND,
    clean,
    content_of,
    of_act,
    of_answer,
    of_decision,
    of_question,
    of_result,
    of_step,
    of_verdict,
)

_LINKS: Final = 1000
"""So many decisions are remembered for the calls that follow from them."""


@dataclass(kw_only=True, eq=False)
class Tracer:
    """Watches one session."""

    agent: str
    mode: str
    tracer: Telemetry
    logger: Logger
    content: bool
    _plans: OrderedDict[str, tuple[SpanContext, Decision]] = field(
        default_factory=OrderedDict[str, tuple[SpanContext, Decision]]
    )
    _acts: dict[str, Open] = field(default_factory=dict[str, Open])
    """Real calls that we make, by the id of their decision."""

    def __call__(self, event: Event) -> None:
        match event:
            case Began():
                self._begun(event)
            case Proposed():
                self._proposed(event)
            case Imagining():
                self._imagining(event)
            case Imagined():
                self._imagined(event)
            case Judging():
                self._judging(event)
            case Judged():
                self._judged(event)
            case Asked():
                self._asked(event)
            case Answered():
                self._answered(event)
            case Thought():
                self._thought(event)
            case Decided():
                self._decided(event)
            case Acting():
                self._act(event)
            case Over():
                self._over(event)
            case Acted():
                self._acted(event)

    # ---- thinking ----

    def _begun(self, event: Began) -> None:
        span = self._plan(event.run, {})
        plan = Plan(span=span, action=event.action, run=event.run)
        plan.place(event.action)
        plan.token = current(span, PLAN, plan)

    def _proposed(self, event: Proposed) -> None:
        if plan := found(PLAN, Plan):
            for candidate in event.candidates:
                plan.place(candidate)

    def _imagining(self, event: Imagining) -> None:
        plan = found(PLAN, Plan)
        said: dict[str, Any] = {
            "lookahead.simulated": True,
            "lookahead.mode": self.mode,
            "lookahead.tool.name": event.step.tool,
            "lookahead.depth": event.depth,
            "langfuse.observation.type": "span",
            KIND: "CHAIN",
        }
        if plan is not None:
            said["lookahead.candidate.index"] = plan.place(event.action)
        if self.content:
            said["lookahead.arguments"] = content_of(event.step.arguments)
        step = Open(span=self._span(f"simulate {event.step.tool}", said))
        if plan is not None:
            plan.steps.setdefault(plan.place(event.action), []).append(step)
        step.token = current(step.span, STEP, step)

    def _imagined(self, event: Imagined) -> None:
        step = found(STEP, Open)
        if step is None or step.ended is not None:
            return  # nobody was asked
        step.ended = time_ns()
        step.leave()
        status, said = of_step(event.rollout, content=self.content)
        step.span.set_attributes(clean(said))
        if status:
            step.span.set_status(Status(StatusCode.ERROR, shared().text(status)))
        if found(PLAN, Plan) is None:
            step.end()

    def _judging(self, event: Judging) -> None:
        judging = Verdict(tool=event.action.tool, since=time_ns())
        if plan := found(PLAN, Plan):
            plan.verdicts.append(judging)
        judging.token = context.attach(context.set_value(VERDICT, judging))

    def _judged(self, event: Judged) -> None:
        if judging := found(VERDICT, Verdict):
            if judging.open is not None:
                judging.open.end()
            context.detach(judging.token)
        said = of_verdict(event.verdict, content=self.content)
        plan, parent = found(PLAN, Plan), None
        steps = plan.steps.pop(plan.place(event.action), []) if plan else []
        if steps:
            parent = set_span_in_context(steps[-1].span)
            steps[-1].span.set_attribute("lookahead.score", event.verdict.score)
            if worst := event.verdict.worst:
                steps[-1].span.set_attribute("lookahead.worst", worst.severity)
        self._log("gen_ai.evaluation.result", said, parent)
        for step in steps:
            step.end()

    def _thought(self, event: Thought) -> None:
        plan = found(PLAN, Plan)
        if plan is None:
            return
        plan.leave()
        for step in [step for steps in plan.steps.values() for step in steps]:
            if step.ended is None:
                cut_off(step)
            step.end()
        for judging in plan.verdicts:
            if judging.open is not None and not judging.open.done:
                cut_off(judging.open)
                judging.open.end()
        said: dict[str, Any] = {"lookahead.candidates": len(plan.places)}
        if event.decision is None:
            if self.mode == "guard":
                plan.span.set_status(Status(StatusCode.ERROR, "cut off"))
        else:
            self._remember(event.decision, plan.span)
            said |= of_decision(event.decision, plan.places, content=self.content)
        plan.span.set_attributes(clean(said))
        plan.end()

    # ---- language models ----

    def _asked(self, event: Asked) -> None:
        parent = context.get_current()
        judging = found(VERDICT, Verdict)
        if judging is not None:
            if judging.open is None:
                said = {"lookahead.tool.name": judging.tool, "lookahead.mode": self.mode, KIND: "EVALUATOR"}
                span = self._span(f"evaluate {judging.tool}", said, start=judging.since)
                judging.open = Open(span=span)
            parent = set_span_in_context(judging.open.span)
        name, said = of_question(event, content=self.content)
        chat = Open(span=self._span(name, said, kind=SpanKind.CLIENT, parent=parent))
        chat.token = current(chat.span, CHAT, chat)

    def _answered(self, event: Answered) -> None:
        chat = found(CHAT, Open)
        if chat is None:
            return
        chat.leave()
        if event.completion is not None:
            chat.span.set_attributes(clean(of_answer(event.completion, content=self.content)))
        if event.error is not None:
            failed(chat.span, event.error)
        chat.end()

    # ---- deciding and doing ----

    def _decided(self, event: Decided) -> None:
        decision = event.decision
        said = of_decision(decision, {decision.proposed.digest: 0}, content=self.content)
        known = self._plans.get(decision.id)
        if known is None:
            if decision.chosen is None:
                # A rule refused it before anybody had to think.
                plan = self._plan(event.run, said)
                self._remember(decision, plan)
                plan.end()
        elif (known[1].choice, known[1].chosen) != (decision.choice, decision.chosen):
            # A person was asked meanwhile, or what was judged does not hold any more.
            self._log("lookahead.decision", said, under(known[0]))

    def _act(self, event: Acting) -> None:
        decision = event.decision
        said = of_act(event.action, decision, self.agent, event.run, content=self.content)
        span = self._span(f"execute_tool {event.action.tool}", said, links=self._links(decision))
        act = self._acts[decision.id] = Open(span=span)
        act.token = context.attach(set_span_in_context(span))

    def _over(self, event: Over) -> None:
        act = self._acts.get(event.decision.id)
        if act is None:
            return
        act.ended = time_ns()
        act.leave()
        if event.error is not None:
            failed(act.span, event.error)
            if not isinstance(event.error, Exception):
                # Cut off: nobody will say what came of it.
                del self._acts[event.decision.id]
                act.end()

    def _acted(self, event: Acted) -> None:
        decision, act = event.decision, None
        if decision is not None:
            act = self._acts.pop(decision.id, None)
        said = of_result(event.observation, content=self.content)
        if act is not None:
            act.span.set_attributes(clean(said))
            if event.observation.failed and act.span.is_recording():
                act.span.set_status(Status(StatusCode.ERROR))
            act.end()
        elif decision is not None:
            self._told_of_theirs(decision)

    def _told_of_theirs(self, decision: Decision) -> None:
        """The framework's own span of the call, where there is one, says what it came from."""
        span = get_current_span()
        if executes(span):
            span.set_attributes(clean(of_act(None, decision, "", "", content=False)))
            for link in self._links(decision):
                span.add_link(link.context, link.attributes)
        elif decision.choice == "swap" and decision.id in self._plans:
            said = of_act(None, decision, "", "", content=False)
            self._log("lookahead.substituted", said, under(self._plans[decision.id][0]))

    # ---- within ----

    def _plan(self, run: str, said: Mapping[str, Any]) -> Span:
        named = f"plan {self.agent}" if self.agent else "plan"
        about: dict[str, Any] = {"gen_ai.operation.name": "plan", "lookahead.mode": self.mode, KIND: "AGENT"}
        if self.agent:
            about["gen_ai.agent.name"] = self.agent
        if run:
            about["gen_ai.conversation.id"] = run
        return self._span(named, {**about, **said})

    def _span(
        self,
        name: str,
        said: Mapping[str, Any],
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        parent: Context | None = None,
        start: int | None = None,
        links: list[Link] | None = None,
    ) -> Span:
        return self.tracer.start_span(
            shared().text(name), parent, kind, attributes=clean(said), links=links, start_time=start
        )

    def _log(self, name: str, said: Mapping[str, Any], parent: Context | None) -> None:
        self.logger.emit(
            event_name=name,
            context=parent or context.get_current(),
            timestamp=time_ns(),
            severity_number=SeverityNumber.INFO,
            attributes=clean(said),
        )

    def _links(self, decision: Decision) -> list[Link]:
        known = self._plans.get(decision.id)
        return [Link(known[0], {"lookahead.link": "plan"})] if known else []

    def _remember(self, decision: Decision, span: Span) -> None:
        self._plans[decision.id] = (span.get_span_context(), decision)
        while len(self._plans) > _LINKS:
            self._plans.popitem(last=False)
