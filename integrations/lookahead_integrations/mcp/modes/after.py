"""What is written down after an answer was given, and before the same conversation goes on."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

log: Final = logging.getLogger("lookahead.mcp")


@dataclass(kw_only=True, eq=False)
class After:
    """Results whose answers have gone out already. On asyncio only; elsewhere the answer waits for its record."""

    _under_way: dict[str, set[asyncio.Task[None]]] = field(default_factory=dict[str, set[asyncio.Task[None]]])

    async def do(self, run: str, write: Callable[[], Awaitable[object]]) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            await write()
            return

        async def written() -> None:
            await write()

        # No task group: a client that hangs up must not take the record of what it asked for with it.
        task = loop.create_task(written())
        mine = self._under_way.setdefault(run, set())
        mine.add(task)
        task.add_done_callback(lambda task: self._done(run, mine, task))

    def _done(self, run: str, mine: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
        mine.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("what was answered already could not be recorded: %s", error)
        if not mine and self._under_way.get(run) is mine:
            del self._under_way[run]

    async def settled(self, run: str) -> None:
        """Until all that was answered in this conversation so far is on record."""
        if mine := self._under_way.get(run):
            await asyncio.wait(tuple(mine))

    async def all_settled(self) -> None:
        while tasks := [task for mine in self._under_way.values() for task in mine]:
            await asyncio.wait(tasks)
