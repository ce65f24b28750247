"""What an agent framework lets a line do: said once, checked when an agent is wrapped, shown in the README's table."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, cast, get_args

from lookahead.errors import ConfigError
from lookahead.policy import Policy
from lookahead.settings import Mode

Ability: TypeAlias = Literal[
    "run", "veto", "swap", "ask", "resume", "rivals", "dry-run", "shadow", "parallel", "streaming", "sync", "async"
]
ABILITIES: Final[tuple[Ability, ...]] = get_args(Ability)


@dataclass(frozen=True, kw_only=True)
class ToolPath:
    """One way from an agent to a tool, and what becomes of a call that takes it."""

    tool: str
    how: Literal["guarded", "blocked", "opaque"] = "guarded"
    where: str = ""
    """Where in the agent: a node, a subagent, a server."""
    why: str = ""

    def __str__(self) -> str:
        at = f" at {self.where}" if self.where else ""
        return f"{self.tool}{at}: {self.how}{f' ({self.why})' if self.why else ''}"


@dataclass(frozen=True, kw_only=True)
class Host:
    """One agent framework. Says what it cannot do without importing it; the file that can is loaded when needed."""

    name: str
    package: str
    """The distribution that is installed."""
    tested: str
    """The version that the tests run with."""
    extra: str
    point: str
    """Where the line is put between agent and tool."""
    root: str
    """The first part of its module names."""
    kinds: tuple[str, ...]
    """The classes of agents that can be wrapped."""
    load: str
    """The function that wraps, `module:name`, called with the agent and the options."""
    cannot: Mapping[Ability, str] = field(default_factory=dict[Ability, str])
    """Why not, and what to do instead."""

    def accepts(self, agent: object, /) -> bool:
        return any(kind.__module__.split(".")[0] == self.root and kind.__name__ in self.kinds for kind in _kinds(agent))

    def wrap(self, agent: Any, options: Any, /) -> Any:
        """The same kind of agent, guarded. What the host cannot do is refused now, not passed over later."""
        self.check(
            mode=options.mode,
            policy=options.policy,
            rivals=getattr(options.search, "calls", 1) > 1 and getattr(options.search, "propose", None) is None,
        )
        module, _, name = self.load.partition(":")
        try:
            wrap = cast(Callable[[Any, Any], Any], getattr(importlib.import_module(module), name))
        except ImportError as error:
            raise ConfigError(
                f"{self.name} cannot be wrapped: {error}. Next: pip install 'lookahead-agents[{self.extra}]'"
            ) from error
        return wrap(agent, options)

    def check(self, *, mode: Mode, policy: Policy, rivals: bool) -> None:
        """Raises where something is wanted that this framework has no place for."""
        wanted: list[Ability] = []
        if mode in ("dry-run", "shadow"):
            wanted.append(mode)
        if policy.swap:
            wanted.append("swap")
        if rivals:
            wanted.append("rivals")
        for ability in wanted:
            if why := self.cannot.get(ability):
                raise ConfigError(f"{self.name} cannot {_WORDS[ability]}: {why}")


_WORDS: Final[Mapping[Ability, str]] = {
    "swap": "do another action in place of the proposed one (policy: swap = true)",
    "rivals": "think of alternatives itself (search=)",
    "dry-run": 'be run dry (mode="dry-run")',
    "shadow": 'be shadowed (mode="shadow")',
}


def _kinds(agent: object) -> tuple[type, ...]:
    return type(agent).__mro__


def check_paths(host: str, paths: Sequence[ToolPath], policy: Policy) -> None:
    """A way to a tool that nobody can look into is an error, unless the user has said that it is known."""
    opaque = [path for path in paths if path.how == "opaque"]
    if opaque and policy.opaque == "error":
        raise ConfigError(
            f"this {host} agent can reach tools that lookahead cannot guard:\n"
            + "\n".join(f"  {path}" for path in opaque)
            + "\nNothing was wrapped. Put these tools where they can be seen, or, where they are harmless, say so with "
            'policy={"opaque": "allow"} (in lookahead.toml: [policy] opaque = "allow").'
        )


__all__ = ["ABILITIES", "Ability", "Host", "ToolPath", "check_paths"]
