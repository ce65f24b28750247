"""What is shown of a change is what changed, and no secret."""

import difflib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookahead_integrations.mcp.clients.files import parse
from lookahead_integrations.mcp.clients.rewriting import wrap
from lookahead_integrations.mcp.clients.showing import diff
from lookahead_integrations.mcp.clients.wrapping import Start

START = Start(command=("/opt/bin/lookahead",), options=())
SECRET = "q8Zr1vXk29LmPw74TbNc"


def shown(text: str, name: str = ".mcp.json", servers: tuple[str, ...] = ()) -> list[str]:
    return diff(wrap(parse(Path("/x") / name, text.encode()), servers, START))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=1, max_size=6))
def test_the_difference_is_the_one_that_diff_would_show(layout: list[tuple[bool, int]]):
    servers = {
        f"s{n}": {"command": "x", "env": {f"A{i}": "" for i in range(more)}} for n, (_, more) in enumerate(layout)
    }
    text = json.dumps({"before": [1] * 9, "mcpServers": servers, "after": [2] * 9}, indent=1)
    chosen = tuple(f"s{n}" for n, (wanted, _) in enumerate(layout) if wanted)
    if not chosen:
        return
    made = wrap(parse(Path("/x/.mcp.json"), text.encode()), chosen, START)
    usual = list(difflib.unified_diff(text.split("\n"), made.text.split("\n"), lineterm=""))
    ours = diff(made)
    assert [line for line in ours[2:] if line[:1] in "+-"] == [line for line in usual[2:] if line[:1] in "+-"]
    assert [line for line in ours if line[:1] == "@"] == [line for line in usual if line[:1] == "@"]


@pytest.mark.parametrize(
    "said",
    [
        {"command": "x", "env": {"ANY": SECRET}},
        {"command": "x", "args": ["--token", SECRET]},
        {"command": "x", "args": [f"postgres://u:{SECRET}@h/d"]},
        {"url": "https://h/mcp", "headers": {"X-Any": SECRET}},
        {"url": f"https://h/mcp?any={SECRET}"},
        {"command": "x", "env": {"ANY": f"${{A:-{SECRET}}}"}},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_no_secret_of_a_server_is_shown(said: dict[str, object], indent: int | None):
    text = json.dumps({"mcpServers": {"a": said, "b": {"command": "y", "env": {"ANY": SECRET}}}}, indent=indent)
    for servers in ((), ("a",), ("b",)):
        lines = shown(text, servers=servers)
        assert lines
        assert SECRET not in "\n".join(lines)


def test_no_secret_that_stands_beside_the_servers_is_shown():
    text = json.dumps({"oauthToken": SECRET, "mcpServers": {"a": {"command": "x"}}, "api_key": SECRET}, indent=2)
    assert SECRET not in "\n".join(shown(text))


def test_codex_s_secrets_are_not_shown_either():
    text = (
        f'[other]\napi_key = "{SECRET}"\n[mcp_servers.a]\ncommand = "x"\n[mcp_servers.a.env]\nK = """\n{SECRET}\n"""\n'
    )
    lines = shown(text, "config.toml")
    assert SECRET not in "\n".join(lines)
    assert '+command = "/opt/bin/lookahead"' in lines


def test_a_value_that_only_names_a_variable_is_shown():
    text = json.dumps(
        {"mcpServers": {"a": {"url": "https://h", "headers": {"Authorization": "Bearer ${T}"}}}}, indent=2
    )
    assert '+        "MCP_HEADER_AUTHORIZATION": "Bearer ${T}"' in shown(text)


def test_nothing_to_change_is_nothing_to_show():
    made = wrap(parse(Path("/x/.mcp.json"), b'{"mcpServers": {"a": {}}}'), (), START)
    assert diff(made) == []
