"""The tools of an agent that is still being built: learnt when its model is first asked, or given beforehand."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final, cast

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.language_models import BaseLanguageModel
from langchain_core.tools import BaseTool
from langchain_core.tools import tool as made_tool
from langgraph.prebuilt import ToolNode

from lookahead.errors import ConfigError
from lookahead.host import ToolPath, check_paths
from lookahead.wrap import Options
from lookahead_integrations.langgraph.candidates import OwnModel
from lookahead_integrations.langgraph.gate import Gate
from lookahead_integrations.langgraph.graph import tools_in
from lookahead_integrations.langgraph.leave import Guard
from lookahead_integrations.langgraph.messages import tool_of
from lookahead_integrations.langgraph.stream import into_stream
from lookahead_integrations.langgraph.stubs import functions_of, stub
from lookahead_integrations.langgraph.tick import Place
from lookahead_integrations.nested import hidden

Pregel: Final[type[Any]] = import_module("langgraph.pregel").Pregel


@dataclass(kw_only=True)
class Tools:
    """Opens the session, once, when the tools are known."""

    options: Options
    given: Sequence[BaseTool] | None = None
    shown: list[BaseTool] = field(default_factory=list[BaseTool])
    """Of those that were given, what the agent gets: in a dry run nothing that could be run."""
    gate: Gate | None = None
    _seen: dict[int, Any] = field(default_factory=dict[int, Any])
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        if self.given is None:
            return
        self.shown = [stub(tool) if self.options.mode == "dry-run" else tool for tool in self.given]
        self.gate = self.open(self.given)
        self.gate.tools = {tool.name: tool for tool in self.shown}
        self._seen.update({id(tool): tool for tool in self.shown})

    def known(self, tools: Sequence[Any], place: Place) -> Gate:
        """The gate, which knows these tools. Other middleware may bring some at any time."""
        gate = self.gate
        if gate is not None and all(id(tool) in self._seen for tool in tools):
            return gate
        with self._lock:
            found = [as_tool(tool) for tool in tools if not isinstance(tool, dict)]
            real = [one.name for one in found if all(one is not mine for mine in self.shown)]
            if self.options.mode == "dry-run" and real:
                raise ConfigError(
                    f"this is a dry run, and the agent holds tools that could run: {', '.join(real)}. Give them to "
                    "LookaheadMiddleware(tools=...) alone, or wrap the finished agent with with_lookahead()"
                )
            opaque = [_opaque(tool) for tool in tools if isinstance(tool, dict)]
            if self.gate is None:
                self.gate = self.open(found, opaque, host_asks=place.can_wait)
            else:
                self._learn(self.gate, found, opaque)
            self._seen.update({id(tool): tool for tool in tools})
            return self.gate

    def open(self, tools: Sequence[BaseTool], opaque: Sequence[ToolPath] = (), *, host_asks: bool = True) -> Gate:
        session = self.options.open(
            [tool_of(tool) for tool in tools],
            functions=functions_of(tools, self.options.mode),
            propose=OwnModel(),
            paths=[*(path for tool in tools for path in _paths(tool)), *opaque],
            host="LangChain",
            host_asks=host_asks,
        )
        session.watch(into_stream)
        return Gate(session=session, tools={tool.name: tool for tool in tools})

    def _learn(self, gate: Gate, tools: Sequence[BaseTool], opaque: Sequence[ToolPath]) -> None:
        session = gate.session
        known = {tool.name for tool in session.state.tools}
        fresh = {tool.name: tool_of(tool) for tool in tools if tool.name not in known}
        paths = [*(path for tool in tools if tool.name in fresh for path in _paths(tool)), *opaque]
        paths = [path for path in paths if path not in session.covered]
        check_paths("LangChain", paths, self.options.policy)
        effect_of = self.options.policy.effect_of
        nouns = [one.model_copy(update={"effect": effect_of(name, one)}) for name, one in fresh.items()]
        session.covered = (*session.covered, *paths)
        session.state = session.state.model_copy(update={"tools": (*session.state.tools, *nouns)})
        gate.tools = {**gate.tools, **{tool.name: tool for tool in tools}}

    def opened_anew(self, place: Place) -> Gate:
        """A conversation that goes on after a restart, before the model was asked: the record knows its tools."""
        with self._lock:
            if self.gate is None:
                runs = self.options.journal.runs()
                tools = next((run.started.tools for run in runs if run.run == place.conversation), ())
                gate = self.open((), host_asks=True)
                gate.session.state = gate.session.state.model_copy(update={"tools": tools})
                self.gate = gate
            return self.gate


def as_tool(tool: Any) -> BaseTool:
    return cast(BaseTool, tool if isinstance(tool, BaseTool) else made_tool(tool))


def stop_what_is_inside(config: Any) -> None:
    """While a tool runs, every tool that is started within it is stopped, unless a gate of its own let it pass."""
    callbacks = config.get("callbacks")
    if isinstance(callbacks, BaseCallbackManager):
        if not any(isinstance(one, Guard) for one in callbacks.handlers):
            callbacks.add_handler(Guard(), inherit=True)
    else:
        config["callbacks"] = [*(callbacks or ()), Guard()]


def _paths(tool: BaseTool) -> list[ToolPath]:
    """The tool itself, and whatever could be called within it: an agent, say, that nobody guards."""
    why = "called inside of another tool, where no call can be judged: it is stopped before it runs"
    inner: dict[str, ToolPath] = {}
    for found in hidden(tool, _ends, framework="langgraph"):
        within: list[BaseTool] = []
        if isinstance(found, BaseTool):
            within = [found]
        elif isinstance(found, ToolNode):
            within = list(found.tools_by_name.values())
        elif isinstance(found, Pregel) and not _is_guarded(found):
            within = tools_in(found)
        for one in within:
            inner[one.name] = ToolPath(tool=one.name, how="blocked", where=f"tools/{tool.name}", why=why)
    return [ToolPath(tool=tool.name, where="tools"), *inner.values()]


def _ends(one: object) -> bool:
    return isinstance(one, BaseTool | Pregel | ToolNode | BaseLanguageModel)


def _is_guarded(graph: Any) -> bool:
    return hasattr(graph, "lookahead") or any(name.startswith("LookaheadMiddleware.") for name in graph.nodes)


def _opaque(tool: Any) -> ToolPath:
    name = str(tool.get("name") or tool.get("type") or "a tool of the provider")
    return ToolPath(tool=name, how="opaque", where="the model's provider", why="it is run there, and nobody is asked")


__all__ = ["Tools", "as_tool", "stop_what_is_inside"]
