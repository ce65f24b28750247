"""The one promise: whatever a file looks like, unwrapping gives back each byte, and nothing else is ever touched."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookahead_integrations.mcp.clients import jsonc
from lookahead_integrations.mcp.clients.files import ClientFile, parse
from lookahead_integrations.mcp.clients.rewriting import Rewritten, unwrap, wrap
from lookahead_integrations.mcp.clients.wrapping import Start

START = Start(command=("/opt/bin/lookahead",), options=("--mode", "guard"))


def file(text: str, name: str = ".mcp.json") -> ClientFile:
    return parse(Path("/project") / name, text.encode())


def again(made: Rewritten) -> ClientFile:
    return parse(made.before.path, made.content)


def there_and_back(text: str, name: str = ".mcp.json") -> Rewritten:
    """Wraps a file, and holds that unwrapping it gives the same bytes."""
    made = wrap(file(text, name), (), START)
    assert unwrap(again(made), ()).text == text
    assert wrap(again(made), (), START).text == made.text
    return made


def entry(made: Rewritten, name: str) -> dict[str, Any]:
    return next(one.node.value for one in again(made).entries if one.name == name)


def states(made: Rewritten) -> dict[str, str]:
    return {result.name: result.state for result in made.results}


def test_a_command_goes_behind_the_proxy_and_all_else_of_the_entry_stays():
    text = json.dumps(
        {"mcpServers": {"g": {"command": "npx", "args": ["-y", "s"], "env": {"T": "1"}, "cwd": "/x", "k": 1}}}
    )
    assert entry(there_and_back(text), "g") == {
        "command": "/opt/bin/lookahead",
        "args": ["proxy", "--name=g", "--mode", "guard", "--", "npx", "-y", "s"],
        "env": {"T": "1"},
        "cwd": "/x",
        "k": 1,
    }


@pytest.mark.parametrize("kind", ["http", "streamable-http", None])
def test_a_url_goes_behind_the_proxy_and_its_headers_are_never_among_the_words_that_everybody_can_read(
    kind: str | None,
):
    said = {
        "url": "https://h/mcp",
        "headers": {"Authorization": "Bearer ${T}", "X-a": "s3cret", "x-A": "2"},
        "timeout": 5,
    }
    text = json.dumps({"servers": {"r": {"type": kind, **said} if kind else said}})
    made = there_and_back(text, ".vscode/mcp.json")
    wrapped = entry(made, "r")
    assert wrapped["args"][-2:] == ["--url", "https://h/mcp"]
    assert not [word for word in wrapped["args"] if "s3cret" in word or "${T}" in word]
    given = dict(word.split("=")[1:] for word in wrapped["args"] if "MCP_HEADER" in word)
    assert {name: wrapped["env"][variable] for name, variable in given.items()} == said["headers"]
    assert wrapped.get("type") == ("stdio" if kind else None)
    assert wrapped["timeout"] == 5


@pytest.mark.parametrize("args", ['"args": []', '"args": [ ]', '"args":[\n   ]', '"args": [/* none */]', ""])
def test_no_arguments_and_no_list_of_them_are_told_apart(args: str):
    there_and_back(f'{{"mcpServers": {{"a": {{"command": "x"{"," if args else ""} {args}}}}}}}')


LAYOUTS = [
    '{"mcpServers":{"a":{"command":"x"},"b":{"command":"y","args":["1"]}}}',
    '{\n\t"mcpServers": {\n\t\t"a": {\n\t\t\t"args": [\n\t\t\t\t"y",\n\t\t\t\t"z"\n\t\t\t],\n\t\t\t"command": "x"}}}\n',
    '{ "mcpServers" : { "a" : { "command" : "x\\u0041\\/" , "args" : [ "\\"" , "é" ] , } , } , }',
    '// a\n{"servers": { // b\n "a": {"command": "x", /* c */ "args": [ // d\n "1", /**/ ], // e\n},},\n"inputs": []}',
    '{"mcpServers": {"a": {"headers": {\n"A": "1" // c\n}, "type": "http", "url": "https://h"}}}',
    '{"mcpServers": {"a": {"url": "${BASE}/mcp", "headers": {}}, "b": {"url": "http://h/x"}}}',
    '{"a": {"command": "x"}, "b": {"url": "https://h"}}',
    '{"mcp": {"servers": {"a": {"command": "x"}}}, "editor.fontSize": 12}',
    '{"mcpServers": {"a": {"command": "x"}}, "projects": {"/p": {"mcpServers": {"a": {"command": "y"}}, "h": []}}}',
]


@pytest.mark.parametrize("text", LAYOUTS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_every_layout_comes_back_to_the_byte(text: str, end: str, mark: str):
    assert set(states(there_and_back(mark + text.replace("\n", end))).values()) == {"wrapped"}


CODEX = """\
model = "o9" # the best

[mcp_servers.a] # c
command = 'npx' # why
args = ["-y", "x"]
startup_timeout_sec = 20
[mcp_servers.a.env]
K = "v"

[mcp_servers.b]
  command = "x"
[mcp_servers."c d"]
url = "https://h/mcp"
bearer_token_env_var = "TOK"
[mcp_servers."c d".http_headers]
X-Api = "k" # k
'Y' = 'z'
[mcp_servers]
d = { command = "y", args = [] }
e = { url = "https://h/mcp", env_http_headers = { "A" = "B", "C" = "D" } }
f = { url = "https://h/mcp", http_headers = { Q = "r" }, env_http_headers = { A = "B", C-D = "E" } }
g.command = "q"
g.args = [
  "1", # one
]
h.url = "http://h/mcp"
[tui]
theme = "dark"
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n"])
def test_codex_s_file_comes_back_to_the_byte_with_its_comments(end: str, last: str):
    text = (CODEX.rstrip("\n") + last).replace("\n", end)
    made = there_and_back(text, "config.toml")
    assert set(states(made).values()) == {"wrapped"}
    assert tomllib.loads(made.text)["tui"] == {"theme": "dark"}
    assert entry(made, "a")["env"] == {"K": "v"}
    assert entry(made, "a")["startup_timeout_sec"] == 20
    assert entry(made, "c d")["env_vars"] == ["TOK"]
    assert entry(made, "c d")["env"] == {"MCP_HEADER_X_API": "k", "MCP_HEADER_Y": "z"}
    assert entry(made, "f")["env_vars"] == ["B", "E"]


def test_the_last_line_of_a_toml_file_may_have_no_end():
    there_and_back('[mcp_servers.a]\ncommand = "x"', "config.toml")
    there_and_back('mcp_servers.a.url = "https://h"', "config.toml")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ({"url": "https://h/sse"}, "older transport"),
        ({"type": "sse", "url": "https://h/mcp"}, "'sse'"),
        ({"url": "unix:///s"}, "none of http"),
        ({"url": "https://h", "headersHelper": "/x"}, "logs in by 'headersHelper'"),
        ({"url": "https://h", "oauth": {}}, "logs in by 'oauth'"),
        ({"url": "https://h", "headers": {"A": ""}}, "header A is empty"),
        ({"url": "https://h", "headers": {"A": 1}}, "no table of texts"),
        ({"url": "https://h", "headers": {"A": "1"}, "env": {"B": "2"}}, "env beside headers"),
        ({"url": "https://h", "command": "x"}, "both a command and a url"),
        ({"command": ["x", "y"]}, "no text"),
        ({"command": "x", "args": "y"}, "no list"),
        ({"command": "x", "args": [1]}, "no list"),
        ({"type": "stdio"}, "neither"),
    ],
)
def test_an_entry_that_the_proxy_cannot_stand_in_front_of_is_left_as_it_is_and_the_reason_said(text: Any, why: str):
    made = wrap(file(json.dumps({"mcpServers": {"odd": text, "good": {"command": "x"}}})), (), START)
    assert states(made) == {"odd": "left", "good": "wrapped"}
    assert why in made.results[0].said
    assert entry(made, "odd") == text


def test_only_the_servers_that_were_named_are_touched():
    text = '{"mcpServers": {"a": {"command": "x" ,  "args": ["1"]}, "b": {"command": "y"}}}'
    made = wrap(file(text), ["b"], START)
    assert '"a": {"command": "x" ,  "args": ["1"]}' in made.text
    assert states(made) == {"b": "wrapped"}


def test_wrapping_twice_is_said_and_changes_nothing():
    made = wrap(file('{"mcpServers": {"a": {"command": "x"}}}'), (), START)
    twice = wrap(again(made), (), START)
    assert not twice.changed
    assert (twice.results[0].state, "in guard mode" in twice.results[0].said) == ("already", True)


@pytest.mark.parametrize(
    "start",
    [
        Start(command=("uvx", "--from", "lookahead-agents", "lookahead"), options=()),
        Start(command=("/v/bin/python", "-m", "lookahead"), options=("--mode", "shadow", "--no-sampling")),
    ],
)
def test_however_lookahead_is_started_it_is_known_again(start: Start):
    text = '{"mcpServers": {"a": {"command": "x", "args": ["proxy"]}, "b": {"url": "https://h", "type": "http"}}}'
    made = wrap(file(text), (), start)
    assert unwrap(again(made), ()).text == text
    assert not wrap(again(made), (), start).changed


def test_an_entry_that_was_written_by_hand_is_unwrapped_too():
    text = (
        '{"mcpServers": {"a": {"command": "lookahead", "args": ["proxy", "--mode", "guard", "--", "npx", "-y"]},'
        ' "b": {"command": "lookahead", "args": ["proxy", "--url=https://h", "--header", "A: Bearer ${T}"]}}}'
    )
    assert jsonc.read(unwrap(file(text), ()).text).value["mcpServers"] == {
        "a": {"command": "npx", "args": ["-y"]},
        "b": {"url": "https://h", "headers": {"A": "Bearer ${T}"}},
    }


def test_an_entry_that_was_wrapped_by_hand_and_by_us_is_unwrapped_down_to_its_server():
    inner = ["proxy", "--", "/x/lookahead", "proxy", "--mode", "guard", "--", "npx", "s"]
    text = json.dumps({"mcpServers": {"a": {"command": "lookahead", "args": inner}}})
    assert jsonc.read(unwrap(file(text), ()).text).value["mcpServers"]["a"] == {"command": "npx", "args": ["s"]}


def test_a_server_whose_own_arguments_look_like_ours_is_not_taken_for_wrapped():
    text = json.dumps({"mcpServers": {"a": {"command": "npx", "args": ["proxy", "--", "lookahead", "proxy"]}}})
    assert states(there_and_back(text)) == {"a": "wrapped"}


def test_what_was_changed_elsewhere_since_stays_changed():
    text = '{\n  "mcpServers": {\n    "a": {"command": "x", "args": ["1"]},\n    "b": {"command": "y"}\n  }\n}\n'
    made = wrap(file(text), ["a"], START)
    changed = made.text.replace(
        '"b": {"command": "y"}', '"b": {"command": "z"}, // mine\n    "c": {"url": "https://c"}'
    )
    changed = changed.replace('"a": {', '"a": {"disabled": true, ')
    back = unwrap(file(changed), ())
    assert back.text == text.replace(
        '"b": {"command": "y"}', '"b": {"command": "z"}, // mine\n    "c": {"url": "https://c"}'
    ).replace('"a": {', '"a": {"disabled": true, ')


def test_a_formatter_that_ran_since_does_no_harm():
    value = {
        "mcpServers": {
            "a": {"command": "x", "args": ["1"]},
            "b": {"type": "http", "url": "https://h", "headers": {"A": "1"}},
        }
    }
    made = wrap(file(json.dumps(value)), (), START)
    formatted = json.dumps(json.loads(made.text), indent=4, sort_keys=True)
    assert json.loads(unwrap(file(formatted), ()).text) == value


def test_a_variable_that_was_added_to_a_wrapped_url_is_not_made_a_header():
    made = wrap(file('{"mcpServers": {"a": {"url": "https://h", "headers": {"A": "1"}}}}'), (), START)
    changed = made.text.replace('"env": {', '"env": {"LOOKAHEAD_WORLD": "w", ')
    back = unwrap(file(changed), ())
    assert (back.results[0].state, back.changed) == ("left", False)
    assert "LOOKAHEAD_WORLD" in back.results[0].said


# --- files as nobody thought of them

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=8)
BLANK = st.sampled_from(["", " ", "  ", "\n", "\t", "\n    ", "/* c */", " // c\n", "\r\n"])
NAMES = st.text("abcXYZ-_ .é", min_size=1, max_size=6)
HEADERS = st.text("aAbB-_.", min_size=1, max_size=4)


@st.composite
def spelled(draw: st.DrawFn, value: Any) -> str:
    """A value as somebody may have laid it out."""

    def gap() -> str:
        return draw(BLANK)

    if isinstance(value, dict):
        parts = [f"{gap()}{draw(spelled(key))}{gap()}:{gap()}{draw(spelled(one))}{gap()}" for key, one in value.items()]
        return "{" + ",".join(parts) + (draw(st.sampled_from(["", ","])) if parts else "") + gap() + "}"
    if isinstance(value, list):
        parts = [f"{gap()}{draw(spelled(one))}{gap()}" for one in value]
        return "[" + ",".join(parts) + (draw(st.sampled_from(["", ","])) if parts else "") + gap() + "]"
    return json.dumps(value, ensure_ascii=draw(st.booleans()))


COMMANDS = st.fixed_dictionaries(
    {"command": WORDS},
    optional={"args": st.lists(WORDS, max_size=3), "env": st.dictionaries(NAMES, WORDS, max_size=2), "cwd": WORDS},
)
URLS = st.fixed_dictionaries(
    {"url": st.sampled_from(["https://h/mcp", "http://127.0.0.1:1/x?k=v", "${BASE}/mcp"])},
    optional={
        "type": st.sampled_from(["http", "streamable-http"]),
        "headers": st.dictionaries(HEADERS, st.text(min_size=1, max_size=5), max_size=3),
        "timeout": st.integers(),
    },
)


@st.composite
def client_files(draw: st.DrawFn) -> str:
    servers = draw(st.dictionaries(NAMES, st.one_of(COMMANDS, URLS), min_size=1, max_size=4))
    servers = {name: dict(draw(st.permutations(list(one.items())))) for name, one in servers.items()}
    key = draw(st.sampled_from(["mcpServers", "servers"]))
    return draw(BLANK) + draw(spelled({"before": [1, {"a": None}], key: servers, "after": "x"})) + draw(BLANK)


@settings(max_examples=40)
@given(client_files(), st.data())
def test_any_file_at_all_comes_back_to_the_byte_and_servers_that_were_not_named_are_not_touched(
    text: str, data: st.DataObject
):
    made = there_and_back(text)
    assert set(states(made).values()) == {"wrapped"}
    names = [one.name for one in file(text).entries]
    some = wrap(file(text), [data.draw(st.sampled_from(names))], START)
    for before, now in zip(file(text).entries, again(some).entries, strict=True):
        if before.name not in states(some):
            assert text[before.node.start : before.node.end] == some.text[now.node.start : now.node.end]
    assert unwrap(again(some), ()).text == text
