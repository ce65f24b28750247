"""An exact world for a directory: the command runs for real, in a copy on write that nothing can leave."""

import os
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import anyio

from lookahead.errors import ConfigError, NotMyWorld
from lookahead.types import Action, Cost, Effect, Observation, Origin, State, Step
from lookahead.worlds.branch import Copies, branch_key, steps_to_replay, up_to
from lookahead.worlds.fork.calls import Call, Calls, Command, Shell, Tools
from lookahead.worlds.fork.limits import Limits
from lookahead.worlds.fork.workshop import Ran, Stack, Workshop

Method = Literal["auto", "overlay", "copy"]


class DirectoryFork:
    """Says exactly what a command, or a function of the agent's own, would do to a directory, and leaves it as it is.

    It answers the tools of a shell (`shell=` says which argument of which tool is the command; without it, tools that
    are plainly shells) and the functions in `tools=`. Each runs in a copy on write of `path`, under the same name, in
    a sandbox without a network, with nothing else that could be written to, and within `limits`.

    A call that reaches for things outside the directory is none of its business: `NotMyWorld`. One that was seen to
    write there, or to remove something, is held: `OutOfReach`. Where no sandbox can be had, it raises
    `SandboxMissing`, and nothing is run. Functions run in a fork of this process: see `fork_here`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        shell: Shell | None = None,
        tools: Tools = (),
        limits: Limits | None = None,
        readable: Sequence[str | os.PathLike[str]] = (),
        environment: Mapping[str, str] | None = None,
        interpreter: Sequence[str] | None = None,
        name: str = "fork:directory",
        method: Method = "auto",
        scratch: str | os.PathLike[str] | None = None,
    ) -> None:
        self.path = Path(os.path.realpath(path))
        if not self.path.is_dir():
            raise ConfigError(f"{name}: {self.path} is no directory; give the folder that the agent works in")
        if str(self.path) in ("/", "/usr", "/etc", "/dev", "/proc", "/sys", "/tmp"):
            raise ConfigError(f"{name}: {self.path} is too much to be copied; give the folder that the agent works in")
        self.name = name
        self.limits = limits or Limits()
        self._calls = Calls(shell, tools, interpreter, name)
        self._workshop = Workshop(
            path=self.path,
            limits=self.limits,
            readable=tuple(os.fspath(place) for place in readable),
            environment=dict(environment or {}),
            name=name,
            method=method,
            scratch=Path(scratch) if scratch else None,
            python=self._calls.has_functions,
        )
        self._copies: Copies[Stack] = Copies(self._workshop.release, keep=self.limits.copies)
        self._finalizer = weakref.finalize(self, self._workshop.close)

    async def __call__(self, state: State, action: Action, /) -> Observation:
        started = time.monotonic()
        call = self._calls.read(action)
        replay = steps_to_replay(state, self._calls.knows, self.name)
        epoch = self._copies.epoch
        stack = await self._stack_of(state, replay, epoch)
        try:
            ran = await self._workshop.run(stack, call)
        finally:
            await self._workshop.release(stack)
        try:
            observation = self._told(ran, time.monotonic() - started)
            after = state.then(action, observation)
        except BaseException:
            await self._workshop.release(ran.stack)
            raise
        if observation.effects:
            await self._copies.put(branch_key(after), ran.stack, epoch=epoch)
        else:
            await self._workshop.release(ran.stack)
        return observation

    async def discard(self) -> None:
        await self._copies.discard()

    async def aclose(self) -> None:
        """End everything and remove what was written. The world can be used again; it then begins anew."""
        with anyio.CancelScope(shield=True):
            await self._copies.discard()
            await self._workshop.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _stack_of(self, state: State, replay: tuple[Step, ...], epoch: int) -> Stack:
        """The copy of an imagined state: the one kept for it, or the nearest one before it and the steps since."""
        ends = [number + 1 for number, step in enumerate(state.steps) if any(step is wanted for wanted in replay)]
        keys = [branch_key(up_to(state, end)) for end in ends]
        stack, done = self._workshop.reality(), 0
        for number in range(len(keys), 0, -1):
            async with self._copies.acquire(keys[number - 1]) as kept:
                if kept is not None:
                    stack, done = kept.hold(), number
                    break
        for number, step in enumerate(replay[done:], start=done):
            try:
                ran = await self._workshop.run(stack, self._calls.read(step.action))
            finally:
                await self._workshop.release(stack)
            stack = ran.stack
            if not _same_end(ran, step.observation):
                await self._workshop.release(stack)
                raise NotMyWorld(
                    f"{self.name}: an earlier imagined step ({step.action.tool}) came out differently when it was "
                    "replayed, so this future is not one of the directory as it is now"
                )
            await self._copies.put(keys[number], stack.hold(), epoch=epoch)
        return stack

    def _told(self, ran: Ran, seconds: float) -> Observation:
        effects = ran.effects
        confidence = 1.0
        if ran.network:
            # What it did to the directory is known; what the other side would have answered is not.
            confidence = 0.5
            effects = (
                *effects,
                Effect(
                    happened="sent",
                    target=ran.network,
                    what="message",
                    detail="it reached for the network, which the copy has not; it might have gone on differently",
                ),
            )
        return Observation(
            content=ran.content,
            structured=ran.structured,
            failed=ran.failed,
            effects=effects,
            origin=Origin(kind="exact", world=self.name, confidence=confidence),
            cost=Cost(calls=1, seconds=seconds),
        )


def _same_end(ran: Ran, said: Observation) -> bool:
    """Words may differ (a date, a duration); how it ended and what it changed may not."""
    if said.effects is None:
        return ran.failed == said.failed
    was = {(effect.happened, effect.target) for effect in said.effects if effect.happened != "sent"}
    return ran.failed == said.failed and was == {(effect.happened, effect.target) for effect in ran.effects}


__all__ = ["Call", "Command", "DirectoryFork", "Limits"]
