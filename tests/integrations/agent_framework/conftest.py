"""A chat client that says what it is told to, and tools that remember what happened to them."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The framework runs on asyncio only."""
    return "asyncio"


class World:
    """What has really happened, in order."""

    def __init__(self) -> None:
        self.done: list[tuple[str, Any]] = []


@pytest.fixture
def real() -> World:
    return World()


@pytest.fixture
def tools(real: World) -> dict[str, Any]:
    tool = pytest.importorskip("agent_framework").tool

    @tool
    def look(place: str) -> str:
        """Looks at a place."""
        real.done.append(("look", place))
        return f"nothing at {place}"

    @tool
    async def write(path: str, hard: bool = False) -> str:
        """Writes to a path."""
        real.done.append(("write", path))
        return f"wrote {path}"

    return {"look": look, "write": write}


@pytest.fixture
def says() -> Callable[..., Any]:
    """A client of these turns: a text, or calls of tools as (name, arguments)."""
    framework = pytest.importorskip("agent_framework")
    from agent_framework import (
        BaseChatClient,
        ChatMiddlewareLayer,
        ChatResponse,
        ChatResponseUpdate,
        Content,
        FunctionInvocationLayer,
        Message,
    )

    class Fake(FunctionInvocationLayer, ChatMiddlewareLayer, BaseChatClient):
        def __init__(self, turns: tuple[Any, ...]) -> None:
            super().__init__()
            self.turns = list(turns)
            self.asked: list[list[Any]] = []

        def contents(self, messages: Any) -> list[Any]:
            self.asked.append(list(messages))
            turn = self.turns.pop(0)
            if isinstance(turn, str):
                return [Content.from_text(turn)]
            return [
                Content.from_function_call(f"call_{len(self.asked)}_{place}", name, arguments=dict(arguments))
                for place, (name, arguments) in enumerate(turn)
            ]

        def _inner_get_response(self, *, messages: Any, stream: bool, options: Any, **kwargs: Any) -> Any:
            if stream:

                async def updates() -> Any:
                    for one in self.contents(messages):
                        yield ChatResponseUpdate(role="assistant", contents=[one])

                return self._build_response_stream(updates())

            async def whole() -> Any:
                return ChatResponse(messages=[Message(role="assistant", contents=self.contents(messages))])

            return whole()

    assert framework
    return lambda *turns: Fake(turns)
