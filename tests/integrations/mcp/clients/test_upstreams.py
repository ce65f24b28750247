import json
from pathlib import Path
from typing import Any

import pytest

from lookahead_integrations.mcp.clients.files import load
from lookahead_integrations.mcp.clients.rewriting import wrap
from lookahead_integrations.mcp.clients.upstreams import Target, Unreachable, targets
from lookahead_integrations.mcp.clients.wrapping import Start

SET = {"A": "1", "TOKEN": "t-${A}", "EMPTY": ""}


def found(folder: Path, servers: Any, name: str = ".mcp.json") -> dict[str, Any]:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(servers if isinstance(servers, str) else json.dumps({"mcpServers": servers}))
    return targets(path, SET)


def test_a_server_is_reached_as_its_client_would(tmp_path: Path):
    said = {"command": "npx", "args": ["-y", "${A}"], "env": {"B": "${TOKEN}"}, "cwd": "sub"}
    assert found(tmp_path, {"s": said})["s"] == Target(
        name="s", command=("npx", "-y", "1"), env={"B": "t-${A}"}, cwd=str(tmp_path / "sub")
    )


def test_variables_are_put_in_once_and_what_nobody_set_stays_as_it_is_written(tmp_path: Path):
    args = [
        "${TOKEN}",
        "${env:A}",
        "${NO:-d ${A}",
        "${NO}",
        "${NO:-}",
        "$A",
        "${EMPTY}",
        "${workspaceFolder}",
        "${a b}",
    ]
    target = found(tmp_path, {"s": {"command": "x", "args": args}})["s"]
    assert target.command[1:] == ("t-${A}", "1", "d ${A", "${NO}", "", "$A", "", str(tmp_path), "${a b}")
    assert target.unset == ("NO", "a b")


def test_claude_desktop_and_codex_take_every_value_as_it_is_written(tmp_path: Path):
    desktop = found(tmp_path, {"s": {"command": "x", "args": ["${A}"]}}, "claude_desktop_config.json")
    codex = found(tmp_path, '[mcp_servers.s]\ncommand = "x"\nargs = ["${A}"]', "config.toml")
    assert [one["s"].command for one in (desktop, codex)] == [("x", "${A}"), ("x", "${A}")]


def test_headers_are_those_that_the_client_would_send(tmp_path: Path):
    remote = {"type": "http", "url": "https://h/${A}", "headers": {"Authorization": "Bearer ${TOKEN}"}}
    target = found(tmp_path, {"s": remote})["s"]
    assert (target.url, target.headers) == ("https://h/1", {"Authorization": "Bearer t-${A}"})
    toml = '[mcp_servers.s]\nurl = "https://h"\nbearer_token_env_var = "TOKEN"\nenv_http_headers = { X = "A" }'
    assert found(tmp_path, toml, "config.toml")["s"].headers == {"Authorization": "Bearer t-${A}", "X": "1"}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"type": "sse", "url": "https://h"}, "'sse'"),
        ({"url": "https://h/${input:token}"}, r"asks for \$\{input:token\}"),
        ({"url": "https://h", "bearer_token_env_var": "NO"}, "variable NO, which is not set"),
        ({"url": "https://h", "headers": ["A"]}, "no table of texts"),
        ({"command": "x", "args": "y"}, "no list"),
        ({}, "neither"),
    ],
)
def test_a_server_that_cannot_be_had_says_why_and_keeps_no_other_from_being_had(tmp_path: Path, said: Any, why: str):
    servers = found(tmp_path, {"bad": said, "good": {"command": "x"}})
    assert isinstance(servers["bad"], Unreachable)
    with pytest.raises(Unreachable, match=why):
        raise servers["bad"]
    assert servers["good"].command == ("x",)


def test_a_server_that_is_switched_off_is_left_out(tmp_path: Path):
    assert list(found(tmp_path, {"a": {"command": "x", "disabled": True}, "b": {"command": "y"}})) == ["b"]


def test_a_server_that_is_wrapped_is_reached_without_a_second_proxy(tmp_path: Path):
    plain = found(tmp_path, {"a": {"command": "x", "args": ["1"]}, "b": {"url": "https://h", "headers": {"H": "v"}}})
    path = tmp_path / ".mcp.json"
    path.write_bytes(wrap(load(path), (), Start(command=("lookahead",), options=("--mode", "guard"))).content)
    assert targets(path, SET) == plain
