"""What is written down after an answer was given, and before the same conversation goes on."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from lookahead.journal import Written

log: Final = logging.getLogger("lookahead.mcp")

SOON: Final = 0.01
"""Seconds that a result may wait for something that is written anyway."""
MANY: Final = 64
"""So many are written even sooner."""

Write = Callable[[], Awaitable[object]]


@dataclass(kw_only=True, eq=False)
class After:
    """Results whose answers have gone out already. On asyncio only; elsewhere the answer waits for its record."""

    broken: bool = False
    """Something could not be recorded of late: calls are answered after their record again, until it can."""
    _under_way: dict[str, set[asyncio.Task[None]]] = field(default_factory=dict[str, set[asyncio.Task[None]]])
    _answering: list[Callable[[], Written]] = field(default_factory=list[Callable[[], Written]])
    _left: list[Written] = field(default_factory=list[Written])
    _flush: Write | None = None
    _timer: asyncio.TimerHandle | None = None
    _flushing: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def do(self, run: str, write: Write) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            await write()
            return
        # No task group: a client that hangs up must not take the record of what it asked for with it.
        task = loop.create_task(_awaited(write))
        mine = self._under_way.setdefault(run, set())
        mine.add(task)
        task.add_done_callback(lambda task: self._done(run, mine, task))

    async def soon(self, leave: Callable[[], Written], flush: Write) -> None:
        """The record is left to the next write, and flushed by itself where there is none soon.

        Not before the answer is out: one that was on record and never came would be asked for again as another call.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            left = leave()
            await flush()
            left.result()
            return
        self._answering.append(leave)
        self._flush = flush
        loop.call_soon(self._answered)
        if self._timer is None:
            self._timer = loop.call_later(SOON, self._begin)

    def _answered(self) -> None:
        self._look()
        self._left += [leave() for leave in self._answering]
        self._answering.clear()
        if len(self._left) >= MANY:
            self._begin()

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._answering:
            self._answered()
        self._look()
        if self._left and self._flush is not None:
            task = asyncio.get_running_loop().create_task(_awaited(self._flush))
            self._flushing.add(task)
            task.add_done_callback(self._flushed)

    def _flushed(self, task: asyncio.Task[None]) -> None:
        self._flushing.discard(task)
        if not _went_well(task):
            self.broken = True
        self._look()

    def _look(self) -> None:
        """What has been written, or has failed, needs no more care."""
        for one in self._left:
            if one.done and one.error is not None:
                self.broken = True
                log.error("what was answered already could not be recorded: %s", one.error)
        self._left = [one for one in self._left if not one.done]

    def _done(self, run: str, mine: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
        mine.discard(task)
        _went_well(task)
        if not mine and self._under_way.get(run) is mine:
            del self._under_way[run]

    async def settled(self, run: str) -> None:
        """Until what is being written of this conversation is; what was left is so with its next write."""
        if mine := self._under_way.get(run):
            await asyncio.wait(tuple(mine))

    async def all_settled(self) -> None:
        if self._answering or self._left:
            self._begin()
        while tasks := [*self._flushing, *(task for mine in self._under_way.values() for task in mine)]:
            await asyncio.wait(tasks)


async def _awaited(write: Write) -> None:
    await write()


def _went_well(task: asyncio.Task[None]) -> bool:
    if task.cancelled():
        return False
    if (error := task.exception()) is not None:
        log.error("what was answered already could not be recorded: %s", error)
    return error is None
