"""A connection to a server, before anybody asks which revision of the protocol it speaks."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

from lookahead_integrations.mcp.exchange import Call, Json, RpcError

CONNECTION_CLOSED = -32000


class ChannelClosed(RpcError):
    """The connection ended. `sent`: while a request was under way, of which nobody knows whether it was done.

    Of use between a channel and its link alone: whoever calls the service is told by `Lost`, or by a plain RpcError.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(CONNECTION_CLOSED, message)
        self.sent = sent


class Listener(Protocol):
    """Hears what a server says by itself."""

    async def asked(self, method: str, params: Json, /) -> Json:
        """A request of the server: elicitation, sampling, roots, ping. Raises RpcError."""
        ...

    async def told(self, method: str, params: Json, /) -> None:
        """A notification of the server. Awaited before what the server says next is read."""
        ...


class Channel(Protocol):
    """Frames to one server and back. Knows nothing of eras: who uses it shakes hands, or does not."""

    @property
    def alive(self) -> bool:
        """Whether a request could be sent now. One that is not alive stays so: another one is opened."""
        ...

    async def request(
        self, method: str, params: Json | None, /, *, call: Call | None = None, related: Listener | None = None
    ) -> Json:
        """The result, as it came. Raises RpcError, and ChannelClosed where there is no connection any more.

        Cancelling it tells the server. `call` is what the client asked, for a transport that passes some of its
        headers on. `related` hears what the server says about this very request, where the transport can tell; all
        else goes to the listener with which the channel was opened.
        """
        ...

    async def notify(self, method: str, params: Json | None, /) -> None: ...

    async def closed(self) -> str:
        """Returns when the connection has ended by itself, and says why. May never return."""
        ...


Connect: TypeAlias = Callable[[Listener], AbstractAsyncContextManager[Channel]]
"""Opens a channel. Raises RpcError where nobody can be reached, and says why."""
