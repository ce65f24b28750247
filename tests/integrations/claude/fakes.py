"""Options whose process is a fake one: a real subprocess that speaks the SDK's own protocol."""

import json
import sys
from pathlib import Path
from typing import Any

from claude_agent_sdk import ClaudeAgentOptions, ToolResultBlock, UserMessage, query

CLI = Path(__file__).with_name("cli.py")


def use(name: str, /, **given: Any) -> dict[str, Any]:
    """`prompts=True`: the process's own permissions ask about it."""
    return {"name": name, "prompts": given.pop("prompts", False), "input": given}


class Process:
    """Plays turns of calls; `done` is what its own tools did."""

    def __init__(self, folder: Path, *turns: list[dict[str, Any]]) -> None:
        self.file = folder / "done.jsonl"
        self.program = folder / "claude"
        self.program.write_text(f"#!/bin/sh\nexec {sys.executable} {CLI}\n")
        self.program.chmod(0o755)
        self.env = {"FAKE_DONE": str(self.file), "FAKE_SCRIPT": json.dumps(turns)}

    def options(self, **more: Any) -> ClaudeAgentOptions:
        env = {**self.env, **more.pop("env", {})}
        return ClaudeAgentOptions(cli_path=self.program, env=env, **more)

    @property
    def done(self) -> list[Any]:
        if not self.file.exists():
            return []
        return sorted((json.loads(line) for line in self.file.read_text().splitlines()), key=str)


async def prompts() -> Any:
    yield {"type": "user", "message": {"role": "user", "content": "go"}}


async def told(options: ClaudeAgentOptions) -> list[str]:
    """What the process was told by its tools, by the SDK's own messages."""
    found: list[str] = []
    async for message in query(prompt=prompts(), options=options):
        if isinstance(message, UserMessage) and isinstance(message.content, list):
            found += [str(block.content) for block in message.content if isinstance(block, ToolResultBlock)]
    return found
