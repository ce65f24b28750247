"""A server of the oldest revision that knows no SDK, starts at once, and writes down every message that it gets.

python mcp_small_server.py LOG [ARGUMENTS that it tells again]
"""

import json
import os
import signal
import subprocess
import sys
import time

log = open(sys.argv[1], "a")  # noqa: SIM115
version = "2024-11-05"


def send(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def text(said):
    return {"content": [{"type": "text", "text": said}], "isError": False, "x-unknown": {"deep": [1, 2.5, None]}}


def call(id, name, given, meta):
    if name == "whoami":
        told = {"cwd": os.getcwd(), "env": dict(os.environ), "arguments": sys.argv[2:], "pid": os.getpid()}
        return text(json.dumps(told))
    if name == "die":
        sys.stderr.write("the last \x1b[31mwords\x07\n")
        sys.stderr.flush()
        os._exit(given.get("code", 3))
    if name == "nan":
        send({"jsonrpc": "2.0", "id": id, "result": {"a": float("nan")}})
        return None
    if name == "garbage":
        sys.stdout.write("Listening on port 80\n\x00\xff{]\n[1, 2]\n")
        sys.stdout.flush()
    if name == "progress":
        for step in range(3):
            params = {"progressToken": meta["progressToken"], "progress": step}
            send({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
    if name == "sleep":
        time.sleep(given["seconds"])
    if name == "child":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdout=subprocess.DEVNULL)
        return text(str(child.pid))
    if name == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if name == "big":
        return text("x" * given["size"])
    return text(given.get("text", ""))


def answer(message):
    global version
    method, params, id = message["method"], message.get("params", {}), message.get("id")
    if method == "initialize":
        asked = params.get("protocolVersion")
        version = asked if asked == "2025-03-26" else version
        capabilities = {"tools": {"listChanged": True}, "logging": {}, "resources": {"subscribe": True}}
        info = {"name": "small", "version": "1", "x-unknown": True}
        return {"protocolVersion": version, "capabilities": capabilities, "serverInfo": info, "x-unknown": [1]}
    if method == "tools/list":
        return {"tools": [{"name": "echo", "inputSchema": {"type": "object"}, "x-unknown": 1}], "x-unknown": {}}
    if method == "tools/call" and isinstance(params.get("arguments", {}), dict):
        return call(id, params.get("name"), params.get("arguments", {}), params.get("_meta", {}))
    if method in ("ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "x/custom"):
        return {}
    error = {"code": -32601, "message": "Method not found", "data": {"x-unknown": method}}
    send({"jsonrpc": "2.0", "id": id, "error": error})
    return None


while True:
    line = sys.stdin.readline()
    if not line:
        if signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
            time.sleep(600)
        break
    message = json.loads(line)
    log.write(line)
    log.flush()
    if "id" in message and (result := answer(message)) is not None:
        send({"jsonrpc": "2.0", "id": message["id"], "result": result})
