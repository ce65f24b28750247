"""Alternatives from the agent's own model: it is asked the same again, beside its conversation."""

import json
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

import anyio

from lookahead.types import Action, State

_agent: ContextVar[Any] = ContextVar("lookahead_strands_agent", default=None)


@contextmanager
def thinking_for(agent: Any) -> Generator[None]:
    """Whose model is asked for alternatives to what is being judged in here."""
    token = _agent.set(agent)
    try:
        yield
    finally:
        _agent.reset(token)


async def propose(state: State, n: int, /) -> Sequence[Action]:
    """Up to n other first calls of the turn that is being judged. Nothing of it enters the conversation."""
    agent = _agent.get()
    if agent is None:
        return []
    found: list[Action] = []

    async def one() -> None:
        if action := await _first_call(agent):
            found.append(action)

    async with anyio.create_task_group() as group:
        for _ in range(n):
            group.start_soon(one)
    return found


async def _first_call(agent: Any) -> Action | None:
    messages = [{"role": one["role"], "content": one["content"]} for one in agent.messages]
    if messages and messages[-1]["role"] == "assistant":
        messages.pop()
    specs = agent.tool_registry.get_all_tool_specs()
    name, written, began = "", "", False
    stream = cast(AsyncIterator[Any], agent.model.stream(messages, specs, agent.system_prompt))
    async for event in stream:
        start = event.get("contentBlockStart", {}).get("start", {})
        if began and ("contentBlockStart" in event or "contentBlockStop" in event):
            break
        if "toolUse" in start:
            name, began = start["toolUse"]["name"], True
        written += event.get("contentBlockDelta", {}).get("delta", {}).get("toolUse", {}).get("input", "")
    if not began:
        return None
    try:
        return Action.parse(name, written)
    except (ValueError, json.JSONDecodeError):
        return None
