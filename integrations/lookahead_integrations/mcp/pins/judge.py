"""Compares what a server lists with what was accepted of it: what is new, what changed, and what has to wait."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from lookahead_integrations.mcp.fencing import name as called
from lookahead_integrations.mcp.fencing import plain
from lookahead_integrations.mcp.pins.alike import alike, namesake, renamed
from lookahead_integrations.mcp.pins.definition import Definition, Seen, changed, learnt
from lookahead_integrations.mcp.pins.hints import hints
from lookahead_integrations.mcp.pins.store import Pin, Upstream, Waiting, Why

FIRST: Final = "first sight"
MOST: Final = 5000
"""Tools of one server."""
_MOST_WAITING: Final = 200
_MOST_AUDIENCES: Final = 64


@dataclass(frozen=True, kw_only=True)
class Withheld:
    """A tool that is not shown, and not called."""

    name: str
    why: Why
    because: str
    """In words that hold nothing of a stranger unescaped."""
    now: Definition | None = None
    accepted: Definition | None = None
    accepted_at: str = ""


@dataclass(kw_only=True)
class Judgement:
    """What came of one comparison."""

    upstream: Upstream
    withheld: dict[str, Withheld] = field(default_factory=dict[str, Withheld])
    fine: set[str] = field(default_factory=set[str])
    unreadable: list[int] = field(default_factory=list[int])
    """The places in the list of what cannot even be named."""
    said: list[str] = field(default_factory=list[str])
    """For whoever runs the proxy."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One list of a server's tools, or a page of it."""

    tools: Sequence[object]
    complete: bool
    version: str
    """The revision that it was asked in."""
    audience: str = ""
    """What the client can do, as it declared: servers leave out what it could not use."""


def judged(known: Upstream | None, label: str, listed: Listed, *, now: str, strict: bool = False) -> Judgement:
    """Pure: the same list against the same file gives the same judgement."""
    first = known is None
    shown = None if known is None else known.shown.get(listed.audience)
    upstream = known or Upstream(name=label, first_seen=now)
    made = Judgement(upstream=upstream)
    readable = _readable(listed.tools, made)
    gone = set(shown or ()) - readable.keys() if listed.complete else set[str]()
    missing = [pin.seen.definition for name, pin in upstream.tools.items() if name in gone]
    newly = listed.complete and shown is None
    pins, waiting = dict(upstream.tools), dict(upstream.waiting)
    for name, tool in readable.items():
        if name in made.withheld:
            continue
        pin = pins.get(name)
        held = None
        if pin is not None:
            held = _compared(pin, tool, pins)
        elif not first and len(pins) >= MOST:
            held = Withheld(name=name, why="many", because=f"this server has more than {MOST:,} tools", now=tool)
        elif not first:
            held = _newcomer(tool, upstream.tools, missing, newly=newly, strict=strict)
        if held is not None:
            made.withheld[name] = held
            continue
        made.fine.add(name)
        waiting.pop(name, None)
        if name not in pins:
            pins[name] = Pin(seen=Seen.of(tool), accepted_at=now, by=FIRST, seen_in=listed.version)
            _report(tool, made, late=not first, newly=newly)
    for name, held in made.withheld.items():
        if held.now is not None and not (name in waiting and waiting[name].seen.same(held.now)):
            waiting.pop(name, None)
            waiting[name] = _waiting(held, now, listed.version)
            made.said.append(f"the tool {called(name)} is held back: {held.because}")
    if first:
        found = f"{len(pins)} tools" if len(pins) != 1 else "one tool"
        made.said.insert(0, f"first sight of {plain(label, 120)}: {found} accepted as they are now")
    for name in sorted(gone):
        made.said.append(f"the tool {called(name)} is no longer there")
    audiences = dict(list({**upstream.shown, **_shown(listed, shown, made)}.items())[-_MOST_AUDIENCES:])
    waits = dict(list(waiting.items())[-_MOST_WAITING:])
    made.upstream = upstream.model_copy(update={"tools": pins, "waiting": waits, "shown": audiences})
    return made


def _shown(listed: Listed, before: Sequence[str] | None, made: Judgement) -> dict[str, tuple[str, ...]]:
    return {listed.audience: tuple(sorted({*(before or ()), *made.fine}))} if listed.complete else {}


def _readable(tools: Sequence[object], made: Judgement) -> dict[str, Definition]:
    found: dict[str, Definition] = {}
    for place, raw in enumerate(tools):
        try:
            tool = Definition.read(raw)
        except (ValueError, RecursionError) as cause:
            # pydantic's own message quotes what it was given.
            why = "its definition cannot be read" if "validation error" in str(cause) else str(cause)
            name = raw.get("name") if isinstance(raw, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            made.unreadable.append(place)
            if isinstance(name, str) and name:
                made.withheld[name] = Withheld(name=name, why="unreadable", because=why)
            continue
        if tool.name in found and found[tool.name].digest != tool.digest:
            made.withheld[tool.name] = Withheld(
                name=tool.name, why="twice", because="two tools of this list have this name and are not the same"
            )
        found[tool.name] = tool
    return found


def _compared(pin: Pin, tool: Definition, pins: dict[str, Pin]) -> Withheld | None:
    parts = changed(pin.seen, tool, seen_in=pin.seen_in)
    if parts:
        return Withheld(
            name=tool.name,
            why="changed",
            because=f"its {_and(parts)} changed since it was accepted",
            now=tool,
            accepted=pin.seen.definition,
            accepted_at=pin.accepted_at,
        )
    seen = learnt(pin.seen, tool)
    if seen is not pin.seen:
        pins[tool.name] = pin.model_copy(update={"seen": seen})
    return None


def _newcomer(
    tool: Definition, known: Mapping[str, Pin], missing: Sequence[Definition], *, newly: bool, strict: bool
) -> Withheld | None:
    """A tool that was not there when this server was first seen.

    `newly`: it is shown to a kind of client that this server did not meet before, and so it may have been there for
    such clients all along. It then waits only for what nobody can mean well: another's name, a hidden text.
    """
    for one in missing:
        if why := renamed(tool, one):
            text = f"{called(one.name)} is gone, and this may be it under another name: {why}"
            return Withheld(name=tool.name, why="renamed", because=text, now=tool, accepted=one)
    for name, pin in known.items():
        if why := (namesake if newly else alike)(tool, pin.seen.definition):
            text = f"it came later and could be taken for {called(name)}: {why}"
            return Withheld(name=tool.name, why="alike", because=text, now=tool, accepted=pin.seen.definition)
    found = hints({"name": tool.name, **tool.said})
    if found:
        return Withheld(name=tool.name, why="hidden", because=f"it came later, with {found[0].what}", now=tool)
    if strict:
        return Withheld(name=tool.name, why="new", because="it came after this server was accepted", now=tool)
    return None


def _waiting(held: Withheld, now: str, version: str) -> Waiting:
    assert held.now is not None
    return Waiting(
        seen=Seen.of(held.now),
        why=held.why,
        like=held.accepted.name if held.accepted is not None and held.accepted.name != held.name else "",
        because=held.because,
        seen_at=now,
        seen_in=version,
    )


def _report(tool: Definition, made: Judgement, *, late: bool, newly: bool) -> None:
    if late:
        new = "is shown to this kind of client," if newly else "is new, like none that was there before,"
        made.said.append(f"the tool {called(tool.name)} {new} and accepted")
    for hint in hints({"name": tool.name, **tool.said}):
        made.said.append(f"look at the tool {called(tool.name)}: {hint.line}")


def _and(parts: Sequence[str]) -> str:
    words = {"inputSchema": "input schema", "outputSchema": "output schema"}
    named = [words.get(part, part) for part in parts]
    return " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)
