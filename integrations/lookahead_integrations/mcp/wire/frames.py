"""JSON-RPC messages and the lines that they travel in: whatever comes in is a message, or a mistake that has a name."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeGuard, cast

from lookahead_integrations.mcp.exchange import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    Json,
    RpcError,
)

Id: TypeAlias = int | str

_BOM: Final = b"\xef\xbb\xbf"


class BadFrame(RpcError):
    """What came is no message. `id` is that of the request that it was meant to be, where it can be told."""

    def __init__(self, code: int, message: str, id: Id | None = None) -> None:
        super().__init__(code, message)
        self.id = id


@dataclass(frozen=True, slots=True)
class Request:
    id: Id
    method: str
    params: Json


@dataclass(frozen=True, slots=True)
class Notice:
    method: str
    params: Json


@dataclass(frozen=True, slots=True)
class Reply:
    id: Id
    result: Json | None
    error: RpcError | None


Message: TypeAlias = Request | Notice | Reply


@dataclass(kw_only=True)
class Lines:
    """Cuts what arrives into lines. One that is longer than allowed is passed over, and told as None."""

    limit: int
    _rest: bytearray = field(default_factory=bytearray)
    _skipping: bool = False

    def feed(self, chunk: bytes) -> list[bytes | None]:
        found: list[bytes | None] = []
        begin = 0
        while (end := chunk.find(b"\n", begin)) >= 0:
            if self._skipping:
                self._skipping = False
            elif len(self._rest) + end - begin > self.limit:
                self._rest.clear()
                found.append(None)
            elif line := (bytes(self._rest) + chunk[begin:end]).strip():
                found.append(line.removeprefix(_BOM))
            self._rest.clear()
            begin = end + 1
        if not self._skipping:
            self._rest += chunk[begin:]
            if len(self._rest) > self.limit:
                self._rest.clear()
                self._skipping = True
                found.append(None)
        return found


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _once(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return found


_strict: Final = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant).decode
_loose: Final = json.JSONDecoder(parse_constant=_no_constant).decode
_encode: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False
).encode
_escape: Final = json.JSONEncoder(
    ensure_ascii=True, separators=(",", ":"), allow_nan=False, check_circular=False
).encode


def written(message: object) -> bytes:
    """One line. Raises ValueError where it cannot be said in JSON."""
    try:
        return _encode(message).encode() + b"\n"
    except UnicodeEncodeError:
        # Half of a character, which came as an escape: it leaves as one.
        return _escape(message).encode() + b"\n"
    except RecursionError as error:
        raise ValueError("too deep to be written") from error


def read(line: bytes, *, strict: bool = True, depth: int = 200) -> Any:
    """What a line holds: an object or a list of them is not checked further here. Raises BadFrame.

    Strict with what is to be judged: everybody must read the same in it.
    """
    decode: Callable[[str], Any] = _strict if strict else _loose
    try:
        found = decode(line.decode())
    except (ValueError, RecursionError) as error:
        why = str(error) if not isinstance(error, UnicodeDecodeError) else "not UTF-8"
        raise BadFrame(PARSE_ERROR, f"not a JSON message: {why[:200]}") from error
    if strict and line.count(b"{") + line.count(b"[") > depth and _deeper(found, depth):
        raise BadFrame(INVALID_REQUEST, f"more than {depth} brackets within brackets", _id_in(found))
    return found


def broken(line: bytes) -> Id | None:
    """Whose answer this was meant to be, where it is JSON but for numbers that are none."""
    try:
        return _id_in(json.loads(line))
    except (ValueError, RecursionError):
        return None


def message(found: Any) -> Message:
    """The message that this is. Raises BadFrame where it is none."""
    if not isinstance(found, dict):
        raise BadFrame(INVALID_REQUEST, "a message is an object")
    found = cast(Json, found)
    id = _id_in(found)
    if found.get("jsonrpc") != "2.0":
        raise BadFrame(INVALID_REQUEST, 'a message says "jsonrpc": "2.0"', id)
    if "method" not in found:
        return _reply(found, id)
    method, params = found["method"], found.get("params")
    if not isinstance(method, str) or "result" in found or "error" in found:
        raise BadFrame(INVALID_REQUEST, "a request has a method, and neither result nor error", id)
    if "id" in found and id is None:
        raise BadFrame(INVALID_REQUEST, "an id is a string or a whole number")
    if params is not None and not isinstance(params, dict):
        raise BadFrame(INVALID_PARAMS, "params is an object", id)
    given = cast(Json, params or {})
    return Notice(method, given) if id is None else Request(id, method, given)


def messages(found: Any, *, batches: bool, most: int) -> Iterable[Any]:
    """The members of a batch, or the one message that it is. Raises BadFrame for a batch where there are none."""
    if not isinstance(found, list):
        return (found,)
    several = cast(list[Any], found)
    if not batches:
        raise BadFrame(INVALID_REQUEST, "several messages in one are of revision 2025-03-26 alone")
    if not several or len(several) > most:
        raise BadFrame(INVALID_REQUEST, f"a batch holds 1 to {most} messages")
    return several


def request(id: Id, method: str, params: Json | None) -> Json:
    return {"jsonrpc": "2.0", "id": id, "method": method, **({"params": params} if params else {})}


def notice(method: str, params: Json | None) -> Json:
    return {"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})}


def answer(id: Id, result: Json) -> Json:
    return {"jsonrpc": "2.0", "id": id, "result": result}


def refusal(id: Id | None, error: RpcError) -> Json:
    said: Json = {"code": error.code, "message": error.message}
    if error.data is not None:
        said["data"] = error.data
    return {"jsonrpc": "2.0", "id": id, "error": said}


def _reply(found: Json, id: Id | None) -> Reply:
    error = found.get("error")
    if id is None or ("result" in found) == (error is not None):
        raise BadFrame(INVALID_REQUEST, "neither a request nor an answer to one of ours", id)
    if error is not None:
        said: Json = cast(Json, error) if isinstance(error, dict) else {}
        code, text = said.get("code"), said.get("message")
        code = code if isinstance(code, int) and not isinstance(code, bool) else INTERNAL_ERROR
        return Reply(id, None, RpcError(code, text if isinstance(text, str) else "", said.get("data")))
    result = found["result"]
    if not isinstance(result, dict):
        return Reply(id, None, RpcError(INTERNAL_ERROR, "the result is not an object"))
    return Reply(id, cast(Json, result), None)


def _id_in(found: Any) -> Id | None:
    id = cast(Json, found).get("id") if isinstance(found, dict) else None
    return id if _is_id(id) else None


def _is_id(id: object) -> TypeGuard[Id]:
    return isinstance(id, int | str) and not isinstance(id, bool)


def _deeper(found: Any, depth: int) -> bool:
    level: list[Any] = [found] if isinstance(found, dict | list) else []
    for _ in range(depth):
        level = [item for one in level for item in _inside(one)]
        if not level:
            return False
    return True


def _inside(value: Any) -> list[Any]:
    """What is in it that can hold something itself."""
    items: Iterable[Any] = cast(Json, value).values() if isinstance(value, dict) else cast(list[Any], value)
    return [item for item in items if isinstance(item, dict | list)]
