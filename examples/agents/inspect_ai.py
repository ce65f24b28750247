"""A task of Inspect AI, run dry: the agent works as it always does, and none of its tools is real.

    pip install 'lookahead-agents[inspect]'
    python examples/agents/inspect_ai.py

With a model of your own: pip install openai, and set LOOKAHEAD_EXAMPLE_URL=http://localhost:8000/v1 and
LOOKAHEAD_EXAMPLE_MODEL=name-of-the-model. Without one the mock model of Inspect plays its part.
"""

import os
import sys
import tempfile
from typing import Any

if sys.path and os.path.basename(sys.path[0]) == "agents":
    del sys.path[0]  # this very file is called like the library

from inspect_ai import Task, eval
from inspect_ai.agent import react
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageTool, Model, ModelOutput, get_model
from inspect_ai.tool import Tool, tool

from lookahead import Action, Observation, Origin, State, with_lookahead

FILES = {"notes.txt": "buy bread", "thesis.txt": "ten years of work"}


@tool
def delete_file() -> Tool:
    async def execute(name: str) -> str:
        """Delete a file.

        Args:
            name: which one
        """
        del FILES[name]
        return f"{name} is gone"

    return execute


async def imagined(state: State, action: Action) -> Observation:
    """Whatever can imagine: a world model's endpoint, a copy of the directory; here two lines."""
    name = action.arguments["name"]
    return Observation(content=f"{name} would be gone", origin=Origin(kind="model", world="two lines"))


def model() -> Model:
    url, name = os.environ.get("LOOKAHEAD_EXAMPLE_URL"), os.environ.get("LOOKAHEAD_EXAMPLE_MODEL")
    if url and name:
        return get_model(f"openai/{name}", base_url=url, api_key=os.environ.get("OPENAI_API_KEY", "none"))
    calls: Any = [("delete_file", {"name": "thesis.txt"}), ("submit", {"answer": "done"})]
    outputs = [ModelOutput.for_tool_call("mockllm/model", tool_name, given) for tool_name, given in calls]
    return get_model("mockllm/model", custom_outputs=outputs)


def main() -> None:
    task = Task(dataset=[Sample(input="Delete thesis.txt.")], solver=react(tools=[delete_file()]))
    task = with_lookahead(task, mode="dry-run", world=imagined, journal=":memory:")
    for path in task.lookahead.coverage:
        print(path)
    with tempfile.TemporaryDirectory() as folder:
        (log,) = eval(task, model=model(), display="none", log_dir=folder)
        messages = log.samples[0].messages if log.samples else []
    print("the evaluation ended with:", log.status)
    for message in messages:
        if isinstance(message, ChatMessageTool):
            print(f"{message.function} said:", message.error.message if message.error else message.text)
    print("left:", sorted(FILES))


if __name__ == "__main__":
    main()
