"""A code agent of smolagents: the code that it writes calls tools, and each call is looked at before it is done.

    pip install 'lookahead-agents[smolagents]'
    python examples/agents/smolagents.py

With a model of your own: pip install 'smolagents[openai]', and set LOOKAHEAD_EXAMPLE_URL=http://localhost:8000/v1 and
LOOKAHEAD_EXAMPLE_MODEL=name-of-the-model.
"""

import os
import sys
from typing import Any

if sys.path and os.path.basename(sys.path[0]) == "agents":
    del sys.path[0]  # this very file is called like the library

from smolagents import CodeAgent, Model, OpenAIModel, tool
from smolagents.models import ChatMessage, MessageRole

from lookahead import with_lookahead

FILES = {"notes.txt": "buy bread", "thesis.txt": "ten years of work"}


@tool
def list_files() -> str:
    """Names all files."""
    return ", ".join(FILES)


@tool
def put_aside(name: str) -> str:
    """Puts a file aside.

    Args:
        name: which one
    """
    del FILES[name]
    return f"{name} is put aside"


class Written(Model):
    """Stands for a language model: it says what was written down for it."""

    turns = (
        "<code>\nprint(list_files())\nfor name in ['notes.txt', 'thesis.txt']:\n    print(put_aside(name))\n</code>",
        "<code>\nfinal_answer('only the thesis is left: ' + list_files())\n</code>",
    )

    def generate(self, messages: Any, **kwargs: Any) -> ChatMessage:
        said = sum(message.role == MessageRole.ASSISTANT for message in messages)
        return ChatMessage(role=MessageRole.ASSISTANT, content=self.turns[min(said, len(self.turns) - 1)])


def model() -> Model:
    url, name = os.environ.get("LOOKAHEAD_EXAMPLE_URL"), os.environ.get("LOOKAHEAD_EXAMPLE_MODEL")
    if url and name:
        return OpenAIModel(model_id=name, api_base=url, api_key=os.environ.get("OPENAI_API_KEY", "none"))
    return Written(model_id="written")


def main() -> None:
    agent = with_lookahead(
        CodeAgent(tools=[list_files, put_aside], model=model(), verbosity_level=0, max_steps=4),
        policy={
            "list_files": {"effect": "reads"},
            "put_aside": {
                "effect": "changes",
                "when": [{"argument": "name", "matches": "thesis*", "rule": "deny"}],
            },
        },
        world="none",
        journal=":memory:",
    )
    for path in agent.lookahead.coverage:
        print(path)
    print("the agent says:", agent.run("tidy up"))
    for step in agent.memory.steps:
        if getattr(step, "error", None):
            print("the agent was told:", step.error)
    print("left:", sorted(FILES))


if __name__ == "__main__":
    main()
