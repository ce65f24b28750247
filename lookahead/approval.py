"""A person's yes: to exactly one call, in the state in which it was judged, once, and not for long."""

import inspect
import sys
from collections.abc import Awaitable, Callable
from time import time
from typing import TypeAlias

import anyio
import anyio.to_thread

from lookahead.journal import Approval
from lookahead.refusal import prompt
from lookahead.types import Action, Decision, Noun, Tool, digest_of


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


def binding_of(action: Action, tool: Tool | None, state: str) -> str:
    """What an approval is good for. Another argument, another schema or another state is another binding."""
    return digest_of("approval", action.digest, tool.digest if tool else "", state)


async def ask(approve: Approve, request: Request) -> Approval | None:
    """Put the question. Only `True` is a yes, and only while the request lives."""
    granted_at = time()
    with anyio.move_on_after(max(0.0, request.expires_at - granted_at)):
        answer = await _answer(approve, request)
        if answer is True and time() < request.expires_at:
            return Approval(
                id=digest_of(request.binding, request.decision.id)[:16],
                binding=request.binding,
                granted_at=granted_at,
                expires_at=request.expires_at,
                by=getattr(approve, "__name__", type(approve).__name__),
                seen=digest_of(request.text),
            )
    return None


async def _answer(approve: Approve, request: Request) -> object:
    if inspect.iscoroutinefunction(approve) or inspect.iscoroutinefunction(type(approve).__call__):
        return await approve(request)  # type: ignore[misc]
    # A callback that waits for a person must not hold up everybody else, nor outlive a cancelled call.
    # Boxed, because trio lets no thread hand back an awaitable.
    (answer,) = await anyio.to_thread.run_sync(lambda: (approve(request),), abandon_on_cancel=True)
    return await answer if inspect.isawaitable(answer) else answer


def terminal(request: Request) -> bool:
    """Ask on the terminal. No answer, or anything but a yes, is a no."""
    sys.stderr.write(f"{request.text}\nDo it? [y/N] ")
    sys.stderr.flush()
    try:
        return input().strip().lower() in ("y", "yes")
    except EOFError:
        return False


def somebody_is_there() -> bool:
    """Whether a question put on this terminal could be read and answered."""
    try:
        return sys.stdin.isatty() and sys.stderr.isatty()
    except (AttributeError, ValueError):
        return False
