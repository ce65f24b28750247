"""What a critic is shown: goal, call, the tool's description and the forecast; of the agent's own words nothing."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import JsonValue

from lookahead.critics.language.fence import Fence, clipped
from lookahead.show import effect_lines
from lookahead.types import Action, Kind, Observation, Rollout, State

_GOAL: Final = 4_000
_CALL: Final = 8_000
_TOOL: Final = 2_000
_SAID: Final = 6_000
_DETAIL: Final = 400
_EFFECTS: Final = 30
_DETAILED: Final = 8
_MADE_BY: Final[Mapping[Kind, str]] = {
    "exact": "a copy of the real thing, in which the call was run",
    "recorded": "a recording of an earlier call like this one",
    "model": "a world model, which guesses",
    "real": "a world model, which guesses",
    "guard": "a world model, which guesses",
}


def material(fence: Fence, state: State, rollout: Rollout, *, past: int = 0) -> str:
    """Everything there is to judge by. What candidates have in common comes first, so that engines compute it once."""
    parts = [background(fence, state, past=past)]
    calls = [(rollout.action, None)] if not rollout.steps else [(one.action, one.observation) for one in rollout.steps]
    described: set[str] = set()
    for index, (action, foretold) in enumerate(calls):
        numbered = f" of step {index}" if len(calls) > 1 else ""
        if action.tool not in described:
            described.add(action.tool)
            parts.append(fence.around("tool", tool_text(state, action.tool)))
        parts.append(fence.around(f"call{numbered}", call_text(action)))
        if foretold is not None:
            parts.append(fence.around(f"forecast{numbered}", forecast_text(foretold)))
    if rollout.failure:
        ending = "nothing of it could be foretold" if not rollout.steps else "what follows could not be foretold"
        parts.append(fence.around("forecast missing", f"{ending}: {clipped(rollout.failure, _DETAIL)}"))
    elif not rollout.steps:
        parts.append(fence.around("forecast missing", "nobody made one: judge the call by itself"))
    return "\n\n".join(parts)


def background(fence: Fence, state: State, *, past: int = 0) -> str:
    """The goal and, where wanted, which calls were made before; never what they answered or why they were made."""
    parts = [fence.around("goal", clipped(state.goal, _GOAL) or "(nobody said what the goal is)")]
    if past > 0 and state.steps:
        made = [clipped(call_text(step.action), _DETAIL) for step in state.steps[-past:]]
        parts.append(fence.around("calls made before, oldest first", "\n".join(made)))
    return "\n\n".join(parts)


def tool_text(state: State, name: str) -> str:
    tool = state.tool(name)
    if tool is None:
        return f"{name}: nobody described this tool"
    said = clipped(tool.description, _TOOL) or "(it has no description)"
    return f"{name}\ndeclared effect: {tool.effect}\n{said}"


def call_text(action: Action, longest: int = _CALL) -> str:
    return f"{action.tool} {clipped(as_text(action.arguments), longest)}"


def forecast_text(foretold: Observation) -> str:
    lines = [f"made by {_MADE_BY[foretold.origin.kind]}"]
    if foretold.failed:
        lines.append("the call would fail")
    lines += ["effects:", *effect_lines(foretold.effects, _EFFECTS)]
    detailed: Sequence[str] = [one.detail for one in foretold.effects or () if one.detail][:_DETAILED]
    lines += [clipped(detail, _DETAIL) for detail in detailed]
    said = foretold.content or ("" if foretold.structured is None else as_text(foretold.structured))
    return "\n".join([*lines, "answer:", clipped(said, _SAID) or "(nothing)"])


def as_text(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)
