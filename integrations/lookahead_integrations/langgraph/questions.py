"""A question to a person, as agent interfaces show it, and whatever they send back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from lookahead.approval import prompt
from lookahead.guard import hazards_of
from lookahead.held import Held
from lookahead.refusal import cleaned, first_imagined
from lookahead.show import call_line

TAG: Final = "lookahead"
_YES: Final = ("approve", "approved", "accept", "yes", "y", "true")
_NO: Final = ("reject", "rejected", "deny", "no", "n", "false", "ignore", "response", "respond", "edit")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a person said to one question."""

    yes: bool
    message: str = ""
    by: str = ""


def question(asked: Mapping[str, Held]) -> dict[str, Any]:
    """All questions at once, in the shape that LangChain's own requests for approval have; `asked` by call id."""
    shown = {name: cleaned(held.decision) for name, held in asked.items()}
    return {
        "action_requests": [
            {
                "name": decision.proposed.tool,
                "args": decision.proposed.arguments,
                "description": prompt(decision),
                "call_id": name,
            }
            for name, decision in shown.items()
        ],
        "review_configs": [
            {"action_name": tool, "allowed_decisions": ["approve", "reject"]}
            for tool in dict.fromkeys(decision.proposed.tool for decision in shown.values())
        ],
        TAG: {
            "v": 1,
            "questions": [
                {
                    "call_id": name,
                    "call": call_line(decision.proposed),
                    "decision": decision.id,
                    "rule": decision.rule,
                    "reason": decision.reason,
                    "predicted": said.model_dump(mode="json", include={"content", "failed", "effects", "origin"})
                    if (said := first_imagined(decision, decision.proposed))
                    else None,
                    "hazards": [hazard.model_dump(mode="json") for hazard in hazards_of(decision)],
                    "notes": list(decision.notes),
                }
                for name, decision in shown.items()
            ],
        },
    }


def replies(value: Any, asked: Sequence[str]) -> dict[str, Reply] | None:
    """Who said what to which question, by call id. None: this is no answer to these questions.

    A yes that names no call counts only where there is one question; a no may be meant for all of them.
    """
    if isinstance(value, Mapping):
        given = cast(Mapping[str, Any], value)
        if isinstance(given.get("decisions"), list):
            return _listed(cast(list[Any], given["decisions"]), asked)
        if named := {name: reply for name in asked if name in given and (reply := _reply(given[name]))}:
            return named
        if (name := given.get("call_id") or given.get("tool_call_id")) in asked:
            return {str(name): reply} if (reply := _reply(given)) else None
    elif isinstance(value, list):
        return _listed(cast(list[Any], value), asked)
    reply = _reply(value)
    if reply is None or (reply.yes and len(asked) > 1):
        return None
    return dict.fromkeys(asked, reply)


def _listed(decisions: list[Any], asked: Sequence[str]) -> dict[str, Reply] | None:
    """One after the other as they were asked, or each with the id of its call."""
    found: dict[str, Reply] = {}
    for place, decision in enumerate(decisions):
        reply = _reply(decision)
        if reply is None:
            return None
        said = cast(dict[str, Any], decision) if isinstance(decision, dict) else {}
        if (name := said.get("call_id") or said.get("tool_call_id")) is not None:
            if name not in asked:
                return None
            found[str(name)] = reply
        elif len(decisions) == len(asked):
            found[asked[place]] = reply
        else:
            return None
    return found or None


def _reply(value: Any) -> Reply | None:
    if isinstance(value, bool):
        return Reply(yes=value)
    if isinstance(value, str):
        word = value.strip().lower()
        return Reply(yes=word in _YES) if word in _YES or word in _NO else None
    if not isinstance(value, Mapping):
        return None
    given = cast(Mapping[str, Any], value)
    kind = _reply(given.get("type", given.get("decision")))
    if kind is None:
        return None
    message = given.get("message") or given.get("args") or given.get("feedback") or ""
    return Reply(
        yes=kind.yes,
        message=message if isinstance(message, str) else "",
        by=str(given.get("by") or ""),
    )


def tagged(found: Mapping[str, Reply]) -> dict[str, Any]:
    """The answer as it stays with a task, told apart from what a tool of the same task may have asked itself."""
    return {TAG: {name: {"yes": one.yes, "message": one.message, "by": one.by} for name, one in found.items()}}


def untagged(value: Any) -> dict[str, Reply] | None:
    if not isinstance(value, dict) or set(cast(dict[str, Any], value)) != {TAG}:
        return None
    found = cast(dict[str, dict[str, Any]], cast(dict[str, Any], value)[TAG])
    return {name: Reply(**one) for name, one in found.items()}


__all__ = ["TAG", "Reply", "question", "replies", "tagged", "untagged"]
