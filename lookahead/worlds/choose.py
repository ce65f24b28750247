"""Which world to ask: an environment, a name, or whatever exact copy can be had here."""

import logging
import os
from collections.abc import Mapping
from typing import Final, TypeAlias, cast

from lookahead.errors import ConfigError, LookaheadError
from lookahead.functions import ToolFunction
from lookahead.policy import Policy
from lookahead.types import Environment

log: Final = logging.getLogger("lookahead")

World: TypeAlias = Environment | str | None

_warned: Final[set[str]] = set()
KNOWN: Final = 'an Environment, "auto", "none", "directory:PATH", "sqlite:PATH" or "postgresql://…"'


def choose(
    world: World, *, functions: Mapping[str, ToolFunction], real: Environment | None, policy: Policy
) -> Environment | None:
    """The world that these words mean. A tool's own dry-run argument, where the policy declares one, is asked first."""
    flagged = _flagged(real, policy)
    found = world if callable(world) else _named(world or "none", functions)
    if flagged is None or found is None:
        return flagged or found
    from lookahead.worlds.routed import RoutedWorld

    return RoutedWorld(flagged, found)


def _flagged(real: Environment | None, policy: Policy) -> Environment | None:
    flags = {pattern: line.dry_run for pattern, line in policy.tools.items() if line.dry_run is not None}
    if not flags:
        return None
    if real is None:
        raise ConfigError("the policy declares a dry-run argument, but this kind of agent hides its real tools from us")
    from lookahead.worlds.fork import DryRun

    return DryRun(real, flags)


def _named(name: str, functions: Mapping[str, ToolFunction]) -> Environment | None:
    kind, _, rest = name.partition(":")
    if name == "none":
        return None
    if name == "auto":
        return _exact_here(functions)
    if kind == "directory" and rest:
        from lookahead.worlds.fork import DirectoryFork

        return DirectoryFork(rest, tools=functions)
    if kind == "sqlite" and rest:
        from lookahead.worlds.fork import SqliteFork

        return SqliteFork(rest)
    if kind in ("postgresql", "postgres") and rest.startswith("//"):
        from lookahead.worlds.fork import PostgresFork

        return PostgresFork(name)
    raise ConfigError(f"world={name!r} names no world; it is {KNOWN}")


def _exact_here(functions: Mapping[str, ToolFunction]) -> Environment | None:
    """The working directory, where functions were given that can be tried in a copy of it.

    Nothing is assumed of an environment: nobody says that its tools work on this directory, or on this machine.
    """
    if not functions:
        return None
    from lookahead.worlds.fork import DirectoryFork
    from lookahead.worlds.fork.probe import probe

    try:
        found = DirectoryFork(os.getcwd(), tools=functions)
        missing: LookaheadError | None = probe()
    except ConfigError as cause:
        found, missing = None, cause
    if missing is None:
        return found
    text = str(missing)
    if text not in _warned:  # once is enough, however many agents are wrapped
        _warned.add(text)
        log.warning("nothing can be tried in a copy here, so calls are judged by their text alone: %s", text)
    return None


def root_of(world: Environment | None, functions: Mapping[str, ToolFunction]) -> str | None:
    """Where the agent works: what is changed elsewhere is outside of it. None where nobody knows."""
    path = getattr(world, "path", None)
    if isinstance(path, os.PathLike):
        return os.fspath(cast("os.PathLike[str]", path))
    return os.getcwd() if functions else None
