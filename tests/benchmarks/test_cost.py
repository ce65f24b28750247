"""A short leg of the cost benchmark: who asks what after whom, and what a server that remembers prefixes computes."""

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import pytest

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "benchmarks" / "cost"
SHORT = ("--loopback", "--scale", "0.02", "--times", "1", "--steps", "3", "--decisions", "3")


@pytest.fixture(scope="module")
def said() -> str:
    """One run of all tables but the one that is about time alone."""
    tables = [word for name in ("methods", "later", "spared", "overlap", "forecast") for word in ("--only", name)]
    command = [sys.executable, str(FOLDER / "run.py"), *SHORT, *tables]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT)
    assert done.returncode == ("(missed)" in done.stdout), done.stdout + done.stderr
    return done.stdout


def row(said: str, name: str) -> list[int]:
    """The whole numbers of a row of a table."""
    line = next(line for line in said.splitlines() if line.startswith(f"| {name} |"))
    return [int(cell.replace(",", "")) for cell in line.split("|")[2:] if re.fullmatch(r" [\d,]+ ", cell)]


@pytest.fixture
def module() -> Iterator[Any]:
    """Imports from the benchmark's folder, and forgets what it imported."""
    before = set(sys.modules)
    sys.path.insert(0, str(FOLDER))
    try:
        yield importlib.import_module
    finally:
        sys.path.remove(str(FOLDER))
        for name in set(sys.modules) - before:
            if str(FOLDER) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


def test_ours_takes_fewer_rounds_and_calls_one_after_the_other_than_every_other_method(said: str):
    ours = row(said, "Lookahead")
    others = {name: row(said, name) for name in ("WebDreamer", "SimuRA", "RAP", "naive")}
    # As their published code has them at K = 4, D = 2.
    assert others["WebDreamer"][0] == 6
    assert others["SimuRA"][0] == 11
    assert others["naive"][0] == 17
    assert others["WebDreamer"][3] == 2 + 4 * 3 * 4
    assert others["SimuRA"][3] == 2 + 5 * 2 + 20 * 2 + 16
    # The agent's own answer; rivals with what would follow them, and what would follow its own; eight forecasts.
    assert ours[:4] == [4, 3, 3, 1 + 2 + 8]
    assert row(said, "Lookahead, one-token critic")[:4] == [5, 4, 3, 1 + 2 + 8 + 4]
    # One for rivals, eight forecasts, next calls and verdicts for four candidates.
    assert row(said, "Lookahead, one-token critic, replanning")[:4] == [6, 5, 4, 1 + 1 + 8 + 4 + 4]
    assert ours[0] < min(figures[0] for figures in others.values())


def test_a_later_step_computes_little_more_than_what_is_new_and_nothing_is_asked_where_nothing_is_to_be_chosen(
    said: str,
):
    found = re.search(r"as they are asked \(at most 1\.1\): \*\*([\d.]+)", said)
    assert found is not None
    assert float(found[1]) <= 1.1
    assert row(said, "only reads") == [0, 0]
    assert row(said, "all candidates agree")[0] == 0
    assert row(said, "they do not")[0] > 0


def test_the_world_begins_while_the_last_candidate_is_not_yet_written(said: str):
    lines = [line for line in said.splitlines() if "|" in line and "=" in line]
    names = [line.split("|")[0].strip() for line in lines]
    assert names.index("world") < len(names) - 1 - names[::-1].index("agent writes")


def test_the_forecast_is_set_beside_what_was_spent(said: str):
    assert row(said, "calls") == [12, 12]


def test_whole_blocks_of_a_prompt_are_remembered_by_all_that_is_before_them(module: Any):
    server = module("loopback").Loopback(block=4)

    async def computed(*words: str) -> int:
        before = dict(server.counted)
        body = {"messages": [{"role": "user", "content": "".join(words)}], "max_tokens": 1}
        await server.complete(body)
        asked = server.counted["prefix_cache_queries"] - before["prefix_cache_queries"]
        return asked - (server.counted["prefix_cache_hits"] - before["prefix_cache_hits"])

    async def main() -> None:
        words = [f" word{number}" for number in range(9)]
        # Its own mark in front, the end of the message and the beginning of the answer behind it.
        assert await computed(*words) == 12
        assert await computed(*words) == 4
        assert await computed(*words, " more") == 5
        assert await computed(*reversed(words)) == 12

    anyio.run(main)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_rounds_are_counted_by_what_waits_for_what_whatever_the_clock_says(module: Any, backend: str):
    recording: ModuleType = module("recording")

    async def slow_or_fast(seconds: float) -> float:
        await anyio.lowlevel.checkpoint()
        return seconds

    async def main() -> None:
        waves = recording.Waves()

        async def chain(length: int) -> None:
            for number in range(length):
                assert await waves.ride(lambda number=number: slow_or_fast(number)) == number

        async with anyio.create_task_group() as group:
            group.start_soon(waves.conduct)
            await recording.at_once(chain, [1, 3, 2])
            await chain(2)
            group.cancel_scope.cancel()
        assert waves.rounds == 5

    anyio.run(main, backend=backend)
