"""What can be asked of a journal."""

import os
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from lookahead.journal import Journal, Started
from lookahead.types import Action, Cost, Observation, Origin

Reopen = Callable[..., Journal]


def test_a_call_has_all_that_is_known_of_it(journal: Journal, make: Any) -> None:
    decided, intended, resulted = make.whole("c1")
    journal.append(decided, intended, resulted)
    (call,) = journal.calls()
    assert (call.seq, call.at, call.run, call.call, call.status) == (1, 1000.0, "r", "c1", "done")
    assert call.decided == decided
    assert call.intended is not None
    assert call.intended.model_copy(update={"owner": None}) == intended
    assert call.intended.owner is not None
    assert call.intended.owner.pid == os.getpid()
    assert call.resulted == resulted
    assert call.interrupted is None
    assert call.resolved is None


def test_every_way_a_call_can_end_has_a_name(journal: Journal, make: Any) -> None:
    journal.append(make.refused("refused"))
    journal.append(make.decided("imagined"))
    journal.append(make.decided("failed"), make.resulted("failed", observation=Observation(failed=True)))
    assert [(call.call, call.status) for call in journal.calls()] == [
        ("refused", "refused"),
        ("imagined", "imagined"),
        ("failed", "failed"),
    ]


def test_calls_can_be_had_by_run_by_beginning_and_by_number(journal: Journal, make: Any) -> None:
    for call, run in (("aa1", "one"), ("ab2", "two"), ("b%3", "one"), ("bb4", "two")):
        journal.append(make.decided(call, run=run))
    assert [call.call for call in journal.calls("one")] == ["aa1", "b%3"]
    assert [call.call for call in journal.calls(starting="a")] == ["aa1", "ab2"]
    assert [call.call for call in journal.calls(starting="b%")] == ["b%3"]
    assert [call.call for call in journal.calls(limit=2)] == ["b%3", "bb4"]
    assert [call.call for call in journal.calls("one", limit=1)] == ["b%3"]
    assert journal.calls(limit=0) == []


def test_a_run_that_went_on_is_one_run(journal: Journal, make: Any, clock: Any) -> None:
    def start(run: str, goal: str) -> None:
        journal.start(run, goal=goal, mode="guard", world="w", policy="p", tools=[make.tool])

    start("one", "tidy")
    journal.append(make.decided("c1", run="one"), make.decided("c2", run="one"))
    clock.now = 2000.0
    start("two", "sweep")
    start("one", "again")
    first, second = journal.runs()
    assert (first.run, first.at, first.calls) == ("one", 1000.0, 2)
    assert first.started == Started(run="one", goal="tidy", mode="guard", world="w", policy="p", tools=(make.tool,))
    assert (second.run, second.at, second.calls) == ("two", 2000.0, 0)


def test_transitions_are_what_really_happened(journal: Journal, make: Any) -> None:
    journal.append(*make.whole("c1", content="gone"))
    dry = Observation(content="would be gone", origin=Origin(kind="exact", world="fork:directory"))
    journal.append(*make.whole("c2", observation=dry))
    journal.append(make.decided("c3"), make.intended("c3"))
    other = Action(tool="other", arguments={})
    journal.append(*make.whole("c4", action=other, tool="other"))
    first, second = journal.transitions()
    assert (first.run, first.call, first.state, first.action) == ("r", "c1", make.state.digest, make.action())
    assert first.observation == Observation(content="gone")
    assert second.action == other
    assert [one.call for one in journal.transitions("shell")] == ["c1"]
    assert journal.transitions("none") == []


def test_what_imagining_costs_is_known_by_tool_and_world(journal: Journal, make: Any) -> None:
    model = Origin(kind="model", world="lwm")
    for n, (seconds, origin) in enumerate([(1.0, model), (5.0, model), (2.0, model), (9.0, make.imagined().origin)]):
        cost = Cost(calls=1, tokens=100 * n, seconds=seconds)
        journal.append(make.decided(f"c{n}", imagined=make.imagined(cost=cost, origin=origin)))
    assert [cost.seconds for cost in journal.costs("lwm", "shell")] == [1.0, 5.0, 2.0]
    assert [cost.seconds for cost in journal.costs("lwm")] == [1.0, 5.0, 2.0]
    assert journal.costs("lwm", "other") == []
    assert journal.cost("shell", "lwm") == Cost(calls=1, tokens=100, seconds=2.0)
    assert journal.cost("*", "fork:directory") == Cost(calls=1, tokens=300, seconds=9.0)
    assert journal.cost("other", "lwm") is None


def test_only_recent_decisions_say_what_imagining_costs(
    journal: Journal, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lookahead.journal.views.RECENT", 2)
    for n in range(4):
        journal.append(make.decided(f"c{n}", imagined=make.imagined(cost=Cost(seconds=n))))
        journal.append(make.intended(f"c{n}"))
    assert [cost.seconds for cost in journal.costs("fork:directory", "shell")] == [2.0, 3.0]


def test_the_views_can_be_read_with_any_sqlite(journal: Journal, make: Any) -> None:
    journal.append(make.refused("c0", "b9", reason="too much"), make.granted(), make.spent("a1", "c1"))
    journal.append(*make.whole("c1", action=make.action(call_id="x")))
    db = sqlite3.connect(journal.path)
    try:
        db.row_factory = sqlite3.Row
        refused, done = (dict(row) for row in db.execute("SELECT * FROM calls ORDER BY seq"))
        assert (refused["call"], refused["choice"], refused["binding"], refused["reason"]) == (
            "c0",
            "veto",
            "b9",
            "too much",
        )
        assert (done["call_id"], done["tool"], done["rule"], done["effect"]) == ("x", "shell", "default", "changes")
        assert (done["seconds"], done["failed"], done["agreed"], done["is_open"]) == (0.25, 0, 1, 0)
        (approval,) = (dict(row) for row in db.execute("SELECT * FROM approvals"))
        assert (approval["id"], approval["by"], approval["spent_on"]) == ("a1", "ada", "c1")
        assert approval["expires_at"] == 1600.0
    finally:
        db.close()


def test_a_run_that_begins_late_is_on_record_with_the_first_that_happens_in_it(journal: Journal, make: Any) -> None:
    for run in ("quiet", "busy"):
        journal.start(run, goal="g", mode="guard", world="w", policy="p", tools=[make.tool], late=True)
    assert journal.runs() == []
    journal.append(make.decided("c1", run="busy"))
    journal.append(make.decided("c2", run="busy"))
    [run] = journal.runs()
    assert (run.run, run.calls, run.started.tools) == ("busy", 2, (make.tool,))


def test_a_beginning_that_could_not_be_written_is_written_with_the_next(journal: Journal, make: Any) -> None:
    journal.start("late", goal="g", mode="guard", world="w", policy="p", tools=[make.tool], late=True)
    broken = make.decided("c1", run="late").model_copy(update={"decision": None})
    with pytest.raises(Exception):  # noqa: B017, PT011
        journal.append(broken)
    assert journal.runs() == []
    journal.append(make.decided("c2", run="late"))
    assert [run.run for run in journal.runs()] == ["late"]
