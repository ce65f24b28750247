"""How the line writes: at once or elsewhere, alone or together with siblings."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from lookahead.errors import JournalError, PermitError
from lookahead.journal import Approval, Entry, Granted, Journal, Spent, Written
from lookahead.pen import QUICK, TURNS, Pen


class Where(Journal):
    """Notes which thread wrote, and how much was written together."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.threads: list[int] = []
        self.together: list[int] = []

    def put(self, *wanted: Written) -> None:
        self.threads.append(threading.get_ident())
        self.together.append(len(wanted))
        super().put(*wanted)

    @property
    def names(self) -> list[str]:
        with self._store.looking() as db:
            return [str(name) for (name,) in db.execute("SELECT name FROM rows ORDER BY seq")]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Where]:
    opened = Where(str(tmp_path / "journal.db"))
    yield opened
    assert opened.verify().ok
    opened.close()


def yes(name: str) -> Granted:
    return Granted(approval=Approval(id=name, binding="", granted_at=0, expires_at=1, by="", seen=""))


async def beside(*functions: Callable[[], Any]) -> None:
    async with anyio.create_task_group() as group:
        for function in functions:
            group.start_soon(function)


@pytest.mark.anyio
async def test_a_quick_disk_is_written_to_at_once_and_a_slow_one_from_another_thread(journal: Where):
    pen = Pen(journal=journal)
    await pen.write(yes("1"))
    assert journal.threads == [threading.get_ident()]
    assert 0 < pen.usual < 60
    pen.usual = QUICK
    await pen.write(yes("2"))
    assert journal.threads[1] != threading.get_ident()
    pen.usual = 80.0
    await pen.write(yes("3"))
    assert 70.0 <= pen.usual < 78.0
    assert journal.threads[2] != threading.get_ident()


@pytest.mark.anyio
async def test_a_journal_in_memory_is_written_to_where_it_is_asked_for():
    with Where(":memory:") as journal:
        await Pen(journal=journal, usual=80.0).write(yes("1"))
        assert journal.threads == [threading.get_ident()]


@pytest.mark.anyio
async def test_siblings_are_written_together(journal: Where):
    pen = Pen(journal=journal, expected={"a", "b", "c"})
    seen: list[list[str]] = []

    async def one(name: str) -> None:
        await pen.write(yes(name))
        seen.append(journal.names)

    await beside(*[lambda name=name: one(name) for name in "abc"])
    assert journal.together == [3]
    # In which order tasks begin is not ours to say.
    assert sorted(journal.names) == ["a", "b", "c"]
    assert seen == [journal.names] * 3, "nobody goes on before all of its own is on the disk"


@pytest.mark.anyio
async def test_a_sibling_that_does_not_come_is_waited_for_a_few_turns_and_once(journal: Where):
    pen = Pen(journal=journal, expected={"a", "b"})
    turns = 0
    done = anyio.Event()

    async def counting() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1
            await anyio.lowlevel.checkpoint()

    async def writing() -> None:
        await pen.write(yes("a"))
        assert turns <= TURNS + 2
        assert journal.names == ["a"]
        pen.usual = 0.0  # however slow this disk may be today
        before = turns
        await pen.write(yes("b"))
        assert turns == before, "with nobody expected, nobody is waited for"
        done.set()

    await beside(counting, writing)
    assert journal.together == [1, 1]


@pytest.mark.anyio
async def test_what_is_wrong_with_one_is_told_to_nobody_else(journal: Where):
    pen = Pen(journal=journal, expected={"a", "b", "c"})
    failed: list[str] = []

    async def one(name: str, *entries: Entry) -> None:
        try:
            await pen.write(*entries)
        except PermitError as error:
            failed.append(f"{name}: {error}")

    await beside(
        lambda: one("a", yes("a")),
        lambda: one("b", yes("b"), Spent(approval_id="never", call="c1")),
        lambda: one("c", yes("c")),
    )
    assert failed == ["b: approval never was never given"]
    assert sorted(journal.names) == ["a", "c"], "all of what one wants, or nothing of it"


@pytest.mark.anyio
async def test_where_the_disk_fails_each_sibling_is_told(journal: Where):
    pen = Pen(journal=journal, expected={"a", "b"})
    failed: list[BaseException] = []
    with journal._store._lock:  # pyright: ignore
        journal._store._db.execute("PRAGMA query_only = 1")  # pyright: ignore

    async def one(name: str) -> None:
        try:
            await pen.write(yes(name))
        except JournalError as error:
            failed.append(error)

    await beside(lambda: one("a"), lambda: one("b"))
    assert len(failed) == 2
    assert failed[0] is not failed[1]
    with journal._store._lock:  # pyright: ignore
        journal._store._db.execute("PRAGMA query_only = 0")  # pyright: ignore
    assert journal.names == []


@pytest.mark.anyio
async def test_on_a_slow_disk_siblings_are_written_from_threads(journal: Where):
    pen = Pen(journal=journal, expected={"a", "b", "c"}, usual=80.0)
    await beside(*[lambda name=name: pen.write(yes(name)) for name in "abc"])
    assert sorted(journal.names) == ["a", "b", "c"]
    assert threading.get_ident() not in journal.threads


@pytest.mark.anyio
async def test_a_cancelled_scope_does_not_take_back_what_was_handed_in(journal: Where):
    pen = Pen(journal=journal, expected={"a", "b"})
    with anyio.CancelScope() as scope:
        scope.cancel()
        await pen.write(yes("a"))
    assert journal.names == ["a"]


def cut(journal: Where, later: Callable[[], Entry] | None) -> None:
    """A task that waits for its siblings, and is cancelled by the event loop's own means."""

    async def both() -> None:
        pen = Pen(journal=journal, expected={"a", "b"})
        writing = asyncio.ensure_future(pen.write(yes("a"), unless=later))
        await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing

    asyncio.run(both())


def test_what_happened_is_written_although_its_writer_was_cancelled(journal: Where):
    cut(journal, None)
    assert journal.names == ["a"]


def test_what_was_only_about_to_happen_is_not_written_where_its_writer_was_cancelled(journal: Where):
    cut(journal, lambda: yes("taken back"))
    assert journal.names == []


def test_what_its_siblings_wrote_already_is_taken_back_where_its_writer_was_cancelled(journal: Where):
    async def both() -> None:
        pen = Pen(journal=journal, expected={"a", "b"})

        async def first() -> None:
            await pen.write(yes("a"), unless=lambda: yes("taken back"))

        async def second() -> None:
            await pen.write(yes("b"))
            writing.cancel()

        writing = asyncio.ensure_future(first())
        await asyncio.sleep(0)
        await second()
        with pytest.raises(asyncio.CancelledError):
            await writing

    asyncio.run(both())
    assert journal.names == ["a", "b", "taken back"]


def test_a_pen_may_be_used_from_several_loops(journal: Where):
    pen = Pen(journal=journal, expected={str(number) for number in range(40)})

    def loop(mine: int) -> None:
        async def all_of_them() -> None:
            await beside(*[lambda name=f"{mine}-{number}": pen.write(yes(name)) for number in range(10)])

        anyio.run(all_of_them, backend="trio" if mine % 2 else "asyncio")

    threads = [threading.Thread(target=loop, args=(mine,)) for mine in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(journal.names) == sorted(f"{mine}-{number}" for mine in range(4) for number in range(10))
