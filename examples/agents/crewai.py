"""A crew of CrewAI: two who work together, and whatever either of them does is looked at before it is done.

    pip install 'lookahead-agents[crewai]'
    python examples/agents/crewai.py

With a model of your own: set LOOKAHEAD_EXAMPLE_URL=http://localhost:8000/v1 and
LOOKAHEAD_EXAMPLE_MODEL=name-of-the-model.
"""

import os
import sys
from typing import Any

if sys.path and os.path.basename(sys.path[0]) == "agents":
    del sys.path[0]  # this very file is called like the library

os.environ.setdefault("CREWAI_DISABLE_TELEMETRY", "true")

from crewai import LLM, Agent, BaseLLM, Crew, Task
from crewai.tools import tool

from lookahead import with_lookahead

FILES = {"notes.txt": "buy bread", "thesis.txt": "ten years of work"}


@tool("list_files")
def list_files() -> str:
    """Names all files."""
    return ", ".join(FILES)


@tool("delete_file")
def delete_file(name: str) -> str:
    """Deletes a file."""
    del FILES[name]
    return f"{name} is gone"


class Written(BaseLLM):
    """Stands for a language model: it calls one tool, and then says what it was told."""

    calls: str = "list_files"
    arguments: str = "{}"

    def call(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
        said = [one["content"] for one in messages if one.get("role") == "tool"]
        if said:
            return f"I was told: {said[-1]}"
        return [{"id": "call-1", "type": "function", "function": {"name": self.calls, "arguments": self.arguments}}]

    def supports_function_calling(self) -> bool:
        return True


def model(calls: str, arguments: str = "{}") -> Any:
    url, name = os.environ.get("LOOKAHEAD_EXAMPLE_URL"), os.environ.get("LOOKAHEAD_EXAMPLE_MODEL")
    if url and name:
        return LLM(model=f"openai/{name}", base_url=url, api_key=os.environ.get("OPENAI_API_KEY", "none"))
    return Written(model="written", calls=calls, arguments=arguments)


def main() -> None:
    told = {"goal": "an orderly folder", "backstory": "You keep folders in order."}
    looker = Agent(role="looker", llm=model("list_files"), tools=[list_files], **told)
    cleaner = Agent(role="cleaner", llm=model("delete_file", '{"name": "thesis.txt"}'), tools=[delete_file], **told)
    tasks = [
        Task(description="Say which files there are.", expected_output="their names", agent=looker),
        Task(description="Delete thesis.txt.", expected_output="what became of it", agent=cleaner),
    ]
    policy = {"list_files": {"effect": "reads"}, "delete_*": "deny"}
    crew = with_lookahead(Crew(agents=[looker, cleaner], tasks=tasks), policy=policy, world="none", journal=":memory:")
    for path in crew.lookahead.coverage:
        print(path)
    done = crew.kickoff()
    for output in done.tasks_output:
        print(f"{output.agent}: {output.raw}")
    print("left:", sorted(FILES))


if __name__ == "__main__":
    main()
