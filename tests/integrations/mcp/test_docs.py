"""The page on the proxy says what is so."""

import argparse
import re
import shlex
from pathlib import Path

import pytest

from lookahead import cli
from lookahead.errors import ConfigError
from lookahead_integrations.mcp.interceptors import GUARD, TEXTS
from lookahead_integrations.mcp.pins.service import HOLDS
from lookahead_integrations.mcp.settings import MODES, Limits, ProxySettings

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "mcp.md").read_text()
COMMANDS = re.findall(r"^    (lookahead .+)$", PAGE, re.MULTILINE)


def parser_of(command: str) -> argparse.ArgumentParser:
    parser = cli.build(command)
    subparsers = next(one for one in parser._actions if isinstance(one, argparse._SubParsersAction))  # pyright: ignore[reportPrivateUsage]
    return subparsers.choices[command]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_can_be_typed(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(argparse.ArgumentParser, "exit", pytest.fail)
    words = shlex.split(line)
    args = cli.build(words[1]).parse_args(words[1:])
    assert callable(args.run)


def test_every_option_that_is_named_exists() -> None:
    known = {option for name in cli.names() for one in parser_of(name)._actions for option in one.option_strings}  # pyright: ignore[reportPrivateUsage]
    assert set(re.findall(r"`?(--[a-z][a-z-]+)", PAGE)) <= known


def test_every_mode_has_its_row() -> None:
    assert set(re.findall(r"^\| `(\w[\w-]*)`", PAGE, re.MULTILINE)) == set(MODES)


def test_figures_and_names_are_those_of_the_code() -> None:
    limits = Limits()
    assert HOLDS == limits.patience == 300.0
    assert (limits.frame, limits.depth, limits.calls) == (16 * 1024 * 1024, 200, 1024)
    assert "1,024 calls at once" in PAGE
    assert f"`{GUARD}`" in PAGE
    assert f"`{TEXTS}`" in PAGE


def test_what_cannot_be_offered_is_an_error_that_names_what_can() -> None:
    with pytest.raises(ConfigError, match="'foo' cannot be offered; these can: resolve, interceptors"):
        ProxySettings(command=("server",), extensions=("resolve", "foo"))
