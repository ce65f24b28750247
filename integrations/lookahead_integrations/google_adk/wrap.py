"""The same agent, whose tools, and whose sub-agents' tools, are behind the line."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from time import perf_counter
from typing import Any, cast

from lookahead.budget import spend
from lookahead.errors import ConfigError
from lookahead.host import ToolPath
from lookahead.types import Action, Cost, Tool
from lookahead.wrap import Options
from lookahead_integrations.google_adk.host import HOST
from lookahead_integrations.google_adk.talk import Talks, action_of, fresh, rivals
from lookahead_integrations.google_adk.tools import Door, guarded, guarded_set, noun
from lookahead_integrations.nested import hidden

agents: Any = import_module("google.adk.agents")
agent_tool: Any = import_module("google.adk.tools.agent_tool")
base_tool: Any = import_module("google.adk.tools.base_tool")
base_toolset: Any = import_module("google.adk.tools.base_toolset")
function_tool: Any = import_module("google.adk.tools.function_tool")


def wrap(agent: Any, options: Options) -> Any:
    """A clone with clones of its sub-agents; the original is as it was."""
    tree = Tree(options=options, talks=Talks())
    made = tree.copied(agent, "")
    if options.mode == "dry-run" and (opaque := [path for path in tree.paths if path.how == "opaque"]):
        raise ConfigError(
            "a dry run of this agent could still do something for real:\n"
            + "\n".join(f"  {path}" for path in opaque)
            + "\nTake these ways out of the agent, and wrap it again."
        )
    tree.talks.session = options.open(
        tree.tools.values(), propose=rivals, paths=tree.paths, host=HOST.name, host_asks=True
    )
    # Agents are pydantic models, which take no attribute that is not a field of theirs.
    object.__setattr__(made, "lookahead", tree.talks.session)
    return made


@dataclass(kw_only=True)
class Tree:
    """An agent, its sub-agents, and those that serve it as tools."""

    options: Options
    talks: Talks
    tools: dict[str, Tool] = field(default_factory=dict[str, Tool])
    paths: list[ToolPath] = field(default_factory=list[ToolPath])

    def copied(self, agent: Any, where: str) -> Any:
        """The whole tree below is cloned by the framework itself; then each clone gets its guard."""
        made = agent.clone()
        self.guard(made, agent, where)
        return made

    def guard(self, made: Any, agent: Any, where: str) -> None:
        if getattr(agent, "lookahead", None) is not None:
            raise ConfigError(f"the agent {agent.name!r} is guarded already; wrap the outermost agent only")
        if isinstance(made, agents.LlmAgent):
            self.thinking(made, where)
        elif not isinstance(made, agents.SequentialAgent | agents.ParallelAgent | agents.LoopAgent):
            why = f"lookahead does not know what {type(made).__name__} does; build it from LlmAgent"
            self.paths.append(ToolPath(tool="whatever it does", how="opaque", where=where, why=why))
        for inner, original in zip(made.sub_agents, agent.sub_agents, strict=True):
            self.guard(inner, original, f"{where}/{inner.name}" if where else inner.name)

    def thinking(self, made: Any, where: str) -> None:
        door = Door(talks=self.talks, dry=self.options.mode == "dry-run")
        made.tools = [self.tool(one, door, where) for one in made.tools]
        if made.code_executor is not None:
            why = f"{type(made.code_executor).__name__} runs code that the model writes; give it as a tool"
            self.paths.append(ToolPath(tool="code", how="opaque", where=where, why=why))
        before, after = self.callbacks(made.name)
        made.before_model_callback = [*_list(made.before_model_callback), before]
        made.after_model_callback = [after, *_list(made.after_model_callback)]

    def tool(self, one: Any, door: Door, where: str) -> Any:
        if isinstance(one, base_toolset.BaseToolset):
            why = "its tools are known when it is asked for them, and guarded then"
            self.paths.append(ToolPath(tool=f"{type(one).__name__}: all tools", where=where, why=why))
            return guarded_set(one, door)
        tool = one if isinstance(one, base_tool.BaseTool) else function_tool.FunctionTool(one)
        if isinstance(tool, agent_tool.AgentTool):
            return self.serving(tool, door, where)
        if tool._get_declaration() is None:
            why = "the model's provider runs it, where lookahead is not"
            self.paths.append(ToolPath(tool=tool.name, how="opaque", where=where, why=why))
            return tool
        self.known(noun(tool), where)
        if found := hidden([tool, getattr(tool, "func", None)], _is_unguarded, framework="google"):
            why = f"its code leads {len(found)} agent(s) of its own; give them as sub_agents, or with AgentTool"
            self.paths.append(ToolPath(tool=tool.name, how="opaque", where=where, why=why))
        else:
            self.paths.append(ToolPath(tool=tool.name, where=where))
        return guarded(tool, door)

    def serving(self, tool: Any, door: Door, where: str) -> Any:
        """The same tool, leading to the guarded clone of its agent."""
        made = copy.copy(tool)
        made.agent = self.copied(tool.agent, f"{where}/{tool.name}" if where else tool.name)
        ruling = self.options.policy.rule_on(Action(tool=tool.name), None)
        if ruling.rule not in ("deny", "ask") or ruling.line.startswith("default"):
            return made
        self.known(noun(tool), where)
        self.paths.append(ToolPath(tool=tool.name, where=where))
        return guarded(made, door)

    def known(self, tool: Tool, where: str) -> None:
        if self.tools.setdefault(tool.name, tool) != tool:
            raise ConfigError(
                f"two different tools are called {tool.name!r} (one at {where or 'the agent itself'}): "
                "a policy could not tell them apart; rename one"
            )

    def callbacks(self, agent: str) -> tuple[Any, Any]:
        """Around the model of one agent: what it was asked for, and what it proposes."""
        talks, tools = self.talks, self.tools

        def proposed(response: Any) -> list[Action]:
            parts: list[Any] = response.content.parts or [] if response.content else []
            calls = [part.function_call for part in parts if part.function_call]
            return [action_of(call.name, call.args, fresh(call.id)) for call in calls if call.name in tools]

        async def before(callback_context: Any, llm_request: Any) -> None:
            talks.of(callback_context).requests[agent] = llm_request

        async def after(callback_context: Any, llm_response: Any) -> None:
            if llm_response.partial or not (actions := proposed(llm_response)):
                return
            talk = talks.of(callback_context)
            request = talk.requests.get(agent)
            model = callback_context._invocation_context.agent.canonical_model

            async def again() -> Sequence[Action]:
                begun, found, tokens = perf_counter(), list[Action](), 0
                if request is None:
                    return found
                async for response in model.generate_content_async(request, stream=False):
                    usage = response.usage_metadata
                    tokens += int(getattr(usage, "total_token_count", 0) or 0)
                    found += proposed(response)
                spend(Cost(calls=1, tokens=tokens, seconds=perf_counter() - begun))
                return found

            await talk.hold(agent, actions, again)

        return before, after


def _list(callbacks: Any) -> list[Any]:
    if callbacks is None:
        return []
    return list(cast(list[Any], callbacks)) if isinstance(callbacks, list) else [callbacks]


def _is_unguarded(one: object) -> bool:
    return isinstance(one, agents.BaseAgent) and not hasattr(one, "lookahead")


__all__ = ["wrap"]
