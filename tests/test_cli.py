import os
import subprocess
import sys
from pathlib import Path

import pytest

from lookahead import __version__, cli, commands

COMMAND = """
from lookahead.errors import ConfigError, WorldError

def register(subparsers):
    parser = subparsers.add_parser("probe")
    parser.add_argument("what")
    parser.set_defaults(run=run)

def run(args):
    if args.what == "config":
        raise ConfigError("lookahead.toml cannot be read: mend it")
    if args.what == "group":
        raise ExceptionGroup("both", [ConfigError("one"), ExceptionGroup("inner", [WorldError("two")])])
    if args.what == "stopped":
        raise KeyboardInterrupt
    if args.what == "stopped in a group":
        raise BaseExceptionGroup("tasks", [KeyboardInterrupt()])
    if args.what == "bug":
        raise ZeroDivisionError("a bug of ours")
    if args.what == "much":
        for number in range(100_000):
            print(number)
        return 0
    return int(args.what)
"""


@pytest.fixture
def probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One more command, found the way every command is found."""
    (tmp_path / "probe.py").write_text(COMMAND)
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "lookahead.commands.probe", raising=False)
    return tmp_path


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"lookahead {__version__}\n"


@pytest.mark.parametrize("wrong", [[], ["no-such-command"], ["--no-such-option"], ["demo", "--no-such-option"]])
def test_a_mistyped_command_is_an_error_and_not_a_finding(wrong: list[str], capsys: pytest.CaptureFixture[str]):
    assert cli.main(wrong) == 1
    said = capsys.readouterr().err
    assert said.startswith("lookahead")
    assert "--help" in said


def test_help_documents_the_exit_codes(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["--help"]) == 0
    said = capsys.readouterr().out
    for code in ("0  clean", "1  error", "2  findings", "3  incomplete", "130"):
        assert code in said


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_a_command_decides_its_exit_code(probe: Path, code: int):
    assert cli.main(["probe", str(code)]) == code


def test_an_error_of_ours_is_one_message_and_no_traceback(probe: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["probe", "config"]) == 1
    assert capsys.readouterr().err == "lookahead: lookahead.toml cannot be read: mend it\n"


def test_debug_shows_the_traceback(probe: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOOKAHEAD_DEBUG", "1")
    assert cli.main(["probe", "config"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_errors_in_groups_are_told_one_by_one(probe: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["probe", "group"]) == 1
    assert capsys.readouterr().err == "lookahead: one\nlookahead: two\n"


@pytest.mark.parametrize("how", ["stopped", "stopped in a group"])
def test_ctrl_c_is_quiet(probe: Path, how: str, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["probe", how]) == 130
    assert capsys.readouterr().err == ""


def test_a_bug_is_not_hidden(probe: Path):
    with pytest.raises(ZeroDivisionError):
        cli.main(["probe", "bug"])


def test_a_reader_that_goes_away_is_not_an_error(probe: Path):
    code = (
        f"import sys; from lookahead import cli, commands; commands.__path__.append({str(probe)!r}); "
        "sys.exit(cli.main(['probe', 'much']))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"0\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "lookahead", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"lookahead {__version__}\n")


def test_one_command_does_not_pay_for_the_imports_of_another():
    code = "import sys; from lookahead import cli; cli.build('demo'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ}).stdout
    assert "lookahead.commands.demo" in loaded
    assert not {"rich", "anyio", "sqlglot", "lookahead.planner", "lookahead.journal"} & set(loaded.split())
