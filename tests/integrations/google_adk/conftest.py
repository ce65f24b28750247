"""A model that says what it is told to, tools that remember what happened to them, and a way to run an agent."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The ADK runs on asyncio only."""
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
    def look(place: str) -> str:
        """Looks at a place."""
        real.done.append(("look", place))
        return f"nothing at {place}"

    async def write(path: str, hard: bool = False) -> dict[str, str]:
        """Writes to a path."""
        real.done.append(("write", path))
        return {"wrote": path}

    return {"look": look, "write": write}


@pytest.fixture
def says() -> Callable[..., Any]:
    """A model of these turns: a text, or calls of tools as (name, arguments)."""
    pytest.importorskip("google.adk")
    from google.adk.models.base_llm import BaseLlm
    from google.adk.models.llm_response import LlmResponse
    from google.genai import types

    class Fake(BaseLlm):
        model: str = "fake"
        turns: list[Any]
        asked: list[Any]

        async def generate_content_async(self, llm_request: Any, stream: bool = False) -> Any:
            self.asked.append([content.model_dump(exclude_none=True) for content in llm_request.contents])
            turn = self.turns.pop(0)
            parts = (
                [types.Part(text=turn)]
                if isinstance(turn, str)
                else [types.Part(function_call=types.FunctionCall(name=name, args=dict(args))) for name, args in turn]
            )
            content = types.Content(role="model", parts=parts)
            if stream and isinstance(turn, str):
                yield LlmResponse(content=content, partial=True)
            yield LlmResponse(content=content)

    return lambda *turns: Fake(turns=list(turns), asked=[])


@pytest.fixture
def run() -> Callable[..., Any]:
    """One turn of a conversation: its events."""
    pytest.importorskip("google.adk")
    from google.adk.agents.run_config import RunConfig, StreamingMode
    from google.adk.runners import Runner
    from google.adk.sessions import InMemorySessionService
    from google.genai import types

    sessions = InMemorySessionService()

    async def go(
        agent: Any, said: Any = "go", *, session: str = "s", stream: bool = False, plugins: Any = None
    ) -> list[Any]:
        runner = Runner(
            app_name="app", agent=agent, session_service=sessions, auto_create_session=True, plugins=plugins
        )
        part = types.Part(text=said) if isinstance(said, str) else types.Part(function_response=said)
        config = RunConfig(streaming_mode=StreamingMode.SSE if stream else StreamingMode.NONE)
        events = [
            event
            async for event in runner.run_async(
                user_id="u",
                session_id=session,
                new_message=types.Content(role="user", parts=[part]),
                run_config=config,
            )
        ]
        return events

    return go
