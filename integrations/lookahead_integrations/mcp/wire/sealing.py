"""A `requestState` that only we can have written, for one call, and not for long."""

import base64
import binascii
import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, cast

from lookahead_integrations.mcp.exchange import INVALID_PARAMS, Call, Json, RpcError

PREFIX: Final = "la1."
"""Whose state it is: a server behind us has its own."""
_SIZE: Final = hashlib.sha256().digest_size
_LONGEST: Final = 4096
"""Characters of a state that are looked at: ours are far shorter."""
_NOT_BOUND: Final = ("_meta", "inputResponses", "requestState")
"""What differs between a call and its repetition with the answers."""


def rejected(why: str) -> RpcError:
    return RpcError(INVALID_PARAMS, f"requestState rejected: {why}. Make the call anew, without a requestState")


@dataclass(frozen=True, kw_only=True)
class Sealer:
    """Seals what a client keeps for us, and opens it where nobody has altered it."""

    key: bytes = field(default_factory=lambda: os.urandom(32), repr=False)
    """Of this process: a state does not outlive it, as the call that waits for it does not."""
    clock: Callable[[], float] = time.time

    def seal(self, content: Json, *, seconds: float) -> str:
        body = json.dumps({**content, "until": self.clock() + seconds}, separators=(",", ":")).encode()
        return PREFIX + base64.urlsafe_b64encode(self._mark(body) + body).decode()

    def open(self, state: object) -> Json:
        """What was sealed. Raises RpcError where it is not ours, was altered, or is too old."""
        if not isinstance(state, str) or not state.startswith(PREFIX) or len(state) > _LONGEST:
            raise rejected("it is not one of ours")
        try:
            raw = base64.b64decode(state[len(PREFIX) :].encode("ascii"), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError) as error:
            raise rejected("it was altered") from error
        mark, body = raw[:_SIZE], raw[_SIZE:]
        # Of the text too: base64 has several spellings of some bytes, and only ours was given out.
        spelled = base64.urlsafe_b64encode(raw).decode() == state[len(PREFIX) :]
        if not hmac.compare_digest(mark, self._mark(body)) or not spelled:
            raise rejected("it was altered")
        content = cast(dict[str, Any], json.loads(body))
        if content.pop("until") < self.clock():
            raise rejected("it has expired")
        return content

    def _mark(self, body: bytes) -> bytes:
        return hmac.new(self.key, body, hashlib.sha256).digest()


def bound(call: Call) -> str:
    """A digest of who calls, what, and with which parameters: a state given for one call opens no other."""
    params = {name: value for name, value in call.params.items() if name not in _NOT_BOUND}
    text = json.dumps([call.client.key, call.method, params], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
