"""The session of a mode: opened with what the proxy was told, and given back when the last call is over."""

import threading
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Final, cast

import anyio
import anyio.to_thread

from lookahead.errors import OutOfReach
from lookahead.session import Session
from lookahead.settings import Mode
from lookahead.types import Action, Environment, Observation, State
from lookahead.worlds.choose import World
from lookahead.wrap import options_of
from lookahead_integrations.mcp.actions import observation_of, params_of
from lookahead_integrations.mcp.exchange import Call, Service
from lookahead_integrations.mcp.modes.acting import JUDGED, TOOL, Acting
from lookahead_integrations.mcp.modes.own_model import OwnModel
from lookahead_integrations.mcp.settings import ProxySettings

HOST: Final = "mcp"
PARTING: Final = 5.0
"""Seconds in which what is imagined beside the last calls may come to its end."""


def session_of(next: Service, settings: ProxySettings, stack: AsyncExitStack, *, mode: Mode, world: World) -> Session:
    """A session that knows no tools yet: an upstream that is not up must not keep a client from connecting."""
    options = options_of(goal=settings.goal, world=world, policy=settings.policy, mode=mode, journal=settings.journal)
    if mode == "guard" and settings.sampling and options.world == "auto" and not options.endpoint:
        options = replace(options, world=OwnModel())
    try:
        session = options.open((), real=real(next), host=HOST, host_asks=True)
    except BaseException:
        options.journal.close()
        raise
    stack.callback(session.close)
    return session


def real(next: Service) -> Environment:
    """The server itself, for a tool that has a dry run of its own: asked on behalf of the call that is being judged."""

    async def ask(state: State, action: Action, /) -> Observation:
        judged = JUDGED.get()
        if judged is None or judged[0] != threading.get_ident():
            raise OutOfReach("the server can be asked for a dry run only where a call waits for it")
        call = judged[1]
        meta = {"_meta": call.params["_meta"]} if "_meta" in call.params else {}
        return observation_of(await next(Call(method=TOOL, params=params_of(action, meta), client=call.client)))

    return ask


def ended_with(stack: AsyncExitStack, acting: Acting) -> Acting:
    """At the end every answer that was given is on record, and so is what was imagined beside it."""

    async def end() -> None:
        with anyio.CancelScope(shield=True):
            await acting.after.all_settled()
            await anyio.to_thread.run_sync(acting.conversations.settle, PARTING)

    stack.push_async_callback(cast(Any, end))
    return acting
