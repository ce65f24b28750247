"""Guard: a call that changes something is imagined and judged; then it is done, refused, or put to a person."""

from collections.abc import Callable
from contextlib import AsyncExitStack

from lookahead.held import Held
from lookahead.session import Session
from lookahead_integrations.mcp.catalogue import Catalogue
from lookahead_integrations.mcp.exchange import Service
from lookahead_integrations.mcp.modes.acting import Acting, Conversations
from lookahead_integrations.mcp.modes.opening import ended_with, session_of
from lookahead_integrations.mcp.page import DESK
from lookahead_integrations.mcp.settings import ProxySettings


def guard(next: Service, /, *, session: Session, link: Callable[[Held], str | None] = lambda held: None) -> Acting:
    """The same service, in which no tool is called that was not judged, and none twice.

    `link` names a page where a person can say yes whom the client cannot ask.
    """
    catalogue = Catalogue(next=next, policy=session.line.guard.policy)
    return Acting(next=next, catalogue=catalogue, conversations=Conversations(session=session), link=link)


def layer(next: Service, /, *, settings: ProxySettings, stack: AsyncExitStack) -> Service:
    session = session_of(next, settings, stack, mode="guard", world=settings.world or "auto")
    return ended_with(stack, guard(next, session=session, link=DESK.link(session.journal, session.line.guard.policy)))
