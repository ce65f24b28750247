import hashlib
import sqlite3
from pathlib import Path

import pytest

from lookahead.errors import NotMyWorld, WorldError
from lookahead.types import Action, Effect, Observation, State, Tool
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


def foreign_keys(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA foreign_keys=ON")


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


async def preview(path: Path, text: str, **options: object) -> Observation:
    before = trace(path)
    async with SqliteFork(path, **options) as fork:  # pyright: ignore[reportArgumentType]
        observation = await fork(STATE, sql(text))
    assert trace(path) == before, "the preview left a trace"
    return observation


async def test_a_question_is_answered_and_nothing_changes(path: Path):
    observation = await preview(path, "SELECT id, name FROM team WHERE id < 3 ORDER BY id")
    assert observation.content == '[{"id": 1, "name": "red"}, {"id": 2, "name": "blue"}]'
    assert observation.effects == ()
    assert (observation.origin.kind, observation.origin.world) == ("exact", "fork:sqlite")
    assert observation.imagined


async def test_rows_are_counted_in_every_table_that_a_cascade_and_a_trigger_reach(path: Path):
    observation = await preview(path, "DELETE FROM team WHERE id = 1", prepare=foreign_keys)
    assert observation.content == "1 row changed"
    assert said(observation) == {
        ("deleted", "team", "row", 1, None),
        ("deleted", "member", "row", 2, None),
        ("created", "log", "row", None, 2),
    }


async def test_the_detail_shows_how_many_of_how_many_and_a_few_rows(path: Path):
    observation = await preview(path, "UPDATE member SET name = name || '!' WHERE team = 1")
    assert observation.effects is not None
    (effect,) = observation.effects
    assert (effect.happened, effect.unit) == ("changed", "rows")
    assert effect.detail == "2 of 3 rows\nid=1, name='Ann' → 'Ann!'\nid=2, name='Bob' → 'Bob!'"


async def test_an_update_that_sets_what_is_there_already_changes_nothing(path: Path):
    assert (await preview(path, "UPDATE member SET name = name")).effects == ()


EXACTLY: list[tuple[str, set[object]]] = [
    (
        "INSERT OR REPLACE INTO team VALUES (9, 'red')",
        {("created", "team", "row", None, 1), ("deleted", "team", "row", 1, None)},
    ),
    ("REPLACE INTO team VALUES (1, 'crimson')", {("changed", "team", "row", 1, 1)}),
    ("REPLACE INTO pair VALUES ('x', 1, 'uno')", {("changed", "pair", "row", 1, 1)}),
    (
        "INSERT INTO team VALUES (1, 'a'), (7, 'b') ON CONFLICT(id) DO UPDATE SET name = excluded.name",
        {("changed", "team", "row", 1, 1), ("created", "team", "row", None, 1)},
    ),
    ("DELETE FROM log", set()),
    ("DELETE FROM pair", {("deleted", "pair", "row", 2, None)}),
    ("UPDATE pair SET b = b + 10", {("created", "pair", "row", None, 2), ("deleted", "pair", "row", 2, None)}),
    ("DROP TABLE member", {("deleted", "member", "table", 3, None)}),
    ("DROP VIEW names", {("deleted", "names", "view", None, None)}),
    ("DROP TRIGGER gone", {("deleted", "gone", "trigger", None, None)}),
    ("CREATE INDEX byname ON member(name)", {("created", "byname", "index", None, None)}),
    ("CREATE TABLE copy AS SELECT * FROM member", {("created", "copy", "table", None, 3)}),
    ("ALTER TABLE member RENAME TO person", {("changed", "member", "table", 3, 3)}),
    ("ALTER TABLE log ADD COLUMN who", {("changed", "log", "table", 0, 0)}),
    ("ALTER TABLE log RENAME COLUMN at TO moment", {("changed", "log", "table", 0, 0)}),
    (
        "ALTER TABLE pair DROP COLUMN v",
        {("changed", "pair", "table", 2, 2), ("deleted", "pair.v", "column", 2, None)},
    ),
    ("PRAGMA user_version = 7", {("changed", "user_version", "value", None, None)}),
    ("EXPLAIN DELETE FROM team", set()),
]


async def test_effects_are_exact(path: Path):
    for text, expected in EXACTLY:
        observation = await preview(path, text)
        assert not observation.failed, text
        assert said(observation) == expected, text


async def test_writing_to_a_view_counts_where_its_trigger_writes(tmp_path: Path):
    path = tmp_path / "app.db"
    make(
        path,
        "CREATE TABLE t(v); CREATE VIEW w AS SELECT v FROM t;"
        "CREATE TRIGGER i INSTEAD OF INSERT ON w BEGIN INSERT INTO t VALUES (new.v), (new.v + 1); END;",
    )
    assert said(await preview(path, "INSERT INTO w VALUES (1)")) == {("created", "t", "row", None, 2)}


async def test_a_full_text_index_is_counted_as_the_table_it_looks_like(path: Path):
    make(path, "CREATE VIRTUAL TABLE note USING fts5(body); INSERT INTO note VALUES ('a'), ('b')")
    assert said(await preview(path, "DELETE FROM note WHERE note MATCH 'a'")) == {("deleted", "note", "row", 1, None)}


WRONG = [
    "INSERT INTO member VALUES (1, 1, 'Twin')",
    "INSERT INTO member(id) VALUES (77)",
    "SELECT * FROM nowhere",
    "SELEC 1",
    "INSERT INTO team VALUES (1)",
    "DROP TABLE nowhere",
    "ALTER TABLE pair DROP COLUMN a",
    "SELECT now()",
    "DELETE FROM names",
    "SELECT 'open",
    "SELECT abs(-9223372036854775808)",
]


async def test_an_error_is_what_the_real_database_says(path: Path):
    for text in WRONG:
        observation = await preview(path, text, tools={"db": "sql"})
        connection = sqlite3.connect(path)
        with pytest.raises(sqlite3.Error) as caught:
            connection.execute(text).fetchall()
        connection.close()
        assert observation.failed
        assert observation.content == str(caught.value)
        assert observation.effects == ()


async def test_what_a_failing_statement_did_before_it_failed_is_counted(tmp_path: Path):
    path = tmp_path / "app.db"
    make(path, "CREATE TABLE t(v UNIQUE)")
    kept = await preview(path, "INSERT OR FAIL INTO t VALUES (1), (2), (1)")
    assert kept.failed
    assert said(kept) == {("created", "t", "row", None, 2)}
    dropped = await preview(path, "INSERT OR ROLLBACK INTO t VALUES (1), (2), (1)")
    assert dropped.failed
    assert dropped.effects == ()


BEYOND = [
    "COMMIT",
    "END",
    "ROLLBACK",
    "/* hello */ commit",
    "BEGIN",
    "SAVEPOINT a",
    "RELEASE a",
    "ATTACH 'other.db' AS other",
    "DETACH main",
    "VACUUM",
    "VACUUM INTO 'stolen.db'",
    "-- c\nVACUUM main INTO 'stolen.db'",
    "PRAGMA journal_mode = WAL",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA writable_schema = ON",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA auto_vacuum = FULL",
    "PRAGMA incremental_vacuum",
    "PRAGMA main.locking_mode = EXCLUSIVE",
    "PRAGMA temp_store_directory = '/tmp'",
    "PRAGMA optimize",
    "SELECT load_extension('evil')",
    "SELECT fts3_tokenizer('simple', x'00')",
    "CREATE TEMP TABLE mine(a)",
    "CREATE TEMP TRIGGER mine AFTER INSERT ON team BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE f USING csv(filename='/etc/passwd')",
    "SELECT * FROM sqlite_temp_master",
    "SELECT last_insert_rowid()",
    "SELECT total_changes()",
    "BEGIN; DELETE FROM team",
    "DELETE FROM team; ATTACH 'other.db' AS other; CREATE TABLE other.t(a)",
    "DELETE FROM team; VACUUM INTO 'stolen.db'",
    "SELECT 1; PRAGMA journal_mode=WAL",
]


async def test_what_a_rollback_cannot_take_back_is_not_imagined(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(path.parent)
    before = trace(path)
    async with SqliteFork(path) as fork:
        for text in BEYOND:
            try:
                observation = await fork(STATE, sql(text))
            except NotMyWorld:
                continue
            pytest.fail(f"{text!r} was imagined: {observation.content}")
    assert trace(path) == before


async def test_a_call_that_carries_no_sql_is_not_ours(path: Path):
    async with SqliteFork(path) as fork:
        for arguments in ({"query": "hotels in Rome"}, {"query": "select hotels in Rome"}, {"path": "x"}, {"sql": 3}):
            with pytest.raises(NotMyWorld):
                await fork(STATE, Action(tool="search", arguments=arguments))  # pyright: ignore[reportArgumentType]
        with pytest.raises(NotMyWorld, match="'database'"):
            await fork(STATE, sql("SELECT 1", database="prod"))
    async with SqliteFork(path, tools={"db_*": "text"}) as fork:
        with pytest.raises(NotMyWorld):
            await fork(STATE, sql("SELECT 1"))
        observation = await fork(STATE, Action(tool="db_run", arguments={"text": "SELECT 1 AS one"}))
        assert observation.content == '[{"one": 1}]'


async def test_parameters_are_bound(path: Path):
    async with SqliteFork(path) as fork:
        listed = await fork(STATE, sql("DELETE FROM member WHERE name = ?", params=["Ann"]))
        named = await fork(STATE, sql("DELETE FROM member WHERE name = :n", parameters={"n": "Bob"}))
        wrong = await fork(STATE, sql("DELETE FROM member WHERE name = ?", params=[]))
    assert listed.content == named.content == "1 row changed"
    assert wrong.failed
    assert "Incorrect number of bindings" in wrong.content


async def test_a_script_commits_statement_by_statement_on_a_private_copy(path: Path):
    observation = await preview(
        path,
        "BEGIN; INSERT INTO team VALUES (4, 'x;y'); COMMIT; -- now;\n"
        "INSERT INTO member VALUES (9, last_insert_rowid(), 'Zoe'); BEGIN; DELETE FROM team; ROLLBACK; "
        "SELECT count(*) AS n FROM team;",
    )
    assert observation.content == '[{"n": 4}]'
    assert said(observation) == {("created", "team", "row", None, 1), ("created", "member", "row", None, 1)}


async def test_a_failing_script_keeps_what_it_did_before(path: Path):
    script = "DELETE FROM log; DELETE FROM pair WHERE b = 1; SELECT * FROM nowhere; DROP TABLE pair"
    observation = await preview(path, script, tools={"db": "sql"})
    assert observation.failed
    assert observation.content == "no such table: nowhere"
    assert said(observation) == {("deleted", "pair", "row", 1, None)}


async def test_a_tool_that_takes_one_statement_refuses_a_script_as_its_driver_does(path: Path):
    observation = await preview(path, "DELETE FROM team; COMMIT; DELETE FROM member", scripts=False)
    assert observation.content == "You can only execute one statement at a time."
    assert observation.failed
    assert observation.effects == ()


async def test_the_usual_way_to_rebuild_a_table_loses_no_rows(path: Path):
    observation = await preview(
        path,
        "CREATE TABLE new_pair(a TEXT, b INTEGER, v, w, PRIMARY KEY(a, b)) WITHOUT ROWID; "
        "INSERT INTO new_pair SELECT a, b, v, 0 FROM pair; DROP TABLE pair; ALTER TABLE new_pair RENAME TO pair",
    )
    assert said(observation) == {("changed", "pair", "table", 2, 2)}


async def test_a_renamed_table_that_also_loses_rows_says_both(path: Path):
    observation = await preview(path, "ALTER TABLE pair RENAME TO twin; DELETE FROM twin WHERE b = 1")
    assert said(observation) == {("changed", "pair", "table", 2, 1), ("deleted", "pair", "row", 1, None)}


async def test_a_foreign_key_that_is_checked_at_the_commit_is_checked(tmp_path: Path):
    path = tmp_path / "app.db"
    make(path, "CREATE TABLE a(id PRIMARY KEY); CREATE TABLE b(a REFERENCES a DEFERRABLE INITIALLY DEFERRED)")
    observation = await preview(path, "INSERT INTO b VALUES (1)", prepare=foreign_keys)
    assert observation.content == "FOREIGN KEY constraint failed"
    assert observation.effects == ()


async def test_rows_that_come_back_are_bounded(path: Path):
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000) SELECT i, {} AS v FROM n"
    few = await preview(path, numbers.format("1"), limits=DatabaseLimits(rows=3))
    assert few.content.endswith('{"i": 3, "v": 1}]\n(only the first 3 rows are shown)')
    wide = await preview(path, numbers.format("printf('%.1000c', 'x')"), limits=DatabaseLimits(characters=5000))
    assert len(wide.content) < 7000
    with pytest.raises(WorldError, match="too big"):
        await preview(path, "SELECT zeroblob(100000000)")


async def test_a_preview_that_grows_without_end_is_stopped(path: Path):
    with pytest.raises(WorldError, match="full"):
        await preview(
            path,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 9000) "
            "INSERT INTO log SELECT printf('%.1000c', 'x'), i FROM n",
            limits=DatabaseLimits(growth_bytes=1_000_000),
        )


async def test_the_connection_can_be_made_like_the_tools_but_not_change_the_file(path: Path):
    def like_the_tool(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode=TRUNCATE")
        connection.execute("PRAGMA user_version=99")
        connection.create_function("shout", 1, lambda text: text.upper() + "!")

    observation = await preview(path, "SELECT shout(name) AS s FROM team WHERE id = 1", prepare=like_the_tool)
    assert observation.content == '[{"s": "RED!"}]'
    await preview(path, "UPDATE team SET name = shout(name)", prepare=like_the_tool)


async def test_a_missing_database_and_one_that_is_no_database_are_clear_errors(tmp_path: Path):
    async with SqliteFork(tmp_path / "none.db") as fork:
        with pytest.raises(WorldError, match="there is no database at"):
            await fork(STATE, sql("SELECT 1"))
    (tmp_path / "text.db").write_text("not a database at all, " * 100)
    async with SqliteFork(tmp_path / "text.db") as fork:
        with pytest.raises(WorldError, match="not a database"):
            await fork(STATE, sql("SELECT * FROM t"))
    assert not (tmp_path / "none.db").exists()


async def test_text_in_rows_is_only_data(path: Path):
    make(path, "INSERT INTO team VALUES (8, '{0.__class__} [bold]%s')")
    observation = await preview(path, "DELETE FROM team WHERE id = 8")
    assert observation.effects is not None
    effect: Effect = observation.effects[0]
    assert "{0.__class__} [bold]%s" in effect.detail
