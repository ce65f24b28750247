"""Agents inside a tool: the tool's function is built anew around guarded ones, wherever it holds them by name."""

import dis
import functools
from collections.abc import Callable, Mapping
from importlib import import_module
from types import CellType, CodeType, FunctionType
from typing import Any, Final, cast

from langchain_core.tools import BaseTool

Pregel: Final[type[Any]] = import_module("langgraph.pregel").Pregel

Guarded = Callable[[Any], Any]

_DEEP: Final = 4
_LEFT: Final = frozenset(("func", "coroutine", "args_schema", "callbacks", "metadata", "tags", "extras"))
"""What the library keeps for itself, or was done already."""


def rewritten(tool: BaseTool, guarded: Guarded) -> BaseTool:
    """The tool itself where no agent is found in its functions; else another that calls guarded ones."""
    update: dict[str, Any] = {}
    for name in ("func", "coroutine"):
        function = getattr(tool, name, None)
        if isinstance(function, FunctionType) and (other := _function(function, guarded, 0)) is not function:
            update[name] = other
    for name, held in list(vars(tool).items()):
        if name not in _LEFT and (other := _value(held, guarded, _DEEP - 1)) is not held:
            update[name] = other
    return tool.model_copy(update=update) if update else tool


def _function(function: FunctionType, guarded: Guarded, depth: int) -> FunctionType:
    cells = [_cell(cell, guarded, depth) for cell in function.__closure__ or ()]
    names = {
        name: other
        for name in _globals(function.__code__)
        if name in function.__globals__
        and (other := _value(function.__globals__[name], guarded, depth)) is not function.__globals__[name]
    }
    same = all(new is old for new, old in zip(cells, function.__closure__ or (), strict=True))
    if same and not names:
        return function
    if names and _stores(function.__code__):
        return function  # it sets names of its module: in another module's place it could not
    known = _Overlay(function.__globals__, names) if names else function.__globals__
    made = FunctionType(function.__code__, known, function.__name__, function.__defaults__, tuple(cells))
    made.__kwdefaults__ = function.__kwdefaults__
    return cast(FunctionType, functools.update_wrapper(made, function))


def _cell(cell: CellType, guarded: Guarded, depth: int) -> CellType:
    try:
        held = cell.cell_contents
    except ValueError:
        return cell
    other = _value(held, guarded, depth)
    return cell if other is held else CellType(other)


def _value(value: Any, guarded: Guarded, depth: int) -> Any:
    if isinstance(value, Pregel):
        return guarded(value)
    if depth >= _DEEP:
        return value
    if isinstance(value, FunctionType):
        if value.__module__.split(".")[0] in ("langchain", "langgraph", "langchain_core"):
            return value
        return _function(value, guarded, depth + 1)
    if type(value) is dict:
        items = cast(dict[Any, Any], value)
        other = {key: _value(item, guarded, depth + 1) for key, item in items.items()}
        return items if all(other[key] is items[key] for key in items) else other
    if type(value) in (list, tuple):
        parts = cast("list[Any] | tuple[Any, ...]", value)
        others = [_value(item, guarded, depth + 1) for item in parts]
        return value if all(a is b for a, b in zip(parts, others, strict=True)) else type(parts)(others)
    return value


class _Overlay(dict[str, Any]):
    """The names of a module, some of which mean something else here."""

    def __init__(self, module: Mapping[str, Any], names: Mapping[str, Any]) -> None:
        super().__init__(names, __builtins__=module.get("__builtins__"))
        self._module = module

    def __missing__(self, name: str) -> Any:
        return self._module[name]


def _globals(code: CodeType) -> set[str]:
    names = {one.argval for one in dis.get_instructions(code) if one.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _globals(constant)
    return names


def _stores(code: CodeType) -> bool:
    if any(one.opname in ("STORE_GLOBAL", "DELETE_GLOBAL") for one in dis.get_instructions(code)):
        return True
    return any(_stores(constant) for constant in code.co_consts if isinstance(constant, CodeType))


__all__ = ["rewritten"]
