"""The interpreter of a code agent: it reaches guarded tools only, and its clock stands while somebody looks ahead."""

import copy
import functools
import inspect
import threading
from collections.abc import Callable, Mapping
from contextvars import copy_context
from importlib import import_module
from time import perf_counter
from typing import Any, Final

from lookahead.errors import CallError
from lookahead_integrations.smolagents.stage import Turn, turn

local: Any = import_module("smolagents.local_python_executor")

_PLAIN: Final = """
abc base64 binascii bisect calendar cmath collections colorsys copy dataclasses datetime decimal difflib enum fractions
functools hashlib heapq html itertools json keyword math numbers operator queue random re secrets stat statistics string
struct textwrap time typing unicodedata uuid zoneinfo
"""
HARMLESS: Final = frozenset(_PLAIN.replace("\n", " ").split(" ")) - {""}
"""Modules whose functions change nothing outside of the interpreter."""


def is_local(executor: object) -> bool:
    return isinstance(executor, local.LocalPythonExecutor)


def doors_out(executor: Any) -> list[str]:
    """Modules that code may import and that can do something to the world without a tool."""
    return sorted({name for name in executor.authorized_imports if name.split(".")[0] not in HARMLESS})


def guarded_executor(executor: Any, functions: Mapping[str, Callable[..., Any]]) -> Any:
    """A copy with its own variables. `functions` stand in for those that the original gives to the code itself."""
    made = copy.copy(executor)
    made.state = {name: _no_function(name, value) for name, value in executor.state.items()}
    made.custom_tools = {}
    made.static_tools = None
    made.additional_functions = dict(functions)
    made.__class__ = _timed(executor.__class__)
    made.lookahead_limit, made.timeout_seconds = executor.timeout_seconds, None
    return made


@functools.cache
def _timed(kind: Any) -> Any:
    def __call__(self: Any, code_action: str) -> Any:
        return _in_time(lambda: kind.__call__(self, code_action), self.lookahead_limit)

    def send_variables(self: Any, variables: dict[str, Any]) -> None:
        kind.send_variables(self, {name: _no_function(name, value) for name, value in variables.items()})

    return type(kind.__name__, (kind,), {"__call__": __call__, "send_variables": send_variables})


def _in_time(run: Callable[[], Any], limit: float | None) -> Any:
    """As the interpreter itself would, except that it does not count how long the line takes."""
    mine = Turn(around=turn.get())
    ended = threading.Event()
    result: list[Any] = []
    error: list[BaseException] = []

    def inside() -> None:
        turn.set(mine)
        try:
            result.append(run())
        except BaseException as raised:
            error.append(raised)
        finally:
            ended.set()

    began = perf_counter()
    thread = threading.Thread(target=copy_context().run, args=(inside,), name="smolagents code", daemon=True)
    thread.start()
    try:
        while not ended.is_set():
            left = None if limit is None else began + limit + mine.held_up() - perf_counter()
            if left is not None and left <= 0:
                # From now on no tool is called. What is being done already is waited for: its end is not lost.
                mine.over = True
                ended.wait()
                raise local.ExecutionTimeoutError(
                    f"Code execution exceeded the maximum execution time of {limit} seconds"
                )
            ended.wait(0.5 if left is None else min(left, 0.5))
    except BaseException:
        mine.over = True
        raise
    if error:
        raise error[0]
    return result[0]


def _no_function(name: str, value: Any) -> Any:
    """A function that comes in as a variable is a tool that nobody has looked at."""
    if not (inspect.isroutine(value) or isinstance(value, functools.partial)):
        return value

    def blocked(*args: Any, **kwargs: Any) -> Any:
        raise CallError(f"{name!r} was not done: it came in as a variable; give it to the agent as a tool")

    return blocked
