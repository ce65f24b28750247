import hashlib
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import anyio
import pytest

from lookahead.errors import NotMyWorld, WorldError, WorldTimeout
from lookahead.types import Action, Copying, Observation, Origin, State, Tool
from lookahead.worlds.fork.database import DatabaseLimits
from lookahead.worlds.fork.sqlite import SqliteFork

pytestmark = pytest.mark.anyio

STATE = State(tools=(Tool(name="db"),))
SCHEMA = """
CREATE TABLE team(id INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE member(id INTEGER PRIMARY KEY, team REFERENCES team ON DELETE CASCADE, name TEXT NOT NULL);
CREATE TABLE log(what TEXT, at INTEGER);
CREATE TABLE pair(a TEXT, b INTEGER, v, PRIMARY KEY(a, b)) WITHOUT ROWID;
CREATE TRIGGER gone AFTER DELETE ON member BEGIN INSERT INTO log VALUES ('gone ' || old.name, old.id); END;
CREATE VIEW names AS SELECT name FROM member;
INSERT INTO team VALUES (1, 'red'), (2, 'blue'), (3, 'green');
INSERT INTO member VALUES (1, 1, 'Ann'), (2, 1, 'Bob'), (3, 2, 'Cid');
INSERT INTO pair VALUES ('x', 1, 'one'), ('x', 2, 'two');
"""


@pytest.fixture(params=["delete", "wal"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    found = tmp_path / "app#1?.db"
    make(found, SCHEMA, mode=str(request.param))
    return found


def make(path: Path, script: str, mode: str = "delete") -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA journal_mode={mode}")
    connection.executescript(script)
    connection.commit()
    connection.close()


def trace(path: Path) -> dict[str, str]:
    """Every file beside the database and its bytes."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(path.parent.iterdir())}


def sql(text: str, **more: object) -> Action:
    return Action(tool="db", arguments={"sql": text, **more})  # pyright: ignore[reportArgumentType]


def said(observation: Observation) -> set[tuple[str, str, str, int | None, int | None]]:
    assert observation.effects is not None
    return {(e.happened, e.target, e.what, e.before, e.after) for e in observation.effects}


async def follow(fork: SqliteFork, *texts: str) -> tuple[State, list[Observation]]:
    state, seen = STATE, list[Observation]()
    for text in texts:
        observation = await fork(state, sql(text))
        state = state.then(sql(text), observation)
        seen.append(observation)
    return state, seen


async def test_a_second_imagined_step_sees_what_the_first_did(path: Path):
    before = trace(path)
    async with SqliteFork(path) as fork:
        _, seen = await follow(
            fork,
            "DELETE FROM member WHERE id = 1",
            "SELECT count(*) AS n FROM member",
            "DELETE FROM member",
            "SELECT count(*) AS n FROM log",
        )
        assert [o.content for o in seen] == ["1 row changed", '[{"n": 2}]', "2 rows changed", '[{"n": 3}]']
        assert said(seen[2]) == {("deleted", "member", "row", 2, None), ("created", "log", "row", None, 2)}
        assert (await fork(STATE, sql("SELECT count(*) AS n FROM member"))).content == '[{"n": 3}]'
    assert trace(path) == before


async def test_branches_of_one_imagined_state_do_not_see_each_other(path: Path):
    async with SqliteFork(path) as fork:
        state, _ = await follow(fork, "DELETE FROM member WHERE id = 1")
        answers: dict[int, str] = {}

        async def branch(number: int) -> None:
            action = sql(f"INSERT INTO team VALUES ({10 + number}, 'b{number}')")
            after = state.then(action, await fork(state, action))
            answers[number] = (await fork(after, sql("SELECT max(id) AS m, count(*) AS n FROM team"))).content

        async with anyio.create_task_group() as group:
            for number in range(6):
                group.start_soon(branch, number)
    assert answers == {n: f'[{{"m": {10 + n}, "n": 4}}]' for n in range(6)}


async def test_a_discarded_copy_is_made_again_by_replaying(path: Path):
    async with SqliteFork(path) as fork:
        assert isinstance(fork, Copying)
        state, _ = await follow(fork, "DELETE FROM member WHERE id = 1", "DELETE FROM member WHERE id = 2")
        await fork.discard()
        assert (await fork(state, sql("SELECT name FROM member"))).content == '[{"name": "Cid"}]'


async def test_a_future_that_reality_has_overtaken_is_not_answered(path: Path):
    async with SqliteFork(path) as fork:
        state, _ = await follow(fork, "DELETE FROM member")
        make(path, "DELETE FROM member WHERE id = 1", mode="delete")
        with pytest.raises(NotMyWorld, match="came out differently"):
            await fork(state, sql("SELECT 1"))


async def test_a_branch_with_a_change_that_this_world_cannot_replay_is_not_answered(path: Path):
    model = Observation(content="done", origin=Origin(kind="model", world="m"))
    async with SqliteFork(path, tools={"db": "sql"}) as fork:
        with pytest.raises(NotMyWorld, match="answered by m"):
            await fork(STATE.then(Action(tool="shell"), model), sql("SELECT 1"))
        with pytest.raises(NotMyWorld):
            await fork(STATE.then(sql("VACUUM"), model), sql("SELECT 1"))


async def test_the_application_reads_while_a_preview_writes_and_a_busy_database_is_a_clear_error(path: Path):
    application = sqlite3.connect(path, isolation_level=None)
    application.execute("BEGIN IMMEDIATE")
    async with SqliteFork(path, limits=DatabaseLimits(busy_seconds=0.05)) as fork:
        with pytest.raises(WorldError, match="locked by its application"):
            await fork(STATE, sql("DELETE FROM team"))
        assert (await fork(STATE, sql("SELECT count(*) AS n FROM team"))).content == '[{"n": 3}]'
        application.execute("ROLLBACK")
        assert (await fork(STATE, sql("DELETE FROM team"))).content == "3 rows changed"
    application.execute("DELETE FROM team WHERE id = 1")
    application.close()


async def test_committed_rows_that_only_the_log_holds_are_seen_and_left_there(tmp_path: Path):
    path = tmp_path / "app.db"
    make(path, SCHEMA, mode="wal")
    application = sqlite3.connect(path, isolation_level=None)
    application.execute("INSERT INTO team VALUES (4, 'new')")
    crashed = {name: (tmp_path / name).read_bytes() for name in ("app.db", "app.db-wal")}
    application.close()
    lone = tmp_path / "crashed"
    lone.mkdir()
    for name, data in crashed.items():
        (lone / name).write_bytes(data)
    async with SqliteFork(lone / "app.db") as fork:
        assert (await fork(STATE, sql("SELECT count(*) AS n FROM team"))).content == '[{"n": 4}]'
        assert (await fork(STATE, sql("DELETE FROM team"))).content == "4 rows changed"
    assert {name: (lone / name).read_bytes() for name in crashed} == crashed


async def test_a_statement_that_takes_too_long_is_stopped(path: Path):
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    async with SqliteFork(path, limits=DatabaseLimits(seconds=0.2)) as fork:
        with pytest.raises(WorldTimeout):
            await fork(STATE, sql(endless + "SELECT count(*) FROM n"))
        with pytest.raises(WorldTimeout):
            await fork(STATE, sql(endless + "INSERT INTO log SELECT 'x', i FROM n"))


async def test_a_cancelled_preview_stops_and_frees_the_database(path: Path):
    before = trace(path)
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) DELETE FROM log WHERE at IN (SELECT i FROM n)"
    )
    threads = threading.active_count()
    async with SqliteFork(path, limits=DatabaseLimits(seconds=60)) as fork:
        make(path, "INSERT INTO log VALUES ('x', -1)")
        before = trace(path)
        with anyio.move_on_after(0.2) as scope:
            await fork(STATE, sql(endless))
        assert scope.cancelled_caught
        assert trace(path) == before
        application = sqlite3.connect(path, timeout=0)
        application.execute("DELETE FROM team")
        application.rollback()
        application.close()
    assert threading.active_count() <= threads + 4


CRASH = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN")
connection.executemany("INSERT INTO log VALUES (?, ?)", (("x" * 1000, n) for n in range(5000)))
os._exit(0)
"""
PREVIEW = """
import sys, anyio
from lookahead.types import Action, State
from lookahead.worlds.fork import DatabaseLimits, SqliteFork
async def main():
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    endless = numbers + "INSERT INTO log SELECT hex(randomblob(500)), i FROM n"
    async with SqliteFork(sys.argv[1], limits=DatabaseLimits(seconds=60)) as fork:
        await fork(State(), Action(tool="db", arguments={"sql": endless}))
anyio.run(main)
"""


async def test_a_database_whose_application_crashed_is_not_recovered_behind_its_back(tmp_path: Path):
    path = tmp_path / "app.db"
    make(path, SCHEMA)
    await anyio.run_process([sys.executable, "-c", CRASH, str(path)])
    assert (tmp_path / "app.db-journal").exists()
    before = trace(path)
    async with SqliteFork(path) as fork:
        for text in ("SELECT * FROM team", "DELETE FROM team", "DELETE FROM team; SELECT 1"):
            with pytest.raises(WorldError, match="open it once with the application"):
                await fork(STATE, sql(text))
    assert trace(path) == before


def test_a_preview_that_is_killed_leaves_the_database_as_it_was(path: Path):
    main = path.read_bytes()
    process = subprocess.Popen([sys.executable, "-c", PREVIEW, str(path)])
    try:
        application = sqlite3.connect(path, timeout=0, isolation_level=None)
        while True:  # Until the preview holds the write lock, and so is in the middle of its statement.
            try:
                application.execute("BEGIN IMMEDIATE")
                application.execute("ROLLBACK")
            except sqlite3.OperationalError:
                break
            assert process.poll() is None
    finally:
        process.kill()
        process.wait()
    assert application.execute("SELECT count(*) FROM log").fetchone() == (0,)
    application.execute("INSERT INTO log VALUES ('after', 1)")
    assert application.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert not Path(f"{path}-journal").exists()
    application.close()
    assert len(path.read_bytes()) == len(main)
