"""`with_lookahead` for Strands: a copy of the agent, graph or swarm whose every tool is guarded."""

import copy
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

from lookahead.errors import ConfigError
from lookahead.functions import ToolFunction
from lookahead.host import ToolPath
from lookahead.session import Session
from lookahead.types import Tool
from lookahead.wrap import Options
from lookahead_integrations.nested import hidden
from lookahead_integrations.strands.copies import agent_copy, graph_copy, swarm_copy
from lookahead_integrations.strands.desk import Desk, history
from lookahead_integrations.strands.rivals import propose
from lookahead_integrations.strands.tools import GuardedAgentTool, GuardedTool, Shelf, described, guarded

_agent: Any = import_module("strands.agent.agent")
_agent_tool: Any = import_module("strands.agent._agent_as_tool")
_graph: Any = import_module("strands.multiagent.graph")
_swarm: Any = import_module("strands.multiagent.swarm")
_structured: Any = import_module("strands.tools.structured_output.structured_output_tool")

HANDOFF = "handoff_to_agent"


def wrap(agent: Any, options: Options) -> Any:
    """The same kind of thing back; the one that was given is as it was."""
    found = Found()
    found.look(agent, "")
    run = _run_of(agent)
    session = options.open(
        found.tools.values(),
        functions={} if options.mode == "dry-run" else found.functions,
        propose=propose,
        run=run,
        paths=found.paths,
        host="Strands",
        host_asks=True,
    )
    session.state = history(session.state, getattr(agent, "messages", []))
    wrapped = Copier(session=session).copy(agent, "")
    wrapped.lookahead = session
    return wrapped


def _run_of(agent: Any) -> str | None:
    """A conversation that is kept over restarts is the same run afterwards."""
    manager = getattr(agent, "_session_manager", None) or getattr(agent, "session_manager", None)
    kept = getattr(manager, "session_id", None)
    name = getattr(agent, "agent_id", None) or getattr(agent, "id", "agent")
    return f"strands:{name}:{kept}" if kept else None


@dataclass(kw_only=True)
class Found:
    """Everything that can be reached from an agent."""

    tools: dict[str, Tool] = field(default_factory=dict[str, Tool])
    functions: dict[str, ToolFunction] = field(default_factory=dict[str, ToolFunction])
    paths: list[ToolPath] = field(default_factory=list[ToolPath])
    _seen: set[int] = field(default_factory=set[int])

    def look(self, agent: Any, where: str) -> None:
        if id(agent) in self._seen:
            return
        self._seen.add(id(agent))
        if isinstance(agent, _agent.Agent):
            self._agent(agent, where)
        elif isinstance(agent, _graph.Graph | _swarm.Swarm):
            for name, node in agent.nodes.items():
                self.look(node.executor, f"{where}{name}/")
        else:
            why = f"{type(agent).__name__} has its tools elsewhere"
            self.paths.append(ToolPath(tool="*", how="opaque", where=where.rstrip("/"), why=why))

    def _agent(self, agent: Any, where: str) -> None:
        if getattr(agent, "_background_tasks", None) is not None:
            raise ConfigError(
                "this Strands agent runs tools in the background, and that part of it cannot be copied: it would go on "
                "with the agent as it was. Next: make the agent without background_tasks"
            )
        at = where.rstrip("/")
        for tool in {**agent.tool_registry.registry, **agent.tool_registry.dynamic_tools}.values():
            if isinstance(tool, _structured.StructuredOutputTool):
                continue
            if isinstance(tool, GuardedTool | GuardedAgentTool):
                raise ConfigError(f"{tool.tool_name!r} is guarded already: wrap the outermost agent, once")
            if isinstance(tool, _agent_tool._AgentAsTool):
                self.paths.append(ToolPath(tool=tool.tool_name, where=at, why="the agent behind it is guarded"))
                self.look(tool.agent, f"{where}{tool.tool_name}/")
            elif tool.tool_name == HANDOFF and _hands_over(tool):
                self.paths.append(ToolPath(tool=tool.tool_name, where=at, why="who takes over is guarded"))
            else:
                self._tool(tool, at)

    def _tool(self, tool: Any, at: str) -> None:
        known = described(tool)
        if self.tools.setdefault(known.name, known) != known:
            raise ConfigError(
                f"two tools are called {known.name!r}, and are not the same: a policy could not tell them apart; "
                "rename one"
            )
        if hidden(tool, _is_agent, framework="strands"):
            why = "an agent hides in it, which nobody could ask; give it to this one as a tool itself: tools=[agent]"
            self.paths.append(ToolPath(tool=known.name, how="opaque", where=at, why=why))
        else:
            self.paths.append(ToolPath(tool=known.name, where=at))
        function = getattr(tool, "_tool_func", None)
        if function is None or getattr(tool._metadata, "_context_param", None) or "agent" in known.parameters:
            return
        try:
            self.functions[known.name] = replace(ToolFunction.of(function), name=known.name)
        except ConfigError:
            # No world can try it in a copy of itself; it is guarded all the same.
            return


@dataclass(kw_only=True)
class Copier:
    """Copies what was given, with a desk for each agent."""

    session: Session
    _done: dict[int, Any] = field(default_factory=dict[int, Any])

    def copy(self, agent: Any, where: str) -> Any:
        if id(agent) not in self._done:
            self._done[id(agent)] = agent  # in case it can reach itself
            if isinstance(agent, _agent.Agent):
                self._done[id(agent)] = self._agent(agent, where)
            elif isinstance(agent, _graph.Graph):
                self._done[id(agent)] = graph_copy(agent, lambda one, name: self.copy(one, f"{where}{name}/"))
            elif isinstance(agent, _swarm.Swarm):
                self._done[id(agent)] = swarm_copy(agent, lambda one, name: self.copy(one, f"{where}{name}/"), _guard)
        return self._done[id(agent)]

    def _agent(self, agent: Any, where: str) -> Any:
        registry = agent.tool_registry
        steers = frozenset(
            tool.tool_name
            for tool in registry.registry.values()
            if isinstance(tool, _agent_tool._AgentAsTool) or (tool.tool_name == HANDOFF and _hands_over(tool))
        )
        desk = Desk(session=self.session, where=where, steers=steers)
        own = copy.copy(registry)
        own.registry, own.dynamic_tools = Shelf(desk), Shelf(desk)
        for name, tool in registry.registry.items():
            if isinstance(tool, _agent_tool._AgentAsTool):
                guarded_agent = self.copy(tool.agent, f"{where}{name}/")
                own.registry[name] = GuardedAgentTool.of(tool, guarded_agent, desk)
            elif name in steers:
                own.registry[name] = GuardedTool(tool, desk, real=tool)
            else:
                own.registry[name] = tool
        for name, tool in registry.dynamic_tools.items():
            own.dynamic_tools[name] = own.registry.get(name) or tool
        own.tool_config = None
        return agent_copy(agent, own, desk)


def _guard(tool: Any, desk: Desk) -> Any:
    return GuardedTool(tool, desk, real=tool) if tool.tool_name in desk.steers else guarded(tool, desk)


def _is_agent(one: object) -> bool:
    return isinstance(one, _agent.Agent | _graph.Graph | _swarm.Swarm)


def _hands_over(tool: Any) -> bool:
    """A swarm's own, not one that somebody named so."""
    function = getattr(tool, "_tool_func", None)
    return getattr(function, "__module__", "") == "strands.multiagent.swarm"
