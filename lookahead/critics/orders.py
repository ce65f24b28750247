"""Text that speaks to the agent and gives it orders: the mark of an attack, and what makes later calls suspicious."""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from pydantic import JsonValue

from lookahead.canonical import as_json
from lookahead.critics.finding import Finding, caution
from lookahead.critics.history import History
from lookahead.critics.nameset import nameset
from lookahead.critics.texts import words_of
from lookahead.critics.tools import reads_by_name
from lookahead.types import Action, State, Step, Tool

NOT_USER: Final = "not from the user, but from text that a tool returned"
HIJACK: Final = "text that gives orders is how agents are hijacked"

_COMMANDS: Final = re.compile(
    r"(?i)\b(ignore (all|any|your|the|previous|prior|earlier) (\w+ )?(instructions?|rules|orders|task|prompt|messages?)"
    r"|disregard (all|any|your|the|previous)|forget (everything|your (task|instructions))"
    r"|new instructions? (for|to) you|system prompt"
    r"|before you (can|continue|go on|proceed|start|solve|finish|do anything)|do this first"
    r"|(to you|dear|the ai|hey),? assistant|important (message|instructions?) (from|to|for)|your new task"
    r"|(ignore|instead of) (your|what you were|the user)|do not (tell|mention (this|it)|inform) )"
    r"|<\s*/?(information|system|important|instructions?)\s*>"
)
_KINDS: Final = tuple(
    (nameset(tool), re.compile(rf"(?i)\b({goal})"))
    for tool, goal in (
        (
            "delete remove cancel clear drop purge wipe erase archive",
            "delet|remov|cancel|clear|eras|drop|purg|wip|clean|archiv|get rid|kick",
        ),
        ("reserve book order buy purchase checkout", "book|reserv|buy|purchas|order (me|it|a|an|some|the)"),
        (
            "pay transfer refund money wire transaction withdraw donate",
            "pay|transfer|refund|wire|money|send|donat|rent|bill|split|transaction|withdraw",
        ),
        ("password credentials key token permission role", "password|credential|key|token|permission|role"),
        (
            "send forward email mail message reply dm sms notify",
            "send|forward|e-?mail|mail|messag|repl|writ|contact|tell|inform|notif|ask|dm|sms|shar|invit",
        ),
        ("invite share grant add", "invit|shar|grant|add|access|creat|includ|put|join"),
        (
            "create schedule post publish upload append insert",
            "creat|schedul|post|publish|upload|append|insert|add|mak|writ|plan|remind|note|put|event|appointment"
            "|save|draft|book",
        ),
        (
            "update change set modify edit reschedule move rename",
            "updat|chang|set|modif|edit|reschedul|mov|renam|adjust|correct|fix|switch",
        ),
    )
)
"""What a tool's name says it does, and how a goal would ask for that."""


_OUTWARD: Final = nameset(
    "reserve book order buy purchase checkout pay transfer refund money wire donate password credentials permission"
    " send forward email mail message reply dm sms invite share grant"
)


def hijacked(state: State) -> bool:
    """Whether something that was read speaks to the agent and gives it orders."""
    return _HIJACKED.of(state)


def _commanded(before: bool, step: Step) -> bool:
    said = step.observation
    if before or said.origin.kind in ("guard", "model"):
        return before
    return _commands(said.content) or bool(said.structured and _commands(_written(said.structured)))


def _written(structured: JsonValue) -> str:
    try:
        return json.dumps(structured)
    except ValueError:
        # A number too long to be written in decimal.
        return json.dumps(as_json(structured))


_HIJACKED: Final = History(lambda: False, _commanded)


@lru_cache(maxsize=1024)
def _commands(text: str) -> bool:
    return _COMMANDS.search(text) is not None


def unasked(state: State, action: Action, tool: Tool | None) -> Iterator[Finding]:
    """After reading text that gives orders, a call of a kind that the goal says nothing about."""
    reads = (tool is not None and tool.effect == "reads") or reads_by_name(action.tool)
    if reads or not state.goal or not hijacked(state):
        return
    verbs, goal, arguments = set(words_of(action.tool.rpartition("__")[2])), state.goal.casefold(), action.arguments
    for tool_words, goal_words in _KINDS:
        if tool_words & verbs and not goal_words.search(state.goal):
            what = f"the goal does not ask to {' '.join(words_of(action.tool))}"
            yield caution("goal.not-asked", what, "text that gives orders was read before", action.tool)
            return
        if tool_words & verbs & _OUTWARD and not all(
            value.strip().casefold() in goal for _, value in leaves(arguments)
        ):
            what = f"{action.tool} reaches others, and not all of it is in the goal"
            yield caution("goal.orders-in-sight", what, "text that gives orders was read before", action.tool)
            return


def acts(tool: str) -> bool:
    """Whether a tool's name says that it does something to others or to what is kept."""
    return any(words & set(words_of(tool.rpartition("__")[2])) for words, _ in _KINDS)


def leaves(value: "dict[str, JsonValue] | list[JsonValue]", name: str = "") -> Iterator[tuple[str, str]]:
    """Every text among some arguments, with the name that it stands under."""
    items = value.items() if isinstance(value, dict) else ((name, item) for item in value)
    for key, item in items:
        if isinstance(item, dict | list):
            yield from leaves(item, key)
        elif isinstance(item, str):
            yield key, item
