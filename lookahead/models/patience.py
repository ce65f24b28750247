"""Asking again: what may be, how long to wait before, and never past the deadline."""

import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import anyio

from lookahead.models.failures import hopeless, kinds_of, retry_after, status_of

T = TypeVar("T")

_AGAIN: Final = (408, 425, 429, 500, 502, 503, 504, 529)
_LESSONS: Final = 16
"""More refusals that teach something than there are things to leave out."""
_LONGEST: Final = 8.0


async def patiently(
    send: Callable[[], Awaitable[T]],
    *,
    until: float,
    retries: int,
    pause: float,
    learn: Callable[[BaseException], bool] = lambda cause: False,
    fresh: Callable[[], bool] = lambda: True,
) -> T:
    """What `send` hands back, in the end.

    `learn` says of a failure that the next try will be another request; `fresh`, that nothing was handed out yet.
    """
    lessons = tries = 0
    while True:
        try:
            return await send()
        except Exception as cause:
            if not fresh():
                raise
            if lessons < _LESSONS and learn(cause):
                lessons += 1
                continue
            wait = waiting(cause, tries, pause)
            if wait is None or tries >= retries or anyio.current_time() + wait >= until:
                raise
        tries += 1
        await anyio.sleep(wait)


def waiting(cause: BaseException, tries: int, pause: float) -> float | None:
    """How many seconds to wait before asking again after this; None where asking again cannot help."""
    status = status_of(cause)
    again = status in _AGAIN or getattr(cause, "again", False)
    if status is None and not again:
        again = bool(kinds_of(cause) & {"APIConnectionError", "TransportError", "OSError"})
    if not again or hopeless(cause):
        return None
    asked = retry_after(cause)
    if asked is not None:
        return asked
    # Many that failed together must not come back together.
    return min(_LONGEST, pause * 2**tries) * random.uniform(0.5, 1.0)
