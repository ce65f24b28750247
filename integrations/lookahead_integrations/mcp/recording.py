"""What was recorded of a server, in the order it was asked: from a journal, its export, or a file of frames."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Self, TextIO, cast

from pydantic import JsonValue, ValidationError

from lookahead.canonical import canonical, digest_of
from lookahead.critics.tools import reads_by_name
from lookahead.errors import ConfigError, JournalError
from lookahead.journal import MEMORY, Call, Journal
from lookahead.redact import shared
from lookahead.types import Action, Tool
from lookahead_integrations.mcp.actions import retold
from lookahead_integrations.mcp.exchange import LISTS, Json
from lookahead_integrations.mcp.lists import Saved
from lookahead_integrations.mcp.modes.acting import TOOL
from lookahead_integrations.mcp.modes.record import PREFIX

_DATABASE: Final = b"SQLite format 3\0"
_EXPORT: Final = "lookahead.journal"
_VOLATILE: Final = re.compile(
    r"""
      \b\d{4}-\d\d-\d\d(?:[T\ ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:\ ?(?:Z|UTC|[+-]\d\d:?\d\d))?)?(?!\d)
    | \b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b
    | (?<![\w.])1[5-9]\d{8}(?:\d{3}|\d{6})?(?![\w.])
    | \b0x[0-9a-fA-F]{8,16}\b
    | (?<=/)tmp[._-]?[A-Za-z0-9_]{6,12}(?![A-Za-z0-9_])
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """One call that was answered."""

    number: int
    run: str
    method: str
    params: Json
    """Of a call of a tool, its name and arguments."""
    result: Json | None = None
    """None where it was too long to be kept whole."""
    error: Json | None = None
    ended: int = 0
    """By the same count as `number`: what was asked before that was under way together with it."""
    digest: str = ""
    """Of the very call as it was made, before secrets were taken out of it."""
    reads: bool = False
    past: str = ""
    """What had been changed before it in its run."""

    @property
    def tool(self) -> str:
        return str(self.params.get("name", "")) if self.method == TOOL else ""

    @cached_property
    def likeness(self) -> str:
        return likeness(self.method, self.params)


@dataclass(frozen=True, kw_only=True)
class Recording:
    """All of it."""

    name: str
    taken: tuple[Taken, ...] = ()
    tools: tuple[Tool, ...] = field(default=())
    """What the server had, where no list of it was recorded."""

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, run: str | None = None) -> Self:
        """Reads a journal, an exported one, or a file of requests and answers, whichever it is."""
        path = os.path.expanduser(path)
        try:
            with open(path, "rb") as file:
                head = file.read(len(_DATABASE))
            if head == _DATABASE:
                with Journal(path) as journal:
                    return cls.of(journal, name=os.path.basename(path), run=run)
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the recording cannot be read: {path}: {error}") from error
        if _is_export(text):
            try:
                with Journal.load(text.splitlines(keepends=True), MEMORY) as journal:
                    return cls.of(journal, name=os.path.basename(path), run=run)
            except JournalError as error:
                raise ConfigError(f"the recording cannot be read: {path}: {error}") from error
        taken = _aged(_frames(path, text))
        if not taken:
            raise ConfigError(
                f"{path} holds no answered request; lookahead proxy --mode record -- COMMAND records some"
            )
        return cls(name=os.path.basename(path), taken=taken)

    @classmethod
    def of(cls, journal: Journal, *, name: str, run: str | None = None) -> Self:
        """What really happened, by a journal. Nothing that was imagined, refused or left in doubt is among it."""
        calls = [one for one in journal.calls() if run is None or one.run == run or one.run.startswith(f"{run}-")]
        ends = _Ends()
        journal.export(cast(TextIO, ends))
        found = [taken for call in calls if (taken := _of_call(call, ends.seen.get(call.call, 0))) is not None]
        tools: dict[str, Tool] = {}
        for started in journal.runs():
            if run is None or started.run == run or started.run.startswith(f"{run}-"):
                tools |= {tool.name: tool for tool in started.started.tools}
        return cls(name=name, taken=_aged(found), tools=tuple(tools.values()))

    def saved(self) -> Saved:
        """What the server greeted with and listed, as far as that was recorded."""
        greeting: Json = {}
        lists: dict[str, list[Json]] = {}
        for one in self.taken:
            if one.result is None:
                continue
            if one.method == "initialize":
                greeting = one.result
            rows = one.result.get(LISTS[one.method]) if one.method in LISTS else None
            if isinstance(rows, list):
                name, first = LISTS[one.method], one.params.get("cursor") is None
                lists[name] = [*([] if first else lists.get(name, [])), *cast(list[Json], rows)]
        if not lists.get("tools"):
            lists["tools"] = [_listed(tool) for tool in self.tools] or self._guessed()
        return Saved(greeting=greeting, lists=lists)

    def _guessed(self) -> list[Json]:
        """Only which tools were called is known."""
        names = dict.fromkeys(one.tool for one in self.taken if one.tool)
        return [{"name": name, "inputSchema": {"type": "object"}} for name in names]


def likeness(method: str, params: Mapping[str, Any]) -> str:
    """Names a call by what it asks for, without what is another each time: moments, ids that were drawn at random."""
    asked: Json = {
        name: params[name] for name in params if name not in ("_meta", "requestState", "inputResponses", "task")
    }
    if method == TOOL:
        asked = {"name": params.get("name"), "arguments": params.get("arguments") or {}}
    return digest_of(method, canonical(_steady(shared().json(cast(JsonValue, asked)))))


def later(past: str, one: str) -> str:
    """What has been changed, after one more change."""
    return digest_of(past, one)


def _steady(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return _VOLATILE.sub("\0", value)
    if isinstance(value, list):
        return [_steady(one) for one in value]
    if isinstance(value, dict):
        return {name: _steady(one) for name, one in value.items()}
    if isinstance(value, int | float) and not isinstance(value, bool) and _VOLATILE.fullmatch(f"{value:.0f}"):
        return "\0"
    return value


def _aged(taken: Iterable[Taken]) -> tuple[Taken, ...]:
    """Each with what was changed before it in its run."""
    from dataclasses import replace

    pasts: dict[str, str] = {}
    found: list[Taken] = []
    for one in taken:
        found.append(replace(one, past=pasts.get(one.run, "")))
        if one.method == TOOL and not one.reads and not failed(one.result):
            pasts[one.run] = later(pasts.get(one.run, ""), found[-1].likeness)
    return tuple(found)


def failed(result: Json | None) -> bool:
    return result is None or result.get("isError") is True


class _Ends:
    """Hears all rows of a journal, and remembers in which one each call ended."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def write(self, line: str) -> int:
        row: Any = json.loads(line) if '"resulted"' in line else {}
        if row.get("kind") == "resulted":
            self.seen[row["call"]] = row["seq"]
        return len(line)


def _of_call(call: Call, ended: int) -> Taken | None:
    if call.intended is None or call.resulted is None or call.resulted.observation.origin.kind != "real":
        return None
    action, observation = call.intended.action, call.resulted.observation
    method = action.tool[len(PREFIX) :] if action.tool.startswith(PREFIX) else TOOL
    told = retold(observation)
    params: Json = dict(action.arguments)
    if method == TOOL:
        params = {"name": action.tool, "arguments": params}
    error: Any = told.get("error") if told is not None and method != TOOL and observation.failed else None
    return Taken(
        number=call.seq,
        run=call.run,
        method=method,
        params=params,
        result=None if isinstance(error, dict) else told,
        error=cast(Json, error) if isinstance(error, dict) else None,
        ended=ended,
        digest=call.intended.action_digest,
        reads=call.intended.effect == "reads" or reads_by_name(action.tool),
    )


def _is_export(text: str) -> bool:
    try:
        first: Any = json.loads(text.split("\n", 1)[0])
    except ValueError:
        return False
    return isinstance(first, dict) and cast(Json, first).get("format") == _EXPORT


def _frames(path: str, text: str) -> list[Taken]:
    """Requests with their answers: pairs, or single frames that are paired by their ids, one a line or in one list."""
    try:
        read: list[Any] = _objects(json.loads(text))
    except ValueError:
        try:
            read = [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError as error:
            raise ConfigError(f"the recording cannot be read: {path}: it is neither JSON nor lines of it") from error
    waiting: dict[str, tuple[int, Json]] = {}
    found: list[tuple[int, Json, Json, int]] = []
    for place, one in enumerate(_inner(read)):
        request, response = one.get("request"), one.get("response")
        if isinstance(request, dict) and isinstance(response, dict):
            found.append((place, cast(Json, request), cast(Json, response), place))
        elif isinstance(one.get("method"), str) and "id" in one:
            waiting[canonical(one["id"])] = place, one
        elif "id" in one and ("result" in one or "error" in one):
            asked = waiting.pop(canonical(one["id"]), None)
            if asked is not None:
                found.append((*asked, one, place))
    found.sort(key=lambda pair: pair[0])
    return [taken for one in found if (taken := _of_frames(*one)) is not None]


def _objects(value: Any) -> list[Any]:
    if isinstance(value, list):
        return cast(list[Any], value)
    held = cast(Json, value) if isinstance(value, dict) else {}
    inner = [cast(list[Any], one) for one in held.values() if isinstance(one, list)]
    return inner[0] if inner and "method" not in held else [value]


def _inner(read: Sequence[Any]) -> Iterator[Json]:
    """The frames themselves, out of whatever a recorder puts round each of them."""
    for one in read:
        held = cast(Json, one) if isinstance(one, dict) else {}
        if not ({"method", "result", "error", "request"} & held.keys()):
            wrapped = next((held[name] for name in ("message", "frame", "payload", "data") if name in held), None)
            held = cast(Json, wrapped) if isinstance(wrapped, dict) else {}
        if held:
            yield held


def _of_frames(place: int, asked: Json, said: Json, ended: int) -> Taken | None:
    method, params = asked.get("method"), asked.get("params")
    if not isinstance(method, str):
        return None
    given = cast(Json, params) if isinstance(params, dict) else {}
    result, error = said.get("result", None if "error" in said else said), said.get("error")
    digest, reads = "", method != TOOL
    if method == TOOL:
        try:
            digest = Action(tool=given.get("name") or "", arguments=given.get("arguments") or {}).digest
        except ValidationError:
            return None
        reads = reads_by_name(str(given["name"]))
    return Taken(
        number=place,
        ended=ended,
        run="frames",
        method=method,
        params=given,
        result=cast(Json, result) if isinstance(result, dict) else None,
        error=cast(Json, error) if isinstance(error, dict) else None,
        digest=digest,
        reads=reads,
    )


def _listed(tool: Tool) -> Json:
    said: Json = {"name": tool.name, "inputSchema": tool.parameters or {"type": "object"}}
    if tool.description:
        said["description"] = tool.description
    return said if tool.result is None else {**said, "outputSchema": tool.result}
