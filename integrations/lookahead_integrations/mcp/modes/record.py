"""Record: real traffic into the journal, so that it can be answered again later. Nothing is imagined.

A call of a tool is on record as in every mode, `Decided`, `Intended` and `Resulted`, here with the whole answer as it
was spelled (`Observation.verbatim`). What else a client asks for is recorded in the same way under the name
`mcp:METHOD`, with the parameters as arguments and the result, or `{"error": …}`, as it was spelled.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

from pydantic import ValidationError

from lookahead.errors import ConfigError
from lookahead.guard import at_once
from lookahead.journal import Decided, Entry, Intended, Resulted
from lookahead.session import Session
from lookahead.types import Action, Observation
from lookahead_integrations.mcp.actions import observation_of
from lookahead_integrations.mcp.catalogue import Catalogue
from lookahead_integrations.mcp.exchange import Call, Json, RpcError, Service
from lookahead_integrations.mcp.modes.acting import Acting, Conversations
from lookahead_integrations.mcp.modes.opening import ended_with, session_of
from lookahead_integrations.mcp.settings import ProxySettings

PREFIX: Final = "mcp:"
"""Begins the names under which there is on record what is no call of a tool; no tool's name has a colon."""
METHODS: Final = frozenset(
    {
        *("initialize", "server/discover", "tools/list", "completion/complete"),
        *("resources/list", "resources/templates/list", "resources/read", "prompts/list", "prompts/get"),
    }
)
"""What is asked for and answered once, without the world being changed by it."""


@dataclass(kw_only=True, eq=False)
class Recording(Acting):
    """Writes down whatever it passes on."""

    async def passed(self, call: Call) -> Json:
        if call.notice or call.method not in METHODS:
            return await super().passed(call)
        try:
            result = await super().passed(call)
        except RpcError as error:
            await self._write(call, {"error": error_of(error)}, failed=True)
            raise
        await self._write(call, result, failed=False)
        return result

    async def _write(self, call: Call, result: Json, *, failed: bool) -> None:
        run = self.conversations.run(call.client)
        state = self.conversations.session.conversation(run)
        try:
            action = Action(tool=f"{PREFIX}{call.method}", arguments=asked(call.params))
            said = f"{call.method}: {'an error' if failed else 'answered'}"
            observation = Observation(content=said, failed=failed, verbatim=cast(Any, result))
        except ValidationError:
            # What is no JSON cannot be answered again either.
            return
        entries = _entries(run, state, action, observation)
        await self.after.do(run, partial(state.line.pen.write, *entries))


def record(next: Service, /, *, session: Session) -> Acting:
    """The same service, with everything that it answers on record."""
    if session.mode != "shadow":
        raise ConfigError(f'a session in mode {session.mode!r} would hold calls up; open it with mode="shadow"')
    return Recording(
        next=next,
        catalogue=Catalogue(next=next, policy=session.line.guard.policy),
        conversations=Conversations(session=session),
        observed=partial(observation_of, verbatim=True),
    )


def layer(next: Service, /, *, settings: ProxySettings, stack: AsyncExitStack) -> Service:
    session = session_of(next, settings, stack, mode="shadow", world="none")
    return ended_with(stack, record(next, session=session))


def asked(params: Mapping[str, Any]) -> Json:
    """What a request asks for, without what belongs to this one time: tokens, and who asks."""
    return {name: value for name, value in params.items() if name not in ("_meta", "requestState", "inputResponses")}


def error_of(error: RpcError) -> Json:
    said: Json = {"code": error.code, "message": str(error)}
    return said if error.data is None else {**said, "data": error.data}


def _entries(run: str, conversation: Session, action: Action, observation: Observation) -> tuple[Entry, ...]:
    decision = at_once(conversation.state, action, "run", "record", "recorded, and not held up")
    call = decision.id
    return (
        Decided(run=run, call=call, state=decision.state, decision=decision),
        Intended(run=run, call=call, action=action, action_digest=action.digest, effect="reads"),
        Resulted(run=run, call=call, tool=action.tool, observation=observation),
    )
