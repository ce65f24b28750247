"""Copies of Strands agents, graphs and swarms that share no state with what they were copied from."""

import copy
import threading
import weakref
from collections.abc import AsyncGenerator, Callable
from importlib import import_module
from types import MethodType
from typing import Any

from lookahead_integrations.strands.desk import Desk
from lookahead_integrations.strands.tools import guarded

_agent: Any = import_module("strands.agent.agent")
_state: Any = import_module("strands.agent.state")
_hooks: Any = import_module("strands.hooks")
_registry: Any = import_module("strands.hooks.registry")
_interrupt: Any = import_module("strands.interrupt")
_middleware: Any = import_module("strands.middleware")
_stages: Any = import_module("strands.middleware.stages")
_metrics: Any = import_module("strands.telemetry.metrics")
_caller: Any = import_module("strands.tools._caller")
_watcher: Any = import_module("strands.tools.watcher")
_concurrency: Any = import_module("strands.agent._concurrency")
_graph: Any = import_module("strands.multiagent.graph")
_swarm: Any = import_module("strands.multiagent.swarm")

LAST = 1e9
"""After every other hook: what they change is judged as it is then."""


def agent_copy(agent: Any, registry: Any, desk: Desk) -> Any:
    """The same agent with its conversation so far, its own state, and these tools."""
    new = copy.copy(agent)
    new.tool_registry = registry
    registry._registry_id = f"{registry._registry_id}-lookahead"
    registry._tool_providers = list(registry._tool_providers)
    for provider in registry._tool_providers:
        # Or a server's connection would end with the agent that it was opened for.
        provider.add_consumer(registry._registry_id)
    new.messages = copy.deepcopy(agent.messages)
    new.state = _state.AgentState(agent.state.get())
    new._model_state = copy.deepcopy(agent._model_state)
    new._interrupt_state = _interrupt._InterruptState.from_dict(copy.deepcopy(agent._interrupt_state.to_dict()))
    new._cancel_signal = threading.Event()
    new._concurrency = _concurrency._ConcurrencyController(agent._concurrency.mode)
    new.event_loop_metrics = _metrics.EventLoopMetrics()
    new.tool_caller = _caller._ToolCaller(new)
    if agent.load_tools_from_directory:
        new.tool_watcher = _watcher.ToolWatcher(tool_registry=registry)
    new.conversation_manager = copy.copy(agent.conversation_manager)
    new._retry_strategy = copy.copy(agent._retry_strategy)
    moved = {
        id(agent): new,
        id(agent.conversation_manager): new.conversation_manager,
        id(agent._retry_strategy): new._retry_strategy,
    }
    new.hooks = hooks_copy(agent.hooks, moved)
    new._plugin_registry = _rebound(agent._plugin_registry, new)
    new._middleware_registry = copy.copy(agent._middleware_registry)
    new._middleware_registry._handlers = {
        stage: list(handlers) for stage, handlers in agent._middleware_registry._handlers.items()
    }
    new.hooks.add_callback(_hooks.BeforeToolsEvent, desk.before_tools, order=LAST)
    new.hooks.add_callback(_hooks.BeforeToolCallEvent, _only_guarded(desk), order=LAST)
    new.add_middleware(_stages.ExecuteToolStage, _innermost(desk))
    return new


def _only_guarded(desk: Desk) -> Callable[[Any], None]:
    """A hook may put any tool in the place of another: that one is guarded too."""

    def check(event: Any) -> None:
        if event.selected_tool is not None:
            event.selected_tool = guarded(event.selected_tool, desk)

    return check


def _innermost(desk: Desk) -> Callable[[Any, Any], AsyncGenerator[Any, None]]:
    """And so may a middleware."""

    async def check(context: Any, following: Any) -> AsyncGenerator[Any, None]:
        if context.tool is not None:
            context = context.replace(tool=guarded(context.tool, desk))
        async for event in following(context):
            yield event

    return check


def hooks_copy(hooks: Any, moved: dict[int, Any]) -> Any:
    """The same callbacks; methods of what was copied too are those of the copy."""
    new = _registry.HookRegistry()
    for kind, entries in hooks._registered_callbacks.items():
        new._registered_callbacks[kind] = [
            _registry._CallbackEntry(callback=_moved(entry.callback, moved), order=entry.order) for entry in entries
        ]
    return new


def _moved(callback: Any, moved: dict[int, Any]) -> Any:
    if isinstance(callback, MethodType) and id(callback.__self__) in moved:
        return MethodType(callback.__func__, moved[id(callback.__self__)])
    return callback


def _rebound(plugins: Any, owner: Any) -> Any:
    new = copy.copy(plugins)
    new._plugins = dict(plugins._plugins)
    for name in ("_agent_ref", "_orchestrator_ref"):
        if hasattr(new, name):
            setattr(new, name, weakref.ref(owner))
    return new


def graph_copy(graph: Any, copied: Callable[[Any, str], Any]) -> Any:
    new = copy.copy(graph)
    nodes = {name: copy.copy(node) for name, node in graph.nodes.items()}
    for name, node in nodes.items():
        node.executor = copied(node.executor, name)
        node.dependencies = {nodes[one.node_id] for one in node.dependencies}
        node._initial_messages = copy.deepcopy(node._initial_messages)
    new.nodes = nodes
    new.edges = {
        _graph.GraphEdge(nodes[edge.from_node.node_id], nodes[edge.to_node.node_id], edge.condition)
        for edge in graph.edges
    }
    new.entry_points = {nodes[one.node_id] for one in graph.entry_points}
    new.state = _graph.GraphState()
    new._interrupt_state = _interrupt._InterruptState()
    new._resume_next_nodes = [nodes[one.node_id] for one in graph._resume_next_nodes]
    new._current_invocation_state = {}
    new.hooks = hooks_copy(graph.hooks, {id(graph): new})
    new._plugin_registry = _rebound(graph._plugin_registry, new)
    return new


def swarm_copy(swarm: Any, copied: Callable[[Any, str], Any], guard: Callable[[Any, Desk], Any]) -> Any:
    """Its agents hand over by a tool that knows the swarm: the copies get one that knows the copy."""
    new: Any = copy.copy(swarm)
    nodes: dict[str, Any] = {name: copy.copy(node) for name, node in swarm.nodes.items()}
    for name, node in nodes.items():
        node.executor = copied(node.executor, name)
        node.swarm = new
        node._initial_messages = copy.deepcopy(node._initial_messages)
    new.nodes = nodes
    if swarm.entry_point is not None:
        new.entry_point = nodes[str(swarm.entry_point.name)].executor
    handoff = new._create_handoff_tool()
    for node in nodes.values():
        shelf = node.executor.tool_registry.registry
        shelf[handoff.tool_name] = guard(handoff, shelf.desk)
    new.shared_context = _swarm.SharedContext()
    new.state = copy.copy(swarm.state)
    new._interrupt_state = _interrupt._InterruptState()
    new._turn = None
    new.hooks = hooks_copy(swarm.hooks, {id(swarm): new})
    new._plugin_registry = _rebound(swarm._plugin_registry, new)
    return new
