"""How much an imagined action may use before it is stopped, and said to have been stopped."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """For one run in the copy. A run that meets one is a failed prediction, and says so."""

    seconds: float = 30.0
    cpu_seconds: int = 120
    """For each process."""
    memory: int = 2 << 30
    """Bytes, for all its processes together."""
    processes: int = 256
    files: int = 1024
    """Open at once, for each process."""
    written: int = 1 << 30
    """Bytes written to the copy, and the size of the largest file."""
    scratch: int = 256 << 20
    """Bytes in its private /tmp, and as many in its private home."""
    output: int = 1 << 20
    """Bytes of output that are kept; the rest is counted and thrown away."""
    effects: int = 1000
    """Effects listed one by one; the rest is summed up."""
    copies: int = 32
    """Imagined states whose copies are kept at the same time."""
    copied: int = 2 << 30
    """Bytes of a directory that may be copied outright where it cannot be overlaid."""
