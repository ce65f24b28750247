import os
import re
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from lookahead import with_lookahead
from lookahead.budget import Budget
from lookahead.commands._listing import path_of
from lookahead.errors import ConfigError
from lookahead.policy import Line, Policy
from lookahead.settings import JOURNAL, Settings, policy_of


def written(folder: Path, text: str, name: str = "lookahead.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


def test_without_a_file_and_without_variables_the_defaults_hold(tmp_path: Path):
    (tmp_path / ".git").mkdir()
    assert Settings.found(tmp_path, {}) == Settings(
        world="auto", mode="guard", journal=JOURNAL, goal="", budget=Budget(), policy=Policy()
    )
    assert JOURNAL == ".lookahead/journal.db"


def test_a_file_says_it_all(tmp_path: Path):
    path = written(
        tmp_path,
        """
        world = "directory:."
        mode = "shadow"
        journal = "j.db"
        goal = "tidy"
        [budget]
        seconds = 5
        at_once = 2
        [policy]
        default = "ask"
        "delete_*" = "deny"
        [policy.tools.shell]
        effect = "changes"
        when = [{ argument = "command", matches = "git *", rule = "allow" }]
        """,
    )
    settings = Settings.load(path)
    assert (settings.world, settings.mode, settings.journal, settings.goal) == ("directory:.", "shadow", "j.db", "tidy")
    assert settings.budget == Budget(seconds=5, at_once=2)
    assert settings.policy.default == "ask"
    assert settings.policy.tools["delete_*"] == Line(rule="deny")
    assert settings.policy.tools["shell"].effect == "changes"
    assert settings.policy.tools["shell"].when[0].matches == "git *"


def test_a_file_without_a_policy_has_the_default_one(tmp_path: Path):
    assert Settings.load(written(tmp_path, "")) == Settings()
    assert Settings.load(written(tmp_path, "[policy]")) == Settings()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('wrld = "none"', r"cannot be understood\.\n  wrld: "),
        ('mode = "guarded"', r"\n  mode: "),
        ("[budget]\nsecnds = 5", r"\n  budget.secnds: "),
        ("[budget]\nseconds = 0", r"\n  budget.seconds: "),
        ('policy = "strict"', r"\[policy\] is a table"),
        ('[policy]\ndefault = "never"', r"^\[policy\] of .*lookahead.toml cannot be understood\.\n  default: "),
        ('[policy.tools.x]\nrul = "deny"', r"tools.x.rul: "),
        ("world = ", "cannot be read: "),
    ],
)
def test_what_is_not_understood_is_an_error_that_names_file_and_key(tmp_path: Path, text: str, says: str):
    path = written(tmp_path, text)
    with pytest.raises(ConfigError, match=says) as caught:
        Settings.load(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_text_is_an_error(tmp_path: Path):
    path = tmp_path / "lookahead.toml"
    path.write_bytes(b'goal = "\xff"')
    with pytest.raises(ConfigError, match="cannot be read"):
        Settings.load(path)


def test_a_file_may_begin_with_a_mark_and_have_the_line_ends_of_windows(tmp_path: Path):
    path = tmp_path / "lookahead.toml"
    path.write_bytes(b'\xef\xbb\xbfgoal = "tidy"\r\n[policy]\r\npay = "deny"\r\n')
    assert Settings.load(path) == Settings(goal="tidy", policy=Policy(tools={"pay": Line(rule="deny")}))


@pytest.mark.parametrize(
    "text", ['pay = "deny"', '"send_*" = "allow"', '[pay]\nrule = "deny"', '[pay]\neffect = "reads"']
)
def test_a_rule_in_the_wrong_place_is_told_where_it_belongs(tmp_path: Path, text: str):
    with pytest.raises(
        ConfigError, match=r"there is no such setting; if it is the rule of a tool, put it under \[policy\]"
    ):
        Settings.load(written(tmp_path, text))


def test_a_misspelt_setting_is_told_the_right_one(tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        Settings.load(written(tmp_path, '[polcy]\npay = "deny"\n[budget]\nsecond = 5'))
    assert str(caught.value).splitlines()[1:] == [
        "  budget.second: there is no such setting; known are seconds, calls, tokens, "
        "run_seconds, run_calls, run_tokens, at_once; did you mean 'seconds'?",
        "  polcy: there is no such setting; known are world, endpoint, mode, journal, goal, trace, "
        "budget, policy, imagine; did you mean 'policy'?",
    ]


@pytest.mark.parametrize(("said", "rule"), [("deny", "deny"), ("allow", "allow"), ("Ask", "ask"), ("dney", "deny")])
def test_a_rule_alone_is_no_policy_and_is_told_how_to_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, rule: str
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=rf"policy='{said}' names no file. A rule\? Write policy={{'\*': '{rule}'}}$"):
        policy_of(said)
    written(tmp_path, '[policy]\nx = "ask"', said)
    assert policy_of(said).tools == {"x": Line(rule="ask")}


@pytest.mark.parametrize("given", [5, True, ["deny"], [("a", "deny")], "", object()])
def test_what_is_no_policy_is_an_error_that_shows_one(given: Any):
    with pytest.raises(ConfigError, match=r'is no policy; it is a Policy, .* policy={"delete_\*": "deny"}'):
        policy_of(given)


def test_a_file_that_is_not_there_says_what_to_do(tmp_path: Path):
    with pytest.raises(
        ConfigError, match=r"there is no policy file at .*none.toml; write one, or leave the argument out"
    ):
        Settings.load(tmp_path / "none.toml")


def test_a_folder_is_no_file(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot be read"):
        Settings.load(tmp_path)


def test_the_nearest_file_upwards_is_found(tmp_path: Path):
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    written(tmp_path, 'goal = "far"')
    assert Settings.found(deep, {}).goal == "far"
    written(tmp_path / "a", 'goal = "near"')
    assert Settings.found(deep, {}).goal == "near"
    written(deep, 'goal = "here"')
    assert Settings.found(deep, {}).goal == "here"


def test_a_file_above_the_repository_belongs_to_somebody_else(tmp_path: Path):
    written(tmp_path, 'goal = "theirs"')
    repository = tmp_path / "repository"
    (repository / "src").mkdir(parents=True)
    (repository / ".git").write_text("gitdir: elsewhere")
    assert Settings.found(repository / "src", {}).goal == ""
    written(repository, 'goal = "ours"')
    assert Settings.found(repository / "src", {}).goal == "ours"


def owned_by_somebody_else(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:
        os.chown(path, 4242, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)


def test_nothing_above_the_home_folder_is_used(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    written(tmp_path, 'goal = "above"')
    home, work = tmp_path / "home", tmp_path / "home" / "work"
    work.mkdir(parents=True)
    assert Settings.found(work, {"HOME": str(home)}).goal == ""
    with pytest.raises(
        ConfigError, match="is not used, because it is above your home folder; to use it, say LOOKAHEAD"
    ):
        Settings.found(tmp_path, {"HOME": str(home)})
    (tmp_path / "other").mkdir()
    assert Settings.found(tmp_path / "other", {"HOME": str(home)}).goal == ""
    assert "above your home folder" in caplog.text
    assert Settings.found(work, {"HOME": str(tmp_path)}).goal == "above"
    written(home, 'goal = "home"')
    assert Settings.found(work, {"HOME": str(home)}).goal == "home"


def test_a_home_that_is_a_link_ends_the_search_too(tmp_path: Path):
    written(tmp_path / "disk", 'goal = "above"')
    (tmp_path / "disk" / "ann" / "work").mkdir(parents=True)
    (tmp_path / "home").symlink_to(tmp_path / "disk" / "ann")
    assert Settings.found(tmp_path / "home" / "work", {"HOME": str(tmp_path / "home")}).goal == ""


def test_what_somebody_else_put_above_a_project_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    path = written(tmp_path, 'goal = "theirs"')
    (tmp_path / "work").mkdir()
    owned_by_somebody_else(path, monkeypatch)
    assert Settings.found(tmp_path / "work", {}).goal == ""
    assert f"{path} is not used, because it belongs to another user" in caplog.text
    assert Settings.found(tmp_path / "work", {"LOOKAHEAD_CONFIG": str(path)}).goal == "theirs"


@pytest.mark.parametrize("folder", [".", "src"])
def test_a_projects_own_file_that_somebody_else_owns_is_an_error_and_not_no_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
):
    (tmp_path / ".git").mkdir()
    (tmp_path / "src").mkdir()
    path = written(tmp_path, 'goal = "whose"')
    owned_by_somebody_else(path, monkeypatch)
    with pytest.raises(ConfigError, match="is not used, because it belongs to another user; to use it, say LOOKAHEAD"):
        Settings.found(tmp_path / folder, {})


@pytest.mark.skipif(os.geteuid() != 0, reason="only the administrator can give a link away")
def test_a_link_that_somebody_else_put_there_is_theirs(tmp_path: Path):
    mine = written(tmp_path / "mine", 'goal = "mine"', "other.toml")
    (tmp_path / "lookahead.toml").symlink_to(mine)
    os.chown(tmp_path / "lookahead.toml", 4242, -1, follow_symlinks=False)
    with pytest.raises(ConfigError, match="belongs to another user"):
        Settings.found(tmp_path, {})


# Where the journal is


def test_every_folder_of_a_project_writes_the_same_journal(tmp_path: Path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    written(tmp_path, 'goal = "g"')
    for folder in (tmp_path, tmp_path / "a", tmp_path / "a" / "b"):
        assert Settings.found(folder, {}).journal == str(tmp_path / JOURNAL)
    written(tmp_path, 'journal = "records/j.db"')
    for folder in (tmp_path, tmp_path / "a" / "b"):
        assert Settings.found(folder, {}).journal == str(tmp_path / "records" / "j.db")


def test_a_journal_elsewhere_stays_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for said, meant in ((":memory:",) * 2, ("/var/j.db",) * 2, ("~/j.db", str(tmp_path / "j.db"))):
        written(tmp_path / "work", f'journal = "{said}"')
        assert Settings.found(tmp_path / "work", {}).journal == meant
    assert Settings.found(tmp_path, {"LOOKAHEAD_JOURNAL": "here.db"}).journal == "here.db"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("directory:.", "directory:{home}"),
        ("directory:src", "directory:{home}/src"),
        ("directory:/srv/x", "directory:/srv/x"),
        ("directory:~/x", "directory:/home/ann/x"),
        ("sqlite:data/app.db", "sqlite:{home}/data/app.db"),
        ("postgresql://localhost/x", "postgresql://localhost/x"),
        ("none", "none"),
    ],
)
def test_a_world_that_a_file_names_by_a_path_is_seen_from_that_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, meant: str
):
    monkeypatch.setenv("HOME", "/home/ann")
    path = written(tmp_path, f'world = "{said}"')
    (tmp_path / "src" / "deep").mkdir(parents=True)
    meant = meant.format(home=tmp_path)
    assert Settings.found(tmp_path, {}).world == meant
    assert Settings.found(tmp_path / "src" / "deep", {}).world == meant
    assert Settings.found(Path("/"), {"LOOKAHEAD_CONFIG": str(path)}).world == meant
    # What a variable says is said where the program was started.
    assert Settings.found(tmp_path, {"LOOKAHEAD_WORLD": said}).world == said


def test_a_world_named_in_a_file_is_the_same_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    written(tmp_path, 'world = "directory:."')
    deep = tmp_path / "deep"
    deep.mkdir()
    monkeypatch.chdir(deep)

    def look(path: str) -> None: ...

    def world_of(**said: Any) -> Any:
        made: Any = with_lookahead(look, journal=":memory:", **said)
        made.lookahead.close()
        return made.lookahead.line.planner.imagine

    assert world_of().path == tmp_path
    assert world_of(world="directory:.").path == deep


def test_a_file_named_from_elsewhere_moves_the_journal_only_if_it_speaks_of_it(tmp_path: Path):
    (tmp_path / "work" / ".git").mkdir(parents=True)
    named = written(tmp_path / "etc", 'goal = "g"', "my.toml")
    assert Settings.found(tmp_path / "work", {"LOOKAHEAD_CONFIG": str(named)}).journal == JOURNAL
    written(tmp_path / "etc", 'journal = "j.db"', "my.toml")
    found = Settings.found(tmp_path / "work", {"LOOKAHEAD_CONFIG": str(named)})
    assert found.journal == str(tmp_path / "etc" / "j.db")


def test_the_commands_look_where_the_agent_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("CONFIG", "JOURNAL"):
        monkeypatch.delenv(f"LOOKAHEAD_{name}", raising=False)
    written(tmp_path, "")
    (tmp_path / "src").mkdir()
    monkeypatch.chdir(tmp_path / "src")

    def look() -> str:
        """Look."""
        return "seen"

    with_lookahead(look, world="none").lookahead.close()  # type: ignore[attr-defined]
    assert (tmp_path / JOURNAL).is_file()
    assert not (tmp_path / "src" / ".lookahead").exists()
    for folder in (tmp_path, tmp_path / "src"):
        monkeypatch.chdir(folder)
        assert path_of(Namespace(journal=None)) == str(tmp_path / JOURNAL)


def test_where_nobody_says_where_to_look_it_is_looked_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    written(tmp_path, 'goal = "here"')
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOOKAHEAD_CONFIG", raising=False)
    monkeypatch.setenv("LOOKAHEAD_WORLD", "none")
    found = Settings.found()
    assert (found.goal, found.world) == ("here", "none")


def test_variables_win_over_the_file_and_what_they_do_not_name_stays(tmp_path: Path):
    written(tmp_path, 'goal = "file"\nworld = "file"\nmode = "off"\njournal = "file"\n[policy]\nx = "deny"')
    found = Settings.found(tmp_path, {"LOOKAHEAD_WORLD": "none", "LOOKAHEAD_MODE": "dry-run"})
    assert (found.world, found.mode, found.goal, found.journal) == (
        *("none", "dry-run", "file"),
        str(tmp_path / "file"),
    )
    assert found.policy.tools == {"x": Line(rule="deny")}
    found = Settings.found(tmp_path, {"LOOKAHEAD_GOAL": "g", "LOOKAHEAD_JOURNAL": "j", "PATH": "p"})
    assert (found.world, found.mode, found.goal, found.journal) == ("file", "off", "g", "j")


def test_every_limit_of_the_budget_has_a_variable(tmp_path: Path):
    written(tmp_path, "[budget]\nseconds = 5\ncalls = 7")
    limits = {
        "LOOKAHEAD_BUDGET_SECONDS": "1.5",
        "LOOKAHEAD_BUDGET_TOKENS": "100",
        "LOOKAHEAD_BUDGET_RUN_SECONDS": "60",
        "LOOKAHEAD_BUDGET_RUN_CALLS": "8",
        "LOOKAHEAD_BUDGET_RUN_TOKENS": "9",
        "LOOKAHEAD_BUDGET_AT_ONCE": "3",
    }
    assert Settings.found(tmp_path, limits).budget == Budget(
        seconds=1.5, calls=7, tokens=100, run_seconds=60, run_calls=8, run_tokens=9, at_once=3
    )


@pytest.mark.parametrize(
    ("variable", "value", "key"),
    [("LOOKAHEAD_MODE", "loud", "mode"), ("LOOKAHEAD_BUDGET_SECONDS", "soon", "budget.seconds")],
)
def test_a_variable_that_cannot_be_understood_is_an_error(tmp_path: Path, variable: str, value: str, key: str):
    with pytest.raises(ConfigError, match=rf"a LOOKAHEAD_\* variable cannot be understood\.\n  {key}"):
        Settings.found(tmp_path, {variable: value})


@pytest.mark.parametrize(
    ("variable", "right"),
    [
        ("LOOKAHEAD_MODUS", "LOOKAHEAD_MODE"),
        ("LOOKAHEAD_BUDGET_SECOND", "LOOKAHEAD_BUDGET_SECONDS"),
        ("LOOKAHEAD_SECONDS", "LOOKAHEAD_BUDGET_SECONDS"),
        ("LOOKAHEAD_POLICIES", "LOOKAHEAD_POLICY"),
        ("LOOKAHEAD_JOURNAL_PATH", "LOOKAHEAD_JOURNAL"),
        ("LOOKAHEAD_BUDGET", "LOOKAHEAD_BUDGET_(CALLS|SECONDS|TOKENS)"),
    ],
)
def test_a_misspelt_variable_is_an_error_that_names_the_right_one(tmp_path: Path, variable: str, right: str):
    with pytest.raises(ConfigError, match=rf"^{variable} is no setting; did you mean {right}\?$"):
        Settings.found(tmp_path, {variable: "shadow"})


def test_a_variable_of_which_nobody_here_knows_is_said_to_change_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    assert Settings.found(tmp_path, {"LOOKAHEAD_FAVOURITE_COLOUR": "red", "LOOK": "x", "MODUS": "y"}) == Settings()
    assert [record.getMessage() for record in caplog.records] == [
        "LOOKAHEAD_FAVOURITE_COLOUR is no setting of lookahead, and changes nothing"
    ]


def test_every_variable_that_is_read_anywhere_is_known(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    root = Path(__file__).resolve().parent.parent
    folders = ("lookahead", "integrations", "benchmarks", "scripts", "examples")
    code = "".join(path.read_text() for folder in folders for path in (root / folder).rglob("*.py"))
    read = set(re.findall(r"[\"'](LOOKAHEAD_[A-Z_]*[A-Z])[\"']", code)) - {"LOOKAHEAD_CONFIG", "LOOKAHEAD_POLICY"}
    assert {"LOOKAHEAD_DEBUG", "LOOKAHEAD_SANDBOX"} <= read
    for name in {*read, "LOOKAHEAD_NO_SANDBOX", "LOOKAHEAD_EXAMPLES"} - {"LOOKAHEAD_MODE"}:
        Settings.found(tmp_path, {name: "1"})
    assert not caplog.records


def test_a_variable_names_the_file_to_read_and_nothing_is_searched(tmp_path: Path):
    written(tmp_path, 'goal = "searched"')
    named = written(tmp_path / "else", 'goal = "named"', "my.toml")
    assert Settings.found(tmp_path, {"LOOKAHEAD_CONFIG": str(named)}).goal == "named"
    with pytest.raises(ConfigError, match="there is no policy file"):
        Settings.found(tmp_path, {"LOOKAHEAD_CONFIG": str(tmp_path / "gone.toml")})


def test_a_variable_names_the_file_of_the_policy_alone(tmp_path: Path):
    written(tmp_path, 'goal = "mine"\n[policy]\nx = "deny"')
    policy = written(tmp_path / "else", 'goal = "theirs"\n[policy]\ny = "ask"', "policy.toml")
    found = Settings.found(tmp_path, {"LOOKAHEAD_POLICY": str(policy)})
    assert (found.goal, found.policy.tools) == ("mine", {"y": Line(rule="ask")})


def test_a_policy_is_taken_in_every_form_in_which_a_user_may_give_one(tmp_path: Path):
    policy = Policy(tools={"x": Line(rule="deny")})
    path = written(tmp_path, '[policy]\nx = "deny"')
    assert policy_of(policy) is policy
    assert policy_of({"x": "deny"}) == policy_of(path) == policy_of(str(path)) == policy


def test_a_file_named_for_its_policy_must_hold_one(tmp_path: Path):
    path = written(tmp_path, 'goal = "tidy"\n[budget]\nseconds = 5', "rules.toml")
    says = r"rules.toml was named for its policy and holds none.*\[policy\]"
    with pytest.raises(ConfigError, match=re.compile(says, re.DOTALL)):
        policy_of(path)
    with pytest.raises(ConfigError, match=re.compile(says, re.DOTALL)):
        Settings.found(tmp_path, {"LOOKAHEAD_POLICY": str(path)})
    with pytest.raises(ConfigError, match=re.compile(says, re.DOTALL)):
        policy_of(written(tmp_path, "", "rules.toml"))
    # An empty table says it, and the settings of a project need no policy.
    assert policy_of(written(tmp_path, "[policy]", "rules.toml")) == Policy()
    assert Settings.found(tmp_path, {"LOOKAHEAD_CONFIG": str(path)}).policy == Policy()


def test_a_mapping_that_is_no_policy_is_an_error():
    with pytest.raises(ConfigError, match="the policy given cannot be understood"):
        policy_of({"x": "never"})
