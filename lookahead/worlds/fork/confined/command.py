"""The last steps before the command: no way back, no privileges, no forbidden calls; only then its own program."""

import contextlib
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable
from fcntl import ioctl

from . import linux, seccomp
from .spec import Order


def prepare(privileged: bool) -> None:
    """What can be given up before it is known what will run: every power that a program could be started with."""
    linux.limit_capabilities(linux.FILE_CAPABILITIES if privileged else ())
    for descriptor in linux.open_descriptors():
        if descriptor > 2:
            with contextlib.suppress(OSError):
                os.set_inheritable(descriptor, False)
    _loopback_up()


def settle(order: Order, code: bytes, *, privileged: bool, forked: bool) -> None:
    """Give up everything else, for this process and all that it will start."""
    _limit(order, forked)
    os.umask(order["mask"])
    os.chdir(order["cwd"])
    linux.keep_capabilities(linux.FILE_CAPABILITIES if privileged else ())
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    seccomp.install(code)


def start(order: Order, output: int) -> int:
    """Start a program, without a copy of this process on the way."""
    program = _found(order["argv"][0], order["env"].get("PATH", os.defpath))
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, output, 1),
        (os.POSIX_SPAWN_DUP2, output, 2),
    ]
    return os.posix_spawn(
        program,
        order["argv"],
        order["env"],
        file_actions=actions,
        setsid=True,
        setsigmask=[],
        setsigdef=[signal.SIGPIPE, signal.SIGINT, signal.SIGCHLD],
    )


def _found(name: str, path: str) -> str:
    if "/" in name:
        return name
    places = (os.path.join(folder, name) for folder in path.split(os.pathsep) if folder)
    return next((place for place in places if os.access(place, os.X_OK)), name)


def call(output: int, body: Callable[[], None], close: tuple[int, ...]) -> None:
    """In a child: run a function, and never return."""
    try:
        linux.prctl(linux.PR_SET_DUMPABLE, 1)
        os.setsid()
        for descriptor in close:
            os.close(descriptor)
        os.dup2(os.open("/dev/null", os.O_RDWR), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        signal.signal(signal.SIGINT, signal.default_int_handler)
        body()
        os._exit(0)
    except BaseException as cause:
        with contextlib.suppress(BaseException):
            os.write(2, f"{type(cause).__name__}: {cause}\n".encode())
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
        os._exit(127)


def _limit(order: Order, forked: bool) -> None:
    # Memory and processes are counted by init, exactly and aloud; these are nets below that, for between two counts.
    wanted = (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, order["cpu_seconds"]),
        (resource.RLIMIT_FSIZE, order["written"]),
        (resource.RLIMIT_NOFILE, max(order["files"], max(linux.open_descriptors()) + 64 if forked else 0)),
        (resource.RLIMIT_NPROC, order["processes"] + 64),
        (resource.RLIMIT_DATA, order["memory"] * 4 + (_data_size() if forked else 0)),
        (resource.RLIMIT_MEMLOCK, 1 << 20),
        (resource.RLIMIT_MSGQUEUE, 1 << 20),
    )
    for which, most in wanted:
        _, hard = resource.getrlimit(which)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(which, (most, most))


def _data_size() -> int:
    """What this process has already; without /proc nobody can say, and then the count from outside must do."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[5]) * resource.getpagesize()
    except OSError:
        return 1 << 42


def _loopback_up() -> None:
    """Servers and clients of the command's own may talk to each other."""
    import _socket

    with contextlib.suppress(OSError):
        probe = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM, 0)
        try:
            request = struct.pack("16sH22x", b"lo", 0)
            flags = struct.unpack("16sH22x", ioctl(probe.fileno(), 0x8913, request))[1]
            ioctl(probe.fileno(), 0x8914, struct.pack("16sH22x", b"lo", flags | 1))
        finally:
            probe.close()
