"""Agents that hide in a tool: in its closure, its defaults, its object, or the globals that its code names."""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final, cast

_DEEP: Final = 6
_MANY: Final = 5000
_PLAIN: Final = (str, bytes, int, float, bool, type(None), ModuleType)


def hidden(tool: object, is_agent: Callable[[object], bool], *, framework: str) -> list[object]:
    """Every agent that a call of this tool could lead to without anybody being asked, as far as can be seen.

    `framework` is the root of the modules that a tool's class comes from: its own methods lead nowhere new.
    """
    found: list[object] = []
    seen: set[int] = set()
    waiting: list[tuple[object, int]] = [(tool, 0), *((method, 1) for method in _methods(tool, framework))]
    while waiting and len(seen) < _MANY:
        one, depth = waiting.pop()
        if isinstance(one, _PLAIN) or id(one) in seen:
            continue
        seen.add(id(one))
        if depth and is_agent(one):
            found.append(one)
            continue
        if depth < _DEEP:
            waiting += [(part, depth + 1) for part in _parts(one)]
    return found


def _methods(tool: object, framework: str) -> Iterator[object]:
    """What the user has written in the tool's own class."""
    for kind in type(tool).__mro__:
        if kind.__module__.split(".")[0] not in (framework, "builtins", "abc", "typing", "pydantic"):
            for value in vars(kind).values():
                yield getattr(value, "__func__", value)
    if not inspect.isroutine(tool) and isinstance(forward := getattr(tool, "forward", None), FunctionType):
        yield forward


def _parts(one: object) -> Iterator[object]:
    if isinstance(one, Mapping):
        yield from cast(Mapping[Any, object], one).values()
    elif isinstance(one, Sequence | AbstractSet):
        yield from cast(Sequence[object], one)
    elif isinstance(one, functools.partial):
        held = cast(functools.partial[Any], one)
        yield from (held.func, *held.args, *held.keywords.values())
    elif isinstance(one, MethodType):
        yield from (one.__self__, one.__func__)
    elif isinstance(one, FunctionType):
        yield from _function(one)
    elif not inspect.isclass(one):
        # What a library keeps for itself is not what a tool was given; an object of the user's may hold anything.
        yield from getattr(one, "__dict__", {}).values()
        run = vars(type(one)).get("__call__")
        if isinstance(run, FunctionType):
            yield run


def _function(function: FunctionType) -> Iterator[object]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:
            continue  # a name that is not bound yet
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    yield from vars(function).values()
    for name in _names(function.__code__):
        if name in function.__globals__:
            yield function.__globals__[name]


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


__all__ = ["hidden"]
