"""A value for each event loop: an agent's own, and the one on which synchronous callers wait (see `lookahead.portal`).

What tasks wait on belongs to one loop. A world may be asked from several at the same time.
"""

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar, cast
from weakref import WeakKeyDictionary

from anyio.lowlevel import RunVar

T = TypeVar("T")

_shelf: Final[RunVar[WeakKeyDictionary["PerLoop[Any]", Any]]] = RunVar("lookahead.worlds")


class PerLoop(Generic[T]):
    """Made when a loop first asks for it; gone with that loop, or with whoever holds this."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make

    def get(self) -> T:
        shelf = _shelf.get(None)
        if shelf is None:
            shelf = WeakKeyDictionary["PerLoop[Any]", Any]()
            _shelf.set(shelf)
        if self not in shelf:
            shelf[self] = self._make()
        return cast(T, shelf[self])
