"""A model that says what its script says, through the interface of Strands; tools that write down their calls."""

import copy
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from strands import Agent, tool
from strands.models.model import Model


def use(name: str, /, id: str = "", **arguments: Any) -> dict[str, Any]:
    return {"name": name, "id": id, "input": arguments}


class ScriptedModel(Model):
    """Says one turn of its script after the other: a text, or calls of tools. The last one for ever."""

    def __init__(self, *turns: str | Sequence[dict[str, Any]]) -> None:
        self.turns = turns
        self.heard: list[Any] = []

    def update_config(self, **model_config: Any) -> None: ...

    def get_config(self) -> Any:
        return {}

    def structured_output(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    async def stream(
        self, messages: Any, tool_specs: Any = None, system_prompt: Any = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        turn = self.turns[min(len(self.heard), len(self.turns) - 1)]
        self.heard.append(copy.deepcopy(messages))
        yield {"messageStart": {"role": "assistant"}}
        if isinstance(turn, str):
            yield {"contentBlockStart": {"start": {}}}
            yield {"contentBlockDelta": {"delta": {"text": turn}}}
            yield {"contentBlockStop": {}}
            yield {"messageStop": {"stopReason": "end_turn"}}
            return
        for number, one in enumerate(turn):
            call_id = one["id"] or f"call-{len(self.heard)}-{number}"
            yield {"contentBlockStart": {"start": {"toolUse": {"name": one["name"], "toolUseId": call_id}}}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": json.dumps(one["input"])}}}}
            yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "tool_use"}}


class Office:
    """Tools, and what they really did."""

    def __init__(self) -> None:
        self.done: list[str] = []

        @tool
        def read(path: str) -> str:
            """Read a file."""
            self.done.append(f"read {path}")
            return f"the text of {path}"

        @tool
        def write(path: str, text: str = "") -> str:
            """Write a file."""
            self.done.append(f"write {path}")
            return f"wrote {path}"

        @tool
        async def delete(path: str) -> str:
            """Delete a file."""
            self.done.append(f"delete {path}")
            return f"deleted {path}"

        self.tools: list[Any] = [read, write, delete]

    def agent(self, *turns: str | Sequence[dict[str, Any]], **more: Any) -> Agent:
        tools = [*self.tools, *more.pop("tools", [])]
        return Agent(model=ScriptedModel(*turns), tools=tools, callback_handler=None, **more)


def results(agent: Any) -> list[str]:
    """What the agent was told by its tools, in order."""
    return [
        "".join(part.get("text", "") for part in block["toolResult"]["content"])
        for message in agent.messages
        for block in message["content"]
        if "toolResult" in block
    ]


def statuses(agent: Any) -> list[str]:
    blocks = [block for message in agent.messages for block in message["content"]]
    return [block["toolResult"]["status"] for block in blocks if "toolResult" in block]
