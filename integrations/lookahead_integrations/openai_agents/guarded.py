"""The guarded agent: of the class that it was, and each tool that it hands to the SDK goes through the line."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from inspect import isawaitable
from typing import Any, cast

from agents import Agent, AgentHooks, FunctionTool, ModelResponse, RunContextWrapper, Tool
from agents.agent import ToolsToFinalOutputResult
from agents.tool import FunctionToolResult

from lookahead.errors import ConfigError
from lookahead.session import Session
from lookahead_integrations.openai_agents.desk import Desk
from lookahead_integrations.openai_agents.tools import Gate, described, guarded


class Guarded:
    """Before an agent's class in the order of methods. Also what is added to the agent later is guarded."""

    _lookahead_desk: Desk
    _lookahead_allowed: frozenset[int]

    @property
    def lookahead(self) -> Session:
        return self._lookahead_desk.session

    async def get_all_tools(self, run_context: RunContextWrapper[Any]) -> list[Tool]:
        self._look_again()
        tools = cast(list[Tool], await super().get_all_tools(run_context))  # type: ignore[misc]
        return [self._guarded(tool) for tool in tools]

    def _guarded(self, tool: Tool) -> Tool:
        desk = self._lookahead_desk
        if isinstance(tool, FunctionTool):
            if not isinstance(tool.on_invoke_tool, Gate):
                if tool._is_agent_tool:  # type: ignore[reportPrivateUsage]
                    raise ConfigError(
                        f"the agent tool {tool.name!r} was added to an agent that was wrapped before, and the agent "
                        "behind it is not guarded. Next: add it first, and wrap then"
                    )
                if tool.qualified_name not in desk.gates:
                    desk.learn(described(tool))
                return guarded(tool, desk)
            return tool
        if id(tool) not in self._lookahead_allowed:
            raise ConfigError(
                f"{getattr(tool, 'name', type(tool).__name__)} was added to an agent that was wrapped before, and "
                "lookahead cannot guard it. Next: add it first, and wrap then; it says there what can be done"
            )
        return tool

    def _look_again(self) -> None:
        for target in cast(Any, self).handoffs:
            if isinstance(target, Agent) and not isinstance(target, Guarded):
                raise ConfigError(
                    f"a handoff to {target.name!r} was added to an agent that was wrapped before, so that agent is "
                    "not guarded. Next: add it first, and wrap then"
                )


@lru_cache(maxsize=256)
def guarded_class(kind: type[Any]) -> type[Any]:
    """A subclass with two fields more, so that a clone of a guarded agent is a guarded agent."""
    body = {
        "__annotations__": {"_lookahead_desk": Any, "_lookahead_allowed": Any},
        "_lookahead_desk": field(default=None, kw_only=True, repr=False, compare=False),
        "_lookahead_allowed": field(default=frozenset[int](), kw_only=True, repr=False, compare=False),
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__doc__": kind.__doc__,
    }
    return dataclass(eq=False, repr=False)(type(kind.__name__, (Guarded, kind), body))


class Watching(AgentHooks[Any]):
    """Tells the desk what the model was asked and answered; and the agent's own hooks all that they are told."""

    def __init__(self, desk: Desk, theirs: Any = None) -> None:
        self._desk, self._theirs = desk, theirs
        self._asked: dict[int, list[Any]] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._theirs, name)

    async def on_llm_start(
        self, context: RunContextWrapper[Any], agent: Any, system_prompt: str | None, input_items: list[Any]
    ) -> None:
        self._asked[id(context)] = input_items
        if self._theirs is not None:
            await self._theirs.on_llm_start(context, agent, system_prompt, input_items)

    async def on_llm_end(self, context: RunContextWrapper[Any], agent: Any, response: ModelResponse) -> None:
        self._desk.answered(context, agent, self._asked.pop(id(context), []), response.output)
        if self._theirs is not None:
            await self._theirs.on_llm_end(context, agent, response)

    async def on_start(self, context: Any, agent: Any) -> None:
        if self._theirs is not None:
            await self._theirs.on_start(context, agent)

    async def on_end(self, context: Any, agent: Any, output: Any) -> None:
        if self._theirs is not None:
            await self._theirs.on_end(context, agent, output)

    async def on_handoff(self, context: Any, agent: Any, source: Any) -> None:
        if self._theirs is not None:
            await self._theirs.on_handoff(context, agent, source)

    async def on_tool_start(self, context: Any, agent: Any, tool: Any) -> None:
        if self._theirs is not None:
            await self._theirs.on_tool_start(context, agent, tool)

    async def on_tool_end(self, context: Any, agent: Any, tool: Any, result: Any) -> None:
        if self._theirs is not None:
            await self._theirs.on_tool_end(context, agent, tool, result)


def told_first(behavior: Any, desk: Desk) -> Any:
    """Where an agent ends with what a tool says: a refusal is not what a tool says, so the agent goes on."""
    if behavior == "run_llm_again":
        return behavior

    async def decide(context: RunContextWrapper[Any], results: list[FunctionToolResult]) -> ToolsToFinalOutputResult:
        done = [one for one in results if _call_of(one) not in desk.refused]
        if not done:
            return ToolsToFinalOutputResult(is_final_output=False)
        return await _theirs(behavior, context, done)

    return decide


async def _theirs(
    behavior: Any, context: RunContextWrapper[Any], results: list[FunctionToolResult]
) -> ToolsToFinalOutputResult:
    if callable(behavior):
        said = cast(Callable[..., Any], behavior)(context, results)
        return await said if isawaitable(said) else said
    names = None if behavior == "stop_on_first_tool" else behavior.get("stop_at_tool_names", [])
    for one in results:
        if names is None or one.tool.name in names or getattr(one.tool, "qualified_name", "") in names:
            return ToolsToFinalOutputResult(is_final_output=True, final_output=one.output)
    return ToolsToFinalOutputResult(is_final_output=False)


def _call_of(result: FunctionToolResult) -> str | None:
    raw = getattr(result.run_item, "raw_item", None)
    return raw.get("call_id") if isinstance(raw, dict) else getattr(raw, "call_id", None)  # type: ignore[reportUnknownMemberType]
