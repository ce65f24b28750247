"""The HTTP headers that repeat what a request of 2026-07-28 says in its body, so that a gateway can route by them.

A gateway that believes the header and a server that believes the body can be played against each other: so both ends
check that they agree.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from lookahead_integrations.mcp.exchange import INVALID_PARAMS, MODERN, Json, RpcError
from lookahead_integrations.mcp.wire import eras
from lookahead_integrations.mcp.wire.parked import MISSING_CAPABILITY

VERSION: Final = "mcp-protocol-version"
METHOD: Final = "mcp-method"
NAME: Final = "mcp-name"
PARAM: Final = "mcp-param-"

HEADER_MISMATCH: Final = -32020

STATUS: Final[Mapping[int, int]] = {
    -32700: 400,
    -32600: 400,
    -32602: 400,
    -32601: 404,
    HEADER_MISMATCH: 400,
    MISSING_CAPABILITY: 400,
    eras.UNSUPPORTED_VERSION: 400,
}
"""The HTTP status of an error's code; every other is 200."""

NAMED_BY: Final[Mapping[str, str]] = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}

_PLAIN: Final = re.compile(r"[\x20-\x7e]*")
_WRAPPED: Final = re.compile(r"=\?base64\?(.*)\?=")
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_DECIMAL: Final = re.compile(r"(-?[0-9]+)(?:\.0+)?")
_ONE: Final = ("items", "contains", "unevaluatedItems", "additionalProperties", "propertyNames",
               "unevaluatedProperties", "not", "if", "then", "else", "contentSchema")  # fmt: skip
_SEVERAL: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_BY_NAME: Final = ("patternProperties", "dependentSchemas", "$defs", "definitions")

Path = tuple[str, ...]


def encoded(value: str) -> str:
    """A value as a header can carry it: as it is, or wrapped in base64 where it would not arrive as it left."""
    if _PLAIN.fullmatch(value) and value == value.strip() and not _WRAPPED.fullmatch(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode('utf-8', 'surrogatepass')).decode()}?="


def decoded(value: str | None) -> str | None:
    """What was encoded; None where nothing was sent, or what was sent cannot be read in exactly one way."""
    if value is None or (wrapped := _WRAPPED.fullmatch(value)) is None:
        return value
    try:
        raw = base64.b64decode(wrapped[1], validate=True)
        return raw.decode() if base64.b64encode(raw).decode() == wrapped[1] else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def refusal(body: Json, pairs: Sequence[tuple[str, str]]) -> RpcError | None:
    """Why a request of this era is not understood: its envelope is missing, or its headers say something else."""
    params = cast("Json", body.get("params") or {})
    meta = params.get("_meta")
    meta = cast("Json", meta) if isinstance(meta, dict) else {}
    if missing := [key for key in (eras.VERSION, eras.CAPABILITIES) if key not in meta]:
        return RpcError(INVALID_PARAMS, f"params._meta lacks {' and '.join(missing)}")
    headers: dict[str, str] = {}
    for name, value in pairs:
        if name in (VERSION, METHOD, NAME) and name in headers:
            return RpcError(HEADER_MISMATCH, f"the header {name} was sent twice")
        headers[name] = value
    if headers.get(VERSION) != meta[eras.VERSION]:
        return RpcError(HEADER_MISMATCH, f"the header {VERSION} is not the version of the envelope")
    if headers.get(METHOD) != body.get("method"):
        return RpcError(HEADER_MISMATCH, f"the header {METHOD} is not the method of the body")
    key = NAMED_BY.get(body["method"])
    value = params.get(key) if key else None
    if value is not None and decoded(headers.get(NAME)) != value:
        return RpcError(HEADER_MISMATCH, f"the header {NAME} is not the {key} of the body")
    if (version := str(meta[eras.VERSION])) in MODERN:
        return None
    data = {"supported": list(MODERN), "requested": version}
    return RpcError(eras.UNSUPPORTED_VERSION, "Unsupported protocol version", data)


def headers_of(method: str, params: Json, version: str) -> dict[str, str]:
    """The headers that go with a request of this era, but for those of a tool's arguments."""
    headers = {VERSION: version, METHOD: method}
    key = NAMED_BY.get(method)
    if key and isinstance(value := params.get(key), str):
        headers[NAME] = encoded(value)
    return headers


def param_headers(schema: object, arguments: Mapping[str, Any]) -> dict[str, str]:
    """The headers that a tool wants to be sent with some of its arguments."""
    headers: dict[str, str] = {}
    for path, (token, _) in (_declared(schema) or {}).items():
        text = _rendered(_at(arguments, path))
        if text is not None:
            headers[PARAM + token] = encoded(text)
    return headers


def wants_headers(schema: object) -> bool:
    return bool(_declared(schema))


def param_refusal(schema: object, arguments: Mapping[str, Any], pairs: Iterable[tuple[str, str]]) -> RpcError | None:
    """Where the headers of a call's arguments are not what its arguments are. A schema that declares them wrongly
    declares none: a client drops such a tool."""
    sent: dict[str, list[str]] = {}
    for name, value in pairs:
        if name.startswith(PARAM):
            sent.setdefault(name, []).append(value)
    for path, (token, kind) in (_declared(schema) or {}).items():
        name = PARAM + token.lower()
        values, argument = sent.get(name, []), _at(arguments, path)
        text = _rendered(argument)
        if len(values) > 1:
            return RpcError(HEADER_MISMATCH, f"the header {name} was sent twice")
        if (text is None) != (not values):
            missing = "the argument" if values else "the header"
            return RpcError(HEADER_MISMATCH, f"{missing} of {name} is missing")
        if values and not _same(decoded(values[0]), text, argument, kind):
            return RpcError(HEADER_MISMATCH, f"the header {name} is not the argument {'.'.join(path)}")
    return None


def _same(sent: str | None, text: str | None, argument: object, kind: object) -> bool:
    if sent == text:
        return sent is not None
    number = _DECIMAL.fullmatch(sent or "")
    if kind != "integer" or number is None or isinstance(argument, bool) or not isinstance(argument, int | float):
        return False
    return len(number[1]) < 1000 and argument == int(number[1])


def _rendered(value: object) -> str | None:
    """A value as text, or None where no header can hold it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        return str(value) if isinstance(value, str | int | float) else None
    except ValueError:  # an integer of thousands of digits
        return None


def _at(arguments: Mapping[str, Any], path: Path) -> object:
    node: object = arguments
    for key in path:
        node = cast("Mapping[str, object]", node).get(key) if isinstance(node, Mapping) else None
    return node


def _declared(schema: object) -> dict[Path, tuple[str, object]] | None:
    """Which arguments go into which header; None where the schema breaks a rule on that."""
    found: dict[Path, tuple[str, object]] = {}
    seen: set[str] = set()
    for path, node in _positions(schema):
        if "x-mcp-header" not in node:
            continue
        token, kind = node["x-mcp-header"], node.get("type")
        if not path or not isinstance(token, str) or not _TOKEN.fullmatch(token) or token.lower() in seen:
            return None
        if kind not in ("string", "integer", "boolean"):
            return None
        seen.add(token.lower())
        found[path] = (token, kind)
    return found


def _positions(root: object) -> Iterator[tuple[Path | None, Json]]:
    """Every schema within a schema, with the way to it where that leads through `properties` alone. No `$ref` is
    followed, and what is data (a default, an example) is not mistaken for a schema."""
    stack: list[tuple[Path | None, object]] = [((), root)]
    while stack:
        path, node = stack.pop()
        if not isinstance(node, dict):
            continue
        schema = cast("Json", node)
        yield path, schema
        for key, value in schema.items():
            if key in _ONE:
                stack.append((None, value))
            elif key in _SEVERAL and isinstance(value, list):
                stack += [(None, each) for each in cast("list[object]", value)]
            elif key == "properties" and isinstance(value, dict):
                named = cast("Json", value).items()
                stack += [(None if path is None else (*path, name), each) for name, each in named]
            elif key in _BY_NAME and isinstance(value, dict):
                stack += [(None, each) for each in cast("Json", value).values()]
