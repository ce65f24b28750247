"""Which conversation a call belongs to, what was judged of it, and what was asked."""

import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast

import anyio
from pydantic import ValidationError

from lookahead.errors import CallError
from lookahead.functions import jsonable
from lookahead.guard import new_id
from lookahead.held import Held
from lookahead.permit import Answer
from lookahead.session import CONVERSATIONS, Session
from lookahead.types import Action, State

KEY: Final = "lookahead"
"""Where in the state of an ADK session an open question lies, so that it is found after a restart."""

Again: TypeAlias = Callable[[], Awaitable[Sequence[Action]]]
_again: Final[ContextVar[Again | None]] = ContextVar("lookahead.google_adk.again", default=None)


async def rivals(state: State, n: int, /) -> Sequence[Action]:
    """What the agent's own model says when it is asked the same again."""
    again = _again.get()
    if again is None:
        return []
    found: list[Action] = []

    async def one() -> None:
        found.extend((await again())[:1])

    async with anyio.create_task_group() as tasks:
        for _ in range(n):
            tasks.start_soon(one)
    return found


def action_of(name: str, arguments: Any, call_id: str | None = None) -> Action:
    try:
        written = {str(key): jsonable(value) for key, value in dict(arguments or {}).items()}
        return Action(tool=name, arguments=written, call_id=call_id)
    except (ValidationError, RecursionError) as cause:
        raise CallError(f"the call of {name!r} cannot be written down, so it is not allowed: {cause}") from cause


@dataclass(kw_only=True)
class Talk:
    """One ADK session."""

    session: Session
    asked: dict[str, str] = field(default_factory=dict[str, str])
    """The framework's id of each call that waits for a person, and ours."""
    held: dict[tuple[str, str], list[Held | Answer]] = field(
        default_factory=dict[tuple[str, str], list[Held | Answer]], repr=False
    )
    """By agent and call: judged when the model proposed it, and not begun."""
    requests: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """What each agent asked its model for last."""

    async def hold(self, agent: str, actions: Sequence[Action], again: Again) -> None:
        """Judge all calls of one message, and put all questions to whoever is there, before any of them begins."""
        found: list[tuple[Action, Held | Answer]] = []

        async def one(action: Action) -> None:
            found.append((action, await self.session.hold(action)))

        token = _again.set(again)
        try:
            async with anyio.create_task_group() as tasks:
                for action in actions:
                    tasks.start_soon(one, action)
        finally:
            _again.reset(token)
        for key in [key for key in self.held if key[0] == agent]:
            del self.held[key]
        for action, held in found:
            self.held.setdefault((agent, action.digest), []).append(held)

    async def judged(self, agent: str, action: Action) -> Held | Answer:
        waiting = self.held.get((agent, action.digest))
        if waiting:
            return waiting.pop(0)
        return await self.session.hold(action)

    def keep(self, context: Any) -> None:
        context.state[KEY] = {"state": self.session.state.model_dump(mode="json"), "asked": dict(self.asked)}

    def recall(self, context: Any) -> None:
        """After a restart: what was known when a question was put."""
        found = context.state.get(KEY)
        if self.asked or not isinstance(found, dict):
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

    def of(self, context: Any) -> Talk:
        """By the ADK session that a callback or a tool is called in."""
        theirs = context._invocation_context.session
        name = f"google-adk:{theirs.app_name}:{theirs.user_id}:{theirs.id}"
        with self._lock:
            talk = self._known.get(name)
            if talk is None:
                talk = self._known[name] = Talk(session=self.session.conversation(name))
                if len(self._known) > CONVERSATIONS:
                    self._known.popitem(last=False)
        talk.recall(context)
        return talk


def fresh(call_id: str | None) -> str:
    """A provider may use an id again; ours is never used twice."""
    return f"{call_id or 'call'}:{new_id()}"
