"""Tools that are guarded where they lie: in the agent's registry."""

import copy
import threading
from collections.abc import AsyncGenerator
from importlib import import_module
from typing import Any, cast

from lookahead.types import Tool
from lookahead_integrations.strands.desk import Desk

_tools: Any = import_module("strands.types.tools")
_agent_tool: Any = import_module("strands.agent._agent_as_tool")
_structured: Any = import_module("strands.tools.structured_output.structured_output_tool")


class GuardedTool(_tools.AgentTool):  # type: ignore[misc]
    """The same tool to look at; running it walks the line."""

    def __init__(self, tool: Any, desk: Desk, *, real: Any) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self._name, self._type, self._spec = tool.tool_name, tool.tool_type, copy.deepcopy(tool.tool_spec)
        self._hot, self._is_dynamic = tool.supports_hot_reload, tool.is_dynamic
        self._display = dict(tool.get_display_properties())
        self._desk = desk
        self.real = real

    @property
    def tool_name(self) -> str:
        return self._name

    @property
    def tool_spec(self) -> Any:
        return self._spec

    @property
    def tool_type(self) -> str:
        return self._type

    @property
    def supports_hot_reload(self) -> bool:
        return self._hot

    def get_display_properties(self) -> dict[str, str]:
        return dict(self._display)

    async def stream(self, tool_use: Any, invocation_state: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        async for event in self._desk.stream(self, tool_use, invocation_state, kwargs):
            yield event

    def really(self, tool_use: Any, invocation_state: Any, kwargs: Any) -> Any:
        return self.real.stream(tool_use, invocation_state, **kwargs)


class GuardedAgentTool(_agent_tool._AgentAsTool):  # type: ignore[misc]
    """An agent as a tool: the agent behind it is guarded itself."""

    _desk: Desk
    real: Any

    @classmethod
    def of(cls, tool: Any, agent: Any, desk: Desk) -> "GuardedAgentTool":
        inner = copy.copy(tool)
        inner._agent, inner._lock = agent, threading.Lock()
        outer = cast("GuardedAgentTool", copy.copy(inner))
        outer.__class__ = cls
        outer._desk, outer.real = desk, inner
        return outer

    async def stream(self, tool_use: Any, invocation_state: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        async for event in self._desk.stream(self, tool_use, invocation_state, kwargs):
            yield event

    def really(self, tool_use: Any, invocation_state: Any, kwargs: Any) -> Any:
        return self.real.stream(tool_use, invocation_state, **kwargs)


class Shelf(dict[str, Any]):
    """A registry's tools. What is put here later, by a hook, a plugin or a tool that loads tools, is guarded too."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk

    def __setitem__(self, name: str, tool: Any) -> None:
        super().__setitem__(name, guarded(tool, self.desk))

    def setdefault(self, name: str, default: Any = None) -> Any:
        if name not in self:
            self[name] = default
        return self[name]

    def update(self, *args: Any, **kwargs: Any) -> None:
        for name, tool in dict(*args, **kwargs).items():
            self[name] = tool


def guarded(tool: Any, desk: Desk) -> Any:
    """What is no tool of the agent's own, but its way of answering in a shape, stays as it is."""
    if tool is None or isinstance(tool, GuardedTool | GuardedAgentTool | _structured.StructuredOutputTool):
        return tool
    dry = desk.session.mode == "dry-run"
    if not dry:
        desk.real[tool.tool_name] = tool
    return GuardedTool(tool, desk, real=None if dry else tool)


def described(tool: Any) -> Tool:
    spec = tool.tool_spec
    schema = spec.get("inputSchema", {})
    annotations = getattr(getattr(tool, "mcp_tool", None), "annotations", None)
    # A server's word that its tool is harmless is no proof; its word that it is not is taken.
    destroys = getattr(annotations, "destructiveHint", None) is True
    return Tool(
        name=tool.tool_name,
        description=spec.get("description", ""),
        parameters=copy.deepcopy(schema.get("json", schema)),
        result=copy.deepcopy(spec.get("outputSchema", {}).get("json")) or None,
        effect="destroys" if destroys else "unknown",
    )
