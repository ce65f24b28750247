"""Which conversation a run belongs to, and the questions that it has left open."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final, cast

from pydantic import ValidationError

from lookahead.guard import new_id
from lookahead.held import Held
from lookahead.permit import Answer
from lookahead.session import CONVERSATIONS, Session
from lookahead.types import State

KEY: Final = "lookahead"
"""Where in the state of an agent's session an open question lies, so that it is found after a restart."""


@dataclass(kw_only=True)
class Talk:
    """One conversation: an agent's session of the framework, or one run without."""

    session: Session
    lasting: bool
    """The caller keeps the session, and answers in it."""
    asked: dict[str, str] = field(default_factory=dict[str, str])
    """The framework's call id of each open question, and ours."""

    def recall(self, theirs: Any) -> None:
        """After a restart: what was known when a question was put."""
        found = theirs.state.get(KEY) if theirs is not None and self.lasting else None
        if not isinstance(found, dict) or self.asked:
            return
        kept = cast(dict[str, Any], found)
        try:
            state = State.model_validate(kept["state"])
            asked = {str(key): str(value) for key, value in cast(dict[Any, Any], kept["asked"]).items()}
        except (KeyError, TypeError, ValueError, AttributeError, ValidationError):
            return  # then the question is put again
        self.asked = asked
        if not self.session.state.steps:
            self.session.state = state.model_copy(update={"tools": self.session.state.tools})

    def keep(self, theirs: Any) -> None:
        if theirs is not None and self.lasting:
            theirs.state[KEY] = {"state": self.session.state.model_dump(mode="json"), "asked": dict(self.asked)}


@dataclass(kw_only=True)
class Talks:
    """All conversations of a wrapped agent and the agents within it."""

    _session: Session | None = None
    _known: OrderedDict[str, Talk] = field(default_factory=OrderedDict[str, Talk], repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def session(self) -> Session:
        assert self._session is not None, "the session is opened before anything can be called"
        return self._session

    @session.setter
    def session(self, session: Session) -> None:
        self._session = session

    def of(self, theirs: Any, *, lasting: bool) -> Talk:
        if theirs is None or not lasting:
            return Talk(session=self.session.conversation(new_id()), lasting=False)
        with self._lock:
            talk = self._known.get(theirs.session_id)
            if talk is None:
                run = self.session.conversation(f"agent-framework:{theirs.session_id}")
                talk = self._known[theirs.session_id] = Talk(session=run, lasting=True)
                if len(self._known) > CONVERSATIONS:
                    self._known.popitem(last=False)
        talk.recall(theirs)
        return talk


@dataclass(kw_only=True)
class Hand:
    """What the model has proposed in one run, and was not begun."""

    talk: Talk
    theirs: Any
    tools: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the agent may call in this run, by name."""
    held: dict[tuple[str, str], Held | Answer] = field(default_factory=dict[tuple[str, str], Held | Answer])

    def asks(self, tool: str) -> bool:
        """Whether a call of this tool waits for a person, so that the framework is to stop before any of the calls."""
        if self.talk.session.line.approve is not None:
            return False
        return any(isinstance(one, Held) and one.asks and one.action.tool == tool for one in self.held.values())
