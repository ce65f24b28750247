"""Between the protocol's words and Lookahead's: a listed tool, a call of it, and what came back."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final, cast

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json

from lookahead.types import REAL, Action, Observation, Origin, Tool, ToolEffect
from lookahead_integrations.mcp.exchange import INVALID_PARAMS, MODERN, Json, RpcError

ORIGIN: Final = "lookahead/origin"
"""In `_meta` of an answer that did not come from the server: which world said it, and how sure it is."""
DECISION: Final = "lookahead/decision"
"""In `_meta` of an answer to a call that was not done, or not done as it was asked for: what was decided, and why."""

LONGEST: Final = 60_000
"""Characters of one answer that are kept for judging what follows; the client gets all of them."""
VERBATIM: Final = 4 * 1024 * 1024
"""Characters of one answer that a recording keeps as it was spelled."""
CUT: Final = "lookahead.cut"


def tool_of(listed: Mapping[str, Any]) -> Tool | None:
    """A tool as a server lists it; None where that is no description of a tool."""
    output = listed.get("outputSchema")
    schema = listed.get("inputSchema")
    try:
        return Tool(
            name=listed["name"],
            description=listed.get("description") or "",
            parameters=cast(Json, schema) if isinstance(schema, dict) else {},
            result=cast(Json, output) if isinstance(output, dict) else None,
            effect=hinted(listed.get("annotations")),
        )
    except (KeyError, ValidationError):
        return None


def hinted(annotations: object) -> ToolEffect:
    """What a server says of its tool, as far as it is believed: a stranger can warn of itself, not vouch for itself.

    By the protocol `destructiveHint` means nothing beside `readOnlyHint`; and where nothing is said of it, it is true
    of every tool, which tells nobody anything.
    """
    hints: Json = cast(Json, annotations) if isinstance(annotations, dict) else {}
    warns = hints.get("destructiveHint") is True and hints.get("readOnlyHint") is not True
    return "destroys" if warns else "unknown"


def action_of(params: Mapping[str, Any]) -> Action:
    """The call, as it is judged. What cannot be written down cannot be judged, and so is not done."""
    name, arguments = params.get("name"), params.get("arguments")
    if not isinstance(name, str) or not name:
        raise RpcError(INVALID_PARAMS, "tools/call names no tool: params.name is a text")
    if arguments is not None and not isinstance(arguments, dict):
        raise RpcError(INVALID_PARAMS, f"the arguments of {name!r} are no object")
    try:
        action = Action(tool=name, arguments=cast(Json, arguments or {}))
        _ = action.digest
    except (ValueError, RecursionError, OverflowError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise RpcError(INVALID_PARAMS, f"the call of {name!r} cannot be judged, so it is not done: {why}") from None
    return action


def params_of(action: Action, params: Mapping[str, Any]) -> Json:
    """The parameters of a call, saying this action; what else they say stays."""
    return {**params, "name": action.tool, "arguments": action.arguments}


def observation_of(result: Mapping[str, Any], *, verbatim: bool = False) -> Observation:
    """What a tool answered, as data beside the answer itself. Never raises: it has happened.

    With `verbatim` it can be told again as it was: see `result_of`.
    """
    written = _shortened(text_of(result.get("content")), result.get("structuredContent"))
    failed = result.get("isError") is True
    if verbatim and _told(written["content"], written["structured"], failed=failed) != _essence(result):
        written["verbatim"] = _bounded(dict(result), VERBATIM)
    return _observation(written, failed=failed)


def result_of(observation: Observation, *, version: str, meta: Mapping[str, Any] | None = None) -> Json | None:
    """The answer that this tells of, in the client's era; None where too much of it was cut off to tell it again."""
    result = retold(observation)
    if result is None:
        return None
    if meta or observation.origin != REAL:
        said = result.get("_meta")
        marks = {ORIGIN: origin_of(observation.origin), **(meta or {})}
        result["_meta"] = {**(cast(Json, said) if isinstance(said, dict) else {}), **marks}
    return in_era(result, version)


def retold(observation: Observation) -> Json | None:
    """The answer itself, without a word of ours; None where a record of it is not whole."""
    whole = observation.verbatim
    if isinstance(whole, dict):
        return None if set(whole) == {CUT} else dict(whole)
    structured: Any = observation.structured
    cut = isinstance(structured, dict) and set(cast(Json, structured)) == {CUT}
    if cut or "\n[lookahead: the journal keeps the first " in observation.content[-200:]:
        return None
    if _MARK in observation.content[-200:]:
        return None
    return _told(observation.content, structured, failed=observation.failed)


def in_era(result: Json, version: str) -> Json:
    """A result of ours as this revision wants it: the newer ones say of each what kind of result it is."""
    if version in MODERN:
        return {"resultType": "complete", **result}
    return {name: value for name, value in result.items() if name != "resultType"}


def origin_of(origin: Origin) -> Json:
    """For `_meta`: nothing imagined is ever mistaken for something that happened."""
    said: Json = {"kind": origin.kind, "world": origin.world, "imagined": origin.imagined}
    return said if origin.confidence is None else {**said, "confidence": origin.confidence}


def text_of(content: object) -> str:
    """The words in a list of content blocks; of what has none, what it is."""
    if not isinstance(content, list):
        return ""
    return "\n".join(_words(block) for block in cast(list[object], content))


def _words(block: object) -> str:
    if not isinstance(block, Mapping):
        return str(block)
    said = cast(Mapping[str, Any], block)
    kind, words = said.get("type"), said.get("text")
    if kind == "text" and isinstance(words, str):
        return words
    if kind in ("image", "audio"):
        data = said.get("data")
        size = f", {len(data)} characters of base64" if isinstance(data, str) else ""
        return f"[{kind}: {said.get('mimeType', 'of no known kind')}{size}{_named_by(data)}]"
    if kind == "resource_link":
        return f"[resource: {said.get('uri')}{_beside(said.get('name'))}]"
    held = said.get("resource")
    if kind == "resource" and isinstance(held, Mapping):
        inner = cast(Mapping[str, Any], held)
        words, blob = inner.get("text"), inner.get("blob")
        return f"[resource: {inner.get('uri')}{_named_by(blob)}]" + (f"\n{words}" if isinstance(words, str) else "")
    return f"[{kind}{_named_by(_spelled(said))}]"


def _named_by(data: object) -> str:
    """Two pictures of one size are two pictures."""
    return f", sha256 {_sha(data)[:16]}" if isinstance(data, str) else ""


def _beside(name: object) -> str:
    return f" ({name})" if isinstance(name, str) else ""


_MARK: Final = "\n[lookahead: the first "


def _shortened(content: str, structured: Any) -> Json:
    if len(content) > LONGEST:
        content = f"{content[:LONGEST]}{_MARK}{LONGEST} of {len(content)} characters, sha256 {_sha(content)}]"
    return {"content": content, "structured": _bounded(structured, LONGEST)}


def _bounded(value: Any, most: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    spelled = _spelled(value)
    return value if len(spelled) <= most else {CUT: f"{len(spelled)} characters, sha256 {_sha(spelled)}"}


def _observation(written: Json, *, failed: bool) -> Observation:
    try:
        return Observation(**written, failed=failed)
    except ValidationError:
        # Half characters, or what is no JSON at all.
        plain = {name: repr(value) if name != "content" else str(value) for name, value in written.items() if value}
        safe = {name: text.encode("utf-8", "backslashreplace").decode() for name, text in plain.items()}
        return Observation(**cast(Json, safe), failed=failed)


def _told(content: str, structured: Any, *, failed: bool) -> Json:
    result: Json = {"content": [{"type": "text", "text": content}]}
    if structured is not None:
        result["structuredContent"] = structured
    return {**result, "isError": True} if failed else result


def _essence(result: Mapping[str, Any]) -> Json:
    """Without what every answer may say and none need: that it is one, and that it did not fail."""
    idle = {"resultType": "complete", "isError": False}
    return {name: value for name, value in result.items() if not (name in idle and idle[name] == value)}


def _spelled(value: Any) -> str:
    try:
        return to_json(value, inf_nan_mode="constants").decode("utf-8", "replace")
    except (PydanticSerializationError, ValueError):
        return repr(value)


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
