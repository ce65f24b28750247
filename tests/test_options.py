"""What `with_lookahead` was told and cannot be meant: one plain error each, before anything is opened."""

import functools
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from lookahead import Beam, BestOf, Budget, Preview, Refused, Tree, with_lookahead
from lookahead.errors import ConfigError, UnsupportedAgent
from lookahead.journal import Journal
from lookahead.options import check, check_rivals, unused
from lookahead.policy import Policy
from lookahead.testing import ScriptedCritic, ScriptedProposer, ScriptedWorld, Yes
from lookahead.types import Action, Observation, Rollout, State, Tool, Verdict


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def journal() -> Iterator[Journal]:
    with Journal(":memory:") as opened:
        yield opened


def send(to: str, amount: int = 0) -> str:
    """Send."""
    return f"sent to {to}"


def drop_table(name: str) -> str:
    """Drop."""
    return f"dropped {name}"


TOOLS = [send, drop_table]


async def world(state: State, action: Action) -> Observation:
    return Observation()


async def critic(state: State, rollout: Rollout) -> Verdict:
    return Verdict(score=1.0)


async def propose(state: State, n: int) -> Sequence[Action]:
    return []


def blocking_world(state: State, action: Action) -> Observation:
    return Observation()


async def no_world() -> Observation:
    return Observation()


async def wide_world(state: State, action: Action, more: int) -> Observation:
    return Observation()


class Callable:
    """Async, and takes what a world takes."""

    async def __call__(self, state: State, action: Action, /) -> Observation:
        return Observation()


class Blocking:
    def __call__(self, state: State, action: Action, /) -> Observation:
        return Observation()


@functools.wraps(world)
def decorated(*args: Any) -> Any:
    return world(*args)


class Uncounted:
    """A search that does not say what it costs."""

    async def __call__(self, thinking: Any, state: State, proposed: Action, /) -> Sequence[Any]:
        return []


# Arguments of the wrong kind


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"goal": 5}, r'^goal=5 is no text\. It is what the agent is to achieve: goal="tidy the folder"$'),
        ({"mode": "shadwo"}, "^mode='shadwo' is none of guard, shadow, dry-run, off; did you mean 'shadow'\\?$"),
        ({"mode": ""}, "^mode='' is none of guard, shadow, dry-run, off$"),
        ({"mode": False}, "^mode=False is none of"),
        ({"mode": ["guard"]}, r"^mode=\['guard'\] is none of"),
        ({"world": 7}, '^world=7 cannot be called. It is an Environment, .*world="directory:."$'),
        ({"world": Path("x")}, r"^world=PosixPath\('x'\) cannot be called"),
        ({"world": blocking_world}, "^world=<function blocking_world at .* is not async"),
        ({"world": Blocking()}, "is not async. It is an Environment"),
        ({"world": no_world}, "^world=<function no_world at .* does not take a state and an action"),
        ({"world": wide_world}, "does not take a state and an action"),
        ({"world": Callable}, r"^world=Callable is a class; give an instance, Callable\(…\)"),
        ({"critic": "rules"}, "^critic='rules' cannot be called. It is a Critic, "),
        ({"critic": True}, "^critic=True cannot be called"),
        ({"critic": ScriptedCritic}, "^critic=ScriptedCritic is a class"),
        ({"critic": no_world}, "does not take a state and a rollout"),
        ({"search": "beam"}, "^search='beam' cannot be called. It is a search: search=BestOf"),
        ({"search": BestOf}, r"^search=BestOf is a class; give an instance, BestOf\(…\)"),
        ({"search": world}, "does not take its thinking and a state and an action"),
        ({"search": Uncounted()}, "does not say how many calls it makes"),
        ({"search": 0}, "^search=0 cannot be called"),
        ({"approve": "yes"}, "^approve='yes' cannot be called. It is a function, async or not, that answers True"),
        ({"approve": True}, "^approve=True cannot be called"),
        ({"approve": False}, "^approve=False cannot be called"),
        ({"approve": Yes}, "^approve=Yes is a class"),
        ({"approve": lambda: True}, "does not take a request"),
        ({"journal": 5}, '^journal=5 is no journal. It is a Journal or the path of one: journal="agent.db"$'),
        ({"journal": ""}, "^journal='' is no journal"),
        ({"journal": False}, "^journal=False is no journal"),
        ({"journal": Journal}, "is no journal"),
        ({"policy": 5}, "^policy=5 is no policy"),
        ({"policy": ["deny"]}, r"^policy=\['deny'\] is no policy"),
        ({"policy": "deny"}, r"A rule\? Write policy={'\*': 'deny'}"),
        ({"budget": "x"}, "'x' is no budget"),
        ({"budget": True}, "True is no budget"),
        ({"budget": 0}, "0 is not more than 0"),
    ],
)
def test_an_argument_of_the_wrong_kind_is_one_error_and_nothing_was_opened(
    tmp_path: Path, options: dict[str, Any], says: str
):
    with pytest.raises(ConfigError, match=says):
        with_lookahead(send, **options)
    assert not (tmp_path / ".lookahead").exists()


@pytest.mark.parametrize(
    "options",
    [
        *({"world": one} for one in (None, "none", world, Callable(), decorated, functools.partial(world))),
        {"world": ScriptedWorld(script={})},
        *({"critic": one} for one in (None, critic, ScriptedCritic())),
        *({"search": one} for one in (None, Preview(), BestOf(), Beam(), Tree())),
        *({"approve": one} for one in (None, Yes(), lambda request: True, print)),
        *({"journal": one} for one in (None, "j.db", Path("j.db"), ":memory:")),
        *({"mode": one} for one in (None, "guard", "shadow", "dry-run", "off")),
        *({"goal": one} for one in (None, "", "tidy")),
    ],
)
def test_what_can_be_meant_is_taken(options: dict[str, Any]):
    nothing = dict.fromkeys(("goal", "world", "critic", "search", "mode", "journal", "approve"))
    check(**{**nothing, **options})


def test_a_wrong_argument_is_said_also_where_lookahead_is_off():
    with pytest.raises(ConfigError, match="critic"):
        with_lookahead(send, mode="off", critic="rules")  # type: ignore[arg-type]
    with pytest.raises(UnsupportedAgent):
        with_lookahead(object())


def test_a_bare_number_is_the_seconds_of_each_decision(journal: Journal):
    made = with_lookahead(send, world="none", journal=journal, budget=5)
    assert made.lookahead.line.meter.budget == Budget(seconds=5)  # type: ignore[attr-defined]


def test_a_budget_of_seconds_ends_a_decision_that_takes_longer(journal: Journal):
    async def never(state: State, action: Action) -> Observation:
        await anyio.sleep_forever()
        raise AssertionError

    guarded = with_lookahead(drop_table, world=never, journal=journal, budget=0.05)
    with pytest.raises(Refused) as caught:
        guarded("users")
    assert "the decision's budget of 0.05 seconds ended" in caught.value.decision.notes


def test_what_fails_while_wrapping_leaves_no_journal_open(monkeypatch: pytest.MonkeyPatch):
    closed: list[str] = []
    close = Journal.close
    monkeypatch.setattr(Journal, "close", lambda self: (closed.append(self.path), close(self)))  # type: ignore[misc]
    with pytest.raises(ConfigError, match="names no world"):
        with_lookahead(send, world="moon", journal=":memory:")
    assert len(closed) == 1


# Searches among rivals


@pytest.mark.parametrize(
    ("search", "says"),
    [
        (BestOf(k=3), r"search=BestOf\(k=3\) has nobody .* write BestOf\(k=3, propose=my_proposer\)"),
        (Beam(2), r"search=Beam\(width=2\) has nobody .* write Beam\(width=2, propose=my_proposer\)"),
        (Tree(), r"search=Tree\(k=3\) has nobody .* write Tree\(k=3, propose=my_proposer\)"),
    ],
)
def test_a_search_among_rivals_needs_somebody_who_thinks_of_them(search: Any, says: str, journal: Journal):
    with pytest.raises(ConfigError, match=says):
        with_lookahead(TOOLS, world="none", journal=journal, search=search)
    assert journal.runs() == []
    check_rivals(search, proposed_by_agent=True)


@pytest.mark.parametrize("search", [Preview(), BestOf(1, 2), Beam(1), Tree(1), Uncounted(), BestOf(3, propose=propose)])
def test_a_search_that_needs_nobody_else_is_taken(search: Any):
    check_rivals(search, proposed_by_agent=False)


def test_a_search_with_its_own_proposer_wraps(journal: Journal):
    search = BestOf(2, propose=ScriptedProposer([]))
    made = with_lookahead(send, world="none", journal=journal, search=search)
    assert made.lookahead.line.planner.search is search  # type: ignore[attr-defined]


# Lines of the policy that hold for nothing


def wrap(policy: dict[str, Any], journal: Journal) -> None:
    with_lookahead(TOOLS, world="none", journal=journal, policy=policy)


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (
            {"drp_table": "deny"},
            "the policy speaks of 'drp_table', and no tool is called so; did you mean 'drop_table'?",
        ),
        ({"Send": "ask"}, "did you mean 'send'?"),
        ({"drop-table": "deny"}, "did you mean 'drop_table'?"),
        ({" send": "deny"}, "did you mean 'send'?"),
        ({"send,drop_table": "deny"}, "write one line for each tool"),
        ({"send | nothing": "deny"}, "write one line for each tool"),
        ({"sned": {"effect": "destroys"}}, "did you mean 'send'?"),
        ({"sned": {"on_failure": "hold"}}, "did you mean 'send'?"),
        ({"sned": {"when": [{"argument": "to", "equals": "x", "rule": "ask"}]}}, "did you mean 'send'?"),
        (
            {"send": {"when": [{"argument": "amuont", "above": 5, "rule": "deny"}]}},
            "'send' has a rule on 'amuont', which is no argument of it: it has amount, to; did you mean 'amount'?",
        ),
    ],
)
def test_a_misspelt_tool_or_argument_is_an_error_because_its_rule_would_be_missing(
    policy: dict[str, Any], says: str, journal: Journal
):
    with pytest.raises(ConfigError) as caught:
        wrap(policy, journal)
    assert says in str(caught.value)
    assert journal.runs() == []


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ({"launch": "deny"}, "'launch' is the name of no tool"),
        ({"delete_*": "deny"}, "'delete_*' is the name of no tool"),
        ({"Sen?": "deny"}, "'Sen?' is the name of no tool"),
        ({"sned": "allow"}, "'sned' is the name of no tool; did you mean 'send'?"),
        ({"send": "ask", "sends": "deny"}, "'sends' is the name of no tool"),
        (
            {"send": {"when": [{"argument": "currency", "equals": "x", "rule": "deny"}]}},
            "'send' has a rule on 'currency', which is no argument of it: it has amount, to",
        ),
        ({"d*": {"when": [{"argument": "nam", "absent": True, "rule": "allow"}]}}, "it has name; did you mean 'name'?"),
    ],
)
def test_a_line_that_holds_for_nothing_here_is_worth_a_word(
    policy: dict[str, Any], says: str, journal: Journal, caplog: pytest.LogCaptureFixture
):
    wrap(policy, journal)
    [record] = caplog.records
    assert (record.name, record.levelno) == ("lookahead", logging.WARNING)
    assert record.getMessage() == f"not everything that the policy says can hold for this agent: {record.args[0]}"  # type: ignore[index]
    assert says in record.getMessage()


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"send": "deny", "drop_*": "ask", "*": "preview"},
        {"*": {"when": [{"argument": "amount", "above": 5, "rule": "deny"}]}},
        {"send": {"when": [{"argument": "to.0.address", "equals": "x", "rule": "deny"}]}},
    ],
)
def test_of_lines_that_hold_nothing_is_said(policy: dict[str, Any], journal: Journal, caplog: pytest.LogCaptureFixture):
    wrap(policy, journal)
    assert not caplog.records


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"type": "object", "properties": {"a": {}}, "additionalProperties": True},
        {"$ref": "#/$defs/x"},
    ],
)
def test_a_tool_that_may_take_more_than_it_lists_may_take_any_argument(parameters: dict[str, Any]):
    rules = Policy.read({"t": {"when": [{"argument": "b", "equals": 1, "rule": "deny"}]}}, "the policy")
    assert unused(rules, [Tool(name="t", parameters=parameters)], all_known=True) == []


def test_where_not_all_tools_are_known_a_misspelt_one_is_only_worth_a_word():
    rules = Policy.read({"sned": "deny"}, "the policy")
    assert unused(rules, [Tool(name="send")], all_known=False) == [
        "'sned' is the name of no tool; did you mean 'send'?"
    ]


def test_an_environment_whose_tools_nobody_knows_is_taken_at_its_word(
    journal: Journal, caplog: pytest.LogCaptureFixture
):
    with_lookahead(world, world="none", journal=journal, policy={"sned": "deny"})
    assert not caplog.records


def test_a_policy_file_may_be_shared_by_agents_with_other_tools(
    tmp_path: Path, journal: Journal, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "lookahead.toml").write_text('[policy]\nsned = "deny"\n')
    wrap(tmp_path / "lookahead.toml", journal)
    assert "did you mean 'send'?" in caplog.text
