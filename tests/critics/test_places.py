"""A tool that is handed a path outside the work touches what no copy shows."""

import pytest

from lookahead.critics import RuleCritic, effect_of
from lookahead.types import Action, Observation, Origin, Rollout, State, Step, Tool

critic = RuleCritic(root="/home/me/project")


def rules(tool: str, *, effect: str = "unknown", exact: bool = False, **arguments) -> dict[str, str]:
    action = Action(tool=tool, arguments=arguments)
    seen = Observation(effects=(), origin=Origin(kind="exact", world="fork:python"))
    state = State(tools=(Tool(name=tool, effect=effect),))
    rollout = Rollout(action=action, steps=(Step(action=action, observation=seen),) if exact else ())
    return {hazard.rule: hazard.severity for hazard in critic.judge(state, rollout).hazards}


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(
    ("arguments", "rule", "severity"),
    [
        ({"path": "~/.bashrc"}, "files.starts-later", "danger"),
        ({"filename": "/root/.profile"}, "files.starts-later", "danger"),
        ({"dest": "/home/me/.ssh/authorized_keys"}, "files.starts-later", "danger"),
        ({"target": "/etc/cron.d/x"}, "files.starts-later", "danger"),
        ({"path": "/etc/hosts"}, "files.outside", "caution"),
        ({"to": "~/notes.md"}, "files.outside", "caution"),
        ({"path": "/home/me/other/a.txt"}, "files.outside", "caution"),
        ({"path": "../other/a.txt"}, "files.outside", "caution"),
        ({"options": {"whatever": "/usr/lib/x"}}, "files.outside", "caution"),
        ({"path": "~/.aws/credentials"}, "files.outside", "caution"),
        ({"path": ".git/hooks/pre-commit"}, "files.starts-later", "caution"),
    ],
)
def test_a_path_outside_the_work_is_asked_about_whatever_a_copy_showed(arguments, rule, severity, exact):
    assert rules("save_it", exact=exact, text="x", **arguments).get(rule) == severity


@pytest.mark.parametrize(
    "arguments",
    [
        {"path": "src/a.py"},
        {"path": "/home/me/project/src/a.py"},
        {"path": "./a.py"},
        {"path": "/tmp/out.csv"},
        {"path": "/dev/null"},
        {"text": "/etc/hosts is a file"},
        {"content": "/etc/hosts"},
        {"route": "/etc/hosts"},
        {"folder": "/no-such-top-8813/reports"},
        {"title": "and/or"},
    ],
)
def test_ordinary_arguments_are_not_questioned(arguments):
    assert rules("save_it", **arguments) == {}


def test_to_delete_what_others_keep_in_tmp_is_asked_about():
    assert rules("delete_file", exact=True, path="/tmp/thesis.md") == {"files.outside": "caution"}


def test_a_folder_of_its_own_is_the_root_where_none_was_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path, expected in ((f"{tmp_path}/a.txt", set()), ("/etc/a.txt", {"files.outside"})):
        action = Action(tool="save_it", arguments={"path": path})
        verdict = RuleCritic().judge(State(), Rollout(action=action))
        assert {hazard.rule for hazard in verdict.hazards} == expected


@pytest.mark.parametrize("path", ["/etc/shadow", "~/.ssh/id_ed25519", "/home/you/app/.env", "../other/.env", "id_rsa"])
def test_reading_a_plainly_secret_place_is_a_question_and_never_called_reading(path: str):
    assert rules("read_file", effect="reads", path=path) == {"secrets.read": "caution"}
    assert rules("read_file", path=path, exact=True) == {"secrets.read": "caution"}
    assert effect_of(Action(tool="read_file", arguments={"path": path})) != "reads"
    assert effect_of(Action(tool="bash", arguments={"command": f"cat {path}"})) != "reads"
    assert rules("bash", command=f"cat {path}", exact=True).get("secrets.read") == "caution"


@pytest.mark.parametrize(
    "text", ["cat /etc/shad*", "cat /etc/shad?w", "cat ~/.ssh/*", "paste /etc/shadow", "tac /etc/gshadow"]
)
def test_a_secret_behind_a_pattern_or_a_rare_reader_is_seen(text: str):
    assert effect_of(Action(tool="bash", arguments={"command": text})) != "reads"
    assert rules("bash", command=text, exact=True).get("secrets.read") == "caution"


def test_reading_the_settings_of_the_work_itself_is_not():
    assert rules("read_file", path=".env") == {}
    assert rules("read_file", path="README.md") == {}
    assert rules("read_file", path="/etc/hosts") == {}
    assert "secrets.read" not in rules("bash", command="cat .env")
    assert "secrets.read" not in rules("bash", command="cat src/*.py")
