"""What one superstep of a graph runs: which tasks are siblings, and who of them speaks for all.

LangGraph tells a task nothing of the others. What is read here of its insides is all that this package reads; where
it is not found, a task is alone, and still guarded.
"""

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

from langchain_core.runnables import RunnableConfig

from lookahead.guard import new_id

_constants: Any = import_module("langgraph._internal._constants")
CONF: Final[str] = _constants.CONF
CONFIG_KEY_CALL: Final[str] = _constants.CONFIG_KEY_CALL
CONFIG_KEY_CHECKPOINT_NS: Final[str] = _constants.CONFIG_KEY_CHECKPOINT_NS
CONFIG_KEY_CHECKPOINTER: Final[str] = _constants.CONFIG_KEY_CHECKPOINTER
CONFIG_KEY_RUNTIME: Final[str] = _constants.CONFIG_KEY_RUNTIME
CONFIG_KEY_SCRATCHPAD: Final[str] = _constants.CONFIG_KEY_SCRATCHPAD
CONFIG_KEY_SEND: Final[str] = _constants.CONFIG_KEY_SEND
CONFIG_KEY_TASK_ID: Final[str] = _constants.CONFIG_KEY_TASK_ID
PUSH: Final[str] = _constants.PUSH
RESUME: Final[str] = _constants.RESUME

LOOK: Final = 0.5
"""Seconds between two looks at whether a sibling that is waited for is still there."""


class Gone(RuntimeError):
    """The sibling that was to speak for all ended before it did."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in a running graph a call is made."""

    conf: Mapping[str, Any]

    @classmethod
    def of(cls, config: RunnableConfig) -> "Place":
        return cls(conf=cast(dict[str, Any], config).get(CONF) or {})

    @property
    def loop(self) -> Any:
        scheduling = getattr(self.conf.get(CONFIG_KEY_CALL), "keywords", {}).get("schedule_task")
        return getattr(scheduling, "__self__", None)

    @property
    def task(self) -> str:
        return str(self.conf.get(CONFIG_KEY_TASK_ID) or "")

    @property
    def namespace(self) -> str:
        return str(self.conf.get(CONFIG_KEY_CHECKPOINT_NS) or "")

    @property
    def can_wait(self) -> bool:
        """Whether a question can stay open: without a checkpointer there is nothing to come back to."""
        return bool(self.conf.get(CONFIG_KEY_CHECKPOINTER))

    @property
    def attempt(self) -> int:
        """How often LangGraph has run this task now, counted from 1."""
        info = getattr(self.conf.get(CONFIG_KEY_RUNTIME), "execution_info", None)
        return int(getattr(info, "node_attempt", 1))

    @property
    def conversation(self) -> str:
        """The thread; without one, this one invocation."""
        if thread := self.conf.get("thread_id"):
            return str(thread)
        loop = self.loop
        if loop is None:
            return new_id()
        with _lock:
            return _invocations.setdefault(loop, new_id())

    @property
    def kept(self) -> list[Any]:
        """What this task was answered so far; LangGraph keeps it with the task."""
        scratchpad = self.conf.get(CONFIG_KEY_SCRATCHPAD)
        return cast(list[Any], scratchpad.resume) if scratchpad is not None else []

    def consume(self) -> int:
        return int(self.conf[CONFIG_KEY_SCRATCHPAD].interrupt_counter())

    def keep(self, index: int, value: Any) -> None:
        """Let this answer be the one that the task is given again, should it be run again."""
        kept = self.kept
        kept[index : index + 1] = [value]
        self.conf[CONFIG_KEY_SEND]([(RESUME, kept)])

    @property
    def _tasks(self) -> dict[str, Any]:
        return cast(dict[str, Any], getattr(self.loop, "tasks", None) or {})

    def siblings(self) -> list[tuple[str, Any]]:
        """The tasks of this node that still have to run in this superstep, in their order: id and input of each.

        Only those that were sent: a node that runs because its channel changed runs once.
        """
        tasks = self._tasks
        mine = tasks.get(self.task)
        if mine is None or mine.path[0] != PUSH:
            return []
        return [
            (one.id, one.input)
            for one in list(tasks.values())
            if one.name == mine.name and one.path[0] == PUSH and (one.id == mine.id or not one.writes)
        ]

    def over(self, task: str) -> bool:
        """Whether a task has ended, in whatever way."""
        known = self._tasks.get(task)
        return known is None or any(channel != RESUME for channel, _ in list(known.writes))


_lock = threading.Lock()
_invocations: "WeakKeyDictionary[Any, str]" = WeakKeyDictionary()


@dataclass(kw_only=True)
class Together:
    """What siblings share: the one that speaks for all, and what came of it."""

    leader: str
    members: frozenset[str]
    came: "Future[Any]" = field(default_factory=lambda: Future())
    passed: set[str] = field(default_factory=set[str])


@dataclass(kw_only=True)
class Meeting:
    """Brings the siblings of one superstep together. One for each guarded node."""

    _known: "WeakKeyDictionary[Any, tuple[int, Together]]" = field(default_factory=lambda: WeakKeyDictionary())
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, place: Place) -> Together | None:
        """The siblings that this task meets; None where it has none, or has met them already."""
        loop = place.loop
        if loop is None:
            return None
        step = int(getattr(loop, "step", 0))
        with self._lock:
            known = self._known.get(loop)
            if known is None or known[0] != step or place.task not in known[1].members:
                tasks = [task for task, _ in place.siblings()]
                if len(tasks) < 2:
                    return None
                known = (step, Together(leader=tasks[0], members=frozenset(tasks)))
                self._known[loop] = known
            together = known[1]
            if place.task in together.passed:
                return None  # it is tried again by itself
            together.passed.add(place.task)
            return together


def wait_here(together: Together, place: Place) -> Any:
    """In a thread of its own: until the one that speaks for all has spoken."""
    while not together.came.done():
        if _gone(together, place):
            raise Gone("the call that its siblings waited for ended before anything was decided; nothing was done")
        try:
            return together.came.result(timeout=LOOK)
        except TimeoutError:
            continue
    return together.came.result()


async def wait(together: Together, place: Place) -> Any:
    """The same on the event loop."""
    coming = asyncio.wrap_future(together.came)
    while not coming.done():
        if _gone(together, place):
            raise Gone("the call that its siblings waited for ended before anything was decided; nothing was done")
        await asyncio.wait({coming}, timeout=LOOK)
    return coming.result()


def _gone(together: Together, place: Place) -> bool:
    return not together.came.done() and place.over(together.leader) and not together.came.done()


__all__ = ["Gone", "Meeting", "Place", "Together", "wait", "wait_here"]
