"""Writers that come at the same time share one transaction, so that they wait for the disk once, and not in turn."""

import os
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from lookahead.errors import JournalError, LookaheadError
from lookahead.journal.entries import Entry


@dataclass(kw_only=True, eq=False)
class Written:
    """What one writer wants on the disk: all of it or nothing, whatever becomes of what others write beside it."""

    entries: Sequence[Entry]
    done: bool = False
    error: BaseException | None = None
    _pid: int = field(default_factory=lambda: os.getpid())

    @property
    def mine(self) -> bool:
        """Whether somebody in this process waits for it: what a child inherits is written by its parent."""
        return self._pid == os.getpid()

    def end(self, error: BaseException | None = None) -> None:
        self.error, self.done = error, True

    def result(self) -> None:
        """Raises what went wrong, once it is done."""
        if self.error is None:
            return
        try:
            raise self.error
        finally:
            self.error = None  # or it would hold itself, by way of its traceback


Write: TypeAlias = Callable[[Sequence[Written]], None]
"""All of them in one transaction. Where it is the fault of one of several, `Unfit`, and nothing was written."""


class Unfit(Exception):
    """Of several that were to be written together one cannot be, and none was: each is tried by itself."""


@dataclass(kw_only=True)
class Together:
    """Whoever has its turn writes for all who wait."""

    turn: Callable[[], AbstractContextManager[None]]
    """One writer at a time."""
    _waiting: deque[Written] = field(default_factory=deque[Written])

    def leave(self, one: Written) -> None:
        """Nobody waits for it: whoever writes next writes it too, before its own."""
        self._waiting.append(one)

    @property
    def left(self) -> bool:
        return any(one.mine for one in tuple(self._waiting))

    def put(self, wanted: Sequence[Written], write: Write) -> None:
        """When this returns, each of these is done: on the disk, or ended with its own error.

        What was left is written before them; given none, it is written alone.
        """
        self._waiting.extend(wanted)
        try:
            with self.turn():
                if not wanted or not all(one.done for one in wanted):
                    _all(self._taken(), write)
        except BaseException:
            # Interrupted while it waited: what nobody waits for any more is not written later.
            for one in wanted:
                with suppress(ValueError):
                    self._waiting.remove(one)
            raise

    def _taken(self) -> list[Written]:
        taken: list[Written] = []
        while self._waiting:
            one = self._waiting.popleft()
            if one.mine:
                taken.append(one)
        return taken


def _all(taken: Sequence[Written], write: Write) -> None:
    try:
        write(taken)
    except Unfit:
        for one in taken:
            _all([one], write)
    except Exception as error:
        for number, one in enumerate(taken):
            one.end(_beside(error) if number else error)
    else:
        for one in taken:
            one.end()
    finally:
        for one in taken:
            if not one.done:
                one.end(JournalError("the writing of this was cut off: it is not known to be on record"))


def _beside(error: BaseException) -> Exception:
    """The same for somebody else: one exception is not raised in two threads."""
    same = type(error) if isinstance(error, LookaheadError) and type(error).__init__ is Exception.__init__ else None
    other = (same or JournalError)(str(error))
    other.__cause__ = error
    return other
