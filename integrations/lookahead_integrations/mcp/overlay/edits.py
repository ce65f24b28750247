"""What is to be put in the place of what, in whichever words a call says it."""

from collections.abc import Mapping
from typing import Final, TypeAlias, cast

from pydantic import JsonValue

from lookahead_integrations.mcp.overlay.words import Role, role_of, words

Fields: TypeAlias = Mapping[str, JsonValue]

_OLD: Final = frozenset(["old", "search", "find", "original", "before"])
_NEW: Final = frozenset(["new", "replace", "replacement", "after", "with"])


def edits_in(arguments: Fields, roles: Mapping[str, Role | None]) -> list[tuple[str, str, bool]]:
    for name, role in roles.items():
        items = arguments[name]
        if role == "edits" and isinstance(items, list):
            pairs = [_pair(cast(Fields, item)) for item in items if isinstance(item, dict)]
            return [pair for pair in pairs if pair is not None] if None not in pairs else []
    pair = _pair(arguments)
    return [pair] if pair is not None else []


def _pair(fields: Fields) -> tuple[str, str, bool] | None:
    """Old and new, in whichever words."""
    texts = {name: value for name, value in fields.items() if isinstance(value, str) and role_of(name) != "address"}
    old = next((value for name, value in texts.items() if words(name) and words(name)[0] in _OLD), None)
    new = next((value for name, value in texts.items() if words(name) and words(name)[0] in _NEW), None)
    everywhere = any("all" in words(name) and value is True for name, value in fields.items())
    return (old, new, everywhere) if old is not None and new is not None else None


def appends(options: Fields) -> bool:
    mode = str(options.get("mode", "")).lower()
    return mode in ("a", "append") or any("append" in words(name) and value is True for name, value in options.items())


def partial(tool: str) -> bool:
    return bool({"update", "patch", "modify", "edit", "change"} & set(words(tool)))
