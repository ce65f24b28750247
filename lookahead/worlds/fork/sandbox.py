"""Run one command, or one function, where it can reach nothing but a copy: the near side of the confinement."""

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, cast

from lookahead.worlds.fork.confined.spec import Order, Report, Room, receive, send
from lookahead.worlds.fork.confined.supervise import supervise

Begin: TypeAlias = Callable[[socket.socket, int], int | None]
"""Given the far end of the line and of the output, start a watcher; its process number where it is a child of ours."""

_START: Final = "import sys; sys.path.append(sys.argv[1]); from confined.launcher import main; main(int(sys.argv[2]))"
_PATIENCE: Final = 10.0
"""Seconds after its own time limit in which a confined run must have reported; after that its watcher is gone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a confined run ended, and what it said."""

    report: Report
    output: bytes = b""
    written: int = 0
    """Bytes of output in all; more than `output` holds when it was cut."""
    result: bytes = b""
    result_cut: bool = False


class Line:
    """The near ends of one watcher: it has been told of a room, and waits for its order."""

    def __init__(self, begin: Begin, room: Room) -> None:
        self.room = room
        self.near, far = socket.socketpair()
        self.output, far_output = os.pipe()
        self._child: int | None = None
        try:
            self._child = begin(far, far_output)
            send(self.near.fileno(), room)
        except BaseException:
            self.close()
            raise
        finally:
            far.close()
            os.close(far_output)

    def close(self) -> None:
        """Hang up. Whatever still runs on the other side is ended by that."""
        self.near.close()
        os.close(self.output)
        if self._child is not None:
            _reap(self._child)


class Run:
    """One confined run. `wait` blocks; `cancel`, from any thread, ends everything that it started."""

    def __init__(self, order: Order, keep: int) -> None:
        self.order = order
        self.finished = threading.Event()
        self._keep = keep
        self._line: Line | None = None
        self._cancelled = False
        self._lock = threading.Lock()

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            if self._line is not None:
                self._line.near.shutdown(socket.SHUT_RDWR)

    def wait(self, connect: Callable[[], Line], result: int | None = None) -> Outcome:
        """Start it, then read its output (and `result`, a further pipe) until everything in it has ended."""
        line: Line | None = None
        try:
            line = connect()
            with self._lock:
                if self._cancelled:
                    return Outcome(report=_CANCELLED)
                self._line = line
            with suppress(OSError):  # where it has ended already, its report says why
                send(line.near.fileno(), self.order)
            return self._read(line.near, line.output, result)
        finally:
            with self._lock:
                self._line = None
            if line is not None:
                line.close()
            self.finished.set()

    def _read(self, near: socket.socket, output: int, result: int | None) -> Outcome:
        line = near.fileno()
        heard = {descriptor: bytearray() for descriptor in (output, result) if descriptor is not None}
        counts = dict.fromkeys(heard, 0)
        report: Report | None = None
        poller = select.poll()
        waiting = {line, *heard}
        for descriptor in waiting:
            poller.register(descriptor, select.POLLIN)
        deadline = time.monotonic() + self.order["seconds"] + _PATIENCE
        while waiting and time.monotonic() < deadline:
            for descriptor, _ in poller.poll(1000):
                if descriptor == line:
                    report, ended = _message(line), True
                else:
                    part = os.read(descriptor, 1 << 16)
                    counts[descriptor] += len(part)
                    heard[descriptor] += part[: max(0, self._keep - len(heard[descriptor]))]
                    ended = not part
                if ended:
                    poller.unregister(descriptor)
                    waiting.discard(descriptor)
        return Outcome(
            report=report or _GONE,
            output=bytes(heard[output]),
            written=counts[output],
            result=bytes(heard[result]) if result is not None else b"",
            result_cut=result is not None and counts[result] > len(heard[result]),
        )


_CANCELLED: Final[Report] = {"limit": "it was cancelled"}
_GONE: Final[Report] = {"error": "the watcher of the confined run went away", "stage": "watcher"}


def _message(descriptor: int) -> Report | None:
    try:
        return cast("Report | None", receive(descriptor))
    except OSError:
        return None


def _reap(child: int) -> None:
    """The watcher ends at once when its line is closed; one that does not is ended, and with it the room."""
    deadline = time.monotonic() + 5
    try:
        while time.monotonic() < deadline:
            if os.waitpid(child, os.WNOHANG)[0]:
                return
            time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except ChildProcessError:
        return  # the caller's program reaps every child by itself


class Launcher:
    """The helper process that forks watchers for commands. It starts when first needed and ends with `close`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, control: socket.socket, output: int) -> None:
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            assert self._line is not None
            socket.send_fds(self._line, [b"r"], [control.fileno(), output])

    def close(self) -> None:
        with self._lock:
            self._stop()

    def _start(self) -> None:
        self._stop()
        near, far = socket.socketpair()
        arguments = [sys.executable, "-I", "-S", "-B", "-c", _START, str(Path(__file__).parent), str(far.fileno())]
        try:
            self._process = subprocess.Popen(
                arguments,
                pass_fds=(far.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"LANG": "C.UTF-8"},
                cwd="/",
            )
        finally:
            far.close()
        self._line = near

    def _stop(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
        if self._process is not None:
            self._process.kill()  # it only waits for requests; the watchers are processes of their own
            self._process.wait()
            self._process = None


def fork_here(body: Callable[[], None], result: int) -> Begin:
    """Start a watcher as a copy of this very process, so that `body` may be any function that it knows.

    A process with threads is forked with only this thread alive in the copy. A lock that another thread held at that
    moment stays locked in it for ever; a function that needs it then runs into its time limit and is ended.
    """

    def begin(control: socket.socket, output: int) -> int:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons say what the docstring says
            child = os.fork()
        if child == 0:
            try:
                supervise(control.fileno(), output, body, (result,))
            finally:
                os._exit(0)
        return child

    return begin


class Rooms:
    """Rooms for commands, one of them made in advance: the next run then waits for a mount, not for a house."""

    def __init__(self) -> None:
        self._launcher = Launcher()
        self._lock = threading.Lock()
        self._ready: Line | None = None
        self._face: tuple[int, int] | None = None
        self._closed = False

    def connect(self, room: Room, spare: Room) -> Line:
        """A room to run in; while it is in use, `spare` is made ready for whoever comes next."""
        line = self._connect(room)
        self.prepare(spare)
        return line

    def _connect(self, room: Room) -> Line:
        with self._lock:
            line, self._ready = self._ready, None
            face = self._face
        if line is not None:
            if line.room == room and face == _face(room):
                return line
            line.close()
        return Line(self._launcher.begin, room)

    def prepare(self, room: Room) -> None:
        """Make a room for the next run, unless one is there."""
        with self._lock:
            if self._ready is None and not self._closed:
                self._face = _face(room)
                self._ready = Line(self._launcher.begin, room)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            line, self._ready = self._ready, None
        if line is not None:
            line.close()
        self._launcher.close()


def _face(room: Room) -> tuple[int, int]:
    """Which directory it is: one that was replaced by another of the same name needs another room."""
    status = os.stat(room["base"])
    return status.st_dev, status.st_ino
