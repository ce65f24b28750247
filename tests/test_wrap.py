"""`with_lookahead`: what it takes, where the rest comes from, and what it says to what it does not know."""

import functools
import inspect
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from lookahead import Budget, Preview, Refused, with_lookahead
from lookahead import wrap as module
from lookahead.approval import terminal
from lookahead.budget import Forecast
from lookahead.critics import RuleCritic
from lookahead.errors import ConfigError, UnsupportedAgent
from lookahead.journal import Journal
from lookahead.policy import Line, Policy
from lookahead.search import BestOf
from lookahead.session import Off, Session
from lookahead.testing import RecordedCalls, ScriptedCritic, ScriptedProposer, ScriptedWorld, Yes, call
from lookahead.types import Cost, Hazard, State
from lookahead.wrap import Options

OPEN: list[Journal] = []


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A project of its own for each test, in which nothing is configured."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("CONFIG", "WORLD", "MODE", "JOURNAL", "GOAL", "POLICY"):
        monkeypatch.delenv(f"LOOKAHEAD_{name}", raising=False)
    yield
    while OPEN:
        OPEN.pop().close()


def write(path: str) -> str:
    """Write."""
    return f"wrote {path}"


def wrapped(agent: Any = write, **options: Any) -> Session:
    made = with_lookahead(agent, **{"world": "none", **options}).lookahead
    OPEN.append(made.journal)
    return made


# Where what is not given comes from


def test_who_says_nothing_gets_the_guard_a_preview_and_a_journal_in_the_project(tmp_path: Path):
    made = wrapped()
    line = made.line
    assert line.mode == "guard"
    assert line.planner.search == Preview()
    assert line.guard.policy == Policy()
    assert line.meter.budget == Budget()
    assert line.approve is None
    assert made.state.goal == ""
    assert (tmp_path / ".lookahead" / "journal.db").is_file()


def test_the_file_of_the_project_fills_in_what_is_not_given(tmp_path: Path):
    (tmp_path / "lookahead.toml").write_text(
        'mode = "dry-run"\ngoal = "tidy"\njournal = "j.db"\nworld = "none"\n'
        '[budget]\ncalls = 3\n[policy]\nwrite = "deny"'
    )
    made = wrapped(world="auto")
    assert (made.line.mode, made.state.goal, made.line.meter.budget.calls) == ("dry-run", "tidy", 3)
    assert made.line.guard.policy.tools == {"write": Line(rule="deny")}
    assert made.line.planner.imagine is None
    assert (tmp_path / "j.db").is_file()


def test_arguments_win_over_variables_and_variables_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "lookahead.toml").write_text('goal = "file"\nmode = "shadow"')
    monkeypatch.setenv("LOOKAHEAD_GOAL", "variable")
    assert wrapped().state.goal == "variable"
    assert wrapped().line.mode == "shadow"
    assert wrapped(goal="argument", mode="guard").state.goal == "argument"
    assert wrapped(goal="").state.goal == ""
    assert wrapped(mode="guard").line.mode == "guard"


def test_everything_may_be_given():
    critic, world, yes = ScriptedCritic(), ScriptedWorld(script={}), Yes()
    journal = Journal(":memory:")
    search = BestOf(2, propose=ScriptedProposer([call("write", path="b")]))
    made = wrapped(
        world=world,
        critic=critic,
        search=search,
        policy={"write": "ask"},
        budget=2.5,
        journal=journal,
        approve=yes,
    )
    line = made.line
    assert line.planner.imagine is world
    assert line.planner.search is search
    assert line.guard.policy.tools == {"write": Line(rule="ask")}
    assert line.meter.budget == Budget(seconds=2.5)
    assert line.approve is yes
    assert made.journal is journal


def test_a_policy_may_be_the_path_of_a_file(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text('[policy]\nwrite = "deny"')
    assert wrapped(policy=path).line.guard.policy.tools == {"write": Line(rule="deny")}


def test_on_a_terminal_the_person_in_front_of_it_is_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "somebody_is_there", lambda: True)
    assert wrapped().line.approve is terminal


# What is always there


@pytest.mark.anyio
async def test_the_rules_are_asked_beside_every_critic_of_the_users_own():
    hazard = Hazard(rule="mine", what="w", why="y", severity="caution")
    made = wrapped(critic=ScriptedCritic(script={"*": hazard}, otherwise=0.9))
    assert isinstance(made.line.planner.text, RuleCritic)
    with pytest.raises(Refused) as caught:
        with_lookahead(write, world="none", journal=made.journal, critic=ScriptedCritic(script={"*": hazard}))("a")
    assert caught.value.decision.rule == "mine"

    def shell(command: str) -> str:
        raise AssertionError("this must not run")

    guarded = with_lookahead(shell, world="none", journal=made.journal, critic=ScriptedCritic(otherwise=1.0))
    with pytest.raises(Refused):
        guarded("rm -rf ~")


def test_rivals_have_to_fit_the_schema_of_their_tool():
    fits = wrapped().line.planner.fits
    tool = wrapped().state.tools[0]
    assert fits(call("write", path="a"), tool) is True
    assert fits(call("write", path=1), tool) is False
    assert fits(call("write"), tool) is False


def test_a_run_is_on_record_from_its_beginning():
    made = wrapped(goal="tidy", mode="shadow")
    [run] = made.journal.runs()
    assert run.run == made.run
    assert run.started.goal == "tidy"
    assert run.started.mode == "shadow"
    assert run.started.world == "none"
    assert run.started.policy == Policy().digest
    assert run.started.tools == made.state.tools


def test_two_agents_have_two_runs():
    journal = Journal(":memory:")
    assert wrapped(journal=journal).run != wrapped(journal=journal).run


class Owned(ScriptedWorld):
    """A world that holds something until it is closed."""

    closed = 0

    async def aclose(self) -> None:
        self.closed += 1


def test_a_session_gives_back_the_world_that_was_opened_for_it(monkeypatch: pytest.MonkeyPatch):
    world = Owned(script={})
    monkeypatch.setattr(module, "choose", lambda *args, **kwargs: world)
    made = wrapped()
    assert made.line.planner.imagine is world
    made.close()
    made.close()
    assert world.closed == 1


def test_a_session_leaves_to_the_user_what_the_user_opened():
    world, journal = Owned(script={}), Journal(":memory:")
    made = wrapped(world=world, journal=journal)
    made.close()
    assert world.closed == 0
    assert [run.run for run in journal.runs()] == [made.run]


# Off


def test_switched_off_the_agent_does_what_it_did_and_no_journal_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert with_lookahead(write, mode="off")("a") == "wrote a"
    monkeypatch.setenv("LOOKAHEAD_MODE", "off")
    (again,) = with_lookahead([write])
    assert again("b") == "wrote b"
    assert not (tmp_path / ".lookahead").exists()
    with pytest.raises(UnsupportedAgent):
        with_lookahead(object())


async def append(text: str, *more: str, sure: bool = True) -> list[str]:
    """Append."""
    return [text, *more, str(sure)]


@pytest.mark.anyio
async def test_switched_off_it_looks_the_same_as_when_it_is_on(monkeypatch: pytest.MonkeyPatch):
    real = RecordedCalls()
    given: dict[str, Any] = {
        "function": write,
        "async": append,
        "partial": functools.partial(write, path="x"),
        "method": real.done.append,
        "list": [write, append],
        "tuple": (append,),
        "dict": {"w": write},
        "environment": real,
    }

    def look(agent: Any) -> Any:
        if isinstance(agent, dict):
            return {key: look(one) for key, one in agent.items()}
        if isinstance(agent, list | tuple):
            return type(agent), [look(one) for one in agent]
        named = [getattr(agent, name, None) for name in ("__name__", "__doc__", "__module__", "__annotations__")]
        return (
            named,
            inspect.signature(agent),
            inspect.iscoroutinefunction(agent),
            isinstance(agent.lookahead.mode, str),
        )

    journal = Journal(":memory:")
    OPEN.append(journal)
    for name, agent in given.items():
        on, off = (with_lookahead(agent, mode=mode, world="none", journal=journal) for mode in ("guard", "off"))
        assert (name, look(off)) == (name, look(on))
    assert await with_lookahead(append, mode="off")("a", "b", sure=False) == ["a", "b", "False"]
    assert (await with_lookahead(real, mode="off")(State(), call("x"))).content == "done"


def test_switched_off_whoever_asks_learns_that_nothing_is_guarded():
    (off,) = with_lookahead([write], mode="off")
    asked: Any = off.lookahead  # type: ignore[attr-defined]
    assert (asked.mode, asked.coverage, asked.in_doubt, asked.run) == ("off", (), (), "")
    assert asked.spent == Cost()
    assert asked.forecast("write") == Forecast(calls=0, tokens=0, seconds=0.0, basis="lookahead is switched off")
    assert asked.settle(0)
    asked.watch(print)
    asked.close()
    with pytest.raises(ConfigError, match="switched off, so nothing is recorded"):
        _ = asked.journal
    assert not hasattr(write, "lookahead")


def test_what_can_be_asked_of_a_session_can_be_asked_where_it_is_switched_off():
    made = wrapped()
    assert made.mode == "guard"
    inner = {
        "line",
        "begin",
        "begin_here",
        "finish",
        "finish_here",
        "finish_soon",
        "failed",
        "tell",
        "watchers",
        "closers",
    }
    inner |= {"conversation", "over", "hold", "keep", "answered", "release", "paused"}
    inner |= {"start", "acting", "agent", "host"}
    assert {name for name in dir(made) if not name.startswith("_")} - inner <= set(dir(Off()))


def test_switched_off_what_could_not_be_guarded_is_handed_back_as_it_is():
    def pieces(count: int) -> Iterator[int]:
        yield from range(count)

    nameless = lambda: 1  # noqa: E731
    assert with_lookahead(pieces, mode="off") is pieces
    assert with_lookahead([nameless, pieces], mode="off") == [nameless, pieces]
    with pytest.raises(ConfigError):
        with_lookahead(pieces, world="none")


def test_what_is_guarded_already_is_not_said_to_be_unguarded():
    guarded: Any = with_lookahead(write, world="none", journal=":memory:")
    OPEN.append(guarded.lookahead.journal)
    assert with_lookahead(guarded, mode="off") is guarded
    assert [path.tool for path in guarded.lookahead.coverage] == ["write"]


# What it does not know


@pytest.mark.parametrize("agent", [object(), 7, "agent", [], {"a": 1}, [write, 1], RecordedCalls])
def test_an_agent_that_nobody_knows_is_an_error_that_shows_the_way_out(agent: Any):
    with pytest.raises(UnsupportedAgent) as caught:
        with_lookahead(agent)
    text = str(caught.value)
    kind = type(agent)
    assert text.startswith(f"with_lookahead does not know what to do with {kind.__module__}.{kind.__qualname__}.\n")
    assert "It knows: Python functions (one, or a list, tuple, set or dict of them); an Environment" in text
    assert text.endswith(
        "    tools = with_lookahead([search, write_file, delete_file])\n    agent = MyAgent(tools=tools)"
    )
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"mode": "loud"}, "mode='loud' is none of guard, shadow, dry-run, off"),
        ({"world": "moon"}, "world='moon' names no world; it is an Environment"),
        ({"world": "directory:"}, "names no world"),
        ({"policy": {"write": "never"}}, "the policy given cannot be understood"),
        ({"budget": -1}, "the budget cannot be understood"),
    ],
)
def test_an_option_that_makes_no_sense_is_an_error(options: dict[str, Any], says: str):
    with pytest.raises(ConfigError, match=says):
        wrapped(**options)


# Adapters from elsewhere


class Robot:
    lookahead: Any = None


class RobotAdapter:
    """What an integration brings."""

    @staticmethod
    def accepts(agent: object) -> bool:
        return isinstance(agent, Robot)

    @staticmethod
    def wrap(agent: Robot, options: Options) -> Robot:
        agent.lookahead = options.open([], run="mine")
        return agent


class Points:
    """Stands for the installed packages."""

    def __init__(self, *points: Any) -> None:
        self.points = points

    def __call__(self, *, group: str) -> Any:
        assert group == "lookahead.adapters"
        return self.points


class Loaded:
    def __init__(self, name: str, adapter: Any) -> None:
        self.name, self.adapter = name, adapter

    def load(self) -> Any:
        if isinstance(self.adapter, Exception):
            raise self.adapter
        return self.adapter


def test_an_integration_that_is_installed_knows_its_own_agents(monkeypatch: pytest.MonkeyPatch):
    missing, other = Loaded("missing", ImportError("no such framework")), Loaded("robot", RobotAdapter)
    monkeypatch.setattr(module, "entry_points", Points(missing, other))
    robot = Robot()
    assert with_lookahead(robot, world="none") is robot
    OPEN.append(robot.lookahead.journal)
    assert robot.lookahead.run == "mine"
    assert robot.lookahead.state == State()
    with pytest.raises(UnsupportedAgent, match="an Environment; missing; robot"):
        with_lookahead(object())


def test_an_integration_that_is_broken_is_not_hidden(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "entry_points", Points(Loaded("broken", RuntimeError("bug"))))
    with pytest.raises(RuntimeError, match="bug"):
        with_lookahead(object())


def test_entry_points_are_what_python_calls_them():
    assert EntryPoint(name="x", value="lookahead.wrap:Adapter", group=module.GROUP).load() is module.Adapter
