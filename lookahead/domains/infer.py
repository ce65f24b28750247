"""Which domain an action belongs to: what was declared, who claims it, and else what its tools look like."""

from functools import cache
from importlib.metadata import entry_points
from typing import Final, cast

from lookahead.domains.android import ANDROID
from lookahead.domains.base import Domain
from lookahead.domains.generic import GENERIC
from lookahead.domains.kinds import kind_of
from lookahead.domains.mcp import MCP
from lookahead.domains.os import OS
from lookahead.domains.search import SEARCH
from lookahead.domains.swe import SWE
from lookahead.domains.terminal import TERMINAL
from lookahead.domains.web import WEB
from lookahead.errors import ConfigError, boundary
from lookahead.types import Action, State, Tool

GROUP: Final = "lookahead.domains"
"""The entry points through which a package adds domains."""

_BUILT: Final = {domain.name: domain for domain in (MCP, SEARCH, TERMINAL, SWE, ANDROID, WEB, OS, GENERIC)}
_added: dict[str, Domain] = {}


def register(domain: Domain) -> Domain:
    """Add a domain, or put one in the place of another of its name, for this process."""
    if not domain.name:
        raise ConfigError("a domain without a name cannot be asked for: give it one")
    _added[domain.name] = domain
    return domain


def domains() -> dict[str, Domain]:
    """Every domain by name; those that were added last come first."""
    added = dict(reversed(_added.items()))
    return {**_BUILT, **_installed(), **added}


@cache
def _installed() -> dict[str, Domain]:
    found: dict[str, Domain] = {}
    for entry in entry_points(group=GROUP):
        with boundary(ConfigError, f"the domain {entry.name!r} of {entry.value} cannot be loaded"):
            domain = cast(object, entry.load())
        if not isinstance(domain, Domain):
            raise ConfigError(
                f"{entry.value} is named as a domain and is {type(domain).__name__}: name a `Domain` there"
            )
        found[domain.name] = domain
    return found


def domain_for(state: State, action: Action, declared: str | None = None) -> Domain:
    """The domain of this action in this session.

    The tools of a session are taken together where they can be, because the prompt that all of its steps and candidates
    share is made once for each domain.
    """
    known = domains()
    name = declared or state.domain
    if name:
        found = known.get(name.rpartition("/")[2].strip().lower()) or known.get(name)
        if found is None:
            raise ConfigError(f"there is no domain {name!r}: use one of {', '.join(sorted(known))}, or register it")
        return found
    tool = state.tool(action.tool)
    for domain in known.values():
        if domain.claims is not None and domain.claims(tool or Tool(name=action.tool)):
            return domain
    return known[_together(state, action, tool)]


def _together(state: State, action: Action, tool: Tool | None) -> str:
    own = kind_of(tool, action)
    if _BUILT[own].screens:
        return own
    kinds = {own, *(kind_of(one, action) for one in state.tools)}
    kinds -= {kind for kind in kinds if _BUILT[kind].screens}
    if len(kinds) == 1:
        return own
    # Coding agents run commands and read the web; what else is called by name has a prompt that suits any of it.
    if "swe" in kinds and kinds <= {"swe", "terminal", "search"}:
        return "swe"
    return "mcp" if "mcp" in kinds else "generic"
