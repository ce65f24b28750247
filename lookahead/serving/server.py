"""A server as a process: started in a session of its own, asked until it answers, ended with all its children."""

import contextlib
import ctypes
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast

from lookahead.errors import ConfigError, ModelError, ModelUnreachable
from lookahead.serving.causes import cause_of
from lookahead.serving.flags import Command
from lookahead.serving.watch import Watch, end, stage, telling

LOOK: Final = 0.2
GRACE: Final = 20.0
"""Seconds that a server has to end by itself before it is killed."""
ANSWER: Final = 600.0
"""Seconds for the first answer: some engines compile only then."""

_DEATH_OF_PARENT: Final = 1
"""PR_SET_PDEATHSIG"""
_ADOPT: Final = 36
"""PR_SET_CHILD_SUBREAPER"""


class Server:
    """One vLLM server. Leaving the `with` block ends it and everything that it started."""

    def __init__(self, command: Command, *, host: str, port: int, log: Path, key: str | None = None) -> None:
        self.command, self.port, self.log, self.key = command, port, log, key
        self.host = "127.0.0.1" if host in ("0.0.0.0", "") else "::1" if host == "::" else host
        self._process: subprocess.Popen[bytes] | None = None
        self.model = ""

    @property
    def world(self) -> str:
        """What to set `world=` to."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/v1"

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def start(self) -> None:
        _free(self.host, self.port)
        if sys.platform == "linux":
            # What the server leaves behind becomes our child: nobody else might ever take note of its end.
            ctypes.CDLL(None).prctl(_ADOPT, 1, 0, 0, 0)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            self._process = subprocess.Popen(
                self.command.arguments,
                env={**os.environ, **self.command.environment},
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=subprocess.STDOUT,
                # Of its own session: a Ctrl-C in the terminal is for us alone, and we end the server in good order.
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()) if sys.platform == "linux" else None,
            )
        except OSError as error:
            raise ConfigError(f"{self.command.arguments[0]} cannot be started: {error}") from error
        finally:
            os.close(descriptor)

    def wait(self, say: Callable[[str], None], *, patience: float = 900.0, beat: float = 15.0) -> None:
        """Wait until it is healthy and has really answered. `patience`: seconds in which nothing at all may happen."""
        watch = Watch(self.log)
        began = heard = told = time.monotonic()
        last = ""
        healthy = False
        while not healthy:
            healthy = self._healthy()
            self._alive()
            for line in watch.new():
                heard = time.monotonic()
                if (now := stage(line)) and now != last:
                    last, told = now, heard
                    say(f"{heard - began:4.0f} s  {now}")
            if (idle := time.monotonic() - heard) > patience:
                raise self._failure(f"nothing happened for {idle:.0f} seconds")
            if time.monotonic() - told > beat:
                told = time.monotonic()
                say(f"{told - began:4.0f} s  still {last or 'starting'}")
            if not healthy:
                time.sleep(LOOK)
        say(f"{time.monotonic() - began:4.0f} s  healthy; asking for a first answer")
        self._answer()
        say(f"{time.monotonic() - began:4.0f} s  it answers")

    def watch_until_it_ends(self) -> None:
        """Return never, but by an error: a server that ends by itself was not asked to."""
        while True:
            self._alive()
            time.sleep(LOOK)

    def stop(self, grace: float = GRACE) -> None:
        """End it and its children, first by asking."""
        process = self._process
        if process is None:
            return
        try:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(grace)
            # A worker that outlives its server has nobody left to listen to.
            _tell(process, signal.SIGTERM, 2.0)
        finally:
            # Also where a second Ctrl-C came while we waited.
            # A busy machine takes a moment to end what was killed; only then can its end be noted.
            _tell(process, signal.SIGKILL, 10.0)
            process.wait()
            _bury(process.pid)
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _alive(self) -> None:
        if self._process is not None and (code := self._process.poll()) is not None:
            raise self._failure("", code)

    def _failure(self, what: str, code: int | None = None) -> ModelError | ConfigError:
        text = end(self.log)
        cause = cause_of(text, code)
        said = f"{what}: {cause.said}" if what else cause.said
        lines = "\n".join(f"    {line}" for line in telling(text))
        log = f"\nIts log ({self.log}) ends:\n{lines}" if lines else f"\nIts log: {self.log}"
        happened = "ended" if self.model else "did not start"
        return cause.error(f"the server {happened}: {said}. Next: {cause.next}{log}")

    def _healthy(self) -> bool:
        try:
            return self._ask("GET", "/health", None, 2.0)[0] == 200
        except OSError:
            return False

    def _answer(self) -> None:
        """One real completion, because a server can be healthy and yet not answer."""
        try:
            status, listed = self._ask("GET", "/v1/models", None, 30.0)
            self.model = _first_model(listed) if status == 200 else ""
            asked = {"model": self.model, "messages": [{"role": "user", "content": "Say yes."}], "max_tokens": 1}
            status, said = self._ask("POST", "/v1/chat/completions", asked, ANSWER)
        except OSError as error:
            self._alive()
            raise self._failure(f"no first answer ({type(error).__name__})") from error
        if status != 200:
            self._alive()
            cause = cause_of(said, None)
            raise cause.error(
                f"the server started, and then refused the first chat (HTTP {status}): {cause.said}. "
                f"Next: {cause.next}\n    {_short(said)}\nIts log: {self.log}"
            )

    def _ask(self, method: str, path: str, body: object, seconds: float) -> tuple[int, str]:
        # No proxy stands between us and a server of our own, whatever the environment says.
        connection = http.client.HTTPConnection(self.host, self.port, timeout=seconds)
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        try:
            if body is None:
                connection.request(method, path, headers=headers)
            else:
                connection.request(method, path, json.dumps(body), {**headers, "Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read(1 << 20).decode("utf-8", errors="replace")
        except http.client.HTTPException as error:
            raise ConnectionError(f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()


def _first_model(listed: str) -> str:
    try:
        data = cast(dict[str, Any], json.loads(listed))["data"]
        return str(data[0]["id"])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise ModelUnreachable(f"something else than vLLM answers there: {_short(listed)}") from error


def _short(text: str) -> str:
    return " ".join(text[:400].split())


def free_port(host: str) -> int:
    """A port that nobody uses."""
    with _socket(host) as asked:
        asked.bind((host, 0))
        return int(asked.getsockname()[1])


def _socket(host: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)


def _free(host: str, port: int) -> None:
    """Find out before minutes of loading whether the port can be had."""
    try:
        with _socket(host) as asked:
            asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            asked.bind((host, port))
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno is None:
            raise ConfigError(f"{host!r} is no address of this machine: use --host 127.0.0.1") from error
        raise ConfigError(
            f"port {port} of {host} cannot be had ({error.strerror}): use another one, such as --port "
            f"{free_port('127.0.0.1')}, or end what holds it"
        ) from error


def _die_with(parent: int) -> Callable[[], None]:
    """Should we be killed, the server is told to end: nobody would be left to end it."""
    libc = ctypes.CDLL(None, use_errno=True)

    def prepare() -> None:
        libc.prctl(_DEATH_OF_PARENT, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def _tell(process: subprocess.Popen[bytes], number: signal.Signals, seconds: float) -> None:
    """Send a signal to all of its session, and wait until they are gone, at most so long."""
    deadline = time.monotonic() + seconds
    for pid in _session(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    while any(True for _ in _session(process.pid)) and time.monotonic() < deadline:
        process.poll()
        time.sleep(0.05)


def _session(leader: int, *, dead: bool = False) -> Iterator[int]:
    """The processes of this session that still run. Workers form groups of their own, but stay in the session."""
    if not os.path.isdir("/proc/self"):
        yield from _group(leader)
        return
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                # After the name, which may hold anything: state, parent, group, session.
                fields = Path("/proc", entry, "stat").read_text(errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == leader and (fields[0] in ("Z", "X")) == dead:
                yield int(entry)


def _bury(leader: int) -> None:
    """Take note of the ends of what we adopted."""
    for pid in _session(leader, dead=True):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _group(leader: int) -> Iterator[int]:
    try:
        os.killpg(leader, 0)
    except (ProcessLookupError, PermissionError):
        return
    yield -leader
