"""Frames of the protocol, of both eras, and what becomes of them under a mutation."""

import json
import random
from collections.abc import Callable
from typing import Any

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "mutated", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
}
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"elicitation": {}, "sampling": {}, "roots": {}},
    "clientInfo": {"name": "mutated", "version": "1"},
}
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 2**53, 10**40, 1e308, "", "a", "\ud800", "\x00", "\u202e", "x" * 3000, [], {}),
    *([[]], {"": ""}, [None, {"a": [1]}], "2.0", "tools/call", "append", "forbidden"),
)
RAW: tuple[bytes, ...] = (
    *(
        b"",
        b"null",
        b"[]",
        b"[[]]",
        b"{",
        b"}",
        b'"',
        b"NaN",
        b"[NaN]",
        b"\xff\xfe\x00",
        b"\xef\xbb\xbf{}",
        b"\x00" * 64,
    ),
    *(b"[" * 5000, b'{"a":' * 5000, b"1" * 6000, b"Content-Length: 7\r\n\r", b"GET / HTTP/1.1", b'{"jsonrpc":"2.0"}'),
    b'{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/call","params":{"name":"append"}}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"forbidden","name":"append"}}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"append","arguments":{"a":NaN}}}',
    b'{"jsonrpc":"2.0","id":1e0,"method":"tools/call","params":{"name":"append"}}',
)


class Frames:
    """An endless supply, the same for the same seed."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self._made = 0
        self._sent: list[bytes] = []

    def next(self) -> bytes:
        """One line, without its end."""
        chance = self.chance
        if chance.random() < 0.02:
            return chance.choice(RAW)
        frame = self._frame()
        for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
            frame = self._altered(frame, 400 if chance.random() < 0.01 else 30)
        if chance.random() < 0.03:
            frame = [frame, *(self._frame() for _ in range(chance.randrange(3)))]
        line = _spelled(frame, plain=chance.random() < 0.5)
        if chance.random() < 0.3:
            line = chance.choice(BYTES)(line, self)
        if len(line) < 2000:
            self._sent = [*self._sent[-50:], line]
        return line.replace(b"\n", b" ")

    def earlier(self) -> bytes:
        return self.chance.choice(self._sent) if self._sent else b"{}"

    def _frame(self) -> Any:
        chance, self._made = self.chance, self._made + 1
        id: Any = chance.choice((self._made, self._made, f"s{self._made}", chance.randrange(20)))
        mark = {"mark": f"f{self._made}"}
        method, params = chance.choice(
            (
                *[("tools/call", {"name": "append", "arguments": mark})] * 4,
                *[("tools/call", {"name": "forbidden", "arguments": mark})] * 2,
                ("tools/call", {"name": "pay", "arguments": mark}),
                ("tools/call", {"name": "append", "arguments": mark, "inputResponses": {"lookahead": {}}}),
                ("tools/call", {"name": "append", "arguments": mark, "requestState": "la1.AAAA.BBBB"}),
                ("tools/list", {}),
                ("tools/list", {"cursor": "1"}),
                # Rarely, because each begins another conversation with the server, which is a process.
                ("initialize", INITIALIZE) if chance.random() < 0.05 else ("ping", {}),
                ("server/discover", {}),
                ("ping", {}),
                ("resources/read", {"uri": "file:///a"}),
                ("prompts/get", {"name": "p"}),
                ("completion/complete", {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a"}}),
                ("logging/setLevel", {"level": "debug"}),
                ("subscriptions/listen", {"notifications": {"toolsListChanged": True}}),
                ("notifications/initialized", None),
                ("notifications/cancelled", {"requestId": chance.randrange(self._made + 1)}),
                ("notifications/progress", {"progressToken": 1, "progress": 2}),
                ("notifications/tools/list_changed", None),
                (None, {"action": "accept", "content": {"approve": True}}),
            )
        )
        if method is None:
            return {"jsonrpc": "2.0", "id": chance.randrange(1, 40), "result": params}
        if params is not None and chance.random() < 0.4:
            params = {**params, "_meta": META}
        frame: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        if not method.startswith("notifications/"):
            frame["id"] = id
        return frame if params is None else {**frame, "params": params}

    def _altered(self, frame: Any, deep: int) -> Any:
        """One value somewhere in it is another, is gone, is called otherwise, or is so deep in others."""
        frame = json.loads(json.dumps(frame))
        places: list[tuple[Any, Any]] = []
        left = [frame]
        while left:
            one = left.pop()
            inside = list(one.items()) if isinstance(one, dict) else list(enumerate(one))
            places += [(one, key) for key, _ in inside]
            left += [value for _, value in inside if isinstance(value, dict | list)]
        if not places:
            return frame
        holder, key = self.chance.choice(places)
        what = self.chance.randrange(5)
        if what == 0:
            del holder[key]
        elif what == 1 and isinstance(holder, dict):
            holder[f"{key}{self.chance.choice((' ', '2', 'Ä', chr(0)))}"] = holder.pop(key)
        elif what == 2:
            holder[key] = [holder[key]]
        elif what == 3:
            for _ in range(self.chance.randrange(deep)):
                holder[key] = {"a": holder[key]} if self.chance.random() < 0.5 else [holder[key]]
        else:
            holder[key] = self.chance.choice(ODD)
        return frame


def _spelled(frame: Any, *, plain: bool) -> bytes:
    try:
        return json.dumps(frame, ensure_ascii=plain).encode("utf-8", "surrogatepass")
    except RecursionError:
        return b"[" * 2000


def _flipped(line: bytes, frames: Frames) -> bytes:
    chance, altered = frames.chance, bytearray(line)
    for _ in range(chance.randrange(1, 4)):
        if altered:
            altered[chance.randrange(len(altered))] = chance.randrange(256)
    return bytes(altered)


def _cut(line: bytes, frames: Frames) -> bytes:
    return line[: frames.chance.randrange(len(line) + 1)]


def _spliced(line: bytes, frames: Frames) -> bytes:
    other = frames.earlier()
    return line[: frames.chance.randrange(len(line) + 1)] + other[frames.chance.randrange(len(other) + 1) :]


def _doubled(line: bytes, frames: Frames) -> bytes:
    at = frames.chance.randrange(len(line) + 1)
    return line[:at] + line[at : at + 12] * frames.chance.randrange(2, 5) + line[at:]


def _again(line: bytes, frames: Frames) -> bytes:
    return frames.earlier()


BYTES: tuple[Callable[[bytes, Frames], bytes], ...] = (_flipped, _flipped, _cut, _spliced, _doubled, _again)
