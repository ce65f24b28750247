"""What the Microsoft Agent Framework lets a line do."""

from typing import Final

from lookahead.host import Host

HOST: Final = Host(
    name="Microsoft Agent Framework",
    package="agent-framework-core",
    tested="1.23.0",
    extra="agent-framework",
    point="the innermost chat and function middleware of each run",
    root="agent_framework",
    kinds=("RawAgent",),
    load="lookahead_integrations.agent_framework.wrap:wrap",
    cannot={
        "sync": "the framework runs its agents asynchronously only; from sync code: anyio.run(agent.run, message)",
    },
)
