"""A server that writes down each call before it answers, in a file that says what really happened.

One line a call, written at once: the name of the tool and its arguments as JSON. Nothing is imported that is not
needed, so that it is up within a few milliseconds. Usage: python mcp_counting_server.py FILE [--mutated SEED]
"""

import fcntl
import json
import os
import sys
from typing import Any

TOOLS = [
    {"name": "append", "description": "adds a line", "inputSchema": {"type": "object"}},
    {"name": "pay", "description": "spends money", "inputSchema": {"type": "object"}},
    {"name": "forbidden", "description": "is never to be called", "inputSchema": {"type": "object"}},
]
INFO = {"name": "counting", "version": "1"}


def answer(method: str, params: Any, log: int) -> Any:
    if method == "initialize":
        version = params.get("protocolVersion") if isinstance(params, dict) else None
        known = version if version in ("2024-11-05", "2025-03-26", "2025-06-18") else "2025-11-25"
        return {"protocolVersion": known, "capabilities": {"tools": {}}, "serverInfo": INFO}
    if method == "ping":
        return {}
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call":
        params = params if isinstance(params, dict) else {}
        line = json.dumps([params.get("name"), params.get("arguments") or {}], sort_keys=True)
        os.write(log, f"{line}\n".encode())
        return {"content": [{"type": "text", "text": "added"}]}
    return None


def main() -> None:
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    # Whoever gets this lock for itself knows that no server is left that could still write.
    fcntl.flock(log, fcntl.LOCK_SH)
    noise = mutated(sys.argv[3]) if sys.argv[2:3] == ["--mutated"] else None
    while line := sys.stdin.buffer.readline():
        frame = json.loads(line)
        result = answer(frame.get("method", ""), frame.get("params"), log)
        if "id" not in frame or "method" not in frame:
            continue
        said = {"result": result} if result is not None else {"error": {"code": -32601, "message": "no such method"}}
        if noise is not None and frame["method"] == "tools/call":
            for _ in range(250):
                sys.stdout.buffer.write(noise.next() + b"\n")
        sys.stdout.buffer.write(json.dumps({"jsonrpc": "2.0", "id": frame["id"], **said}).encode() + b"\n")
        sys.stdout.buffer.flush()


def mutated(seed: str) -> Any:
    """What a server says that lost its mind."""
    import random

    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from mcp_frames_mutated import Frames

    return Frames(random.Random(seed))


if __name__ == "__main__":
    main()
