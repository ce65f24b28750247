"""The Claude Agent SDK: every tool call of the Claude Code process passes a hook, and what is asked about asks you.

    pip install 'lookahead-agents[claude]'
    python examples/agents/claude.py

It needs Claude Code and a model. Offline a small program plays the process's part, in the SDK's own protocol
(LOOKAHEAD_EXAMPLE_CLI names it). With an endpoint that speaks Anthropic's protocol, set
LOOKAHEAD_EXAMPLE_URL=http://localhost:8000 and LOOKAHEAD_EXAMPLE_MODEL=name-of-the-model.
"""

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

if sys.path and os.path.basename(sys.path[0]) == "agents":
    del sys.path[0]

from claude_agent_sdk import (
    ClaudeAgentOptions,
    PermissionResultAllow,
    ResultMessage,
    ToolResultBlock,
    UserMessage,
    query,
)

from lookahead import with_lookahead

# What the program says in the model's place: which tools it would call.
TURNS = [
    [{"name": "Write", "input": {"file_path": "notes.txt", "content": "buy bread"}}],
    [{"name": "Bash", "input": {"command": "git push --force"}}],
]


async def yes(name: str, arguments: dict[str, Any], context: Any) -> PermissionResultAllow:
    """Stands for you: whatever asks a person, in the way that the SDK has for it."""
    print("asked:", name, arguments)
    return PermissionResultAllow()


def options(folder: str) -> ClaudeAgentOptions:
    url, name = os.environ.get("LOOKAHEAD_EXAMPLE_URL"), os.environ.get("LOOKAHEAD_EXAMPLE_MODEL")
    if url and name:
        env = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_AUTH_TOKEN": os.environ.get("ANTHROPIC_API_KEY", "none")}
        return ClaudeAgentOptions(model=name, env=env, cwd=folder, can_use_tool=yes)
    here = Path(__file__).resolve().parents[2] / "tests" / "integrations" / "claude" / "cli.py"
    program = Path(folder) / "claude"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} {os.environ.get('LOOKAHEAD_EXAMPLE_CLI', here)}\n")
    program.chmod(0o755)
    env = {"FAKE_SCRIPT": json.dumps(TURNS), "FAKE_DONE": os.path.join(folder, "done")}
    return ClaudeAgentOptions(cli_path=program, env=env, cwd=folder, can_use_tool=yes)


async def task() -> Any:
    said = "Write notes.txt (buy bread), then push with --force."
    yield {"type": "user", "message": {"role": "user", "content": said}}


async def run(folder: str) -> None:
    policy = {"Write": "ask", "Bash": {"when": [{"argument": "command", "matches": "*--force*", "rule": "deny"}]}}
    guarded = with_lookahead(options(folder), policy=policy, world="none", journal=":memory:")
    async for message in query(prompt=task(), options=guarded):
        if isinstance(message, UserMessage) and isinstance(message.content, list):
            for block in message.content:
                if isinstance(block, ToolResultBlock):
                    print("the agent was told:", block.content)
        elif isinstance(message, ResultMessage):
            print("the agent says:", message.result)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(folder))


if __name__ == "__main__":
    main()
