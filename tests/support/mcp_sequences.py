"""Sequences of simulated writes and reads, made from a seed, each answer held to what an oracle says is right."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from mcp_kept import FILES, GRAPH, TEXT, tool
from mcp_oracle import Files, Graph, Issues, Notes, Right

from lookahead.types import Action, Observation, Origin, State

Use = Callable[[str, dict[str, Any]], Awaitable[tuple[str, bool]]]
STEPS = 24

_LISTED = {"type": "object"}


def _given(**names: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in names.items()},
        "required": [*names],
    }


WORDS: list[dict[str, str]] = [
    {
        "put": "save_note",
        "get": "read_note",
        "delete": "delete_note",
        "list": "list_notes",
        "rename": "rename_note",
        "append": "append_to_note",
        "key": "title",
        "value": "content",
        "old": "old_title",
        "new": "new_title",
    },
    {"put": "kv_set", "get": "kv_get", "delete": "kv_del", "list": "kv_keys", "key": "key", "value": "value"},
    {"put": "storeMemory", "get": "recallMemory", "delete": "forgetMemory", "key": "memory_key", "value": "text"},
    {
        "put": "upsert-document",
        "get": "fetch-document",
        "delete": "remove-document",
        "key": "document_id",
        "value": "body",
    },
]


def note_tools(word: dict[str, str]) -> list[dict[str, Any]]:
    key, value = word["key"], word["value"]
    kept = [
        tool(word["put"], "", _given(**{key: "string", value: "string"})),
        tool(word["get"], "", _given(**{key: "string"})),
        tool(word["delete"], "", _given(**{key: "string"})),
    ]
    if "list" in word:
        kept.append(tool(word["list"], "", _LISTED))
    if "rename" in word:
        kept.append(tool(word["rename"], "", _given(**{word["old"]: "string", word["new"]: "string"})))
    if "append" in word:
        kept.append(tool(word["append"], "", _given(**{key: "string", value: "string"})))
    return kept


_ISSUE = {
    "type": "object",
    "properties": {"number": {"type": "integer"}, "title": TEXT, "body": TEXT, "state": TEXT},
    "required": ["number", "title"],
}
_ISSUES = {"type": "object", "properties": {"issues": {"type": "array", "items": _ISSUE}}, "required": ["issues"]}
ISSUES = [
    tool("create_issue", "Opens an issue.", _given(title="string", body="string"), _ISSUE),
    tool("get_issue", "One issue.", _given(issue_number="integer"), _ISSUE),
    tool("update_issue", "Changes an issue.", _given(issue_number="integer", state="string")),
    tool("delete_issue", "Takes an issue away.", _given(issue_number="integer")),
    tool("list_issues", "All issues.", _LISTED),
]


@dataclass
class Sequence:
    """One server, as it was at first and as it is now, and a world that only knows the former."""

    seed: int
    rng: random.Random = field(init=False)
    tools: list[dict[str, Any]] = field(init=False)
    was: Any = field(init=False)
    now: Any = field(init=False)
    right: Right = field(default_factory=Right)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        kind = self.seed % 5
        if kind < 2:
            self.tools, self.was = FILES, Files.made(self.rng)
        elif kind < 4:
            self.tools, self.was = GRAPH, Graph.made(self.rng)
        elif self.seed % 10 == 9:
            self.tools, self.was = ISSUES, Issues.made(self.rng)
        else:
            words = WORDS[(self.seed // 10) % len(WORDS)]
            self.tools, self.was = note_tools(words), Notes(words=words, kept={"todo": "buy bread"})
        self.now = self.was.copy()

    async def world(self, state: State, action: Action, /) -> Observation:
        """Says of each change only whether it fails, and of all else how it was at first."""
        origin = Origin(kind="model", world="scripted")
        if action.tool in self.now.CHANGES:
            said = "not possible" if self.right.failed else "ok"
            return Observation(content=said, failed=self.right.failed, origin=origin)
        said, failed = self.was.said(action.tool, action.arguments)
        return Observation(content=said, failed=failed, origin=origin)

    async def run(self, use: Use) -> list[str]:
        """What was answered wrongly."""
        wrong: list[str] = []
        done: list[str] = []
        for _ in range(STEPS):
            name, arguments = self.now.call(self.rng)
            self.right = self.now.answer(name, arguments)
            said, failed = await use(name, arguments)
            done.append(f"{name} {arguments}")
            fits = failed == self.right.failed
            if fits and not failed:
                fits = self.right.text in (None, said) and _holds(self.right, said)
            if not fits:
                wrong.append(f"seed {self.seed}: {done[-1]} -> {said!r} (failed={failed}), not {self.right.text!r}")
        return wrong


def _holds(right: Right, said: str) -> bool:
    try:
        return right.holds(said)
    except ValueError:
        return False
