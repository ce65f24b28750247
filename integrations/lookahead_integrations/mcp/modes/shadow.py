"""Shadow: every call is passed on at once; what it would do is imagined beside it, and both are written down."""

from contextlib import AsyncExitStack

from lookahead.errors import ConfigError
from lookahead.session import Session
from lookahead_integrations.mcp.exchange import Service
from lookahead_integrations.mcp.modes.acting import Acting
from lookahead_integrations.mcp.modes.guard import guard
from lookahead_integrations.mcp.modes.opening import ended_with, session_of
from lookahead_integrations.mcp.settings import ProxySettings


def shadow(next: Service, /, *, session: Session) -> Acting:
    """The same service, which earns the world of this session its record and never holds a call up."""
    if session.mode != "shadow":
        raise ConfigError(f'a session in mode {session.mode!r} would hold calls up; open it with mode="shadow"')
    return guard(next, session=session)


def layer(next: Service, /, *, settings: ProxySettings, stack: AsyncExitStack) -> Service:
    session = session_of(next, settings, stack, mode="shadow", world=settings.world or "auto")
    return ended_with(stack, shadow(next, session=session))
