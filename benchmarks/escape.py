"""Try to get out of the directory fork, in every way that attacks/ knows, by command and by function.

    python benchmarks/escape.py
    python benchmarks/escape.py --only network --verbose

An attempt succeeds when it gets hold of something that it should not, or when anything outside the copy is
different afterwards: the real folder, a file beside it, a home, a listener, a process.
"""

import argparse
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio

sys.path.insert(0, str(Path(__file__).parent))

import attacks

from lookahead.errors import LookaheadError
from lookahead.types import Action, State
from lookahead.worlds.fork import DirectoryFork, Limits

LIMITS = Limits(
    seconds=3, cpu_seconds=3, memory=192 << 20, processes=64, written=64 << 20, scratch=32 << 20, output=1 << 20
)
ITS_OWN = ("the_callers_environment", "descriptors_by_number")
"""A function is part of its caller, whose memory is no secret to it; and it answers through a descriptor."""


def fingerprint(folder: Path) -> str:
    """Names, kinds, modes, owners, dates, attributes and content of everything in a folder."""
    state = hashlib.sha256()
    for place in [folder, *sorted(folder.rglob("*"))]:
        status = place.lstat()
        attributes = [] if place.is_symlink() else sorted(os.listxattr(place))
        told = (
            str(place),
            status.st_mode,
            status.st_uid,
            status.st_gid,
            status.st_mtime_ns,
            status.st_size,
            attributes,
        )
        state.update(repr(told).encode())
        if place.is_symlink():
            state.update(os.readlink(place).encode())
        elif place.is_file():
            state.update(place.read_bytes())
    return state.hexdigest()


@dataclass(kw_only=True)
class Range:
    """Everything outside that an attempt might touch, and whether it did."""

    base: Path
    stack: ExitStack
    contacts: list[str] = field(default_factory=list[str])
    facts: dict[str, Any] = field(default_factory=dict[str, Any])

    def set_up(self) -> None:
        for name in ("project", "outside", "home/.ssh", "readable", "scratch"):
            (self.base / name).mkdir(parents=True)
        self.canary.write_text("canary")
        (self.home / ".ssh/id_rsa").write_text("PRIVATE KEY")
        (self.home / ".bashrc").write_text("# shell")
        keep = self.project / "keep.txt"
        keep.write_text("keep me\n" * 20)
        shutil.copytree(Path(attacks.__file__).parent, self.project / "attacks", ignore=shutil.ignore_patterns("*.pyc"))
        (self.project / "link-to-canary").symlink_to(self.canary)
        (self.project / "link-to-outside").symlink_to(self.outside)
        (self.project / "hard-link-to-canary").hardlink_to(self.canary)
        if os.geteuid() == 0:
            with suppress(OSError):
                os.mknod(self.project / "planted-device", 0o020600, os.makedev(1, 1))
        temporary = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="lookahead-secret-")), "secret")
        temporary.write_text("temporary secret")
        victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        self.stack.callback(victim.wait)
        self.stack.callback(victim.kill)
        self.victim = victim
        leak = os.open(self.outside / "inherited", os.O_CREAT | os.O_RDWR)
        os.set_inheritable(leak, True)
        self.stack.callback(os.close, leak)
        self.facts = {
            "tcp": self._listen(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            "udp": self._listen(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            "address": own_address(),
            "abstract": f"lookahead-{os.getpid()}",
            "outside": str(self.outside),
            "home": str(self.home),
            "readable": str(self.base / "readable"),
            "scratch": str(self.base / "scratch"),
            "temporary": str(temporary),
            "scratch_limit": LIMITS.scratch,
            "parent": os.getpid(),
            "victim": victim.pid,
            "marker": f"lookahead-marker-{os.getpid()}",
        }
        self._listen(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + self.facts["abstract"])
        for folder in (self.project, self.outside, self.base / "readable"):
            self._listen(socket.AF_UNIX, socket.SOCK_STREAM, str(folder / "real.sock"))
        (self.project / "facts.json").write_text(json.dumps(self.facts))
        self.before = self.look()

    @property
    def project(self) -> Path:
        return self.base / "project"

    @property
    def outside(self) -> Path:
        return self.base / "outside"

    @property
    def home(self) -> Path:
        return self.base / "home"

    @property
    def canary(self) -> Path:
        return self.outside / "canary"

    def look(self) -> dict[str, str]:
        return {name: fingerprint(self.base / name) for name in ("project", "outside", "home", "readable")}

    def harm(self) -> str:
        """What is different outside; empty where nothing is."""
        now = self.look()
        changed = [name for name in now if now[name] != self.before[name]]
        self.before = now
        contacts, self.contacts = self.contacts, []
        dead = ["the victim died"] if self.victim.poll() is not None else []
        return "; ".join([*(f"{name} changed" for name in changed), *contacts, *dead, *self._survivors()])

    def _survivors(self) -> list[str]:
        found: list[str] = []
        for process in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = Path("/proc", process, "cmdline").read_bytes()
            except OSError:
                continue
            if self.facts["marker"].encode() in words or b"-m\0attacks\0" in words:
                found.append(f"process {process} is still there")
        return found

    def _listen(self, family: int, kind: int, address: Any) -> int:
        line = self.stack.enter_context(socket.socket(family, kind))
        line.bind(address)
        if kind == socket.SOCK_STREAM:
            line.listen()

        def hear() -> None:
            while True:
                try:
                    if kind == socket.SOCK_STREAM:
                        line.accept()[0].close()
                    elif not line.recv(100):
                        return
                except OSError:
                    return
                self.contacts.append(f"{address!r} was reached")

        threading.Thread(target=hear, daemon=True).start()
        self.stack.callback(shut, line)
        return line.getsockname()[1] if family == socket.AF_INET else 0


def shut(line: socket.socket) -> None:
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)


def own_address() -> str:
    """An address of this machine that is not the loopback, where it has one. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        try:
            line.connect(("192.0.2.1", 9))
            return line.getsockname()[0]
        except OSError:
            return "127.0.0.2"


@dataclass(frozen=True, kw_only=True)
class Result:
    group: str
    name: str
    route: str
    escaped: str
    how: str
    seconds: float


def try_function(name: str) -> str:
    """Run an attempt inside this very program; a tool function, as far as the world knows."""
    os.chdir(PLACE[0])
    return f"ESCAPED: {got!r}" if (got := attacks.ATTEMPTS[name][1](json.loads(Path("facts.json").read_text()))) else ""


PLACE: list[str] = []


async def tried(range_: Range, names: Iterable[str], routes: Iterable[str], *, verbose: bool) -> list[Result]:
    results: list[Result] = []
    PLACE[:] = [str(range_.project)]
    async with DirectoryFork(
        range_.project,
        tools=[try_function],
        limits=LIMITS,
        readable=[range_.base / "readable"],
        scratch=range_.base / "scratch",
    ) as world:
        for name in names:
            for route in routes:
                if route == "function" and name in ITS_OWN:
                    continue
                results.append(await one(world, range_, name, route))
                if verbose or results[-1].escaped:
                    print(results[-1], file=sys.stderr, flush=True)
    return results


async def one(world: DirectoryFork, range_: Range, name: str, route: str) -> Result:
    group, started = attacks.ATTEMPTS[name][0], time.monotonic()
    command = f"{sys.executable} -B -m attacks {name}"
    if route == "command":
        action = Action(tool="shell", arguments={"command": command})
    else:
        action = Action(tool="try_function", arguments={"name": name})
    escaped = ""
    try:
        with anyio.fail_after(LIMITS.seconds + 10):
            seen = await world(State(), action)
        how = seen.content.strip()[-100:]
        if "ESCAPED" in seen.content:
            escaped = how
    except (LookaheadError, TimeoutError) as error:
        how = f"{type(error).__name__}: {error}"
        if isinstance(error, TimeoutError):
            escaped = "it was not stopped in time"
    await world.discard()
    harm = await anyio.to_thread.run_sync(range_.harm)
    return Result(
        group=group, name=name, route=route, escaped=harm or escaped, how=how, seconds=time.monotonic() - started
    )


def attack(
    names: Iterable[str], routes: Iterable[str], *, verbose: bool = False, backend: str = "asyncio"
) -> list[Result]:
    """Try these attempts in a range of their own."""
    with ExitStack() as stack:
        base = Path(os.path.realpath(stack.enter_context(tempfile.TemporaryDirectory(prefix="lookahead-range-"))))
        range_ = Range(base=base, stack=stack)
        home, here = os.environ.get("HOME"), os.getcwd()
        range_.set_up()
        os.environ.update(HOME=str(range_.home), PLANTED_TOKEN="token")
        try:
            return anyio.run(partial(tried, range_, list(names), list(routes), verbose=verbose), backend=backend)
        finally:
            os.chdir(here)
            del os.environ["PLANTED_TOKEN"]
            if home is None:
                del os.environ["HOME"]
            else:
                os.environ["HOME"] = home


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="one group, or one attempt")
    parser.add_argument("--route", choices=("command", "function", "both"), default="both")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    names = [name for name, (group, _) in attacks.ATTEMPTS.items() if arguments.only in (None, group, name)]
    routes = ("command", "function") if arguments.route == "both" else (arguments.route,)
    results = attack(names, routes, verbose=arguments.verbose)
    counts, escapes = Counter(one.group for one in results), Counter(one.group for one in results if one.escaped)
    print("| attempts at | distinct | tried | succeeded |\n|---|---|---|---|")
    for group in counts:
        distinct = len({one.name for one in results if one.group == group})
        print(f"| {group} | {distinct} | {counts[group]} | {escapes[group]} |")
    print(f"| all | {len(names)} | {len(results)} | {sum(escapes.values())} |")
    print("\nThe real folder, a file beside it, a home, listeners and processes were compared after every attempt.")
    for one_ in results:
        if one_.escaped:
            print(f"- {one_.name} ({one_.route}): {one_.escaped}")
    return 1 if escapes else 0


if __name__ == "__main__":
    sys.exit(main())
