"""What the Claude Agent SDK lets a line do."""

from typing import Final

from lookahead.host import Host

HOST: Final = Host(
    name="Claude Agent SDK",
    package="claude-agent-sdk",
    tested="0.2.187",
    extra="claude",
    point='a PreToolUse hook with on_failure="block"; the tools of in-process MCP servers, for a dry run',
    root="claude_agent_sdk",
    kinds=("ClaudeAgentOptions", "ClaudeSDKClient"),
    load="lookahead_integrations.claude.wrap:wrap",
    cannot={
        "swap": (
            "a hook can allow a call or deny it, and not make another tool of it; leave swap off: the agent is told "
            "what is wrong, and decides again"
        ),
        "rivals": (
            "the model is asked inside of the Claude Code process; say who thinks of alternatives: "
            "search=BestOf(k=3, propose=my_proposer)"
        ),
        "resume": "the process waits while can_use_tool is asked; there is nothing to be resumed",
        "sync": "the SDK is async only",
    },
)

__all__ = ["HOST"]
