"""`with_lookahead` for Pydantic AI: a copy of the agent that gives every run of it our capability."""

import copy
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NoReturn, cast, get_args

from pydantic_ai.agent import AbstractAgent
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.tools import DeferredToolRequests
from pydantic_ai.tools import Tool as AgentTool
from pydantic_ai.toolsets import AbstractToolset, ExternalToolset, FunctionToolset, WrapperToolset

from lookahead.adapters import real_functions
from lookahead.errors import ConfigError
from lookahead.functions import ToolFunction
from lookahead.host import ToolPath
from lookahead.session import Session
from lookahead.types import Tool
from lookahead.wrap import Options
from lookahead_integrations.nested import hidden
from lookahead_integrations.pydantic_ai.desk import Desk, described
from lookahead_integrations.pydantic_ai.gate import HARMLESS, Lookahead
from lookahead_integrations.pydantic_ai.rivals import propose


def wrap(agent: AbstractAgent[Any, Any], options: Options) -> AbstractAgent[Any, Any]:
    """The same agent, of its own class; the one that was given is as it was."""
    if isinstance(agent, Guarded):
        raise ConfigError("this agent is guarded already: wrap it once")
    dry = options.mode == "dry-run"
    found = Found(dry=dry)
    found.look(agent)
    session = options.open(
        found.tools.values(),
        functions={} if dry else found.functions,
        real=None if dry or not found.functions else real_functions(found.functions),
        propose=propose,
        paths=found.paths,
        host="Pydantic AI",
        host_asks=True,
    )
    desk = Desk(session=session, goal=options.goal, dry=dry, opaque=options.policy.opaque == "allow")
    desk.tools.update({tool.name: tool for tool in session.state.tools})
    return copied(agent, desk)


class Guarded:
    """Before an agent's class in the order of methods: however it is run, it is run with our capability."""

    _lookahead_desk: Desk

    @property
    def lookahead(self) -> Session:
        return self._lookahead_desk.session

    @asynccontextmanager
    async def iter(self, *args: Any, **kwargs: Any) -> AsyncGenerator[Any]:
        desk = self._lookahead_desk
        given: Sequence[Any] = kwargs.pop("capabilities", None) or ()
        if desk.dry and kwargs.get("toolsets"):
            kwargs["toolsets"] = [silenced(toolset) for toolset in kwargs["toolsets"]]
        asking = _can_ask(kwargs.get("output_type") or cast(Any, self).output_type) or any(
            _answers(capability) for capability in (cast(Any, self).root_capability, *given)
        )
        capabilities = [*given, Lookahead(desk=desk, asking=asking)]
        async with super().iter(*args, capabilities=capabilities, **kwargs) as run:  # type: ignore[misc]
            yield run

    async def _open_realtime_session(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ConfigError("a realtime session of a guarded agent would not be guarded. Next: use run(), iter() …")

    def realtime_session(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ConfigError("a realtime session of a guarded agent would not be guarded. Next: use run(), iter() …")


@lru_cache(maxsize=256)
def guarded_class(kind: type[Any]) -> type[Any]:
    body = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    return type(kind.__name__, (Guarded, kind), body)


def copied(agent: Any, desk: Desk) -> Any:
    """What is registered with either of the two from now on is not registered with the other."""
    made: Any = object.__new__(guarded_class(cast(type[Any], type(agent))))
    kept = cast(dict[str, Any], vars(made))
    for name, value in cast(dict[str, Any], vars(agent)).items():
        if name == "_enter_lock":
            continue
        if name.startswith("_override_"):
            kept[name] = ContextVar[Any](name, default=None)
        else:
            kept[name] = copy.copy(value) if type(value) in (list, dict, set) else value
    if "_entered_count" in kept:
        kept.update(_entered_count=0, _exit_stack=None)
    if isinstance(own := kept.get("_function_toolset"), FunctionToolset):
        kept["_function_toolset"] = silenced(cast(Any, own)) if desk.dry else of_its_own(cast(Any, own))
    for name in ("_user_toolsets", "_dynamic_toolsets", "_cap_toolsets"):
        if desk.dry and name in kept:
            toolsets = cast(list[Any], kept[name])
            kept[name] = [silenced(cast(Any, one)) if isinstance(one, AbstractToolset) else one for one in toolsets]
    if desk.dry and isinstance(kept.get("wrapped"), AbstractAgent):
        kept["wrapped"] = copied(kept["wrapped"], desk)
    kept["_lookahead_desk"] = desk
    return made


def of_its_own(toolset: FunctionToolset[Any]) -> FunctionToolset[Any]:
    made = copy.copy(toolset)
    made.tools = dict(toolset.tools)
    return made


class Silent(WrapperToolset[Any]):
    """In a dry run: its tools can be listed, and not called."""

    async def call_tool(self, name: str, tool_args: dict[str, Any], ctx: Any, tool: Any) -> NoReturn:
        raise RuntimeError(f"in a dry run {name!r} is not called")


def silenced(toolset: AbstractToolset[Any]) -> AbstractToolset[Any]:
    """The same toolset to look at; the functions of its tools are not in it."""

    def leaf(one: AbstractToolset[Any]) -> AbstractToolset[Any]:
        if not isinstance(one, FunctionToolset):
            return Silent(one)
        made = of_its_own(one)
        made.tools = {name: _without_function(tool) for name, tool in made.tools.items()}
        return made

    return toolset.visit_and_replace(leaf)


def _without_function(tool: AgentTool[Any]) -> AgentTool[Any]:
    def in_a_dry_run_nothing_is_done(*args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(f"in a dry run {tool_name!r} is not called")

    tool_name = tool.name
    made = copy.copy(tool)
    made.function = in_a_dry_run_nothing_is_done
    made.function_schema = replace(tool.function_schema, function=in_a_dry_run_nothing_is_done)
    return made


@dataclass(kw_only=True)
class Found:
    """Everything that can be reached from an agent."""

    dry: bool
    tools: dict[str, Tool] = field(default_factory=dict[str, Tool])
    functions: dict[str, ToolFunction] = field(default_factory=dict[str, ToolFunction])
    paths: list[ToolPath] = field(default_factory=list[ToolPath])

    def look(self, agent: AbstractAgent[Any, Any]) -> None:
        for toolset in agent.toolsets:
            # What a wrapper does with the names is its own affair: a call is judged by the name that the model uses.
            toolset.apply(lambda leaf, top=toolset: self._leaf(leaf, plain=leaf is top))
        for native in agent.root_capability.get_native_tools():
            name = str(getattr(native, "kind", getattr(native, "__name__", type(native).__name__)))
            if name not in HARMLESS:
                self._hidden(name, "", "the model's provider does it itself")

    def _leaf(self, toolset: AbstractToolset[Any], *, plain: bool) -> None:
        if isinstance(toolset, ExternalToolset):
            for tool in cast(Any, toolset).tool_defs:
                self._hidden(tool.name, toolset.label, "it is done outside of the run, by whoever gets the request")
        elif isinstance(toolset, FunctionToolset):
            for tool in toolset.tools.values():
                self._tool(tool, toolset.label, plain=plain)
        else:
            self.paths.append(ToolPath(tool="*", where=toolset.label, why="its tools are known when it runs"))

    def _tool(self, tool: AgentTool[Any], where: str, *, plain: bool) -> None:
        if hidden(tool.function, _is_bare, framework="pydantic_ai"):
            why = "an agent runs inside of it, which nobody could ask; wrap that agent too: with_lookahead(inner)"
            self._hidden(tool.name, where, why)
        else:
            self.paths.append(ToolPath(tool=tool.name, where=where))
        if not plain:
            return  # perhaps under another name
        self.tools[tool.name] = described(tool.tool_def)
        if tool.takes_ctx:
            return
        try:
            self.functions[tool.name] = replace(ToolFunction.of(tool.function), name=tool.name)
        except ConfigError:
            return  # no world can try it in a copy of itself; it is guarded all the same

    def _hidden(self, name: str, where: str, why: str) -> None:
        self.paths.append(ToolPath(tool=name, how="blocked" if self.dry else "opaque", where=where, why=why))


def _is_bare(one: object) -> bool:
    return isinstance(one, AbstractAgent) and not isinstance(one, Guarded)


def _can_ask(output: Any) -> bool:
    """Whether a run with this output may end with a question."""
    if output is DeferredToolRequests:
        return True
    parts = cast(Sequence[Any], output if isinstance(output, list | tuple) else get_args(output))
    return any(_can_ask(part) for part in parts)


def _answers(capability: Any) -> bool:
    """Whether a capability answers questions while a run is under way."""
    found: list[bool] = []

    def look(one: AbstractCapability[Any]) -> None:
        theirs: Callable[..., Any] = type(one).handle_deferred_tool_calls
        found.append(theirs is not AbstractCapability.handle_deferred_tool_calls)

    if isinstance(capability, AbstractCapability):
        cast(AbstractCapability[Any], capability).apply(look)
    return any(found)


__all__ = ["wrap"]
