"""Whether what was imagined is what happened, apart from what differs between any two runs of the same thing."""

from collections import Counter
from typing import cast

from pydantic import JsonValue

from lookahead.journal import Agreement
from lookahead.ledger.alike import Same, same_text, same_value, spelled
from lookahead.types import Effect, Observation, ToolEffect

_EXCERPT = 80


def agree(imagined: Observation, real: Observation, *, effect: ToolEffect = "unknown") -> Agreement:
    """Compare two answers. `effect` is what the tool is declared to do: it counts where nobody saw the effects."""
    how, detail = _compared(imagined, real)
    return Agreement(agreed=how != "no", changed=_changed(imagined, real, effect), how=how, detail=detail)


def _changed(imagined: Observation, real: Observation, effect: ToolEffect) -> bool:
    for seen in (real.effects, imagined.effects):
        if seen is not None:
            return bool(seen)
    return effect != "reads"


def _compared(imagined: Observation, real: Observation) -> tuple[Same, str]:
    if imagined.failed != real.failed:
        return "no", "it was to fail and did not" if imagined.failed else "it failed and was not to"
    said = [_said(imagined, real), _structured(imagined, real), _effects(imagined.effects, real.effects)]
    for how, detail in said:
        if how == "no":
            return how, detail
    return ("normalised", "") if any(how == "normalised" for how, _ in said) else ("exact", "")


def _said(imagined: Observation, real: Observation) -> tuple[Same, str]:
    how = same_text(imagined.content, real.content)
    return how, "" if how != "no" else f"content: {_difference(imagined.content, real.content)}"


def _structured(imagined: Observation, real: Observation) -> tuple[Same, str]:
    """A world that says nothing structured is judged by its words, if it has any."""
    one, other = imagined.structured, real.structured
    if (one is None) != (other is None):
        spoken = bool(real.content.strip())
        return ("normalised", "") if spoken else ("no", "structured: only one of the two has it")
    how = same_value(one, other)
    return how, "" if how != "no" else f"structured: {_difference(spelled(one), spelled(other))}"


def _effects(imagined: tuple[Effect, ...] | None, real: tuple[Effect, ...] | None) -> tuple[Same, str]:
    if imagined is None or real is None or imagined == real:
        return "exact", ""
    one, other = Counter(map(_key, imagined)), Counter(map(_key, real))
    if one == other:
        return "exact", ""
    missing, extra = other - one, one - other
    # Two effects on files with names drawn at random are the same effect.
    left = cast(list[JsonValue], [list(key) for key in sorted(extra.elements(), key=str)])
    right = cast(list[JsonValue], [list(key) for key in sorted(missing.elements(), key=str)])
    if same_value(left, right) != "no":
        return "normalised", ""
    named = [
        f"{'not imagined' if found in missing else 'did not happen'}: {found[0]} {found[1]}"
        for found in (*missing, *extra)
    ]
    return "no", f"effects: {named[0][:_EXCERPT]}"


def _key(effect: Effect) -> tuple[str, str, str, int | None, int | None, str | None]:
    """What makes an effect this effect; how it is described and whether it can be undone is a matter of opinion."""
    return (effect.happened, effect.target, effect.what, effect.before, effect.after, effect.unit)


def _difference(imagined: str, real: str) -> str:
    """Where two texts part, with a little of what follows in each."""
    at = next(
        (i for i, (a, b) in enumerate(zip(imagined, real, strict=False)) if a != b), min(len(imagined), len(real))
    )
    return f"at {at} imagined {imagined[at : at + _EXCERPT]!r}, real {real[at : at + _EXCERPT]!r}"
