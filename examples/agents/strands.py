"""An agent of Strands: what it deletes is asked about by Strands' own interrupt, while its other call waits.

    pip install 'lookahead-agents[strands]'
    python examples/agents/strands.py

With a model of your own: pip install 'strands-agents[openai]', and set LOOKAHEAD_EXAMPLE_URL=http://localhost:8000/v1
and LOOKAHEAD_EXAMPLE_MODEL=name-of-the-model.
"""

import os
import sys
from collections.abc import AsyncIterator
from typing import Any

if sys.path and os.path.basename(sys.path[0]) == "agents":
    del sys.path[0]  # this very file is called like the library

from strands import Agent, tool
from strands.models.model import Model

from lookahead import with_lookahead

FILES = {"notes.txt": "buy bread", "thesis.txt": "ten years of work"}


@tool
def list_files() -> str:
    """Names all files."""
    return ", ".join(FILES)


@tool
def delete_file(name: str) -> str:
    """Deletes a file."""
    del FILES[name]
    return f"{name} is gone"


class Written(Model):
    """Stands for a language model: it calls both tools, and then says what it was told of them."""

    def update_config(self, **model_config: Any) -> None: ...

    def get_config(self) -> Any:
        return {}

    def structured_output(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    async def stream(self, messages: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        said = [block["toolResult"]["content"] for block in messages[-1]["content"] if "toolResult" in block]
        yield {"messageStart": {"role": "assistant"}}
        if said:
            yield {"contentBlockDelta": {"delta": {"text": f"I was told: {[one[0]['text'] for one in said]}"}}}
            yield {"contentBlockStop": {}}
        else:
            for name, written in (("list_files", "{}"), ("delete_file", '{"name": "notes.txt"}')):
                yield {"contentBlockStart": {"start": {"toolUse": {"name": name, "toolUseId": f"call-{name}"}}}}
                yield {"contentBlockDelta": {"delta": {"toolUse": {"input": written}}}}
                yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "end_turn" if said else "tool_use"}}


def model() -> Model:
    url, name = os.environ.get("LOOKAHEAD_EXAMPLE_URL"), os.environ.get("LOOKAHEAD_EXAMPLE_MODEL")
    if url and name:
        from strands.models.openai import OpenAIModel

        key = os.environ.get("OPENAI_API_KEY", "none")
        return OpenAIModel(client_args={"base_url": url, "api_key": key}, model_id=name)
    return Written()


def main() -> None:
    agent = with_lookahead(
        Agent(model=model(), tools=[list_files, delete_file], callback_handler=None),
        policy={"list_files": {"effect": "reads"}, "delete_*": "ask"},
        world="none",
        journal=":memory:",
    )
    for path in agent.lookahead.coverage:
        print(path)
    said = agent("Look at the files, and delete notes.txt.")
    while said.stop_reason == "interrupt":
        for one in said.interrupts:
            for question in one.reason["lookahead"]["questions"]:
                print(question["text"])
        print("nothing was done so far:", sorted(FILES))
        said = agent([{"interruptResponse": {"interruptId": one.id, "response": "yes"}} for one in said.interrupts])
    print("the agent says:", str(said).strip())
    print("left:", sorted(FILES))


if __name__ == "__main__":
    main()
