"""An agent of Pydantic AI: what it deletes is asked about by its own deferred approval, before anything is done.

    pip install 'lookahead-agents[pydantic-ai]'
    python examples/agents/pydantic_ai.py

With a model of your own: pip install 'pydantic-ai-slim[openai]', and set
LOOKAHEAD_EXAMPLE_URL=http://localhost:8000/v1 and LOOKAHEAD_EXAMPLE_MODEL=name-of-the-model.
"""

import os
import sys

if sys.path and os.path.basename(sys.path[0]) == "agents":
    del sys.path[0]  # this very file is called like the library

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models import Model
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.tools import DeferredToolRequests, DeferredToolResults

from lookahead import with_lookahead

FILES = {"notes.txt": "buy bread", "thesis.txt": "ten years of work"}


def list_files() -> str:
    """Names all files."""
    return ", ".join(FILES)


def delete_file(name: str) -> str:
    """Deletes a file."""
    del FILES[name]
    return f"{name} is gone"


def written(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Stands for a language model: it calls both tools, and then it is done."""
    if len(messages) > 1:
        return ModelResponse(parts=[TextPart("notes.txt is deleted, as you allowed.")])
    return ModelResponse(parts=[ToolCallPart("list_files", {}), ToolCallPart("delete_file", {"name": "notes.txt"})])


def model() -> Model:
    url, name = os.environ.get("LOOKAHEAD_EXAMPLE_URL"), os.environ.get("LOOKAHEAD_EXAMPLE_MODEL")
    if url and name:
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        key = os.environ.get("OPENAI_API_KEY", "none")
        return OpenAIChatModel(name, provider=OpenAIProvider(base_url=url, api_key=key))
    return FunctionModel(written)


async def main() -> None:
    agent = with_lookahead(
        Agent(model(), tools=[list_files, delete_file], output_type=[str, DeferredToolRequests]),
        policy={"list_files": {"effect": "reads"}, "delete_*": "ask"},
        world="none",
        journal=":memory:",
    )
    for path in agent.lookahead.coverage:
        print(path)
    run = await agent.run("Look at the files, and delete notes.txt.")
    while isinstance(run.output, DeferredToolRequests):
        answers = DeferredToolResults()
        for question in run.output.approvals:
            print(run.output.metadata[question.tool_call_id]["lookahead"]["text"])
            answers.approvals[question.tool_call_id] = True
        print("nothing was done so far:", sorted(FILES))
        run = await agent.run(message_history=run.all_messages(), deferred_tool_results=answers)
    print("the agent says:", run.output)
    print("left:", sorted(FILES))


if __name__ == "__main__":
    import asyncio

    asyncio.run(main())
