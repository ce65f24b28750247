"""`with_lookahead` for the OpenAI Agents SDK: a copy of the agent, and of all agents behind it, with guarded tools."""

import copy
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from agents import Agent, FunctionTool, Handoff, Model, RunContextWrapper
from agents.agent import AgentBase

from lookahead.adapters import real_functions
from lookahead.errors import ConfigError, PermitError
from lookahead.functions import ToolFunction
from lookahead.host import ToolPath
from lookahead.types import Tool
from lookahead.wrap import Options
from lookahead_integrations.nested import hidden
from lookahead_integrations.openai_agents.desk import Desk
from lookahead_integrations.openai_agents.guarded import Guarded, Watching, guarded_class, told_first
from lookahead_integrations.openai_agents.rivals import Sampled, propose
from lookahead_integrations.openai_agents.servers import listing
from lookahead_integrations.openai_agents.tools import (
    agent_behind,
    described,
    function_of,
    guarded,
    guarded_agent_tool,
)


def wrap(agent: Agent[Any], options: Options) -> Agent[Any]:
    """The same agent, of its own class; the one that was given is as it was."""
    dry = options.mode == "dry-run"
    sampled = getattr(options.search, "calls", 1) > 1 and getattr(options.search, "propose", None) is None
    found = Found(dry=dry, sampled=sampled)
    found.agent(agent, "")
    session = options.open(
        found.tools.values(),
        functions={} if dry else found.functions,
        real=None if dry or not found.functions else real_functions(found.functions),
        propose=propose if sampled else None,
        paths=found.paths,
        host="OpenAI Agents SDK",
        host_asks=True,
    )
    desk = Desk(session=session, goal=options.goal, dry=dry)
    for tool in found.tools.values():
        desk.learn(tool)
    return Copier(desk=desk, sampled=sampled).agent(agent)


@dataclass(kw_only=True)
class Found:
    """Everything that can be reached from an agent."""

    dry: bool
    sampled: bool
    tools: dict[str, Tool] = field(default_factory=dict[str, Tool])
    functions: dict[str, ToolFunction] = field(default_factory=dict[str, ToolFunction])
    paths: list[ToolPath] = field(default_factory=list[ToolPath])
    _seen: dict[int, Any] = field(default_factory=dict[int, Any])

    def agent(self, agent: Any, where: str) -> None:
        if id(agent) in self._seen:
            return
        self._seen[id(agent)] = agent
        if isinstance(agent, Guarded):
            raise ConfigError(f"{cast(Any, agent).name!r} is guarded already: wrap the outermost agent, once")
        if self.sampled and not isinstance(agent.model, Model):
            raise ConfigError(
                f"{agent.name!r} has its model only by name, and which one that is is only known in a run, so nobody "
                "could ask it for alternatives. Next: give the agent its model as an object "
                "(Agent(model=OpenAIResponsesModel(…))), or a search a proposer of its own (BestOf(propose=…))"
            )
        for tool in agent.tools:
            self._tool(tool, where)
        for server in agent.mcp_servers:
            self.paths.append(ToolPath(tool="*", where=f"{where}MCP server {server.name}"))
        for target in agent.handoffs:
            self._handoff(target, where)

    def _handoff(self, target: Any, where: str) -> None:
        if isinstance(target, AgentBase):
            self.agent(target, f"{where}{target.name}/")
            return
        agent = target._agent_ref() if target._agent_ref is not None else None
        if agent is not None:
            self.agent(agent, f"{where}{agent.name}/")
        else:
            why = "whom it hands over to is only known then, and is guarded then"
            how = "blocked" if self.dry else "guarded"
            self.paths.append(ToolPath(tool=target.tool_name, how=how, where=_at(where), why=why))

    def _tool(self, tool: Any, where: str) -> None:
        at = _at(where)
        if not isinstance(tool, FunctionTool):
            name = str(getattr(tool, "name", type(tool).__name__))
            why = (
                f"a {type(tool).__name__} is not called here but by the model's provider, or past all that can be seen"
            )
            self.paths.append(ToolPath(tool=name, how="blocked" if self.dry else "opaque", where=at, why=why))
            return
        known = described(tool)
        if self.tools.setdefault(known.name, known) != known:
            raise ConfigError(
                f"two tools are called {known.name!r}, and are not the same: a policy could not tell them apart; "
                "rename one"
            )
        if tool._is_agent_tool:  # type: ignore[reportPrivateUsage]
            del self.tools[known.name]
            if (agent := agent_behind(tool)) is None:
                why = "the agent behind it cannot be reached in this version of the SDK"
                how = "blocked" if self.dry else "opaque"
                self.paths.append(ToolPath(tool=known.name, how=how, where=at, why=why))
                return
            self.paths.append(ToolPath(tool=known.name, where=at, why="the agent behind it is guarded"))
            self.agent(agent, f"{where}{known.name}/")
            return
        inner = hidden(function_of(tool) or tool.on_invoke_tool, _is_bare, framework="agents")
        if inner:
            why = "an agent runs inside of it, which nobody could ask; give it as a tool itself: agent.as_tool(…)"
            # In a dry run the tool is not called, so the agent in it is not either.
            self.paths.append(ToolPath(tool=known.name, how="blocked" if self.dry else "opaque", where=at, why=why))
        else:
            self.paths.append(ToolPath(tool=known.name, where=at))
        self._function(tool, known)

    def _function(self, tool: FunctionTool, known: Tool) -> None:
        function = function_of(tool)
        if function is None:
            return
        try:
            made = replace(ToolFunction.of(function), name=known.name)
        except ConfigError:
            return  # no world can try it in a copy of itself; it is guarded all the same
        if set(made.signature.parameters) <= set(_properties(known)):
            self.functions[known.name] = made


@dataclass(kw_only=True)
class Copier:
    """Copies the agents, each once: two that hand over to one another still do."""

    desk: Desk
    sampled: bool
    _done: dict[int, tuple[Any, Any]] = field(default_factory=dict[int, tuple[Any, Any]])

    def agent(self, agent: Any) -> Any:
        if id(agent) in self._done:
            return self._done[id(agent)][1]
        made: Any = object.__new__(guarded_class(cast(type[Any], type(agent))))
        # Not made anew: a class of the user's may ask for other arguments than the SDK's own.
        cast(dict[str, Any], vars(made)).update(cast(dict[str, Any], vars(agent)))
        self._done[id(agent)] = (agent, made)
        made._lookahead_desk = self.desk
        others = [] if self.desk.dry else [tool for tool in agent.tools if not isinstance(tool, FunctionTool)]
        made._lookahead_allowed = frozenset(id(tool) for tool in others)
        made.tools = [made_tool for tool in agent.tools if (made_tool := self._tool(tool)) is not None]
        if self.desk.dry:
            made.mcp_servers = [listing(server) for server in agent.mcp_servers]
        else:
            made.mcp_servers = list(agent.mcp_servers)
        made.handoffs = [self._handoff(target) for target in agent.handoffs]
        made.hooks = Watching(self.desk, agent.hooks)
        made.tool_use_behavior = told_first(agent.tool_use_behavior, self.desk)
        if self.sampled:
            made.model = Sampled(agent.model, self.desk.requests)
        return made

    def _tool(self, tool: Any) -> Any:
        if not isinstance(tool, FunctionTool):
            return None if self.desk.dry else tool
        if not tool._is_agent_tool:  # type: ignore[reportPrivateUsage]
            return guarded(tool, self.desk)
        agent = agent_behind(tool)
        if agent is None:
            return None if self.desk.dry else tool
        return guarded_agent_tool(tool, self.desk, self.agent(agent))

    def _handoff(self, target: Any) -> Any:
        if isinstance(target, AgentBase):
            return self.agent(target)
        known = target._agent_ref() if target._agent_ref is not None else None
        made_agent = None if known is None else self.agent(known)
        made = copy.copy(cast(Handoff[Any, Any], target))
        made.on_invoke_handoff = (
            _nothing_else(made_agent, target.tool_name)
            if self.desk.dry
            else self._invoking(target.on_invoke_handoff, known, made_agent)
        )
        if made_agent is not None:
            made._agent_ref = weakref.ref(made_agent)  # type: ignore[reportPrivateUsage]
        return made

    def _invoking(self, theirs: Any, known: Any, made: Any) -> Any:
        async def invoke(context: RunContextWrapper[Any], arguments: str) -> Any:
            agent = await theirs(context, arguments)
            if agent is known and made is not None:
                return made
            return agent if isinstance(agent, Guarded) else self._on_the_way(agent)

        return invoke

    def _on_the_way(self, agent: Any) -> Any:
        """An agent that nobody knew of before."""
        if id(agent) not in self._done:
            found = Found(dry=self.desk.dry, sampled=self.sampled)
            found.agent(agent, f"{agent.name}/")
            for path in found.paths:
                if path.how == "opaque" and self.desk.session.line.guard.policy.opaque == "error":
                    raise ConfigError(f"this run hands over to an agent with tools that cannot be guarded: {path}")
            for tool in found.tools.values():
                if (known := self.desk.tools.get(tool.name)) and known.parameters != tool.parameters:
                    raise ConfigError(f"two tools are called {tool.name!r}, and are not the same; rename one")
                self.desk.learn(tool)
        return self.agent(agent)


def _nothing_else(agent: Any, name: str) -> Any:
    """In a dry run nothing that the author does when handing over is done."""

    async def invoke(context: RunContextWrapper[Any], arguments: str) -> Any:
        if agent is None:
            raise PermitError(
                f"{name}: whom this hands over to cannot be known in a dry run, in which its code is not run"
            )
        return agent

    return invoke


def _is_bare(one: object) -> bool:
    return isinstance(one, AgentBase) and not isinstance(one, Guarded)


def _properties(tool: Tool) -> Mapping[str, Any]:
    properties = tool.parameters.get("properties")
    return properties if isinstance(properties, dict) else {}


def _at(where: str) -> str:
    return where.rstrip("/")


__all__ = ["wrap"]
