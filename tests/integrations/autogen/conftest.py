"""A model client that says what it is told to, and tools that remember what happened to them."""

import json
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """AutoGen runs on asyncio only."""
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
    pytest.importorskip("autogen_agentchat")
    from autogen_core.tools import FunctionTool

    async def look(place: str) -> str:
        """Looks at a place."""
        real.done.append(("look", place))
        return f"nothing at {place}"

    def write(path: str, hard: bool = False) -> str:
        """Writes to a path."""
        real.done.append(("write", path))
        return f"wrote {path}"

    return {"look": FunctionTool(look, "Looks."), "write": FunctionTool(write, "Writes.")}


@pytest.fixture
def says() -> Callable[..., Any]:
    """A client of these turns: a text, or calls of tools as (name, arguments)."""
    pytest.importorskip("autogen_agentchat")
    from autogen_core import FunctionCall
    from autogen_core.models import ChatCompletionClient, CreateResult, ModelFamily, RequestUsage

    class Fake(ChatCompletionClient):
        def __init__(self, turns: tuple[Any, ...]) -> None:
            self.turns = list(turns)
            self.asked: list[list[Any]] = []

        async def create(self, messages: Any, **kwargs: Any) -> Any:
            self.asked.append(list(messages))
            turn = self.turns.pop(0)
            calls = (
                turn
                if isinstance(turn, str)
                else [
                    FunctionCall(id=f"call_{place}", name=name, arguments=json.dumps(arguments))
                    for place, (name, arguments) in enumerate(turn)
                ]
            )
            ended = "stop" if isinstance(turn, str) else "function_calls"
            usage = RequestUsage(prompt_tokens=10, completion_tokens=3)
            return CreateResult(finish_reason=ended, content=calls, usage=usage, cached=False)

        async def create_stream(self, messages: Any, **kwargs: Any) -> Any:
            result = await self.create(messages)
            if isinstance(result.content, str):
                yield result.content
            yield result

        async def close(self) -> None: ...

        def actual_usage(self) -> Any:
            return RequestUsage(prompt_tokens=0, completion_tokens=0)

        total_usage = actual_usage

        def count_tokens(self, messages: Any, **kwargs: Any) -> int:
            return 0

        remaining_tokens = count_tokens

        @property
        def capabilities(self) -> Any:
            return self.model_info

        @property
        def model_info(self) -> Any:
            return {
                "vision": False,
                "function_calling": True,
                "json_output": False,
                "family": ModelFamily.UNKNOWN,
                "structured_output": False,
                "multiple_system_messages": True,
            }

    return lambda *turns: Fake(turns)
