"""`with_lookahead(graph)`: the same class of graph back, in which every call of a tool walks the line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final, cast

from langchain_core.language_models import BaseLanguageModel
from langchain_core.runnables import RunnableBinding, RunnableSequence
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.tools import BaseTool
from langgraph.prebuilt import ToolNode

from lookahead.errors import ConfigError
from lookahead.host import ToolPath
from lookahead.wrap import Options
from lookahead_integrations.langgraph.gate import Gate
from lookahead_integrations.langgraph.inner import rewritten
from lookahead_integrations.langgraph.leave import Guard
from lookahead_integrations.langgraph.messages import tool_of
from lookahead_integrations.langgraph.node import GuardedToolNode
from lookahead_integrations.langgraph.own import Own, OwnPolicy
from lookahead_integrations.langgraph.single import SingleTool
from lookahead_integrations.langgraph.stream import into_stream
from lookahead_integrations.langgraph.stubs import functions_of, stub
from lookahead_integrations.nested import hidden

_runnables: Any = import_module("langgraph._internal._runnable")
Pregel: Final[type[Any]] = import_module("langgraph.pregel").Pregel
RunnableSeq: Final[type[Any]] = _runnables.RunnableSeq
RunnableCallable: Final[type[Any]] = _runnables.RunnableCallable

_START: Final = "__start__"
_OWN: Final = ("langchain.", "langgraph.", "langchain_core.")
"""Whose functions hold tools to tell a model of them, and never call them."""


def wrap(graph: Any, options: Options) -> Any:
    """The graph, with all its subgraphs, rebuilt around one session. The original stays as it is."""
    if isinstance(getattr(graph, "lookahead", None), object) and hasattr(graph, "lookahead"):
        raise ConfigError("this graph was wrapped before: wrap the bare one")
    found = Walk(gate=cast(Gate, None), dry=options.mode == "dry-run")
    found.graph(graph, "")  # looks only: what there is has to be known before a session is opened
    known = {name: stub(tool) if found.dry else tool for name, tool in found.tools.items()}
    session = options.open(
        [tool_of(tool) for tool in found.tools.values()],
        functions=functions_of(found.tools.values(), options.mode),
        paths=found.paths,
        host="LangGraph",
        propose=Own() if found.tools else None,
        host_asks=bool(graph.checkpointer),
    )
    session.watch(into_stream)
    metadata = {"lookahead_mode": session.mode, "lookahead_run": session.run}
    made = Walk(gate=Gate(session=session, tools=known), dry=found.dry, metadata=metadata)
    wrapped = made.graph(graph, "").with_config(callbacks=[Guard()])
    object.__setattr__(wrapped, "lookahead", session)
    return wrapped


@dataclass(kw_only=True)
class Walk:
    """Goes through a graph and builds another one; notes every way to a tool."""

    gate: Gate
    dry: bool
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    """What LangSmith is told of all that runs in a guarded node. Of the node, so that checkpoints stay as they are."""
    tools: dict[str, BaseTool] = field(default_factory=dict[str, BaseTool])
    paths: list[ToolPath] = field(default_factory=list[ToolPath])
    _graphs: dict[int, tuple[Any, Any]] = field(default_factory=dict[int, tuple[Any, Any]])

    def graph(self, graph: Any, at: str) -> Any:
        """The same class of graph, with other nodes. One that is met twice is built once."""
        if (known := self._graphs.get(id(graph))) is not None:
            return known[1]
        self._graphs[id(graph)] = (graph, graph)  # one that leads to itself is not gone through again
        nodes: dict[str, Any] = {}
        for name, node in graph.nodes.items():
            bound = node.bound if name == _START else self.bound(node.bound, f"{at}{name}")
            if bound is node.bound:
                nodes[name] = node
            else:
                metadata: dict[str, Any] = {**(node.metadata or {}), **self.metadata}
                nodes[name] = node.copy({"bound": bound, "subgraphs": None, "metadata": metadata})
        built = graph.copy({"nodes": nodes})
        self._own_policy(graph, nodes)
        self._graphs[id(graph)] = (graph, built)
        return built

    def _own_policy(self, graph: Any, nodes: dict[str, Any]) -> None:
        """Lets each node that calls tools ask the graph that it belongs to what the agent would do next."""
        calling = {name: node for name, node in nodes.items() if isinstance(node.bound, GuardedToolNode)}
        if not calling:
            return
        dry = graph.copy({"nodes": dict(graph.nodes), "store": None, "cache": None, "checkpointer": None})
        for name, node in calling.items():
            key = str(node.bound._messages_key)
            node.bound.policy = OwnPolicy(graph=dry, tools=name, stops=tuple(calling), messages_key=key)

    def bound(self, bound: Any, at: str) -> Any:
        if isinstance(bound, ToolNode):
            return self.tool_node(bound, at)
        if isinstance(bound, Pregel):
            return self.graph(bound, f"{at}/")
        if isinstance(bound, BaseTool):
            return SingleTool.of(self._own(bound, at), self.gate)
        if isinstance(bound, RunnableSequence | RunnableSeq):
            return self._steps(bound, at)
        if isinstance(bound, RunnableBindingBase):
            inner = self.bound(cast(Any, bound).bound, at)
            binding = cast(Any, bound)
            return binding if inner is binding.bound else binding.model_copy(update={"bound": inner})
        self._function(bound, at)
        return bound

    def _steps(self, sequence: Any, at: str) -> Any:
        steps = [self.bound(step, at) for step in sequence.steps]
        if all(new is old for new, old in zip(steps, sequence.steps, strict=True)):
            return sequence
        return type(sequence)(*steps, name=sequence.name)

    def tool_node(self, node: ToolNode, at: str) -> Any:
        tools = {name: self._own(tool, at) for name, tool in node.tools_by_name.items()}
        return GuardedToolNode.like(node, self.gate, tools)

    def _own(self, tool: BaseTool, at: str) -> BaseTool:
        """The tool as it is held from now on: with nothing to run in a dry run, and with guarded agents inside it."""
        known = self.tools.setdefault(tool.name, tool)
        why = "" if known is tool or tool_of(known) == tool_of(tool) else "it is not the only tool of this name"
        self.paths.append(ToolPath(tool=tool.name, where=at, why=why))
        if self.dry:
            return stub(tool)
        own = rewritten(tool, lambda agent: self.graph(agent, _called(agent, f"{at}/{tool.name}/")))
        self._inside(tool, f"{at}/{tool.name}", "langchain_core")
        return own

    def _inside(self, one: object, at: str, framework: str) -> None:
        """What is called in a function is stopped when it is called, unless a guarded one was put in its place."""
        for found in hidden(one, _stops, framework=framework):
            if isinstance(found, BaseTool):
                self._blocked(found, at)
            elif isinstance(found, ToolNode):
                for tool in found.tools_by_name.values():
                    self._blocked(tool, at)
            elif isinstance(found, Pregel) and id(cast(Any, found)) not in self._graphs:
                for tool in tools_in(found):
                    self._blocked(tool, at)

    def _function(self, bound: Any, at: str) -> None:
        """A node that is a function: what it could call is found in what it holds, and stopped when it is called."""
        if isinstance(bound, BaseLanguageModel):
            return
        if type(bound).__name__ == "RemoteGraph":
            self.paths.append(ToolPath(tool="*", how="opaque", where=at, why="its tools run on another machine"))
            return
        for function in (getattr(bound, "func", None), getattr(bound, "afunc", None), bound):
            if function is None or str(getattr(function, "__module__", "") or "").startswith(_OWN):
                continue
            self._inside(function, at, "langgraph")

    def _blocked(self, tool: BaseTool, at: str) -> None:
        why = "called in a function, where no call can be judged: it is stopped before it runs"
        path = ToolPath(tool=tool.name, how="blocked", where=at, why=why)
        if path not in self.paths:
            self.paths.append(path)


def _called(agent: Any, at: str) -> str:
    """Where an agent inside a tool is; by its own name, where it was given one."""
    return at if agent.name in (None, "", "LangGraph") else f"{at}{agent.name}/"


def _stops(one: object) -> bool:
    """What is of interest in a closure, or leads nowhere: a model that was told of tools does not call them."""
    if isinstance(one, BaseTool | Pregel | ToolNode | BaseLanguageModel):
        return True
    return isinstance(one, RunnableBinding) and isinstance(cast(Any, one).bound, BaseLanguageModel)


def tools_in(graph: Any) -> list[BaseTool]:
    """Every tool that the nodes of a graph hold."""
    found: list[BaseTool] = []
    for node in graph.nodes.values():
        for one in hidden(
            [node.bound], lambda one: isinstance(one, BaseTool | BaseLanguageModel), framework="langgraph"
        ):
            if isinstance(one, BaseTool) and one not in found:
                found.append(one)
    return found


__all__ = ["wrap"]
