"""How long one imagined command takes in a copy of a directory, beside a plain copy of it in the same run.

python benchmarks/fork_directory.py
python benchmarks/fork_directory.py --files 100000 --megabytes 1000
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import anyio

from lookahead.types import Action, Observation, State
from lookahead.worlds.fork import DirectoryFork

LIMIT_MS = 20.0
"""The figure that is promised for fork, command, effects and discard together."""


def fill(folder: Path, files: int, megabytes: int) -> None:
    """So many files in folders of 250, so many bytes in all."""
    content = b"lookahead " * (megabytes * (1 << 20) // files // 10 + 1)
    for number in range(files):
        place = folder / f"d{number // 250:05}"
        place.mkdir(exist_ok=True)
        (place / f"f{number:07}.txt").write_bytes(content)


async def forks(folder: Path, rounds: int, command: str) -> list[float]:
    """Milliseconds for one imagined command, from the call until its copy has been thrown away."""
    took: list[float] = []
    async with DirectoryFork(folder) as world:
        action = Action(tool="shell", arguments={"command": command})
        for number in range(rounds + 3):
            started = time.perf_counter()
            seen: Observation = await world(State(), action)
            await world.discard()
            elapsed = (time.perf_counter() - started) * 1000
            assert not seen.failed, seen.content
            if number >= 3:
                took.append(elapsed)
    return took


def plain_copies(folder: Path, rounds: int) -> list[float]:
    took: list[float] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="lookahead-bench-") as scratch:
            started = time.perf_counter()
            target = Path(scratch, "copy")
            shutil.copytree(folder, target, symlinks=True)
            shutil.rmtree(target)
            took.append((time.perf_counter() - started) * 1000)
    return took


def row(what: str, took: list[float]) -> str:
    return f"| {what} | {statistics.median(took):,.1f} | {min(took):,.1f} | {max(took):,.1f} | {len(took)} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--megabytes", type=int, default=100, help="in all files together")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--copies", type=int, default=3, help="plain copies, for comparison")
    arguments = parser.parse_args()
    print("| what, in milliseconds | median | fastest | slowest | rounds |\n|---|---|---|---|---|")
    medians: dict[str, float] = {}
    for files, megabytes in ((100, 1), (arguments.files, arguments.megabytes)):
        with tempfile.TemporaryDirectory(prefix="lookahead-bench-") as home:
            folder = Path(home, "project")
            folder.mkdir()
            fill(folder, files, megabytes)
            size = f"{files:,} files, {megabytes:,} MB"
            for what, command in (("`true`", "true"), ("`rm` of one file, `echo` to another", EDIT)):
                took = anyio.run(partial(forks, folder, arguments.rounds, command))
                medians[f"{what} {files}"] = statistics.median(took)
                print(row(f"fork, {what}, effects, discard: {size}", took), flush=True)
            if files == arguments.files and arguments.copies:
                copied = plain_copies(folder, arguments.copies)
                print(row(f"plain copy and its removal: {size}", copied), flush=True)
                print(
                    f"\nA fork takes 1/{statistics.median(copied) / medians[f'`true` {files}']:,.0f} of a plain copy."
                )
    growth = medians[f"`true` {arguments.files}"] / medians["`true` 100"]
    print(f"The large directory takes {growth:.2f} times as long as one of 100 files.")
    slowest = medians[f"`true` {arguments.files}"]
    print(f"Promised: at most {LIMIT_MS:g} ms in the median. Measured: {slowest:.1f} ms.")
    return 0 if slowest <= LIMIT_MS else 1


EDIT = "rm d00000/f0000001.txt; echo more >> d00000/f0000002.txt"

if __name__ == "__main__":
    sys.exit(main())
