"""A person's yes: to exactly one call, in the state in which it was judged, once, and not for long."""

import inspect
import select
import sys
import threading
from collections.abc import Awaitable, Callable
from time import localtime, strftime, time
from typing import Final, TypeAlias

import anyio
import anyio.to_thread

from lookahead.canonical import canonical, digest_of
from lookahead.journal import Approval, Decided
from lookahead.progress import progress, watched
from lookahead.refusal import OVERTAKEN, cleaned, first_imagined, prompt
from lookahead.show import call_line
from lookahead.types import Action, Decision, Noun, Tool

_LOOK: Final = 0.2
"""Seconds between two looks at whether the question still stands."""


class Request(Noun):
    """What a person is asked to allow."""

    decision: Decision
    tool: Tool | None
    binding: str
    expires_at: float

    @property
    def text(self) -> str:
        """The call, what it would do, and what is wrong with it, ready to be shown in a terminal."""
        return prompt(self.decision)


Approve: TypeAlias = Callable[[Request], bool | Awaitable[bool]]


def binding_of(action: Action, tool: Tool | None, state: str, prospect: str = "") -> str:
    """What an approval is good for. Another argument, schema, state or prospect is another binding."""
    return digest_of("approval", action.digest, tool.digest if tool else "", state, prospect)


def prospect_of(decision: Decision) -> str:
    """What the proposed action would do, as an exact copy showed it; empty where none did.

    The agent's steps are not all that happens to a world. When somebody else changed it, the copy shows something else,
    and a yes to what was shown before is not a yes to that. What a model imagines differs from time to time by itself.
    """
    said = first_imagined(decision, decision.proposed)
    if said is None or said.origin.kind != "exact":
        return ""
    effects = [effect.model_dump(mode="json") for effect in said.effects or ()]
    return digest_of(canonical([said.failed, effects]))


def noted(decision: Decision, overtaken: tuple[Approval, Decided] | None) -> Decision:
    """The decision, saying that a yes to this call is there and does not hold, and why."""
    if overtaken is None:
        return decision
    approval, judged = overtaken
    given = strftime("%H:%M:%S", localtime(approval.granted_at))
    why = "the agent did something since" if judged.state != decision.state else "what it would do is not the same now"
    note = f"{OVERTAKEN}: {approval.by} allowed this call at {given}, but {why}"
    return decision.model_copy(update={"notes": (*decision.notes, note)})


async def ask(approve: Approve, request: Request) -> Approval | None:
    """Put the question. Only `True` is a yes, and only while the request lives."""
    granted_at = time()
    with anyio.move_on_after(max(0.0, request.expires_at - granted_at)):
        answer = await _answer(approve, request)
        if answer is True and time() < request.expires_at:
            return approval_of(request, by=getattr(approve, "__name__", type(approve).__name__), granted_at=granted_at)
    return None


def approval_of(request: Request, *, by: str, granted_at: float) -> Approval:
    """The yes to this request."""
    return Approval(
        id=digest_of(request.binding, request.decision.id)[:16],
        binding=request.binding,
        granted_at=granted_at,
        expires_at=request.expires_at,
        by=by,
        seen=digest_of(request.text),
    )


async def _answer(approve: Approve, request: Request) -> object:
    if inspect.iscoroutinefunction(approve) or inspect.iscoroutinefunction(type(approve).__call__):
        return await approve(request)  # type: ignore[misc]
    # A callback that waits for a person must not hold up everybody else, nor outlive a cancelled call.
    # Boxed, because trio lets no thread hand back an awaitable.
    (answer,) = await anyio.to_thread.run_sync(lambda: (approve(request),), abandon_on_cancel=True)
    return await answer if inspect.isawaitable(answer) else answer


_one_question: Final = threading.Lock()
"""There is one terminal: two questions at once, and a yes could be read as the answer to the other one."""


async def terminal(request: Request) -> bool:
    """Ask on the terminal. No answer, or anything but a yes, is a no."""
    while not await anyio.to_thread.run_sync(_one_question.acquire, True, _LOOK):
        pass
    answered = False
    try:
        progress.over(request.decision.proposed)
        until = strftime("%H:%M:%S", localtime(request.expires_at))
        _say(f"{request.text}\n")
        _say(f"It waits for an answer until {until}; after that it is not done.\n", only_seen=True)
        _say(f"Do {call_line(cleaned(request.decision).proposed, 60)}? [y/N] ")
        # Never blocked in a read: an answer that comes after the question was withdrawn belongs to the next one.
        while not await anyio.to_thread.run_sync(_typed):
            pass
        answered = True
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    finally:
        _one_question.release()
        if not answered:
            _say("\nNot answered, so it is not done.\n", only_seen=True)


def _say(text: str, *, only_seen: bool = False) -> None:
    """`only_seen`: what is there for the eye of whoever waits, and not for a log."""
    if not only_seen or watched():
        sys.stderr.write(text)
        sys.stderr.flush()


def _typed() -> bool:
    """Whether a line is there to be read (or the end of all lines), after waiting for it a moment."""
    return bool(select.select([sys.stdin], [], [], _LOOK)[0])


def somebody_is_there() -> bool:
    """Whether a question put on this terminal could be read and answered."""
    try:
        return sys.stdin.isatty() and sys.stderr.isatty()
    except (AttributeError, ValueError):
        return False
