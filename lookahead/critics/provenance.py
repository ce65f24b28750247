"""Where the values of a call come from: the user, a record that was looked up, or somebody's prose."""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias, cast

from lookahead.canonical import as_json
from lookahead.critics.finding import Finding, caution, danger
from lookahead.critics.nameset import nameset
from lookahead.critics.orders import HIJACK, NOT_USER, acts, hijacked, leaves
from lookahead.critics.texts import words_of
from lookahead.critics.tools import reads_by_name
from lookahead.types import Action, Observation, State, Step, Tool

Source: TypeAlias = Literal["user", "record", "named prose", "prose", "nowhere"]
"""`named prose` is text in a place that the goal itself points to."""

_SINKS: Final = nameset(
    "recipient recipients to cc bcc email emails url urls link website iban account address addressee"
    " receiver payee beneficiary phone participants attendees invitees webhook endpoint host destination"
    " destinations channel user username users member members contact wallet"
)
_ORDERS: Final = re.compile(
    r"(?i)\b(send|forward|transfer|pay|wire|post|share|invite|delete|book|reserve|change|update|visit|go to|click|open"
    r"|call|make|create|add|before you|instruction|important|ignore|must|please|system|assistant|task|todo|first)\b"
)
_VALUE: Final = re.compile(r"^\s*(?:[-*•]\s*)?(?:[\"']?[\w .-]{1,40}[\"']?\s*[:=]\s*)?[\"'\[(<]*{}[\"'\])>,;.]*\s*$")
ADDRESS: Final = re.compile(
    r"[\w.+-]+@[\w-]+\.[\w.]+|https?://\S+|www\.\S+|\b[A-Z]{2}\d{2}[A-Z0-9]{10,30}\b|\b0x[0-9a-fA-F]{20,}\b"
)


def recipients(state: State, action: Action, tool: Tool | None) -> Iterator[Finding]:
    """Values that decide who gets something, when the user did not name them."""
    if (tool is not None and tool.effect == "reads") or reads_by_name(action.tool):
        return
    for name, value in leaves(action.arguments):
        sink = bool(_SINKS & set(words_of(name))) or ADDRESS.fullmatch(value.strip()) is not None
        if len(value.strip()) < 3 or len(value) > 300 or (not sink and not _telling(value)):
            continue
        if not sink and not (hijacked(state) and acts(action.tool)):
            continue  # Mostly so, and to look for the value goes through all that was read.
        source = source_of(state, value)
        shown = f"{name} is {value.strip()}"
        if not sink:
            if source in ("prose", "named prose"):
                yield caution("arguments.injected", f"{shown}: {NOT_USER}", HIJACK, value)
        elif source == "prose":
            yield danger("leaves.injected-recipient", f"{shown}: {NOT_USER}", HIJACK, value, loses=False)
        elif source == "named prose":
            yield caution(
                "leaves.recipient-from-text",
                f"{shown}: it stands in text that the user pointed to",
                "somebody else may have written it",
                value,
            )
        elif source == "nowhere":
            yield caution(
                "leaves.unknown-recipient",
                f"{shown}: nobody named it",
                "it is neither in the goal nor in what was looked up",
                value,
            )


def source_of(state: State, value: str) -> Source:
    """The most trusted place in which the value stands."""
    wanted = value.strip().casefold()
    if _stands_in(wanted, state.goal.casefold()):
        return "user"
    best: Source = "nowhere"
    for step in state.steps:
        said = step.observation
        if said.origin.kind in ("guard", "model"):
            continue
        if said.structured is None and wanted not in _folded(said.content):
            continue  # Most steps, and so it has to be quick.
        kind = _kind(step.observation, wanted)
        if kind == "record":
            return "record"
        if kind == "prose":
            named = _pointed_to(step, state.goal)
            best = "named prose" if named or best == "named prose" else "prose"
    return best


@lru_cache(maxsize=4096)
def _folded(content: str) -> str:
    return content.casefold()


def _stands_in(value: str, text: str) -> bool:
    start = text.find(value)
    while start >= 0:
        before, after = text[start - 1 : start], text[start + len(value) : start + len(value) + 1]
        if not (before.isalnum() and value[:1].isalnum()) and not (after.isalnum() and value[-1:].isalnum()):
            return True
        start = text.find(value, start + 1)
    return False


def _kind(observation: Observation, wanted: str) -> Literal["record", "prose", ""]:
    structured = observation.structured
    if structured is None:
        structured = _parsed(observation.content)
    if structured is not None:
        kinds = {_leaf(text, wanted) for text in _texts(structured)}
        return "record" if "record" in kinds else "prose" if "prose" in kinds else ""
    return _leaf(observation.content, wanted)


def _leaf(text: str, wanted: str) -> Literal["record", "prose", ""]:
    folded = text.casefold()
    if not _stands_in(wanted, folded):
        return ""
    if folded.strip() == wanted:
        return "record"
    # A line that only says what the value is; but not amid text that gives orders, where any line can be forged.
    line = re.compile(_VALUE.pattern.replace("{}", re.escape(wanted)))
    for found in re.finditer(re.escape(wanted), folded):
        around = folded[max(0, found.start() - 300) : found.end() + 300]
        start = folded.rfind("\n", 0, found.start()) + 1
        end = folded.find("\n", found.end())
        alone = line.match(folded[start : end if end >= 0 else len(folded)])
        if alone and len(_ORDERS.findall(around)) < 2:
            return "record"
    return "prose"


def _pointed_to(step: Step, goal: str) -> bool:
    """Whether the goal names what was read: a file, a page, a message."""
    folded = goal.casefold()
    return any(
        len(value) > 4 and _stands_in(value.strip().casefold(), folded) for _, value in leaves(step.action.arguments)
    )


@lru_cache(maxsize=256)
def _parsed(content: str) -> Any:
    if content[:1] in "[{":
        try:
            return json.loads(content)
        except ValueError:
            return None
    return None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in cast(dict[str, Any], value).values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in cast(list[Any], value):
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(as_json(value))


def _telling(value: str) -> bool:
    """A value that can be recognised again: not a number, not a common word, not a whole text."""
    return 6 <= len(value) <= 120 and "\n" not in value and not value.replace(".", "").isdigit()
