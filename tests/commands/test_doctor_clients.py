import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookahead import cli

Doctor = Callable[..., tuple[int, list[dict[str, str]]]]


@pytest.fixture
def doctor(place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Looks at the servers given, as they stand in a file of Claude Code."""
    monkeypatch.setenv("HOME", str(place / "home"))

    def look(servers: Any, *arguments: str, name: str = ".mcp.json") -> tuple[int, list[dict[str, str]]]:
        path = place / name
        path.write_text(servers if isinstance(servers, str) else json.dumps({"mcpServers": servers}))
        code = cli.main(["doctor", str(path), "--json", *arguments])
        return code, json.loads(capsys.readouterr().out)["findings"]

    return look


def wrong(findings: list[dict[str, str]]) -> list[str]:
    return [one["said"] for one in findings if one["state"] == "wrong"]


def proxied(*words: str, command: str = "") -> dict[str, Any]:
    return {"command": command or str(Path(sys.executable).parent / "lookahead"), "args": ["proxy", *words]}


def test_a_file_in_order_is_one_line(doctor: Doctor):
    code, found = doctor({"a": {"command": sys.executable}, "b": proxied("--", sys.executable)})
    assert (code, wrong(found)) == (0, [])
    assert "(Claude Code): 2 servers, 1 behind the proxy" in found[0]["said"]


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ({"command": "no-such-command"}, "its command 'no-such-command' is not found"),
        ({"command": "/no/such"}, "its command '/no/such' is not found"),
        (proxied("--", "no-such-command"), "its command 'no-such-command' is not found"),
        (
            proxied("--", sys.executable, command="/gone/lookahead"),
            "the proxy's command '/gone/lookahead' is not found",
        ),
        (proxied("--", "lookahead", "proxy", "--", sys.executable), "it is wrapped twice"),
        (proxied("--mode", "guard"), "told no server"),
        (proxied("--policy", "none.toml", "--", sys.executable), "policy cannot be used"),
        (
            {"url": "https://h", "headers": {"A": "Bearer ${LOOKAHEAD_NOT_SET}"}},
            "variable LOOKAHEAD_NOT_SET is not set",
        ),
        ({"command": sys.executable, "env": {"A_TOKEN": "q8Zr1vXk29LmPw74TbNc"}}, "plain text: env.A_TOKEN"),
        ({"url": "https://h", "headers": {"Authorization": "Bearer q8Zr1vXk29LmPw74TbNc"}}, "headers.Authorization"),
        ({"command": sys.executable, "args": ["--api-key", "q8Zr1vXk29LmPw74TbNc"]}, "a secret stands in its args"),
        ({"env": {}}, "neither a command nor a url"),
    ],
)
def test_what_would_keep_a_server_from_working_is_found_with_its_line_and_a_next_step(
    doctor: Doctor, server: Any, said: str
):
    code, found = doctor({"s": server})
    assert code == 2
    assert any(said in one for one in wrong(found)), found
    assert all(one["next"] for one in found if one["state"] == "wrong")
    assert all(".mcp.json:1: " in one for one in wrong(found))
    assert "q8Zr1vXk29LmPw74TbNc" not in json.dumps(found)


def test_a_name_that_leaves_no_room_for_tools_is_found(doctor: Doctor):
    assert "leaves no room" in wrong(doctor({"n" * 60: {"command": sys.executable}})[1])[0]


def test_a_variable_that_only_a_wrapped_entry_names_is_found(doctor: Doctor):
    text = '[mcp_servers.s]\ncommand = "lookahead"\nargs = ["proxy", "--bearer-env", "NOT_SET", "--url", "https://h"]'
    assert any("variable NOT_SET is not set" in one for one in wrong(doctor(text, name="config.toml")[1]))


def test_a_secret_of_claude_desktop_matters_only_where_others_can_read_the_file(doctor: Doctor, place: Path):
    servers = {"s": {"command": sys.executable, "env": {"A_TOKEN": "q8Zr1vXk29LmPw74TbNc"}}}
    name = "claude_desktop_config.json"
    (place / name).touch(mode=0o600)
    assert wrong(doctor(servers, name=name)[1]) == []
    (place / name).chmod(0o644)
    assert "others on this machine can read" in wrong(doctor(servers, name=name)[1])[0]


def test_a_file_that_cannot_be_read_is_a_finding(doctor: Doctor):
    code, found = doctor('{"mcpServers": {')
    assert (code, found[0]["state"], found[0]["next"]) == (2, "wrong", "mend it, then run again")


def test_without_a_file_those_of_clients_are_found_and_one_without_servers_is_passed_over(
    doctor: Doctor, place: Path, capsys: pytest.CaptureFixture[str]
):
    doctor({"s": {"command": "no-such-command"}})
    (place / "home" / ".codex").mkdir(parents=True)
    (place / "home" / ".codex" / "config.toml").write_text('model = "x"\n')
    cli.main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)["findings"]
    assert "python" in [one["about"] for one in found]
    assert [one["said"] for one in found if one["about"] == "mcp"] == [
        f"{place / '.mcp.json'} (Claude Code): 1 server, 0 behind the proxy"
    ]


SERVER = """
import json, sys
TOOLS = [{"name": name, "inputSchema": {"type": "object"}} for name in sys.argv[1:]]
ANSWERS = {"tools/list": {"tools": TOOLS}, "initialize": {
    "protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}}
for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked:
        said = ANSWERS.get(asked["method"])
        answer = {"result": said} if said else {"error": {"code": -32601, "message": "Method not found"}}
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **answer}), flush=True)
"""


def server(place: Path, *tools: str) -> list[str]:
    path = place / "server.py"
    path.write_text(SERVER)
    return [sys.executable, str(path), *tools]


def test_servers_are_started_twice_at_once_and_their_tools_counted(doctor: Doctor, place: Path):
    command, *args = server(place, "one", "two")
    code, found = doctor(
        {"bare": {"command": command, "args": args}, "guarded": proxied("--", command, *args)}, "--start"
    )
    assert code == 0, found
    assert ["starts 2 times at once, and has 2 tools" in one["said"] for one in found[1:]] == [True, True]
    assert not (place / ".lookahead").exists()


def test_a_server_that_does_not_start_and_tools_whose_names_are_too_long_are_found(doctor: Doctor, place: Path):
    command, *args = server(place, "t" * 60)
    dead = {"command": sys.executable, "args": ["-c", "raise SystemExit(3)"]}
    code, found = doctor({"long": {"command": command, "args": args}, "dead": dead}, "--start")
    assert code == 2
    said = wrong(found)
    assert f"mcp__long__{'t' * 60} is longer than 64 letters (1 tools)" in said[0]
    assert "it does not start: " in said[1]


def test_nothing_is_started_that_nobody_asked_to_start(doctor: Doctor, place: Path):
    mark = place / "started"
    doctor({"s": {"command": sys.executable, "args": ["-c", f"open({os.fspath(mark)!r}, 'w')"]}})
    assert not mark.exists()
