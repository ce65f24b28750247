"""Doubles that hold everything in memory, to test what stands between a client and a server: the two of them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeAlias, cast

import anyio.lowlevel

from lookahead_integrations.mcp.exchange import METHOD_NOT_FOUND, Call, Json, Question, RpcError

Said: TypeAlias = Json | Exception
"""A result, or what to raise."""
Answers: TypeAlias = Mapping[str, Said | Sequence[Said] | Callable[[Question], "Said | Awaitable[Said]"]]
"""By the method of the question: one answer for ever, one after the other, or whatever a function says."""
Script: TypeAlias = Mapping[str, Said | Sequence[Said] | Callable[[Call], "Said | Awaitable[Said]"]]
"""By the method of the call, or `tools/call NAME` for one tool, in the same ways; `*` for whatever is not named."""

_keys = count(1)


def text(said: str, **fields: Any) -> Json:
    """What a tool answers that has a text to say."""
    return {"content": [{"type": "text", "text": said}], **fields}


def tool(name: str, /, **fields: Any) -> Json:
    """A tool as a server lists it."""
    return {"name": name, "inputSchema": {"type": "object"}, **fields}


def accepted(**content: Any) -> Json:
    """The answer to an elicitation of a person who filled in the form."""
    return {"action": "accept", "content": content}


DECLINED: Json = {"action": "decline"}


@dataclass(kw_only=True)
class ScriptedClient:
    """A client that answers what its script says, and remembers what it was asked and told."""

    version: str = "2025-11-25"
    answers: Answers = field(default_factory=dict[str, Any])
    capabilities: Json = field(default_factory=dict[str, Any])
    """Nothing said: what the script has an answer for."""
    key: str = field(default_factory=lambda: f"client-{next(_keys)}")
    info: Json = field(default_factory=lambda: {"name": "scripted", "version": "1"})
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    asked: list[Question] = field(default_factory=list[Question])
    told: list[tuple[str, Json]] = field(default_factory=list[tuple[str, Json]])

    def __post_init__(self) -> None:
        kinds = {"elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots"}
        if not self.capabilities:
            self.capabilities = {kinds[method]: {} for method in self.answers if method in kinds}

    async def ask(self, questions: Mapping[str, Question], /) -> dict[str, Json]:
        said: dict[str, Json] = {}
        for key, question in questions.items():
            again = sum(one.method == question.method for one in self.asked)
            self.asked.append(question)
            said[key] = await _said(self.answers.get(question.method), question, question.method, again)
        return said

    async def tell(self, method: str, params: Json, /) -> None:
        self.told.append((method, params))

    def call(self, method: str, /, **params: Any) -> Call:
        return Call(method=method, params=params, client=self)

    def use(self, tool: str, /, **arguments: Any) -> Call:
        """A call of a tool."""
        return self.call("tools/call", name=tool, arguments=arguments)


@dataclass(kw_only=True)
class ScriptedService:
    """A server that answers what its script says, and remembers what it was asked, as it was then."""

    script: Script = field(default_factory=dict[str, Any])
    tools: Sequence[Json] = ()
    page: int = 1000
    """So many tools are listed at once."""
    calls: list[Call] = field(default_factory=list[Call])

    async def __call__(self, call: Call, /) -> Json:
        name = f"{call.method} {call.params.get('name')}"
        key = next((key for key in (name, call.method, "*") if key in self.script), "")
        again = sum(f"{one.method} {one.params.get('name')}" == name for one in self.calls)
        self.calls.append(Call(method=call.method, params=deepcopy(call.params), client=call.client))
        if not key and call.method == "tools/list":
            return self._listed(call.params.get("cursor"))
        return await _said(self.script.get(key), call, call.method, again)

    def _listed(self, cursor: str | None) -> Json:
        start = int(cursor or 0)
        listed: Json = {"tools": deepcopy(list(self.tools[start : start + self.page]))}
        if start + self.page < len(self.tools):
            listed["nextCursor"] = str(start + self.page)
        return listed

    def called(self, name: str | None = None) -> list[Json]:
        """The parameters of the calls of this tool, or of any, that reached the server."""
        named = [one.params for one in self.calls if one.method == "tools/call"]
        return [params for params in named if name in (None, params.get("name"))]


async def _said(scripted: Any, given: Call | Question, method: str, again: int) -> Json:
    if scripted is None:
        raise RpcError(METHOD_NOT_FOUND, f"Method not found: {method}")
    if callable(scripted):
        scripted = scripted(given)
        if isinstance(scripted, Awaitable):
            scripted = await cast(Awaitable[Any], scripted)
    elif isinstance(scripted, list | tuple):
        row = cast(Sequence[Said], scripted)
        scripted = row[min(again, len(row) - 1)]
    # Whoever answers is elsewhere, so others have their turn meanwhile.
    await anyio.lowlevel.checkpoint()
    if isinstance(scripted, Exception):
        raise scripted
    return deepcopy(cast(Json, scripted))
