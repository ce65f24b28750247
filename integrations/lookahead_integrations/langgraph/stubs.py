"""Tools for a dry run: everything that a model or a graph sees of a tool, and nothing that could be run."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn, cast

from langchain_core.tools import BaseTool, StructuredTool, Tool

from lookahead.errors import ConfigError, PermitError
from lookahead.functions import ToolFunction
from lookahead.settings import Mode
from lookahead_integrations.langgraph.messages import injected

_KEPT: Final = (
    "return_direct",
    "verbose",
    "tags",
    "metadata",
    "response_format",
    "handle_tool_error",
    "handle_validation_error",
    "extras",
)


def stub(tool: BaseTool) -> BaseTool:
    """The same to look at; without a reference to what it does."""

    def nothing(*args: Any, **kwargs: Any) -> NoReturn:
        raise PermitError(f"{name!r} was called in a dry run: nothing was done")

    async def nothing_async(*args: Any, **kwargs: Any) -> NoReturn:
        nothing()

    name = tool.name
    if type(tool) in (StructuredTool, Tool):
        return tool.model_copy(update={"func": nothing, "coroutine": nothing_async, "callbacks": None})
    return StructuredTool(
        name=name,
        description=tool.description,
        args_schema=tool.args_schema or tool.get_input_schema(),
        func=nothing,
        coroutine=nothing_async,
        **{field: getattr(tool, field) for field in _KEPT if hasattr(tool, field)},
    )


def functions_of(tools: Iterable[BaseTool], mode: Mode) -> dict[str, ToolFunction]:
    """The plain functions behind the tools, for worlds that run them in a copy. None of them in a dry run."""
    if mode == "dry-run":
        return {}
    found: dict[str, ToolFunction] = {}
    for tool in tools:
        function = cast(Callable[..., Any] | None, getattr(tool, "func", None) or getattr(tool, "coroutine", None))
        if not inspect.isfunction(function) or injected(tool):
            continue
        try:
            found[tool.name] = ToolFunction(function=ToolFunction.of(function).function, name=tool.name)
        except ConfigError:
            continue  # it yields, or does not tell its signature: no copy of it can be asked
    return found


__all__ = ["functions_of", "stub"]
