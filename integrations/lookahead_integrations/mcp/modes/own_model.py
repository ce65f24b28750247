"""The world of last resort: the model of the client that calls, where nobody configured a better one."""

import threading
from typing import Any

from lookahead.errors import NotMyWorld, WorldError
from lookahead.types import Action, Environment, Observation, State
from lookahead_integrations.mcp.modes.acting import JUDGED


class OwnModel:
    """Imagines by sampling what is being judged, on behalf of the call that waits for it.

    Nobody asked for this world, so that it fails is as if there were none: no call is held back for it.
    """

    def __init__(self) -> None:
        self._world: Any = None

    @property
    def name(self) -> str:
        return str(self._world.name) if self._world is not None else "the client's own model"

    async def __call__(self, state: State, action: Action, /) -> Observation:
        judged = JUDGED.get()
        if judged is None or judged[0] != threading.get_ident():
            raise NotMyWorld("the client's own model can be asked only while a call of that client waits")
        # Loaded where it is needed: most clients offer no model, and wait for us to start.
        if not isinstance(judged[1].client.capabilities.get("sampling"), dict):
            raise NotMyWorld("no world model is configured, and this client does not offer its own (sampling)")
        from lookahead_integrations.mcp.sampling import ClientWorld, on_behalf_of

        world: Environment = self._world or ClientWorld()
        self._world = world
        with on_behalf_of(judged[1]):
            try:
                return await world(state, action)
            except NotMyWorld:
                raise
            except WorldError as error:
                raise NotMyWorld(f"the client's own model did not imagine it: {error}") from error
