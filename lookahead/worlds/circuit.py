"""A fuse round a world: nobody waits longer than its deadline, nor for a world that is known to be down."""

import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self

import anyio

from lookahead.errors import (
    ConfigError,
    ContextTooLong,
    ModelCutOff,
    ModelRefused,
    NotMyWorld,
    OutOfReach,
    WorldError,
    WorldTimeout,
    boundary,
)
from lookahead.search.thinking import name_of
from lookahead.types import Action, Copying, Environment, Message, Observation, Rollout, State
from lookahead.worlds.loops import PerLoop
from lookahead.worlds.transcript import transcript

ABOUT_THE_CALL: Final = (ContextTooLong, ModelCutOff, ModelRefused)
"""Failures of a model that is up: they say something about this one call, and nothing about the next."""
FAIR: Final = 0.5
"""A world that had less than this part of the time, because the call stood in the queue, is not blamed."""
_EXCERPT: Final = 300


class Circuit:
    """The same world, in which a failure is quick.

    - At most `at_once` calls are under way and `waiting` more wait, first come first served. The next is told at once
      that the world is busy.
    - A call that has not been answered `seconds` after it was made, its time in the queue included, ends.
    - After `after` failures in a row nobody asks for `rest` seconds; then one call goes through, and decides whether
      the others may.

    It is `Copying` when the world is.
    """

    def __new__(cls, world: Environment, *args: Any, **options: Any) -> Self:
        keeps = isinstance(world, Copying) and cls is Circuit
        return super().__new__(_CopyingCircuit if keeps else cls)  # type: ignore[return-value]

    def __init__(
        self,
        world: Environment,
        *,
        seconds: float = 60.0,
        after: int = 5,
        rest: float = 30.0,
        at_once: int = 16,
        waiting: int = 256,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        if seconds <= 0 or rest <= 0 or after < 1 or at_once < 1 or waiting < 0:
            raise ConfigError(
                f"Circuit(seconds={seconds}, after={after}, rest={rest}, at_once={at_once}, waiting={waiting}): "
                "waiting is 0 or more, all others are more than 0"
            )
        self.seconds = seconds
        self._world = world
        self._waiting = waiting
        self._breaker = Breaker(world=world, after=after, rest=rest, clock=clock)
        self._queue = PerLoop(lambda: _Queue(places=anyio.Semaphore(at_once)))

    @property
    def name(self) -> str:
        return name_of(self._world)

    async def __aenter__(self) -> Self:
        enter: Callable[[], Awaitable[Any]] | None = getattr(self._world, "__aenter__", None)
        if enter is not None:
            await enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        close: Callable[[], Awaitable[Any]] | None = getattr(self._world, "aclose", None)
        if close is not None:
            await close()

    async def __call__(self, state: State, action: Action, /) -> Observation:
        self._breaker.look()
        attempt: Attempt | None = None
        begun = until = anyio.current_time() + self.seconds
        with anyio.CancelScope(deadline=until):
            async with self._place():
                begun = anyio.current_time()
                with self._breaker.asking() as attempt:
                    return await self._ask(state, action)
        late = "its turn had not come" if attempt is None else "it was asked, and said nothing"
        error = WorldTimeout(f"{self.name}: no answer within {self.seconds:g} seconds: {late}")
        if attempt is not None and until - begun >= self.seconds * FAIR:
            self._breaker.ended(error, probe=attempt.probe)
        raise error

    async def transcript(self, state: State, rollout: Rollout, /) -> Sequence[Message]:
        """The chat in which the world foretold the last step, where it has chats."""
        return await transcript(self._world, state, rollout)

    async def _ask(self, state: State, action: Action) -> Observation:
        with boundary(WorldError, f"{self.name} was asked about {action.tool!r}"):
            return await self._world(state, action)

    @asynccontextmanager
    async def _place(self) -> AsyncGenerator[None]:
        """One of the places to ask from: a free one, or the next that becomes free in its turn."""
        queue = self._queue.get()
        try:
            queue.places.acquire_nowait()
        except anyio.WouldBlock:
            await self._wait_in(queue)
        try:
            yield
        finally:
            queue.places.release()

    async def _wait_in(self, queue: "_Queue") -> None:
        if queue.length >= self._waiting:
            raise WorldError(
                f"{self.name} is busy: {queue.length} calls wait for it already. "
                "Decide fewer calls at the same time, or give it more room: Circuit(at_once=…, waiting=…)"
            )
        queue.length += 1
        try:
            await queue.places.acquire()
        finally:
            queue.length -= 1


class _CopyingCircuit(Circuit):
    async def discard(self) -> None:
        assert isinstance(self._world, Copying)
        await self._world.discard()


@dataclass(kw_only=True)
class _Queue:
    places: anyio.Semaphore
    length: int = 0


@dataclass(kw_only=True)
class Breaker:
    """Counts failures in a row. May be shared by threads."""

    world: Environment
    after: int
    rest: float
    clock: Callable[[], float] = monotonic
    _failures: int = 0
    _last: str = ""
    _until: float | None = None
    """When the next call may try; None while all may."""
    _trying: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def look(self) -> None:
        """Raise where asking would be in vain, and take nothing: the call may still have to wait for its turn."""
        with self._lock:
            self._refuse()

    def asking(self) -> "Attempt":
        """One attempt, which tells how it ended. Raises where none is to be made."""
        with self._lock:
            self._refuse()
            probe = self._until is not None
            self._trying = self._trying or probe
        return Attempt(breaker=self, probe=probe)

    def _refuse(self) -> None:
        if self._until is None:
            return
        left = self._until - self.clock()
        if left <= 0 and not self._trying:
            return
        when = "one call is trying it now" if self._trying else f"it is tried again in {max(1, round(left))} seconds"
        raise WorldError(
            f"{name_of(self.world)} failed {_times(self._failures)}, so it is not asked; {when}. "
            f"It last said: {self._last}"
        )

    def ended(self, error: BaseException | None, *, probe: bool) -> None:
        about_the_call = isinstance(error, NotMyWorld | OutOfReach) or (
            error is not None and isinstance(error.__cause__, ABOUT_THE_CALL)
        )
        with self._lock:
            if probe:
                self._trying = False
            if error is None:
                self._failures, self._until = 0, None
            elif not about_the_call:
                self._failures += 1
                self._last = str(error)[:_EXCERPT]
                if self._failures >= self.after:
                    self._until = self.clock() + self.rest
            elif probe:
                # It answered, so it is up.
                self._failures, self._until = 0, None

    def given_up(self, *, probe: bool) -> None:
        """Nobody waited for the end, so nothing is known: whoever comes next may try."""
        with self._lock:
            if probe:
                self._trying = False


def _times(failures: int) -> str:
    return "just now" if failures == 1 else f"{failures} times in a row"


@dataclass(kw_only=True)
class Attempt:
    """One call that was let through."""

    breaker: Breaker
    probe: bool

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, Exception):
            self.breaker.ended(error, probe=self.probe)
        else:
            self.breaker.given_up(probe=self.probe)
