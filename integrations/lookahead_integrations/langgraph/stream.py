"""What a line tells whoever watches it, told in the graph's own custom stream: `{"lookahead": {...}}`."""

from typing import Any, Final, cast

from langgraph.config import get_stream_writer
from pydantic import JsonValue

from lookahead.act import log
from lookahead.events import Acted, Decided, Event, Imagined, Judged, Proposed
from lookahead.redact import shared
from lookahead.show import call_line

VERSION: Final = 1
_TOLD: Final = (Proposed, Imagined, Judged, Decided, Acted)
"""For nothing else is the stream looked for: a call tells of a dozen things, and mostly nobody listens."""


def into_stream(event: Event) -> None:
    """A watcher. Outside of a graph, and where nobody listens, it says nothing."""
    if not isinstance(event, _TOLD):
        return
    try:
        write = get_stream_writer()
    except (RuntimeError, KeyError):
        return
    if not write.__closure__:
        return  # nobody listens: LangGraph's own writer for that case holds nothing that it could write to
    try:
        if said := told(event):
            write({"lookahead": {"v": VERSION, **said}})
    except Exception:
        log.debug("the stream was closed before %s could be told", type(event).__name__, exc_info=True)


def told(event: Event) -> dict[str, Any]:
    """What a person would follow, as plain data without a secret in it; empty for what only a trace needs."""
    said: dict[str, JsonValue]
    match event:
        case Proposed(candidates=candidates):
            said = {"event": "candidates", "calls": [call_line(one) for one in candidates]}
        case Imagined(action=action, rollout=rollout):
            said = {
                "event": "imagined",
                "call": call_line(action),
                "steps": len(rollout.steps),
                "failure": rollout.failure,
            }
        case Judged(action=action, verdict=verdict):
            said = {
                "event": "scored",
                "call": call_line(action),
                "score": verdict.score,
                "hazards": [{"rule": one.rule, "severity": one.severity, "what": one.what} for one in verdict.hazards],
            }
        case Decided(decision=decision):
            said = {
                "event": "verdict",
                "call": call_line(decision.proposed),
                "call_id": decision.proposed.call_id,
                "decision": decision.id,
                "choice": decision.choice,
                "allowed": decision.chosen is not None,
                "rule": decision.rule,
                "reason": decision.reason,
            }
        case Acted(action=action, observation=observation):
            said = {"event": "done", "call": call_line(action), "failed": observation.failed}
        case _:
            return {}
    return cast(dict[str, Any], shared().json(said))


__all__ = ["into_stream", "told"]
