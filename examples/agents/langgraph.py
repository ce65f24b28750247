"""A LangGraph agent: what it deletes is asked about by LangGraph's own interrupt, before any of its calls is done.

    pip install 'lookahead-agents[langgraph]'
    python examples/agents/langgraph.py

With a model of your own: pip install langchain-openai, and set LOOKAHEAD_EXAMPLE_URL=http://localhost:8000/v1 and
LOOKAHEAD_EXAMPLE_MODEL=name-of-the-model.
"""

import os
import sys
from typing import Any

if sys.path and os.path.basename(sys.path[0]) == "agents":
    del sys.path[0]  # this very file is called like the library

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from lookahead import with_lookahead

FILES = {"notes.txt": "buy bread", "thesis.txt": "ten years of work"}


def list_files() -> str:
    """Names all files."""
    return ", ".join(FILES)


def delete_file(name: str) -> str:
    """Deletes a file."""
    del FILES[name]
    return f"{name} is gone"


class Scripted(GenericFakeChatModel):
    """Stands for a language model: it calls three tools at once, and then it is done."""

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self


def model() -> BaseChatModel:
    url, name = os.environ.get("LOOKAHEAD_EXAMPLE_URL"), os.environ.get("LOOKAHEAD_EXAMPLE_MODEL")
    if url and name:
        from langchain.chat_models import init_chat_model

        return init_chat_model(
            name, model_provider="openai", base_url=url, api_key=os.environ.get("OPENAI_API_KEY", "none")
        )
    calls = [
        {"name": "list_files", "args": {}, "id": "call-1"},
        {"name": "delete_file", "args": {"name": "notes.txt"}, "id": "call-2"},
        {"name": "delete_file", "args": {"name": "thesis.txt"}, "id": "call-3"},
    ]
    said = [AIMessage("", tool_calls=calls), AIMessage("notes.txt is deleted, as you allowed; the thesis is kept.")]
    return Scripted(messages=iter(said))


def main() -> None:
    agent = with_lookahead(
        create_agent(model(), [list_files, delete_file], checkpointer=InMemorySaver()),
        policy={"list_files": {"effect": "reads"}, "delete_*": "ask"},
        world="none",
        journal=":memory:",
    )
    for path in agent.lookahead.coverage:
        print(path)
    thread: RunnableConfig = {"configurable": {"thread_id": "1"}}
    result = agent.invoke({"messages": [("user", "Look at the files, and delete notes.txt.")]}, thread)
    while asked := result.get("__interrupt__"):
        print("nothing was done so far:", sorted(FILES))
        answers: dict[str, Any] = {}
        for question in asked[0].value["action_requests"]:
            print("may it?", question["name"], question["args"])
            allowed = question["args"] == {"name": "notes.txt"}
            no = {"type": "reject", "message": "not the thesis"}
            answers[question["call_id"]] = "approve" if allowed else no
        result = agent.invoke(Command(resume=answers), thread)
    print("the agent says:", result["messages"][-1].content)
    print("left:", sorted(FILES))


if __name__ == "__main__":
    main()
