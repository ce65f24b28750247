import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lookahead.errors import NotMyWorld, WorldError
from lookahead.journal import Journal
from lookahead.testing import call, state_of
from lookahead.types import GUARD, Effect, Observation, Origin, State
from lookahead.worlds import past
from lookahead.worlds.recorded import RecordedWorld

sys.path.insert(0, str(Path(__file__).parent))

from journals import ended, happened, under_way

pytestmark = pytest.mark.anyio

STATE = state_of(goal="tidy", changes=["move"])
MOVE = call("move", path="a")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.db") as journal:
        yield journal


async def abstains(world: RecordedWorld, state: State = STATE, action: object = MOVE) -> None:
    with pytest.raises(NotMyWorld):
        await world(state, action)  # type: ignore[arg-type]


async def test_a_call_that_was_made_in_this_state_is_answered_as_it_was(journal: Journal):
    effect = Effect(happened="deleted", target="a")
    said = Observation(content="moved", structured={"ok": True}, effects=(effect,))
    happened(journal, MOVE, said, state=STATE)
    answer = await RecordedWorld(journal)(STATE, MOVE)
    assert answer.origin == Origin(kind="recorded", world="recorded", confidence=1.0)
    assert answer == said.model_copy(update={"origin": answer.origin})
    assert answer.imagined


async def test_another_call_another_state_and_an_empty_journal_are_not_its_world(journal: Journal):
    world = RecordedWorld(journal)
    await abstains(world)
    happened(journal, MOVE, "moved", state=STATE)
    await abstains(world, STATE, call("move", path="b"))
    await abstains(world, STATE.then(MOVE, Observation(content="moved")))
    await abstains(world, state_of(goal="else", changes=["move"]))


async def test_a_step_that_only_read_leaves_the_state_the_same(journal: Journal):
    state = state_of(goal="tidy", changes=["move"], reads=["look"])
    happened(journal, MOVE, "moved", state=state)
    looked = state.then(call("look"), Observation(content="a"))
    assert (await RecordedWorld(journal)(looked, MOVE)).content == "moved"


async def test_the_last_answer_counts_and_those_that_differ_lower_its_confidence(journal: Journal):
    world = RecordedWorld(journal)
    for said in ("no such file", "moved", "no such file", "moved"):
        happened(journal, MOVE, said, state=STATE)
    answer = await world(STATE, MOVE)
    assert (answer.content, answer.origin.confidence) == ("moved", 0.5)
    happened(journal, MOVE, "moved", state=STATE)
    assert (await world(STATE, MOVE)).origin.confidence == 0.6


async def test_answers_that_differ_in_the_time_of_day_only_agree(journal: Journal):
    for said in ("done at 12:00:01", "done at 12:01:07"):
        happened(journal, MOVE, said, state=STATE)
    assert (await RecordedWorld(journal)(STATE, MOVE)).origin.confidence == 1


@pytest.mark.parametrize(
    "origin",
    [
        GUARD,
        Origin(kind="model", world="m"),
        Origin(kind="exact", world="e"),
        Origin(kind="recorded", world="r"),
    ],
)
async def test_nothing_that_was_imagined_or_said_by_the_guard_is_an_answer(journal: Journal, origin: Origin):
    happened(journal, MOVE, "nothing happened", state=STATE, origin=origin)
    await abstains(RecordedWorld(journal))


async def test_an_answer_that_comes_later_is_found_later(journal: Journal):
    world = RecordedWorld(journal)
    mine = under_way(journal, MOVE, state=STATE)
    await abstains(world)
    for number in range(past.FIRST * 3):
        happened(journal, call("move", path=f"other {number}"), "moved", state=STATE)
    ended(journal, mine, MOVE, "moved at last")
    assert (await world(STATE, MOVE)).content == "moved at last"


async def test_what_was_recorded_long_ago_is_found_behind_much_else(journal: Journal):
    happened(journal, MOVE, "moved", state=STATE)
    for number in range(past.FIRST * 9):
        happened(journal, call("move", path=f"other {number}"), "moved", state=STATE)
    assert (await RecordedWorld(journal)(STATE, MOVE)).content == "moved"


async def test_an_answer_that_was_too_long_to_be_kept_whole_is_none(journal: Journal):
    happened(journal, MOVE, "x" * 100_000, state=STATE)
    await abstains(RecordedWorld(journal))
    happened(journal, call("move", path="c"), Observation(structured=["x" * 100_000]), state=STATE)
    await abstains(RecordedWorld(journal), STATE, call("move", path="c"))


async def test_what_the_redactor_hid_is_matched_by_what_it_was(journal: Journal):
    secret = call("move", path="a", token="ghp_" + "Zk3" * 12)
    happened(journal, secret, "moved", state=STATE)
    world = RecordedWorld(journal)
    assert (await world(STATE, secret)).content == "moved"
    kept = journal.calls()[0].intended
    assert kept is not None
    assert kept.action != secret, "the journal kept the secret, so this test shows nothing"
    await abstains(world, STATE, kept.action)


async def test_a_run_can_be_left_out(journal: Journal):
    happened(journal, MOVE, "moved", state=STATE, run="mine")
    await abstains(RecordedWorld(journal, exclude_run="mine"))
    happened(journal, MOVE, "moved before", state=STATE, run="earlier")
    assert (await RecordedWorld(journal, exclude_run="mine")(STATE, MOVE)).content == "moved before"


async def test_a_journal_that_cannot_be_read_is_a_failure_of_the_world(tmp_path: Path):
    journal = Journal(tmp_path / "journal.db")
    world = RecordedWorld(journal)
    journal.close()
    with pytest.raises(WorldError, match="cannot look it up"):
        await world(STATE, MOVE)


async def test_it_forgets_the_oldest_where_it_would_remember_too_much(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("lookahead.worlds.recorded.REMEMBERED", 2)
    for path in "abc":
        happened(journal, call("move", path=path), path, state=STATE)
    world = RecordedWorld(journal)
    await abstains(world, STATE, call("move", path="a"))
    assert (await world(STATE, call("move", path="c"))).content == "c"
