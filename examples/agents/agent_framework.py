"""An agent of the Microsoft Agent Framework: one call is refused, one waits for a person's answer.

    pip install 'lookahead-agents[agent-framework]'
    python examples/agents/agent_framework.py

With a model of your own: pip install agent-framework-openai, and set LOOKAHEAD_EXAMPLE_URL=http://localhost:8000/v1 and
LOOKAHEAD_EXAMPLE_MODEL=name-of-the-model.
"""

import os
import sys
from typing import Any

if sys.path and os.path.basename(sys.path[0]) == "agents":
    del sys.path[0]  # this very file is called like the library

import anyio
from agent_framework import (
    Agent,
    BaseChatClient,
    ChatMiddlewareLayer,
    ChatResponse,
    Content,
    FunctionInvocationLayer,
    Message,
    tool,
)

from lookahead import with_lookahead

SHELF = {"notes": "buy bread", "thesis": "ten years of work"}


@tool
def list_shelf() -> str:
    """Names everything on the shelf."""
    return ", ".join(SHELF)


@tool
def put_aside(name: str) -> str:
    """Puts something aside."""
    del SHELF[name]
    return f"{name} is put aside"


class Written(FunctionInvocationLayer, ChatMiddlewareLayer, BaseChatClient):
    """Stands for a language model: it says what was written down for it."""

    turns = [("put_aside", "thesis"), ("put_aside", "notes")], "Only what matters is left."

    async def _inner_get_response(self, *, messages: Any, stream: bool, options: Any, **kwargs: Any) -> ChatResponse:
        told = any(content.type == "function_result" for message in messages for content in message.contents)
        turn = self.turns[told]
        contents = (
            [Content.from_text(turn)]
            if isinstance(turn, str)
            else [Content.from_function_call(f"call-{what}", name, arguments={"name": what}) for name, what in turn]
        )
        return ChatResponse(messages=[Message(role="assistant", contents=contents)])


def client() -> Any:
    url, name = os.environ.get("LOOKAHEAD_EXAMPLE_URL"), os.environ.get("LOOKAHEAD_EXAMPLE_MODEL")
    if url and name:
        from agent_framework_openai import OpenAIChatCompletionClient

        return OpenAIChatCompletionClient(model=name, base_url=url, api_key=os.environ.get("OPENAI_API_KEY", "none"))
    return Written()


async def run() -> None:
    agent = with_lookahead(
        Agent(client(), tools=[list_shelf, put_aside], instructions="Tidy the shelf.", name="tidier"),
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
    session = agent.create_session()
    response = await agent.run("Tidy up.", session=session)
    while response.user_input_requests:
        answers = []
        for request in response.user_input_requests:
            print("asked:", request.function_call.name, request.function_call.arguments)
            answers.append(request.to_function_approval_response(True))
        response = await agent.run(Message(role="user", contents=answers), session=session)
    for content in (content for message in response.messages for content in message.contents):
        if content.type == "function_result":
            print("the agent was told:", content.result)
    print("the agent says:", response.text)
    print("left:", sorted(SHELF))


if __name__ == "__main__":
    anyio.run(run)
