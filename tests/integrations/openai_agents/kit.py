"""An office whose tools note what they do, and models that say what their script says."""

from typing import Any

from agents import Agent, FunctionTool, RunResult, function_tool, set_tracing_disabled
from agents.testing import ScriptedModel, assistant_message, function_call

from lookahead import Journal
from lookahead.testing import ScriptedWorld

set_tracing_disabled(True)


class Office:
    def __init__(self) -> None:
        self.done: list[str] = []

    @property
    def tools(self) -> list[FunctionTool]:
        done = self.done

        @function_tool
        def write(path: str) -> str:
            """Writes a file."""
            done.append(f"write {path}")
            return f"wrote {path}"

        @function_tool
        def delete(path: str) -> str:
            """Deletes a file."""
            done.append(f"delete {path}")
            return f"deleted {path}"

        @function_tool
        def read(path: str) -> str:
            """Reads a file."""
            done.append(f"read {path}")
            return f"text of {path}"

        return [write, delete, read]

    def agent(self, *turns: Any, name: str = "clerk", **more: Any) -> Agent[Any]:
        return Agent(name, model=model(*turns), **{"tools": self.tools, **more})


def model(*turns: Any) -> ScriptedModel:
    return ScriptedModel([[assistant_message(turn)] if isinstance(turn, str) else turn for turn in turns])


def use(name: str, call_id: str | None = None, /, **arguments: Any) -> Any:
    key = call_id or f"{name}-{'-'.join(str(value) for value in arguments.values())}"
    return function_call(name, arguments, call_id=key)


def results(run: RunResult | Any) -> list[Any]:
    return [item.output for item in run.new_items if item.type == "tool_call_output_item"]


READS = {"read": {"effect": "reads"}}


def quiet(**more: Any) -> dict[str, Any]:
    world = ScriptedWorld(script={"*": "as imagined"})
    return {"world": world, "journal": Journal(":memory:"), **more, "policy": {**READS, **more.get("policy", {})}}
