"""The same question asked at the same time is answered once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import anyio

from lookahead.errors import WorldError, WorldTimeout
from lookahead.worlds.loops import PerLoop

T = TypeVar("T")


@dataclass(kw_only=True)
class _Asked(Generic[T]):
    over: anyio.Event = field(default_factory=anyio.Event)
    answer: T | None = None
    failure: WorldError | None = None
    ended: bool = False
    """False when it was over before there was an answer: whoever asked was cancelled."""


class Shared(Generic[T]):
    """Whoever asks first is answered, and so are all who ask the same meanwhile.

    Where the first one is cancelled, the next in line asks in its place: nobody's answer hangs on somebody else's
    patience.
    """

    def __init__(self) -> None:
        self._asked: PerLoop[dict[str, _Asked[T]]] = PerLoop(dict)

    async def once(self, key: str, ask: Callable[[], Awaitable[T]], *, until: float) -> tuple[T, bool]:
        """The answer, and whether it was this caller's own question that brought it. Nobody waits beyond `until`."""
        asked = self._asked.get()
        while (going := asked.get(key)) is not None:
            with anyio.CancelScope(deadline=until):
                await going.over.wait()
            if not going.over.is_set():
                raise WorldTimeout("the same question was asked before, and has not been answered in time")
            if going.failure is not None:
                raise type(going.failure)(*going.failure.args) from going.failure.__cause__
            if going.ended:
                assert going.answer is not None
                return going.answer, False
        mine = asked[key] = _Asked[T]()
        try:
            mine.answer = await ask()
            mine.ended = True
            return mine.answer, True
        except WorldError as failure:
            mine.failure = failure
            raise
        finally:
            del asked[key]
            mine.over.set()
