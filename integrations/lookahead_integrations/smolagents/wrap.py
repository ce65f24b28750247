"""The same agent of smolagents, whose tools, and whose managed agents' tools, are behind the line."""

import copy
import inspect
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from importlib import import_module
from typing import Any, Final, cast

import anyio.to_thread

from lookahead.errors import ConfigError
from lookahead.functions import ToolFunction
from lookahead.host import ToolPath
from lookahead.types import Action, Observation, State, Tool
from lookahead.wrap import Options
from lookahead_integrations.nested import hidden
from lookahead_integrations.smolagents.executor import doors_out, guarded_executor, is_local
from lookahead_integrations.smolagents.host import HOST
from lookahead_integrations.smolagents.stage import Hand, Sampling, Stage, rivals, sampling
from lookahead_integrations.smolagents.tools import (
    FINAL,
    Call,
    Described,
    Door,
    observed,
    only_ends,
    proxy,
    real_call,
)

smolagents: Any = import_module("smolagents")
memory: Any = import_module("smolagents.memory")
monitoring: Any = import_module("smolagents.monitoring")
models: Any = import_module("smolagents.models")
tools: Any = import_module("smolagents.tools")

_ASKED: Final = frozenset({"deny", "ask"})


def wrap(agent: Any, options: Options) -> Any:
    """A copy with its own memory; the original is as it was."""
    tree = Tree(options=options, stage=Stage())
    made = tree.copied(agent, "")
    if options.mode == "dry-run" and (opaque := [path for path in tree.paths if path.how == "opaque"]):
        raise ConfigError(
            "a dry run of this agent could still do something for real:\n"
            + "\n".join(f"  {path}" for path in opaque)
            + "\nTake these ways out of the agent, and wrap it again."
        )
    session = options.open(
        tree.tools.values(),
        functions=tree.functions,
        real=None if options.mode == "dry-run" else tree.for_real,
        propose=rivals if tree.samples else None,
        paths=tree.paths,
        host=HOST.name,
    )
    tree.stage.session = session
    _leads(made, tree.stage)
    made.lookahead = session
    return made


@dataclass(kw_only=True)
class Tree:
    """An agent and all that it manages."""

    options: Options
    stage: Stage
    tools: dict[str, Tool] = field(default_factory=dict[str, Tool])
    functions: dict[str, ToolFunction] = field(default_factory=dict[str, ToolFunction])
    paths: list[ToolPath] = field(default_factory=list[ToolPath])
    samples: bool = True
    real: dict[str, Call] = field(default_factory=dict[str, Call])
    """Of all agents; each has only its own at hand."""
    _made: dict[int, Any] = field(default_factory=dict[int, Any])

    def copied(self, agent: Any, where: str) -> Any:
        if id(agent) in self._made:
            return self._made[id(agent)]
        if getattr(agent, "lookahead", None) is not None:
            raise ConfigError(
                f"{agent.name or type(agent).__name__!r} is guarded already; "
                "wrap the outermost agent only: those that it manages are guarded with it"
            )
        made = self._made[id(agent)] = copy.copy(agent)
        made.state = dict(agent.state)
        made.memory = memory.AgentMemory(agent.memory.system_prompt.system_prompt)
        made.memory.steps = list(agent.memory.steps)
        made.prompt_templates = copy.deepcopy(agent.prompt_templates)
        _monitored(made, agent)
        executor = getattr(agent, "python_executor", None)
        if executor is not None and not is_local(executor):
            self._elsewhere(agent, executor, where)
            return made
        self._guard(made, agent, executor, where)
        return made

    def _guard(self, made: Any, agent: Any, executor: Any, where: str) -> None:
        own = Own(hand=Hand(stage=self.stage), raises=executor is not None, where=where)
        made.tools = {
            name: tool if only_ends(name, tool) else self._tool(tool, name, own) for name, tool in agent.tools.items()
        }
        made.managed_agents = {name: self._managed(one, name, own) for name, one in agent.managed_agents.items()}
        self._loose(agent, where)
        if executor is not None:
            made.python_executor = guarded_executor(executor, self._given(executor, own))
            self._code(executor, where)
            self.samples = False
        elif processed := getattr(agent.__class__, "process_tool_calls", None):
            made.process_tool_calls = types.MethodType(_processing(processed, own), made)

    def _tool(self, tool: Any, name: str, own: "Own") -> Any:
        described = own.described[name] = Described.of(tool, name=name)
        self._known(described.tool, own.where)
        if agents := hidden(tool, _is_unguarded, framework="smolagents"):
            why = f"its code leads {len(agents)} agent(s) of its own; give them as managed_agents"
            self.paths.append(ToolPath(tool=name, how="opaque", where=own.where, why=why))
        else:
            self.paths.append(ToolPath(tool=name, where=own.where))
        if not self._dry:
            own.real[name] = real_call(tool)
            self.real.setdefault(name, own.real[name])
            if described.signature is not None:
                self.functions.setdefault(name, ToolFunction(function=inspect.unwrap(tool.forward), name=name))
        return proxy(tool, own.door(name))

    async def for_real(self, state: State, action: Action, /) -> Observation:
        """For worlds that ask the tool itself what it would do."""
        value = await anyio.to_thread.run_sync(lambda: self.real[action.tool]((), dict(action.arguments), False))
        return observed(value, action.tool)

    def _managed(self, agent: Any, name: str, own: "Own") -> Any:
        if not isinstance(agent, smolagents.MultiStepAgent):
            # Something that can be called and has a name: to this agent it is a tool.
            return self._tool(agent, name, own)
        made = self.copied(agent, f"{own.where}/{name}" if own.where else name)
        ruling = self.options.policy.rule_on(Action(tool=name), None)
        if ruling.rule in _ASKED and not ruling.line.startswith("default"):
            described = own.described[name] = Described.of(agent, name=name)
            self._known(described.tool, own.where)
            self.paths.append(ToolPath(tool=name, where=own.where))
            own.real[name] = lambda args, kwargs, fit: smolagents.MultiStepAgent.__call__(made, *args, **kwargs)
            door, kind = own.door(name), made.__class__

            def called(self: Any, *args: Any, **kwargs: Any) -> Any:
                return door(args, kwargs, False)

            made.__class__ = type(kind.__name__, (kind,), {"__call__": called})
        return made

    def _given(self, executor: Any, own: "Own") -> dict[str, Callable[..., Any]]:
        """Functions that the interpreter gives to the code without the agent's knowing."""
        given: dict[str, Callable[..., Any]] = {}
        for name, function in executor.additional_functions.items():
            given[name] = _function(self._tool(_Plain(function, name), name, own))
        return given

    def _code(self, executor: Any, where: str) -> None:
        for module in doors_out(executor):
            why = "code may import it, and do with it what no tool is asked for; take it out of the authorized imports"
            name = "any module" if module == "*" else module
            self.paths.append(ToolPath(tool=f"import {name}", how="opaque", where=where, why=why))
        why = "smolagents' interpreter refuses other imports and open(); it is no sandbox against hostile code"
        self.paths.append(ToolPath(tool="python code itself", how="blocked", where=where, why=why))

    def _elsewhere(self, agent: Any, executor: Any, where: str) -> None:
        """Tools are sent as text to where the code runs: what is called there is not called here."""
        self.samples = False
        why = f"they run inside of {type(executor).__name__}, where lookahead is not; use executor_type='local'"
        names = [name for name, tool in agent.tools.items() if not only_ends(name, tool)]
        for name in (*names, "python code itself"):
            self.paths.append(ToolPath(tool=name, how="opaque", where=where, why=why))

    def _loose(self, agent: Any, where: str) -> None:
        """Tools and agents that a class of the user's own keeps beside those that it shows."""
        known = {id(one) for one in (*agent.tools.values(), *agent.managed_agents.values())}
        for name, value in cast(dict[str, Any], vars(agent)).items():
            if isinstance(value, smolagents.Tool | smolagents.MultiStepAgent) and id(value) not in known:
                why = f"{type(agent).__name__}.{name} is not among its tools or managed agents; put it there"
                self.paths.append(ToolPath(tool=name, how="opaque", where=where, why=why))

    def _known(self, tool: Tool, where: str) -> None:
        if self.tools.setdefault(tool.name, tool) != tool:
            raise ConfigError(
                f"two different tools are called {tool.name!r} (one at {where or 'the agent itself'}): "
                "a policy could not tell them apart; rename one"
            )

    @property
    def _dry(self) -> bool:
        return self.options.mode == "dry-run"


@dataclass(kw_only=True)
class Own:
    """What belongs to one agent of the tree."""

    hand: Hand
    raises: bool
    """Its calls are written in code."""
    where: str
    described: dict[str, Described] = field(default_factory=dict[str, Described])
    real: dict[str, Call] = field(default_factory=dict[str, Call])
    """Everything that it may do for real; empty in a dry run."""

    def door(self, name: str) -> Door:
        raises = self.raises or name == FINAL
        return Door(described=self.described[name], hand=self.hand, real=self.real, raises=raises)


def _monitored(made: Any, agent: Any) -> None:
    """Its own counters, and the callbacks of the original on them."""
    made.monitor = monitoring.Monitor(agent.model, agent.logger)
    made.step_callbacks = memory.CallbackRegistry()
    for kind, callbacks in agent.step_callbacks._callbacks.items():
        for callback in callbacks:
            own = getattr(callback, "__self__", None)
            if own is agent.monitor or own is agent:
                callback = getattr(made.monitor if own is agent.monitor else made, callback.__name__)
            made.step_callbacks.register(kind, callback)


def _leads(made: Any, stage: Stage) -> None:
    """The outermost agent: each of its runs is a conversation, unless it goes on from the one before."""
    run = made.__class__.run

    @wraps(run)
    def led(self: Any, task: str, *args: Any, **kwargs: Any) -> Any:
        reset = kwargs.get("reset", args[1] if len(args) > 1 else True)
        stage.begins(task, anew=bool(reset))
        return run(self, task, *args, **kwargs)

    made.run = types.MethodType(led, made)


def _processing(processed: Any, own: Own) -> Any:
    """All calls of one message are decided, and all questions put, before the first of them is done."""

    @wraps(processed)
    def process_tool_calls(self: Any, chat_message: Any, memory_step: Any) -> Iterator[Any]:
        actions = (_action(self, own, call.function) for call in chat_message.tool_calls or ())
        token = sampling.set(Sampling(again=lambda: _again(self, own, memory_step)))
        try:
            own.hand.hold([action for action in actions if action is not None])
        finally:
            sampling.reset(token)
        return processed(self, chat_message, memory_step)

    return process_tool_calls


def _action(agent: Any, own: Own, function: Any) -> Action | None:
    """The call as the tool will get it; None for one that is no action, or that the agent will refuse by itself."""
    described = own.described.get(function.name)
    if described is None or function.name not in agent.tools:
        return None
    try:
        arguments = agent._substitute_state_variables(function.arguments or {})
        tools.validate_tool_arguments(agent.tools[function.name], arguments)
        if isinstance(arguments, dict):
            return described.action((), cast(dict[str, Any], arguments))
        return described.action((arguments,), {})
    except Exception:
        # Whatever is wrong with it is said where it is called; there it is judged as well.
        return None


def _again(agent: Any, own: Own, memory_step: Any) -> Sequence[Action]:
    """The agent's own model, asked what it was asked for this step."""
    message = agent.model.generate(
        list(memory_step.model_input_messages),
        stop_sequences=["Observation:", "Calling tools:"],
        tools_to_call_from=agent.tools_and_managed_agents,
    )
    if not message.tool_calls:
        message = agent.model.parse_tool_calls(message)
    found: list[Action] = []
    for call in message.tool_calls:
        call.function.arguments = models.parse_json_if_needed(call.function.arguments)
        if (action := _action(agent, own, call.function)) is not None:
            found.append(action)
    return found


def _is_unguarded(one: object) -> bool:
    return isinstance(one, smolagents.MultiStepAgent) and not hasattr(one, "lookahead")


@dataclass
class _Plain:
    """A function, with what is asked of a tool."""

    function: Callable[..., Any]
    name: str

    @property
    def described(self) -> Tool:
        return ToolFunction(function=self.function, name=self.name).tool

    @property
    def description(self) -> str:
        return self.described.description

    @property
    def inputs(self) -> dict[str, Any]:
        properties = cast(Mapping[str, Any], self.described.parameters["properties"])
        return {name: {"type": "any", "description": str(one)} for name, one in properties.items()}

    output_type = "any"

    @property
    def forward(self) -> Callable[..., Any]:
        return self.function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


def _function(tool: Any) -> Callable[..., Any]:
    def guarded(*args: Any, **kwargs: Any) -> Any:
        return tool(*args, **kwargs)

    return guarded


__all__ = ["wrap"]
