import itertools
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lookahead.errors import ConfigError
from lookahead.policy import Condition, DryRunFlag, Line, Policy, Ruling, Trust
from lookahead.testing import call
from lookahead.types import Tool, ToolEffect


def policy(**fields: Any) -> Policy:
    return Policy.read(fields, "the policy")


def ruled(lines: dict[str, Any], tool: str = "send", **arguments: Any) -> tuple[str, str]:
    ruling = Policy.read(lines, "the policy").rule_on(call(tool, **arguments), None)
    return ruling.rule, ruling.line


# Which line speaks


def test_a_call_of_which_nothing_is_said_gets_the_default():
    assert ruled({}) == ("preview", "default = preview")
    assert ruled({"default": "deny"}) == ("deny", "default = deny")


def test_any_line_speaks_before_the_default():
    assert ruled({"default": "deny", "send": "allow"}) == ("allow", '"send" = allow')


@pytest.mark.parametrize(
    ("pattern", "tool", "speaks"),
    [
        ("delete_*", "delete_file", True),
        ("delete_*", "delete_", True),
        ("delete_*", "undelete_file", False),
        ("*", "anything", True),
        ("file_?", "file_a", True),
        ("file_?", "file_ab", False),
        ("[ab]_x", "b_x", True),
        ("[!ab]_x", "b_x", False),
        ("Delete", "delete", False),
        ("delete", "Delete", False),
        ("mcp__*__write", "mcp__fs__write", True),
    ],
)
def test_a_pattern_is_a_glob_over_the_whole_name_and_case_counts(pattern: str, tool: str, speaks: bool):
    assert ruled({pattern: "deny"}, tool)[0] == ("deny" if speaks else "preview")


RULES = ["deny", "ask", "preview", "allow"]


@pytest.mark.parametrize(("strict", "mild"), list(itertools.combinations(RULES, 2)))
def test_deny_beats_ask_beats_preview_beats_allow_whatever_comes_first(strict: str, mild: str):
    assert ruled({"send": strict, "s*": mild}) == (strict, f'"send" = {strict}')
    assert ruled({"s*": mild, "send": strict}) == (strict, f'"send" = {strict}')


def test_of_two_lines_that_say_the_same_the_first_is_named():
    assert ruled({"s*": "ask", "send": "ask"}) == ("ask", '"s*" = ask')


def test_a_line_without_a_rule_says_nothing_of_the_rule():
    assert ruled({"default": "ask", "send": {"effect": "reads"}}) == ("ask", "default = ask")


# Conditions


def condition(test: dict[str, Any], rule: str = "deny") -> dict[str, Any]:
    return {"send": {"rule": "allow", "when": [{"argument": "to", "rule": rule, **test}]}}


TESTS: list[tuple[dict[str, Any], Any, bool]] = [
    ({"equals": "a"}, "a", True),
    ({"equals": "a"}, "A", False),
    ({"equals": 1}, 1, True),
    ({"equals": 1}, True, False),
    ({"equals": 1}, 1.0, False),
    ({"equals": True}, 1, False),
    ({"equals": None}, None, True),
    ({"equals": None}, 0, False),
    ({"equals": {"a": 1, "b": 2}}, {"b": 2, "a": 1}, True),
    ({"matches": "*@corp.example"}, "x@corp.example", True),
    ({"matches": "*@corp.example"}, "x@corp.example.evil", False),
    ({"matches": "*@corp.example"}, "X@CORP.EXAMPLE", False),
    ({"matches": "a*"}, "a\nb", True),
    ({"regex": "ev[i1]l"}, "an evl evi1 evil", True),
    ({"regex": "^evil"}, "an evil", False),
    ({"regex": ""}, "anything", True),
    ({"above": 10}, 10.5, True),
    ({"above": 10}, 10, False),
    ({"above": 10}, 11, True),
    ({"above": 0}, 0.1, True),
    ({"below": 10}, 9.99, True),
    ({"below": 10}, 10, False),
    ({"below": 0}, -1, True),
    ({"below": 0}, 0, False),
    ({"absent": True}, "here", False),
    ({"absent": True}, None, False),
]


@pytest.mark.parametrize(("test", "value", "holds"), TESTS)
def test_a_condition_holds_for_the_arguments_that_it_names(test: dict[str, Any], value: Any, holds: bool):
    expected = ("deny", '"send" when to = deny') if holds else ("allow", '"send" = allow')
    assert ruled(condition(test), to=value) == expected


@pytest.mark.parametrize(
    "test",
    [{"equals": None}, {"matches": "*"}, {"regex": ""}, {"above": -1}, {"below": 1}, {"outside": "/nowhere"}],
)
def test_a_condition_on_an_argument_that_is_not_given_does_not_hold(test: dict[str, Any]):
    assert ruled(condition(test), other=0) == ("allow", '"send" = allow')


def test_an_argument_can_be_forbidden_to_be_left_out():
    assert ruled(condition({"absent": True}), other=1) == ("deny", '"send" when to = deny')


def test_an_argument_can_be_forbidden_to_be_given():
    assert ruled(condition({"absent": False}), to="x") == ("deny", '"send" when to = deny')
    assert ruled(condition({"absent": False}), other="x") == ("allow", '"send" = allow')


UNTESTABLE: list[tuple[dict[str, Any], Any]] = [
    ({"matches": "*"}, 5),
    ({"matches": "*"}, ["a"]),
    ({"regex": "a"}, None),
    ({"regex": "a"}, {"a": "a"}),
    ({"above": 5}, "6"),
    ({"above": 5}, True),
    ({"below": 5}, None),
    ({"below": 5}, [1]),
    ({"outside": "/nowhere"}, ["/etc/passwd"]),
    ({"outside": "/nowhere"}, 7),
]


@pytest.mark.parametrize(("test", "value"), UNTESTABLE)
def test_an_argument_that_cannot_be_tested_closes_doors_and_opens_none(test: dict[str, Any], value: Any):
    """A list where a text was expected must not slip past a `deny`, nor through an `allow`."""
    for rule in ("deny", "ask"):
        assert ruled(condition(test, rule), to=value) == (rule, f'"send" when to = {rule}')
    for rule in ("preview", "allow"):
        lines = {"send": {"when": [{"argument": "to", "rule": rule, **test}]}}
        assert ruled({"default": "preview", **lines}, to=value) == ("preview", "default = preview")


def test_whether_a_condition_could_be_tested_is_told_apart_from_whether_it_holds():
    above = Condition(argument="n", rule="ask", above=3)
    assert [above.holds(call("t", n=n)) for n in (4, 3, "4")] == [True, False, None]
    assert above.holds(call("t")) is False


def test_conditions_add_to_the_rule_of_their_line_and_the_strictest_wins():
    lines = {
        "send": {
            "rule": "preview",
            "when": [
                {"argument": "to", "rule": "allow", "equals": "me"},
                {"argument": "size", "rule": "ask", "above": 10},
                {"argument": "to", "rule": "deny", "equals": "press"},
            ],
        }
    }
    assert ruled(lines, to="me", size=1) == ("preview", '"send" = preview')
    assert ruled(lines, to="me", size=11) == ("ask", '"send" when size = ask')
    assert ruled(lines, to="press", size=11) == ("deny", '"send" when to = deny')


def test_conditions_without_a_rule_open_one_door_and_leave_the_default_in_front_of_the_others():
    lines = {"default": "deny", "send": {"when": [{"argument": "to", "rule": "allow", "equals": "me"}]}}
    assert ruled(lines, to="me") == ("allow", '"send" when to = allow')
    assert ruled(lines, to="you") == ("deny", "default = deny")


@pytest.mark.parametrize(
    ("path", "arguments", "holds"),
    [
        ("to.address", {"to": {"address": "x"}}, True),
        ("to.0.address", {"to": [{"address": "x"}]}, True),
        ("to.1.address", {"to": [{"address": "x"}]}, False),
        ("to.1", {"to": ["y", "x"]}, True),
        ("to.-1", {"to": ["y", "x"]}, False),
        ("to.²", {"to": ["y", "x", "x"]}, False),
        ("to.address", {"to.address": "x"}, True),
        ("to.address", {"to.address": "y", "to": {"address": "x"}}, False),
        ("to.address.x", {"to": {"address": "x"}}, False),
        ("to", {"to": {"address": "x"}}, False),
        ("", {"": "x"}, True),
    ],
)
def test_a_dotted_path_reaches_inside_objects_and_lists(path: str, arguments: dict[str, Any], holds: bool):
    test = Condition(argument=path, rule="deny", equals="x")
    assert test.holds(call("t", **arguments)) is holds


@pytest.mark.parametrize(
    "tests",
    [{}, {"equals": 1, "above": 0}, {"matches": "a", "regex": "a"}, {"above": 0, "below": 1}],
)
def test_a_condition_holds_exactly_one_test(tests: dict[str, Any]):
    with pytest.raises(ValidationError, match="holds exactly one of equals, matches, regex, above, below, outside"):
        Condition(argument="a", rule="deny", **tests)


def test_a_condition_with_no_test_says_so_and_one_with_two_names_them():
    with pytest.raises(ConfigError, match="this one holds none"):
        policy(t={"when": [{"argument": "a", "rule": "deny"}]})
    with pytest.raises(ConfigError, match=r"this one holds \['equals', 'above'\]"):
        policy(t={"when": [{"argument": "a", "rule": "deny", "equals": 1, "above": 0}]})


def test_a_regular_expression_that_cannot_be_read_is_refused_when_the_policy_is_read():
    with pytest.raises(ConfigError, match=r"'\[' is not a regular expression: unterminated character set"):
        policy(t={"when": [{"argument": "a", "rule": "deny", "regex": "["}]})


def test_a_policy_with_conditions_is_the_same_after_json():
    one = policy(t={"when": [{"argument": "a", "rule": "deny", "equals": None}]})
    assert Policy.model_validate_json(one.model_dump_json()) == one


# Paths


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (tmp_path / "project-old").mkdir()
    (root / "away").symlink_to(tmp_path)
    (root / "loop").symlink_to(root / "loop")
    (root / "home").symlink_to(root / "src")
    return root


@pytest.mark.parametrize(
    ("path", "leaves"),
    [
        ("", False),
        (".", False),
        ("src", False),
        ("src/new/deep.txt", False),
        ("src/../src/./a", False),
        ("{root}", False),
        ("{root}/src", False),
        ("{root}/", False),
        ("home/a", False),
        ("..", True),
        ("src/../..", True),
        ("../project-old", True),
        ("{root}-old/x", True),
        ("{root}/../project-old", True),
        ("/", True),
        ("/etc/passwd", True),
        ("~", True),
        ("~/.ssh/id", True),
        ("away", True),
        ("away/x", True),
        ("away/project/src", False),
        ("home/../..", True),
        ("src/nothing/../../..", True),
    ],
)
def test_a_path_that_leaves_the_directory_is_seen_through_dots_and_links(project: Path, path: str, leaves: bool):
    test = Condition(argument="path", rule="deny", outside=str(project))
    assert test.holds(call("write", path=path.format(root=project))) is leaves


def test_a_relative_directory_means_the_one_we_are_in(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(project)
    test = Condition(argument="path", rule="deny", outside="src")
    assert test.holds(call("write", path="a")) is False
    assert test.holds(call("write", path=str(project / "src" / "a"))) is False
    assert test.holds(call("write", path="../a")) is True


def test_a_tilde_is_the_home_of_whoever_runs_this(monkeypatch: pytest.MonkeyPatch, project: Path):
    monkeypatch.setenv("HOME", str(project))
    assert Condition(argument="path", rule="deny", outside="~/src").holds(call("write", path="~/src/a")) is False
    assert Condition(argument="path", rule="deny", outside="~/src").holds(call("write", path="~/a")) is True


def test_nothing_lies_outside_the_root_of_all_directories():
    assert Condition(argument="path", rule="deny", outside="/").holds(call("write", path="/etc/passwd")) is False


@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
def test_a_text_that_can_be_no_path_cannot_be_tested(project: Path, path: str):
    test = Condition(argument="path", rule="deny", outside=str(project))
    assert test.holds(call("write", path=path)) is None


# Allowed by spelling


def allowing(**test: Any) -> dict[str, Any]:
    return {"when": [{"argument": "command", "rule": "allow", **test}]}


@pytest.mark.parametrize(
    ("lines", "textual"),
    [
        ({"shell": allowing(matches="git *")}, True),
        ({"shell": allowing(regex="^git ")}, True),
        ({"shell": allowing(equals="git status")}, False),
        ({"shell": "allow"}, False),
        ({"default": "allow"}, False),
        ({"shell": allowing(matches="git *"), "sh*": "allow"}, False),
        ({"shell": allowing(matches="git *"), "sh*": allowing(equals="git status")}, False),
        ({"shell": allowing(matches="git *"), "sh*": allowing(regex="git")}, True),
    ],
)
def test_what_is_allowed_only_by_its_spelling_is_marked(lines: dict[str, Any], textual: bool):
    ruling = Policy.read(lines, "the policy").rule_on(call("shell", command="git status"), None)
    assert (ruling.rule, ruling.textual) == ("allow", textual)


@pytest.mark.parametrize(
    ("test", "textual"),
    [
        ({"equals": 1}, False),
        ({"matches": "a"}, True),
        ({"regex": "a"}, True),
        ({"above": 1}, False),
        ({"below": 1}, False),
        ({"outside": "/"}, False),
        ({"absent": True}, False),
    ],
)
def test_only_globs_and_regular_expressions_look_at_spelling(test: dict[str, Any], textual: bool):
    assert Condition(argument="a", rule="allow", **test).textual is textual


# Effects


@pytest.mark.parametrize(
    "name",
    [
        "delete_file",
        "file_delete",
        "deleteFile",
        "DeleteFile",
        "fileDelete",
        "rm",
        "fs.rm",
        "git-reset",
        "DROP",
        "mcp__db__truncate",
        "table/drop",
        "v2Wipe",
        "format disk",
        "users:purge",
        "erase",
        "kill",
        "destroy",
        "remove",
        "revoke",
        "shred",
        "terminate",
        "uninstall",
        "unlink",
        "wipe",
        "a_drop_b",
        "HTMLDelete",
        "DBDropTable",
    ],
)
def test_a_destructive_word_in_a_name_makes_an_unknown_tool_one_that_destroys(name: str):
    assert Policy().effect_of(name, None) == "destroys"
    assert Policy().effect_of(name, Tool(name=name)) == "destroys"


@pytest.mark.parametrize("name", ["reformat", "alarm", "undeleted", "killer", "information", "dropdown", "armory", "x"])
def test_a_word_inside_another_word_is_not_that_word(name: str):
    assert Policy().effect_of(name, None) == "unknown"


@pytest.mark.parametrize("declared", ["reads", "changes", "destroys"])
def test_a_name_neither_raises_nor_lowers_what_a_tool_declares(declared: ToolEffect):
    assert Policy().effect_of("delete_file", Tool(name="delete_file", effect=declared)) == declared
    assert Policy().effect_of("read_file", Tool(name="read_file", effect=declared)) == declared


def test_a_harmless_name_lowers_nothing():
    assert Policy().effect_of("read_file", Tool(name="read_file")) == "unknown"


@pytest.mark.parametrize("said", ["reads", "changes", "destroys", "unknown"])
@pytest.mark.parametrize("declared", ["reads", "changes", "destroys", "unknown"])
def test_the_users_word_on_an_effect_counts_before_the_tools(said: str, declared: ToolEffect):
    rules = policy(delete_file={"effect": said})
    assert rules.effect_of("delete_file", Tool(name="delete_file", effect=declared)) == said


@pytest.mark.parametrize(
    ("one", "other", "effect"),
    [
        ("reads", "unknown", "unknown"),
        ("unknown", "changes", "changes"),
        ("destroys", "changes", "destroys"),
        ("reads", "destroys", "destroys"),
    ],
)
def test_of_two_words_of_the_user_the_more_cautious_counts(one: str, other: str, effect: str):
    assert policy(**{"s*": {"effect": one}, "send": {"effect": other}}).effect_of("send", None) == effect
    assert policy(**{"s*": {"effect": other}, "send": {"effect": one}}).effect_of("send", None) == effect


def test_a_ruling_carries_the_effect():
    rules = policy(send={"effect": "destroys"})
    assert rules.rule_on(call("send"), Tool(name="send", effect="reads")).effect == "destroys"
    assert rules.rule_on(call("other"), Tool(name="other", effect="reads")).effect == "reads"
    assert rules.rule_on(call("wipe_all"), None).effect == "destroys"


# What happens when the world fails


@pytest.mark.parametrize(
    ("lines", "on_failure"),
    [
        ({}, None),
        ({"send": "allow"}, None),
        ({"send": {"on_failure": "run"}}, "run"),
        ({"send": {"on_failure": "hold"}}, "hold"),
        ({"send": {"on_failure": "run"}, "s*": {"on_failure": "hold"}}, "hold"),
        ({"send": {"on_failure": "hold"}, "s*": {"on_failure": "run"}}, "hold"),
        ({"send": {"on_failure": "run"}, "s*": {"on_failure": "run"}, "*": "preview"}, "run"),
        ({"other": {"on_failure": "hold"}}, None),
    ],
)
def test_to_hold_beats_to_run_when_the_world_fails(lines: dict[str, Any], on_failure: str | None):
    assert Policy.read(lines, "the policy").rule_on(call("send"), None).on_failure == on_failure


# Dry-run flags


def test_a_tools_own_dry_run_argument_is_found_by_the_first_line_that_declares_one():
    rules = policy(
        **{"deploy*": "ask", "deploy_x": {"dry_run": {"argument": "plan"}}, "*": {"dry_run": {"argument": "n"}}}
    )
    assert rules.dry_run_of("deploy_x") == DryRunFlag(argument="plan", value=True)
    assert rules.dry_run_of("other") == DryRunFlag(argument="n", value=True)
    assert policy().dry_run_of("deploy_x") is None


# Reading


def test_short_and_long_forms_mean_the_same():
    short = policy(**{"delete_*": "deny", "read_*": "allow"})
    long = policy(tools={"delete_*": {"rule": "deny"}, "read_*": {"rule": "allow"}})
    assert short == long == Policy(tools={"delete_*": Line(rule="deny"), "read_*": Line(rule="allow")})
    assert short.digest == long.digest


def test_lines_may_stand_beside_the_fields_and_under_tools_at_once():
    rules = policy(default="deny", tools={"a": "allow"}, b="ask", swap=True, approval_seconds=5)
    assert rules == Policy(
        default="deny", tools={"a": Line(rule="allow"), "b": Line(rule="ask")}, swap=True, approval_seconds=5
    )


@pytest.mark.parametrize(
    ("given_", "key"),
    [
        ({"default": "maybe"}, "default"),
        ({"delete_*": "never"}, r"tools.delete_\*.rule"),
        ({"delete_*": {"rul": "deny"}}, r"tools.delete_\*.rul"),
        ({"delete_*": {"effect": "harmless"}}, r"tools.delete_\*.effect"),
        ({"delete_*": True}, r"tools.delete_\*"),
        ({"aproval_seconds": 5}, "aproval_seconds"),
        ({"approval_seconds": 0}, "approval_seconds"),
        ({"trust": {"vetoes": 0.5}}, "trust.vetoes"),
        ({"trust": {"veto": 1.5}}, "trust.veto"),
        ({"trust": {"swap": -0.1}}, "trust.swap"),
        ({"trust": {"depth": 2}}, "trust.depth"),
        ({"t": {"when": [{"argument": "a", "rule": "deny", "equal": 1}]}}, "tools.t.when.0.equal"),
        ({"t": {"when": [{"argument": "a", "equals": 1}]}}, "tools.t.when.0.rule"),
        ({"t": {"dry_run": {"arg": "n"}}}, "tools.t.dry_run.arg"),
        ({"t": {"on_failure": "explode"}}, "tools.t.on_failure"),
    ],
)
def test_what_is_not_understood_is_an_error_that_names_the_key(given_: dict[str, Any], key: str):
    with pytest.raises(ConfigError, match=rf"^the file cannot be understood\.\n(.*\n)*  {key}: "):
        Policy.read(given_, "the file")


def test_tools_that_are_no_table_are_an_error_too():
    with pytest.raises(ConfigError, match="tools: 'deny' is no table"):
        Policy.read({"tools": "deny"}, "the file")


@pytest.mark.parametrize("key", ["defualt", "Default", "approval-seconds", "tool", "trusts"])
def test_what_is_nearly_a_setting_is_no_pattern(key: str):
    with pytest.raises(ConfigError, match=rf"{key}: there is no such setting; did you mean .*goes under tools"):
        Policy.read({key: "deny"}, "the file")
    assert Policy.read({"tools": {key: "deny"}}, "the file").tools == {key: Line(rule="deny")}


@pytest.mark.parametrize(
    "given_",
    [
        {"send": "allow", "tools": {"send": "deny"}},
        {"tools": {"send": "deny"}, "send": "allow"},
        {"send": "deny", "tools": {"send": "allow"}},
        {"tools": {"send": "allow"}, "send": "deny"},
        {"send": "deny", "tools": {"other": "ask", "send": "deny"}},
    ],
)
def test_a_pattern_that_is_said_twice_is_an_error_whichever_comes_first(given_: dict[str, Any]):
    with pytest.raises(ConfigError, match="\n  send: it is said twice, beside tools and under tools; say it once"):
        Policy.read(given_, "the file")


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({"x": "dney"}, "tools.x.rule: 'dney' is none of allow, preview, ask, deny; did you mean 'deny'?"),
        ({"x": "no"}, "tools.x.rule: 'no' is none of allow, preview, ask, deny"),
        (
            {"x": {"rul": "deny"}},
            "tools.x.rul: there is no such setting; known are effect, rule, when, dry_run, on_failure; "
            "did you mean 'rule'?",
        ),
        ({"trust": {"vetoes": 1}}, "trust.vetoes: there is no such setting; known are veto, swap, depth; did you mean"),
        ({"t": {"when": [{"argument": "a", "rule": "deny", "equal": 1}]}}, "did you mean 'equals'?"),
        ({"t": {"when": [{"argument": "a", "equals": 1}]}}, "tools.t.when.0.rule: it is missing"),
        ({"t": {"when": [{"argument": "a", "rule": "deny"}]}}, "tools.t.when.0: a condition holds exactly one of"),
        ({"t": {"when": {"argument": "a"}}}, "tools.t.when: {'argument': 'a'} is no list"),
        ({"approval_seconds": "soon"}, "approval_seconds: 'soon' is no number"),
        ({"approval_seconds": 0}, "approval_seconds: 0 is not more than 0"),
        ({"trust": {"veto": 2}}, "trust.veto: 2 is not at most 1"),
        ({"trust": {"veto": -1}}, "trust.veto: -1 is not at least 0"),
        ({"trust": 5}, "trust: 5 is no table"),
        ({"swap": "deny"}, "swap: 'deny' is neither true nor false"),
        ({"x": True}, 'tools.x: True is no rule; write allow, preview, ask, deny, or a table such as {"rule": "ask"}'),
        ({"x": "y" * 200}, f"tools.x.rule: '{'y' * 59}… is none of"),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(given_: dict[str, Any], says: str):
    with pytest.raises(ConfigError, match=re.escape(says)):
        Policy.read(given_, "the file")


def test_a_long_list_of_errors_is_cut_at_six():
    with pytest.raises(ConfigError) as caught:
        Policy.read({f"tool_{n}": "never" for n in range(9)}, "the file")
    assert len(str(caught.value).splitlines()) == 7


def test_the_digest_of_a_policy_changes_with_anything_in_it():
    policies = [
        Policy(),
        policy(default="ask"),
        policy(a="ask"),
        policy(b="ask"),
        policy(a={"effect": "reads"}),
        policy(approval_seconds=1),
        policy(swap=True),
        policy(trust={"veto": 0.1}),
        policy(trust={"swap": 0.1}),
        policy(trust={"depth": 0.1}),
    ]
    assert len({one.digest for one in policies}) == len(policies)
    assert json.loads(Policy().model_dump_json())["default"] == "preview"


def test_what_a_user_gets_who_says_nothing():
    assert Policy() == Policy(default="preview", tools={}, approval_seconds=600.0, swap=False, trust=Trust())
    assert Trust() == Trust(veto=0.7, swap=0.8, depth=0.6)
    assert Ruling(rule="ask", line="l", effect="reads") == Ruling(
        rule="ask", line="l", effect="reads", on_failure=None, textual=False
    )


RULE = st.sampled_from(RULES)
PATTERN = st.sampled_from(["send", "s*", "*", "se?d", "other", "[!s]*"])


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(PATTERN, RULE), RULE)
def test_one_more_line_never_opens_what_another_line_closed(lines: dict[str, str], default: str):
    order = RULES[::-1]
    rules = Policy.read({**lines, "default": default}, "the policy")
    now = rules.rule_on(call("send"), None)
    for pattern in ("send", "*"):
        for rule in RULES:
            if pattern not in lines:
                more = Policy.read({**lines, pattern: rule, "default": default}, "the policy").rule_on(
                    call("send"), None
                )
                spoken = now.line.startswith('"')
                expected = max(now.rule, rule, key=order.index) if spoken else rule
                assert more.rule == expected


def test_the_directory_of_a_condition_may_be_a_link_itself(tmp_path: Path):
    (tmp_path / "real").mkdir()
    os.symlink(tmp_path / "real", tmp_path / "link")
    test = Condition(argument="path", rule="deny", outside=str(tmp_path / "link"))
    assert test.holds(call("write", path="a")) is False
    assert test.holds(call("write", path=str(tmp_path / "real" / "a"))) is False
    assert test.holds(call("write", path=str(tmp_path / "a"))) is True
