"""The same assistant or team, whose tools, and whose members' tools, are behind the line."""

import asyncio
import copy
import types
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, cast

from lookahead.errors import ConfigError
from lookahead.functions import jsonable
from lookahead.host import ToolPath
from lookahead.types import Action, Observation, State, Tool
from lookahead.wrap import Options
from lookahead_integrations.autogen.bench import CODE, Do, Door, Executor, Known, Started
from lookahead_integrations.autogen.hand import Hand, Heard, Stage, rivals
from lookahead_integrations.autogen.host import HOST
from lookahead_integrations.nested import hidden

agents: Any = import_module("autogen_agentchat.agents")
base: Any = import_module("autogen_agentchat.base")
teams: Any = import_module("autogen_agentchat.teams")
served: Any = import_module("autogen_agentchat.tools._task_runner_tool")
core: Any = import_module("autogen_core")
tools: Any = import_module("autogen_core.tools")


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
    tree.stage.session = options.open(
        tree.tools.values(),
        real=None if tree.dry else tree.for_real,
        propose=rivals,
        paths=tree.paths,
        host=HOST.name,
    )
    made.lookahead = tree.stage.session
    return made


@dataclass(kw_only=True)
class Tree:
    """An agent or a team, its members, and those that serve them as tools."""

    options: Options
    stage: Stage
    tools: dict[str, Tool] = field(default_factory=dict[str, Tool])
    real: dict[str, Do] = field(default_factory=dict[str, Do])
    paths: list[ToolPath] = field(default_factory=list[ToolPath])
    _made: dict[int, Any] = field(default_factory=dict[int, Any])

    @property
    def dry(self) -> bool:
        return self.options.mode == "dry-run"

    def copied(self, agent: Any, where: str) -> Any:
        if id(agent) in self._made:
            return self._made[id(agent)]
        if getattr(agent, "lookahead", None) is not None:
            raise ConfigError(f"{agent.name!r} is guarded already; wrap the outermost agent or team only")
        made = copy.copy(agent)
        self._made[id(agent)] = made
        if isinstance(agent, agents.AssistantAgent):
            self.assistant(made, agent, where)
        elif isinstance(agent, agents.CodeExecutorAgent):
            self.coder(made, agent, where)
        elif isinstance(agent, teams.BaseGroupChat):
            self.team(made, agent, where)
        elif isinstance(agent, agents.SocietyOfMindAgent):
            made._team = self.copied(agent._team, _under(where, agent._team.name))
        elif isinstance(agent, agents.MessageFilterAgent):
            made._wrapped_agent = self.copied(agent._wrapped_agent, where)
        elif not isinstance(agent, agents.UserProxyAgent):
            why = f"lookahead does not know what {type(agent).__name__} does; build it from AssistantAgent"
            self.paths.append(ToolPath(tool="whatever it does", how="opaque", where=where, why=why))
        return made

    def assistant(self, made: Any, agent: Any, where: str) -> None:
        real: dict[str, Do] = {}
        schemas: dict[str, Any] = {}
        free: set[str] = set()
        hand = Hand(stage=self.stage, tools=schemas)
        made._workbench = [self.bench(one, where, hand, real, schemas, free) for one in agent._workbench]
        made._tools = []
        made._model_client = Heard(agent._model_client, hand)
        made._model_context = _own(agent._model_context)
        for name, handoff in agent._handoffs.items():
            if type(handoff) is not base.Handoff:
                why = f"{type(handoff).__name__} is a class of your own, whose code runs when it hands off"
                self.paths.append(ToolPath(tool=name, how="opaque", where=where, why=why))
        self.resets(made)

    def bench(
        self, one: Any, where: str, hand: Hand, real: dict[str, Do], schemas: dict[str, Any], free: set[str]
    ) -> Any:
        listed = _at_once(one.list_tools()) if isinstance(one, tools.StaticWorkbench) else None
        if listed is None:
            why = "its tools are known when it has started, and guarded then"
            self.paths.append(ToolPath(tool=f"{type(one).__name__}: all tools", where=where, why=why))
            return Started(one, Door(hand=hand, real=real, otherwise=None if self.dry else _on(one)))
        original = one._override_name_to_original
        by_name = {tool.name: tool for tool in one._tools}
        alone = copy.copy(one)
        alone._tools = [] if self.dry else list(one._tools)
        for schema in listed:
            name, tool = schema["name"], by_name[original.get(schema["name"], schema["name"])]
            if isinstance(tool, served.TaskRunnerTool):
                tool = self.serving(tool, name, where)
                alone._tools = [*(kept for kept in alone._tools if kept.name != tool.name), tool]
                real[name] = _on(alone)
                if not self.ruled(name):
                    free.add(name)
                    continue
            else:
                self.reach(tool, name, where)
                if not self.dry:
                    real[name] = _on(alone)
                    self.real.setdefault(name, real[name])
            schemas[name] = schema
            self.known(schema, where)
            if not any(path.tool == name and path.where == where for path in self.paths):
                self.paths.append(ToolPath(tool=name, where=where))
        return Known(listed, Door(hand=hand, real=real, free=frozenset(free)), None if self.dry else alone)

    def serving(self, tool: Any, name: str, where: str) -> Any:
        """The same tool, leading to the guarded copy of its agent or team."""
        made = copy.copy(tool)
        made._task_runner = self.copied(tool._task_runner, _under(where, name))
        for attribute in ("_agent", "_team"):
            if hasattr(tool, attribute):
                setattr(made, attribute, made._task_runner)
        return made

    def ruled(self, name: str) -> bool:
        ruling = self.options.policy.rule_on(Action(tool=name), None)
        return ruling.rule in ("deny", "ask") and not ruling.line.startswith("default")

    def reach(self, tool: Any, name: str, where: str) -> None:
        if found := hidden([tool, getattr(tool, "_func", None)], _is_unguarded, framework="autogen_core"):
            why = f"its code leads {len(found)} agent(s) of its own; give them with AgentTool or TeamTool"
            self.paths.append(ToolPath(tool=name, how="opaque", where=where, why=why))

    def known(self, schema: Mapping[str, Any], where: str) -> None:
        parameters = cast(dict[str, Any], jsonable(dict(schema.get("parameters") or {})))
        noun = Tool(name=schema["name"], description=schema.get("description") or "", parameters=parameters)
        if self.tools.setdefault(noun.name, noun) != noun:
            raise ConfigError(
                f"two different tools are called {noun.name!r} (one at {where or 'the agent itself'}): "
                "a policy could not tell them apart; rename one"
            )

    async def for_real(self, state: State, action: Action, /) -> Observation:
        """For worlds that ask the tool itself what it would do."""
        result: Any = None
        async for event in self.real[action.tool](action.tool, dict(action.arguments), None, None):
            result = event
        return Observation(content=result.to_text(), failed=bool(result.is_error))

    def coder(self, made: Any, agent: Any, where: str) -> None:
        block = {"type": "object", "properties": {"language": {"type": "string"}, "code": {"type": "string"}}}
        parameters = {"type": "object", "properties": {"blocks": {"type": "array", "items": block}}}
        schema = {"name": CODE, "description": "Runs code that the agent has written.", "parameters": parameters}
        self.known(schema, where)
        self.paths.append(ToolPath(tool=CODE, where=where))
        hand = Hand(stage=self.stage, tools={CODE: schema})
        made._code_executor = Executor(None if self.dry else agent._code_executor, hand)
        made._model_context = _own(agent._model_context)
        self.resets(made)

    def team(self, made: Any, agent: Any, where: str) -> None:
        if agent._is_running:
            raise ConfigError(f"the team {agent.name!r} is running; wrap it before it runs")
        made._participants = [self.copied(one, _under(where, one.name)) for one in agent._participants]
        made._termination_condition = copy.deepcopy(agent._termination_condition)
        made._initialized = False
        if agent._embedded_runtime:
            made._runtime = core.SingleThreadedAgentRuntime(ignore_unhandled_exceptions=False)
        made._output_message_queue = asyncio.Queue()
        # The names by which its members find each other, which must not be those of the original's.
        old, new = agent._team_id, type(agent._team_id)(_fresh())
        for name, value in cast(dict[str, Any], vars(agent)).items():
            if isinstance(value, str) and old in value:
                setattr(made, name, value.replace(old, new))
            elif name == "_participant_topic_types":
                setattr(made, name, [one.replace(old, new) for one in value])

    def resets(self, made: Any) -> None:
        reset: Callable[..., Coroutine[Any, Any, None]] = made.__class__.on_reset

        async def on_reset(self: Any, cancellation_token: Any) -> None:
            await reset(self, cancellation_token)
            stage.anew()

        stage = self.stage
        made.on_reset = types.MethodType(on_reset, made)


def _on(bench: Any) -> Do:
    """What a workbench does when it is called, as events that end with the result."""

    async def do(name: str, arguments: Mapping[str, Any], token: Any, call_id: str | None) -> AsyncGenerator[Any]:
        if hasattr(bench, "call_tool_stream"):
            async for event in bench.call_tool_stream(name, arguments, token, call_id):
                yield event
        else:
            yield await bench.call_tool(name, arguments, token, call_id)

    return do


def _at_once(listing: Coroutine[Any, Any, Any]) -> Any:
    """What it comes to, if it waits for nothing; else None."""
    try:
        listing.send(None)
    except StopIteration as ended:
        return ended.value
    listing.close()
    return None


def _own(context: Any) -> Any:
    """A context that remembers for itself from now on."""
    if context is None:
        return None
    made = copy.copy(context)
    for name, value in cast(dict[str, Any], vars(context)).items():
        if isinstance(value, list):
            setattr(made, name, list(cast(list[Any], value)))
    return made


def _fresh() -> str:
    return str(import_module("uuid").uuid4())


def _under(where: str, name: str) -> str:
    return f"{where}/{name}" if where else name


def _is_unguarded(one: object) -> bool:
    kinds = (base.ChatAgent, teams.BaseGroupChat)
    return isinstance(one, kinds) and not hasattr(one, "lookahead")


__all__ = ["wrap"]
