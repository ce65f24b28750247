"""What the tests of LangGraph share: a model that follows a script, tools that leave a trace, agents of every build."""

import asyncio
import json
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.tools import BaseTool, tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, create_react_agent, tools_condition
from pydantic import PrivateAttr

Say = AIMessage | Callable[[Sequence[BaseMessage]], AIMessage]


class Script(BaseChatModel):
    """Says one message after the other, or what a function makes of the conversation."""

    says: Any
    _asked: int = PrivateAttr(default=0)
    _seen: list[list[BaseMessage]] = PrivateAttr(default_factory=list)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @property
    def _llm_type(self) -> str:
        return "script"

    @property
    def asked(self) -> int:
        return self._asked

    @property
    def seen(self) -> list[list[BaseMessage]]:
        return self._seen

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind(tools=[getattr(one, "name", one) for one in tools])

    def _next(self, messages: list[BaseMessage]) -> AIMessage:
        with self._lock:
            self._asked += 1
            self._seen.append(list(messages))
        if callable(self.says):
            return self.says(messages)
        spoken = sum(isinstance(one, AIMessage) for one in messages)
        return self.says[min(spoken, len(self.says) - 1)].model_copy()

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._next(messages))])

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        said = self._next(messages)
        for word in str(said.content).split():
            yield ChatGenerationChunk(message=AIMessageChunk(content=f"{word} ", id=said.id))
        for index, one in enumerate(said.tool_calls):
            chunk = {"name": one["name"], "args": json.dumps(one["args"]), "id": one["id"], "index": index}
            yield ChatGenerationChunk(
                message=AIMessageChunk(content="", id=said.id, tool_call_chunks=[{**chunk, "type": "tool_call_chunk"}])
            )


def calls(*named: tuple[str, dict[str, Any]], start: int = 1) -> AIMessage:
    """One turn of the model: these calls at once, with ids c1, c2 …"""
    return AIMessage(
        "",
        tool_calls=[
            {"name": name, "args": arguments, "id": f"c{start + place}", "type": "tool_call"}
            for place, (name, arguments) in enumerate(named)
        ],
    )


def turns(*said: AIMessage) -> Script:
    """The model says these one after the other, and is done."""
    return Script(says=[*said, AIMessage("done")])


class Real:
    """The real world: what was done to it, in order."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self._lock = threading.Lock()

    def do(self, what: str) -> str:
        with self._lock:
            self.done.append(what)
        return f"did {what}"

    def tools(self) -> list[BaseTool]:
        real = self

        @tool
        def pay(amount: int) -> str:
            """Pay somebody."""
            return real.do(f"pay {amount}")

        @tool
        def note(text: str) -> str:
            """Write a note."""
            return real.do(f"note {text}")

        @tool
        def look(at: str) -> str:
            """Look at something."""
            return real.do(f"look {at}")

        @tool
        async def send(to: str) -> str:
            """Send a letter."""
            return real.do(f"send {to}")

        return [pay, note, look, *([send] if self.awaited else [])]

    awaited = False


def _react(version: Any) -> Callable[..., Any]:
    def build(model: Any, tools: Sequence[Any], **kwargs: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return create_react_agent(model, tools, version=version, **kwargs)

    return build


react_v1, react_v2 = _react("v1"), _react("v2")


def by_hand(model: Any, tools: Sequence[Any], **kwargs: Any) -> Any:
    bound = model.bind_tools(tools)

    def agent(state: MessagesState) -> dict[str, Any]:
        return {"messages": [bound.invoke(state["messages"])]}

    async def aagent(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await bound.ainvoke(state["messages"])]}

    from langgraph._internal._runnable import RunnableCallable

    return (
        StateGraph(MessagesState)
        .add_node("agent", RunnableCallable(agent, aagent))
        .add_node("tools", ToolNode(tools))
        .add_edge(START, "agent")
        .add_conditional_edges("agent", tools_condition, {"tools": "tools", "__end__": END})
        .add_edge("tools", "agent")
        .compile(**kwargs)
    )


def nested(model: Any, tools: Sequence[Any], **kwargs: Any) -> Any:
    """The agent is a node of another graph."""
    return (
        StateGraph(MessagesState)
        .add_node("inner", create_agent(model, tools))
        .add_edge(START, "inner")
        .add_edge("inner", END)
        .compile(**kwargs)
    )


KINDS: dict[str, Callable[..., Any]] = {
    "create_agent": create_agent,
    "react_v1": react_v1,
    "react_v2": react_v2,
    "by_hand": by_hand,
    "nested": nested,
}

ASKED = {"messages": [("user", "please")]}


def run(graph: Any, given: Any, config: Any = None, *, how: str = "sync", **kwargs: Any) -> Any:
    if how == "sync":
        return graph.invoke(given, config, **kwargs)
    return asyncio.run(graph.ainvoke(given, config, **kwargs))


def answers(result: Any) -> list[ToolMessage]:
    return [one for one in result["messages"] if isinstance(one, ToolMessage)]
