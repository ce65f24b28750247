"""`lookahead ledger`, as somebody types it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookahead.journal import (
    Journal,
)

Run = Callable[..., tuple[int, str, str]]


def test_an_empty_ledger_says_so(run: Run, journal: Journal) -> None:
    assert run("ledger") == (0, "Nothing that was imagined has been compared with what happened yet.\n", "")
    assert json.loads(run("ledger", "--json")[1])["standings"] == []


def test_only_what_was_compared_has_a_line(run: Run, journal: Journal, make: Any) -> None:
    journal.append(make.resulted("c1", changed=False))
    assert [line["changed"] for line in json.loads(run("ledger", "--json")[1])["standings"]] == [False]


@pytest.fixture
def recorded(journal: Journal, make: Any) -> Journal:
    for n in range(20):
        journal.append(make.resulted(f"c{n}", agreed=True, changed=n % 2 == 0))
    for n in range(3):
        journal.append(make.resulted(f"d{n}", agreed=False, changed=True))
    return journal


def test_the_ledger_says_how_often_and_what_follows(run: Run, recorded: Journal) -> None:
    code, out, _ = run("ledger")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["tool", "world", "calls", "that", "trials", "agreed", "rate", "bound", "may"]
    assert lines[1].split() == ["shell", "w", "only", "look", "10", "10", "1.00", "0.72", "veto,", "ask,", "warn"]
    assert lines[2].split() == ["shell", "w", "change", "13", "10", "0.77", "0.50", "ask,", "warn"]
    assert lines[4] == "may: veto from a bound of 0.7, swap from 0.8. A copy of reality starts trusted."


def test_the_thresholds_are_the_policys_or_those_that_are_given(run: Run, recorded: Journal, place: Path) -> None:
    def may(*words: str) -> list[str]:
        return [line["may"] for line in json.loads(run("ledger", "--json", *words)[1])["standings"]]

    assert may() == ["veto, ask, warn", "ask, warn"]
    assert may("--veto", "0.4", "--swap", "0.72") == ["veto, swap, ask, warn", "veto, ask, warn"]
    assert may("--veto", "1") == ["ask, warn", "ask, warn"]
    assert may("--veto", "0", "--swap", "0") == ["veto, swap, ask, warn"] * 2
    (place / "lookahead.toml").write_text("[policy.trust]\nveto = 0.5\nswap = 0.72\n")
    assert may() == ["veto, swap, ask, warn", "ask, warn"]


def test_the_ledger_for_programs(run: Run, recorded: Journal) -> None:
    _, out, _ = run("ledger", "--json")
    answer = json.loads(out)
    assert {name: answer[name] for name in ("format", "version", "veto", "swap")} == {
        "format": "lookahead.ledger",
        "version": 1,
        "veto": 0.7,
        "swap": 0.8,
    }
    assert answer["standings"][1] == {
        "tool": "shell",
        "world": "w",
        "changed": True,
        "trials": 13,
        "agreed": 10,
        "rate": 0.769231,
        "bound": 0.497436,
        "may": "ask, warn",
    }


def test_one_tool_or_one_world_can_be_picked(run: Run, recorded: Journal) -> None:
    for words, count in ((["--tool", "shell"], 2), (["--world", "w"], 2), (["--tool", "x"], 0), (["--world", "x"], 0)):
        assert len(json.loads(run("ledger", "--json", *words)[1])["standings"]) == count


@pytest.mark.parametrize("text", ["1.1", "-0.1", "much", "nan"])
def test_a_share_is_between_nothing_and_all(text: str, run: Run) -> None:
    code, _, err = run("ledger", f"--veto={text}")
    assert code == 1
    assert "is not between 0 and 1" in err
