"""What a line tells whoever watches it, as it happens.

What begins is told in the task or thread that does it, before all that belongs to it; so a watcher may keep what is
under way in a context variable. An end is told in the same task. What was cut off has none of its own: it ended, at the
latest, with the thought that it belongs to.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, TypeAlias

from lookahead.types import Action, Asking, Complete, Completion, Decision, Message, Observation, Rollout, Verdict


@dataclass(frozen=True, kw_only=True)
class Began:
    """A call begins to be thought over."""

    run: str
    action: Action


@dataclass(frozen=True, kw_only=True)
class Proposed:
    candidates: tuple[Action, ...]


@dataclass(frozen=True, kw_only=True)
class Imagining:
    """One more step of a future, so many steps after its first."""

    action: Action
    step: Action
    depth: int


@dataclass(frozen=True, kw_only=True)
class Imagined:
    action: Action
    rollout: Rollout


@dataclass(frozen=True, kw_only=True)
class Judging:
    action: Action


@dataclass(frozen=True, kw_only=True)
class Judged:
    action: Action
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A language model is asked: by the world, a critic, or whoever thinks of alternatives."""

    model: str
    messages: tuple[Message, ...]
    asking: Asking


@dataclass(frozen=True, kw_only=True)
class Answered:
    """It has answered, or failed to."""

    completion: Completion | None = None
    error: BaseException | None = None


@dataclass(frozen=True, kw_only=True)
class Thought:
    """It is thought over. In shadow mode the decision is what the guard would have done; cut off, there is none."""

    run: str
    action: Action
    decision: Decision | None


@dataclass(frozen=True, kw_only=True)
class Decided:
    decision: Decision
    run: str = ""


@dataclass(frozen=True, kw_only=True)
class Acting:
    """The real thing begins, where it is we who call it."""

    run: str
    decision: Decision
    action: Action


@dataclass(frozen=True, kw_only=True)
class Acted:
    action: Action
    observation: Observation
    decision: Decision | None = None


@dataclass(frozen=True, kw_only=True)
class Over:
    """What `Acting` told of is over; an error, where it ended with one."""

    decision: Decision
    error: BaseException | None = None


Event: TypeAlias = (
    Began | Proposed | Imagining | Imagined | Judging | Judged | Asked | Answered | Thought | Decided
    | Acting | Acted | Over
)  # fmt: skip
Watch: TypeAlias = Callable[[Event], None]

_listening: Final[ContextVar[Watch | None]] = ContextVar("listening", default=None)


@contextmanager
def thinking_over(watch: Watch, run: str, action: Action) -> Generator[Callable[[Decision], Decision]]:
    """Tells of its beginning and its end, and has the watcher told of every model that is asked within."""
    made: list[Decision] = []

    def decided(decision: Decision) -> Decision:
        made.append(decision)
        return decision

    token = _listening.set(watch)
    watch(Began(run=run, action=action))
    try:
        yield decided
    finally:
        _listening.reset(token)
        watch(Thought(run=run, action=action, decision=made[-1] if made else None))


@contextmanager
def acting(watch: Watch, run: str, decision: Decision, action: Action) -> Generator[None]:
    """Tells that the real thing is done here, and when it is over."""
    watch(Acting(run=run, decision=decision, action=action))
    try:
        yield
    except BaseException as error:
        watch(Over(decision=decision, error=error))
        raise
    watch(Over(decision=decision))


async def asked(complete: Complete, messages: Sequence[Message], asking: Asking) -> Completion:
    """The model's answer, with whoever watches being told of it."""
    watch = _listening.get()
    if watch is None:
        return await complete(messages, asking)
    watch(Asked(model=str(getattr(complete, "name", "")), messages=tuple(messages), asking=asking))
    try:
        completion = await complete(messages, asking)
    except BaseException as error:
        watch(Answered(error=error))
        raise
    watch(Answered(completion=completion))
    return completion
