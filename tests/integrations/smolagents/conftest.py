"""A model that says what it is told to, and tools that remember what happened to them."""

import json
from collections.abc import Callable
from typing import Any

import pytest


class World:
    """What has really happened, in order."""

    def __init__(self) -> None:
        self.done: list[tuple[str, Any]] = []


@pytest.fixture
def real() -> World:
    return World()


@pytest.fixture
def tools(real: World) -> dict[str, Any]:
    tool = pytest.importorskip("smolagents").tool

    @tool
    def look(place: str) -> str:
        """Looks at a place.

        Args:
            place: where to look
        """
        real.done.append(("look", place))
        return f"nothing at {place}"

    @tool
    def write(path: str, hard: bool = False) -> str:
        """Writes a path.

        Args:
            path: what to write
            hard: for good
        """
        real.done.append(("write", path))
        return f"wrote {path}"

    @tool
    def count(path: str) -> int:
        """Counts what is at a path.

        Args:
            path: where
        """
        real.done.append(("count", path))
        return 3

    return {"look": look, "write": write, "count": count}


@pytest.fixture
def says() -> Callable[..., Any]:
    """A model of these turns: a text, or calls of tools as (name, arguments)."""
    smolagents = pytest.importorskip("smolagents")
    from smolagents.models import (
        ChatMessage,
        ChatMessageStreamDelta,
        ChatMessageToolCall,
        ChatMessageToolCallFunction,
        ChatMessageToolCallStreamDelta,
        MessageRole,
    )

    class Fake(smolagents.Model):
        def __init__(self, turns: tuple[Any, ...]) -> None:
            super().__init__(model_id="fake")
            self.turns = list(turns)
            self.asked: list[list[Any]] = []

        def generate(self, messages: Any, **kwargs: Any) -> Any:
            self.asked.append(messages)
            turn = self.turns.pop(0)
            if isinstance(turn, str):
                return ChatMessage(role=MessageRole.ASSISTANT, content=turn)
            calls = [
                ChatMessageToolCall(
                    id=f"call_{number}",
                    type="function",
                    function=ChatMessageToolCallFunction(name=name, arguments=dict(arguments)),
                )
                for number, (name, arguments) in enumerate(turn)
            ]
            return ChatMessage(role=MessageRole.ASSISTANT, content="", tool_calls=calls)

        def generate_stream(self, messages: Any, **kwargs: Any) -> Any:
            said = self.generate(messages, **kwargs)
            for number, call in enumerate(said.tool_calls or ()):
                function = call.function
                function.arguments = json.dumps(function.arguments)
                yield ChatMessageStreamDelta(
                    content="",
                    tool_calls=[
                        ChatMessageToolCallStreamDelta(index=number, id=call.id, type="function", function=function)
                    ],
                )
            if said.content:
                yield ChatMessageStreamDelta(content=said.content)

    return lambda *turns: Fake(turns)
