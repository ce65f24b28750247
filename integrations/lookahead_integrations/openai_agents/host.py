"""What the OpenAI Agents SDK lets a line do."""

from dataclasses import dataclass
from typing import Final

from lookahead.host import Host


@dataclass(frozen=True, kw_only=True)
class _AgentsHost(Host):
    """Many people have a package called `agents`: only the SDK's own class counts."""

    def accepts(self, agent: object, /) -> bool:
        return any(kind.__module__ == "agents.agent" and kind.__name__ in self.kinds for kind in type(agent).__mro__)


HOST: Final = _AgentsHost(
    name="OpenAI Agents SDK",
    package="openai-agents",
    tested="0.24.0",
    extra="openai-agents",
    point="on_invoke_tool and needs_approval of every tool, of all agents that can be reached",
    root="agents",
    kinds=("Agent",),
    load="lookahead_integrations.openai_agents.wrap:wrap",
)

__all__ = ["HOST"]
