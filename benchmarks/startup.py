"""How soon Lookahead is there: imports, and the first output of its commands.

Every process is a fresh one. Modules are compiled beforehand, as an installed package's are: the first run of each leg
does that and does not count.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from time import perf_counter

IMPORT_LIMIT, OUTPUT_LIMIT = 0.3, 0.5


def environment(cache: str) -> dict[str, str]:
    """Modules are compiled once, into a folder of our own."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": cache}


def imported(env: dict[str, str], statement: str) -> float:
    """Seconds that one statement takes in a fresh interpreter, without the interpreter's own start."""
    code = f"import time; start = time.perf_counter(); {statement}; print(time.perf_counter() - start)"
    command = [sys.executable, "-c", code]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout)


def first_output(env: dict[str, str], *command: str) -> float:
    """Seconds from starting a command to the first byte that it prints, the interpreter's start included."""
    started = perf_counter()
    quiet, pipe = subprocess.DEVNULL, subprocess.PIPE
    with subprocess.Popen([sys.executable, *command], stdout=pipe, stderr=quiet, env=env) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        took = perf_counter() - started
        # As by Ctrl-C, so that the demo removes its folder.
        process.send_signal(signal.SIGINT)
    return took


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="runs of each, interleaved (default 15)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        return measure(args.runs, environment(cache))


def measure(runs: int, env: dict[str, str]) -> int:
    legs: list[tuple[str, float | None, Callable[[], float]]] = [
        ("`import pydantic` alone, for scale", None, lambda: imported(env, "import pydantic")),
        ("`import lookahead`", IMPORT_LIMIT, lambda: imported(env, "import lookahead")),
        (
            "`from lookahead import with_lookahead`",
            IMPORT_LIMIT,
            lambda: imported(env, "from lookahead import with_lookahead"),
        ),
        ('first output of `python -c "print()"`, for scale', None, lambda: first_output(env, "-c", "print()")),
        ("first output of `lookahead --help`", OUTPUT_LIMIT, lambda: first_output(env, "-m", "lookahead", "--help")),
        ("first output of `lookahead demo`", OUTPUT_LIMIT, lambda: first_output(env, "-m", "lookahead", "demo")),
    ]
    times: list[list[float]] = [[] for _ in legs]
    for number in range(runs + 1):
        for (_, _, leg), found in zip(legs, times, strict=True):
            took = leg()
            if number:
                found.append(took)
    print(f"| what ({runs} runs each) | median | slowest | limit |\n|---|---|---|---|")
    missed = False
    for (name, limit, _), found in zip(legs, times, strict=True):
        middle = statistics.median(found)
        missed |= limit is not None and middle >= limit
        print(f"| {name} | {middle:.3f} s | {max(found):.3f} s | {f'{limit} s' if limit else ''} |")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
