"""`with_lookahead` for CrewAI: a copy of the agent or crew whose every tool is guarded."""

import logging
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final, cast

from lookahead.errors import ConfigError
from lookahead.functions import ToolFunction
from lookahead.host import ToolPath
from lookahead.types import Tool
from lookahead.wrap import Options
from lookahead_integrations.crewai.tools import GuardedTool, Shop, described, name_of
from lookahead_integrations.nested import hidden

_agent: Any = import_module("crewai.agent.core")
_crew: Any = import_module("crewai.crew")
_handler: Any = import_module("crewai.agents.tools_handler")
_hooks: Any = import_module("crewai.hooks.tool_hooks")

OWN: Final = ("crewai.tools.agent_tools.", "crewai.tools.memory_tools")
"""What CrewAI adds when a crew runs, and what does nothing to the world: delegation, files that were given, memory."""

log: Final = logging.getLogger("lookahead")


def wrap(agent: Any, options: Options) -> Any:
    """The same type back; what was given is as it was."""
    if "lookahead" in vars(agent):
        raise ConfigError("this is guarded already: wrap the crew, or the agent, once")
    dry = options.mode == "dry-run"
    copies = Copies(shop=Shop(), dry=dry)
    wrapped = copies.crew(agent) if isinstance(agent, _crew.Crew) else copies.agent(agent)
    session = options.open(
        copies.tools.values(), functions=copies.functions, paths=copies.paths, host="CrewAI", host_asks=False
    )
    copies.shop.session = session
    if block_unknown not in _hooks.get_before_tool_call_hooks():
        _hooks.register_before_tool_call_hook(block_unknown)
    vars(wrapped)["lookahead"] = session
    return wrapped


def block_unknown(context: Any) -> bool | None:
    """Of our agents' tools, those that were added behind our back do not run. A hook that raises would let them."""
    try:
        if _MARK not in cast(dict[str, Any], vars(context.agent)):
            return None
        tool = getattr(context.tool, "_original_tool", None) or context.tool
        if isinstance(tool, GuardedTool) or type(tool).__module__.startswith(OWN):
            return None
        log.warning("%s was added to a guarded agent when it ran, and is not guarded: blocked", context.tool_name)
        return False
    except Exception:
        return None if context.agent is None else False


_MARK: Final = "lookahead_guards"


@dataclass(kw_only=True)
class Copies:
    """Copies agents, tasks and crews, and guards each tool once."""

    shop: Shop
    dry: bool
    tools: dict[str, Tool] = field(default_factory=dict[str, Tool])
    functions: dict[str, ToolFunction] = field(default_factory=dict[str, ToolFunction])
    paths: list[ToolPath] = field(default_factory=list[ToolPath])
    _done: dict[int, Any] = field(default_factory=dict[int, Any])
    _kept: list[Any] = field(default_factory=list[Any])

    def crew(self, crew: Any) -> Any:
        agents = [self.agent(one) for one in crew.agents]
        manager = self.agent(crew.manager_agent) if crew.manager_agent is not None else None
        tasks = [self._task(task) for task in crew.tasks]
        for task in tasks:
            before: object = task.context
            if isinstance(before, list):
                task.context = [self._done.get(id(one), one) for one in cast(list[Any], before)]
        new = crew.model_copy(update={"agents": agents, "tasks": tasks, "manager_agent": manager})
        for one in (*agents, *((manager,) if manager is not None else ())):
            one.crew = new
        return new

    def agent(self, agent: Any) -> Any:
        if id(agent) in self._done:
            return self._done[id(agent)]
        self._kept.append(agent)
        where = str(agent.role).strip()
        if not isinstance(agent, _agent.Agent):
            why = f"{type(agent).__name__} has its tools elsewhere"
            self.paths.append(ToolPath(tool="*", how="opaque", where=where, why=why))
            self._done[id(agent)] = agent
            return agent
        if getattr(agent, "a2a", None):
            why = "agents elsewhere do what they are asked to where nobody here can look"
            self.paths.append(ToolPath(tool="a2a", how="opaque", where=where, why=why))
        for name in ("mcps", "apps"):
            if getattr(agent, name, None):
                why = "CrewAI fetches these tools when it runs; give them to the agent as tools"
                self.paths.append(ToolPath(tool=name, how="blocked", where=where, why=why))
        if agent.allow_delegation:
            why = "who is delegated to is guarded"
            self.paths.append(ToolPath(tool="delegate_work_to_coworker", where=where, why=why))
        tools = [self._tool(tool, where) for tool in agent.tools or ()]
        update = {
            "tools": tools,
            "agent_executor": None,
            "tools_handler": _handler.ToolsHandler(),
            "mcps": None,
            "apps": None,
            "crew": None,
        }
        new = agent.model_copy(update=update)
        new._token_process = type(agent._token_process)()
        vars(new)[_MARK] = True
        self._done[id(agent)] = new
        return new

    def _task(self, task: Any) -> Any:
        agent = self.agent(task.agent) if task.agent is not None else None
        where = f"task {task.name or task.description[:30]}"
        tools = [self._tool(tool, where) for tool in task.tools or ()]
        new = task.model_copy(update={"agent": agent, "tools": tools, "output": None})
        self._kept.append(task)
        self._done[id(task)] = new
        return new

    def _tool(self, tool: Any, where: str) -> Any:
        if id(tool) in self._done:
            return self._done[id(tool)]
        if isinstance(tool, GuardedTool):
            raise ConfigError(f"{tool.name!r} is guarded already: wrap the crew, or the agent, once")
        self._kept.append(tool)
        known = described(tool)
        if self.tools.setdefault(known.name, known) != known:
            raise ConfigError(
                f"two tools are called {known.name!r}, and are not the same: a policy could not tell them apart; "
                "rename one"
            )
        if hidden(tool, lambda one: isinstance(one, _agent.Agent | _crew.Crew), framework="crewai"):
            why = "an agent hides in it, which nobody could ask; give the crew that agent, and let it delegate"
            self.paths.append(ToolPath(tool=known.name, how="opaque", where=where, why=why))
        else:
            self.paths.append(ToolPath(tool=known.name, where=where))
        if not self.dry:
            self.shop.real[known.name] = tool
        if not self.dry and callable(function := getattr(tool, "func", None)):
            self.functions[known.name] = ToolFunction(function=function, name=name_of(tool))
        made = self._done[id(tool)] = GuardedTool.of(tool, self.shop, dry=self.dry)
        return made


__all__ = ["wrap"]
