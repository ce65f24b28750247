"""A ToolNode whose calls walk the line: all that the model asked for at once is judged before any of it begins."""

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from os import PathLike
from typing import Any, cast

from langchain_core.messages import ToolCall
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.errors import GraphInterrupt
from langgraph.prebuilt import ToolNode
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.runtime import Runtime
from pydantic import BaseModel

from lookahead.approval import Approve
from lookahead.budget import Budget
from lookahead.host import ToolPath
from lookahead.journal import Journal
from lookahead.policy import Policy
from lookahead.search import Search
from lookahead.session import Session
from lookahead.settings import Mode, Settings
from lookahead.types import Critic
from lookahead.worlds.choose import World
from lookahead.wrap import options_of
from lookahead_integrations.langgraph.gate import Batch, Gate, Replies, messages_of
from lookahead_integrations.langgraph.messages import tool_of
from lookahead_integrations.langgraph.own import Now, OwnPolicy, now
from lookahead_integrations.langgraph.stream import into_stream
from lookahead_integrations.langgraph.stubs import functions_of, stub
from lookahead_integrations.langgraph.tick import Meeting, Place, Together, wait, wait_here

_batch: ContextVar[Batch | None] = ContextVar("lookahead_batch", default=None)
"""What was decided for the calls of the task that runs; its tools' threads see it too."""

Wrapper = Callable[[ToolCallRequest, Callable[[ToolCallRequest], Any]], Any]
AsyncWrapper = Callable[[ToolCallRequest, Callable[[ToolCallRequest], Awaitable[Any]]], Awaitable[Any]]


class GuardedToolNode(ToolNode):
    """The same node; ours is the innermost of its wrappers, so that what is judged is what would run."""

    gate: Gate
    policy: OwnPolicy | None
    """The graph that this node belongs to, to ask what the agent would do next."""
    _meeting: Meeting

    @classmethod
    def like(cls, node: ToolNode, gate: Gate, tools: Mapping[str, BaseTool]) -> "GuardedToolNode":
        """Another node beside the original one, which stays as it is; of a subclass, if that is of one."""
        bases = (cls,) if type(node) is ToolNode else (cls, type(node))
        # By the name of what it stands for: a drawing of the graph is the same.
        kind = type(type(node).__name__, bases, {"__module__": type(node).__module__})
        made: Any = object.__new__(kind)
        made.__dict__.update(vars(node))
        made.func, made.afunc = made._func, made._afunc
        made._tools_by_name = dict(tools)
        outer, outer_async = made._wrap_tool_call, made._awrap_tool_call
        made._wrap_tool_call = made._around(outer)
        made._awrap_tool_call = made._around_async(outer, outer_async)
        made.gate, made.policy, made._meeting = gate, None, Meeting()
        return made

    def _around(self, outer: Wrapper | None) -> Wrapper:
        def inner(request: ToolCallRequest, execute: Callable[[ToolCallRequest], Any]) -> Any:
            return self.gate.run_here(_batch.get(), request, execute, Place.of(cast(Any, request).runtime.config))

        if outer is None:
            return inner
        return lambda request, execute: outer(request, lambda one: inner(one, execute))

    def _around_async(self, outer: Wrapper | None, outer_async: AsyncWrapper | None) -> AsyncWrapper | None:
        async def inner(request: ToolCallRequest, execute: Callable[[ToolCallRequest], Awaitable[Any]]) -> Any:
            return await self.gate.run(_batch.get(), request, execute, Place.of(cast(Any, request).runtime.config))

        if outer_async is not None:

            async def around(request: ToolCallRequest, execute: Callable[[ToolCallRequest], Awaitable[Any]]) -> Any:
                async def one(changed: ToolCallRequest) -> Any:
                    return await inner(changed, execute)

                return await outer_async(request, one)

            return around
        # A node with a wrapper for threads alone uses it on the loop too: so does this one, with ours inside it.
        return None if outer is not None else inner

    def _func(self, input: Any, config: RunnableConfig, runtime: Runtime[Any]) -> Any:
        with self._standing(input, config):
            token = _batch.set(self._decided_here(input, config))
        try:
            return super()._func(input, config, runtime)
        finally:
            _batch.reset(token)

    async def _afunc(self, input: Any, config: RunnableConfig, runtime: Runtime[Any]) -> Any:
        with self._standing(input, config):
            token = _batch.set(await self._decided(input, config))
        try:
            return await super()._afunc(input, config, runtime)
        finally:
            _batch.reset(token)

    def _run_one(self, call: ToolCall, input_type: Any, tool_runtime: Any) -> Any:
        try:
            return _bare(super())._run_one(call, input_type, tool_runtime)
        except Exception as error:
            # Else its siblings that no worker has begun yet would be dropped: whether they run would be chance.
            return _Raised(error)

    async def _arun_one(self, call: ToolCall, input_type: Any, tool_runtime: Any) -> Any:
        try:
            return await _bare(super())._arun_one(call, input_type, tool_runtime)
        except Exception as error:
            # Raised when its siblings have ended: they would else go on beside whatever comes next.
            return _Raised(error)

    def _combine_tool_outputs(self, outputs: list[Any], input_type: Any) -> Any:
        for one in outputs:
            if isinstance(one, _Raised):
                raise one.error
        return _bare(super())._combine_tool_outputs(outputs, input_type)

    @contextmanager
    def _standing(self, input: Any, config: RunnableConfig) -> Generator[None]:
        """While calls are being judged, whoever thinks of others can ask the agent itself."""
        here = None
        if self.policy is not None:
            state = self._extract_state(input, config)
            values = {self.policy.messages_key: state} if isinstance(state, list) else _values(state)
            here = Now(policy=self.policy, values=values)
        token = now.set(here)
        try:
            yield
        finally:
            now.reset(token)

    # Decide all, then execute

    def _decided_here(self, input: Any, config: RunnableConfig) -> Batch:
        place = Place.of(config)
        calls, messages = self._calls(input), self._messages(input, config)
        together = self._meeting.of(place)
        if together is None:
            batch = self.gate.decide_here(calls, messages, place)
            self.gate.settle_here(batch, self.gate.ask(batch, place))
            return batch
        if together.leader != place.task:
            return self._joined(wait_here(together, place), place)
        with _speaking(together):
            batch = self.gate.decide_here(self._all_calls(calls, place), messages, place)
            answers = self.gate.ask(batch, place)
            self.gate.settle_here(batch, answers)
            together.came.set_result((batch, answers))
        return batch

    async def _decided(self, input: Any, config: RunnableConfig) -> Batch:
        place = Place.of(config)
        calls, messages = self._calls(input), self._messages(input, config)
        together = self._meeting.of(place)
        if together is None:
            batch = await self.gate.decide(calls, messages, place)
            await self.gate.settle(batch, self.gate.ask(batch, place))
            return batch
        if together.leader != place.task:
            return self._joined(await wait(together, place), place)
        with _speaking(together):
            batch = await self.gate.decide(self._all_calls(calls, place), messages, place)
            answers = self.gate.ask(batch, place)
            await self.gate.settle(batch, answers)
            together.came.set_result((batch, answers))
        return batch

    def _joined(self, came: tuple[Batch, Replies | None], place: Place) -> Batch:
        """What the sibling that spoke for all was answered stays with this task too, should it be run again."""
        batch, answers = came
        self.gate.remember(answers, place)
        return batch

    def _calls(self, input: Any) -> list[ToolCall]:
        """Those that this node has a tool for; it says itself of the others that there is none."""
        calls, _ = self._parse_input(input)
        return [call for call in calls if call["name"] in self.tools_by_name]

    def _messages(self, input: Any, config: RunnableConfig) -> list[Any]:
        return messages_of(self._extract_state(input, config), cast(Any, self)._messages_key)

    def _all_calls(self, mine: list[ToolCall], place: Place) -> list[ToolCall]:
        calls: list[ToolCall] = []
        for task, input in place.siblings():
            calls += mine if task == place.task else self._calls(input)
        return calls


def _bare(node: Any) -> Any:
    """What the framework keeps to itself, and does not type."""
    return node


@dataclass(frozen=True)
class _Raised:
    error: Exception


def _values(state: Any) -> Mapping[str, Any]:
    if isinstance(state, Mapping):
        return cast(Mapping[str, Any], state)
    return cast(dict[str, Any], dict(state) if isinstance(state, BaseModel) else vars(state))


class _speaking:
    """Whoever speaks for all never leaves the others waiting."""

    def __init__(self, together: Together) -> None:
        self._together = together

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, cause: BaseException | None, trace: object) -> None:
        if cause is None or self._together.came.done():
            return
        # Its siblings stop without a question of their own: LangGraph runs them again when this one is answered.
        same = GraphInterrupt(()) if isinstance(cause, GraphInterrupt) else cause
        self._together.came.set_exception(same)


def tool_node(
    tools: Sequence[BaseTool | Callable[..., Any]],
    *,
    goal: str | None = None,
    world: World = "auto",
    critic: Critic | None = None,
    search: Search | None = None,
    policy: Policy | Mapping[str, Any] | str | PathLike[str] | None = None,
    budget: Budget | Mapping[str, Any] | float | None = None,
    mode: Mode | None = None,
    journal: Journal | str | PathLike[str] | None = None,
    approve: Approve | None = None,
    **settings: Any,
) -> ToolNode:
    """For a graph that you build yourself: a `ToolNode` whose calls are imagined and judged before they are done.

    What else a `ToolNode` takes (`name`, `handle_tool_errors`, `messages_key`, `wrap_tool_call` …) it takes too. The
    session is `node.lookahead`; with `mode="off"` the node is a bare one.
    """
    options = options_of(
        Settings.found(),
        goal=goal,
        world=world,
        critic=critic,
        search=search,
        policy=policy,
        budget=budget,
        mode=mode,
        journal=journal,
        approve=approve,
    )
    if options.mode == "off":
        return ToolNode(tools, **settings)
    return guarded(ToolNode(tools, **settings), options)


def guarded(node: ToolNode, options: Any) -> GuardedToolNode:
    known = node.tools_by_name
    session: Session = options.open(
        [tool_of(tool) for tool in known.values()],
        functions=functions_of(known.values(), options.mode),
        paths=[ToolPath(tool=name, where=node.name or "tools") for name in known],
        host="LangGraph",
        host_asks=True,
    )
    session.watch(into_stream)
    tools = {name: stub(tool) if options.mode == "dry-run" else tool for name, tool in known.items()}
    made = GuardedToolNode.like(node, Gate(session=session, tools=tools), tools)
    cast(Any, made).lookahead = session
    return made


__all__ = ["GuardedToolNode", "tool_node"]
