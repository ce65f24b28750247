"""What the rules know of a session's past, kept current as it grows instead of being gone through at every call."""

from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from lookahead.types import State, Step

T = TypeVar("T")

_KEPT: Final = 16
"""Sessions and branches whose last value is remembered."""


class History(Generic[T]):
    """A value that follows from the steps so far, one after the other. `more` makes a new value and changes none."""

    def __init__(self, begin: Callable[[], T], more: Callable[[T, Step], T]) -> None:
        self._begin = begin
        self._more = more
        self._known: deque[tuple[tuple[Step, ...], T]] = deque(maxlen=_KEPT)

    def of(self, state: State) -> T:
        steps = state.steps
        if not steps:
            return self._begin()
        value: T | None = None
        for known, before in tuple(self._known):
            if known is steps:
                return before
            # The same session one step earlier: a state only grows at the end, and keeps the very same steps.
            if len(steps) > 1 and known[-1] is steps[-2]:
                value = self._more(before, steps[-1])
                break
        else:
            value = self._begin()
            for step in steps:
                value = self._more(value, step)
        self._known.appendleft((steps, value))
        return value
