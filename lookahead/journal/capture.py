"""From an entry to a row: secrets out, size bounded, JSON that can always be read back."""

import hashlib
import json
import math
import re
from typing import Any, Final, Protocol, cast

from pydantic import JsonValue

from lookahead.journal.chain import Row
from lookahead.journal.entries import ENTRY, Decided, Entry, Granted, Intended, Pruned, Spent
from lookahead.journal.owner import me

CAP: Final = 64 * 1024
"""How many characters of one observation are kept."""
MARGIN: Final = 16 * 1024
"""Looked at for secrets beyond the cap, so that none is cut in half and kept."""
EFFECTS: Final = 1000
"""How many effects of one observation are kept."""
LONG: Final = 10_000
"""Bits of a number beyond which Python refuses to write it in decimal."""

_OURS: Final = ("run", "call", "state", "tool_digest", "action_digest", "binding", "approval_id", "owner")
"""Names and digests that only our own code fills: a name that is changed is lost."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Redact(Protocol):
    """Takes secrets out of a JSON value."""

    def json(self, value: JsonValue) -> JsonValue: ...


def captured(entry: Entry, redact: Redact) -> Row:
    """The row that says what the entry says, and nothing that it should not."""
    if isinstance(entry, Intended) and entry.owner is None:
        entry = entry.model_copy(update={"owner": me()})
    body: dict[str, Any] = entry.model_dump(mode="json")
    notes = [_trim(observation) for observation in _observations(body)]
    clean = body
    if not isinstance(entry, Pruned):
        clean = cast(dict[str, Any], redact.json(body))
        _restore(clean, body)
    for observation, note in zip(_observations(clean), notes, strict=True):
        if note:
            observation["content"] = observation["content"][:CAP] + note
    name, key = _looked_up_by(entry, redact)
    return Row(
        run=_text(getattr(entry, "run", "")),
        call=_text_or_none(getattr(entry, "call", None)),
        kind=entry.kind,
        name=_text_or_none(name),
        key=_text_or_none(key),
        body=dumped(clean),
    )


def read(body: str) -> Entry:
    """The entry in a row."""
    return ENTRY.validate_python(json.loads(body))


def outer_name(name: str | None, redact: Redact) -> str | None:
    """A name that somebody else gave. One that looks like a secret is stored as a digest, so that two stay two."""
    if name is None or redact.json(name) == name:
        return name if name is None else _text(name)
    return f"redacted:{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def _looked_up_by(entry: Entry, redact: Redact) -> tuple[str | None, str | None]:
    if isinstance(entry, Decided):
        return outer_name(entry.decision.proposed.call_id, redact), entry.decision.proposed.digest
    if isinstance(entry, Intended):
        return outer_name(entry.call_id, redact), entry.action_digest
    if isinstance(entry, Granted):
        return entry.approval.id, entry.approval.binding
    if isinstance(entry, Spent):
        return None, entry.approval_id
    return None, None


def _restore(clean: dict[str, Any], body: dict[str, Any]) -> None:
    for name in _OURS:
        if name in body:
            clean[name] = body[name]
    clean["kind"] = body["kind"]
    if "decision" in body:
        clean["decision"]["id"] = body["decision"]["id"]
        clean["decision"]["state"] = body["decision"]["state"]
    if "approval" in body:
        for name in ("id", "binding", "seen"):
            clean["approval"][name] = body["approval"][name]


def _observations(body: dict[str, Any]) -> list[dict[str, Any]]:
    if "observation" in body:
        return [body["observation"]]
    if "decision" not in body:
        return []
    considered = body["decision"]["considered"]
    return [step["observation"] for future in considered for step in future["rollout"]["steps"]]


def _trim(observation: dict[str, Any]) -> str:
    """Bound the size before the costly part; returns what is to be said where content was cut off."""
    effects = observation["effects"]
    if effects is not None and len(effects) > EFFECTS:
        rest = f"and {len(effects) - EFFECTS + 1} more effects that the journal does not keep"
        last = {"what": "effect", "before": None, "after": None, "unit": None, "recoverable": None}
        observation["effects"] = [
            *effects[: EFFECTS - 1],
            {**effects[EFFECTS - 1], **last, "target": "…", "detail": rest},
        ]
    structured = observation["structured"]
    if isinstance(structured, str | list | dict):
        text = json.dumps(structured)
        if len(text) > CAP:
            observation["structured"] = {"lookahead.cut": _size(text)}
    content = observation["content"]
    if len(content) <= CAP:
        return ""
    observation["content"] = content[: CAP + MARGIN]
    return f"\n[lookahead: the journal keeps the first {CAP} of {_size(content)}]"


def _size(text: str) -> str:
    return f"{len(text)} characters, sha256 {hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def dumped(body: dict[str, Any]) -> str:
    """One spelling, which survives being read and written again."""
    try:
        text = json.dumps(body, separators=(",", ":"), allow_nan=False)
        if "\\ud" not in text:
            return text
    except ValueError:
        pass
    return json.dumps(_readable(body), separators=(",", ":"), allow_nan=False)


def _readable(value: Any) -> Any:
    """What JSON or SQLite cannot hold, as text: no result may be lost because of an odd number or a half character."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {_text(key): _readable(item) for key, item in cast(dict[str, Any], value).items()}
    if isinstance(value, list):
        return [_readable(item) for item in cast(list[Any], value)]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and value.bit_length() > LONG:
        return hex(value)
    return value


def _text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode() if _SURROGATE.search(text) else text


def _text_or_none(text: str | None) -> str | None:
    return None if text is None else _text(text)
