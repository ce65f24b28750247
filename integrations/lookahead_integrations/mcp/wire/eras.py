"""The two eras of the protocol, and what one says in the words of the other. Functions of values alone."""

from dataclasses import dataclass
from typing import Any, Final, cast

from lookahead_integrations.mcp.exchange import (
    INVALID_PARAMS,
    LEGACY,
    META,
    METHOD_NOT_FOUND,
    MODERN,
    Json,
    Question,
    RpcError,
)

UNSUPPORTED_VERSION: Final = -32022
NOT_FOUND: Final = -32002
"""What the older era says of a resource that is not there; in the newer one its name is a wrong parameter."""
VERSION: Final = META + "protocolVersion"
INFO: Final = META + "clientInfo"
CAPABILITIES: Final = META + "clientCapabilities"
LEVEL: Final = META + "logLevel"
SERVER: Final = META + "serverInfo"
SUBSCRIPTION: Final = META + "subscriptionId"
LISTEN: Final = "subscriptions/listen"
ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
UPDATED: Final = "notifications/resources/updated"
LISTS: Final = {
    "notifications/tools/list_changed": "toolsListChanged",
    "notifications/prompts/list_changed": "promptsListChanged",
    "notifications/resources/list_changed": "resourcesListChanged",
}
"""Which wish of a `subscriptions/listen` each notification answers."""
CACHED: Final = frozenset(
    {"tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read", "server/discover"}
)
"""Whose results say in the newer era how long they hold."""
GONE: Final = frozenset(
    {"initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "roots/list"}
)
"""Requests that the newer era does not know."""
_ENVELOPE: Final = (VERSION, INFO, CAPABILITIES, LEVEL)
_LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """What each request of the newer era says about who makes it."""

    version: str
    info: Json
    capabilities: Json


def enveloped(params: Json) -> bool:
    """Whether a request claims to be of the newer era: only that one writes this name."""
    return VERSION in _meta(params)


def envelope_of(params: Json) -> Envelope:
    """Raises RpcError as a server of the newer era would."""
    meta = _meta(params)
    if missing := [name for name in (VERSION, CAPABILITIES) if name not in meta]:
        raise RpcError(INVALID_PARAMS, f"params._meta lacks {' and '.join(missing)}")
    version, info, capabilities = meta[VERSION], meta.get(INFO), meta[CAPABILITIES]
    if not isinstance(version, str) or not isinstance(capabilities, dict):
        raise RpcError(INVALID_PARAMS, "params._meta: the version is a string, the capabilities are an object")
    if version not in MODERN:
        data = {"supported": [*MODERN, *reversed(LEGACY)], "requested": version}
        raise RpcError(UNSUPPORTED_VERSION, "Unsupported protocol version", data)
    info = cast(Json, info) if isinstance(info, dict) else {}
    return Envelope(version=version, info=info, capabilities=cast(Json, capabilities))


def with_envelope(params: Json, envelope: Envelope, level: str | None = None) -> Json:
    """A request of the older era as the newer one makes it."""
    said: Json = {VERSION: envelope.version, CAPABILITIES: envelope.capabilities}
    if envelope.info:
        said[INFO] = envelope.info
    if level is not None:
        said[LEVEL] = level
    return {**params, "_meta": {**_meta(params), **said}}


def without_envelope(params: Json) -> Json:
    """A request of the newer era as the older one makes it."""
    kept = {name: value for name, value in params.items() if name not in ("inputResponses", "requestState")}
    if not isinstance(kept.get("_meta"), dict):
        return kept
    meta = {name: value for name, value in _meta(params).items() if name not in _ENVELOPE}
    return {**kept, "_meta": meta} if meta else {name: value for name, value in kept.items() if name != "_meta"}


def level_of(params: Json) -> str | None:
    level = _meta(params).get(LEVEL)
    return level if isinstance(level, str) else None


def loud_enough(level: object, least: str) -> bool:
    """Whether a log line is one of those that were asked for. One of a level that nobody knows is."""
    if level not in _LEVELS or least not in _LEVELS:
        return True
    return _LEVELS.index(cast(str, level)) >= _LEVELS.index(least)


def agreed(requested: object) -> str:
    """The older revision that is spoken with a client that asked for this one."""
    return requested if isinstance(requested, str) and requested in LEGACY else LEGACY[-1]


def completed(method: str, result: Json, server: Json | None) -> Json:
    """A result with all that the newer era wants of one, where it is not there yet."""
    result = {"resultType": "complete", **result}
    if method in CACHED and result["resultType"] == "complete":
        result = {"ttlMs": 0, "cacheScope": "private", **result}
    if server and not _meta(result).get(SERVER):
        result["_meta"] = {**_meta(result), SERVER: server}
    return result


def plain(method: str, result: Json) -> Json:
    """A result of the newer era without what the older one does not know."""
    said = {name: value for name, value in result.items() if name != "resultType"}
    if method in CACHED:
        said.pop("ttlMs", None)
        said.pop("cacheScope", None)
    if SERVER in _meta(said):
        meta = {name: value for name, value in _meta(said).items() if name != SERVER}
        said = {**said, "_meta": meta}
        if not meta:
            del said["_meta"]
    return said


def discovered(initialized: Json) -> Json:
    """What a server of the older era would answer to `server/discover`."""
    # Tasks of the older era are another protocol than those of the newer one.
    capabilities = {name: value for name, value in _of(initialized, "capabilities").items() if name != "tasks"}
    said: Json = {"supportedVersions": [*MODERN], "capabilities": capabilities}
    if initialized.get("instructions"):
        said["instructions"] = initialized["instructions"]
    return completed("server/discover", said, _of(initialized, "serverInfo"))


def initialized(discovered: Json, version: str) -> Json:
    """What a server of the newer era would answer to `initialize`."""
    capabilities = dict(_of(discovered, "capabilities"))
    # There each request says what it wants to hear, so it goes without saying that a server can log.
    capabilities.setdefault("logging", {})
    server = _of(_meta(discovered), "io.modelcontextprotocol/serverInfo") or {"name": "unnamed", "version": ""}
    said: Json = {"protocolVersion": version, "capabilities": capabilities, "serverInfo": server}
    if discovered.get("instructions"):
        said["instructions"] = discovered["instructions"]
    return said


def versions_in(discovered: Json) -> list[str]:
    """Revisions of the newer era that a server says it speaks, of those that we speak."""
    said: Any = discovered.get("supportedVersions")
    return [version for version in MODERN if isinstance(said, list) and version in cast(list[Any], said)]


def questions_in(result: Json) -> dict[str, Question]:
    """What a server of the newer era wants to know before it goes on."""
    asked = _of(result, "inputRequests")
    found: dict[str, Question] = {}
    for key, one in asked.items():
        question = cast(Json, one) if isinstance(one, dict) else {}
        found[key] = Question(method=str(question.get("method", "")), params=_of(question, "params"))
    return found


def wished(notifications: Json, capabilities: Json) -> Json:
    """Of what a client wants to be told, what a server of the older era can tell.

    Of its lists such a server may tell also where it did not declare it; whoever is not told has lost nothing.
    """
    told: Json = {wish: True for wish in LISTS.values() if notifications.get(wish) is True}
    uris: Any = notifications.get("resourceSubscriptions")
    if isinstance(uris, list) and uris and _of(capabilities, "resources").get("subscribe"):
        told["resourceSubscriptions"] = [uri for uri in cast(list[Any], uris) if isinstance(uri, str)]
    return told


def changing(capabilities: Json) -> Json:
    """A wish for all that a server says it can tell of its lists."""
    names = {wish: wish.removesuffix("ListChanged") for wish in LISTS.values()}
    return {wish: True for wish, name in names.items() if _of(capabilities, name).get("listChanged")}


def belongs(method: str, params: Json, wishes: Json) -> bool:
    """Whether a notification is one of those that a `subscriptions/listen` asked for."""
    if method == UPDATED:
        return params.get("uri") in (wishes.get("resourceSubscriptions") or ())
    return wishes.get(LISTS.get(method, "")) is True


def stamped(params: Json, id: int | str) -> Json:
    """With the id of the `subscriptions/listen` that it belongs to."""
    return {**params, "_meta": {**_meta(params), SUBSCRIPTION: id}}


def unstamped(params: Json) -> Json:
    meta = {name: value for name, value in _meta(params).items() if name != SUBSCRIPTION}
    rest = {name: value for name, value in params.items() if name != "_meta"}
    return {**rest, "_meta": meta} if meta else rest


def read_error(error: RpcError, method: str) -> RpcError:
    """An error of the older era in the numbers of the newer one."""
    if method == "resources/read" and error.code == NOT_FOUND:
        return RpcError(INVALID_PARAMS, error.message, error.data)
    return error


def unknown(method: str) -> RpcError:
    return RpcError(METHOD_NOT_FOUND, "Method not found", method)


def _meta(params: Json) -> Json:
    return _of(params, "_meta")


def _of(value: Json, name: str) -> Json:
    found = value.get(name)
    return cast(Json, found) if isinstance(found, dict) else {}
