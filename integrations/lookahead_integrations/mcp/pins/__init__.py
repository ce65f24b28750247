"""Tools are accepted once, as they are; one that is another tool by now is not shown and not called until accepted."""

from contextlib import AsyncExitStack
from pathlib import Path

from lookahead.settings import Settings
from lookahead_integrations.mcp.exchange import Service
from lookahead_integrations.mcp.pins.service import Identity, Pinned
from lookahead_integrations.mcp.pins.store import PinsDamaged, PinStore, upstream_key, without_secrets
from lookahead_integrations.mcp.settings import ProxySettings

FILE = "pins.json"


def layer(next: Service, /, *, settings: ProxySettings, stack: AsyncExitStack) -> Service:
    """Before one server. Several at once are pinned each for itself, before they are put together.

    A list that a user saved is the user's own word: where there is no server, there is nobody to be held to it.
    """
    parts = settings.command or ((settings.url,) if settings.url is not None else ())
    if not parts:
        return next
    return pinned(next, store=opened(settings), parts=parts, strict=settings.strict)


def pinned(next: Service, /, *, store: PinStore, parts: tuple[str, ...], strict: bool = False) -> Pinned:
    """A server behind its pins. `parts`: its command with all arguments, or its address alone."""
    return Pinned(next=next, store=store, identity=identity(parts), strict=strict)


def opened(settings: ProxySettings) -> PinStore:
    """The file of accepted tools, looked at now, so that a damaged one is an error at the start."""
    store = PinStore(place(settings.pins, settings.journal))
    store.read()
    return store


def place(pins: str | None, journal: str | None) -> Path:
    """Where it is said to be, else beside the journal."""
    if pins:
        return Path(pins)
    path = journal or Settings.found().journal
    return Path(".lookahead" if path == ":memory:" else Path(path).parent) / FILE


def identity(parts: tuple[str, ...]) -> Identity:
    import shlex

    clean = without_secrets(parts)
    return Identity(key=upstream_key(parts), label=shlex.join(clean) if len(clean) > 1 else "".join(clean))


__all__ = ["Identity", "PinStore", "Pinned", "PinsDamaged", "identity", "layer", "opened", "pinned", "place"]
