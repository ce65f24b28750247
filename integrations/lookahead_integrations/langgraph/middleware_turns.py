"""What was decided of a message, on its way to the tools: in memory, and for one execution only."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from langchain_core.messages import ToolCall
from langgraph.prebuilt.tool_node import ToolCallRequest

from lookahead_integrations.langgraph.gate import Batch
from lookahead_integrations.langgraph.tick import Place

REMEMBERED: Final = 1000
"""Decisions that wait in memory for their tools to begin; of others the record knows."""


@dataclass(kw_only=True)
class Turn:
    """The decisions on one message, and the executions that they were used for."""

    batch: Batch
    begun: dict[str, Any] = field(default_factory=dict[str, Any])


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

        A node that is run a second time finds nothing here: the record tells it what has been done.
        """
        call = request.tool_call["id"] or ""
        runtime = cast(Any, request).runtime
        with self._lock:
            turn = self._known.get((*_where(place), "call", call))
            if turn is None:
                return None
            return turn.batch if turn.begun.setdefault(call, runtime) is runtime else None

    def _put(self, keys: Sequence[tuple[str, ...]], batch: Batch) -> None:
        turn = Turn(batch=batch)
        with self._lock:
            for key in keys:
                self._known[key] = turn
                self._known.move_to_end(key)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)


def _where(place: Place) -> tuple[str, str]:
    """The conversation, and the agent in it where one agent is inside of another."""
    return place.conversation, place.namespace.rpartition("|")[0]


__all__ = ["Turns"]
