"""A program that behaves like vLLM's server, as far as starting and ending go. Run with its manner as an argument."""

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

manner, port, note = sys.argv[1], int(sys.argv[sys.argv.index("--port") + 1]), os.environ.get("PRETEND_NOTE", "")

STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(600)"
)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/health":
            self.say(200, {})
        else:
            self.say(200, {"data": [{"id": "pretend"}]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if manner == "keyed" and self.headers.get("Authorization") != "Bearer s3cret":
            self.say(401, {"error": "Unauthorized"})
        elif manner == "mute":
            self.say(400, {"error": "default chat template is no longer allowed"})
        elif manner == "dying":
            print("torch.OutOfMemoryError: CUDA out of memory.", flush=True)
            os._exit(1)
        else:
            self.say(200, {"model": asked["model"], "choices": [{"message": {"content": "y"}}]})

    def say(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def worker() -> None:
    """A worker that does not listen, in a process group of its own."""
    child = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, process_group=0)
    assert child.stdout is not None
    child.stdout.readline()
    if note:
        with open(note, "w") as file:
            file.write(str(child.pid))


if manner == "failing":
    print("ValueError: Free memory on device cuda:0 is less than desired GPU memory utilization", flush=True)
    sys.exit(1)
if manner == "silent":
    time.sleep(600)
if manner in ("stubborn", "workers"):
    worker()
if manner == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("INFO Resolved architecture: Pretend\nLoading safetensors checkpoint shards: 50% Completed\r", flush=True)
print("INFO Starting vLLM server on http://127.0.0.1", flush=True)
ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
