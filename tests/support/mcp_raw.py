"""A client that writes lines to a process and reads lines from it: for what no well-behaved client would do."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SMALL = Path(__file__).with_name("mcp_small_server.py")
PATIENCE = 60.0
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {"roots": {}}, "clientInfo": {"name": "raw", "version": "1"}}
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
    "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
}


class Raw:
    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process, self.rest, self.number = process, b"", 0
        self.notices: list[Any] = []
        """That came while an answer was waited for."""

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, message: Any) -> None:
        self.write(json.dumps(message).encode() + b"\n")

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"jsonrpc": "2.0", "method": method, **({"params": params} if params is not None else {})})

    def read(self, patience: float = PATIENCE) -> Any:
        """The next message; None at the end. Raises TimeoutError where none comes."""
        assert self.process.stdout is not None
        while b"\n" not in self.rest:
            if not select.select([self.process.stdout], [], [], patience)[0]:
                raise TimeoutError
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                return None
            self.rest += chunk
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def ask(self, method: str, params: Any = None, **more: Any) -> Any:
        """The answer, whole."""
        self.number += 1
        id = f"raw-{self.number}"
        self.send({"jsonrpc": "2.0", "id": id, "method": method, **({"params": params} if params else {}), **more})
        while True:
            found = self.read()
            assert found is not None, "the process has ended"
            if isinstance(found, dict) and found.get("id") == id and "method" not in found:
                return found
            self.notices.append(found)

    def call(self, name: str, /, **arguments: Any) -> Any:
        return self.ask("tools/call", {"name": name, "arguments": arguments})

    def greet(self, **more: Any) -> Any:
        said = self.ask("initialize", HELLO | more)
        self.notify("notifications/initialized")
        return said

    def leave(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(PATIENCE)


def small(log: Path, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-S", str(SMALL), str(log), *arguments)


def proxied(command: Sequence[str], *options: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "lookahead", "proxy", *(options or ("--mode", "off")), "--", *command)


@contextmanager
def raw(
    command: Sequence[str], *, log: Path | None = None, env: dict[str, str] | None = None, cwd: Path | None = None
) -> Iterator[Raw]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LOOKAHEAD_")}
    with (log or Path(os.devnull)).open("ab") as heard:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=heard, env=kept | (env or {}), cwd=cwd
        )
        with process:
            try:
                yield Raw(process)
            finally:
                assert process.stdin is not None
                process.stdin.close()
                try:
                    process.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise
