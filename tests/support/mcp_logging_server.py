"""A server of the older era that writes down every message it gets, to the byte.

python mcp_logging_server.py LOG TOOLS: a file for the messages, and one with the list of its tools.
"""

import json
import sys

GREETING = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "logging", "version": "1"},
    "instructions": "Write carefully.",
}


def answer(method: str, tools: object) -> dict[str, object]:
    if method == "initialize":
        return {"result": GREETING}
    if method == "tools/list":
        return {"result": {"tools": tools}}
    if method in ("tools/call", "ping"):
        return {"result": {"content": [{"type": "text", "text": "done for real"}]}}
    return {"error": {"code": -32601, "message": f"Method not found: {method}"}}


def main() -> None:
    with open(sys.argv[2], encoding="utf-8") as file:
        tools = json.load(file)
    with open(sys.argv[1], "a", encoding="utf-8", buffering=1) as log:
        for line in sys.stdin:
            log.write(line)
            asked = json.loads(line)
            if "id" in asked and "method" in asked:
                said = {"jsonrpc": "2.0", "id": asked["id"], **answer(asked["method"], tools)}
                sys.stdout.write(json.dumps(said) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
