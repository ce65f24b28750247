"""An exact world for any Python environment that can be copied."""

import copy as copying
import functools
import inspect
import json
import time
import types
from collections.abc import Awaitable, Callable, Collection
from fnmatch import fnmatchcase
from types import TracebackType
from typing import Generic, Self, TypeVar, cast

import anyio
import anyio.to_thread
from pydantic import BaseModel, JsonValue

from lookahead.errors import NotMyWorld, WorldError
from lookahead.types import Action, Cost, Observation, Origin, State, Step
from lookahead.worlds.branch import Copies, branch_key, steps_to_replay, up_to
from lookahead.worlds.fork.structure import Camera, Node, attributes, compare

S = TypeVar("S")

_GETTERS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, functools.partial)


class PythonFork(Generic[S]):
    """Does an action to a copy of a Python object, and says what became different in it.

    `call(subject, action)` is the tool, sync or async; what it returns is the answer, and what it raises is the answer
    of a failed call. It must reach the environment through its argument only: a global it touches is touched for real.
    `subject` is the environment, or a function without arguments that returns the present one.

    The copy is taken in one go, so nothing else on this event loop can change the environment meanwhile. Where other
    threads do, take their lock in `copy`. A sync `call` runs in a thread, on its own copy.
    """

    def __init__(
        self,
        subject: S | Callable[[], S],
        call: Callable[[S, Action], object | Awaitable[object]],
        *,
        copy: Callable[[S], S] = copying.deepcopy,
        name: str = "fork:python",
        tools: Collection[str] | None = None,
        keep: int = 8,
        most: int = 200_000,
    ) -> None:
        self.name = name
        self._subject = subject
        self._call = call
        self._copy = copy
        self._tools = tools
        self._most = most
        self._limiter = anyio.CapacityLimiter(4)
        self._copies: Copies[S] = Copies(_forget, keep=keep)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self.discard()

    async def discard(self) -> None:
        """Throw away the copies: reality has moved on."""
        await self._copies.discard()

    async def __call__(self, state: State, action: Action, /) -> Observation:
        if not self._knows(action):
            raise NotMyWorld(f"{self.name}: {action.tool!r} is not one of this environment's tools")
        replay = steps_to_replay(state, self._knows, self.name)
        started, epoch = time.monotonic(), self._copies.epoch
        fresh = await self._copy_of(state, replay)
        before = self._picture(fresh)
        observation = await self._run(fresh, action)
        effects = compare(before, self._picture(fresh))
        observation = observation.model_copy(
            update={
                "effects": effects,
                "origin": Origin(kind="exact", world=self.name, confidence=1.0),
                "cost": Cost(calls=1, seconds=time.monotonic() - started),
            }
        )
        if effects:
            await self._copies.put(branch_key(state.then(action, observation)), fresh, epoch=epoch)
        return observation

    def _knows(self, action: Action) -> bool:
        return self._tools is None or any(fnmatchcase(action.tool, pattern) for pattern in self._tools)

    async def _copy_of(self, state: State, replay: tuple[Step, ...]) -> S:
        """A copy of the environment of this state that nobody else has: of the nearest one kept, or of the real one."""
        ends = [number + 1 for number, step in enumerate(state.steps) if any(step is wanted for wanted in replay)]
        for done in range(len(ends), 0, -1):
            async with self._copies.acquire(branch_key(up_to(state, ends[done - 1]))) as kept:
                if kept is not None:
                    fresh = self._copied(kept)
                    break
        else:
            done, fresh = 0, self._copied(self._present())
        for step in replay[done:]:
            again, said = await self._run(fresh, step.action), step.observation
            if (again.content, again.structured, again.failed) != (said.content, said.structured, said.failed):
                raise NotMyWorld(
                    f"{self.name}: an earlier imagined step ({step.action.tool}) came out differently when it was "
                    "replayed, so this future is not one of the environment as it is now"
                )
        return fresh

    def _present(self) -> S:
        subject: object = self._subject
        return cast(Callable[[], S], subject)() if isinstance(subject, _GETTERS) else cast(S, subject)

    def _copied(self, original: S) -> S:
        try:
            return self._copy(original)
        except Exception as cause:
            where = _uncopyable(original) if self._copy is copying.deepcopy else ""
            raise WorldError(
                f"{self.name}: the environment cannot be copied{where}: {type(cause).__name__}: {cause}; "
                "give copy= a function that copies what matters and leaves connections, locks and files out"
            ) from cause

    def _picture(self, subject: S) -> Node:
        return Camera(most=self._most).picture(subject)

    async def _run(self, subject: S, action: Action) -> Observation:
        private = action.model_copy(deep=True)
        try:
            if inspect.iscoroutinefunction(self._call) or inspect.iscoroutinefunction(
                getattr(self._call, "__call__", None)  # noqa: B004
            ):
                value = self._call(subject, private)
            else:
                value = await anyio.to_thread.run_sync(self._call, subject, private, limiter=self._limiter)
            return _observed(await value if inspect.isawaitable(value) else value)
        except NotMyWorld:
            raise
        except Exception as error:
            return Observation(content=str(error) or type(error).__name__, failed=True)


def _observed(value: object) -> Observation:
    """What a tool returned, as text and as data."""
    if isinstance(value, Observation):
        return value
    if value is None or isinstance(value, str):
        return Observation(content=value or "")
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        return Observation(content=str(value))
    return Observation(content=text, structured=cast(JsonValue, json.loads(text)))


def _uncopyable(value: object, depth: int = 4) -> str:
    """Where in the environment the part is that cannot be copied, as far as one can look."""
    path = ""
    for _ in range(depth):
        for name, part in attributes(value) if not isinstance(value, dict) else cast(dict[str, object], value).items():
            try:
                copying.deepcopy(part)
            except Exception:
                path, value = f"{path}.{name}", part
                break
        else:
            break
    return f" (at {path.lstrip('.')})" if path else ""


async def _forget(copy: object) -> None: ...
