"""The list of system calls that a confined command may not make, as a program for the kernel's filter."""

import ctypes
import errno
import struct
from functools import lru_cache
from typing import Final

from .linux import machine, set_filter

# (x86_64, aarch64); None where the machine has no such call.
_REFUSED: Final[dict[str, tuple[int | None, int | None]]] = {
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, None),
    "ioperm": (173, None),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "open_by_handle_at": (304, 265),
    "lookup_dcookie": (212, 18),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    "nfsservctl": (180, 42),
    "uselib": (134, None),
    "fanotify_init": (300, 262),
}
# "Not built into this kernel" makes programs fall back to what they did before these calls were invented. Memory that
# belongs to no process and no file system of ours could not be counted.
_UNKNOWN: Final[dict[str, tuple[int | None, int | None]]] = {
    "clone3": (435, 435),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
}
_CLONE: Final = (56, 220)
_IOCTL: Final = (16, 29)
_SOCKET: Final = (41, 198)
_SOCKETPAIR: Final = (53, 199)

_NEW_NAMESPACES: Final = 0x7E020080  # every CLONE_NEW* flag
_TERMINAL_INJECTION: Final = (0x5412, 0x541C, 0x540E, 0x5423)  # TIOCSTI, TIOCLINUX, TIOCSCTTY, TIOCSETD
_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16

_LOAD: Final = 0x20
_EQUAL: Final = 0x15
_ANY_BIT: Final = 0x45
_AND: Final = 0x54
_RETURN: Final = 0x06
_ALLOW: Final = 0x7FFF0000
_KILL: Final = 0x80000000


def _fail(number: int) -> int:
    return 0x00050000 | number


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)


def _call_is(number: int, body: list[bytes]) -> list[bytes]:
    """Run `body` only for this call; after it the call's number is loaded again."""
    return [_step(_EQUAL, number, 0, len(body) + 1), *body, _step(_LOAD, 0)]


def _argument(index: int) -> bytes:
    return _step(_LOAD, 16 + 8 * index)  # the low half; both machines are little-endian


@lru_cache
def program(*, unix_sockets: bool) -> bytes:
    """The filter as bytes. Raises `OSError` on a machine whose system calls are not listed here."""
    here = machine()
    if here is None:
        raise OSError(errno.ENOSYS, "no list of system calls for this kind of processor")
    column, architecture = here
    steps = [_step(_LOAD, 4), _step(_EQUAL, architecture, 1, 0), _step(_RETURN, _KILL), _step(_LOAD, 0)]
    if column == 0:  # the x32 calls have numbers of their own
        steps += [_step(_ANY_BIT, 0x40000000, 0, 1), _step(_RETURN, _KILL)]
    for table, answer in ((_REFUSED, errno.EPERM), (_UNKNOWN, errno.ENOSYS)):
        for numbers in table.values():
            number = numbers[column]
            if number is not None:
                steps += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _fail(answer))]
    steps += _call_is(
        _CLONE[column], [_argument(0), _step(_ANY_BIT, _NEW_NAMESPACES, 0, 1), _step(_RETURN, _fail(errno.EPERM))]
    )
    injections: list[bytes] = [_argument(1)]
    for request in _TERMINAL_INJECTION:
        injections += [_step(_EQUAL, request, 0, 1), _step(_RETURN, _fail(errno.EPERM))]
    steps += _call_is(_IOCTL[column], injections)
    steps += _call_is(_SOCKET[column], _families((_UNIX, _INET, _INET6) if unix_sockets else (_INET, _INET6)))
    steps += _call_is(
        _SOCKETPAIR[column],
        [_argument(0), _step(_EQUAL, _UNIX, 1, 0), _step(_RETURN, _fail(errno.EAFNOSUPPORT))],
    )
    return b"".join([*steps, _step(_RETURN, _ALLOW)])


def _families(allowed: tuple[int, ...]) -> list[bytes]:
    steps = [_argument(0)]
    for family in allowed:
        steps += [_step(_EQUAL, family, 0, 1), _step(_RETURN, _ALLOW)]
    # Of netlink only its routing protocol, which is how programs list their own network interfaces.
    steps += [_step(_EQUAL, _NETLINK, 1, 0), _step(_RETURN, _fail(errno.EAFNOSUPPORT))]
    return [*steps, _argument(2), _step(_EQUAL, 0, 1, 0), _step(_RETURN, _fail(errno.EPROTONOSUPPORT))]


def install(code: bytes) -> None:
    """From here on, for this process and all that it starts, for ever."""
    set_filter(_Program(len(code) // 8, code))
