"""A person's yes to one call: asked for in the client, on a page of this machine, or by a command."""

import os
import shlex
from dataclasses import replace
from typing import Any, Final, Literal, TypeAlias, cast

import anyio

from lookahead.guard import hazards_of
from lookahead.held import Held
from lookahead.journal import MEMORY
from lookahead.permit import Answer
from lookahead.redact import shared
from lookahead.refusal import allow_once, cleaned, first_imagined, prompt, refusal
from lookahead.show import call_line, safe
from lookahead.types import Decision
from lookahead_integrations.mcp.actions import DECISION, in_era, origin_of
from lookahead_integrations.mcp.exchange import Client, Json, Question, RpcError
from lookahead_integrations.mcp.fencing import quoted

Said: TypeAlias = Literal["yes", "no", "nothing"]
"""What a person answered; nothing, where nobody was there or could be asked."""

KEY: Final = "lookahead"
"""What our question is called among those of a call."""
_LINES: Final = 24
_CALL: Final = 400
_EFFECTS: Final = 20
_TEXT: Final = 2000

_FORM: Final[Json] = {
    "type": "object",
    "properties": {
        "approve": {
            "type": "boolean",
            "title": "Do it",
            "description": "Allow exactly this call, this one time",
            "default": False,
        }
    },
    "required": ["approve"],
}


def may_be_asked(client: Client) -> bool:
    """Whether this client declared that it shows forms; to declare no kind is to declare the one there was at first."""
    declared: Any = client.capabilities.get("elicitation")
    return isinstance(declared, dict) and ("form" in declared or "url" not in declared)


def shown(decision: Decision) -> str:
    """What a person is asked: the call, what it would do, what is wrong with it. All of it is quoted."""
    proposed = cleaned(decision).proposed
    lines = [call_line(proposed, _CALL), *prompt(decision).splitlines()[1:]]
    said = "\n".join(quoted([line.strip() for line in lines], lines=_LINES, wide=_CALL + 40))
    return f"Allow this call, once? Whatever stands behind a bar was written by the agent or by a tool.\n{said}"


def question(decision: Decision, version: str) -> Question:
    # The name of the kind is as new as the second kind.
    mode: Json = {"mode": "form"} if version >= "2025-11-25" else {}
    params = {**mode, "message": shown(decision), "requestedSchema": _FORM}
    return Question(method="elicitation/create", params=params)


async def ask(client: Client, held: Held, seconds: float) -> Said:
    """Put the question to whoever sits before the client. Only a yes is a yes."""
    if not may_be_asked(client):
        return "nothing"
    try:
        with anyio.fail_after(seconds):
            answers = await client.ask({KEY: question(held.decision, client.version)})
    except (RpcError, TimeoutError):
        return "nothing"
    return read(answers.get(KEY))


def read(answer: object) -> Said:
    """What the form says that came back, whatever came back."""
    said: Json = cast(Json, answer) if isinstance(answer, dict) else {}
    content: Any = said.get("content")
    if said.get("action") == "accept" and isinstance(content, dict):
        return "yes" if cast(Json, content).get("approve") is True else "no"
    return "no" if said.get("action") == "decline" else "nothing"


def declined(held: Held) -> Held:
    """With a person's no, which the policy cannot overrule: nothing is done."""
    reason = "the user was asked, and said no"
    update = {"choice": "veto", "chosen": None, "rule": "declined", "reason": reason}
    return replace(held, decision=held.decision.model_copy(update=update))


def named(client: Client) -> str:
    """Who gave the answer, for the record."""
    return f"the user of {safe(str(client.info.get('name') or 'an MCP client'), 60)}"


def refused(answer: Answer, version: str, *, journal: str | None = None, link: str | None = None) -> Json:
    """The answer to a call that was not done: why, what it would have done, and how to allow it.

    The journal is named by its whole path, where there is one: nobody knows in which folder a client has started us.
    """
    decision, said = answer.decision, answer.observation.content
    if journal not in (None, MEMORY):
        command = allow_once(decision, f" --journal {shlex.quote(os.path.abspath(journal))}")
        said = refusal(decision, command if link is None else f"the user can open {link}, or {command}")
    if decision.rule == "declined":
        call = call_line(cleaned(decision).proposed, 110)
        said = f"Not done: {call}\nwhy: {decision.reason}. Do not try it again unless the user asks for it."
    marks = {DECISION: told(decision, said)}
    return in_era({"content": [{"type": "text", "text": said}], "isError": True, "_meta": marks}, version)


def _command(said: str) -> str:
    """How to allow it from a terminal, as the refusal says."""
    return said.rpartition("\nallow once: ")[2]


def told(decision: Decision, said: str = "") -> Json:
    """A decision for programs: what was decided and why, and what was foreseen. No secret is in it."""
    decision = cleaned(decision)
    imagined = first_imagined(decision, decision.proposed)
    hazards = hazards_of(decision)
    marks: Json = {
        "id": decision.id,
        "choice": decision.choice,
        "rule": decision.rule,
        "reason": decision.reason,
        "hazards": [one.model_dump(mode="json", exclude={"evidence", "step"}) for one in hazards[:_EFFECTS]],
        "predicted": None,
    }
    if imagined is not None:
        effects = imagined.effects
        marks["predicted"] = {
            "origin": origin_of(imagined.origin),
            "failed": imagined.failed,
            "content": imagined.content[:_TEXT],
            "effects": None if effects is None else [one.model_dump(mode="json") for one in effects[:_EFFECTS]],
            "more_effects": max(0, len(effects or ()) - _EFFECTS),
        }
    if "\nallow once: " in said:
        marks["allow_once"] = _command(said)
    return marks


def broken(why: str, version: str) -> Json:
    """The answer to a call that could not be judged or recorded, and so was not done."""
    said = f"Not done: {safe(shared().text(why), 600)}"
    marks = {DECISION: {"choice": "veto", "rule": "error", "reason": said}}
    return in_era({"content": [{"type": "text", "text": said}], "isError": True, "_meta": marks}, version)
