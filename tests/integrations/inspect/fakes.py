"""A model that says what its script says, by Inspect's own mock; and tools that write down their calls."""

from collections.abc import Sequence
from typing import Any

from inspect_ai.agent import react
from inspect_ai.model import ChatMessageTool, ModelOutput, get_model
from inspect_ai.model._chat_message import ChatMessageAssistant
from inspect_ai.model._model_output import ChatCompletionChoice
from inspect_ai.tool import Tool, ToolCall, tool


def use(name: str, /, **arguments: Any) -> tuple[str, dict[str, Any]]:
    return name, arguments


class Say(str):
    """A turn without any call."""


def model(*turns: str | Sequence[tuple[str, dict[str, Any]]]) -> Any:
    """A text submits it; calls are made."""
    outputs = []
    for number, turn in enumerate(turns):
        if isinstance(turn, Say):
            outputs.append(ModelOutput.from_content("mock", turn))
            continue
        calls = [use("submit", answer=turn)] if isinstance(turn, str) else list(turn)
        message = ChatMessageAssistant(
            content="",
            tool_calls=[
                ToolCall(id=f"{number}-{place}", function=name, arguments=arguments, type="function")
                for place, (name, arguments) in enumerate(calls)
            ],
        )
        choice = ChatCompletionChoice(message=message, stop_reason="tool_calls")
        outputs.append(ModelOutput(model="mock", choices=[choice]))
    return get_model("mockllm/model", custom_outputs=outputs)


class Office:
    """Tools, and what they really did."""

    def __init__(self) -> None:
        self.done: list[str] = []
        office = self

        @tool
        def read() -> Tool:
            async def execute(path: str) -> str:
                """Read a file.

                Args:
                    path: which one
                """
                office.done.append(f"read {path}")
                return f"the text of {path}"

            return execute

        @tool(parallel=True)
        def write() -> Tool:
            async def execute(path: str, text: str = "") -> str:
                """Write a file.

                Args:
                    path: which one
                    text: what to write
                """
                office.done.append(f"write {path}")
                return f"wrote {path}"

            return execute

        @tool
        def delete() -> Tool:
            async def execute(path: str) -> str:
                """Delete a file.

                Args:
                    path: which one
                """
                office.done.append(f"delete {path}")
                return f"deleted {path}"

            return execute

        self.tools: list[Any] = [read(), write(), delete()]

    def agent(self, *turns: Any, **more: Any) -> Any:
        return react(model=model(*turns), tools=[*self.tools, *more.pop("tools", [])], **more)


def results(messages: Sequence[Any]) -> list[str]:
    """What the agent was told by its tools, in order: texts and errors."""
    return [
        one.error.message if one.error else one.text
        for one in messages
        if isinstance(one, ChatMessageTool) and one.function != "submit"
    ]
