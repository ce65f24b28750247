"""Which world to ask: an environment, a name, or whatever exact copy can be had here."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias, cast

from lookahead.errors import ConfigError, LookaheadError
from lookahead.functions import ToolFunction
from lookahead.journal import Journal
from lookahead.policy import Policy
from lookahead.types import Environment, Tool

log: Final = logging.getLogger("lookahead")

World: TypeAlias = Environment | str | None
At: TypeAlias = Callable[[str], Environment]
"""The world of the language model at an address."""

_warned: Final[set[str]] = set()
KNOWN: Final = (
    'an Environment, "auto", "none", "http://HOST:PORT/v1", "http://HOST/v1#MODEL", "openai:MODEL", "vllm:MODEL", '
    '"recorded", "embedded", "embedded:FOLDER", "directory:PATH", "sqlite:PATH" or "postgresql://…"'
)


def choose(
    world: World,
    *,
    functions: Mapping[str, ToolFunction],
    real: Environment | None,
    policy: Policy,
    journal: Journal | None = None,
    exclude_run: str | None = None,
    endpoint: str = "",
    at: At | None = None,
    tools: Sequence[Tool] = (),
) -> Environment | None:
    """The world that these words mean. A tool's own dry-run argument, where the policy declares one, is asked first."""
    flagged = _flagged(real, policy)
    recorded = _recorded(journal, exclude_run)
    if callable(world):
        found = world
    elif world == "auto":
        found = _whatever_can_be_had(functions, recorded, endpoint, at, tools)
    else:
        found = _named(world or "none", functions, recorded, at)
    return _routed(*filter(None, (flagged, found)))


def _whatever_can_be_had(
    functions: Mapping[str, ToolFunction],
    recorded: Environment | None,
    endpoint: str,
    at: At | None,
    tools: Sequence[Tool],
) -> Environment | None:
    """A copy first, then the record, then the model that is configured, then the small one that is always there."""
    exact = _exact_here(functions)
    asked = (recorded, at(endpoint)) if endpoint and at is not None else ()
    return _routed(*filter(None, (exact, *asked, _embedded_for(tools, functions))))


def _embedded_for(tools: Sequence[Tool], functions: Mapping[str, ToolFunction]) -> Environment | None:
    """The small model, where it is installed and may know one of the agent's tools. Nothing is loaded yet."""
    from lookahead.worlds.embedded.shipped import missing

    if missing():
        return None
    from lookahead.worlds.embedded.gate import knows_any

    return _embedded(functions) if knows_any(tools) else None


def _embedded(functions: Mapping[str, ToolFunction], weights: str | None = None) -> Environment:
    """Functions work on this directory, and each call has a shell of its own. Of other tools nobody knows where."""
    from lookahead.worlds.embedded.sight import scene_of_directory
    from lookahead.worlds.embedded.world import EmbeddedWorld

    if not functions:
        return EmbeddedWorld(weights=weights)
    here = os.getcwd()
    return EmbeddedWorld(lambda: scene_of_directory(here), weights=weights, one_shell=False)


def _recorded(journal: Journal | None, exclude_run: str | None) -> Environment | None:
    if journal is None:
        return None
    from lookahead.worlds.recorded import RecordedWorld

    return RecordedWorld(journal, exclude_run=exclude_run)


def _routed(*worlds: Environment) -> Environment | None:
    if len(worlds) < 2:
        return worlds[0] if worlds else None
    from lookahead.worlds.routed import RoutedWorld

    return RoutedWorld(*worlds)


def _flagged(real: Environment | None, policy: Policy) -> Environment | None:
    flags = {pattern: line.dry_run for pattern, line in policy.tools.items() if line.dry_run is not None}
    if not flags:
        return None
    if real is None:
        raise ConfigError("the policy declares a dry-run argument, but this kind of agent hides its real tools from us")
    from lookahead.worlds.fork import DryRun

    return DryRun(real, flags)


def _named(
    name: str, functions: Mapping[str, ToolFunction], recorded: Environment | None, at: At | None
) -> Environment | None:
    kind, _, rest = name.partition(":")
    if name == "none":
        return None
    if name == "recorded" and recorded is not None:
        return recorded
    if name == "embedded" or (kind == "embedded" and rest):
        from lookahead.worlds.embedded.shipped import missing

        if not rest and (absent := missing()):
            raise ConfigError(f'world="embedded" cannot be had: {absent}')
        return _embedded(functions, rest or None)
    if is_address(name) and at is not None:
        return at(name)
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


def is_address(name: str) -> bool:
    """Whether a language model is meant: one that is served somewhere, or one that runs in this process."""
    from lookahead.models import names_a_model

    return names_a_model(name) or (name.startswith("vllm:") and len(name) > len("vllm:"))
