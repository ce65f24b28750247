"""What is written down after its answer was given."""

from collections.abc import Callable, Iterator
from pathlib import Path

import anyio.lowlevel
import pytest

from lookahead import Journal, Observation
from lookahead.journal import Resulted, Spent, Written
from lookahead.pen import Pen
from lookahead_integrations.mcp.modes.after import MANY, After

pytestmark = pytest.mark.anyio


async def test_one_conversation_waits_for_its_own_records_alone():
    after, may, done = After(), anyio.Event(), list[str]()

    async def slow() -> None:
        await may.wait()
        done.append("slow")

    async def quick() -> None:
        done.append("quick")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(after.do, "one", slow)
        tasks.start_soon(after.do, "other", quick)
        await anyio.wait_all_tasks_blocked()
        await after.settled("other")
        assert done == ["quick"]
        may.set()
    await after.settled("one")
    assert done == ["quick", "slow"]


async def test_who_hangs_up_takes_no_record_along():
    after, done = After(), list[str]()

    async def write() -> None:
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()
            done.append("written")

    with anyio.CancelScope() as scope:
        scope.cancel()
        await after.do("one", write)
    await after.all_settled()
    assert done == ["written"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_record_that_fails_is_told_and_keeps_nobody_waiting(caplog: pytest.LogCaptureFixture):
    after = After()

    async def fails() -> None:
        raise OSError("the disk is full")

    await after.do("one", fails)
    await after.settled("one")
    assert "the disk is full" in caplog.text
    await after.all_settled()
    assert after._under_way == {}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.db") as opened:
        yield opened


def left(journal: Journal, call: str) -> Callable[[], Written]:
    said = Resulted(run="r", call=call, tool="look", observation=Observation(content="seen"))
    return lambda: journal.leave(said)


def written(journal: Journal) -> list[str]:
    with journal._store.looking() as db:
        return [str(call) for (call,) in db.execute("SELECT call FROM rows WHERE kind = 'resulted' ORDER BY seq")]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_what_is_left_is_written_with_the_next_thing_and_before_it(journal: Journal):
    after, pen = After(), Pen(journal=journal)
    for name in ("a", "b"):
        await after.soon(left(journal, name), pen.flush)
    journal.flush()
    assert written(journal) == [], "while the answer is on its way"
    await anyio.lowlevel.checkpoint()
    assert written(journal) == []
    journal.append(Resulted(run="r", call="c", tool="look", observation=Observation(content="seen")))
    assert written(journal) == ["a", "b", "c"]
    await after.soon(left(journal, "d"), pen.flush)
    await after.all_settled()
    assert written(journal) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_it_is_written_soon_also_where_nothing_else_is(journal: Journal):
    after, pen = After(), Pen(journal=journal)
    flushed = anyio.Event()

    async def flush() -> None:
        await pen.flush()
        flushed.set()

    await after.soon(left(journal, "a"), flush)
    with anyio.fail_after(10):
        await flushed.wait()
    assert written(journal) == ["a"]
    for number in range(MANY):
        await after.soon(left(journal, f"b{number}"), pen.flush)
    await anyio.lowlevel.checkpoint()
    await after.all_settled()
    assert len(written(journal)) == MANY + 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_what_could_not_be_recorded_is_told_and_the_next_answer_waits_for_its_record(
    journal: Journal, caplog: pytest.LogCaptureFixture
):
    after, pen = After(), Pen(journal=journal)
    await after.soon(lambda: journal.leave(Spent(call="a", approval_id="nobody gave it")), pen.flush)
    await after.soon(left(journal, "b"), pen.flush)
    await after.all_settled()
    assert after.broken
    assert "was never given" in caplog.text
    assert written(journal) == ["b"], "what is wrong with one is no matter for the other"


def test_a_journal_that_is_closed_loses_nothing_that_was_left(tmp_path: Path):
    with Journal(tmp_path / "journal.db") as journal:
        left(journal, "a")()
    with Journal(tmp_path / "journal.db") as journal:
        assert written(journal) == ["a"]
