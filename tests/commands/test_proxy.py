import json
from pathlib import Path
from typing import Any

import pytest

from lookahead import cli
from lookahead.errors import ConfigError
from lookahead_integrations.mcp.settings import ProxySettings
from lookahead_integrations.mcp.told import settings_of

BEHIND = ("--", "server", "--its own", "x")


def told(*words: str, environment: dict[str, str] | None = None) -> ProxySettings:
    return settings_of(cli.build("proxy").parse_args(["proxy", *words]), environment or {})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no upstream"),
        (("server",), "before the server's command comes --, as in: lookahead proxy -- server"),
        (("--", "--url", "x"), "'--url' is none"),
        (("--mode", "gard", *BEHIND), "mode='gard' is not one of guard, simulate, shadow, record, replay, off"),
        (("--url", "http://h/mcp", *BEHIND), "one upstream"),
        (("--config", "a", "--url", "b"), "one upstream"),
        (("--cwd", "/there/is/nothing/here", *BEHIND), "there is no such folder"),
        (("--env", "NAME", *BEHIND), "--env NAME=VALUE"),
        (("--header", "a: b", *BEHIND), "headers are for a server at a URL"),
        (("--header", "novalue", "--url", "http://h/mcp"), "--header 'NAME: VALUE'"),
        (("--header-env", "X-Key=NOT_SET_ANYWHERE", "--url", "http://h/mcp"), "the variable is not set"),
        (("--bearer-env", "NOT_SET_ANYWHERE", "--url", "http://h/mcp"), "the variable is not set"),
        (("--token-env", "NOT_SET_ANYWHERE", *BEHIND), "the variable is not set"),
        (("--patience", "0", *BEHIND), "a number of seconds above 0"),
        (("--then", "nobody", *BEHIND), "'nobody' cannot answer a call"),
        (("--policy", "nowhere.json", *BEHIND), "nowhere.json cannot be read"),
    ],
)
def test_what_cannot_be_understood_is_said_and_nothing_is_served(
    words: tuple[str, ...], said: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["proxy", *words]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "Traceback" not in err


def test_the_words_after_the_mark_are_the_servers_alone(place: Path) -> None:
    settings = told("--name", "mine", "--env", "A=b=c", "--env", "D=", "--cwd", str(place), *BEHIND, "--mode", "off")
    assert settings.command == ("server", "--its own", "x", "--mode", "off")
    assert (settings.mode, settings.name, settings.cwd) == ("guard", "mine", str(place))
    assert settings.env == {"A": "b=c", "D": ""}


@pytest.mark.parametrize(
    ("said", "mode"), [("guard", "guard"), ("shadow", "shadow"), ("dry-run", "simulate"), ("off", "off")]
)
def test_the_mode_is_the_projects_where_no_other_is_named(
    said: str, mode: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "lookahead.toml").write_text(f'mode = "{said}"\n')
    monkeypatch.chdir(place)
    assert told(*BEHIND).mode == mode
    assert told("--mode", "record", *BEHIND).mode == "record"


def test_rules_may_be_json_beside_a_clients_own_file(place: Path) -> None:
    (place / "rules.json").write_text('{"delete_*": "deny"}')
    assert told("--policy", str(place / "rules.json"), *BEHIND).policy == {"delete_*": "deny"}
    assert told("--policy", "rules.toml", *BEHIND).policy == "rules.toml"
    (place / "rules.json").write_text("[]")
    with pytest.raises(ConfigError, match="an object of tools"):
        told("--policy", str(place / "rules.json"), *BEHIND)


def test_headers_and_tokens_come_from_variables_so_that_no_list_of_processes_shows_them() -> None:
    given = {"KEY": "k", "BEARER": "b", "ONE": "1", "TWO": "2"}
    words = ("--url", "http://h/mcp", "--header", "X-A:  a:b ", "--header-env", "X-Key=KEY", "--bearer-env", "BEARER")
    more = ("--token-env", "ONE", "--token-env", "TWO", "--pass-header", "X-Trace", "--allow-host", "me")
    settings = told(*words, *more, "--allow-origin", "https://me", environment=given)
    assert settings.headers == {"X-A": "a:b", "X-Key": "k", "Authorization": "Bearer b"}
    assert (settings.tokens, settings.passed) == (("1", "2"), ("x-trace",))
    assert (settings.hosts, settings.origins) == (("me",), ("https://me",))


def test_a_replay_says_who_is_asked_next() -> None:
    assert told("--mode", "replay", *BEHIND).chain == ("replay",)
    assert told("--mode", "replay", "--then", "simulate, forward", *BEHIND).chain == ("replay", "simulate", "forward")


def test_what_unwrap_reads_changes_nothing() -> None:
    assert told("--wrapped", "no-args", *BEHIND) == told(*BEHIND)


def test_an_upstream_is_not_needed_where_its_tools_are_saved_or_recorded() -> None:
    assert told("--mode", "simulate", "--saved", "tools.json").command == ()
    assert told("--mode", "replay").command == ()


@pytest.mark.parametrize("words", [("--help",), ("--accept-tools", "--json")])
def test_help_and_accepting_tools_serve_nothing(
    words: tuple[str, ...], place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    assert cli.main(["proxy", *words]) == 0
    said: Any = capsys.readouterr().out
    if "--json" in words:
        assert json.loads(said)["accepted"] == []
    else:
        assert "lookahead proxy -- npx" in said
