"""Guard mode as a client meets it: the proxy as a process over stdio, in both eras of the protocol."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lookahead import Journal

SERVER = Path(__file__).parents[3] / "benchmarks" / "mcp_counting_server.py"
ELICITS = {"elicitation": {}}
ADDED = [{"type": "text", "text": "added"}]


class Client:
    """Speaks JSON-RPC by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "policy.json").write_text(json.dumps({"append": "allow", "pay": "ask", "forbidden": "deny"}))
        ours = ("--policy", "policy.json", "--journal", "journal.db", "--world", "none")
        command = (sys.executable, "-m", "lookahead", "proxy", *ours, "--", sys.executable, str(SERVER), "log")
        self.process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.id = 0

    def say(self, **frame: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **frame}).encode() + b"\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the proxy ended"
        return json.loads(line)

    def ask(self, method: str, **params: Any) -> Any:
        self.id += 1
        self.say(id=self.id, method=method, params=params)
        return self.hear()

    def modern(self, tool: str, arguments: Any, capabilities: Any = ELICITS, **more: Any) -> Any:
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": capabilities,
        }
        return self.ask("tools/call", name=tool, arguments=arguments, _meta=meta, **more)

    def opened(self, version: str = "2025-11-25", capabilities: Any = ELICITS) -> None:
        info = {"name": "test", "version": "1"}
        self.ask("initialize", protocolVersion=version, capabilities=capabilities, clientInfo=info)
        self.say(method="notifications/initialized")

    @property
    def forwarded(self) -> list[Any]:
        log = self.folder / "log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(30)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    it = Client(tmp_path)
    try:
        yield it
    finally:
        it.close()


@pytest.mark.parametrize("version", ["2025-06-18", "2025-11-25"])
@pytest.mark.parametrize("yes", [True, False])
def test_an_older_client_is_asked_by_a_request(client: Client, version: str, yes: bool):
    client.opened(version)
    question = client.ask("tools/call", name="pay", arguments={"cents": 5})
    assert question["method"] == "elicitation/create"
    client.say(id=question["id"], result={"action": "accept", "content": {"approve": yes}})
    answer = client.hear()["result"]
    assert answer.get("isError", False) is not yes
    assert client.forwarded == ([["pay", {"cents": 5}]] if yes else [])


@pytest.mark.parametrize("yes", [True, False])
def test_a_newer_client_is_asked_by_the_answer_to_its_call(client: Client, yes: bool):
    said = client.modern("pay", {"cents": 5})["result"]
    assert said["resultType"] == "input_required"
    ((key, question),) = said["inputRequests"].items()
    assert question["method"] == "elicitation/create"
    state = said["requestState"]
    answers = {key: {"action": "accept", "content": {"approve": yes}}}

    assert "error" in client.modern("pay", {"cents": 6}, requestState=state, inputResponses=answers)
    assert "error" in client.modern("pay", {"cents": 5}, requestState=state[:-2] + "xx", inputResponses=answers)
    assert client.forwarded == []

    answer = client.modern("pay", {"cents": 5}, requestState=state, inputResponses=answers)["result"]
    assert answer["resultType"] == "complete"
    assert answer.get("isError", False) is not yes
    assert "error" in client.modern("pay", {"cents": 5}, requestState=state, inputResponses=answers)
    assert client.forwarded == ([["pay", {"cents": 5}]] if yes else [])


def test_answers_that_nobody_asked_for_allow_nothing(client: Client):
    yes = {"action": "accept", "content": {"approve": True}}
    said = client.modern("pay", {"cents": 5}, inputResponses={"lookahead": yes})["result"]
    assert said["resultType"] == "input_required"
    assert client.forwarded == []


@pytest.mark.parametrize("newer", [True, False])
def test_a_client_that_cannot_be_asked_is_told_the_command(client: Client, newer: bool):
    if newer:
        said = client.modern("pay", {"cents": 5}, {})["result"]
    else:
        client.opened(capabilities={})
        said = client.ask("tools/call", name="pay", arguments={"cents": 5})["result"]
    assert said["isError"] is True
    assert "lookahead journal approve" in said["content"][0]["text"]
    assert client.forwarded == []


def test_what_is_forbidden_is_forbidden_to_every_client(client: Client):
    assert client.modern("forbidden", {})["result"]["isError"] is True
    client.opened()
    assert client.ask("tools/call", name="forbidden")["result"]["isError"] is True
    assert client.forwarded == []


def test_what_was_answered_last_is_on_record_when_the_client_hangs_up(client: Client):
    client.opened()
    for number in range(5):
        assert client.ask("tools/call", name="append", arguments={"n": number})["result"]["content"] == ADDED
    client.close()
    with Journal(client.folder / "journal.db") as journal:
        assert [one.status for one in journal.calls()] == ["done"] * 5
        assert journal.in_doubt() == []
