"""Predicted effects on anything but files: rows, tables, messages, money."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from lookahead.critics.finding import Finding, Reach, caution, count, danger, note
from lookahead.critics.provenance import source_of
from lookahead.types import Effect, State

MANY: Final = 50
"""So many changed things are worth a look, whatever they are."""
_SHARE: Final = re.compile(r"([\d,]+) of (?:more than )?([\d,]+)")


def records(effects: Sequence[Effect]) -> Iterator[Finding]:
    """Rows, tables, values, messages, keys: whatever is not a file."""
    for effect in effects:
        number, total = _share(effect)
        what = effect.what if effect.what != "thing" else (effect.unit or "thing").rstrip("s")
        reach: Reach = "rows"
        names = (effect.target,)
        if effect.recoverable is True:
            yield note(
                "data.changed",
                f"{_verb(effect)} {what} {effect.target}",
                "it can be had again",
                effect.target,
                reach=reach,
            )
        elif effect.happened == "deleted" and what in ("row", "item"):
            all_of_it = total is not None and number >= total
            most = total is not None and total > 1 and number * 2 >= total
            words = f"deletes {count(number, what)} of {effect.target}" + (
                f", {number / total:.0%} of it" if total else ""
            )
            if (all_of_it and number > 1) or (most and number > 2) or number >= 1000:
                yield danger(
                    "rows.lost", words, "deleted rows do not come back", _first(effect), reach=reach, names=names
                )
            else:
                yield caution(
                    "rows.deleted",
                    words,
                    "deleted rows do not come back",
                    _first(effect),
                    reach=reach,
                    loses=True,
                    names=names,
                )
        elif effect.happened == "deleted" and what in ("table", "database", "schema", "column", "collection", "bucket"):
            held = f" with {count(effect.before, 'row')}" if effect.before is not None else ""
            if effect.before == 0:
                yield note(
                    "rows.dropped-empty", f"drops the empty {what} {effect.target}", "nothing was in it", reach=reach
                )
            else:
                yield danger(
                    "rows.dropped",
                    f"drops the {what} {effect.target}{held}",
                    "all that is in it is gone",
                    reach=reach,
                    names=names,
                )
        elif effect.happened == "deleted":
            yield caution(
                "data.deleted",
                f"deletes the {what} {effect.target}",
                "nobody knows of another copy",
                _first(effect),
                reach=reach,
                loses=True,
                names=names,
            )
        elif what in ("row", "item"):
            most = total is not None and total > 2 and number * 2 >= total
            words = f"changes {count(number, what)} of {effect.target}" + (
                f", {number / total:.0%} of it" if total else ""
            )
            if (most and number > 10) or (most and total == number):
                yield danger(
                    "rows.mass-change", words, "the old values are gone", _first(effect), reach=reach, names=names
                )
            elif number >= MANY or most:
                yield caution(
                    "rows.mass-change",
                    words,
                    "the old values are gone",
                    _first(effect),
                    reach=reach,
                    loses=True,
                    names=names,
                )
            else:
                yield note("rows.changed", words, "the old values are gone", reach=reach)
        else:
            yield note(
                "data.changed", f"changes the {what} {effect.target}", "worth a glance", _first(effect), reach=reach
            )


def _share(effect: Effect) -> tuple[int, int | None]:
    """How many, of how many: from the first line of the detail where it says so, else from the sizes."""
    if match := _SHARE.match(effect.detail):
        return int(match[1].replace(",", "")), int(match[2].replace(",", ""))
    before, after = effect.before, effect.after
    if effect.happened == "deleted" and before is not None and after is not None and after <= before:
        return before - after, before
    return before or 1, None


def sent(effect: Effect, state: State) -> Finding:
    source = source_of(state, effect.target) if effect.target else "nowhere"
    what = f"sends a {effect.what if effect.what != 'thing' else 'message'} to {effect.target or 'somebody'}"
    if source == "user":
        return note("leaves.sent", what, "the goal names whom it goes to", effect.target)
    if source == "prose":
        return danger(
            "leaves.injected-recipient",
            what,
            "the address comes from text that a tool returned, not from the user",
            effect.target,
            loses=False,
        )
    if source == "record":
        return note("leaves.sent", what, "the address was looked up", effect.target)
    return caution(
        "leaves.unknown-recipient", what, "neither the goal nor a record names whom it goes to", effect.target
    )


def network(effect: Effect) -> Finding:
    """Shell text reached for the network: what it would have sent is judged by its words."""
    return note(
        "network.reached", f"reaches for the network: {effect.target}", "the copy has none; it might go on differently"
    )


def spent(effect: Effect, state: State) -> Finding:
    cents = abs((effect.after if effect.after is not None else 0) - (effect.before or 0))
    amount = f"{cents / 100:,.2f}"
    asked = any(
        re.search(rf"(?<![\d.,]){re.escape(form)}(?![\d]|[.,]\d)", state.goal)
        for form in (amount, amount.removesuffix(".00"), f"{cents / 100:g}", f"{cents / 100:.2f}")
    )
    what = f"spends {amount} ({effect.target})"
    if asked:
        return note("money.spent", what, "the goal names the amount")
    return caution("money.spent", what, "the goal names no such amount", effect.target)


def _verb(effect: Effect) -> str:
    return {"deleted": "deletes", "changed": "changes", "created": "creates", "sent": "sends", "spent": "spends"}[
        effect.happened
    ]


def _first(effect: Effect) -> str:
    lines = effect.detail.split("\n")
    return lines[1] if len(lines) > 1 and _SHARE.match(lines[0]) else lines[0]
