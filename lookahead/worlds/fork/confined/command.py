"""The last step before the command: no way back, no privileges, no forbidden calls, only then its own program."""

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


def confine_and_run(
    order: Order,
    output: int,
    body: Callable[[], None] | None,
    close: tuple[int, ...],
    keep: tuple[int, ...],
    *,
    code: bytes,
    privileged: bool,
) -> None:
    """Become the command. Never returns."""
    try:
        os.setsid()
        for descriptor in close:
            os.close(descriptor)
        os.dup2(os.open("/dev/null", os.O_RDWR), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        for descriptor in linux.open_descriptors():
            if descriptor > 2 and descriptor not in keep:
                with contextlib.suppress(OSError):
                    os.set_inheritable(descriptor, False)
        _limit(order, body is not None)
        linux.keep_capabilities(linux.FILE_CAPABILITIES if privileged else ())
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        signal.signal(signal.SIGPIPE, signal.SIG_IGN if body else signal.SIG_DFL)
        os.umask(order["mask"])
        os.chdir(order["cwd"])
        seccomp.install(code)
        if body:
            body()
            os._exit(0)
        os.execvpe(order["argv"][0], order["argv"], order["env"])
    except BaseException as cause:
        with contextlib.suppress(BaseException):
            os.write(2, f"lookahead: {order['argv'][:1]}: {cause}\n".encode())
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
        os._exit(127)


def _limit(order: Order, forked: bool) -> None:
    # Memory and processes are counted by init, exactly and aloud; these are nets below that, for between two counts.
    data = order["memory"] * 4 + (_data_size() if forked else 0)
    wanted = (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, order["cpu_seconds"]),
        (resource.RLIMIT_FSIZE, order["written"]),
        (resource.RLIMIT_NOFILE, max(order["files"], _highest() + 64 if forked else 0)),
        (resource.RLIMIT_NPROC, order["processes"] + 64),
        (resource.RLIMIT_DATA, data),
        (resource.RLIMIT_MEMLOCK, 1 << 20),
        (resource.RLIMIT_MSGQUEUE, 1 << 20),
    )
    for which, most in wanted:
        _, hard = resource.getrlimit(which)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(which, (most, most))


def _data_size() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[5]) * resource.getpagesize()


def _highest() -> int:
    return max(linux.open_descriptors())


def loopback_up() -> None:
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
