"""The gate between a graph and its tools: all calls of a turn are judged first, one question is put, then each is done.

`decide` (or `decide_here`) holds every call that the model made at once; `ask` puts all questions in one interrupt;
`settle` takes the answers; `run` (or `run_here`) does one call, as the innermost wrapper of its execution.
"""

import functools
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast

from langchain_core.messages import ToolCall
from langchain_core.tools import BaseTool
from langgraph.errors import GraphBubbleUp, ParentCommand
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import interrupt

from lookahead.act import ready
from lookahead.errors import PermitError
from lookahead.held import Held
from lookahead.permit import Answer, Permit
from lookahead.portal import portal
from lookahead.search.thinking import gather
from lookahead.session import Session
from lookahead.types import GUARD, Action, Observation, State
from lookahead_integrations.langgraph.leave import leave
from lookahead_integrations.langgraph.messages import (
    action_of,
    answered,
    injected,
    message_of,
    messages_of,
    name_of_call,
    observation_of,
    state_of,
    unfit,
    with_swap,
)
from lookahead_integrations.langgraph.questions import Reply, question, replies, tagged, untagged
from lookahead_integrations.langgraph.tick import Place

Execute: TypeAlias = Callable[[ToolCallRequest], Any]
ExecuteAsync: TypeAlias = Callable[[ToolCallRequest], Awaitable[Any]]
Replies: TypeAlias = Mapping[str, Reply]

RESULTS: Final = 256
"""So many answers of tools are remembered as they were, in case their node is run again around an interrupt."""
_UNCLEAR: Final = 'the answer names none of the questions; resume with {"<call id>": "approve"} or "reject"'


@dataclass(kw_only=True)
class Call:
    """One call of the model, held."""

    call: ToolCall
    name: str | None
    """In its conversation; the record knows it by that."""
    held: Held | Answer
    said: Reply | None = None
    """What a person answered."""
    tried: int = 0
    went_well: Any = None
    """What it answered when it was done, for whoever asks for it once more."""


@dataclass(kw_only=True)
class Batch:
    """The calls of one turn, judged together before any of them begins."""

    session: Session
    """The conversation's own."""
    state: State
    messages: Sequence[Any]
    calls: dict[str, Call] = field(default_factory=dict[str, Call])
    """By the id that the model gave them."""

    @property
    def asked(self) -> dict[str, Held]:
        """What waits for a person."""
        return {key: one.held for key, one in self.calls.items() if isinstance(one.held, Held) and one.held.asks}


@dataclass(kw_only=True)
class Gate:
    """For one agent: its session, and every tool that it was given."""

    session: Session
    tools: Mapping[str, BaseTool] = field(default_factory=dict[str, BaseTool])
    """All of the agent's tools: what may be done in the place of another."""
    _hidden: dict[int, tuple[BaseTool, frozenset[str]]] = field(
        default_factory=dict[int, tuple[BaseTool, frozenset[str]]]
    )
    _results: OrderedDict[tuple[str, str], Any] = field(default_factory=OrderedDict[tuple[str, str], Any])
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    # Decide

    async def decide(
        self, calls: Sequence[ToolCall], messages: Sequence[Any], place: Place, *, again: int = 0
    ) -> Batch:
        """Every call imagined and judged, at the same time. Nothing is done, and what has to be asked is on record.

        `again`: how often this was tried before, by whoever calls tools again that failed.
        """
        calls = [call for call in calls if answered(messages, call) is None]
        batch, actions = self._batch(calls, messages, place, again)
        session, state = batch.session, batch.state
        held = await gather(lambda action: session.hold(action, state), actions) if actions else []
        if place.attempt > 1 and not again and any(map(_failed, held)):
            # Its node is run again by LangGraph, because the user said so: that is another call.
            return await self.decide(calls, messages, place, again=place.attempt - 1)
        if any(isinstance(one, Held) and one.asks for one in held) and place.can_wait:
            held = await gather(lambda one: _kept(session, one), held)
        return self._filled(batch, calls, actions, held)

    def decide_here(self, calls: Sequence[ToolCall], messages: Sequence[Any], place: Place, *, again: int = 0) -> Batch:
        """The same in a thread of its own."""
        if len(calls) != 1 or place.attempt > 1 or answered(messages, calls[0]) is not None:
            return portal.call(functools.partial(self.decide, again=again), calls, messages, place)
        batch, (action,) = self._batch(calls, messages, place, again)
        held = ready(batch.session.line.hold(batch.state, action, here=True))
        if isinstance(held, Held) and held.asks and place.can_wait:
            (held,) = ready(batch.session.line.keep(held, here=True))
        return self._filled(batch, calls, (action,), (held,))

    def _batch(
        self, calls: Sequence[ToolCall], messages: Sequence[Any], place: Place, again: int
    ) -> tuple[Batch, list[Action]]:
        session = self.session.conversation(place.conversation)
        batch = Batch(session=session, state=state_of(self.session.state, messages), messages=messages)
        actions: list[Action] = []
        for call in calls:
            name = name_of_call(call, messages, place.namespace)
            actions.append(action_of(call, f"{name}~{again + 1}" if name and again else name, self._hidden_of(call)))
        return batch, actions

    def _filled(
        self, batch: Batch, calls: Sequence[ToolCall], actions: Sequence[Action], held: Sequence[Held | Answer]
    ) -> Batch:
        for call, action, one in zip(calls, actions, held, strict=True):
            batch.calls[call["id"] or ""] = Call(call=call, name=action.call_id, held=one)
        return batch

    def _hidden_of(self, call: ToolCall, tool: BaseTool | None = None) -> frozenset[str]:
        tool = tool or self.tools.get(call["name"])
        if tool is None:
            return frozenset()
        known = self._hidden.get(id(tool))
        if known is None:
            known = self._hidden[id(tool)] = (tool, injected(tool))
        return known[1]

    # Ask

    def ask(self, batch: Batch, place: Place) -> Replies | None:
        """One interrupt for all questions of the turn, the first that its task makes. None where nothing is asked.

        The answers stay with the task under a mark, so that a question which a tool of the same task asks itself is
        never taken for ours, nor ours for its own.
        """
        asked = batch.asked if place.can_wait else {}
        kept = place.kept
        if kept and (known := untagged(kept[0])) is not None:
            place.consume()
            place.keep(0, kept[0])
            return known
        if not asked:
            return None
        if kept and not any(one.written for one in asked.values()) and replies(kept[0], list(asked)) is None:
            return {}  # what was answered there was a tool's own question
        said = replies(answer := interrupt(question(asked)), list(asked))
        found = said if said is not None else dict.fromkeys(asked, Reply(yes=False, message=_UNCLEAR))
        if place.kept and place.kept[0] == answer:
            place.keep(0, tagged(found))
        return found

    def remember(self, answers: Replies | None, place: Place) -> None:
        """What a sibling was answered stays with this task too, in the place that a question of its own would have."""
        kept = place.kept
        if kept and untagged(kept[0]) is not None:
            place.consume()
            place.keep(0, kept[0])
        elif answers is not None:
            place.consume()
            place.keep(0, tagged(answers))

    async def settle(self, batch: Batch, answers: Replies | None) -> None:
        """Every yes with the call that it is for. What got none is not done, and says what the person said."""
        for key, held in batch.asked.items():
            reply = (answers or {}).get(key)
            batch.calls[key].said = reply
            if reply is not None and reply.yes:
                by = reply.by or "a person, through LangGraph's interrupt"
                batch.calls[key].held = await batch.session.answered(held, by=by)

    def settle_here(self, batch: Batch, answers: Replies | None) -> None:
        if answers:
            portal.call(self.settle, batch, answers)

    # Do

    async def run(self, batch: Batch | None, request: ToolCallRequest, execute: ExecuteAsync, place: Place) -> Any:
        """Do one call, or answer it without doing it."""
        if request.tool is None:
            return await execute(request)  # there is no such tool: the host says so, and runs nothing
        if (known := self._answer_known(batch, request)) is not None:
            return known
        given = batch
        batch, one = await self._found(batch, request, place)
        session = batch.session
        begun = one.held if isinstance(one.held, Answer) else await session.release(one.held)
        if isinstance(begun, Answer):
            return self._answered(batch, one, begun, request)
        try:
            allowed = self._allowed(begun, request)
            with leave(allowed.tool_call["name"], allowed.tool_call["id"]):
                result = await execute(allowed)
        except ParentCommand as handed:
            await session.finish(begun, observation_of(cast(Any, handed).args[0]))
            raise
        except GraphBubbleUp as stopped:
            await session.paused(begun, _why(stopped))
            raise
        except BaseException as error:
            await session.failed(begun, error)
            raise
        seen = observation_of(result)
        await session.finish(begun, seen)
        said = self._said(batch, one, begun, request, result)
        return said if seen.failed else self._ended(given, batch, one, request, said)

    def run_here(self, batch: Batch | None, request: ToolCallRequest, execute: Execute, place: Place) -> Any:
        """The same in a thread of its own."""
        if request.tool is None:
            return execute(request)
        if (known := self._answer_known(batch, request)) is not None:
            return known
        given = batch
        batch, one = self._found_here(batch, request, place)
        session = batch.session
        begun = one.held if isinstance(one.held, Answer) else ready(session.line.release(one.held, here=True))
        if isinstance(begun, Answer):
            return self._answered(batch, one, begun, request)
        try:
            allowed = self._allowed(begun, request)
            with leave(allowed.tool_call["name"], allowed.tool_call["id"]):
                result = execute(allowed)
        except ParentCommand as handed:
            session.finish_here(begun, observation_of(cast(Any, handed).args[0]))
            raise
        except GraphBubbleUp as stopped:
            portal.call(session.paused, begun, _why(stopped))
            raise
        except BaseException as error:
            portal.call(session.failed, begun, error)
            raise
        seen = observation_of(result)
        session.finish_here(begun, seen)
        said = self._said(batch, one, begun, request, result)
        return said if seen.failed else self._ended(given, batch, one, request, said)

    def _answer_known(self, batch: Batch | None, request: ToolCallRequest) -> Any:
        """Of a call that was answered already: refused, and sent here by a detour, or done, and asked for again."""
        one = batch.calls.get(request.tool_call["id"] or "") if batch is not None else None
        if one is not None and one.went_well is not None and self._same(one, request):
            return one.went_well
        messages = batch.messages if batch is not None else messages_of(request.state)
        return answered(messages, request.tool_call)

    async def _found(self, batch: Batch | None, request: ToolCallRequest, place: Place) -> tuple[Batch, Call]:
        if batch is not None and (one := self._known(batch, request)):
            return batch, one
        messages, earlier = self._anew(batch, request)
        fresh = await self.decide([request.tool_call], messages, place, again=earlier.tried if earlier else 0)
        await self.settle(fresh, self._ask_alone(fresh, earlier, place))
        return fresh, fresh.calls[request.tool_call["id"] or ""]

    def _found_here(self, batch: Batch | None, request: ToolCallRequest, place: Place) -> tuple[Batch, Call]:
        if batch is not None and (one := self._known(batch, request)):
            return batch, one
        messages, earlier = self._anew(batch, request)
        fresh = self.decide_here([request.tool_call], messages, place, again=earlier.tried if earlier else 0)
        self.settle_here(fresh, self._ask_alone(fresh, earlier, place))
        return fresh, fresh.calls[request.tool_call["id"] or ""]

    def _known(self, batch: Batch, request: ToolCallRequest) -> Call | None:
        """What was held, if it is this very call and was not begun."""
        one = batch.calls.get(request.tool_call["id"] or "")
        if one is None or not self._same(one, request):
            return None
        one.tried += 1
        return one if one.tried == 1 else None

    def _ended(self, given: Batch | None, batch: Batch, one: Call, request: ToolCallRequest, result: Any) -> Any:
        """A wrapper may try again what failed; what went well is not done a second time."""
        if given is batch:
            one.went_well = result
        elif given is not None:
            # It was judged anew, beside the one that was held: the same call, if only tried again.
            first = given.calls.get(request.tool_call["id"] or "")
            if first is not None and self._same(first, request):
                first.went_well = result
        return result

    def _same(self, one: Call, request: ToolCallRequest) -> bool:
        held = one.held.decision.proposed.digest if isinstance(one.held, Answer) else one.held.digest
        return held == action_of(request.tool_call, None, self._hidden_of(request.tool_call)).digest

    def _anew(self, batch: Batch | None, request: ToolCallRequest) -> tuple[Sequence[Any], Call | None]:
        """A call that somebody changed since it was judged, or that is tried again after it failed."""
        if batch is None:
            return messages_of(request.state), None
        one = batch.calls.get(request.tool_call["id"] or "")
        return batch.messages, one if one is not None and self._same(one, request) else None

    def _ask_alone(self, batch: Batch, earlier: Call | None, place: Place) -> Replies | None:
        asked = batch.asked
        if not asked or not place.can_wait:
            return None
        if earlier is not None and earlier.said is not None and earlier.said.yes:
            return dict.fromkeys(asked, earlier.said)  # the yes was to this call, which then failed
        said = replies(interrupt(question(asked)), list(asked))
        return said if said is not None else dict.fromkeys(asked, Reply(yes=False, message=_UNCLEAR))

    def _allowed(self, permit: Permit, request: ToolCallRequest) -> ToolCallRequest:
        """What may run: the call that was judged, or what the line does in its place."""
        call = request.tool_call
        if permit.decision.choice != "swap":
            permit.take(action_of(call, permit.action.call_id, self._hidden_of(call)))
            return request
        other = self.tools.get(permit.action.tool)
        if other is None:
            raise PermitError(f"{permit.action.tool!r} is no tool of this agent, so it is not done")
        action = permit.take(permit.action)
        return request.override(tool_call={**call, "name": action.tool, "args": dict(action.arguments)}, tool=other)

    def _answered(self, batch: Batch, one: Call, answer: Answer, request: ToolCallRequest) -> Any:
        if answer.decision.rule == "recorded" and one.name is not None:
            with self._lock:
                if (known := self._results.get((batch.session.run, one.name))) is not None:
                    return known
        observation = answer.observation
        if observation.imagined and request.tool is not None and (wrong := unfit(request.tool, request.tool_call)):
            observation = Observation(content=wrong, failed=True, origin=GUARD, effects=())
        elif observation.origin.kind == "guard" and one.said is not None and not one.said.yes:
            said = f": {one.said.message}" if one.said.message else ""
            first = observation.content.split("\n", 1)[0]
            observation = observation.model_copy(update={"content": f"{first}\na person was asked, and said no{said}"})
        return message_of(request.tool_call, observation, answer.decision)

    def _said(self, batch: Batch, one: Call, permit: Permit, request: ToolCallRequest, result: Any) -> Any:
        """The tool's own answer, untouched; where another tool was used, it says so."""
        if permit.decision.choice == "swap":
            result = with_swap(result, permit.decision, request.tool_call)
        if len(batch.calls) > 1 and one.name is not None:
            with self._lock:
                self._results[(batch.session.run, one.name)] = result
                if len(self._results) > RESULTS:
                    self._results.popitem(last=False)
        return result


def _failed(one: Held | Answer) -> bool:
    return isinstance(one, Answer) and one.decision.rule == "recorded" and one.observation.failed


async def _kept(session: Session, one: Held | Answer) -> Held | Answer:
    return (await session.keep(one))[0] if isinstance(one, Held) else one


def _why(stopped: BaseException) -> str:
    return f"the tool stopped to ask ({type(stopped).__name__})"


__all__ = ["Batch", "Call", "Gate", "messages_of"]
