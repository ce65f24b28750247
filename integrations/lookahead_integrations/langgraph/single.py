"""A tool that is itself a node of a graph: its arguments are the state, and its answer is an update."""

from importlib import import_module
from typing import Any, cast

from langchain_core.messages import ToolCall, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.prebuilt.tool_node import ToolCallRequest

from lookahead.errors import Refused
from lookahead_integrations.langgraph.gate import Gate
from lookahead_integrations.langgraph.messages import MARK
from lookahead_integrations.langgraph.tick import Place

_RunnableCallable: Any = import_module("langgraph._internal._runnable").RunnableCallable


class SingleTool:
    """Walks the line with the state that its node is given."""

    def __init__(self, tool: BaseTool, gate: Gate) -> None:
        self._tool, self._gate = tool, gate

    @classmethod
    def of(cls, tool: BaseTool, gate: Gate) -> Any:
        one = cls(tool, gate)
        return _RunnableCallable(one.call, one.acall, name=tool.name, trace=False)

    def call(self, input: Any, config: RunnableConfig) -> Any:
        request = self._request(input)
        done = self._gate.run_here(None, request, lambda one: self._tool.invoke(input, config), Place.of(config))
        return _update(done)

    async def acall(self, input: Any, config: RunnableConfig) -> Any:
        async def execute(request: ToolCallRequest) -> Any:
            return await self._tool.ainvoke(input, config)

        return _update(await self._gate.run(None, self._request(input), execute, Place.of(config)))

    def _request(self, input: Any) -> ToolCallRequest:
        known = self._tool.args
        given = cast(dict[str, Any], input) if isinstance(input, dict) else dict.fromkeys(list(known)[:1], input)
        arguments = {key: value for key, value in given.items() if key in known}
        call = ToolCall(name=self._tool.name, args=arguments, id=None)
        return ToolCallRequest(tool_call=call, tool=self._tool, state=input, runtime=cast(Any, None))


def _update(done: Any) -> Any:
    """What the tool answered; nobody reads a refusal here, so it ends the run."""
    if not isinstance(done, ToolMessage):
        return done
    mark = cast(dict[str, Any], done.response_metadata.get(MARK) or {})
    if mark.get("imagined") and isinstance(structured := done.artifact["structured"], dict):
        return cast(Any, structured)
    raise Refused(str(cast(Any, done).content), cast(Any, mark.get("decision")))


__all__ = ["SingleTool"]
