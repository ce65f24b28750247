"""What the spans say: attributes after the GenAI conventions, and our own under `lookahead.`."""

import json
from collections.abc import Mapping
from typing import Any, Final

from lookahead.events import Asked
from lookahead.redact import shared
from lookahead.search.thinking import NOT_MY_WORLD
from lookahead.types import Action, Completion, Decision, Message, Observation, Rollout, Verdict

KIND: Final = "openinference.span.kind"
_OURS: Final = frozenset({"gen_ai.operation.name", "lookahead.mode", "langfuse.observation.type", KIND})
"""Nothing but words of our own: there is no secret in them."""


def clean(said: Mapping[str, Any]) -> dict[str, Any]:
    """Without the secrets, and without what nobody knows."""
    return {
        name: shared().text(value) if isinstance(value, str) and name not in _OURS else value
        for name, value in said.items()
        if value is not None
    }


def content_of(value: Any) -> str:
    """A value as JSON, its secrets taken out while their names are still beside them."""
    try:
        return json.dumps(shared().json(value), ensure_ascii=False)
    except (TypeError, ValueError):
        return shared().text(str(value))


def of_decision(decision: Decision, places: Mapping[str, int], *, content: bool) -> dict[str, Any]:
    said: dict[str, Any] = {
        "lookahead.verdict": decision.choice,
        "lookahead.rule": decision.rule,
        "lookahead.proposed": decision.proposed.tool,
        "lookahead.usage.calls": decision.cost.calls,
        "lookahead.usage.tokens": decision.cost.tokens,
    }
    if decision.choice == "veto":
        said[KIND] = "GUARDRAIL"
    if decision.choice == "ask":
        said["lookahead.approved"] = decision.chosen is not None
    if decision.chosen is not None:
        said["lookahead.chosen"] = decision.chosen.tool
        said["lookahead.chosen.index"] = places.get(decision.chosen.digest)
    about = decision.chosen or decision.proposed
    judged = {one.rollout.action.digest: one.verdict for one in decision.considered}
    if verdict := judged.get(about.digest):
        said["lookahead.score"] = verdict.score
        said["lookahead.hazards"] = [hazard.rule for hazard in verdict.hazards]
    if content:
        said["lookahead.reason"] = decision.reason
        said["lookahead.arguments"] = content_of(decision.proposed.arguments)
    return said


def of_step(rollout: Rollout, *, content: bool) -> tuple[str, dict[str, Any]]:
    """What came of imagining one more step: an error, if it was one, and what is to be said of it."""
    failure = rollout.failure
    if failure.startswith(NOT_MY_WORLD):
        return "", {"lookahead.abstained": True}
    if failure or not rollout.steps:
        return failure or "it was not imagined", {"lookahead.failed": True, "error.type": "WorldError"}
    seen = rollout.steps[-1].observation
    return "", {
        "lookahead.world": seen.origin.world,
        "lookahead.world.kind": seen.origin.kind,
        "lookahead.world.confidence": seen.origin.confidence,
        "lookahead.result.failed": seen.failed,
        "lookahead.effects": None if seen.effects is None else len(seen.effects),
        "lookahead.usage.calls": seen.cost.calls,
        "lookahead.usage.tokens": seen.cost.tokens,
        "lookahead.result": seen.content if content else None,
    }


def of_verdict(verdict: Verdict, *, content: bool) -> dict[str, Any]:
    worst = verdict.worst
    return {
        "gen_ai.evaluation.name": "lookahead.critic",
        "gen_ai.evaluation.score.value": verdict.score,
        "gen_ai.evaluation.score.label": worst.severity if worst else "clear",
        "gen_ai.evaluation.explanation": (verdict.reason or (worst.what if worst else None)) if content else None,
        "lookahead.hazards": [hazard.rule for hazard in verdict.hazards],
    }


def of_question(event: Asked, *, content: bool) -> tuple[str, dict[str, Any]]:
    """How a model is asked, and what the span is called. A model's name is `engine:MODEL@host:port`, or less."""
    engine, colon, rest = event.model.partition(":")
    engine, rest = (engine, rest) if colon else ("", event.model)
    model, _, place = rest.rpartition("@") if "@" in rest else (rest, "", "")
    host, _, port = place.partition(":")
    asking = event.asking
    said: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": engine or "lookahead",
        "gen_ai.request.model": model,
        "gen_ai.request.temperature": asking.temperature,
        "gen_ai.request.top_p": asking.top_p,
        "gen_ai.request.top_k": asking.top_k,
        "gen_ai.request.seed": asking.seed,
        "gen_ai.request.max_tokens": asking.max_tokens,
        "gen_ai.request.choice.count": asking.n if asking.n > 1 else None,
        "gen_ai.request.stop_sequences": list(asking.stop) or None,
        "gen_ai.output.type": "json" if asking.schema_of else "text",
        "server.address": host or None,
        "server.port": int(port) if port.isdecimal() else None,
        "llm.model_name": model,
        KIND: "LLM",
    }
    if content:
        said["gen_ai.input.messages"] = content_of([_message(message) for message in event.messages])
    return f"chat {model}".strip(), said


def of_answer(completion: Completion, *, content: bool) -> dict[str, Any]:
    usage = completion.usage
    ended = {"stop": "stop", "length": "length", "refused": "content_filter"}
    said: dict[str, Any] = {
        "gen_ai.response.model": completion.model or None,
        "gen_ai.response.finish_reasons": [ended[sample.ended] for sample in completion.samples],
        "gen_ai.usage.input_tokens": usage.prompt,
        "gen_ai.usage.output_tokens": usage.generated,
        "gen_ai.usage.cache_read.input_tokens": usage.cached,
        "lookahead.usage.estimated": usage.counted == "estimate",
        "lookahead.usage.calls": completion.cost.calls,
        "llm.token_count.prompt": usage.prompt,
        "llm.token_count.completion": usage.generated,
    }
    if content:
        samples = [Message(role="assistant", content=sample.text) for sample in completion.samples]
        said["gen_ai.output.messages"] = content_of([_message(message) for message in samples])
    return said


def of_act(action: Action | None, decision: Decision, agent: str, run: str, *, content: bool) -> dict[str, Any]:
    """Of a real call. Without the action: only what a framework's own span does not say yet."""
    swapped = decision.choice == "swap"
    said: dict[str, Any] = {
        "lookahead.verdict": decision.choice,
        "lookahead.rule": decision.rule,
        "lookahead.substituted": True if swapped else None,
        "lookahead.proposed": decision.proposed.tool if swapped else None,
    }
    if action is not None:
        said |= {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": action.tool,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": action.call_id,
            "gen_ai.agent.name": agent or None,
            "gen_ai.conversation.id": run or None,
            "gen_ai.tool.call.arguments": content_of(action.arguments) if content else None,
            KIND: "TOOL",
        }
    return said


def of_result(observation: Observation, *, content: bool) -> dict[str, Any]:
    result = observation.content if observation.structured is None else content_of(observation.structured)
    return {"gen_ai.tool.call.result": result if content else None}


def _message(message: Message) -> dict[str, Any]:
    return {"role": message.role, "parts": [{"type": "text", "content": message.content}]}
