"""A server's log, read while it grows: what stage the start is in, and how the log ends."""

import re
from pathlib import Path
from typing import Final

STAGES: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), told)
    for pattern, told in (
        (r"Starting vLLM (?:API )?server", "the server opens its port"),
        (r"captur\w+ (?:\w+ )*(?:CUDA|cuda) ?graphs?\D*(\d+)?", "recording GPU graphs"),
        (r"GPU KV cache size: ([\d,]+) tokens|CPU KV cache size: ([\d,]+) tokens", "memory for {} tokens"),
        (r"Dynamo bytecode|Compiling a graph|Compiling the model|torch\.compile took", "compiling the model"),
        (r"Loading weights took", "the weights are loaded"),
        (r"Loading \w+ checkpoint shards:\s+(\d+)%", "loading the weights: {} %"),
        (r"Starting to load model", "loading the weights"),
        (r"(?:Downloading|Fetching)[^%\n]*?(\d+)%", "fetching the model: {} %"),
        (r"(?:Downloading|Fetching) ", "fetching the model"),
        (r"Initializing a V1 LLM engine", "starting the engine"),
        (r"Resolved architecture", "vLLM knows the model"),
    )
)
LAST: Final = 1 << 16
"""So much of a log's end is read for its cause."""


class Watch:
    """Reads what is new in a log, line by line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = 0
        self._rest = ""

    def new(self) -> list[str]:
        """Whole lines since the last look. A progress bar ends its lines with a carriage return."""
        try:
            with self._path.open("rb") as log:
                log.seek(self._place)
                more = log.read(1 << 20)
        except FileNotFoundError:
            return []
        self._place += len(more)
        *lines, self._rest = re.split(r"[\r\n]+", self._rest + more.decode("utf-8", errors="replace"))
        return [line for line in lines if line.strip()]


def stage(line: str) -> str | None:
    """What this line says of the start, in our words; None where it says nothing."""
    for pattern, told in STAGES:
        if match := pattern.search(line):
            return told.format(next((group for group in match.groups() if group), ""))
    return None


def end(path: Path, size: int = LAST) -> str:
    """The end of a log."""
    try:
        with path.open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - size))
            return log.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""


_FRAME: Final = re.compile(
    r"""^\s*(File "|\^+\s*$|~+|raise\s|return\s|self\.|Traceback\s|warnings\.warn)|nanobind|resource_tracker|leaked """
)
_LABEL: Final = re.compile(r"^\((\w+)(?:[-\w]*) pid=\d+\)\s*(?:(?:INFO|ERROR|WARNING)\s+\S+ \S+ \[\S+\]\s?)?")
_BAD: Final = re.compile(r"\w(?:Error|Exception)\b|\berror:|\bERROR\b|\bFATAL\b|not supported|out of memory")


def telling(text: str, lines: int = 8) -> list[str]:
    """The last lines of a log that say something: errors before chatter, no stack frames, no labels, none twice."""
    told: list[str] = []
    for line in re.split(r"[\r\n]+", text):
        bare = _LABEL.sub("", line).rstrip()
        if bare.strip() and not _FRAME.search(bare):
            if bare in told:
                told.remove(bare)
            told.append(bare)
    return ([line for line in told if _BAD.search(line)] or told)[-lines:]
