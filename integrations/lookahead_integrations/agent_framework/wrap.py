"""The same agent, whose chat client lets no function run that was not judged."""

import copy
import types
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final, cast

from lookahead.errors import ConfigError, PermitError
from lookahead.functions import jsonable
from lookahead.host import ToolPath, check_paths
from lookahead.types import Action, Observation, State, Tool
from lookahead.wrap import Options
from lookahead_integrations.agent_framework.gate import Batch, Gate, rivals
from lookahead_integrations.agent_framework.host import HOST
from lookahead_integrations.agent_framework.talk import Hand, Talks
from lookahead_integrations.nested import hidden

framework: Any = import_module("agent_framework")
mcp: Any = import_module("agent_framework._mcp")
internal: Any = import_module("agent_framework._tools")

_AS_TOOL: Final = "BaseAgent.as_tool.<locals>._agent_wrapper"


def wrap(agent: Any, options: Options) -> Any:
    """A copy with a copy of the client; the original is as it was."""
    tree = Tree(options=options, talks=Talks())
    made = tree.copied(agent, "")
    if options.mode == "dry-run" and (opaque := [path for path in tree.paths if path.how == "opaque"]):
        raise ConfigError(
            "a dry run of this agent could still do something for real:\n"
            + "\n".join(f"  {path}" for path in opaque)
            + "\nTake these ways out of the agent, and wrap it again."
        )
    tree.talks.session = options.open(
        tree.tools.values(),
        real=None if options.mode == "dry-run" else tree.for_real,
        propose=rivals,
        paths=tree.paths,
        host=HOST.name,
        host_asks=True,
    )
    made.lookahead = tree.talks.session
    return made


@dataclass(kw_only=True)
class Tree:
    """An agent, and those that serve it as tools."""

    options: Options
    talks: Talks
    tools: dict[str, Tool] = field(default_factory=dict[str, Tool])
    real: dict[str, Any] = field(default_factory=dict[str, Any])
    paths: list[ToolPath] = field(default_factory=list[ToolPath])
    _made: dict[int, Any] = field(default_factory=dict[int, Any])

    def copied(self, agent: Any, where: str) -> Any:
        if id(agent) in self._made:
            return self._made[id(agent)]
        if getattr(agent, "lookahead", None) is not None:
            raise ConfigError(f"the agent {agent.name!r} is guarded already; wrap the outermost agent only")
        made = self._made[id(agent)] = copy.copy(agent)
        made.context_providers = list(agent.context_providers)
        made.mcp_tools = list(agent.mcp_tools)
        made._async_exit_stack = AsyncExitStack()
        tools = [self.tool(one, where) for one in agent.default_options.get("tools") or ()]
        made.default_options = {**agent.default_options, **({"tools": tools} if tools else {})}
        for server in agent.mcp_tools:
            why = "its functions are known when it is connected, and guarded then"
            self.paths.append(ToolPath(tool=f"{server.name}: all functions", where=where, why=why))
        if agent.context_providers:
            why = "what they add is guarded when it is called"
            self.paths.append(ToolPath(tool="functions of context providers", where=where, why=why))
        made.client = self.client(agent.client, where)
        return made

    def tool(self, one: Any, where: str) -> Any:
        """A copy to hand to the model; in a dry run it cannot do anything."""
        if not isinstance(one, framework.FunctionTool):
            self.paths.append(_hosted(one, where))
            return one
        if one.declaration_only:
            self.paths.append(
                ToolPath(tool=one.name, how="blocked", where=where, why="the caller does it, not the agent")
            )
            return one
        if inner := _as_tool(one):
            agent = self.copied(inner, f"{where}/{one.name}" if where else one.name)
            ruling = self.options.policy.rule_on(Action(tool=one.name), None)
            if ruling.rule in ("deny", "ask") and not ruling.line.startswith("default"):
                self.known(one, where)
                self.paths.append(ToolPath(tool=one.name, where=where))
                return _led_by(one, agent, free=False)
            return _led_by(one, agent, free=True)
        self.known(one, where)
        if agents := hidden([one.func, one._instance], _is_unguarded, framework="agent_framework"):
            why = f"its code leads {len(agents)} agent(s) of its own; give them with agent.as_tool()"
            self.paths.append(ToolPath(tool=one.name, how="opaque", where=where, why=why))
        else:
            self.paths.append(ToolPath(tool=one.name, where=where))
        if self.dry:
            return _stub(one)
        self.real.setdefault(one.name, one)
        return one

    def known(self, one: Any, where: str) -> None:
        noun = Tool(name=one.name, description=one.description or "", parameters=cast(Any, jsonable(one.parameters())))
        if self.tools.setdefault(noun.name, noun) != noun:
            raise ConfigError(
                f"two different tools are called {noun.name!r} (one at {where or 'the agent itself'}): "
                "a policy could not tell them apart; rename one"
            )

    async def for_real(self, state: State, action: Action, /) -> Observation:
        """For worlds that ask the tool itself what it would do."""
        contents = await self.real[action.tool].invoke(arguments=dict(action.arguments))
        return Observation(content="\n".join(str(getattr(one, "text", None) or one) for one in contents))

    def client(self, client: Any, where: str) -> Any:
        if not isinstance(client, framework.FunctionInvocationLayer):
            why = f"{type(client).__name__} calls functions by itself, or not at all; use a client with a function loop"
            self.paths.append(ToolPath(tool="all functions", how="opaque", where=where, why=why))
            return client
        made = copy.copy(client)
        made._cached_function_middleware_pipeline = None
        tree = self

        def get_response(self: Any, messages: Any, **given: Any) -> Any:
            return kind.get_response(self, messages, **tree.guarded(given))

        kind = made.__class__
        made.__class__ = type(kind.__name__, (kind,), {"get_response": get_response})
        return made

    def guarded(self, given: dict[str, Any]) -> dict[str, Any]:
        """What a run asks of its client, with our two middlewares innermost and every function in our hand."""
        extra = dict(given.get("client_kwargs") or {})
        theirs = extra.get("session")
        lasting = theirs is not None and extra.get(internal._APPROVAL_SESSION_IS_AUTHORITATIVE_KEY, True) is not False
        hand = Hand(talk=self.talks.of(theirs, lasting=lasting), theirs=theirs)
        options = dict(given.get("options") or {})
        options["tools"] = [self.handed(one, hand) for one in options.get("tools") or ()] or None
        given_before = extra.get("middleware") or ()
        own = list(cast(list[Any], given_before)) if isinstance(given_before, list | tuple) else [given_before]
        direct = list(given.pop("middleware", None) or ())
        extra["middleware"] = [*own, *direct, Batch(hand), Gate(hand)]
        return {**given, "options": options, "client_kwargs": extra}

    def handed(self, one: Any, hand: Hand) -> Any:
        if not isinstance(one, framework.FunctionTool):
            if not isinstance(one, mcp.MCPTool) and not any(path.tool == _name(one) for path in self.paths):
                check_paths(HOST.name, [_hosted(one, "this run")], self.options.policy)
                if self.dry:
                    raise ConfigError(f"{_name(one)!r} runs at the provider, which a dry run cannot stop")
            return one
        made = _stub(one) if self.dry and not getattr(one, "lookahead_agent", False) else copy.copy(one)
        made.lookahead_asks_always = one.approval_mode == "always_require"
        made.lookahead_hand = hand
        made.lookahead_counted = made if self.dry else one
        made.__class__ = _asking(one.__class__)
        hand.tools[one.name] = made
        return made

    @property
    def dry(self) -> bool:
        return self.options.mode == "dry-run"


def _asking(kind: Any) -> Any:
    """The class of a function whose way of asking depends on the calls that lie before it."""

    def mode(self: Any) -> str:
        asks = self.lookahead_asks_always or self.lookahead_hand.asks(self.name)
        return "always_require" if asks else "never_require"

    def ignored(self: Any, value: Any) -> None:
        """Decided by the calls, and by what the function was made with."""

    members: dict[str, Any] = {"approval_mode": property(mode, ignored)}
    for name in ("invocation_count", "invocation_exception_count"):
        # Limits hold for the function, not for the copy of it that one run has.
        members[name] = property(_counted(name), _counts(name))
    return type(kind.__name__, (kind,), members)


def _counted(name: str) -> Any:
    def get(self: Any) -> int:
        return cast(dict[str, int], vars(self.lookahead_counted)).get(name, 0)

    return get


def _counts(name: str) -> Any:
    def put(self: Any, value: int) -> None:
        vars(self.lookahead_counted)[name] = value

    return put


def _stub(one: Any) -> Any:
    made = copy.copy(one)

    async def nothing(*args: Any, **kwargs: Any) -> Any:
        raise PermitError(f"{one_name!r} was reached in a dry run, and nothing was done")

    one_name = one.name
    # Described before its function is gone, which may be where the description comes from.
    made._cached_parameters = dict(one.parameters())
    made.func, made._instance = nothing, None
    return made


def _as_tool(one: Any) -> Any:
    """The agent behind a function that `as_tool()` has made."""
    func = one.func
    if getattr(func, "__qualname__", "") != _AS_TOOL or not isinstance(func, types.FunctionType):
        return None
    held = dict(zip(func.__code__.co_freevars, func.__closure__ or (), strict=True))
    agent = held["self"].cell_contents if "self" in held else None
    return agent if isinstance(agent, framework.RawAgent) else None


def _led_by(one: Any, agent: Any, *, free: bool) -> Any:
    """The same function, leading to the guarded copy of its agent."""
    func = cast(types.FunctionType, one.func)
    cells = dict(zip(func.__code__.co_freevars, func.__closure__ or (), strict=True))
    cells["self"] = types.CellType(agent)
    closure = tuple(cells[name] for name in func.__code__.co_freevars)
    made = copy.copy(one)
    made.func = types.FunctionType(func.__code__, func.__globals__, func.__name__, func.__defaults__, closure)
    made.func.__kwdefaults__, made.func.__qualname__ = func.__kwdefaults__, func.__qualname__
    made.func.__annotations__ = dict(func.__annotations__)
    made.lookahead_agent = free
    return made


def _is_unguarded(one: object) -> bool:
    return isinstance(one, framework.BaseAgent | framework.Workflow) and not hasattr(one, "lookahead")


def _name(one: Any) -> str:
    if isinstance(one, Mapping):
        given = cast(Mapping[str, Any], one)
        return str(given.get("name") or given.get("type") or "a hosted tool")
    return str(getattr(one, "name", None) or type(one).__name__)


def _hosted(one: Any, where: str) -> ToolPath:
    why = "the model's provider runs it, where lookahead is not"
    return ToolPath(tool=_name(one), how="opaque", where=where, why=why)


__all__ = ["wrap"]
