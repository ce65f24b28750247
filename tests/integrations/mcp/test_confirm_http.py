"""The page as a browser meets it: the whole proxy as a process, asked over HTTP."""

import http.client
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

SERVER = Path(__file__).parents[3] / "benchmarks" / "mcp_counting_server.py"
OPENING = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


@dataclass
class Proxy:
    """A proxy that listens, and one session with it."""

    base: str
    log: Path
    session: str = ""

    def web(self, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, str, Any]:
        connection = http.client.HTTPConnection(urlsplit(self.base).netloc, timeout=30)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body=body, headers=named)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers
        finally:
            connection.close()

    def ask(self, method: str, **params: Any) -> Any:
        frame = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        kinds = {"content_type": "application/json", "accept": "application/json, text/event-stream"}
        named = {"mcp_session_id": self.session, "mcp_protocol_version": "2025-11-25"} if self.session else {}
        status, said, headers = self.web("POST", "/mcp", frame, **kinds, **named)
        assert status == 200, said
        self.session = self.session or headers["mcp-session-id"]
        if headers["content-type"].startswith("text/event-stream"):
            said = next(line[5:] for line in said.splitlines() if line.startswith("data:") and "{" in line)
        return json.loads(said)["result"]

    def pay(self, **arguments: Any) -> Any:
        return self.ask("tools/call", name="pay", arguments=arguments)

    @property
    def forwarded(self) -> list[Any]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    (tmp_path / "policy.json").write_text(json.dumps({"pay": "ask"}))
    ours = ("--policy", "policy.json", "--journal", "journal.db", "--world", "none", "--listen", "127.0.0.1:0")
    command = (sys.executable, "-m", "lookahead", "proxy", *ours, "--", sys.executable, str(SERVER), "log")
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        assert process.stderr is not None
        try:
            found = None
            while found is None:
                line = process.stderr.readline().decode()
                assert line, "the proxy ended before it listened"
                found = re.search(r"MCP at (http://127.0.0.1:\d+)/mcp", line)
            it = Proxy(found[1], tmp_path / "log")
            it.ask("initialize", **OPENING)
            yield it
        finally:
            process.terminate()
            process.stderr.read()


def test_whoever_cannot_be_asked_in_the_client_says_yes_on_a_page(proxy: Proxy):
    refusal = proxy.pay(cents=5)
    assert refusal["isError"] is True
    found = re.search(rf"the user can open {re.escape(proxy.base)}(\S+), or", refusal["content"][0]["text"])
    assert found is not None
    path = found[1]

    status, page, headers = proxy.web("GET", path)
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "cents=5" in page or "pay: 5" in page
    token = re.search(r'name="yes" value="([^"]+)"', page)
    assert token is not None
    form = urlencode({"yes": token[1], "answer": "allow"})
    kind = {"content_type": "application/x-www-form-urlencoded"}

    assert proxy.web("POST", path, form, **kind)[0] == 403
    assert proxy.web("POST", path, form, **kind, origin="http://evil.example")[0] == 403
    assert proxy.web("GET", path, host="evil.example")[0] == 421
    assert proxy.forwarded == []

    assert proxy.web("POST", path, form, **kind, origin=proxy.base)[0] == 200
    assert proxy.pay(cents=6)["isError"] is True
    assert proxy.pay(cents=5)["content"][0]["text"] == "added"
    assert proxy.forwarded == [["pay", {"cents": 5}]]
    assert proxy.web("GET", path)[0] == 404
