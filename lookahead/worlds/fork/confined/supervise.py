"""The three processes of a confined run: a watcher outside, an init inside that counts, and the command itself.

The watcher ends everything when the caller hangs up, when time is over or when too much was written. Init is process 1
of a namespace: when it ends, however it ends, the kernel kills every process inside.
"""

import contextlib
import gc
import os
import select
import signal
import time
from collections.abc import Callable
from typing import Final, cast

from . import linux
from .command import call, prepare, settle, start
from .room import build, mount_copy
from .seccomp import program
from .spec import Failed, Order, Report, Room, receive, send
from .watch import Counter, DiskWatch, family, inmates, leftovers, reached_network

_NAMESPACES: Final = (
    linux.CLONE_NEWUSER | linux.CLONE_NEWNS | linux.CLONE_NEWPID | linux.CLONE_NEWNET | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUTS | linux.CLONE_NEWCGROUP
)  # fmt: skip
_TICK: Final = 0.02
_GRACE: Final = 0.2
"""How long background processes may finish after the command itself has ended."""

Body = Callable[[], None]


def supervise(control: int, output: int, body: Body | None = None, keep: tuple[int, ...] = ()) -> None:
    """Run in a freshly forked process with one thread. On `control` come a room and an order; a report goes back.

    The room is built as soon as it is known, so one may be made in advance. Never raises.
    """
    report: Report
    try:
        gc.disable()
        os.setsid()
        if body is not None:
            _forget_the_caller((control, output, *keep))
        plan: Room | None = receive(control)
        if plan is None:
            return
        _watch(plan, control, output, body, keep)
        return
    except Failed as cause:
        report = {"error": str(cause), "stage": cause.stage}
    except Exception as cause:
        report = {"error": f"{type(cause).__name__}: {cause}", "stage": "namespaces"}
    with contextlib.suppress(OSError):
        send(control, report)


def _forget_the_caller(keep: tuple[int, ...]) -> None:
    """Make every inherited descriptor useless but keep its number taken, so that no stale object hits a new file."""
    for number in range(1, signal.NSIG):
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    with contextlib.suppress(OSError, ValueError):
        signal.set_wakeup_fd(-1)
    hollow = os.open("/dev/null", os.O_PATH | os.O_CLOEXEC)
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        if descriptor not in keep:
            os.dup2(null, descriptor)
    for descriptor in linux.open_descriptors():
        if descriptor > 2 and descriptor not in (*keep, hollow):
            with contextlib.suppress(OSError):
                os.dup2(hollow, descriptor, inheritable=False)
    for place, length, name in linux.shared_writable_mappings():
        linux.unshare_memory(place, length, keep=not name.startswith("/dev/") and length <= 1 << 28)


def _watch(plan: Room, control: int, output: int, body: Body | None, keep: tuple[int, ...]) -> None:
    inside, reports = os.pipe()
    alive, life = os.pipe()
    # A program that has changed its user may not be looked at in /proc, by which its child is told who it is.
    linux.prctl(linux.PR_SET_DUMPABLE, 1)
    try:
        init = linux.fork_into(_NAMESPACES)
    except OSError as cause:
        raise Failed("namespaces", cause) from cause
    if init == 0:
        for descriptor in (inside, life):
            os.close(descriptor)
        _init(plan, control, reports, alive, output, body, keep)
    for descriptor in (reports, alive, output, *keep):
        os.close(descriptor)
    try:
        _be_the_same_user(plan, init)
        linux.prctl(linux.PR_SET_DUMPABLE, 0)
        os.write(life, b"g")
        report = _until_the_end(plan, control, inside, init)
        if report.get("still_running") == 0:
            # Nothing writes to the copy any more, so the caller need not wait until the room is cleared away.
            with contextlib.suppress(OSError):
                send(control, report)
    finally:
        os.kill(init, signal.SIGKILL)
        os.waitpid(init, 0)
    if report.get("still_running") != 0:
        with contextlib.suppress(OSError):
            send(control, report)


def _until_the_end(plan: Room, control: int, inside: int, init: int) -> Report:
    order: Order | None = receive(inside)
    if order is None:
        return {"limit": "the caller went away"}
    if "argv" not in order:
        return cast(Report, order)
    started = time.monotonic()
    disk = DiskWatch(plan, order)
    blind = receive(inside) is not True  # init has no /proc to count in, so it is done from here
    counter = Counter(order, init, lambda: family(init))
    poller = select.poll()
    for descriptor in (control, inside):
        poller.register(descriptor, select.POLLIN | select.POLLHUP)
    while True:
        left = started + order["seconds"] - time.monotonic()
        if left <= 0:
            return {"timeout": True, "limit": f"it ran longer than {order['seconds']:g} seconds"}
        ready = {descriptor for descriptor, _ in poller.poll(max(1, min(left, 0.05) * 1000))}
        if inside in ready:
            report: Report | None = receive(inside)
            return report or {"error": "the first process of the room died", "stage": "room"}
        if control in ready:
            return {"limit": "the caller went away"}
        limit = disk.exceeded() or (counter.exceeded() if blind else "")
        if limit:
            return {"limit": limit}


def _be_the_same_user(plan: Room, init: int) -> None:
    """Inside, everybody keeps the number that they have outside. Only root may say so for more than itself."""
    try:
        if not plan["privileged"] or not _map(init, *_ranges()):
            _write(f"/proc/{init}/setgroups", "deny")
            if not _map(init, f"{os.geteuid()} {os.geteuid()} 1", f"{os.getegid()} {os.getegid()} 1"):
                raise PermissionError("the users of a new namespace may not be named here")
        linux.join_user_namespace(init)  # to be able to count in folders that the command closes to their owner
    except OSError as cause:
        raise Failed("namespaces", cause) from cause


def _map(init: int, users: str, groups: str) -> bool:
    try:
        _write(f"/proc/{init}/uid_map", users)
        _write(f"/proc/{init}/gid_map", groups)
    except PermissionError:
        return False
    return True


def _ranges() -> tuple[str, str]:
    found: list[str] = []
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/self/{name}", encoding="ascii") as file:
            fields = [line.split() for line in file]
        found.append("\n".join(f"{inside} {inside} {count}" for inside, _, count in fields))
    return found[0], found[1]


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _init(
    plan: Room, control: int, reports: int, alive: int, output: int, body: Body | None, keep: tuple[int, ...]
) -> None:
    """Process 1 of the room. Never returns."""
    report: Report
    try:
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.read(alive, 1) != b"g":
            os._exit(1)  # the watcher had died before the first line
        linux.prctl(linux.PR_SET_DUMPABLE, 0)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        isolated, warnings = build(plan)
        prepare(plan["privileged"])
        code = program(unix_sockets=isolated)
        before = reached_network()
        order: Order | None = receive(control)
        if order is None:
            os._exit(0)
        mount_copy(plan, order)
        settle(order, code, privileged=plan["privileged"], forked=body is not None)
        send(reports, order)
        send(reports, not warnings)
        child = _start(order, output, body, (reports, alive, control))
        for descriptor in (output, control, *keep):
            os.close(descriptor)
        report = _reap(order, child)
        report["network"] = reached_network() != before
        report["warnings"] = warnings
        report["left"] = leftovers(plan)
    except Failed as cause:
        report = {"error": str(cause), "stage": cause.stage}
    except Exception as cause:
        report = {"error": f"{type(cause).__name__}: {cause}", "stage": "room"}
    with contextlib.suppress(OSError):
        send(reports, report)
    os._exit(0)


def _start(order: Order, output: int, body: Body | None, close: tuple[int, ...]) -> int:
    if body is None:
        try:
            return start(order, output)
        except OSError as cause:
            os.write(output, f"{order['argv'][0]}: {cause.strerror}\n".encode())
    child = os.fork()
    if child == 0:
        if body is None:
            os._exit(127)
        call(output, body, close)
    return child


def _reap(order: Order, child: int) -> Report:
    """Wait for the command while counting what runs; then for what it left in the background, but not long."""
    counter = Counter(order, child, inmates)
    status: int | None = None
    ended, alone = 0.0, False
    while True:
        try:
            while True:
                process, how = os.waitpid(-1, os.WNOHANG)
                if not process:
                    break
                if process == child:
                    status, ended = os.waitstatus_to_exitcode(how), time.monotonic()
        except ChildProcessError:
            alone = True  # whoever loses its parent in here becomes a child of process 1: there is nobody left
        if status is not None and (alone or time.monotonic() - ended > _GRACE):
            return {"exit": status, "still_running": 0 if alone else max(1, counter.running())}
        limit = counter.exceeded()
        if limit:
            return {"limit": limit}
        signal.sigtimedwait([signal.SIGCHLD], _TICK)
