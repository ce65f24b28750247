"""How soon Lookahead is there: imports, and the first output of its commands."""

import argparse
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable
from time import perf_counter

IMPORT_LIMIT, OUTPUT_LIMIT = 0.3, 0.5


def imported(statement: str) -> float:
    """Seconds that one statement takes in a fresh interpreter, without the interpreter's own start."""
    code = f"import time; start = time.perf_counter(); {statement}; print(time.perf_counter() - start)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def first_output(*command: str) -> float:
    """Seconds from starting a command to the first byte that it prints, the interpreter's start included."""
    started = perf_counter()
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
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
    legs: list[tuple[str, float | None, Callable[[], float]]] = [
        ("`import pydantic` alone, for scale", None, lambda: imported("import pydantic")),
        ("`import lookahead`", IMPORT_LIMIT, lambda: imported("import lookahead")),
        (
            "`from lookahead import with_lookahead`",
            IMPORT_LIMIT,
            lambda: imported("from lookahead import with_lookahead"),
        ),
        ('first output of `python -c "print()"`, for scale', None, lambda: first_output("-c", "print()")),
        ("first output of `lookahead --help`", OUTPUT_LIMIT, lambda: first_output("-m", "lookahead", "--help")),
        ("first output of `lookahead demo`", OUTPUT_LIMIT, lambda: first_output("-m", "lookahead", "demo")),
    ]
    times: list[list[float]] = [[] for _ in legs]
    for _ in range(args.runs):
        for (_, _, leg), found in zip(legs, times, strict=True):
            found.append(leg())
    print(f"| what ({args.runs} runs each) | median | slowest | limit |\n|---|---|---|---|")
    missed = False
    for (name, limit, _), found in zip(legs, times, strict=True):
        middle = statistics.median(found)
        missed |= limit is not None and middle >= limit
        print(f"| {name} | {middle:.3f} s | {max(found):.3f} s | {f'{limit} s' if limit else ''} |")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
