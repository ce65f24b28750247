import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookahead import cli

TEXT = """\
{
  // mine
  "mcpServers": {
    "files": {"command": "npx", "args": ["-y", "server"], "env": {"TOKEN": "hunter2hunter2"}},
    "web": {"type": "http", "url": "https://h/mcp?key=hunter3",
            "headers": {"X-Key": "hunter4", "Authorization": "Bearer ${T}"}}
  }
}
"""


@pytest.fixture
def path(place: Path) -> Path:
    made = place / ".mcp.json"
    made.write_text(TEXT)
    return made


Told = Callable[[], Any]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    return lambda: json.loads(capsys.readouterr().out)


def servers(path: Path) -> Any:
    return json.loads("\n".join(line for line in path.read_text().splitlines() if "//" not in line[:6]))["mcpServers"]


def test_wrap_and_unwrap_leave_the_file_as_it_was(path: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["wrap", str(path)]) == 0
    assert "wrapped    files" in capsys.readouterr().out
    found = servers(path)["files"]
    assert (os.path.isabs(found["command"]), os.access(found["command"], os.X_OK)) == (True, True)
    assert found["args"] == ["proxy", "--name=files", "--mode", "guard", "--", "npx", "-y", "server"]
    assert path.with_name(".mcp.json.lookahead-backup").read_text() == TEXT
    assert cli.main(["wrap", str(path)]) == 0
    assert "as it was  files: the proxy stands in front of it, in guard mode" in capsys.readouterr().out
    assert cli.main(["unwrap", str(path)]) == 0
    assert path.read_text() == TEXT


def test_the_wrapped_command_line_is_one_that_the_proxy_understands(path: Path):
    from lookahead_integrations.mcp.told import settings_of

    assert cli.main(["wrap", str(path), "--mode", "shadow", "--", "--world", "http://w/v1"]) == 0
    found = servers(path)
    files = settings_of(cli.build("proxy").parse_args(found["files"]["args"]))
    assert (files.command, files.mode, files.world, files.name) == (
        ("npx", "-y", "server"),
        "shadow",
        "http://w/v1",
        "files",
    )
    web = settings_of(cli.build("proxy").parse_args(found["web"]["args"]), found["web"]["env"])
    assert (web.url, web.headers) == (
        "https://h/mcp?key=hunter3",
        {"X-Key": "hunter4", "Authorization": "Bearer ${T}"},
    )


def test_a_dry_run_shows_the_change_without_secrets_and_writes_nothing(path: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["wrap", str(path), "--dry-run"]) == 2
    shown = capsys.readouterr().out
    assert "hunter" not in shown
    assert '-    "files": {"command": "npx"' in shown
    assert '+    "files": {"command": "' in shown
    assert "Bearer ${T}" in shown
    assert "   // mine" in shown
    assert (path.read_text(), len(list(path.parent.glob(".mcp.json*")))) == (TEXT, 1)
    assert cli.main(["unwrap", str(path), "--dry-run"]) == 0


def test_programs_are_told_the_same(path: Path, told: Told):
    assert cli.main(["wrap", str(path), "--json", "--server", "files"]) == 0
    report = told()
    assert (report["format"], report["version"], report["dry_run"]) == ("lookahead.wrap", 1, False)
    file = report["files"][0]
    assert (file["file"], file["client"], file["changed"], file["error"]) == (str(path), "Claude Code", True, None)
    assert file["servers"] == [{"name": "files", "project": "", "line": 4, "state": "wrapped", "said": ""}]
    assert Path(file["backup"]).read_text() == TEXT
    assert cli.main(["unwrap", str(path), "--json"]) == 0
    assert [one["state"] for one in told()["files"][0]["servers"]] == ["unwrapped", "already"]


def test_a_server_that_is_not_there_is_an_error_that_names_those_that_are(
    path: Path, capsys: pytest.CaptureFixture[str]
):
    assert cli.main(["wrap", str(path), "--server", "nope"]) == 1
    assert "has no server 'nope'; its servers: files, web" in capsys.readouterr().err
    assert path.read_text() == TEXT


def test_one_file_that_cannot_be_read_keeps_no_other_from_being_wrapped(path: Path, capsys: pytest.CaptureFixture[str]):
    broken = path.with_name("broken.json")
    broken.write_text('{"mcpServers": {\n')
    assert cli.main(["wrap", str(broken), str(path)]) == 3
    assert "broken.json:2: " in capsys.readouterr().err
    assert servers(path)["files"]["args"][0] == "proxy"
    assert cli.main(["unwrap", str(broken)]) == 1


def test_a_server_that_cannot_be_wrapped_makes_the_work_incomplete(path: Path, capsys: pytest.CaptureFixture[str]):
    path.write_text('{"mcpServers": {"old": {"type": "sse", "url": "https://h"}, "new": {"command": "x"}}}')
    assert cli.main(["wrap", str(path)]) == 3
    assert "LEFT       old: the proxy speaks streamable HTTP" in capsys.readouterr().out
    assert servers(path)["new"]["args"][0] == "proxy"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--mode", "gaurd"], "not one of guard"),
        (["--policy", "none.toml"], "there is no policy file"),
        (["--command", "npx"], "does not end in 'lookahead'"),
        (["--command", "'"], "quote it"),
        (["--comand", "x"], "unrecognized arguments"),
    ],
)
def test_what_the_proxy_could_not_do_is_refused_before_anything_is_written(
    path: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
):
    assert cli.main(["wrap", str(path), *arguments]) == 1
    assert said in capsys.readouterr().err
    assert (path.read_text(), list(path.parent.glob("*backup*"))) == (TEXT, [])


def test_a_policy_is_named_by_its_whole_path_because_clients_start_servers_anywhere(path: Path):
    (path.parent / "rules.toml").write_text('[policy]\n"delete_*" = "deny"\n')
    assert cli.main(["wrap", str(path), "--policy", "rules.toml"]) == 0
    assert str(path.parent / "rules.toml") in servers(path)["files"]["args"]


def test_another_way_to_start_lookahead_is_taken_as_it_is_given(path: Path):
    assert cli.main(["wrap", str(path), "--command", "uvx --from lookahead-agents lookahead"]) == 0
    found = servers(path)["files"]
    assert (found["command"], found["args"][:4]) == ("uvx", ["--from", "lookahead-agents", "lookahead", "proxy"])
    assert cli.main(["unwrap", str(path)]) == 0
    assert path.read_text() == TEXT


def test_a_client_that_starts_servers_in_any_folder_gets_a_journal_in_a_place_of_its_own(place: Path):
    path = place / "claude_desktop_config.json"
    path.write_text('{"mcpServers": {"a": {"command": "x"}}}')
    assert cli.main(["wrap", str(path)]) == 0
    args = servers(path)["a"]["args"]
    assert os.path.isabs(args[args.index("--journal") + 1])


def test_terminals_obey_nothing_that_is_in_a_file(path: Path, capsys: pytest.CaptureFixture[str]):
    path.write_text('{"mcpServers": {"a\\u001b[2Jb": {"command": "\\u202ex", "args": ["\x7f"]}}}')
    cli.main(["wrap", str(path), "--dry-run"])
    cli.main(["wrap", str(path)])
    shown = capsys.readouterr().out
    assert not {"\x1b", "\u202e", "\x7f"} & set(shown)


def test_the_same_file_named_twice_is_wrapped_once(path: Path, told: Told):
    assert cli.main(["wrap", str(path), str(path.parent / "." / ".mcp.json"), "--json"]) == 0
    assert len(told()["files"]) == 1


def test_the_core_loads_no_integration_before_a_file_is_wrapped():
    import subprocess

    code = (
        "import sys; from lookahead.cli import build; build(); print([m for m in sys.modules if 'lookahead_int' in m])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
