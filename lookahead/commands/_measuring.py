"""What the commands that ask worlds share: progress, Ctrl-C that keeps what was measured, worlds that are closed."""

import argparse
import inspect
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import anyio

from lookahead.errors import ConfigError

EVERY: Final = 0.5
"""Seconds between two words on a terminal; into a file one goes every half minute."""
SELDOM: Final = 30.0


class Telling:
    """How far something is: one line that is written over on a terminal, now and then a line elsewhere."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said = clock()
        self._live = sys.stderr.isatty()
        self._shown = False

    def now(self, line: Callable[[], str]) -> None:
        """Where enough time has gone by since the last word."""
        now = self._clock()
        if now - self._said >= (EVERY if self._live else SELDOM):
            self._said, self._shown = now, True
            self._write(line(), end="" if self._live else "\n")

    def done(self, line: Callable[[], str], *, always: bool = False) -> None:
        """The last word, where there was one before."""
        if self._shown or always:
            self._write(line(), end="\n")
        self._shown = False

    def _write(self, line: str, *, end: str) -> None:
        sys.stderr.write(f"\r{line:<78}{end}" if self._live else f"{line}{end}")
        sys.stderr.flush()


class Counting:
    """Says how much was asked, and how much of it is right. `of` is how much there is, where that is known."""

    def __init__(self, what: str, *, of: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._what, self._of, self._clock = what, of, clock
        self._began = clock()
        self._telling = Telling(clock=clock)
        self.count = self.good = 0

    def __call__(self, right: bool) -> None:
        self.count += 1
        self.good += right
        self._telling.now(self._line)

    def done(self, *, always: bool = False) -> None:
        """The last word, where there was one before."""
        self._telling.done(self._line, always=always)

    def _line(self) -> str:
        speed = self.count / max(1e-9, self._clock() - self._began)
        far = f"{self.count:,} of {self._of:,}" if self._of else f"{self.count} so far"
        left = f", {self._left(speed)}" if 0 < self.count < self._of else ""
        return f"{self._what}: {far}, {self.good / max(1, self.count):.1%} right, {speed:.1f} a second{left}"

    def _left(self, speed: float) -> str:
        seconds = (self._of - self.count) / max(1e-9, speed)
        return f"{seconds / 60:.0f} min left" if seconds > 90 else f"{seconds:.0f} s left"


def run_to_the_end(work: Callable[[], Awaitable[object]]) -> bool:
    """Run it; False where somebody stopped it, which is no error: what was measured is reported."""
    try:
        anyio.run(work)
    except KeyboardInterrupt:
        return False
    except BaseExceptionGroup as group:
        if group.split(KeyboardInterrupt)[1] is not None:
            raise
        return False
    return True


async def closed(world: object) -> None:
    """A world may hold processes or connections."""
    close = getattr(world, "aclose", None)
    if close is not None and inspect.isawaitable(ending := close()):
        await ending


def beside(path: str | None, name: str) -> str | None:
    """Where the outcomes of another world go: `outcomes.jsonl`, `outcomes.always-empty.jsonl`."""
    if path is None:
        return None
    place = Path(path)
    plain = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)[:60]
    return str(place.with_name(f"{place.stem}.{plain}{place.suffix}"))


def positive(kind: type[Any]) -> Callable[[str], Any]:
    """A number above nothing."""

    def read(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = 0
        if not value > 0:
            raise argparse.ArgumentTypeError(f"{text!r} is not above 0")
        return value

    return read


def apart(files: list[str], *others: str | None) -> None:
    """What is measured must not be what a world may look things up in."""
    measured = {Path(name).resolve() for name in files}
    for other in filter(None, others):
        if Path(other).resolve() in measured:
            raise ConfigError(f"{other} is what is measured: a world that may read it would only repeat it")
