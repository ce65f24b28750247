"""An agent of the Google ADK: one call is refused, one waits for a person to confirm it.

    pip install 'lookahead-agents[google-adk]'
    python examples/agents/google_adk.py

With a model of your own: pip install litellm mcp, and set LOOKAHEAD_EXAMPLE_URL=http://localhost:8000/v1 and
LOOKAHEAD_EXAMPLE_MODEL=name-of-the-model.
"""

import os
import sys
from typing import Any

if sys.path and os.path.basename(sys.path[0]) == "agents":
    del sys.path[0]  # the files here are called like the libraries

import anyio
from google.adk.agents import LlmAgent
from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_response import LlmResponse
from google.adk.runners import Runner
from google.adk.sessions import InMemorySessionService
from google.genai import types

from lookahead import with_lookahead

SHELF = {"notes": "buy bread", "thesis": "ten years of work"}


def list_shelf() -> str:
    """Names everything on the shelf."""
    return ", ".join(SHELF)


def put_aside(name: str) -> str:
    """Puts something aside."""
    del SHELF[name]
    return f"{name} is put aside"


class Written(BaseLlm):
    """Stands for a language model: it says what was written down for it."""

    model: str = "written"

    async def generate_content_async(self, llm_request: Any, stream: bool = False) -> Any:
        told = any(part.function_response for content in llm_request.contents for part in content.parts)
        parts = [types.Part(text="Only what matters is left.")]
        if not told:
            calls = [types.FunctionCall(name="put_aside", args={"name": name}) for name in ("thesis", "notes")]
            parts = [types.Part(function_call=call) for call in calls]
        yield LlmResponse(content=types.Content(role="model", parts=parts))


def model() -> BaseLlm:
    url, name = os.environ.get("LOOKAHEAD_EXAMPLE_URL"), os.environ.get("LOOKAHEAD_EXAMPLE_MODEL")
    if url and name:
        from google.adk.models.lite_llm import LiteLlm

        return LiteLlm(model=f"openai/{name}", api_base=url, api_key=os.environ.get("OPENAI_API_KEY", "none"))
    return Written()


async def run() -> None:
    agent = with_lookahead(
        LlmAgent(name="tidier", model=model(), tools=[list_shelf, put_aside], instruction="Tidy the shelf."),
        policy={
            "list_shelf": {"effect": "reads"},
            "put_aside": {
                "effect": "changes",
                "rule": "ask",
                "when": [{"argument": "name", "equals": "thesis", "rule": "deny"}],
            },
        },
        world="none",
        journal=":memory:",
    )
    sessions = InMemorySessionService()
    runner = Runner(app_name="example", agent=agent, session_service=sessions, auto_create_session=True)
    parts = [types.Part(text="Tidy up.")]
    while parts:
        said = types.Content(role="user", parts=parts)
        parts = []
        async for event in runner.run_async(user_id="me", session_id="today", new_message=said):
            for call in event.get_function_calls():
                if call.name == "adk_request_confirmation":
                    print("asked:", call.args["originalFunctionCall"]["args"])
                    yes = types.FunctionResponse(id=call.id, name=call.name, response={"confirmed": True})
                    parts.append(types.Part(function_response=yes))
            for response in event.get_function_responses():
                print("the agent was told:", response.response)
            if event.content and event.content.parts and event.content.parts[0].text:
                print("the agent says:", event.content.parts[0].text)
    print("left:", sorted(SHELF))


if __name__ == "__main__":
    anyio.run(run)
