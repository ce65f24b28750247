"""What the agents of one wrapped tree share while they run: the session, whose conversation it is, what is held."""

import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final

import anyio
import anyio.to_thread

from lookahead.budget import spend
from lookahead.guard import new_id
from lookahead.held import Held
from lookahead.permit import Answer, Permit
from lookahead.portal import portal
from lookahead.session import Session
from lookahead.types import Action, Cost, State


@dataclass(kw_only=True)
class Stage:
    """One top-level run after another. Agents that are managed act in the conversation of whoever leads them."""

    _session: Session | None = None
    _conversation: Session | None = None

    @property
    def session(self) -> Session:
        assert self._session is not None, "the session is opened before anything can be called"
        return self._session

    @session.setter
    def session(self, session: Session) -> None:
        self._session = session

    @property
    def conversation(self) -> Session:
        return self._conversation or self.session

    def begins(self, task: str, *, anew: bool) -> None:
        """A run of the outermost agent begins."""
        if anew or self._conversation is None:
            self._conversation = self.session.conversation(new_id())
            if not self.session.state.goal:
                state = self._conversation.state
                self._conversation.state = state.model_copy(update={"goal": task})


@dataclass(kw_only=True)
class Hand:
    """What one agent has proposed and not begun."""

    stage: Stage
    _held: dict[str, list[Held | Answer]] = field(default_factory=dict[str, list[Held | Answer]], repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def hold(self, actions: Sequence[Action]) -> None:
        """Judge all calls of one message, and put all questions, before the first of them begins."""
        conversation = self.stage.conversation

        async def all_of_them() -> list[Held | Answer]:
            held: dict[int, Held | Answer] = {}

            async def one(place: int, action: Action) -> None:
                held[place] = await conversation.hold(action)

            async with anyio.create_task_group() as tasks:
                for place, action in enumerate(actions):
                    tasks.start_soon(one, place, action)
            return [held[place] for place in range(len(actions))]

        with self._lock:
            self._held.clear()
        if actions:
            for action, held in zip(actions, portal.call(all_of_them), strict=True):
                self._held.setdefault(action.digest, []).append(held)

    def begin(self, action: Action) -> Permit | Answer:
        with self._lock:
            waiting = self._held.get(action.digest)
            held = waiting.pop(0) if waiting else None
        if held is None:
            return self.stage.conversation.begin_here(action)
        return portal.call(self.stage.conversation.release, held) if isinstance(held, Held) else held


@dataclass(kw_only=True)
class Sampling:
    """The model call that is being acted upon, so that it can be made again for alternatives."""

    again: Callable[[], Sequence[Action]]
    """Asks the agent's own model the same once more; the calls that it then proposes."""


sampling: Final[ContextVar[Sampling | None]] = ContextVar("lookahead.smolagents.sampling", default=None)


async def rivals(state: State, n: int, /) -> Sequence[Action]:
    """What the agent's own model says when it is asked the same again."""
    asked = sampling.get()
    if asked is None:
        return []
    found: list[Action] = []

    async def one() -> None:
        begun = perf_counter()
        found.extend((await anyio.to_thread.run_sync(asked.again))[:1])
        spend(Cost(calls=1, seconds=perf_counter() - begun))

    async with anyio.create_task_group() as tasks:
        for _ in range(n):
            tasks.start_soon(one)
    return found


@dataclass(kw_only=True)
class Turn:
    """One piece of code that an agent has written, while it runs; waiting for the line does not count as running."""

    around: "Turn | None" = None
    """The code that called the agent whose code this is."""
    over: bool = False
    waited: float = 0.0
    _since: dict[int, float] = field(default_factory=dict[int, float])
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __enter__(self) -> "Turn":
        with self._lock:
            self._since[threading.get_ident()] = perf_counter()
        if self.around is not None:
            self.around.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        with self._lock:
            self.waited += perf_counter() - self._since.pop(threading.get_ident())
        if self.around is not None:
            self.around.__exit__(*error)

    @property
    def ended(self) -> bool:
        return self.over or (self.around is not None and self.around.ended)

    def held_up(self) -> float:
        """Seconds that this code stood still because somebody looked ahead or was asked."""
        with self._lock:
            return self.waited + sum(perf_counter() - since for since in self._since.values())


turn: Final[ContextVar[Turn | None]] = ContextVar("lookahead.smolagents.turn", default=None)
