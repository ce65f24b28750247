"""An office whose tools note what they do, and models that say what their script says."""

from collections.abc import AsyncIterator
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel

from lookahead import Journal
from lookahead.testing import ScriptedWorld


class Office:
    def __init__(self) -> None:
        self.done: list[str] = []
        self.asked: list[list[ModelMessage]] = []

    @property
    def tools(self) -> list[Any]:
        done = self.done

        def write(path: str) -> str:
            """Writes a file."""
            done.append(f"write {path}")
            return f"wrote {path}"

        def delete(path: str) -> str:
            """Deletes a file."""
            done.append(f"delete {path}")
            return f"deleted {path}"

        def read(path: str) -> str:
            """Reads a file."""
            done.append(f"read {path}")
            return f"text of {path}"

        return [write, delete, read]

    def model(self, *turns: Any) -> FunctionModel:
        """Says one turn after the other; a turn is a text or calls, and a run that goes on begins where it was."""

        def said(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            self.asked.append(list(messages))
            turn = turns[min(len(self.asked), len(turns)) - 1]
            return ModelResponse(parts=[TextPart(turn)] if isinstance(turn, str) else list(turn))

        async def streamed(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
            for part in said(messages, info).parts:
                if isinstance(part, TextPart):
                    yield part.content
                elif isinstance(part, ToolCallPart):
                    yield {0: DeltaToolCall(part.tool_name, part.args_as_json_str(), tool_call_id=part.tool_call_id)}

        return FunctionModel(said, stream_function=streamed)

    def agent(self, *turns: Any, **more: Any) -> Agent[Any, Any]:
        return Agent(self.model(*turns), **{"tools": self.tools, **more})


def use(name: str, call_id: str | None = None, /, **arguments: Any) -> ToolCallPart:
    key = call_id or f"{name}-{'-'.join(str(value) for value in arguments.values())}"
    return ToolCallPart(name, arguments, tool_call_id=key)


def results(run: Any) -> list[Any]:
    parts = [part for message in run.all_messages() for part in message.parts]
    return [part.content for part in parts if isinstance(part, ToolReturnPart)]


def outcomes(run: Any) -> list[str]:
    parts = [part for message in run.all_messages() for part in message.parts]
    return [part.outcome for part in parts if isinstance(part, ToolReturnPart)]


READS = {"read": {"effect": "reads"}}


def quiet(**more: Any) -> dict[str, Any]:
    world = ScriptedWorld(script={"*": "as imagined"})
    return {"world": world, "journal": Journal(":memory:"), **more, "policy": {**READS, **more.get("policy", {})}}
