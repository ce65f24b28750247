"""What the near side asks of the far side, and what it hears back: plain JSON both ways."""

import json
import os
from typing import Any, Final, TypedDict


class Room(TypedDict):
    """What can be prepared before it is known what will run."""

    session: str
    """The scratch folder: it holds `room` (a mount point), `base` (another), `empty` and the layers."""
    path: str
    """The directory that is copied; the command sees the copy under this very name."""
    base: str
    """What lies at the bottom of the copy: `path` itself, or a whole copy of it."""
    whole: bool
    """`base` is a copy that may be written to; no layer is put on top of it."""
    shown: list[str]
    """Folders and files that can be seen, read-only, under their own names."""
    links: list[tuple[str, str]]
    etc: str
    home: str
    scratch: int
    processes: int
    privileged: bool
    """The caller is root: inside, it may treat everybody's files as its own, as it may outside."""


class Order(TypedDict):
    """What runs, on which layers, within which limits."""

    layers: list[str]
    """Names of earlier writable layers inside the session, newest first."""
    layer: str
    """The name of the new writable layer."""
    cwd: str
    argv: list[str]
    env: dict[str, str]
    mask: int
    seconds: float
    cpu_seconds: int
    memory: int
    processes: int
    files: int
    written: int


class Left(TypedDict):
    name: str
    kind: str
    size: int


class Report(TypedDict, total=False):
    """How it ended."""

    error: str
    """It never ran, and why."""
    stage: str
    """Where it failed: `namespaces`, `copy` or `room`."""
    exit: int
    """The exit status; minus the signal's number where one ended it."""
    limit: str
    """Which limit ended it, in words."""
    timeout: bool
    still_running: int
    """Processes that were alive when the command itself had ended; they were ended too."""
    network: bool
    """It tried to reach an address outside the machine."""
    left: list[Left]
    """What it left in its private /tmp and home."""
    seconds: float
    warnings: list[str]


class Failed(Exception):
    """The room could not be built."""

    def __init__(self, stage: str, cause: Exception) -> None:
        super().__init__(str(cause))
        self.stage = stage


_HEADER: Final = 8


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def send(descriptor: int, message: object) -> None:
    body = json.dumps(message).encode()
    write_all(descriptor, len(body).to_bytes(_HEADER, "big") + body)


def receive(descriptor: int) -> Any | None:
    """The next message, or None when the other side has gone."""
    head = _exactly(descriptor, _HEADER)
    body = _exactly(descriptor, int.from_bytes(head, "big")) if head else None
    return json.loads(body) if body else None


def _exactly(descriptor: int, count: int) -> bytes | None:
    parts: list[bytes] = []
    while count:
        part = os.read(descriptor, min(count, 1 << 20))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
