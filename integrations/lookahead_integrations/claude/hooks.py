"""The hook before every tool of Claude Code, and what comes after it: asking, and writing down what came of it."""

import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final, cast

from lookahead.errors import LookaheadError
from lookahead.functions import jsonable
from lookahead.held import Held
from lookahead.permit import Answer, Permit
from lookahead.refusal import prompt
from lookahead.session import Session
from lookahead.types import Action, Observation

_sdk: Any = import_module("claude_agent_sdk")

Callback = Callable[[Any, str | None, Any], Awaitable[Any]]

log: Final = logging.getLogger("lookahead")


@dataclass(kw_only=True)
class Guard:
    """What one set of options is guarded by. Whatever raises in here blocks the call: the process sees to that."""

    session: Session
    user_hooks: Sequence[Any] = ()
    """The user's own matchers of PreToolUse. They run in here first, or what they change would not be judged."""
    can_use_tool: Any = None
    stubs: frozenset[str] = frozenset()
    """In a dry run: the tools behind which nothing real is left."""
    held: dict[str, tuple[Session, Held]] = field(default_factory=dict[str, tuple[Session, Held]])
    permits: dict[str, tuple[Session, Permit]] = field(default_factory=dict[str, tuple[Session, Permit]])

    async def before(self, given: Any, tool_use_id: str | None, context: Any) -> dict[str, Any]:
        """PreToolUse: nothing said is the process's own way of going on, its permissions included."""
        call_id = str(given.get("tool_use_id") or tool_use_id)
        theirs, arguments = await self._theirs(given, tool_use_id, context)
        if decision_of(theirs) in ("deny", "defer") or theirs.get("decision") == "block":
            return theirs
        name = str(given["tool_name"])
        if self.session.mode == "dry-run":
            if name in self.stubs:
                return theirs
            return denied(f"Not done: this is a dry run, and {name} is a real tool of the Claude Code process")
        session = self.session.conversation(f"claude:{given.get('session_id', '')}")
        held = await session.hold(self.action(name, arguments, call_id))
        if isinstance(held, Held) and held.asks and self.can_use_tool is not None:
            (kept,) = await session.keep(held)
            self.held[call_id] = (session, kept)
            return decided("ask", prompt(held.decision), theirs)
        begun = held if isinstance(held, Answer) else await session.release(held)
        if isinstance(begun, Answer):
            return denied(begun.observation.content)
        self._take(call_id, session, begun)
        return theirs

    async def ask(self, name: str, arguments: dict[str, Any], context: Any) -> Any:
        """can_use_tool: the user's own. Its yes to a call that was held is the person's yes."""
        said = await self.can_use_tool(name, arguments, context)
        call_id = str(context.tool_use_id)
        session, held = self.held.pop(call_id, (None, None))
        if not isinstance(said, _sdk.PermissionResultAllow):
            await self._withdraw(call_id)
            return said
        changed = said.updated_input
        action = self.action(name, arguments if changed is None else changed, call_id)
        try:
            if session is not None and held is not None and held.digest == action.digest:
                begun = await session.release(await session.answered(held, by="can_use_tool"))
            elif call_id in self.permits and self.permits[call_id][1].digest == action.digest:
                return said
            else:
                # Another call than the one that was judged: judged anew, and a question about it is a no.
                session = session or (self.permits[call_id][0] if call_id in self.permits else self.session)
                await self._withdraw(call_id)
                begun = await session.begin(action.model_copy(update={"call_id": f"{call_id}#changed"}))
        except LookaheadError as error:
            return _sdk.PermissionResultDeny(message=f"Not done: {error}")
        if isinstance(begun, Answer):
            return _sdk.PermissionResultDeny(message=begun.observation.content)
        self._take(call_id, session, begun)
        return said

    async def after(self, given: Any, tool_use_id: str | None, context: Any) -> dict[str, Any]:
        """PostToolUse and PostToolUseFailure."""
        call_id = str(given.get("tool_use_id") or tool_use_id)
        session, permit = self.permits.pop(call_id, (None, None))
        if session is None or permit is None:
            return {}
        if self.action(permit.action.tool, given.get("tool_input") or {}, call_id).digest != permit.digest:
            log.error("call %s ran with other arguments than were judged: a hook of its settings changed it", call_id)
        await session.finish(permit, seen(given))
        return {}

    async def refused(self, given: Any, tool_use_id: str | None, context: Any) -> dict[str, Any]:
        """PermissionDenied: it was allowed here, and then not by the process's own permissions."""
        await self._withdraw(str(given.get("tool_use_id") or tool_use_id))
        return {}

    def action(self, name: str, arguments: Any, call_id: str) -> Action:
        return Action(tool=name, arguments=cast(Any, jsonable(dict(arguments))), call_id=call_id)

    def _take(self, call_id: str, session: Session, permit: Permit) -> None:
        """From here on it can happen: what comes next is the process's."""
        permit.take(permit.action)
        self.permits[call_id] = (session, permit)

    async def _withdraw(self, call_id: str) -> None:
        session, permit = self.permits.pop(call_id, (None, None))
        if session is not None and permit is not None:
            said = "not done: the permissions of Claude Code did not allow it"
            await session.finish(permit, Observation(content=said, failed=True, effects=()))

    async def _theirs(
        self, given: Any, tool_use_id: str | None, context: Any
    ) -> tuple[dict[str, Any], Mapping[str, Any]]:
        """What the user's hooks say, one after the other; the last word, and the arguments as they left them."""
        said: dict[str, Any] = {}
        arguments: Mapping[str, Any] = given["tool_input"]
        for matcher in self.user_hooks:
            if not matches(matcher.matcher, str(given["tool_name"])):
                continue
            for hook in cast(Sequence[Callback], matcher.hooks):
                answer = cast(
                    dict[str, Any], await hook({**given, "tool_input": dict(arguments)}, tool_use_id, context)
                )
                answer = answer or {}
                said = {**said, **answer}
                if decision_of(answer) == "deny" or answer.get("decision") == "block":
                    return answer, arguments
                changed = answer.get("hookSpecificOutput", {}).get("updatedInput")
                if changed is not None and decision_of(answer) == "allow":
                    arguments = cast(Mapping[str, Any], changed)
        return said, arguments


def matches(pattern: str | None, name: str) -> bool:
    return pattern in (None, "", "*") or re.fullmatch(pattern or "", name) is not None


def decision_of(output: Mapping[str, Any]) -> str:
    return str(output.get("hookSpecificOutput", {}).get("permissionDecision") or "")


def decided(decision: str, reason: str, theirs: Mapping[str, Any]) -> dict[str, Any]:
    said = {"hookEventName": "PreToolUse", "permissionDecision": decision, "permissionDecisionReason": reason}
    return {**theirs, "hookSpecificOutput": {**theirs.get("hookSpecificOutput", {}), **said}}


def denied(reason: str) -> dict[str, Any]:
    return decided("deny", reason, {})


def seen(given: Mapping[str, Any]) -> Observation:
    """What came back, as text; what a tool of MCP answers in parts is read part by part."""
    if "error" in given and "tool_response" not in given:
        return Observation(content=str(given["error"]), failed=True)
    value: Any = given.get("tool_response")
    failed = isinstance(value, dict) and bool(cast(dict[str, Any], value).get("isError"))
    parts: Any = cast(dict[str, Any], value).get("content") if isinstance(value, dict) else value
    if isinstance(value, str):
        return Observation(content=value)
    if isinstance(parts, list):
        blocks = [cast(dict[str, Any], part) for part in cast(list[Any], parts) if isinstance(part, dict)]
        texts = [str(block.get("text", "")) for block in blocks]
        return Observation(content="\n".join(texts), failed=failed)
    data = jsonable(value)
    return Observation(content=json.dumps(data, ensure_ascii=False), structured=data, failed=failed)
