import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import postgres_server
import pytest

from lookahead.errors import NotMyWorld, WorldError, WorldTimeout
from lookahead.types import Action, Observation, Origin, State, Tool
from lookahead.worlds.fork.database import DatabaseLimits
from lookahead.worlds.fork.postgres import PostgresFork

psycopg = pytest.importorskip("psycopg")

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(postgres_server.missing() is not None, reason=str(postgres_server.missing())),
]

STATE = State(tools=(Tool(name="db"),))


@pytest.fixture(scope="module")
def running() -> Iterator[str]:
    with postgres_server.server() as conninfo:
        build(conninfo)
        yield conninfo


@pytest.fixture
def conninfo(running: str) -> str:
    """A database that every test finds as the first one did, because a preview leaves no trace."""
    return running


@pytest.fixture
def own(running: str) -> Iterator[str]:
    """The same for a test that changes it for real."""
    yield running
    build(running)


def build(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("SET client_min_messages = error")
        connection.execute(postgres_server.SCHEMA)


def contents(conninfo: str) -> list[Any]:
    """Everything that a preview must leave alone: rows, the catalog, and where every sequence stands."""
    found: list[Any] = []
    with psycopg.connect(conninfo) as connection:
        for table in ("team", "member", "promise", "log", "reading", "trap"):
            found += connection.execute(f"SELECT '{table}', t.* FROM {table} t ORDER BY 2").fetchall()
        found += connection.execute(
            "SELECT oid::int, relname, relfilenode::int FROM pg_class "
            "WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
        ).fetchall()
        found += connection.execute("SELECT * FROM team_id_seq").fetchall()
        found += connection.execute("SELECT * FROM member_id_seq").fetchall()
    return found


def sql(text: str, **more: Any) -> Action:
    return Action(tool="db", arguments={"sql": text, **more})


def said(observation: Observation) -> set[tuple[str, str, str, int | None, int | None]]:
    assert observation.effects is not None
    return {(e.happened, e.target, e.what, e.before, e.after) for e in observation.effects}


async def preview(conninfo: str, text: str, **options: Any) -> Observation:
    before = contents(conninfo)
    async with PostgresFork(conninfo, **options) as fork:
        observation = await fork(STATE, sql(text))
    assert contents(conninfo) == before, "the preview left a trace"
    return observation


async def test_a_question_is_answered_and_nothing_changes(conninfo: str):
    observation = await preview(conninfo, "SELECT id, name FROM team ORDER BY id")
    assert observation.content == '[{"id": 1, "name": "red"}, {"id": 2, "name": "blue"}]'
    assert observation.effects == ()
    assert observation.origin.kind == "exact"


EXACTLY: list[tuple[str, set[object]]] = [
    (
        "DELETE FROM team WHERE id = 1",
        {
            ("deleted", "team", "row", 1, None),
            ("deleted", "member", "row", 2, None),
            ("created", "log", "row", None, 2),
        },
    ),
    (
        "WITH gone AS (DELETE FROM member WHERE team = 2 RETURNING id) SELECT count(*) FROM gone",
        {("deleted", "member", "row", 1, None), ("created", "log", "row", None, 1)},
    ),
    (
        "INSERT INTO team(id, name) VALUES (1, 'x'), (9, 'y') ON CONFLICT (id) DO UPDATE SET name = excluded.name",
        {("changed", "team", "row", 1, 1), ("created", "team", "row", None, 1)},
    ),
    ("TRUNCATE team CASCADE", {("deleted", "team", "row", 2, None), ("deleted", "member", "row", 3, None)}),
    (
        "DELETE FROM member WHERE id = 1; TRUNCATE member",
        {("deleted", "member", "row", 3, None), ("created", "log", "row", None, 1)},
    ),
    (
        "UPDATE reading SET day = 11 WHERE day = 1",
        {("deleted", "reading_one", "row", 1, None), ("created", "reading_two", "row", None, 1)},
    ),
    ("DROP TABLE member", {("deleted", "member", "table", 3, None)}),
    (
        "DROP TABLE reading",
        {
            ("deleted", "reading", "table", None, None),
            ("deleted", "reading_one", "table", 2, None),
            ("deleted", "reading_two", "table", 1, None),
        },
    ),
    ("CREATE TABLE copy AS SELECT * FROM member", {("created", "copy", "table", None, 3)}),
    ("SELECT * INTO other FROM team", {("created", "other", "table", None, 2)}),
    ("CREATE INDEX byname ON member(name)", {("created", "byname", "index", None, None)}),
    ("DROP VIEW peek_again", {("deleted", "peek_again", "view", None, None)}),
    ("ALTER TABLE team RENAME TO squad", {("changed", "team", "table", 2, 2)}),
    (
        "ALTER TABLE member DROP COLUMN name",
        {("changed", "member", "table", 3, 3), ("deleted", "member.name", "column", 3, None)},
    ),
    ("DROP FUNCTION dynamic", {("deleted", "dynamic", "function", None, None)}),
    (
        "DO $$ BEGIN DELETE FROM log; INSERT INTO log VALUES ('a'), ('b'); END $$",
        {("created", "log", "row", None, 2)},
    ),
    (
        "EXPLAIN ANALYZE DELETE FROM member WHERE id = 3",
        {("deleted", "member", "row", 1, None), ("created", "log", "row", None, 1)},
    ),
    ("NOTIFY door, 'ring'", {("sent", "a listening connection", "message", None, None)}),
    ("SELECT nextval('team_id_seq')", {("changed", "a sequence", "value", None, None)}),
    ("SELECT temp FROM reading", set()),
    ("EXPLAIN DELETE FROM team", set()),
]


async def test_effects_are_exact(conninfo: str):
    for text, expected in EXACTLY:
        observation = await preview(conninfo, text)
        assert not observation.failed, (text, observation.content)
        assert said(observation) == expected, text


async def test_an_imagined_row_gets_the_number_that_the_real_one_will_get(own: str):
    async with PostgresFork(own) as fork:
        for _ in range(3):
            assert (await fork(STATE, sql("INSERT INTO team(name) VALUES ('x') RETURNING id"))).content == '[{"id": 3}]'
        assert (await fork(STATE, sql("SELECT setval('team_id_seq', 90), nextval('member_id_seq')"))).failed is False
    with psycopg.connect(own) as connection:
        assert connection.execute("INSERT INTO team(name) VALUES ('x') RETURNING id").fetchone() == (3,)


async def test_a_sequence_that_is_not_ours_is_left_alone_unless_gaps_are_allowed(own: str):
    with psycopg.connect(own, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS clerk")
        connection.execute("CREATE ROLE clerk LOGIN")
        connection.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk")
        connection.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO clerk")
        connection.execute("GRANT USAGE ON SCHEMA public TO clerk")
    clerk = own.replace("user=postgres", "user=clerk")
    insert = sql("INSERT INTO team(name) VALUES ('x') RETURNING id")
    try:
        with pytest.raises(NotMyWorld, match="not ours to hand back"):
            await PostgresFork(clerk)(STATE, insert)
        assert (await PostgresFork(clerk)(STATE, sql("DELETE FROM log"))).effects == ()
        assert (await PostgresFork(clerk, sequences="advance")(STATE, insert)).content == '[{"id": 3}]'
        denied = await PostgresFork(clerk)(STATE, sql("DROP TABLE team"))
        assert denied.content == "must be owner of table team"
    finally:
        with psycopg.connect(own, autocommit=True) as connection:
            connection.execute("DROP OWNED BY clerk")
            connection.execute("DROP ROLE clerk")


WRONG = [
    "INSERT INTO team(name) VALUES ('red')",
    "INSERT INTO member(team) VALUES (1)",
    "INSERT INTO member(team, name) VALUES (77, 'x')",
    "INSERT INTO promise VALUES (1, 2)",
    "SELECT nope FROM team",
    "SELECT * FROM nowhere",
    "SELECT 1 FROM",
    "DROP TABLE team",
    "SELECT 1 / 0",
    "UPDATE team SET id = 'x'",
]


async def test_an_error_is_what_the_real_database_says(own: str):
    for text in WRONG:
        observation = await preview(own, text, tools={"db": "sql"})
        with psycopg.connect(own, autocommit=True) as connection, pytest.raises(psycopg.Error) as caught:
            connection.execute(text)
        assert observation.failed
        assert observation.content == str(caught.value)
        assert observation.effects == ()


async def test_several_statements_are_one_transaction(conninfo: str):
    fine = await preview(
        conninfo, "DELETE FROM log; CREATE TABLE t(a int); INSERT INTO t VALUES (1), (2); SELECT 5 AS five"
    )
    assert fine.content == '[{"five": 5}]'
    assert said(fine) == {("created", "t", "table", None, 2)}
    broken = await preview(conninfo, "DELETE FROM member; SELECT 1/0")
    assert broken.failed
    assert broken.effects == ()


async def test_what_a_rollback_cannot_take_back_is_not_imagined(conninfo: str):
    before = contents(conninfo)
    async with PostgresFork(conninfo, tools={"db": "sql"}) as fork:
        for text in postgres_server.BEYOND:
            try:
                observation = await fork(STATE, sql(text))
            except NotMyWorld:
                continue
            pytest.fail(f"{text!r} was imagined: {observation.content}")
    assert contents(conninfo) == before


async def test_a_table_that_a_trap_waits_on_can_still_be_read(conninfo: str):
    assert (await preview(conninfo, "SELECT * FROM trap")).content == "[]"


async def follow(fork: PostgresFork, *texts: str) -> tuple[State, list[Observation]]:
    state, seen = STATE, list[Observation]()
    for text in texts:
        observation = await fork(state, sql(text))
        state = state.then(sql(text), observation)
        seen.append(observation)
    return state, seen


async def test_a_second_imagined_step_sees_what_the_first_did(conninfo: str):
    before = contents(conninfo)
    async with PostgresFork(conninfo) as fork:
        _, seen = await follow(
            fork,
            "DELETE FROM member WHERE id = 1",
            "SELECT count(*) AS n FROM member",
            "INSERT INTO team(name) VALUES ('y') RETURNING id",
            "INSERT INTO team(name) VALUES ('z') RETURNING id",
            "INSERT INTO promise VALUES (1, 2)",
            "DELETE FROM member",
        )
    assert [o.content for o in seen[1:4]] == ['[{"n": 2}]', '[{"id": 3}]', '[{"id": 4}]']
    assert seen[4].failed
    assert said(seen[5]) == {("deleted", "member", "row", 2, None), ("created", "log", "row", None, 2)}
    assert contents(conninfo) == before


async def test_a_future_that_reality_has_overtaken_is_not_answered(own: str):
    async with PostgresFork(own) as fork:
        state, _ = await follow(fork, "DELETE FROM member")
        with psycopg.connect(own) as connection:
            connection.execute("DELETE FROM member WHERE id = 1")
        with pytest.raises(NotMyWorld, match="came out differently"):
            await fork(state, sql("SELECT 1"))
        model = Observation(content="done", origin=Origin(kind="model", world="m"))
        with pytest.raises(NotMyWorld, match="answered by m"):
            await fork(STATE.then(Action(tool="shell"), model), sql("SELECT 1"))


async def test_parameters_are_bound_in_either_style(conninfo: str):
    async with PostgresFork(conninfo) as fork:
        for action in (
            sql("SELECT name FROM team WHERE id = %s", params=[1]),
            sql("SELECT name FROM team WHERE id = $1", params=[1]),
            sql("SELECT name FROM team WHERE id = %(id)s", params={"id": 1}),
        ):
            assert (await fork(STATE, action)).content == '[{"name": "red"}]'
        deleted = await fork(STATE, sql("DELETE FROM team WHERE name = $1", params=["red"]))
        assert deleted.content == "1 row changed"


async def test_rows_that_come_back_are_bounded(conninfo: str):
    observation = await preview(conninfo, "SELECT generate_series(1, 100000000) AS i", limits=DatabaseLimits(rows=2))
    assert observation.content == '[{"i": 1}, {"i": 2}]\n(only the first 2 rows are shown)'


async def test_a_lock_that_the_application_holds_is_a_clear_error(conninfo: str):
    with psycopg.connect(conninfo) as application:
        application.execute("UPDATE team SET name = 'crimson' WHERE id = 1")
        async with PostgresFork(conninfo, limits=DatabaseLimits(busy_seconds=0.1)) as fork:
            with pytest.raises(WorldError, match="holds a lock"):
                await fork(STATE, sql("DELETE FROM team WHERE id = 1"))
            assert (await fork(STATE, sql("DELETE FROM log"))).effects == ()


async def test_a_statement_that_takes_too_long_is_stopped(conninfo: str):
    async with PostgresFork(conninfo, limits=DatabaseLimits(seconds=0.4)) as fork:
        with pytest.raises(WorldTimeout):
            await fork(STATE, sql("SELECT pg_sleep(60)"))
        with pytest.raises(WorldTimeout):
            await fork(STATE, sql("INSERT INTO log SELECT pg_sleep(60)::text"))


async def test_a_cancelled_preview_leaves_no_connection_behind(conninfo: str):
    async with PostgresFork(conninfo) as fork:
        with anyio.move_on_after(0.4) as scope:
            await fork(STATE, sql("DELETE FROM log; SELECT pg_sleep(60)"))
        assert scope.cancelled_caught
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '60s'")
        connection.execute("TRUNCATE log")
        others = (
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND query LIKE '%pg_sleep(60)'"
        )
        with anyio.fail_after(60):
            while connection.execute(others + " AND state = 'active'").fetchone() != (0,):
                await anyio.lowlevel.checkpoint()


async def test_a_server_that_is_not_there_is_a_clear_error(tmp_path: Path):
    fork = PostgresFork(f"host={tmp_path} user=postgres dbname=postgres")
    with pytest.raises(WorldError, match="connecting"):
        await fork(STATE, sql("SELECT 1"))


async def test_a_connection_can_be_made_by_a_function(conninfo: str):
    fork = PostgresFork(lambda: psycopg.connect(conninfo))
    assert (await fork(STATE, sql("SELECT 1 AS one"))).content == '[{"one": 1}]'


def test_the_driver_is_imported_late_and_missed_politely(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(Exception, match=r'pip install "lookahead-agents\[postgres\]"'):
        PostgresFork("dbname=x")
