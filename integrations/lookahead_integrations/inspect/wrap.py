"""`with_lookahead` for Inspect: the same tool, list of tools, agent, solver or task, with its tools guarded."""

import copy
from importlib import import_module
from typing import Any, cast

from lookahead.errors import ConfigError
from lookahead.functions import ToolFunction
from lookahead.wrap import Options
from lookahead_integrations.inspect.calls import Calls, like
from lookahead_integrations.inspect.rebuild import Rebuild, described, kind_of

_chain: Any = import_module("inspect_ai.solver._chain")
_task: Any = import_module("inspect_ai")
_tool: Any = import_module("inspect_ai.tool")


def wrap(agent: Any, options: Options) -> Any:
    """What was given is as it was."""
    if hasattr(agent, "lookahead"):
        raise ConfigError("this is guarded already: wrap the outermost agent, once")
    dry = options.mode == "dry-run"
    made = Made(dry)
    # It knows what was given: nothing that is handed back may lead to it.
    rebuild = Rebuild(guard=made.guard, source=made.source)
    wrapped = _task_of(agent, rebuild) if isinstance(agent, _task.Task) else rebuild.made(agent)
    session = options.open(
        rebuild.tools.values(),
        functions={} if dry else made.functions,
        paths=rebuild.paths,
        host="Inspect AI",
        host_asks=True,
    )
    made.calls = Calls(
        session=session,
        real=made.real,
        known={*rebuild.tools, *rebuild.steers},
        asks_itself=options.approve is not None,
    )
    if isinstance(agent, _task.Task):
        wrapped.solver = closed(wrapped.solver, made.calls)
        wrapped.setup = closed(wrapped.setup, made.calls)
    elif kind_of(agent) in ("agent", "solver") or isinstance(agent, _chain.Chain):
        wrapped = closed(wrapped, made.calls)
    elif isinstance(wrapped, list):
        wrapped = _Tools(cast(list[Any], wrapped))
    elif isinstance(wrapped, tuple):
        wrapped = _ToolTuple(cast(tuple[Any, ...], wrapped))
    cast(Any, wrapped).lookahead = session
    return wrapped


def _task_of(task: Any, rebuild: Rebuild) -> Any:
    new = copy.copy(task)
    new.solver = rebuild.made(task.solver)
    new.setup = rebuild.made(task.setup) if task.setup is not None else None
    return new


def closed(solver: Any, calls: Calls) -> Any:
    """Each part of a chain by itself: they may be run one by one."""
    if solver is None:
        return None
    if isinstance(solver, _chain.Chain):
        return _chain.Chain([closed(part, calls) for part in solver])
    if isinstance(solver, list):
        return [closed(part, calls) for part in cast(list[Any], solver)]
    return calls.closed(solver)


class _Tools(list[Any]):
    """A list that can say what it was guarded with."""

    lookahead: Any


class _ToolTuple(tuple[Any, ...]):
    lookahead: Any


class Made:
    """Makes the guarded tools, before there is a session for them to talk to."""

    def __init__(self, dry: bool) -> None:
        self.dry = dry
        self.calls: Calls | None = None
        self.real: dict[str, Any] = {}
        self.functions: dict[str, ToolFunction] = {}

    def guard(self, definition: Any, tool: ToolFunction) -> Any:
        if getattr(definition.tool, "lookahead_guards", False):
            raise ConfigError(f"{definition.name!r} is guarded already: wrap the outermost agent, once")
        shown = ToolFunction(function=_signature_of(definition.tool), name=tool.name)
        real = None
        if not self.dry:
            self.functions[tool.name] = tool
            real = self.real[tool.name] = definition.tool

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            if self.calls is None:
                raise ConfigError("this tool was called while it was being wrapped")
            return await self.calls.call(shown, real, args, kwargs)

        like(guarded, definition.tool)
        # Resolved: what they name is found in the tool's module, and not in ours.
        guarded.__annotations__ = dict(tool.hints) or guarded.__annotations__
        guarded.__dict__["lookahead_guards"] = True
        for mark in ("__registry_info__", "__registry_params__"):
            guarded.__dict__.pop(mark, None)
        return _tool.ToolDef(
            guarded,
            name=definition.name,
            description=definition.description,
            parameters=definition.parameters,
            parallel=definition.parallel,
            viewer=definition.viewer,
            model_input=definition.model_input,
            max_output=definition.max_output,
            options=definition.options,
        ).as_tool()

    def source(self, source: Any, where: str) -> Any:
        return GuardedSource(source, self)


class GuardedSource:
    """A server's tools, each guarded when it is brought."""

    def __init__(self, source: Any, made: Made) -> None:
        self._source, self._made = source, made
        self._known: dict[str, Any] = {}

    async def tools(self) -> list[Any]:
        found: list[Any] = []
        for tool in await self._source.tools():
            definition = _tool.ToolDef(tool)
            found.append(self._made.guard(definition, ToolFunction(function=definition.tool, name=definition.name)))
            if self._made.calls is not None:
                self._made.calls.known.add(definition.name)
                session = self._made.calls.session
                known = described(definition)
                if session.state.tool(known.name) is None:
                    state = session.state
                    session.state = state.model_copy(update={"tools": (*state.tools, known)})
        return found


def _signature_of(tool: Any) -> Any:
    """A function of the same signature that does nothing: all that a dry run needs to know of the tool."""

    async def nothing(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a shape is never called")

    return like(nothing, tool)


__all__ = ["wrap"]
