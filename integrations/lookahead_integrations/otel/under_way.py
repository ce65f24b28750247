"""What is under way: spans that are open, in the contexts that were made current for them."""

from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from opentelemetry import context
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, Status, StatusCode, set_span_in_context

from lookahead.redact import shared
from lookahead.types import Action
from lookahead_integrations.otel.words import KIND

T = TypeVar("T")

PLAN: Final = context.create_key("lookahead-plan")
STEP: Final = context.create_key("lookahead-step")
VERDICT: Final = context.create_key("lookahead-verdict")
CHAT: Final = context.create_key("lookahead-chat")


@dataclass(kw_only=True, eq=False)
class Open:
    """A span that is under way, in the context that was made current for it."""

    span: Span
    token: Any = None
    ended: int | None = None
    """When what it stands for was over. The span is ended when all is known of it."""
    done: bool = False

    def leave(self) -> None:
        """What follows in this task is no part of it."""
        token, self.token = self.token, None
        if token is not None:
            context.detach(token)

    def end(self) -> None:
        if not self.done:
            self.done = True
            self.span.end(self.ended)


@dataclass(kw_only=True, eq=False)
class Verdict:
    """A verdict under way. It has a span only where it takes a language model: rules answer at once."""

    tool: str
    since: int
    token: Any = None
    open: Open | None = None


@dataclass(kw_only=True, eq=False)
class Plan(Open):
    action: Action
    run: str
    places: dict[str, int] = field(default_factory=dict[str, int])
    """Which candidate a future is, by the digest of its first action. The agent's own is the first."""
    steps: dict[int, list[Open]] = field(default_factory=dict[int, list[Open]])
    verdicts: list[Verdict] = field(default_factory=list[Verdict])

    def place(self, action: Action) -> int:
        return self.places.setdefault(action.digest, len(self.places))


def current(span: Span, key: str, held: object) -> Any:
    return context.attach(set_span_in_context(span, context.set_value(key, held)))


def found(key: str, kind: type[T]) -> T | None:
    held = context.get_value(key)
    return held if isinstance(held, kind) else None


def under(parent: SpanContext) -> Context:
    return set_span_in_context(NonRecordingSpan(parent))


def cut_off(one: Open) -> None:
    one.span.set_attribute("lookahead.failed", True)
    one.span.set_status(Status(StatusCode.ERROR, "nothing came of it"))


def failed(span: Span, error: BaseException) -> None:
    span.set_attribute("error.type", type(error).__qualname__)
    span.set_status(Status(StatusCode.ERROR, shared().exception(error)))


def executes(span: Span) -> bool:
    """Whether this span stands for a real tool call, by the conventions or by OpenInference's."""
    if not span.is_recording():
        return False
    said: Any = getattr(span, "attributes", None) or {}
    return said.get("gen_ai.operation.name") == "execute_tool" or said.get(KIND) == "TOOL"
