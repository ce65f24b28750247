"""What several servers say, as one server says it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from lookahead import __version__
from lookahead_integrations.mcp.exchange import LEGACY, LISTS, META, MODERN, Json

SERVER: Final[Json] = {"name": "lookahead", "version": __version__}
MERGED: Final[Mapping[str, str]] = {**LISTS, "tasks/list": "tasks"}
_GREETING: Final = (
    "Several servers stand behind this one. The name of each tool and each prompt begins with its server's name and "
    "two underscores."
)


def object_of(value: object) -> Json:
    return cast(Json, value) if isinstance(value, dict) else {}


def objects(value: object) -> list[Json]:
    return (
        [cast(Json, one) for one in cast(list[object], value) if isinstance(one, dict)]
        if isinstance(value, list)
        else []
    )


def capabilities(said: Sequence[Json], *, more: bool) -> Json:
    """All that any of them can. Where more may come, changes of the lists will be told."""
    merged: Json = {}
    for one in said:
        merged = _merged(merged, one)
    if more:
        merged = _merged(merged, {name: {"listChanged": True} for name in ("tools", "prompts", "resources")})
    return merged


def _merged(one: Json, other: Json) -> Json:
    merged = dict(one)
    for key, value in other.items():
        before = merged.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            merged[key] = _merged(cast(Json, before), cast(Json, value))
        elif isinstance(before, bool) and isinstance(value, bool):
            merged[key] = before or value
        elif before is None:
            merged[key] = value
    return merged


def instructions(said: Mapping[str, Json], prefixes: Mapping[str, str], absent: Mapping[str, str]) -> str:
    """Each server's own, under its name, and what is to be said of those that are not there."""
    parts = [_GREETING]
    for key, prefix in prefixes.items():
        if key in absent:
            parts.append(f"# {prefix}\nNot available now: {absent[key]}")
        elif isinstance(own := said.get(key, {}).get("instructions"), str) and own:
            parts.append(f"# {prefix}\n{own}")
    return "\n\n".join(parts)


def version(said: Sequence[Json], asked: object) -> str:
    """The newest revision that any of them agreed to."""
    found = [str(one.get("protocolVersion")) for one in said]
    known = [version for version in LEGACY if version in found]
    return known[-1] if known else asked if isinstance(asked, str) and asked in LEGACY else LEGACY[-1]


def versions(said: Sequence[Json]) -> list[str]:
    found = {version for one in said for version in cast(list[Any], one.get("supportedVersions") or [])}
    return [version for version in MODERN if version in found] or [*MODERN]


def complete(said: Sequence[Json], **fields: Any) -> Json:
    """A result of the newer era, which holds as long as each of its parts does."""
    lives = [one["ttlMs"] for one in said if isinstance(one.get("ttlMs"), int)]
    scopes = [one.get("cacheScope") for one in said]
    return {
        "resultType": "complete",
        **fields,
        "ttlMs": min(lives, default=0) if len(lives) == len(said) else 0,
        "cacheScope": "public" if scopes and all(scope == "public" for scope in scopes) else "private",
        "_meta": {f"{META}serverInfo": SERVER},
    }
