"""A machine does to a line whatever can be done to it, in any order: nothing refused runs, and nothing runs twice.

`benchmarks/soak.py` is the long leg; `tests/line/` holds the rig and the model.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "line"))

from line_chance import many  # noqa: E402
from line_model import APPROVER, CRITIC, EFFECTS, GATES, MILD, RULES, TOOL, WORLD, Rules, Violation  # noqa: E402
from line_rig import Rig, close_portal, portal  # noqa: E402

FATES = st.fixed_dictionaries(
    {
        "world": st.sampled_from(WORLD),
        "critic": st.sampled_from(CRITIC),
        "approver": st.sampled_from(APPROVER),
        "tool": st.sampled_from(TOOL),
    }
)
STOPS = st.frozensets(st.sampled_from(GATES), max_size=2)
WHICH = st.integers(min_value=0, max_value=15)
SPOKEN = st.builds(
    Rules,
    rules=st.fixed_dictionaries({name: st.sampled_from(RULES) for name in (*EFFECTS, MILD)}),
    on_failure=st.sampled_from([None, "hold", "run"]),
    swap=st.booleans(),
    rival_is_bad=st.booleans(),
    impatient=st.sampled_from([False] * 7 + [True]),
    dry_run=st.sampled_from([False] * 7 + [True]),
    exact=st.booleans(),
    budget=st.sampled_from([None, None, 0, 3]),
)


@pytest.fixture(autouse=True, scope="module")
def _loop() -> Iterator[None]:
    yield
    close_portal()


class LineMachine(RuleBasedStateMachine):
    """Each rule is one thing that happens to the line; the rig holds what is known independently."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig(portal())

    @precondition(lambda self: len(self.rig.live) < 6)
    @rule(
        tool=st.sampled_from(list(EFFECTS)),
        word=st.integers(min_value=0, max_value=5),
        fates=FATES,
        stops=STOPS,
        name=st.sampled_from([None, None, "call-1", "call-2"]),
    )
    def propose(self, tool: str, word: int, fates: dict[str, str], stops: frozenset[str], name: str | None) -> None:
        self.rig.propose(tool, [f"word-{word}"], fates, stops, name)

    @precondition(lambda self: self.rig.calls and len(self.rig.live) < 6)
    @rule(which=WHICH, fates=FATES, stops=STOPS)
    def propose_again(self, which: int, fates: dict[str, str], stops: frozenset[str]) -> None:
        self.rig.again(-1 - which, fates, stops)

    @precondition(lambda self: any(call.parked for call in self.rig.live))
    @rule(which=WHICH)
    def go_on(self, which: int) -> None:
        self.rig.release(which)

    @precondition(lambda self: self.rig.live)
    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        self.rig.cancel(which)

    @precondition(lambda self: self.rig.live)
    @rule(which=WHICH)
    def alter(self, which: int) -> None:
        self.rig.alter(which)

    @rule(rules=SPOKEN)
    def change_the_rules(self, rules: Rules) -> None:
        self.rig.told(rules)

    @precondition(lambda self: self.rig.calls)
    @rule(which=WHICH)
    def grant_afterwards(self, which: int) -> None:
        self.rig.grant(which)

    @precondition(lambda self: self.rig.calls)
    @rule(which=WHICH, happened=st.booleans())
    def settle_a_doubt(self, which: int, happened: bool) -> None:
        self.rig.resolve(which, happened)

    @precondition(lambda self: self.rig.calls)
    @rule(crash=st.booleans())
    def restart(self, crash: bool) -> None:
        self.rig.restart(crash=crash)

    def teardown(self) -> None:
        self.rig.close()


def test_nothing_refused_runs_and_nothing_runs_twice():
    run_state_machine_as_test(
        LineMachine,
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        ),
    )


@pytest.mark.parametrize("seed", range(6))
def test_long_lives_keep_the_same_promises(seed: int):
    rig = Rig(portal())
    many(rig, seed, 250)
    done = rig.count["done"]
    rig.close()
    assert done > 10


def test_the_model_finds_a_line_that_forgets_to_look(monkeypatch: pytest.MonkeyPatch):
    """The machine itself can fail: a guard that lets everything run is found out."""
    from lookahead.guard import Guard, at_once

    monkeypatch.setattr(
        Guard, "decide", lambda self, state, action, ruling, outcome: at_once(state, action, "run", "blind", "")
    )
    rig = Rig(portal())
    with pytest.raises(Violation, match="needs a yes"):
        many(rig, 1, 500)
    rig.abandon()
