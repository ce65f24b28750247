"""Random schemas and statements: what a preview says is what a real run on a copy of the file does."""

import hashlib
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from pathlib import Path

import anyio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookahead.errors import NotMyWorld
from lookahead.types import Action, State
from lookahead.worlds.fork.sqlite import SqliteFork

NAMES = ("t", "u", "v")
VALUES = st.sampled_from(["NULL", "0", "1", "2", "1.0", "'a'", "'A'", "'b'", "x'00'", "9"])
LIMIT = settings(
    max_examples=int(os.environ.get("LOOKAHEAD_EXAMPLES", "40")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@st.composite
def schema(draw: st.DrawFn) -> str:
    parts: list[str] = []
    for name in NAMES:
        key = draw(st.sampled_from(["a INTEGER PRIMARY KEY", "a TEXT COLLATE NOCASE PRIMARY KEY", "a", "a UNIQUE"]))
        options = draw(st.sampled_from(["", "", " WITHOUT ROWID"])) if "PRIMARY" in key else ""
        unique = draw(st.sampled_from(["", " UNIQUE", " UNIQUE ON CONFLICT REPLACE", " NOT NULL", " DEFAULT 5"]))
        action = draw(st.sampled_from(["CASCADE", "SET NULL", "RESTRICT", "NO ACTION DEFERRABLE INITIALLY DEFERRED"]))
        refers = (
            "" if name == "t" else draw(st.sampled_from(["", f" REFERENCES t(a) ON DELETE {action} ON UPDATE CASCADE"]))
        )
        parts.append(f"CREATE TABLE {name}({key}, b{unique}, c{refers}){options};")
    for number in range(draw(st.integers(0, 2))):
        source, target = draw(st.sampled_from(NAMES)), draw(st.sampled_from(NAMES))
        event = draw(st.sampled_from(["INSERT", "DELETE", "UPDATE"]))
        when = draw(st.sampled_from(["BEFORE", "AFTER"]))
        body = draw(statement(target))
        parts.append(f"CREATE TRIGGER tr{number} {when} {event} ON {source} BEGIN {body}; END;")
    for name in NAMES:
        parts += [f"INSERT OR IGNORE INTO {name} VALUES ({', '.join(draw(st.tuples(VALUES, VALUES, VALUES)))});"] * 1
        for _ in range(draw(st.integers(0, 4))):
            parts.append(f"INSERT OR IGNORE INTO {name} VALUES ({', '.join(draw(st.tuples(VALUES, VALUES, VALUES)))});")
    return "\n".join(parts)


@st.composite
def statement(draw: st.DrawFn, table: str | None = None) -> str:
    name = table or draw(st.sampled_from(NAMES))
    one, two, three = draw(VALUES), draw(VALUES), draw(VALUES)
    column = draw(st.sampled_from("abc"))
    conflict = draw(st.sampled_from(["", " OR REPLACE", " OR IGNORE", " OR FAIL", " OR ABORT"]))
    kinds = [
        f"INSERT{conflict} INTO {name} VALUES ({one}, {two}, {three})",
        f"INSERT{conflict} INTO {name} SELECT a, c, b FROM {draw(st.sampled_from(NAMES))}",
        f"UPDATE{conflict} {name} SET {column} = {one} WHERE b IS NOT {two}",
        f"UPDATE{conflict} {name} SET {column} = {column} + 1",
        f"DELETE FROM {name} WHERE {column} >= {one}",
        f"DELETE FROM {name}",
    ]
    return draw(st.sampled_from(kinds))


@st.composite
def call(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(NAMES))
    single = draw(
        st.one_of(
            statement(),
            statement(),
            st.sampled_from(
                [
                    f"INSERT INTO {name} VALUES (1, 2, 3), (9, 9, 9) ON CONFLICT DO UPDATE SET b = excluded.b",
                    f"DROP TABLE {name}",
                    f"CREATE TABLE w AS SELECT * FROM {name}",
                    f"ALTER TABLE {name} ADD COLUMN d DEFAULT 3",
                    f"SELECT * FROM {name} ORDER BY 1, 2, 3",
                    f"DELETE FROM {name} RETURNING b",
                ]
            ),
        )
    )
    more = draw(st.lists(statement(), max_size=2)) if draw(st.integers(0, 3)) == 0 else []
    return "; ".join([single, *more])


def contents(connection: sqlite3.Connection) -> dict[str, Counter[tuple[object, ...]]]:
    found: dict[str, Counter[tuple[object, ...]]] = {}
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    for (name,) in names.fetchall():
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
        typed = ", ".join(f"{column}, typeof({column})" for column in columns)
        found[str(name)] = Counter(connection.execute(f"SELECT {typed} FROM {name}").fetchall())
    return found


def run_for_real(
    path: Path, text: str, foreign_keys: bool
) -> tuple[str | None, dict[str, Counter[tuple[object, ...]]]]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA foreign_keys={foreign_keys:d}")
    error = None
    try:
        connection.executescript(text)
    except sqlite3.Error as caught:
        error = str(caught)
    after = contents(connection)
    connection.close()
    return error, after


async def imagine(path: Path, texts: list[str], foreign_keys: bool) -> list[object]:
    def prepare(connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA foreign_keys={foreign_keys:d}")

    state, seen = State(), list[object]()
    async with SqliteFork(path, tools={"db": "sql"}, prepare=prepare) as fork:
        for text in texts:
            action = Action(tool="db", arguments={"sql": text})
            observation = await fork(state, action)
            state = state.then(action, observation)
            seen.append(observation)
    return seen


@LIMIT
@given(schema(), st.lists(call(), min_size=1, max_size=3), st.booleans(), st.sampled_from(["DELETE", "WAL"]))
def test_a_preview_says_what_a_real_run_does(script: str, texts: list[str], foreign_keys: bool, mode: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, copy = Path(folder) / "real.db", Path(folder) / "copy.db"
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute(f"PRAGMA journal_mode={mode}")
        for line in script.splitlines():
            try:
                connection.execute(line)
            except sqlite3.Error:
                continue
        before = contents(connection)
        keyed = "SELECT name FROM sqlite_master WHERE sql LIKE '%PRIMARY KEY%'"
        unkeyed = before.keys() - {name for (name,) in connection.execute(keyed)} | {"w"}
        connection.close()
        shutil.copy(path, copy)
        digest = hashlib.sha256(path.read_bytes()).digest()
        listing = sorted(os.listdir(folder))
        try:
            seen = anyio.run(imagine, path, texts, foreign_keys)
        finally:
            assert hashlib.sha256(path.read_bytes()).digest() == digest
            assert sorted(os.listdir(folder)) == listing
        for text, observation in zip(texts, seen, strict=True):
            error, after = run_for_real(copy, text, foreign_keys)
            assert observation.failed == (error is not None)
            if error is not None:
                assert observation.content == error
            check(before, after, observation.effects, unkeyed)
            before = after


def check(
    before: dict[str, Counter[tuple[object, ...]]],
    after: dict[str, Counter[tuple[object, ...]]],
    effects: object,
    unkeyed: set[str],
) -> None:
    said: dict[str, Counter[str]] = {}
    for effect in effects:  # pyright: ignore[reportGeneralTypeIssues]
        if effect.what == "row":
            said.setdefault(effect.target, Counter())[effect.happened] += effect.before or effect.after
        elif effect.what == "table":
            said.setdefault(effect.target, Counter())[f"table {effect.happened}"] += 1
            if effect.happened != "changed":
                rows = (before if effect.happened == "deleted" else after)[effect.target]
                assert (effect.before or effect.after or 0) == rows.total()
    for name in before.keys() | after.keys():
        counts = said.get(name, Counter[str]())
        if name not in after or name not in before:
            assert counts["table deleted" if name not in after else "table created"] == 1
            continue
        if counts["table changed"]:
            assert counts["deleted"] - counts["created"] == before[name].total() - after[name].total()
            continue
        gone, came = before[name] - after[name], after[name] - before[name]
        # A row without a primary key is known by its place, so one that was replaced by its like counts as moved.
        moved = counts["deleted"] + counts["changed"] - gone.total()
        assert moved == 0 or (moved > 0 and name in unkeyed), (name, counts, gone, came)
        assert counts["created"] + counts["changed"] - came.total() == moved, (name, counts, gone, came)
    assert not {name for name in said if name not in before and name not in after}


def test_the_statements_above_are_all_ours() -> None:
    """The comparison would be empty if the fork abstained."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "real.db"
        sqlite3.connect(path).close()
        try:
            anyio.run(imagine, path, ["CREATE TABLE t(a)", "INSERT INTO t VALUES (1); SELECT 1"], False)
        except NotMyWorld as error:
            raise AssertionError("an ordinary script was not imagined") from error
