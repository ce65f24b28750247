"""What Inspect AI lets a line do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from lookahead.host import Host


@dataclass(frozen=True, kw_only=True)
class InspectHost(Host):
    """Inspect's tools, agents and solvers are functions: they are known by what its registry wrote on them."""

    def accepts(self, agent: object, /) -> bool:
        if isinstance(agent, list | tuple):
            items = cast(Sequence[object], agent)
            return len(items) > 0 and all(self._one(item, ("tool",)) for item in items)
        return super().accepts(agent) or self._one(agent, ("tool", "agent", "solver"))

    def _one(self, agent: object, kinds: tuple[str, ...]) -> bool:
        written: Any = getattr(agent, "__registry_info__", None)
        known = type(written).__module__.split(".")[0] == self.root
        return (known and written.type in kinds) or ("tool" in kinds and self._definition(agent))

    def _definition(self, agent: object) -> bool:
        return any(
            kind.__module__.split(".")[0] == self.root and kind.__name__ in _TOOLS for kind in type(agent).__mro__
        )


_TOOLS: Final = ("ToolDef", "ToolSource", "AgentTool")

HOST: Final = InspectHost(
    name="Inspect AI",
    package="inspect-ai",
    tested="0.3.285",
    extra="inspect",
    point="each tool's own function, and an approver that rejects whatever did not pass it",
    root="inspect_ai",
    kinds=("Task", "Chain", "ToolDef"),
    load="lookahead_integrations.inspect.wrap:wrap",
    cannot={
        "rivals": (
            "a tool's call does not say which model proposed it; say who thinks of alternatives: "
            "search=BestOf(k=3, propose=my_proposer)"
        ),
        "resume": "Inspect keeps the call waiting while a person is asked; there is nothing to be resumed",
        "streaming": "Inspect hands out no stream; its transcript tells of guarded calls as of all others",
    },
)

__all__ = ["HOST"]
