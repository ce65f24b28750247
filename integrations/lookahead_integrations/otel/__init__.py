"""OpenTelemetry: what is thought over, imagined, judged and done, as spans after the GenAI conventions.

    plan {agent}                 one decision: what was chosen, by which rule
      simulate {tool}            one imagined step; nothing happened, so it is never `execute_tool`
        chat {model}             a language model that was asked on the way
      evaluate {tool}            a verdict that took a language model
    execute_tool {tool}          the real call; a framework that makes this span itself keeps its own

Every verdict is a log event `gen_ai.evaluation.result`. Set `LOOKAHEAD_TRACE=otel`, or call `trace(agent)`.
Arguments, results, prompts and reasons are written only where the conventions' own switch
(OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT) or `content=True` asks for them; secrets never.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar, cast

try:
    from opentelemetry._logs import LoggerProvider, get_logger
    from opentelemetry.trace import TracerProvider, get_tracer
except ImportError as error:
    raise ImportError(f"{error}; pip install 'lookahead-agents[otel]'", name=error.name) from error

from lookahead import __version__
from lookahead.errors import ConfigError
from lookahead.events import Watch
from lookahead.session import Off, Session
from lookahead_integrations.otel.tracer import Tracer

__all__ = ["trace", "watcher"]

A = TypeVar("A")

SWITCH: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_ON: Final = ("true", "1", "span_only", "span_and_event")


def trace(
    agent: A,
    *,
    tracer_provider: TracerProvider | None = None,
    logger_provider: LoggerProvider | None = None,
    content: bool | None = None,
) -> A:
    """Trace an agent that `with_lookahead` has wrapped, and hand it back. Without providers: the global ones.

    `content` writes arguments, results, prompts and reasons too; None leaves that to the conventions' switch.
    """
    sessions = list(_sessions(agent))
    if not sessions:
        raise ConfigError(
            f"there is nothing to trace in this {type(agent).__name__}: wrap it first: trace(with_lookahead(agent))"
        )
    for session in sessions:
        if isinstance(session, Session):
            session.watchers[:] = [one for one in session.watchers if not isinstance(one, Tracer)]
            session.watch(watcher(session, tracer_provider, logger_provider, content))
    return agent


def watcher(
    session: Session,
    tracer_provider: TracerProvider | None = None,
    logger_provider: LoggerProvider | None = None,
    content: bool | None = None,
) -> Watch:
    """What `LOOKAHEAD_TRACE=otel` has each session watched by."""
    if content is None:
        content = os.environ.get(SWITCH, "").strip().lower() in _ON
    return Tracer(
        agent=session.agent,
        mode=session.mode,
        tracer=get_tracer("lookahead", __version__, tracer_provider),
        logger=get_logger("lookahead", __version__, logger_provider),
        content=content,
    )


def _sessions(agent: object) -> Iterable[Session | Off]:
    parts: Iterable[object] = (agent,)
    if isinstance(agent, Mapping):
        parts = cast(Mapping[Any, object], agent).values()
    elif isinstance(agent, list | tuple | set | frozenset):
        parts = cast(Iterable[object], agent)
    found = (getattr(part, "lookahead", None) for part in parts)
    return {id(one): one for one in found if isinstance(one, Session | Off)}.values()
