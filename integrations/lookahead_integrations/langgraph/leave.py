"""Leave to run one tool once, carried along with the context, and the guard that stops every tool that has none."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler

from lookahead.errors import PermitError


class Blocked(PermitError):
    """A tool was called past every gate; it did not run."""


@dataclass(kw_only=True)
class Leave:
    """For one start of one tool. An agent inside that tool has none from it."""

    tool: str
    call: str | None
    _used: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def use(self, tool: str, call: str | None) -> bool:
        with self._lock:
            if self._used or tool != self.tool or call != self.call:
                return False
            self._used = True
            return True


_given: ContextVar[Leave | None] = ContextVar("lookahead_leave", default=None)


@contextmanager
def leave(tool: str, call: str | None) -> Generator[None]:
    given = _given.set(Leave(tool=tool, call=call))
    try:
        yield
    finally:
        _given.reset(given)


_PASSED_OVER: Final = frozenset(
    ("ignore_llm", "ignore_chain", "ignore_retriever", "ignore_chat_model", "ignore_custom_event", "ignore_retry")
)


class Guard(BaseCallbackHandler):
    """Raises where a tool is started that nobody judged: before it runs, in whatever thread or nested agent."""

    raise_error = True
    run_inline = True

    def on_tool_start(self, serialized: dict[str, Any] | None, input_str: str, *, run_id: UUID, **kwargs: Any) -> None:
        tool = str((serialized or {}).get("name") or kwargs.get("name") or "")
        given = _given.get()
        if given is not None and given.use(tool, kwargs.get("tool_call_id")):
            return
        raise Blocked(
            f"the tool {tool!r} was called where no call can be judged (in a function, or by an agent inside a tool), "
            "so it was not run. Let the model call it through a ToolNode, or wrap the inner agent with with_lookahead()"
        )


for _ignored in _PASSED_OVER:
    # Everything but tools is passed over. Asked dozens of times in each turn, so they are no longer properties.
    setattr(Guard, _ignored, True)


__all__ = ["Blocked", "Guard", "leave"]
