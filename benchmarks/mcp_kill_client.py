"""The client of a proxy that is about to be killed: it keeps several calls going, and notes what it was told."""

import json
import os
import selectors
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

AT_ONCE = 4
DOUBT = "may have happened"
PLAN = ("append", "append", "append", "pay", "forbidden")


@dataclass(kw_only=True)
class Marks:
    """Every call of one journal has a mark of its own; over all lives of the proxy it is to happen once at most."""

    made: int = 0
    unanswered: dict[str, str] = field(default_factory=dict[str, str])
    """By mark the tool: asked for, and the proxy died before it answered. The next life asks for it again."""
    done: set[str] = field(default_factory=set[str])
    """Answered as done."""
    refused: int = 0

    def next(self) -> tuple[str, str]:
        self.made += 1
        return PLAN[self.made % len(PLAN)], f"m{self.made}"


@dataclass(kw_only=True)
class Client:
    """One connection, spoken by hand, so that nothing of it survives the proxy."""

    to: int
    of: int
    marks: Marks
    _left: bytes = b""
    _open: dict[int, tuple[str, str]] = field(default_factory=dict[int, tuple[str, str]])
    _id: int = 0
    _todo: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    _over: bool = False
    answered: int = 0

    def live(self, until: float, *, enough: int = 10**9) -> None:
        """Until that moment, or so many answers; whatever is then still under way is left as it is."""
        self._todo = [(tool, mark) for mark, tool in self.marks.unanswered.items()]
        elicits = {"capabilities": {"elicitation": {}}, "clientInfo": {"name": "kill", "version": "1"}}
        self._say({"id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25", **elicits}})
        selector = selectors.DefaultSelector()
        selector.register(self.of, selectors.EVENT_READ)
        while self.answered < enough and (left := until - time.monotonic()) > 0:
            if selector.select(left) and not self._read():
                break
        selector.close()

    def last_words(self) -> None:
        """What the proxy had answered before it died is an answer: nobody asks for that again."""
        self._over = True
        while self._read():
            pass

    def _read(self) -> bool:
        got = os.read(self.of, 65536)
        *lines, self._left = (self._left + got).split(b"\n")
        for line in lines:
            self._heard(json.loads(line))
        return bool(got)

    def _heard(self, frame: dict[str, Any]) -> None:
        if "method" in frame:
            if frame["method"] == "elicitation/create":
                yes = DOUBT not in frame["params"]["message"]
                said = {"action": "accept", "content": {"approve": True}} if yes else {"action": "decline"}
                self._say({"id": frame["id"], "result": said})
            return
        if frame["id"] == 0:
            self._say({"method": "notifications/initialized"})
        else:
            tool, mark = self._open.pop(frame["id"])
            self.marks.unanswered.pop(mark, None)
            self.answered += 1
            result = frame.get("result", {})
            if result.get("isError") is False or result.get("content") == [{"type": "text", "text": "added"}]:
                self.marks.done.add(mark)
            else:
                self.marks.refused += 1
        while len(self._open) < AT_ONCE and not self._over:
            tool, mark = self._todo.pop() if self._todo else self.marks.next()
            self._id += 1
            self._open[self._id] = tool, mark
            self.marks.unanswered[mark] = tool
            call = {"name": tool, "arguments": {"mark": mark}}
            self._say({"id": self._id, "method": "tools/call", "params": call})

    def _say(self, frame: dict[str, Any]) -> None:
        with suppress(BrokenPipeError):
            os.write(self.to, json.dumps({"jsonrpc": "2.0", **frame}).encode() + b"\n")
