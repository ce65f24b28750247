"""What a preview of SQL costs beside the statement itself and beside copying the database first.

    python benchmarks/fork_database.py                       SQLite, about 10 MB and 100 MB
    python benchmarks/fork_database.py --postgres "dbname=x"  and a PostgreSQL server as well

Every figure is a median of one run on one machine; compare within the table. It fails when a preview of a change to
one row takes more than --ratio times as long on the large file as on the small one, or longer than copying the file.
"""

import argparse
import asyncio
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from lookahead.types import Action, State
from lookahead.worlds.fork import PostgresFork, SqliteFork

STATEMENTS = {
    "read one row": "SELECT * FROM item WHERE id = 77",
    "change one row": "UPDATE item SET stock = stock + 1 WHERE id = 77",
    "insert one row": "INSERT INTO item(name, stock) VALUES ('new', 1)",
    "delete 1,000 rows": "DELETE FROM item WHERE id <= 1000",
    "add a column": "ALTER TABLE item ADD COLUMN colour",
}
ONE_ROW = "change one row"


def build(path: Path, megabytes: float) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, stock INTEGER)")
    rows = int(megabytes * 1_000_000 / 110)
    connection.executemany("INSERT INTO item(name, stock) VALUES (?, ?)", ((f"{n:0100d}", n % 7) for n in range(rows)))
    connection.commit()
    connection.close()


def remove(database: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        Path(f"{database}{ending}").unlink(missing_ok=True)


async def median(work: Callable[[], Awaitable[object]], rounds: int) -> float:
    await work()
    taken: list[float] = []
    for _ in range(rounds):
        started = time.perf_counter()
        await work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1000


async def sqlite_table(folder: Path, megabytes: float, rounds: int) -> dict[str, tuple[float, float, float]]:
    """Milliseconds of the bare statement, of its preview, and of a copy of the file with the statement run on it."""
    path = folder / f"{megabytes:g}.db"
    build(path, megabytes)
    found: dict[str, tuple[float, float, float]] = {}
    async with SqliteFork(path) as fork:
        for title, text in STATEMENTS.items():
            action = Action(tool="db", arguments={"sql": text})

            async def bare(text: str = text) -> None:
                connection = sqlite3.connect(path, isolation_level=None)
                connection.execute("BEGIN")
                connection.execute(text).fetchall()
                connection.execute("ROLLBACK")
                connection.close()

            async def preview(action: Action = action) -> None:
                assert not (await fork(State(), action)).failed

            async def copy(text: str = text) -> None:
                target = folder / "copy.db"
                shutil.copyfile(path, target)
                connection = sqlite3.connect(target, isolation_level=None)
                connection.execute(text).fetchall()
                connection.close()
                remove(target)

            few = max(3, rounds // 10)
            found[title] = (await median(bare, rounds), await median(preview, rounds), await median(copy, few))
    return found


async def second_step(folder: Path, megabytes: float, rounds: int) -> tuple[float, float]:
    """Milliseconds of a second imagined step when its copy is kept, and when it must be made first."""
    first = Action(tool="db", arguments={"sql": STATEMENTS["delete 1,000 rows"]})
    second = Action(tool="db", arguments={"sql": "SELECT count(*) AS n FROM item"})
    async with SqliteFork(folder / f"{megabytes:g}.db") as fork:
        state = State().then(first, await fork(State(), first))
        kept = await median(lambda: fork(state, second), rounds)

        async def made() -> None:
            await fork.discard()
            await fork(state, second)

        return kept, await median(made, rounds)


async def postgres_table(conninfo: str, rounds: int) -> dict[str, tuple[float, float]]:
    import psycopg

    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA lookahead_benchmark")
        try:
            connection.execute("SET search_path = lookahead_benchmark")
            connection.execute("CREATE TABLE item(id serial PRIMARY KEY, name text, stock int)")
            connection.execute(
                "INSERT INTO item(name, stock) SELECT repeat('x', 100), n FROM generate_series(1, 90000) n"
            )
            connection.execute("ANALYZE item")
            options = conninfo + " options='-c search_path=lookahead_benchmark'"
            fork = PostgresFork(options)
            found: dict[str, tuple[float, float]] = {}
            for title, text in STATEMENTS.items():
                statement: Any = text.replace("colour", "colour text")
                action = Action(tool="db", arguments={"sql": statement})

                async def bare(statement: Any = statement) -> None:
                    with psycopg.connect(options) as own:
                        own.execute(statement)
                        own.rollback()

                async def preview(action: Action = action) -> None:
                    assert not (await fork(State(), action)).failed

                found[title] = (await median(bare, rounds), await median(preview, rounds))
            return found
        finally:
            connection.execute("DROP SCHEMA lookahead_benchmark CASCADE")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sizes", type=float, nargs=2, default=[10, 100], metavar="MB", help="a small and a large file"
    )
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--ratio", type=float, default=3.0)
    parser.add_argument(
        "--postgres", metavar="CONNINFO", help="measure a PostgreSQL server too (in a schema of its own)"
    )
    options = parser.parse_args(arguments)
    small, large = sorted(options.sizes)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = {size: asyncio.run(sqlite_table(folder, size, options.rounds)) for size in (small, large)}
        kept, made = asyncio.run(second_step(folder, small, max(3, options.rounds // 5)))
    print(
        "| SQLite | file | bare statement, rolled back | preview | copy the file, run it there "
        "| preview ÷ bare | copy ÷ preview |"
    )
    print("|---|---|---|---|---|---|---|")
    for size, table in tables.items():
        for title, (bare, preview, copy) in table.items():
            print(
                f"| {title} | {size:g} MB | {bare:.2f} ms | {preview:.2f} ms | {copy:.1f} ms "
                f"| {preview / bare:.1f} | {copy / preview:.1f} |"
            )
    print(f"\nA second imagined step on {small:g} MB: {kept:.1f} ms with its copy kept, {made:.1f} ms with a new one.")
    if options.postgres:
        print("\n| PostgreSQL | connect, run, roll back | preview | preview ÷ bare |")
        print("|---|---|---|---|")
        for title, (bare, preview) in asyncio.run(postgres_table(options.postgres, options.rounds)).items():
            print(f"| {title} | {bare:.1f} ms | {preview:.1f} ms | {preview / bare:.1f} |")
    growth = tables[large][ONE_ROW][1] / tables[small][ONE_ROW][1]
    gain = tables[large][ONE_ROW][2] / tables[large][ONE_ROW][1]
    print(f"\nTo preview a change of one row on {large:g} MB takes {growth:.2f} times as long as on {small:g} MB,")
    print(f"and copying the file first takes {gain:.1f} times as long as the preview.")
    missed = [
        text for text, bad in (("grows with the file", growth > options.ratio), ("dearer than a copy", gain < 1)) if bad
    ]
    for text in missed:
        print(f"MISSED: the preview is {text}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
