from pathlib import Path

import pytest

from lookahead_integrations.mcp.clients.files import ClientFileError, NoServers, known, load, parse


@pytest.mark.parametrize(
    ("name", "text", "client"),
    [
        ("claude_desktop_config.json", '{"mcpServers": {}}', "Claude Desktop"),
        (".mcp.json", '{"mcpServers": {}}', "Claude Code"),
        (".claude.json", '{"projects": {"/p": {"mcpServers": {}}}}', "Claude Code"),
        (".cursor/mcp.json", '{"mcpServers": {}}', "Cursor"),
        (".vscode/mcp.json", '{"servers": {}, "inputs": []}', "VS Code"),
        ("config.toml", "[mcp_servers.a]\ncommand = 'x'", "Codex"),
        ("other.json", '{"mcpServers": {}}', "an MCP client"),
    ],
)
def test_each_clients_file_is_known(name: str, text: str, client: str):
    assert parse(Path("/x") / name, text.encode()).client == client


def test_the_servers_of_each_project_of_claude_code_are_found():
    text = (
        '{"mcpServers": {"a": {"command": "x"}},\n "projects": {"/p": {"mcpServers": {"a": {"command": "y"}}},\n'
        ' "/q": {"history": []}}}'
    )
    found = parse(Path("/home/.claude.json"), text.encode()).entries
    assert [(one.title, one.line) for one in found] == [("a", 1), ("a (/p)", 2)]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "a.json",
            b'{"mcpServers": {\n"a": }}',
            r"a\.json:2: no value begins like this: the file is not valid JSON; mend",
        ),
        ("a.toml", b"[mcp_servers.a]\ncommand = ", r"a\.toml:2: .*not valid TOML; mend"),
        ("a.json", b'{"mcpServers":\n{"a": "\xff"}}', r"a\.json:2: this is not UTF-8; save"),
        ("a.json", b'{"mcpServers": {\n"a": {}, \n"a": {}}}', r"a\.json:3: 'a' is there twice; take one out"),
        ("a.json", b'{"mcpServers": {},\n "mcpServers": {}}', r"a\.json:2: 'mcpServers' is there twice"),
        ("a.json", b'{"mcpServers": {"a": {"command": "x",\n"command": "y"}}}', r"a\.json:2: 'command' is there twice"),
        ("a.json", b'{"mcpServers": {"a": {"env": {"A": "1",\n"A": "2"}}}}', r"a\.json:2: 'A' is there twice"),
        ("a.json", b'{"mcpServers": {\n"a": []}}', r"a\.json:2: the server 'a' is no object"),
        ("a.json", b"[]", "names no servers"),
        ("a.json", b"", r"a\.json:1: the file ends"),
        ("a.json", b'{"a": 1}', "name a file of Claude, Cursor, VS Code or Codex"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line_and_what_to_do(name: str, content: bytes, said: str):
    with pytest.raises(ClientFileError, match=said):
        parse(Path("/x") / name, content)


def test_a_key_that_is_there_twice_where_no_server_is_concerned_is_none_of_our_business():
    text = b'{"tips": {"a": 1, "a": 2}, "mcpServers": {"a": {"command": "x"}}}'
    assert len(parse(Path("/x/.claude.json"), text).entries) == 1


def test_a_file_without_servers_is_told_apart_from_one_that_cannot_be_read():
    with pytest.raises(NoServers):
        parse(Path("/x/config.toml"), b'model = "x"')


def test_a_file_that_is_not_there_or_is_a_folder_is_an_error_with_a_next_step(tmp_path: Path):
    with pytest.raises(ClientFileError, match="there is no file"):
        load(tmp_path / "none.json")
    with pytest.raises(ClientFileError, match="cannot be read: Is a directory"):
        load(tmp_path)


def test_the_files_of_clients_that_are_there_are_found(tmp_path: Path):
    home, folder = tmp_path / "home", tmp_path / "project"
    there = [folder / ".mcp.json", folder / ".vscode/mcp.json", home / ".claude.json", home / ".codex/config.toml"]
    for path in there:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    assert known(home, folder, {}) == there
    moved = tmp_path / "moved"
    moved.mkdir()
    (moved / "config.toml").write_text("")
    assert known(home, folder, {"CODEX_HOME": str(moved)})[-1] == moved / "config.toml"
