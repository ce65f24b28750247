"""`lookahead proxy --accept-tools`: a person looks at what waits, and says yes to just that."""

import argparse
import getpass
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lookahead.commands._listing import confirmed, emit
from lookahead.errors import ConfigError
from lookahead_integrations.mcp.exchange import Json
from lookahead_integrations.mcp.fencing import name as called
from lookahead_integrations.mcp.fencing import plain, quoted
from lookahead_integrations.mcp.pins import place
from lookahead_integrations.mcp.pins.definition import difference
from lookahead_integrations.mcp.pins.hints import hints
from lookahead_integrations.mcp.pins.store import Kept, Pin, PinStore, Waiting

LEFT: Final = 2
"""The exit code where something still waits for somebody's eyes."""
_LINES: Final = 400


@dataclass(frozen=True, kw_only=True)
class One:
    """One tool that waits, and where."""

    key: str
    server: str
    name: str
    waiting: Waiting
    pin: Pin | None
    """What was accepted under this name, or of the tool that it is like."""


def run(args: argparse.Namespace) -> int:
    """`args`: accept_tools (names, none for all), pins, journal, yes, json."""
    store = PinStore(place(args.pins, getattr(args, "journal", None)))
    return accept(store, args.accept_tools, yes=args.yes, as_json=args.json)


def accept(store: PinStore, names: Sequence[str] = (), *, yes: bool = False, as_json: bool = False) -> int:
    """Shows what waits, asks for each, writes down what was accepted."""
    found = list(_waiting(store.read()))
    known = {one.name for one in found}
    if missing := [one for one in names if one not in known]:
        waiting = ", ".join(sorted(plain(one, 60) for one in known))
        others = f"these do: {waiting}" if waiting else "nothing does"
        raise ConfigError(f"no tool {called(missing[0])} waits in {store.path}; {others}")
    chosen = [one for one in found if not names or one.name in names]
    accepted: list[One] = []
    for one in chosen:
        if not as_json:
            print("\n".join(shown(one)))
        if yes or (not as_json and confirmed(f"Accept {called(one.name)} as it is now?")):
            accepted.append(one)
    if accepted:
        store.change(lambda kept: _with(kept, accepted))
    left = [one for one in _waiting(store.read()) if not names or one.name in names]
    if as_json:
        emit(
            "proxy.accept-tools",
            {"accepted": [_told(one) for one in accepted], "waiting": [_told(one) for one in left]},
        )
    elif not chosen:
        print("No tool waits.")
    else:
        print(f"Accepted: {len(accepted)}. Still waiting: {len(left)}.")
    return LEFT if left else 0


def shown(one: One) -> list[str]:
    """All that a person needs to see before a yes; what a server wrote stands behind bars."""
    waiting = one.waiting
    lines = [f"{called(one.name)} of {plain(one.server, 160)}", f"  it waits because {waiting.because}"]
    if one.pin is not None:
        lines.append(f"  accepted at {plain(one.pin.accepted_at, 40)} by {plain(one.pin.by, 40)}")
    before = one.pin.seen.definition if one.pin is not None else None
    lines += quoted(difference(before, waiting.seen.definition), lines=_LINES)
    said = {"name": one.name, **waiting.seen.definition.said}
    return lines + [f"  look at {hint.line}" for hint in hints(said)]


def _waiting(kept: Kept) -> Iterator[One]:
    for key, upstream in kept.upstreams.items():
        for name, waiting in upstream.waiting.items():
            pin = upstream.tools.get(waiting.like or name)
            yield One(key=key, server=upstream.name, name=name, waiting=waiting, pin=pin)


def _with(kept: Kept, accepted: Sequence[One]) -> Kept:
    now, by = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), _me()
    for one in accepted:
        upstream = kept.upstreams.get(one.key)
        waiting = upstream.waiting.get(one.name) if upstream is not None else None
        if upstream is None or waiting is None or waiting.seen != one.waiting.seen:
            raise ConfigError(
                f"the tool {called(one.name)} changed again while you looked at it, so nothing was accepted; look again"
            )
        pin = Pin(seen=waiting.seen, accepted_at=now, by=by, seen_in=waiting.seen_in)
        rest = {name: other for name, other in upstream.waiting.items() if name != one.name}
        update = {"tools": {**upstream.tools, one.name: pin}, "waiting": rest}
        kept = kept.with_(one.key, upstream.model_copy(update=update))
    return kept


def _told(one: One) -> Json:
    said = {"name": one.name, **one.waiting.seen.definition.said}
    return {
        "server": one.server,
        "name": one.name,
        "why": one.waiting.why,
        "because": one.waiting.because,
        "definition": one.waiting.seen.definition.said,
        "findings": [hint.line for hint in hints(said)],
    }


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "somebody"


def waits(path: str | Path) -> int:
    """How many tools wait in this file; for whoever tells of it elsewhere."""
    return sum(1 for _ in _waiting(PinStore(path).read()))
