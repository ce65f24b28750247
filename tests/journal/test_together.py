"""Writers that come at the same time: one transaction for all, and each its own success or failure."""

import os
import subprocess
import sys
import textwrap
import threading
from typing import Any

import pytest

from lookahead.errors import JournalError, PermitError
from lookahead.journal import Journal, Written


def commits(journal: Journal) -> list[str]:
    """The transactions that it writes from now on."""
    seen: list[str] = []
    journal._store._db.set_trace_callback(  # pyright: ignore
        lambda said: seen.append(said) if said.startswith("BEGIN IMMEDIATE") else None
    )
    return seen


def names(journal: Journal) -> list[tuple[str, str]]:
    with journal._store.looking() as db:  # pyright: ignore
        return [(call, kind) for call, kind in db.execute("SELECT call, kind FROM rows ORDER BY seq")]


def test_several_are_one_transaction_in_their_order(journal: Journal, make: Any) -> None:
    journal.append(make.decided("c0"))
    seen = commits(journal)
    wanted = [Written(entries=(make.decided(call), make.intended(call))) for call in ("c2", "c1")]
    journal.put(*wanted)
    for one in wanted:
        one.result()
    assert len(seen) == 1
    assert names(journal)[1:] == [("c2", "decided"), ("c2", "intended"), ("c1", "decided"), ("c1", "intended")]
    assert journal.verify().ok


def test_a_used_approval_stops_the_one_that_would_use_it_again_and_nobody_else(journal: Journal, make: Any) -> None:
    journal.append(make.granted("a1", at=journal._clock()))  # pyright: ignore
    journal.append(make.decided("c0", binding="b1"), make.spent("a1", "c0"), make.intended("c0"))
    good = Written(entries=(make.decided("c1"), make.intended("c1")))
    again = Written(entries=(make.decided("c2", binding="b1"), make.spent("a1", "c2"), make.intended("c2")))
    also = Written(entries=(make.resulted("c0"),))
    journal.put(good, again, also)
    good.result()
    also.result()
    with pytest.raises(PermitError, match="used already"):
        again.result()
    assert ("c2", "decided") not in names(journal)
    assert ("c1", "intended") in names(journal)
    assert ("c0", "resulted") in names(journal)
    assert journal.verify().ok


def test_of_two_that_want_the_same_call_the_first_has_it(journal: Journal, make: Any) -> None:
    action = make.action(call_id="x")
    first, second = (
        Written(entries=(make.decided(call, action=action), make.intended(call, action=action)))
        for call in ("c1", "c2")
    )
    journal.put(first, second)
    first.result()
    with pytest.raises(PermitError, match="under way already"):
        second.result()
    assert [call for call, _ in names(journal)] == ["c1", "c1"]


def test_the_beginning_of_a_run_is_not_lost_with_one_that_fails(journal: Journal, make: Any) -> None:
    journal.start("r", goal="g", mode="guard", world="w", policy="p", tools=(), late=True)
    bad = Written(entries=(make.decided("c1"), make.spent("never", "c1")))
    good = Written(entries=(make.decided("c2"),))
    journal.put(bad, good)
    with pytest.raises(PermitError, match="never given"):
        bad.result()
    good.result()
    assert [kind for _, kind in names(journal)] == ["started", "decided"]


def test_threads_that_wait_for_their_turn_are_written_by_whoever_has_it(journal: Journal, make: Any) -> None:
    journal.append(make.decided("c"))
    seen = commits(journal)
    threads = [threading.Thread(target=journal.append, args=(make.decided(f"c{number}"),)) for number in range(6)]
    queue = journal._together._waiting  # pyright: ignore
    with journal._store.turn():  # pyright: ignore
        for thread in threads:
            thread.start()
        while len(queue) < len(threads):
            pass
    for thread in threads:
        thread.join()
    assert len(seen) == 1
    assert sorted(call for call, _ in names(journal)) == ["c", *(f"c{number}" for number in range(6))]
    assert journal.verify().ok


def test_a_failing_thread_fails_alone(journal: Journal, make: Any) -> None:
    journal.append(make.decided("c0"))
    told: dict[str, str] = {}

    def write(call: str) -> None:
        try:
            journal.append(make.decided(call))
        except JournalError as error:
            told[call] = str(error)

    threads = [threading.Thread(target=write, args=(call,)) for call in ("c0", "c1", "c2")]
    queue = journal._together._waiting  # pyright: ignore
    with journal._store.turn():  # pyright: ignore
        for thread in threads:
            thread.start()
        while len(queue) < len(threads):
            pass
    for thread in threads:
        thread.join()
    assert told == {"c0": "call c0 was decided already: a record is not overwritten"}
    assert sorted(call for call, _ in names(journal)) == ["c0", "c1", "c2"]


def test_an_interrupted_writer_leaves_the_others_an_answer(journal: Journal, make: Any) -> None:
    class Interrupting:
        def json(self, value: Any) -> Any:
            raise KeyboardInterrupt

    journal._redact = Interrupting()  # pyright: ignore
    mine, theirs = Written(entries=(make.decided("c1"),)), Written(entries=(make.decided("c2"),))
    with pytest.raises(KeyboardInterrupt):
        journal.put(mine, theirs)
    for one in (mine, theirs):
        with pytest.raises(JournalError, match="not known to be on record"):
            one.result()
    assert names(journal) == []


def test_what_was_interrupted_while_it_waited_is_not_written_later(journal: Journal, make: Any) -> None:
    journal.append(make.decided("c1"))
    turn = journal._together.turn  # pyright: ignore

    def interrupted() -> Any:
        raise KeyboardInterrupt

    journal._together.turn = interrupted  # pyright: ignore
    with pytest.raises(KeyboardInterrupt):
        journal.append(make.decided("c2"))
    journal._together.turn = turn  # pyright: ignore
    journal.append(make.decided("c3"))
    assert [call for call, _ in names(journal)] == ["c1", "c3"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_does_not_write_what_waits_in_its_parent(journal: Journal, make: Any) -> None:
    journal.append(make.decided("c0"))
    waiting = Written(entries=(make.decided("c1"),))
    journal._together._waiting.append(waiting)  # pyright: ignore
    child = os.fork()
    if not child:
        try:
            journal.append(make.decided("c2"))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert [call for call, _ in names(journal)] == ["c0", "c2"]
    journal.append(make.decided("c3"))
    assert [call for call, _ in names(journal)] == ["c0", "c2", "c1", "c3"]


def test_what_was_written_together_survives_a_kill(tmp_path: Any) -> None:
    """Both siblings' intents and one result are on the disk when their writers go on; the rest is in doubt."""
    path = str(tmp_path / "killed.db")
    script = """
        import os, signal, sys, anyio
        from lookahead.journal import Intended, Journal, Resulted
        from lookahead.pen import Pen
        from lookahead.types import Action, Observation

        journal = Journal(sys.argv[1])
        pen = Pen(journal=journal, expected={"c1", "c2"})
        begun = []

        async def one(call):
            action = Action(tool="t", arguments={"call": call})
            await pen.write(Intended(run="r", call=call, action=action, action_digest=action.digest, effect="changes"))
            begun.append(call)
            if call == "c1":
                await pen.write(Resulted(run="r", call=call, tool="t", observation=Observation(content="done")))
                assert sorted(begun) == ["c1", "c2"], begun
                os.kill(os.getpid(), signal.SIGKILL)
            await anyio.sleep_forever()

        async def main():
            async with anyio.create_task_group() as group:
                group.start_soon(one, "c1")
                group.start_soon(one, "c2")

        anyio.run(main)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script), path], capture_output=True, text=True)
    assert ended.returncode == -9, ended.stderr
    with Journal(path, readonly=True) as found:
        assert found.verify().ok
        assert sorted(names(found)[:2]) == [("c1", "intended"), ("c2", "intended")]
        assert names(found)[2:] == [("c1", "resulted")]
        assert [doubt.call for doubt in found.in_doubt()] == ["c2"]
