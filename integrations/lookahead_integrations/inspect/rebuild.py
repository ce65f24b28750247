"""What Inspect keeps in closures, made anew: a copy of an agent, solver or tool whose tools are guarded ones."""

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import CellType, CodeType, FunctionType
from typing import Any, cast

from lookahead.errors import ConfigError
from lookahead.functions import ToolFunction
from lookahead.host import ToolPath
from lookahead.types import Tool

_agent: Any = import_module("inspect_ai.agent._agent")
_agent_handoff: Any = import_module("inspect_ai.agent._handoff")
_chain: Any = import_module("inspect_ai.solver._chain")
_tool: Any = import_module("inspect_ai.tool")
_tool_def: Any = import_module("inspect_ai.tool._tool_def")

Guard = Callable[[Any, ToolFunction], Any]
"""The guarded tool in place of this definition of one."""


def kind_of(one: object) -> str:
    """What Inspect's registry wrote on it: tool, agent, solver; nothing on their factories and on all else."""
    if isinstance(one, _agent_handoff.AgentTool):
        return "handoff"
    written: Any = getattr(one, "__registry_info__", None)
    return str(written.type) if written is not None and hasattr(one, "__registry_params__") else ""


@dataclass(kw_only=True)
class Rebuild:
    """Goes through everything that can be reached; `guard` is asked for each tool, once."""

    guard: Guard
    source: Callable[[Any, str], Any]
    tools: dict[str, Tool] = field(default_factory=dict[str, Tool])
    paths: list[ToolPath] = field(default_factory=list[ToolPath])
    steers: set[str] = field(default_factory=set[str])
    _done: dict[int, Any] = field(default_factory=dict[int, Any])
    _kept: list[Any] = field(default_factory=list[Any])

    def made(self, one: Any, where: str = "") -> Any:
        """The same with guarded tools in it, or itself where there are none."""
        if id(one) in self._done:
            return self._done[id(one)]
        self._kept.append(one)  # an id belongs to it for as long as it lives
        return self._made(one, where)

    def _made(self, one: Any, where: str) -> Any:
        kind = kind_of(one)
        if kind == "handoff":
            return self._handoff(one, where)
        if isinstance(one, _tool.ToolDef):
            return self._definition(one, where)
        if kind == "tool":
            return self._tool(one, where)
        if isinstance(one, FunctionType):
            return self._function(one, f"{where}{_name(one)}/" if kind in ("agent", "solver") else where)
        if isinstance(one, _chain.Chain):
            return self._remember(one, _chain.Chain([self.made(part, where) for part in one]))
        if type(one) in (list, tuple, set):
            parts = [self.made(part, where) for part in one]
            same = all(new is old for new, old in zip(parts, one, strict=True))
            return one if same else self._remember(one, type(one)(parts))
        if type(one) is dict:
            held = cast(dict[Any, Any], one)
            items = {key: self.made(value, where) for key, value in held.items()}
            return held if all(items[key] is held[key] for key in held) else self._remember(one, items)
        if inspect.iscoroutinefunction(getattr(one.__class__, "tools", None)):
            where = where.rstrip("/")
            self.paths.append(ToolPath(tool="*", where=where, why=f"what {type(one).__name__} brings is guarded"))
            return self._remember(one, self.source(one, where))
        return one

    def _handoff(self, one: Any, where: str) -> Any:
        new = self._remember(one, copy.copy(one))
        definition = _tool.ToolDef(one)
        self._steers(definition.name, where)
        new.agent = self.made(one.agent, where)
        return new

    def _definition(self, one: Any, where: str) -> Any:
        if ends_a_turn(one.tool):
            self.steers.add(one.name)
            return one
        new = self._remember(one, copy.copy(one))
        new.tool = self._tool(one.tool, where, one)
        return new

    def _tool(self, one: Any, where: str, definition: Any = None) -> Any:
        definition = definition or _tool.ToolDef(one)
        if ends_a_turn(one):
            self.steers.add(definition.name)
            return one
        if isinstance(one, FunctionType) and leads_to_agents(one):
            self._steers(definition.name, where)
            return self._function(one, where)
        known = described(definition)
        if self.tools.setdefault(known.name, known) != known:
            raise ConfigError(
                f"two tools are called {known.name!r}, and are not the same: a policy could not tell them apart; "
                "rename one"
            )
        self.paths.append(ToolPath(tool=known.name, where=where.rstrip("/")))
        return self._remember(one, self.guard(definition, ToolFunction(function=definition.tool, name=known.name)))

    def _steers(self, name: str, where: str) -> None:
        self.steers.add(name)
        self.paths.append(ToolPath(tool=name, where=where.rstrip("/"), why="the agent behind it is guarded"))

    def _function(self, one: FunctionType, where: str) -> Any:
        self._globals(one, where)
        if one.__closure__ is None:
            return one
        cells = tuple(CellType() for _ in one.__closure__)
        for number, cell in enumerate(one.__closure__):
            # Functions that share a variable go on to share it.
            cells = (*cells[:number], self._done.setdefault(id(cell), cells[number]), *cells[number + 1 :])
        new = FunctionType(one.__code__, one.__globals__, one.__name__, one.__defaults__, cells)
        new.__kwdefaults__, new.__qualname__, new.__doc__ = one.__kwdefaults__, one.__qualname__, one.__doc__
        new.__annotations__ = dict(one.__annotations__)
        self._remember(one, new)
        same = True
        for old, cell in zip(one.__closure__, cells, strict=True):
            try:
                held = old.cell_contents
            except ValueError:
                continue
            cell.cell_contents = self.made(held, where)
            same = same and (cell.cell_contents is held or held is one)
        if same and not kind_of(one):
            # Nothing to guard in there: let it be the very function that it was.
            self._done[id(one)] = one
            return one
        for key, value in vars(one).items():
            if key != "__wrapped__":
                vars(new)[key] = self._done.get(id(value), value)
        return new

    def _globals(self, one: FunctionType, where: str) -> None:
        """Tools that its code names and that lie outside of it, in the module: they cannot be put elsewhere."""
        if one.__module__.split(".")[0] == "inspect_ai":
            return
        for name in names_in(one.__code__):
            found = one.__globals__.get(name)
            if kind_of(found) in ("tool", "handoff") or isinstance(found, _tool.ToolDef):
                why = "it lies in the module; give it to the agent as one of its tools"
                self.paths.append(ToolPath(tool=name, how="opaque", where=where.rstrip("/"), why=why))
            elif _is_factory(found):
                why = "it is made inside of the agent; give it to the agent as one of its tools"
                self.paths.append(ToolPath(tool=name, how="blocked", where=where.rstrip("/"), why=why))

    def _remember(self, old: Any, new: Any) -> Any:
        self._done[id(old)] = new
        return new


def ends_a_turn(tool: Any) -> bool:
    """The tool by which an agent of Inspect itself says that it is done: it does nothing to the world."""
    return getattr(tool, "__globals__", {}).get("__name__") == "inspect_ai.agent._react"


def leads_to_agents(tool: FunctionType) -> bool:
    """Whether it is an agent as a tool: what it closes over is one."""
    for cell in tool.__closure__ or ():
        try:
            if kind_of(cell.cell_contents) == "agent":
                return True
        except ValueError:
            continue
    return False


def names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant)


def _is_factory(one: object) -> bool:
    written: Any = getattr(one, "__registry_info__", None)
    return written is not None and written.type == "tool" and not hasattr(one, "__registry_params__")


def _name(one: Any) -> str:
    if kind_of(one) == "agent":
        return str(_agent.agent_display_name(one))
    return str(one.__registry_info__.name).rpartition("/")[2]


def described(definition: Any) -> Tool:
    parameters = cast(Mapping[str, Any], definition.parameters.model_dump(exclude_none=True))
    return Tool(name=definition.name, description=definition.description, parameters=dict(parameters))
