"""Two AutoGen assistants, one of them a tool of the other: the calls of both are looked at before they are done.

    pip install 'lookahead-agents[autogen]'
    python examples/agents/autogen.py

With a model of your own: pip install 'autogen-ext[openai]', and set LOOKAHEAD_EXAMPLE_URL=http://localhost:8000/v1 and
LOOKAHEAD_EXAMPLE_MODEL=name-of-the-model.
"""

import json
import os
import sys
from typing import Any

if sys.path and os.path.basename(sys.path[0]) == "agents":
    del sys.path[0]  # the files here are called like the libraries

import anyio
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.tools import AgentTool
from autogen_core import FunctionCall
from autogen_core.models import ChatCompletionClient, CreateResult, ModelFamily, RequestUsage

from lookahead import with_lookahead

SHELF = {"notes": "buy bread", "thesis": "ten years of work"}
INFO: Any = {
    "vision": False,
    "function_calling": True,
    "json_output": False,
    "family": ModelFamily.UNKNOWN,
    "structured_output": False,
    "multiple_system_messages": True,
}


async def list_shelf() -> str:
    """Names everything on the shelf."""
    return ", ".join(SHELF)


async def put_aside(name: str) -> str:
    """Puts something aside."""
    del SHELF[name]
    return f"{name} is put aside"


class Written(ChatCompletionClient):
    """Stands for a language model: it says what was written down for it."""

    def __init__(self, *turns: Any) -> None:
        self.turns = list(turns)

    async def create(self, messages: Any, **given: Any) -> CreateResult:
        turn = self.turns.pop(0)
        calls = (
            turn
            if isinstance(turn, str)
            else [
                FunctionCall(id=f"call-{place}", name=name, arguments=json.dumps(arguments))
                for place, (name, arguments) in enumerate(turn)
            ]
        )
        ended = "stop" if isinstance(turn, str) else "function_calls"
        return CreateResult(finish_reason=ended, content=calls, usage=self.total_usage(), cached=False)

    async def create_stream(self, messages: Any, **given: Any) -> Any:
        yield await self.create(messages)

    async def close(self) -> None:
        """Nothing is open."""

    def actual_usage(self) -> RequestUsage:
        return RequestUsage(prompt_tokens=0, completion_tokens=0)

    def total_usage(self) -> RequestUsage:
        return self.actual_usage()

    def count_tokens(self, messages: Any, **given: Any) -> int:
        return 0

    def remaining_tokens(self, messages: Any, **given: Any) -> int:
        return 10_000

    @property
    def capabilities(self) -> Any:
        return INFO

    @property
    def model_info(self) -> Any:
        return INFO


def client(*turns: Any) -> ChatCompletionClient:
    url, name = os.environ.get("LOOKAHEAD_EXAMPLE_URL"), os.environ.get("LOOKAHEAD_EXAMPLE_MODEL")
    if url and name:
        from autogen_ext.models.openai import OpenAIChatCompletionClient

        key = os.environ.get("OPENAI_API_KEY", "none")
        return OpenAIChatCompletionClient(
            model=name, base_url=url, api_key=key, model_info=INFO, parallel_tool_calls=False
        )
    return Written(*turns)


async def run() -> None:
    calls = [("put_aside", {"name": "thesis"}), ("put_aside", {"name": "notes"})]
    helper = AssistantAgent(
        "helper",
        client(calls, "I put the notes aside; the thesis I may not touch."),
        description="Tidies the shelf.",
        tools=[list_shelf, put_aside],
        max_tool_iterations=5,
    )
    agent = with_lookahead(
        AssistantAgent(
            "lead",
            client([("helper", {"task": "Tidy the shelf."})], "Only what matters is left."),
            tools=[AgentTool(helper, return_value_as_last_message=True)],
            max_tool_iterations=5,
        ),
        policy={
            "list_shelf": {"effect": "reads"},
            "put_aside": {"effect": "changes", "when": [{"argument": "name", "equals": "thesis", "rule": "deny"}]},
        },
        world="none",
        journal=":memory:",
    )
    for path in agent.lookahead.coverage:
        print(path)
    result = await agent.run(task="Tidy up.")
    for call in agent.lookahead.journal.calls():
        proposed = call.decided.decision.proposed
        print(proposed.tool, proposed.arguments, "was", "done" if call.intended else "refused")
    print("the agent says:", result.messages[-1].content)
    print("left:", sorted(SHELF))


if __name__ == "__main__":
    anyio.run(run)
