"""A model that says what its script says, as a BaseLLM of CrewAI; and tools that write down their calls."""

import json
from collections.abc import Sequence
from typing import Any

from crewai import Agent
from crewai.llms.base_llm import BaseLLM
from crewai.tools import tool
from pydantic import Field, PrivateAttr


def use(name: str, /, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": json.dumps(arguments)}


class ScriptedLLM(BaseLLM):
    """Calls of tools, or a final answer. The last turn for ever."""

    turns: list[Any] = Field(default_factory=list)
    _heard: list[Any] = PrivateAttr(default_factory=list)

    def call(self, messages: Any, tools: Any = None, **kwargs: Any) -> Any:
        turn = self.turns[min(len(self._heard), len(self.turns) - 1)]
        self._heard.append(json.loads(json.dumps(messages, default=str)))
        if isinstance(turn, str):
            return turn
        return [
            {"id": f"call-{len(self._heard)}-{number}", "type": "function", "function": one}
            for number, one in enumerate(turn)
        ]

    def supports_function_calling(self) -> bool:
        return True

    @property
    def heard(self) -> list[Any]:
        return self._heard


class Office:
    """Tools, and what they really did."""

    def __init__(self) -> None:
        self.done: list[str] = []

        @tool("read")
        def read(path: str) -> str:
            """Read a file."""
            self.done.append(f"read {path}")
            return f"the text of {path}"

        @tool("write")
        def write(path: str) -> str:
            """Write a file."""
            self.done.append(f"write {path}")
            return f"wrote {path}"

        @tool("delete")
        def delete(path: str) -> str:
            """Delete a file."""
            self.done.append(f"delete {path}")
            return f"deleted {path}"

        self.tools: list[Any] = [read, write, delete]

    def agent(self, *turns: str | Sequence[dict[str, Any]], **more: Any) -> Agent:
        told = {"role": "clerk", "goal": "tidy", "backstory": "tidy", **more}
        tools = told.pop("tools", self.tools)
        return Agent(llm=ScriptedLLM(model="scripted", turns=list(turns)), tools=tools, verbose=False, **told)


def results(agent: Any) -> list[str]:
    """What the model heard from tools at last."""
    return [str(one["content"]) for one in agent.llm.heard[-1] if one.get("role") == "tool"]
