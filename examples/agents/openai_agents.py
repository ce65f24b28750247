"""An agent of the OpenAI Agents SDK: what it deletes is asked about by the SDK's own approval, before anything is done.

    pip install 'lookahead-agents[openai-agents]'
    python examples/agents/openai_agents.py

With a model of your own: set LOOKAHEAD_EXAMPLE_URL=http://localhost:8000/v1 and
LOOKAHEAD_EXAMPLE_MODEL=name-of-the-model.
"""

import asyncio
import os

from agents import Agent, Model, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from agents.testing import ScriptedModel, assistant_message, function_call

from lookahead import with_lookahead

FILES = {"notes.txt": "buy bread", "thesis.txt": "ten years of work"}


@function_tool
def list_files() -> str:
    """Names all files."""
    return ", ".join(FILES)


@function_tool
def delete_file(name: str) -> str:
    """Deletes a file."""
    del FILES[name]
    return f"{name} is gone"


def model() -> Model:
    url, name = os.environ.get("LOOKAHEAD_EXAMPLE_URL"), os.environ.get("LOOKAHEAD_EXAMPLE_MODEL")
    if url and name:
        from openai import AsyncOpenAI

        client = AsyncOpenAI(base_url=url, api_key=os.environ.get("OPENAI_API_KEY", "none"))
        return OpenAIChatCompletionsModel(name, openai_client=client)
    # Stands for a language model: it calls both tools, and then it is done.
    calls = [
        function_call("list_files", {}, call_id="call-1"),
        function_call("delete_file", {"name": "notes.txt"}, call_id="call-2"),
    ]
    return ScriptedModel([calls, [assistant_message("notes.txt is deleted, as you allowed.")]])


async def main() -> None:
    set_tracing_disabled(True)
    agent = with_lookahead(
        Agent("librarian", tools=[list_files, delete_file], model=model()),
        policy={"list_files": {"effect": "reads"}, "delete_*": "ask"},
        world="none",
        journal=":memory:",
    )
    for path in agent.lookahead.coverage:
        print(path)
    run = await Runner.run(agent, "Look at the files, and delete notes.txt.")
    while run.interruptions:
        state = run.to_state()
        for question in run.interruptions:
            print("may it?", question.name, question.arguments)
            state.approve(question)
        print("nothing was done so far:", sorted(FILES))
        run = await Runner.run(agent, state)
    print("the agent says:", run.final_output)
    print("left:", sorted(FILES))


if __name__ == "__main__":
    asyncio.run(main())
