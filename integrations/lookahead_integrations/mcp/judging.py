"""For extensions that say what a call would do: the mode's own session where it has one, else one of their own."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Final, cast

from lookahead.held import Held
from lookahead.permit import Answer
from lookahead.session import Session
from lookahead.types import Action
from lookahead_integrations.mcp.catalogue import Catalogue
from lookahead_integrations.mcp.exchange import Call, Json, Service
from lookahead_integrations.mcp.modes.acting import JUDGED, Conversations
from lookahead_integrations.mcp.modes.after import After
from lookahead_integrations.mcp.modes.opening import session_of
from lookahead_integrations.mcp.settings import ProxySettings

_DEEP: Final = 16
"""So many layers at most stand between an extension and the mode."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Judging:
    """Knows each client's tools, and what has been done for it so far."""

    next: Service
    catalogue: Catalogue
    conversations: Conversations
    after: After = field(default_factory=After)

    async def conversation(self, call: Call) -> Session:
        # What was answered already is part of what has happened, and may not be on record yet.
        await self.after.settled(self.conversations.run(call.client))
        return self.conversations.of(call.client, await self.catalogue.tools(call))

    async def held(self, session: Session, action: Action) -> Held | Answer:
        """Judged as if it were guarded, also where a mode holds nothing up; nothing is called for it."""
        line = session.line
        # A server's own dry run is a call of its tool, so it is not asked for one.
        token = JUDGED.set(None)
        try:
            return await (line if line.mode == "guard" else replace(line, mode="guard")).hold(session.state, action)
        finally:
            JUDGED.reset(token)


def judging(next: Service, settings: ProxySettings, stack: AsyncExitStack) -> Judging:
    """Shares what a mode behind `next` knows: what was done is part of what would happen."""
    shared = _shared(next)
    if shared is not None:
        return shared
    session = session_of(next, settings, stack, mode="guard", world=settings.world or "auto")
    catalogue = Catalogue(next=next, policy=session.line.guard.policy)
    return Judging(next=catalogue, catalogue=catalogue, conversations=Conversations(session=session))


def offered(result: Json, extension: str, settings: Json) -> Json:
    """What a server says it can do, with this extension; unchanged where it says nothing of the kind."""
    capabilities = result.get("capabilities")
    if not isinstance(capabilities, dict):
        return result
    said = cast(Json, capabilities)
    known = said.get("extensions")
    extensions = cast(Json, known) if isinstance(known, dict) else {}
    return {**result, "capabilities": {**said, "extensions": {**extensions, extension: settings}}}


def _shared(next: Service) -> Judging | None:
    service: object = next
    for _ in range(_DEEP):
        catalogue, conversations = getattr(service, "catalogue", None), getattr(service, "conversations", None)
        if isinstance(catalogue, Catalogue) and isinstance(conversations, Conversations):
            after = getattr(service, "after", None)
            held = after if isinstance(after, After) else After()
            return Judging(next=next, catalogue=catalogue, conversations=conversations, after=held)
        service = getattr(service, "next", None)
    return None
