"""The Linux calls that Python lacks, by ctypes. Runs in the bare helper as well, so it imports nothing of ours."""

import ctypes
import errno
import os
import platform
import signal
from collections.abc import Iterator
from typing import Final

MS_RDONLY: Final = 0x1
MS_NOSUID: Final = 0x2
MS_NODEV: Final = 0x4
MS_NOEXEC: Final = 0x8
MS_REMOUNT: Final = 0x20
MS_BIND: Final = 0x1000
MS_REC: Final = 0x4000
MS_PRIVATE: Final = 0x40000
MNT_DETACH: Final = 0x2

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWCGROUP: Final = 0x02000000
CLONE_NEWUTS: Final = 0x04000000
CLONE_NEWIPC: Final = 0x08000000
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWPID: Final = 0x20000000
CLONE_NEWNET: Final = 0x40000000

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_SET_SECCOMP: Final = 22
PR_CAPBSET_DROP: Final = 24
PR_SET_NO_NEW_PRIVS: Final = 38
PR_CAP_AMBIENT: Final = 47

FICLONE: Final = 0x40049409

FILE_CAPABILITIES: Final = (0, 1, 3, 4)
"""chown, dac_override, fowner, fsetid: what lets root treat everybody's files as its own."""

_MACHINES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

_libc = ctypes.CDLL(None, use_errno=True)


def machine() -> tuple[int, int] | None:
    """Which column of a syscall table holds here, and the kernel's name of the architecture; None where unknown."""
    return _MACHINES.get(platform.machine()) if ctypes.sizeof(ctypes.c_void_p) == 8 else None


def _check(result: int, doing: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{os.strerror(number)} ({doing})")
    return result


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), f"unshare {flags:#x}")


def fork_into(flags: int) -> int:
    """Fork, with the child in new namespaces. Only for a process with one thread: the C library is not told of it."""
    here = machine()
    assert here is not None
    library, python = ctypes.PyDLL(None, use_errno=True), ctypes.pythonapi
    zero = ctypes.c_ulong(0)
    python.PyOS_BeforeFork()
    number = ctypes.c_long((56, 220)[here[0]])
    child = library.syscall(number, ctypes.c_ulong(flags | signal.SIGCHLD), zero, zero, zero, zero)
    if child == 0:
        python.PyOS_AfterFork_Child()
    else:
        python.PyOS_AfterFork_Parent()
    return _check(child, f"clone {flags:#x}")


def join_user_namespace(process: int) -> None:
    descriptor = os.open(f"/proc/{process}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(descriptor, CLONE_NEWUSER), "setns")
    finally:
        os.close(descriptor)


def mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    data = os.fsencode(options) if options else None
    result = _libc.mount(
        os.fsencode(source), os.fsencode(target), kind.encode() or None, ctypes.c_ulong(flags), ctypes.c_char_p(data)
    )
    _check(result, f"mount {kind or 'bind'} on {target}")


def unmount(target: str) -> None:
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), f"unmount {target}")


def bind(source: str, target: str, *, recursive: bool = False) -> None:
    mount(source, target, "", MS_BIND | (MS_REC if recursive else 0))


def tighten(target: str, flags: int) -> None:
    """Add flags to one mount. Those that it has are kept: inside a user namespace they may not be taken off."""
    kept = os.statvfs(target).f_flag & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME)
    relative = 0x200000 if os.statvfs(target).f_flag & os.ST_RELATIME else 0
    mount("", target, "", MS_BIND | MS_REMOUNT | kept | relative | flags)


def pivot_root(new: str) -> None:
    """Make `new` the root and let go of everything else."""
    here = machine()
    assert here is not None
    os.chdir(new)
    _check(_libc.syscall(ctypes.c_long((155, 41)[here[0]]), b".", b"."), "pivot_root")
    unmount(".")
    os.chdir("/")


def prctl(option: int, value: int = 0, third: int = 0) -> None:
    zero = ctypes.c_ulong(0)
    _check(_libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(third), zero, zero), f"prctl {option}")


def set_filter(program: ctypes.Structure) -> None:
    """Install a seccomp program (mode 2)."""
    zero = ctypes.c_ulong(0)
    _check(_libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(2), ctypes.byref(program), zero, zero), "seccomp")


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapData(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def limit_capabilities(kept: tuple[int, ...]) -> None:
    """From here on no program that is started can gain another capability than `kept`."""
    for number in range(64):
        if number not in kept:
            try:
                prctl(PR_CAPBSET_DROP, number)
            except OSError as problem:
                if problem.errno != errno.EINVAL:
                    raise
                break
    prctl(PR_CAP_AMBIENT, 4)


def keep_capabilities(kept: tuple[int, ...]) -> None:
    """Drop every capability but `kept`."""
    mask = sum(1 << number for number in kept)
    header = _CapHeader(0x20080522, 0)
    data = (_CapData * 2)(_CapData(mask, mask, 0), _CapData(0, 0, 0))
    _check(_libc.capset(ctypes.byref(header), data), "capset")


def open_descriptors() -> list[int]:
    """What is open here; where there is no /proc to say so, every number that may be."""
    try:
        return [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return list(range(4096))


def shared_writable_mappings() -> Iterator[tuple[int, int, str]]:
    """Start, length and name of each piece of memory that this process shares with others and may write."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        lines = maps.readlines()
    for line in lines:
        fields = line.split(maxsplit=5)
        if fields[1][1] == "w" and fields[1][3] == "s":
            start, end = (int(part, 16) for part in fields[0].split("-"))
            yield start, end - start, fields[5].strip() if len(fields) > 5 else ""


def unshare_memory(start: int, length: int, *, keep: bool) -> None:
    """Put private memory in place of a shared mapping: a copy of what it held, or (`keep=False`) nothing at all."""
    held = ctypes.string_at(start, length) if keep else b""
    _libc.mmap.restype = ctypes.c_void_p
    protection, flags = (3 if keep else 0), 0x02 | 0x10 | 0x20  # private, fixed, anonymous
    got = _libc.mmap(
        ctypes.c_void_p(start), ctypes.c_size_t(length), protection, flags, ctypes.c_int(-1), ctypes.c_long(0)
    )
    if got != start:
        raise OSError(ctypes.get_errno(), "shared memory could not be made private")
    if held:
        ctypes.memmove(start, held, length)
