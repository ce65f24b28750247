"""What was decided of a message, on its way to the tools: in memory for one execution, in the checkpoint for others."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, Final, cast

from langchain_core.messages import AIMessage, HumanMessage, ToolCall, ToolMessage
from langgraph.prebuilt.tool_node import ToolCallRequest

from lookahead.guard import new_id
from lookahead.held import Held
from lookahead.permit import Answer
from lookahead_integrations.langgraph.gate import Batch
from lookahead_integrations.langgraph.messages import MARK, messages_of
from lookahead_integrations.langgraph.questions import Reply
from lookahead_integrations.langgraph.tick import Place

REMEMBERED: Final = 1000
"""Decisions that wait in memory for their tools to begin; of others the record knows."""


@dataclass(kw_only=True)
class Turn:
    """The decisions on one message, and the executions that they were used for."""

    batch: Batch
    since: float = field(default_factory=lambda: monotonic())
    begun: dict[str, Any] = field(default_factory=dict[str, Any])
    tries: dict[str, int] = field(default_factory=dict[str, int])
    names: dict[str, str | None] = field(default_factory=dict[str, str | None])
    """Of each call, as it was called at first."""


@dataclass(kw_only=True)
class Turns:
    """The messages whose calls have not all begun."""

    _known: OrderedDict[tuple[str, ...], Turn] = field(default_factory=OrderedDict[tuple[str, ...], Turn])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def judged(self, place: Place, batch: Batch) -> None:
        """When the message was chosen."""
        self._put([(*_where(place), "message", *batch.calls)], batch)

    def decided(self, place: Place, batch: Batch) -> None:
        """When everybody who had to be asked was asked."""
        with self._lock:
            self._known.pop((*_where(place), "message", *batch.calls), None)
        self._put([(*_where(place), "call", key) for key in batch.calls], batch)

    def recalled(self, place: Place, calls: Sequence[ToolCall]) -> Batch | None:
        """What was judged when the message was chosen, as long as it is still that message, and has questions open."""
        key = (*_where(place), "message", *(call["id"] or "" for call in calls))
        with self._lock:
            turn = self._known.get(key)
        if turn is None:
            return None
        held = [(one.call["name"], one.call["args"]) for one in turn.batch.calls.values()]
        return turn.batch if held == [(call["name"], call["args"]) for call in calls] else None

    def taken(self, place: Place, request: ToolCallRequest) -> Batch | None:
        """For the one execution that it was decided for, and for whoever tries a failed call again within it.

        A node that is run a second time finds nothing here, and no more does a second try of what went well: the record
        tells them what has been done.
        """
        call = request.tool_call["id"] or ""
        runtime = cast(Any, request).runtime
        with self._lock:
            turn = self._known.get((*_where(place), "call", call))
            if turn is None or turn.begun.setdefault(call, runtime) is not runtime:
                return None
            if not turn.batch.calls[call].tried and monotonic() - turn.since > _lasting(turn.batch):
                return None  # somebody took their time, and it was judged in an old world
            if turn.batch.calls[call].tried and not _tried_again(turn, call):
                return None
            return turn.batch

    def _put(self, keys: Sequence[tuple[str, ...]], batch: Batch) -> None:
        turn = Turn(batch=batch)
        with self._lock:
            for key in keys:
                self._known[key] = turn
                self._known.move_to_end(key)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)


def _tried_again(turn: Turn, call: str) -> bool:
    """Whether a call that failed may be made once more. It was judged before, and is a call of its own on record."""
    batch, one = turn.batch, turn.batch.calls[call]
    session, held = batch.session, one.held
    name = turn.names.setdefault(call, one.name)
    if isinstance(held, Answer) or name is None:
        return False
    turn.tries[call] = tries = turn.tries.get(call, 1) + 1
    before = [name, *(f"{name}~{number}" for number in range(2, tries + 1))]
    ended = [session.journal.finished(session.run, each, held.digest) for each in before]
    if not any(ended) or any(known is not None and not known.failed for known in ended):
        return False
    if one.said is not None or held.decision.choice != "run" or session.line.copying:
        return True  # the gate judges it anew: a yes is for one call, and a copy is of what is there now
    action = held.action.model_copy(update={"call_id": f"{name}~{tries}"})
    note = f"attempt {tries}, after {held.decision.id} failed; judged as before"
    decision = held.decision.model_copy(
        update={"id": new_id(), "proposed": action, "chosen": action, "notes": (*held.decision.notes, note)}
    )
    again = replace(held, action=action, decision=decision, written=False)
    batch.calls[call] = replace(one, name=action.call_id, held=again, tried=0)
    return True


def _lasting(batch: Batch) -> float:
    return batch.session.line.guard.policy.approval_seconds


def _where(place: Place) -> tuple[str, str]:
    """The conversation, and the agent in it where one agent is inside of another."""
    return place.conversation, place.namespace.rpartition("|")[0]


@dataclass(frozen=True, kw_only=True)
class Yes:
    """What a person allowed between model and tools, as the checkpoint has it: for a restart, or a tool that paused."""

    call: str
    binding: str
    by: str

    def fits(self, batch: Batch) -> dict[str, Reply] | None:
        """The answer, where what is asked now is still what was answered: call, tool, state, and what a copy shows."""
        held = batch.asked.get(self.call)
        if held is None or held.binding != self.binding:
            return None
        return {self.call: Reply(yes=True, by=self.by)}


def allowed(state: Any, batch: Batch) -> dict[str, Any]:
    """Every yes, to be kept with the conversation; none of an earlier message."""
    said = {
        key: {"binding": one.held.binding, "by": one.said.by}
        for key, one in batch.calls.items()
        if isinstance(one.held, Held) and one.said is not None and one.said.yes
    }
    return {"lookahead": said} if said or cast(Mapping[str, Any], state).get("lookahead") else {}


def yes_to(request: ToolCallRequest) -> Yes | None:
    state = cast(Any, request).state
    known = cast(Mapping[str, Any], state).get("lookahead") if isinstance(state, Mapping) else None
    call = request.tool_call["id"] or ""
    said = cast(Mapping[str, Any], known).get(call) if isinstance(known, Mapping) else None
    return Yes(call=call, **cast(dict[str, str], said)) if isinstance(said, dict) else None


def answered(request: ToolCallRequest) -> ToolMessage | None:
    """A call that was refused, or answered by somebody else, and was sent to the tools all the same."""
    for message in reversed(messages_of(cast(Any, request).state)):
        if isinstance(message, AIMessage):
            return None
        if isinstance(message, ToolMessage) and message.tool_call_id == request.tool_call["id"]:
            return message
    return None


def refusals(messages: Sequence[Any]) -> int:
    """How many proposals were refused since a person last said something."""
    count = 0
    new = True
    for message in reversed(messages):
        if isinstance(message, HumanMessage):
            break
        if isinstance(message, AIMessage):
            new = True
        elif isinstance(message, ToolMessage) and new and _is_refusal(message):
            count, new = count + 1, False
    return count


def _is_refusal(message: ToolMessage) -> bool:
    mark = cast(dict[str, Any], message.response_metadata).get(MARK)
    return isinstance(mark, dict) and "refused" in mark


__all__ = ["Turns", "Yes", "allowed", "answered", "refusals", "yes_to"]
