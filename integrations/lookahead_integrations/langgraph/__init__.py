"""Lookahead for LangChain and LangGraph: `with_lookahead(graph)`, `tool_node(tools)` and `LookaheadMiddleware`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lookahead_integrations.langgraph.middleware import LookaheadMiddleware as LookaheadMiddleware
    from lookahead_integrations.langgraph.node import tool_node as tool_node

_HOMES = {"LookaheadMiddleware": "middleware", "tool_node": "node"}


def __getattr__(name: str) -> Any:
    # Looked up when asked for: what the host can do is read from here without loading the framework.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


__all__ = ["LookaheadMiddleware", "tool_node"]
