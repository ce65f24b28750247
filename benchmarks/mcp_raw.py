"""A client of MCP that understands nothing: it sends dicts and returns dicts, over stdio or HTTP, in either era."""

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from queue import Empty, Queue
from typing import Any

import httpx2
import mcp_paths

NEWER = "2026-07-28"
OLDER = "2025-11-25"
OFFERED = {"elicitation": {}, "sampling": {}, "roots": {"listChanged": True}}
ABOUT = {"name": "raw", "version": "1"}
PREFIX = "io.modelcontextprotocol/"
SECONDS = 60.0


class Raw:
    """What both wires have in common: ids, the opening, and the envelope of the newer era."""

    def __init__(self, *, modern: bool) -> None:
        self.modern, self.number = modern, 0
        self.told: list[dict[str, Any]] = []
        """Notifications that came in between."""
        self.answers: dict[str, dict[str, Any]] = {}
        """What is answered when we are asked, by the method; nothing: it is refused, because nobody is here."""

    def exchange(self, frame: dict[str, Any]) -> dict[str, Any] | None:
        raise NotImplementedError

    def ask(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The result, or `{"error": …}`, as it came."""
        self.number += 1
        frame = {"jsonrpc": "2.0", "id": self.number, "method": method, "params": self.dressed(params or {})}
        answer = self.exchange(frame) or {}
        found = answer["result"] if "result" in answer else {"error": answer.get("error")}
        asked = found.get("inputRequests") if found.get("resultType") == "input_required" else None
        if not asked or not self.answers:
            return found
        said = {key: self.answers[one["method"]] for key, one in asked.items()}
        again = {"inputResponses": said, "requestState": found.get("requestState")}
        return self.ask(method, {**(params or {}), **again})

    def dressed(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """With what each request of the newer era says of who asks."""
        if not self.modern:
            return dict(params)
        envelope = {
            f"{PREFIX}protocolVersion": NEWER,
            f"{PREFIX}clientInfo": ABOUT,
            f"{PREFIX}clientCapabilities": OFFERED,
        }
        return {**params, "_meta": {**params.get("_meta", {}), **envelope}}

    def open(self) -> dict[str, Any]:
        if self.modern:
            return self.ask("server/discover")
        said = self.ask("initialize", {"protocolVersion": OLDER, "capabilities": OFFERED, "clientInfo": ABOUT})
        self.exchange({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return said


class Piped(Raw):
    """To a process, line by line."""

    def __init__(self, process: subprocess.Popen[bytes], *, modern: bool) -> None:
        super().__init__(modern=modern)
        self.process = process
        self.lines: Queue[bytes | None] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def send(self, frame: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(frame).encode() + b"\n")
        self.process.stdin.flush()

    def next(self) -> dict[str, Any]:
        try:
            line = self.lines.get(timeout=SECONDS)
        except Empty:
            raise RuntimeError(f"no answer within {SECONDS:g} seconds") from None
        if line is None:
            raise RuntimeError("the process ended")
        return json.loads(line)

    def exchange(self, frame: dict[str, Any]) -> dict[str, Any] | None:
        self.send(frame)
        if "id" not in frame:
            return None
        while True:
            came = self.next()
            if came.get("id") == frame["id"] and "method" not in came:
                return came
            if "id" in came and "method" in came:
                known = self.answers.get(came["method"])
                said = {"result": known} if known else {"error": {"code": -32601, "message": "nobody is here"}}
                self.send({"jsonrpc": "2.0", "id": came["id"], **said})
            else:
                self.told.append(came)


class Posted(Raw):
    """To an address, one request for one message."""

    def __init__(self, url: str, client: httpx2.Client, *, modern: bool) -> None:
        super().__init__(modern=modern)
        self.url, self.client = url, client
        self.session = ""

    def exchange(self, frame: dict[str, Any]) -> dict[str, Any] | None:
        headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": OLDER}
        if self.modern:
            headers |= {"mcp-protocol-version": NEWER, "mcp-method": frame["method"]}
            if name := frame["params"].get("name") or frame["params"].get("uri"):
                headers["mcp-name"] = name
        if self.session:
            headers["mcp-session-id"] = self.session
        answer = self.client.post(self.url, json=frame, headers=headers)
        self.session = answer.headers.get("mcp-session-id", self.session)
        lines = answer.text.splitlines()
        events = [json.loads(line[5:]) for line in lines if line.startswith("data:") and line[5:].strip()]
        if not events and answer.text.strip().startswith("{"):
            events = [answer.json()]
        self.told += [one for one in events if "id" not in one]
        return next((one for one in events if one.get("id") == frame.get("id", 0) and "method" not in one), None)


@contextmanager
def connected(way: mcp_paths.Way, log: Any, *, modern: bool = False) -> Iterator[tuple[Raw, int]]:
    """A client at the end of a way, and the process that it speaks to; not opened yet."""
    if way.url:
        port = int(way.url.split(":")[2].split("/")[0])
        with mcp_paths.listening(way.command, way.env, port, log) as process, httpx2.Client(timeout=SECONDS) as client:
            yield Posted(way.url, client, modern=modern), process.pid
        return
    with started(way.command, way.env, log) as process:
        yield Piped(process, modern=modern), process.pid


@contextmanager
def started(command: Sequence[str], env: Mapping[str, str], log: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command, env=mcp_paths.environment(env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
