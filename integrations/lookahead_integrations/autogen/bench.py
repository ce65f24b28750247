"""Workbenches and code executors that do by permit what the agent asks of them."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from lookahead.errors import ConfigError, PermitError
from lookahead.permit import Answer, Permit, swap_notice
from lookahead.types import Observation
from lookahead_integrations.autogen.hand import Hand, action_of

core: Any = import_module("autogen_core.tools")
executing: Any = import_module("autogen_core.code_executor")

Do = Callable[[str, Mapping[str, Any], Any, str | None], AsyncGenerator[Any]]
"""A tool's name, its arguments, the token that cancels it and the call's id; what it says, then the result."""


@dataclass(frozen=True, kw_only=True)
class Door:
    """The way from one assistant to its tools, by way of the line."""

    hand: Hand
    real: Mapping[str, Do]
    """Everything that this assistant may do for real, by name; in a dry run, only the agents that serve it."""
    otherwise: Do | None = None
    """For tools that become known only when a workbench has started."""
    free: frozenset[str] = frozenset()
    """Agents that serve as tools: what they do is judged with them."""

    async def through(
        self, name: str, arguments: Mapping[str, Any], token: Any, call_id: str | None
    ) -> AsyncGenerator[Any]:
        if name in self.free:
            async for event in self.real[name](name, arguments, token, call_id):
                yield event
            return
        begun = await self.hand.begin(action_of(name, arguments), call_id)
        if isinstance(begun, Answer):
            yield _result(name, begun.observation.content, failed=begun.observation.failed)
            return
        session = self.hand.stage.conversation
        result: Any = None
        try:
            async for event in self._run(begun, name, arguments, token, call_id):
                if isinstance(event, core.ToolResult):
                    result = event
                else:
                    yield event
            if result is None:
                raise PermitError(f"{name!r} ended without a result")
        except BaseException as error:
            await session.failed(begun, error)
            raise
        observation = Observation(content=result.to_text(), failed=bool(result.is_error))
        await session.finish(begun, observation)
        if begun.decision.choice == "swap":
            result = _result(name, f"{swap_notice(begun.decision)}\n{observation.content}", failed=observation.failed)
        yield result

    def _run(
        self, permit: Permit, name: str, arguments: Mapping[str, Any], token: Any, call_id: str | None
    ) -> AsyncGenerator[Any]:
        if permit.decision.choice == "swap":
            chosen = permit.take(permit.action)
            return self._real(chosen.tool)(chosen.tool, dict(chosen.arguments), token, call_id)
        permit.take(action_of(name, arguments))
        return self._real(name)(name, arguments, token, call_id)

    def _real(self, name: str) -> Do:
        do = self.real.get(name, self.otherwise)
        if do is None:
            raise PermitError(f"there is nothing that could do {name!r} for real, so nothing was done")
        return do


def _result(name: str, text: str, *, failed: bool) -> Any:
    return core.ToolResult(name=name, result=[core.TextResultContent(content=text)], is_error=failed)


async def _last(events: AsyncGenerator[Any]) -> Any:
    result: Any = None
    async for event in events:
        result = event
    return result


class Known(core.StaticStreamWorkbench):  # type: ignore[misc]
    """A workbench whose tools are known when the agent is wrapped."""

    def __init__(self, schemas: Sequence[Any], door: Door, kept: Any) -> None:
        super().__init__([])  # pyright: ignore[reportUnknownMemberType]
        # What can be reached from here are descriptions; `kept` is the original where it may be needed, else None.
        self._schemas, self._door, self._kept = list(schemas), door, kept

    async def list_tools(self) -> Any:
        return list(self._schemas)

    async def call_tool(
        self, name: str, arguments: Any = None, cancellation_token: Any = None, call_id: str | None = None
    ) -> Any:
        return await _last(self._door.through(name, arguments or {}, cancellation_token, call_id))

    async def call_tool_stream(
        self, name: str, arguments: Any = None, cancellation_token: Any = None, call_id: str | None = None
    ) -> AsyncGenerator[Any]:
        async for event in self._door.through(name, arguments or {}, cancellation_token, call_id):
            yield event

    async def save_state(self) -> Any:
        return await self._kept.save_state() if self._kept is not None else {"type": "StaticWorkbenchState"}

    async def load_state(self, state: Any) -> None:
        if self._kept is not None:
            await self._kept.load_state(state)

    def _to_config(self) -> Any:
        raise ConfigError("a guarded workbench has no component; dump the agent before it is wrapped")


class Started(core.Workbench):  # type: ignore[misc]
    """A workbench that tells its tools only when it has started."""

    component_config_schema = core.StaticWorkbench.component_config_schema

    def __init__(self, inner: Any, door: Door) -> None:
        self._inner, self._door = inner, door

    async def list_tools(self) -> Any:
        return await self._inner.list_tools()

    async def call_tool(
        self, name: str, arguments: Any = None, cancellation_token: Any = None, call_id: str | None = None
    ) -> Any:
        return await _last(self._door.through(name, arguments or {}, cancellation_token, call_id))

    async def start(self) -> None:
        await self._inner.start()

    async def stop(self) -> None:
        await self._inner.stop()

    async def reset(self) -> None:
        await self._inner.reset()

    async def save_state(self) -> Any:
        return await self._inner.save_state()

    async def load_state(self, state: Any) -> None:
        await self._inner.load_state(state)

    def _to_config(self) -> Any:
        raise ConfigError("a guarded workbench has no component; dump the agent before it is wrapped")


CODE = "execute_code"

Execute = Callable[[Any, Any], Awaitable[Any]]


class Executor(executing.CodeExecutor):  # type: ignore[misc]
    """Code that an agent has written is a call like any other."""

    component_config_schema = core.StaticWorkbench.component_config_schema

    def __init__(self, inner: Any, hand: Hand) -> None:
        self._inner, self._hand = inner, hand

    async def execute_code_blocks(self, code_blocks: Any, cancellation_token: Any) -> Any:
        async def do(name: str, arguments: Mapping[str, Any], token: Any, call_id: str | None) -> AsyncGenerator[Any]:
            ran.append(await self._inner.execute_code_blocks(code_blocks, token))
            yield _result(name, ran[0].output, failed=ran[0].exit_code != 0)

        ran: list[Any] = []
        blocks = [{"language": block.language, "code": block.code} for block in code_blocks]
        door = Door(hand=self._hand, real={} if self._inner is None else {CODE: do})
        result = await _last(door.through(CODE, {"blocks": blocks}, cancellation_token, None))
        return ran[0] if ran else executing.CodeResult(exit_code=int(result.is_error), output=result.to_text())

    async def start(self) -> None:
        if self._inner is not None:
            await self._inner.start()

    async def stop(self) -> None:
        if self._inner is not None:
            await self._inner.stop()

    async def restart(self) -> None:
        if self._inner is not None:
            await self._inner.restart()

    def _to_config(self) -> Any:
        raise ConfigError("a guarded executor has no component; dump the agent before it is wrapped")
