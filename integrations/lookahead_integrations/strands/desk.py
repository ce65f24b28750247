"""One agent's desk: where its calls are judged before any of them begins, and what it may do for real."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final, cast

from lookahead.canonical import digest_of
from lookahead.functions import jsonable
from lookahead.held import Held
from lookahead.permit import Answer, Permit, swap_notice
from lookahead.refusal import prompt
from lookahead.session import Session
from lookahead.types import Action, Observation, State
from lookahead_integrations.strands.rivals import thinking_for

_events: Any = import_module("strands.types._events")
_interrupt: Any = import_module("strands.interrupt")
_tools: Any = import_module("strands.types.tools")

YES: Final = ("y", "yes", "a", "approve", "approved", "allow", "ok", "true")


@dataclass(kw_only=True)
class Desk:
    """What one agent proposes comes here. Without `real`, a dry run, there is nothing here that could be done."""

    session: Session
    where: str
    real: dict[str, Any] = field(default_factory=dict[str, Any])
    """The tools themselves, by name."""
    steers: frozenset[str] = frozenset()
    """What only hands on to other agents that are guarded themselves: it runs, unless the policy speaks of it."""
    held: dict[str, Held | Answer] = field(default_factory=dict[str, Held | Answer])
    """Judged with all calls of their turn, and not begun."""
    ended: dict[str, int] = field(default_factory=dict[str, int])

    async def before_tools(self, event: Any) -> None:
        """All calls of a turn are judged, and all questions put, before the first of them begins."""
        try:
            proposed = [
                self.action(one["toolUse"], event.agent) for one in event.message["content"] if "toolUse" in one
            ]
        except ValueError:
            return  # what cannot be written down is refused when its turn comes
        asking: list[Held] = []
        with thinking_for(event.agent):
            for action in proposed:
                if action.call_id in self.ended or not self.concerns(action):
                    continue
                held = self.held.get(cast(str, action.call_id))
                if not isinstance(held, Held) or held.digest != action.digest:
                    held = await self.session.hold(action)
                self.held[cast(str, action.call_id)] = held
                if isinstance(held, Held) and held.asks:
                    asking.append(held)
        if asking:
            await self.ask(asking, event)

    async def ask(self, asking: Sequence[Held], event: Any) -> None:
        """By the framework's own interrupt, one for the turn, in which each question has its call's id."""
        kept = await self.session.keep(*asking)
        self.held.update({cast(str, one.action.call_id): one for one in kept})
        name = f"lookahead:{digest_of(*(one.decision.id for one in kept))[:12]}"
        # Raises where nobody has answered yet.
        answer = event.interrupt(name, reason={"lookahead": {"v": 1, "questions": [question(one) for one in kept]}})
        for one in kept:
            if said_yes(answer, cast(str, one.action.call_id)):
                allowed = await self.session.answered(one, by="strands interrupt")
                self.held[cast(str, one.action.call_id)] = allowed

    def action(self, tool_use: Mapping[str, Any], agent: Any) -> Action:
        """A call as data. Providers exist whose ids are only names, so the message that it stands in is part of it."""
        said = tool_use.get("input")
        given = cast(Any, jsonable(said if said is not None else {}))
        if not isinstance(given, dict):
            raise ValueError(f"the arguments of {tool_use['name']!r} are not a JSON object")
        messages = cast(list[dict[str, Any]], getattr(agent, "messages", None) or [{}])
        turn = messages[-1].get("tracking_id") or str(len(messages))
        call_id = f"{self.where}{turn}:{tool_use['toolUseId']}"
        return Action(tool=tool_use["name"], arguments=cast(Any, given), call_id=call_id)

    def concerns(self, action: Action) -> bool:
        """What only steers runs as it is, unless the policy says that it is to be asked about, or denied."""
        if action.tool not in self.steers:
            return True
        return self.session.line.guard.policy.rule_on(action, None).rule in ("ask", "deny")

    async def stream(
        self, tool: Any, tool_use: dict[str, Any], invocation_state: dict[str, Any], kwargs: dict[str, Any]
    ) -> AsyncGenerator[Any, None]:
        """One call on the line: what a guarded tool does when it is run."""
        agent = invocation_state.get("agent")
        try:
            action = self.action(tool_use, agent)
        except ValueError as error:
            yield told(tool_use, Observation(content=f"Not done: {error}", failed=True))
            return
        if not self.concerns(action):
            async for event in tool.really(tool_use, invocation_state, kwargs):
                yield event
            return
        call_id = cast(str, action.call_id)
        if again := self.ended.get(call_id):
            # A hook asked for the call to be tried once more: that is another call.
            action = action.model_copy(update={"call_id": f"{call_id}#{again + 1}"})
        begun = await self.begin(action, tool_use, agent, invocation_state)
        if isinstance(begun, Answer):
            self.ended[call_id] = again_after(again)
            yield told(tool_use, begun.observation)
            return
        async for event in self.really(begun, tool, tool_use, invocation_state, kwargs):
            if isinstance(event, _events.ToolResultEvent):
                self.ended[call_id] = again_after(again)
            yield event

    async def begin(
        self, action: Action, tool_use: dict[str, Any], agent: Any, invocation_state: dict[str, Any]
    ) -> Permit | Answer:
        held = self.held.pop(cast(str, action.call_id), None)
        if held is None or (isinstance(held, Held) and held.digest != action.digest):
            # Not one of its turn's calls as they were judged: a hook changed it, or it was called directly.
            with thinking_for(agent):
                held = await self.session.hold(action)
            if isinstance(held, Held) and held.asks and agent is not None:
                context = _tools.ToolContext(tool_use=tool_use, agent=agent, invocation_state=invocation_state)
                self.held[cast(str, action.call_id)] = held
                await self.ask([held], context)
                held = self.held.pop(cast(str, action.call_id))
        if isinstance(held, Answer):
            return held
        return await self.session.release(held)

    async def really(
        self, permit: Permit, tool: Any, tool_use: dict[str, Any], invocation_state: dict[str, Any], kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        """The act. Its result is on record before it is handed on."""
        instead = permit.action.tool != tool.tool_name
        doing = self.real.get(permit.action.tool) if instead else tool.real
        done = False
        last: Any = None
        try:
            if doing is None:
                raise _NoTool(f"{permit.action.tool!r} cannot be reached from here, so nothing was done")
            if permit.decision.choice == "swap":
                given = {**tool_use, "name": permit.action.tool, "input": dict(permit.take(permit.action).arguments)}
            else:
                # Written down anew: what was changed while it was being judged is another call.
                now = self.action(tool_use, invocation_state.get("agent"))
                permit.take(now)
                given = tool_use
            events = doing.stream(given, invocation_state, **kwargs)
            try:
                async for event in events:
                    if isinstance(event, _events.ToolInterruptEvent):
                        done = True
                        await self.session.paused(permit, "the tool asks somebody itself")
                        yield event
                        return
                    if last is not None:
                        yield last
                    last = event
                    if isinstance(event, _events.ToolResultEvent):
                        break
            finally:
                await events.aclose()
            result = last.tool_result if isinstance(last, _events.ToolResultEvent) else raw(last)
            exception = last.exception if isinstance(last, _events.ToolResultEvent) else None
            done = True
            await self.session.finish(permit, seen(result))
        except _interrupt.InterruptException:
            if not done:
                await self.session.paused(permit, "the tool asks somebody itself")
            raise
        except BaseException as error:
            if not done:
                await self.session.failed(permit, error)
            raise
        if permit.decision.choice == "swap":
            result = with_words(result, swap_notice(permit.decision))
        yield _events.ToolResultEvent({**result, "toolUseId": tool_use["toolUseId"]}, exception=exception)


class _NoTool(Exception): ...


def again_after(again: int | None) -> int:
    return (again or 0) + 1


def question(held: Held) -> dict[str, Any]:
    """What a person is shown: plain JSON, because a session manager may write it down."""
    action = held.action
    return {
        "tool_call_id": action.call_id,
        "tool": action.tool,
        "arguments": action.arguments,
        "text": prompt(held.decision),
    }


def said_yes(answer: Any, call_id: str) -> bool:
    """One yes for all, or one for each call by its id. Anything else is no yes."""
    if isinstance(answer, Mapping):
        answers = cast(Mapping[str, Any], answer)
        answer = answers.get(call_id, answers.get(call_id.rpartition(":")[2]))
    return answer is True or (isinstance(answer, str) and answer.strip().lower() in YES)


def told(tool_use: Mapping[str, Any], observation: Observation) -> Any:
    """What the agent gets without anything being done."""
    status = "error" if observation.failed else "success"
    text = observation.content
    if not text and observation.structured is not None:
        text = json.dumps(observation.structured, ensure_ascii=False)
    return _events.ToolResultEvent(
        {"toolUseId": str(tool_use.get("toolUseId")), "status": status, "content": [{"text": text}]}
    )


def raw(value: Any) -> dict[str, Any]:
    """The last thing that a tool of the old kind yields is its result."""
    if isinstance(value, dict) and "content" in value:
        return cast(dict[str, Any], value)
    return {"status": "success", "content": [{"text": str(cast(object, value))}]}


def seen(result: Mapping[str, Any]) -> Observation:
    blocks = cast(list[dict[str, Any]], result.get("content") or [])
    texts = [cast(str, block["text"]) for block in blocks if isinstance(block.get("text"), str)]
    found = [jsonable(block["json"]) for block in blocks if "json" in block]
    others = [f"[{next(iter(block), 'nothing')}]" for block in blocks if not {"text", "json"} & block.keys()]
    return Observation(
        content="\n".join([*texts, *(json.dumps(one, ensure_ascii=False) for one in found), *others]),
        structured=found[0] if len(found) == 1 else None,
        failed=result.get("status") == "error",
    )


def with_words(result: Mapping[str, Any], words: str) -> dict[str, Any]:
    return {**result, "content": [{"text": words}, *result.get("content", [])]}


def history(state: State, messages: Sequence[Mapping[str, Any]]) -> State:
    """The state of an agent that was in the middle of its conversation when it was wrapped."""
    calls: dict[str, Action] = {}
    for message in messages:
        for block in message.get("content", ()):
            if "toolUse" in block:
                use = block["toolUse"]
                given = jsonable(cast(Any, use.get("input") or {}))
                if isinstance(given, dict):
                    calls[use["toolUseId"]] = Action(tool=use["name"], arguments=given, call_id=use["toolUseId"])
            elif "toolResult" in block and (action := calls.pop(block["toolResult"]["toolUseId"], None)):
                state = state.then(action, seen(block["toolResult"]))
    return state
