"""From an entry to a row: secrets out, size bounded, JSON that can always be read back."""

import hashlib
import json
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, TypeAlias, cast

from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, to_json

from lookahead.canonical import digest_of
from lookahead.errors import JournalCorrupt
from lookahead.journal.chain import Row
from lookahead.journal.entries import ENTRY, Decided, Entry, Granted, Intended, Spent, Started
from lookahead.journal.owner import me

CAP: Final = 64 * 1024
"""How many characters of one observation are kept."""
MARGIN: Final = 16 * 1024
"""Looked at for secrets beyond the cap, so that none is cut in half and kept."""
EFFECTS: Final = 1000
"""How many effects of one observation are kept."""
LONG: Final = 10_000
"""Bits of a number beyond which Python refuses to write it in decimal."""

_OURS: Final = (
    *("kind", "run", "call", "state", "tool_digest", "action_digest", "binding", "approval_id", "owner"),
    *("anchor", "kept_digest"),
)
_INSIDE: Final = {"decision": ("id", "state"), "approval": ("id", "binding", "seen")}
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_MANY: Final = 3000
_DIGITS: Final = re.compile(rf"\d{{{_MANY}}}")


_TOOLS: Final = {"tools"}
_AGENTS: Final = 64
_tools: Final[dict[Any, JsonValue]] = {}
"""Lists of tools without their secrets: so many, by redactor, by how much it knew, and by digest."""


class Redact(Protocol):
    """Takes secrets out of a JSON value."""

    def json(self, value: JsonValue) -> JsonValue: ...


def captured(entries: Sequence[Entry], redact: Redact) -> list[Row]:
    """The rows that say what the entries say, and nothing that they should not."""
    bodies = [_body(entry) for entry in entries]
    notes = [[_trim(observation) for observation in _observations(body)] for body in bodies]
    # Reading for secrets is the dearest part: done once, and not for what is ours or said already.
    ours = [_take_ours(body) for body in bodies]
    folded = _fold(entries, bodies)
    clean = _clean(entries, bodies, redact)
    _unfold(clean, folded)
    for body, mine in zip(clean, ours, strict=True):
        for noun, names in mine:
            (body[noun] if noun else body).update(names)
    for body, cut in zip(clean, notes, strict=True):
        for observation, note in zip(_observations(body), cut, strict=True):
            if note:
                observation["content"] = observation["content"][:CAP] + note
    return [_row(entry, body) for entry, body in zip(entries, clean, strict=True)]


def _clean(entries: Sequence[Entry], bodies: list[dict[str, Any]], redact: Redact) -> list[dict[str, Any]]:
    """Without secrets. The tools of an agent are the same in each of its conversations, and read once."""
    learnt = getattr(redact, "learnt", None)
    known = [_known_tools(entry, redact, learnt) for entry in entries]
    for body, entry, (_, tools) in zip(bodies, entries, known, strict=True):
        if isinstance(entry, Started):
            # Written out where nobody knows them yet, and only there.
            body["tools"] = [tool.model_dump(mode="json") for tool in entry.tools] if tools is None else []
    # Ours to give away: where nothing is to be hidden, which is the rule, nothing need be built anew.
    hide = cast(Callable[[JsonValue], JsonValue], getattr(redact, "own", redact.json))
    clean = cast(list[dict[str, Any]], hide(cast(JsonValue, bodies)))
    for body, entry, (key, tools) in zip(clean, entries, known, strict=True):
        if key is None:
            continue
        if getattr(redact, "learnt", None) != learnt:
            # What was just learnt may stand in them too.
            body["tools"] = redact.json(cast(JsonValue, entry.model_dump(mode="json")["tools"]))
        elif tools is not None:
            body["tools"] = tools
        else:
            if len(_tools) >= _AGENTS:
                _tools.clear()
            _tools[key] = body["tools"]
    return clean


def _known_tools(entry: Entry, redact: Redact, learnt: int | None) -> tuple[Any, JsonValue]:
    """By what they are known, and what they read like without secrets, if that is known."""
    if not isinstance(entry, Started) or learnt is None or not entry.tools:
        return None, None
    key = (redact, learnt, *(tool.digest for tool in entry.tools))
    return key, _tools.get(key)


def _body(entry: Entry) -> dict[str, Any]:
    body = entry.model_dump(mode="json", exclude=_TOOLS if isinstance(entry, Started) else None)
    if isinstance(entry, Intended) and entry.owner is None:
        body["owner"] = me().model_dump(mode="json")
    return body


def _row(entry: Entry, body: dict[str, Any]) -> Row:
    name, key = _looked_up_by(entry)
    call = getattr(entry, "call", None)
    return Row(
        run=storable(getattr(entry, "run", "")),
        call=None if call is None else storable(call),
        kind=entry.kind,
        name=None if name is None else storable(name),
        key=None if key is None else storable(key),
        body=dumped(body),
    )


def read(body: str) -> Entry:
    """The entry in a row."""
    try:
        return ENTRY.validate_python(json.loads(body))
    except ValueError as error:
        raise JournalCorrupt("a row of the journal is no entry of one. See: lookahead journal verify") from error


def outer_name(name: str, run: str) -> str:
    """A name that the agent gave, as it is looked up by: a digest, so that two stay two whatever is redacted.

    Of the run too: where every conversation calls its first call the same, none is searched among those of all others.
    """
    return digest_of("call_id", run, name)


def outer_names(name: str, run: str) -> tuple[str, str]:
    """The same, and as journals have it that were written before a run belonged to it."""
    return outer_name(name, run), digest_of("call_id", name)


def _looked_up_by(entry: Entry) -> tuple[str | None, str | None]:
    if isinstance(entry, Decided):
        proposed = entry.decision.proposed
        return None if proposed.call_id is None else outer_name(proposed.call_id, entry.run), proposed.digest
    if isinstance(entry, Intended):
        return None if entry.call_id is None else outer_name(entry.call_id, entry.run), entry.action_digest
    if isinstance(entry, Granted):
        return entry.approval.id, entry.approval.binding
    if isinstance(entry, Spent):
        return None, entry.approval_id
    return None, None


def _take_ours(body: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Take out what only our own code fills: a name that is changed is lost."""
    found = [("", {name: body.pop(name) for name in _OURS if name in body})]
    for noun, names in _INSIDE.items():
        if noun in body:
            found.append((noun, {name: body[noun].pop(name) for name in names}))
    return found


_Place: TypeAlias = tuple[int, int, int]
"""Where an action is said again: in which body, as which of its actions, and in which body it was proposed."""


def _fold(entries: Sequence[Entry], bodies: list[dict[str, Any]]) -> list[_Place]:
    """Take out the action where it is said again, in its decision or in its intent; returns where."""
    folded: list[_Place] = []
    proposed: dict[str, int] = {}
    for number, (entry, body) in enumerate(zip(entries, bodies, strict=True)):
        if isinstance(entry, Decided):
            proposed[entry.call] = first = number
        elif (known := proposed.get(getattr(entry, "call", ""))) is not None:
            first = known
        elif "decision" in body:
            first = number
        else:
            continue
        original = bodies[first]["decision"]["proposed"]
        for place, (holder, name) in enumerate(_actions(body)):
            if holder[name] == original:
                holder[name] = None
                folded.append((number, place, first))
    return folded


def _unfold(bodies: list[dict[str, Any]], folded: list[_Place]) -> None:
    for number, place, first in folded:
        holder, name = _actions(bodies[number])[place]
        holder[name] = bodies[first]["decision"]["proposed"]


def _actions(body: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    if "decision" not in body:
        return [(body, "action")] if "action" in body else []
    futures = [future["rollout"] for future in body["decision"]["considered"]]
    steps = [step for future in futures for step in future["steps"]]
    return [(body["decision"], "chosen"), *((holder, "action") for holder in (*futures, *steps))]


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
        text = dumped(cast(JsonValue, structured))
        if len(text) > CAP:
            observation["structured"] = {"lookahead.cut": _size(text)}
    content = observation["content"]
    if len(content) <= CAP:
        return ""
    observation["content"] = content[: CAP + MARGIN]
    return f"\n[lookahead: the journal keeps the first {CAP} of {_size(content)}]"


def _size(text: str) -> str:
    return f"{len(text)} characters, sha256 {hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def dumped(body: object) -> str:
    """One spelling, which survives being read and written again."""
    try:
        text = to_json(body, inf_nan_mode="constants").decode()
    except (PydanticSerializationError, ValueError):
        pass
    else:
        if not _odd(text):
            return text
    return to_json(_readable(body)).decode()


def _odd(text: str) -> bool:
    """Whether something in it may be a number that JSON or Python cannot read back."""
    return "NaN" in text or "Infinity" in text or (len(text) >= _MANY and _DIGITS.search(text) is not None)


def _readable(value: Any) -> Any:
    """What JSON or SQLite cannot hold, as text: no result may be lost because of an odd number or a half character."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(key): _readable(item) for key, item in cast(dict[str, Any], value).items()}
    if isinstance(value, list):
        return [_readable(item) for item in cast(list[Any], value)]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and value.bit_length() > LONG:
        return hex(value)
    return value


def storable(text: str) -> str:
    """A text as the file can hold it: half characters are spelled out."""
    return text.encode("utf-8", "backslashreplace").decode() if _SURROGATE.search(text) else text
