"""What guard, shadow and record have in common: a call of a tool goes through the line, and is done at most once."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, cast

import anyio.lowlevel

from lookahead.canonical import digest_of
from lookahead.errors import LookaheadError
from lookahead.held import Held
from lookahead.options import unused
from lookahead.permit import Answer, Permit, swap_notice
from lookahead.session import CONVERSATIONS, Session
from lookahead.show import safe
from lookahead.types import Action, Observation, Tool
from lookahead_integrations.mcp import confirm
from lookahead_integrations.mcp.actions import DECISION, action_of, observation_of, params_of
from lookahead_integrations.mcp.catalogue import Catalogue
from lookahead_integrations.mcp.exchange import CLOSED, Call, Client, Json, Lost, Service
from lookahead_integrations.mcp.modes.after import After

log: Final = logging.getLogger("lookahead.mcp")

TOOL: Final = "tools/call"


JUDGED: Final[ContextVar[tuple[int, Call] | None]] = ContextVar("JUDGED", default=None)
"""The call that is being judged, and the thread in which its server can be asked."""


class CutOff(BaseException):
    """The call was sent on and nobody answered: it may have happened. No ordinary error, because none came back."""


@dataclass(kw_only=True, eq=False)
class Conversations:
    """One run of the session for each client, with the tools that this client has."""

    session: Session
    _open: OrderedDict[str, tuple[Session, tuple[Tool, ...]]] = field(
        default_factory=OrderedDict[str, tuple[Session, tuple[Tool, ...]]], repr=False
    )

    _said: tuple[str, ...] = field(default=(), repr=False)

    def run(self, client: Client) -> str:
        """What the client's conversation is called in the record. Its own key may be a secret, such as a session's."""
        return f"{self.session.run}-{digest_of('mcp', client.key)[:8]}"

    def of(self, client: Client, tools: tuple[Tool, ...]) -> Session:
        run = self.run(client)
        conversation = self.session.conversation(run)
        known = self._open.get(run)
        if known is None or known[0] is not conversation or known[1] is not tools:
            self._learn(run, conversation, tools)
        return conversation

    def over(self, client: Client) -> None:
        """Nothing more will come of it: what is known of it is on record."""
        run = self.run(client)
        self._open.pop(run, None)
        self.session.over(run)

    def settle(self, seconds: float) -> bool:
        """In shadow mode: wait until what is imagined beside any of them is on record."""
        ends = monotonic() + seconds
        settled = [one.settle(max(0.0, ends - monotonic())) for one, _ in tuple(self._open.values())]
        return all(settled)

    def _learn(self, run: str, conversation: Session, tools: tuple[Tool, ...]) -> None:
        self._open[run] = conversation, tools
        self._open.move_to_end(run)
        if len(self._open) > CONVERSATIONS:
            self._open.popitem(last=False)
        if conversation.state.tools == tools:
            return
        self._check(tools)
        conversation.state = conversation.state.model_copy(update={"tools": tools})
        line = conversation.line
        self.session.journal.start(
            run,
            goal=conversation.state.goal,
            mode=line.mode,
            world=str(getattr(line.planner.imagine, "name", None) or "none"),
            policy=line.guard.policy.digest,
            tools=tools,
            late=True,
        )

    def _check(self, tools: tuple[Tool, ...]) -> None:
        """A rule for a tool that is not there may be a misspelt one, and then the right one is missing."""
        found = unused(self.session.line.guard.policy, tools, all_known=False)
        # One that is like none of these tools may be meant for another server.
        said = tuple(one for one in found if not one.endswith("is the name of no tool"))
        if said and said != self._said:
            self._said = said
            log.warning("not everything that the policy says can hold here: %s", safe("; ".join(said), 600))


@dataclass(kw_only=True, eq=False)
class Acting:
    """Calls of tools, judged and recorded; everything else passes."""

    next: Service
    catalogue: Catalogue
    conversations: Conversations
    after: After = field(default_factory=After)
    observed: Callable[[Json], Observation] = observation_of
    link: Callable[[Held], str | None] = lambda held: None
    """Where a person can say yes who cannot be asked in the client."""

    async def __call__(self, call: Call, /) -> Json:
        if call.method != TOOL:
            return await self.passed(call)
        if call.notice:
            # Nobody waits for its answer, and so nobody could be told that it was refused.
            return {}
        action = action_of(call.params)
        tools = await self.catalogue.tools(call)
        conversation = self.conversations.of(call.client, tools)
        await self.after.settled(conversation.run)
        JUDGED.set((threading.get_ident(), call))
        try:
            held = await conversation.hold(action)
            if isinstance(held, Held) and held.asks:
                held = await self._asked(call.client, conversation, held)
            begun = await conversation.release(held) if isinstance(held, Held) else held
        except LookaheadError as error:
            return confirm.broken(str(error), call.client.version)
        if isinstance(begun, Answer):
            link = None
            if isinstance(held, Held) and held.may_be_approved and held.decision.rule != "declined":
                link = self.link(held)
            journal = self.conversations.session.journal.path
            return confirm.refused(begun, call.client.version, journal=journal, link=link)
        return await self._done(call, conversation, begun)

    async def passed(self, call: Call) -> Json:
        """Whatever does nothing to the world."""
        try:
            return await self.catalogue(call)
        finally:
            if call.method == CLOSED:
                await self.after.all_settled()
                self.conversations.over(call.client)

    async def _asked(self, client: Client, conversation: Session, held: Held) -> Held | Answer:
        """With the answer of whoever sits before the client, to what would be done now."""
        for _ in range(_ROUNDS):
            said = await confirm.ask(client, held, conversation.line.guard.policy.approval_seconds)
            if said != "yes":
                return confirm.declined(held) if said == "no" else held
            now: Held | Answer = held
            if conversation.state.digest != held.state.digest:
                # While the question was open something else was done: it is judged anew, in the state that is now.
                now = await conversation.hold(held.action)
            if isinstance(now, Held) and now.asks and confirm.shown(now.decision) == confirm.shown(held.decision):
                now = await conversation.answered(now, by=confirm.named(client))
                if now.asks:
                    # A copy shows something else than the person was shown.
                    now = await conversation.hold(held.action)
            if isinstance(now, Answer) or not now.asks:
                return now
            held = now
        return held

    async def _done(self, call: Call, conversation: Session, permit: Permit) -> Json:
        """Sent on, once: what is sent is what was judged."""
        swapped = permit.decision.choice == "swap"
        sent = Call(method=TOOL, params=_sent(permit.action, call.params, swapped=swapped), client=call.client)
        try:
            await anyio.lowlevel.checkpoint_if_cancelled()
            permit.take(action_of(sent.params))
            with conversation.acting(permit):
                result = await self.next(sent)
        except (Lost, TimeoutError) as error:
            await conversation.failed(permit, CutOff(str(error)))
            raise
        except BaseException as error:
            await conversation.failed(permit, error)
            raise
        observation = self.observed(result)
        if self.after.broken:
            await conversation.finish(permit, observation)
            self.after.broken = False
        else:
            await self.after.soon(conversation.finish_soon(permit, observation), conversation.line.pen.flush)
        return _swapped(permit, result) if swapped else result


_ROUNDS: Final = 3
"""So often a person is asked about one call, where the world changes while they think."""


def _sent(action: Action, params: Json, *, swapped: bool) -> Json:
    return params_of(action, params) if swapped else params


def _swapped(permit: Permit, result: Json) -> Json:
    """A swapped call answers a question that the agent did not ask, so the answer says which."""
    decision = permit.decision
    given: Any = result.get("content")
    notice: Json = {"type": "text", "text": swap_notice(decision)}
    blocks = [notice, *cast(list[Any], given)] if isinstance(given, list) else [notice]
    marks: Any = result.get("_meta")
    meta: Json = cast(Json, marks) if isinstance(marks, dict) else {}
    said: Json = {**result, "content": blocks, "_meta": {**meta, DECISION: confirm.told(decision)}}
    if permit.action.tool != decision.proposed.tool and "structuredContent" in said:
        # It has the shape of another tool's answer: as one of the tool that was asked, a client would refuse it.
        del said["structuredContent"]
        said["isError"] = True
    return said
