"""`LookaheadMiddleware`: for whoever builds the agent with `create_agent`. See the class."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from os import PathLike
from typing import Annotated, Any, ClassVar, Final, NotRequired, TypeAlias, cast

import anyio.to_thread

from lookahead.approval import Approve
from lookahead.budget import Budget
from lookahead.errors import ConfigError
from lookahead.held import Held
from lookahead.journal import Journal
from lookahead.policy import Policy
from lookahead.portal import portal
from lookahead.search import Search
from lookahead.session import Off, Session
from lookahead.settings import Mode, Settings
from lookahead.types import Environment
from lookahead.wrap import options_of

try:
    from langchain.agents.middleware.internal_call_transformer import InternalCallTransformer
    from langchain.agents.middleware.types import (
        AgentMiddleware,
        AgentState,
        ModelRequest,
        ModelResponse,
        PrivateStateAttr,
        ToolCallRequest,
        TracePolicy,
        hook_config,
        omit_payload,
    )
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, ToolCall, ToolMessage
    from langchain_core.tools import BaseTool, StructuredTool
    from langgraph.config import get_config
    from langgraph.runtime import Runtime
    from langgraph.types import Command
except ImportError as missing:
    raise ImportError(
        'the LangChain middleware needs LangChain: pip install "lookahead-agents[langchain]"'
    ) from missing

from lookahead_integrations.langgraph.candidates import Ask, rivals_wanted, unanswered
from lookahead_integrations.langgraph.gate import Batch, Gate
from lookahead_integrations.langgraph.messages import MARK, messages_of
from lookahead_integrations.langgraph.middleware_choice import Choosing, Chosen
from lookahead_integrations.langgraph.middleware_decisions import critic_of
from lookahead_integrations.langgraph.middleware_tools import Tools, as_tool, stop_what_is_inside
from lookahead_integrations.langgraph.middleware_turns import Turns, allowed, answered, refusals, yes_to
from lookahead_integrations.langgraph.tick import Place

Request: TypeAlias = ModelRequest[Any]
Response: TypeAlias = ModelResponse[Any]
State: TypeAlias = AgentState[Any]
Result: TypeAlias = ToolMessage | Command[Any]
AnyTool: TypeAlias = BaseTool | Callable[..., Any]

VETOES: Final = 5
"""So many refused proposals in one turn, and the next refused one ends the turn."""


class LookaheadState(AgentState[Any]):
    """What a person allowed, on its way from the question to the tool."""

    lookahead: NotRequired[Annotated[dict[str, Any], PrivateStateAttr]]


class LookaheadMiddleware(AgentMiddleware[State, Any, Any]):
    """Every call of a tool is imagined and judged before it is done; put it last, that is innermost.

        agent = create_agent(model, tools, middleware=[..., LookaheadMiddleware(policy={"pay": "ask"})])

    What happens in one turn: the model writes its message, which streams as it always does. Where the search wants
    alternatives (`search=BestOf(k=4)`) and the message does more than read, quiet copies of the model write k - 1 more,
    all of them are imagined and judged, and one message goes on, whole. After the model, before anything runs, every
    call of that message is decided: questions to a person are one `interrupt()`, refused calls are answered, and the
    agent decides again, `vetoes` times in a turn at most. At each tool stands the last gate: what runs is, byte for
    byte, what was judged; a call that a reviewer changed meanwhile is judged anew.

    Which message goes on: a message is a candidate as a whole, with all its calls. One that makes a single call is
    weighed as everywhere in Lookahead, with its single-call rivals in one decision, as deep as the search looks.
    Where a message makes several calls, each of them is judged by itself, and a message is as good as the worst of its
    calls. In both cases the agent's own message stays unless the policy says `swap`, every call of the other one may be
    made without a question, the world that foresaw them has earned its trust, and the other one is strictly better.
    Nothing is spliced: no call is ever put into another message. With several calls and no `swap`, nothing is sampled:
    there would be nothing to do with it.

    Beside other middleware: `HumanInTheLoopMiddleware` asks after Lookahead has refused what it refuses, and what a
    reviewer writes is judged before it runs. `ToolRetryMiddleware` has a failed call made again as a call of its own.
    `ModelCallLimitMiddleware` counts one call for a message, however many were written; they are in `budget`.

    `tools`: give the agent's tools here instead of to `create_agent` where no tool may be within reach of anybody else:
    a dry run demands it, because other middleware holds the tools that `create_agent` was given, and could run them.
    Inside a tool nobody can judge a call: a tool that is started within another is stopped before it runs, unless the
    agent in there is guarded by itself (give its own `create_agent` a `LookaheadMiddleware`).
    `with_lookahead(create_agent(...))` is for an agent that is built already, or that others built: it goes into nested
    graphs, and holds against middleware that runs tools itself. This class chooses among messages; that one cannot.
    """

    state_schema = cast(Any, LookaheadState)
    transformers: ClassVar[Any] = (InternalCallTransformer,)
    trace_policy = TracePolicy(process_inputs=omit_payload)

    def __init__(
        self,
        *,
        goal: str | None = None,
        world: Environment | BaseChatModel | str | None = "auto",
        critic: Any = None,
        search: Search | None = None,
        policy: Policy | Mapping[str, Any] | str | PathLike[str] | None = None,
        budget: Budget | Mapping[str, Any] | float | None = None,
        mode: Mode | None = None,
        journal: Journal | str | PathLike[str] | None = None,
        approve: Approve | None = None,
        tools: Sequence[AnyTool] | None = None,
        vetoes: int = VETOES,
    ) -> None:
        super().__init__()
        if vetoes < 1:
            raise ConfigError(f"vetoes={vetoes!r}: an agent has to be refused at least once before it is stopped")
        settings = Settings.found()
        self.mode: Mode = mode or settings.mode
        self._vetoes = vetoes
        self._turns = Turns()
        self._tools: Tools | None = None
        given = None if tools is None else [as_tool(tool) for tool in tools]
        if self.mode == "dry-run" and given is None:
            raise ConfigError(
                'mode="dry-run": other middleware holds the tools that create_agent is given, and could run them. Give '
                'them to this middleware instead: create_agent(model, middleware=[LookaheadMiddleware(mode="dry-run", '
                'tools=tools)]). Or wrap the finished agent: with_lookahead(agent, mode="dry-run")'
            )
        self.tools = given or []
        if self.mode == "off":
            return
        options = options_of(
            settings,
            goal=goal,
            world=_world_of(world),
            critic=critic_of(critic),
            search=search,
            policy=policy,
            budget=budget,
            mode=mode,
            journal=journal,
            approve=approve,
        )
        self._rivals = 0 if self.mode == "shadow" else rivals_wanted(options.search)
        self._tools = Tools(options=options, given=given)
        self.tools = self._tools.shown

    @property
    def lookahead(self) -> Session | Off:
        """What was covered, recorded and spent. Without `tools=`, it opens with the agent's first message."""
        if self._tools is None:
            return Off()
        if self._tools.gate is None:
            raise ConfigError("the agent's tools are not known before its first message; give tools= to know them now")
        return self._tools.gate.session

    # The model

    def wrap_model_call(self, request: Request, handler: Callable[[Request], Response]) -> Response:
        if self._tools is None:
            return handler(request)
        place = Place.of(get_config())
        gate = self._tools.known(request.tools, place)
        first = handler(request)
        if not self._rivals:
            return first

        async def ask(other: Request) -> Response:
            return await anyio.to_thread.run_sync(handler, other)

        return self._taken(portal.call(self._choosing(gate, request, ask, place), first), place)

    async def awrap_model_call(self, request: Request, handler: Callable[[Request], Awaitable[Response]]) -> Response:
        if self._tools is None:
            return await handler(request)
        place = Place.of(get_config())
        gate = self._tools.known(request.tools, place)
        first = await handler(request)
        if not self._rivals:
            return first
        return self._taken(await self._choosing(gate, request, handler, place)(first), place)

    def _choosing(self, gate: Gate, request: Request, ask: Ask, place: Place) -> Choosing:
        return Choosing(gate=gate, request=request, ask=ask, place=place, rivals=self._rivals)

    def _taken(self, chosen: Chosen, place: Place) -> Response:
        if chosen.batch is not None:
            self._turns.judged(place, chosen.batch)
        return chosen.response

    # After the model, before any tool

    @hook_config(can_jump_to=["end"])
    def after_model(self, state: State, runtime: Runtime[Any]) -> dict[str, Any] | None:
        place = Place.of(get_config())
        due = self._due(state, place)
        if due is None:
            return None
        gate, calls, messages = due
        batch = self._turns.recalled(place, calls)
        if batch is None:
            batch = gate.decide_here(calls, messages, place)
        elif batch.asked and place.can_wait:
            portal.call(_keep, batch)
        gate.settle_here(batch, gate.ask(batch, place))
        self._turns.decided(place, batch)
        refused = [gate.run_here(batch, one, _never, place) for one in _refused(gate, batch)]
        return {**allowed(state, batch), **self._ending(messages, calls, refused)} or None

    @hook_config(can_jump_to=["end"])
    async def aafter_model(self, state: State, runtime: Runtime[Any]) -> dict[str, Any] | None:
        place = Place.of(get_config())
        due = self._due(state, place)
        if due is None:
            return None
        gate, calls, messages = due
        batch = self._turns.recalled(place, calls)
        if batch is None:
            batch = await gate.decide(calls, messages, place)
        elif batch.asked and place.can_wait:
            await _keep(batch)
        await gate.settle(batch, gate.ask(batch, place))
        self._turns.decided(place, batch)
        refused = [await gate.run(batch, one, _never_async, place) for one in _refused(gate, batch)]
        return {**allowed(state, batch), **self._ending(messages, calls, refused)} or None

    def _due(self, state: State, place: Place) -> tuple[Gate, list[ToolCall], list[Any]] | None:
        """The calls that wait for a decision, and the conversation up to the message that makes them."""
        if self._tools is None or self.mode == "shadow":
            return None
        messages: list[Any] = list(state["messages"])
        last = next((at for at in range(len(messages) - 1, -1, -1) if isinstance(messages[at], AIMessage)), None)
        if last is None or not messages[last].tool_calls:
            return None
        gate = self._tools.gate or self._tools.opened_anew(place)
        # A call of a tool that does not exist is answered by the tool node, and a person is not asked about it.
        names = {tool.name for tool in gate.session.state.tools}
        calls = [call for call in unanswered(messages[last], messages[last + 1 :]) if call["name"] in names]
        return (gate, calls, messages[: last + 1]) if calls else None

    def _ending(self, messages: Sequence[Any], calls: Sequence[ToolCall], refused: list[Any]) -> dict[str, Any]:
        """The answers of what was refused; where too much was, the end of the turn."""
        if not refused:
            return {}
        earlier = refusals(messages)
        if earlier < self._vetoes:
            return {"messages": refused}
        why = f"This turn was ended: {earlier + 1} proposals in it were refused."
        answered = {one.tool_call_id for one in refused}
        others = [
            ToolMessage(content=f"Not done. {why}", name=call["name"], tool_call_id=call["id"] or "", status="error")
            for call in calls
            if call["id"] not in answered
        ]
        said = f"{why} The last of them:\n{refused[-1].content}"
        last = AIMessage(content=said, response_metadata={MARK: {"stopped": earlier + 1}})
        return {"messages": [*refused, *others, last], "jump_to": "end"}

    # At the tool

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Result]) -> Result:
        if self._tools is None:
            return handler(request)
        _innermost(handler)
        if (answer := answered(request)) is not None:
            return answer
        self._stop_what_is_inside(request)
        place = Place.of(cast(Any, request).runtime.config)
        gate = self._tools.known(cast(Any, request).runtime.tools, place)
        batch = self._turns.taken(place, request)
        if batch is None and (yes := yes_to(request)) is not None:
            again = gate.decide_here([request.tool_call], messages_of(cast(Any, request).state), place)
            if (answers := yes.fits(again)) is not None:
                gate.settle_here(again, answers)
                self._turns.decided(place, again)
                batch = self._turns.taken(place, request)
        return gate.run_here(batch, request, handler, place)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Result]]
    ) -> Result:
        if self._tools is None:
            return await handler(request)
        _innermost(handler)
        if (answer := answered(request)) is not None:
            return answer
        self._stop_what_is_inside(request)
        place = Place.of(cast(Any, request).runtime.config)
        gate = self._tools.known(cast(Any, request).runtime.tools, place)
        batch = self._turns.taken(place, request)
        if batch is None and (yes := yes_to(request)) is not None:
            again = await gate.decide([request.tool_call], messages_of(cast(Any, request).state), place)
            if (answers := yes.fits(again)) is not None:
                await gate.settle(again, answers)
                self._turns.decided(place, again)
                batch = self._turns.taken(place, request)
        return await gate.run(batch, request, handler, place)

    def _stop_what_is_inside(self, request: ToolCallRequest) -> None:
        if self.mode != "shadow":
            stop_what_is_inside(cast(Any, request).runtime.config)


def _innermost(handler: Any) -> None:
    """What another middleware could still change after it was judged must not run."""
    if str(getattr(handler, "__module__", "")).startswith("langchain.agents"):
        raise ConfigError(
            "LookaheadMiddleware has to be the last of the middleware: another one stands between it and the tools, "
            "and could change a call after it was judged. Write middleware=[..., LookaheadMiddleware()]"
        )


async def _keep(batch: Batch) -> None:
    for one in batch.calls.values():
        if isinstance(one.held, Held) and one.held.asks:
            (one.held,) = await batch.session.keep(one.held)


def _refused(gate: Gate, batch: Batch) -> list[ToolCallRequest]:
    """The calls that come to nothing, as requests for their answers."""
    return [
        ToolCallRequest(
            tool_call=one.call, tool=gate.tools.get(one.call["name"], _GONE), state={}, runtime=cast(Any, None)
        )
        for one in batch.calls.values()
        if isinstance(one.held, Held) and one.held.decision.chosen is None
    ]


def _never(request: ToolCallRequest) -> Any:
    raise AssertionError(f"{request.tool_call['name']!r} was refused, and yet was to be run")


async def _never_async(request: ToolCallRequest) -> Any:
    _never(request)


_GONE: Final = StructuredTool(name="gone", description="", args_schema={}, func=_never)
"""In the place of a tool that is not known before the model is asked: its call was refused, so nobody looks at it."""


def _world_of(world: Any) -> Any:
    """A chat model imagines as any language model does."""
    if not isinstance(world, BaseChatModel):
        return world
    from lookahead.worlds.language import LanguageWorld
    from lookahead_integrations.langchain_model import LangChainModel

    return LanguageWorld(LangChainModel(world))


__all__ = ["LookaheadMiddleware"]
