"""The agent's own next move: its own graph, in a dry copy, says what it would do after what was imagined.

A search that looks for rivals, or deeper than one step, asks here: the future that it sees is the one that this agent
would choose, and not what another model thinks that it would.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import Any, Final, cast

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphRecursionError

from lookahead.budget import spend
from lookahead.types import Action, Cost, State, Step
from lookahead_integrations.langgraph.leave import Guard
from lookahead_integrations.langgraph.messages import action_of, state_of, text_of

STEPS: Final = 25
"""Supersteps between two calls of a tool: a graph that takes more has lost its way."""
_THREAD: Final = {"configurable": {"thread_id": "imagined"}}
_START: Final = "__start__"


@dataclass(frozen=True, kw_only=True)
class OwnPolicy:
    """One graph of the agent, in a copy that has no tools, no store, no checkpointer and nobody who listens."""

    graph: Any
    tools: str
    """The node that calls them; the graph stops before every such node."""
    stops: tuple[str, ...]
    messages_key: str

    async def moves(self, values: Mapping[str, Any], imagined: Sequence[Step]) -> list[Action]:
        """What the agent would call next, after these steps."""
        known = cast(list[BaseMessage], list(values.get(self.messages_key) or ()))
        turn = next((at for at in reversed(range(len(known))) if isinstance(known[at], AIMessage)), len(known))
        before = known[:turn]
        past = [*before, *_told(imagined)]
        came_from = self.tools if past and isinstance(past[-1], ToolMessage) else _START
        thread = self.graph.copy({"checkpointer": InMemorySaver()})
        config: Any = {**_THREAD, "callbacks": [Guard()], "recursion_limit": STEPS}
        given = {key: value for key, value in values.items() if key in thread.stream_channels_list}
        await thread.aupdate_state(config, {**given, self.messages_key: past}, as_node=came_from)
        try:
            ended = await thread.ainvoke(None, config, interrupt_before=list(self.stops))
        except GraphRecursionError:
            return []
        said = cast(list[BaseMessage], ended.get(self.messages_key) or [])[len(past) :]
        spoken = [one for one in said if isinstance(one, AIMessage)]
        for one in spoken:
            used = one.usage_metadata
            spend(Cost(calls=1, tokens=used["total_tokens"] if used else 0))
        return [action_of(call, None) for call in spoken[-1].tool_calls] if spoken else []


@dataclass(frozen=True, kw_only=True)
class Now:
    """Where the agent stands while a call of its is being judged."""

    policy: OwnPolicy
    values: Mapping[str, Any]


now: ContextVar[Now | None] = ContextVar("lookahead_now", default=None)


class Own:
    """Thinks of other actions by asking the agent itself."""

    async def __call__(self, state: State, n: int, /) -> Sequence[Action]:
        here = now.get()
        if here is None:
            return []
        # What a state holds beyond what the conversation tells was imagined.
        happened = state_of(State(), list(here.values.get(here.policy.messages_key) or ())).steps
        imagined = state.steps[len(happened) :]
        context = copy_context()
        # Else the copy would be a part of the graph that runs: its checkpoints, its streams, its callbacks.
        context.run(var_child_runnable_config.set, None)
        context.run(now.set, None)
        asked = [
            asyncio.get_running_loop().create_task(here.policy.moves(here.values, imagined), context=context.copy())
            for _ in range(n)
        ]
        try:
            moves = await asyncio.gather(*asked)
        finally:
            for one in asked:
                one.cancel()
        return [move[0] for move in moves if move]


def _told(steps: Sequence[Step]) -> list[BaseMessage]:
    """Imagined steps as the agent would have seen them."""
    messages: list[BaseMessage] = []
    for place, step in enumerate(steps):
        name = f"imagined-{place}"
        call: Any = {"name": step.action.tool, "args": dict(step.action.arguments), "id": name, "type": "tool_call"}
        messages.append(AIMessage("", tool_calls=[call]))
        messages.append(
            ToolMessage(
                text_of(step.observation.content),
                name=step.action.tool,
                tool_call_id=name,
                status="error" if step.observation.failed else "success",
            )
        )
    return messages


__all__ = ["Now", "Own", "OwnPolicy", "now"]
