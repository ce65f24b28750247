"""What Strands Agents lets a line do."""

from typing import Final

from lookahead.host import Host

HOST: Final = Host(
    name="Strands",
    package="strands-agents",
    tested="1.62.0",
    extra="strands",
    point="the tools in the agent's registry; BeforeToolsEvent decides all calls of a turn first",
    root="strands",
    kinds=("Agent", "Graph", "Swarm"),
    load="lookahead_integrations.strands.wrap:wrap",
)

__all__ = ["HOST"]
