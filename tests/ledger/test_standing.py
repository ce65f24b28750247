"""How much a world has earned to be believed."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import JsonValue

from lookahead.journal import Agreement, Foreseen, Journal, Resulted
from lookahead.ledger import Count, Ledger, Standing, wilson
from lookahead.types import Action, Decision, Observation


class Plain:
    def json(self, value: JsonValue) -> JsonValue:
        return value


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.db", redact=Plain()) as journal:
        yield journal


def compared(
    call: str, agreed: bool | None, *, changed: bool = True, tool: str = "shell", world: str = "w"
) -> Resulted:
    agreement = None if agreed is None else Agreement(agreed=agreed, changed=changed, how="exact" if agreed else "no")
    return Resulted(run="r", call=call, observation=Observation(), agreement=agreement, world=world, tool=tool)


@pytest.mark.parametrize(
    ("agreed", "trials", "bound"),
    [
        (0, 0, 0.0),
        (0, 1, 0.0),
        (0, 1000, 0.0),
        (1, 1, 0.206549),
        (3, 3, 0.438503),
        (10, 10, 0.722467),
        (16, 16, 0.806392),
        (9, 10, 0.595850),
        (50, 100, 0.403832),
        (95, 100, 0.888249),
        (1000, 1000, 0.996173),
    ],
)
def test_the_bound_is_the_lower_end_of_a_95_percent_wilson_interval(agreed: int, trials: int, bound: float) -> None:
    assert wilson(agreed, trials) == pytest.approx(bound, abs=1e-6)


def test_with_no_record_nothing_is_earned(journal: Journal) -> None:
    standing = Ledger(journal).standing("shell", "w")
    assert standing == Standing(tool="shell", world="w", unchanged=Count(trials=0, agreed=0), changing=Count())
    for changed in (True, False):
        assert (standing.trials(changed), standing.rate(changed), standing.bound(changed)) == (0, 0.0, 0.0)
    assert Ledger(journal).standings() == []


def test_calls_that_change_something_are_counted_apart(journal: Journal) -> None:
    journal.append(
        compared("c1", True), compared("c2", False), compared("c3", True), compared("c4", True, changed=False)
    )
    standing = Ledger(journal).standing("shell", "w")
    assert (standing.changing, standing.unchanged) == (Count(trials=3, agreed=2), Count(trials=1, agreed=1))
    assert (standing.trials(True), standing.trials(False)) == (3, 1)
    assert standing.rate(True) == pytest.approx(2 / 3)
    assert standing.rate(False) == 1.0
    assert standing.bound(True) == wilson(2, 3)
    assert standing.bound(False) == wilson(1, 1)


def test_tools_and_worlds_are_counted_apart(journal: Journal) -> None:
    journal.append(compared("c1", True), compared("c2", True, tool="sql"), compared("c3", True, world="lwm"))
    journal.append(compared("c4", None))
    ledger = Ledger(journal)
    assert [(one.tool, one.world, one.trials(True)) for one in ledger.standings()] == [
        ("shell", "lwm", 1),
        ("shell", "w", 1),
        ("sql", "w", 1),
    ]


def test_what_was_foreseen_beside_a_call_counts(journal: Journal) -> None:
    decision = Decision(id="c1", proposed=Action(tool="shell"), choice="run", rule="default")
    agreement = Agreement(agreed=True, changed=False, how="exact")
    journal.append(compared("c1", None))
    journal.append(Foreseen(run="r", call="c1", decision=decision, agreement=agreement, world="w", tool="shell"))
    assert Ledger(journal).standing("shell", "w").unchanged == Count(trials=1, agreed=1)


def test_it_keeps_up_with_this_process_and_with_others(journal: Journal) -> None:
    ledger = Ledger(journal)
    other = Journal(journal.path, redact=Plain())
    try:
        for n, writer in enumerate((journal, other, journal, other)):
            writer.append(compared(f"c{n}", n != 2))
            assert ledger.standing("shell", "w").changing == Count(trials=n + 1, agreed=n + (n < 2))
            assert ledger.standings() == Ledger(journal).standings()
    finally:
        other.close()


def test_a_prune_by_whomever_loses_no_count(journal: Journal) -> None:
    ledger = Ledger(journal)
    other = Journal(journal.path, redact=Plain())
    try:
        journal.append(compared("c1", True))
        assert ledger.standing("shell", "w").trials(True) == 1
        journal.append(compared("c2", True))
        # Pruned before the ledger has seen the second.
        assert other.prune(float("inf")) == 2
        other.append(compared("c3", False))
        assert ledger.standing("shell", "w").changing == Count(trials=3, agreed=2)
        assert Ledger(other).standing("shell", "w").changing == Count(trials=3, agreed=2)
    finally:
        other.close()


def test_a_child_of_this_process_keeps_up_too(journal: Journal) -> None:
    ledger = Ledger(journal)
    journal.append(compared("c1", True))
    ledger.standing("shell", "w")
    pid = os.fork()
    if pid == 0:
        journal.append(compared("c2", True))
        os._exit(ledger.standing("shell", "w").trials(True))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 2
    assert ledger.standing("shell", "w").trials(True) == 2
