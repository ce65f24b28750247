"""Attempts to look or get out through /proc, devices and mounts, or with more privileges."""

import ctypes
import os
import signal
import socket
import struct
import time
from pathlib import Path
from typing import Any

from attacks.trying import LIBC, attempt, ran, syscall


@attempt("/proc")
def the_root_of_process_one(facts: dict[str, Any]) -> object:
    return os.listdir("/proc/1/root")


@attempt("/proc")
def the_folder_of_process_one(facts: dict[str, Any]) -> object:
    return os.listdir("/proc/1/cwd")


@attempt("/proc")
def the_root_of_the_parent(facts: dict[str, Any]) -> object:
    return open(f"/proc/{facts['parent']}/root{facts['outside']}/canary").read()


@attempt("/proc")
def the_memory_of_process_one(facts: dict[str, Any]) -> object:
    return os.open("/proc/1/mem", os.O_RDWR)


@attempt("/proc")
def the_environment_of_process_one(facts: dict[str, Any]) -> object:
    return open("/proc/1/environ").read()


@attempt("/proc")
def the_descriptors_of_process_one(facts: dict[str, Any]) -> object:
    return [os.open(f"/proc/1/fd/{name}", os.O_RDONLY) for name in os.listdir("/proc/1/fd")]


@attempt("/proc")
def magic_keys(facts: dict[str, Any]) -> object:
    with open("/proc/sysrq-trigger", "w") as file:
        return file.write("h")


@attempt("/proc")
def the_core_pattern(facts: dict[str, Any]) -> object:
    with open("/proc/sys/kernel/core_pattern", "w") as file:
        return file.write("|/bin/sh")


@attempt("/proc")
def the_modprobe_path(facts: dict[str, Any]) -> object:
    with open("/proc/sys/kernel/modprobe", "w") as file:
        return file.write("/bin/sh")


@attempt("/proc")
def kernel_memory(facts: dict[str, Any]) -> object:
    return os.pread(os.open("/proc/kcore", os.O_RDONLY), 16, 0)


@attempt("/proc")
def other_processes_are_listed(facts: dict[str, Any]) -> object:
    return os.path.exists(f"/proc/{facts['victim']}") and int(facts["victim"]) > 50 and "seen"


@attempt("devices")
def a_disk_by_mknod(facts: dict[str, Any]) -> object:
    os.mknod("disk", 0o600 | 0o060000, os.makedev(8, 0))
    return os.open("disk", os.O_RDONLY)


@attempt("devices")
def kernel_memory_by_mknod(facts: dict[str, Any]) -> object:
    os.mknod("mem", 0o600 | 0o020000, os.makedev(1, 1))
    return os.open("mem", os.O_RDONLY)


@attempt("devices")
def disks_in_dev(facts: dict[str, Any]) -> object:
    known = {"null", "zero", "full", "random", "urandom", "fd", "stdin", "stdout", "stderr", "shm"}
    return set(os.listdir("/dev")) - known


@attempt("devices")
def a_planted_device(facts: dict[str, Any]) -> object:
    return os.path.exists("planted-device") and os.read(os.open("planted-device", os.O_RDONLY), 1)


@attempt("mounts")
def a_new_mount(facts: dict[str, Any]) -> object:
    return LIBC.mount(b"x", b"/tmp", b"tmpfs", 0, None) == 0


@attempt("mounts")
def system_folders_made_writable(facts: dict[str, Any]) -> object:
    return LIBC.mount(None, b"/usr", None, 0x1000 | 0x20, None) == 0


@attempt("mounts")
def the_copy_is_unmounted(facts: dict[str, Any]) -> object:
    return LIBC.umount2(os.getcwd().encode(), 2) == 0


@attempt("mounts")
def the_new_mount_calls(facts: dict[str, Any]) -> object:
    return syscall(430, b"tmpfs", ctypes.c_int(0)) >= 0 or syscall(428, ctypes.c_int(-100), b"/", ctypes.c_int(1)) >= 0


@attempt("mounts")
def chroot_and_out(facts: dict[str, Any]) -> object:
    os.mkdir("jail")
    os.chroot("jail")
    os.chdir("../" * 40)
    return os.listdir(".")


@attempt("mounts")
def pivot_root(facts: dict[str, Any]) -> object:
    return syscall(155, b".", b".") == 0


@attempt("privileges")
def a_nested_user_namespace(facts: dict[str, Any]) -> object:
    return LIBC.unshare(0x10000000) == 0


@attempt("privileges")
def a_nested_user_namespace_by_clone(facts: dict[str, Any]) -> object:
    child = syscall(56, ctypes.c_ulong(0x10000000 | signal.SIGCHLD), *(ctypes.c_ulong(0) for _ in range(4)))
    if child == 0:
        os._exit(0)
    return child > 0


@attempt("privileges")
def a_nested_user_namespace_by_clone3(facts: dict[str, Any]) -> object:
    block = ctypes.create_string_buffer(struct.pack("Q7x", 0x10000000).ljust(88, b"\0"))
    child = syscall(435, block, ctypes.c_size_t(88))
    if child == 0:
        os._exit(0)
    return child > 0


@attempt("privileges")
def capabilities_beyond_files(facts: dict[str, Any]) -> object:
    status = dict(line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    return any(int(status[name], 16) & ~0b11011 for name in ("CapEff", "CapPrm", "CapBnd"))


@attempt("privileges")
def a_program_that_runs_as_root(facts: dict[str, Any]) -> object:
    return os.getuid() != 0 and "uid=0" in ran("su", "-c", "id", "root")


@attempt("privileges")
def privileges_can_be_gained(facts: dict[str, Any]) -> object:
    return LIBC.prctl(39, 0, 0, 0, 0) != 1


@attempt("privileges")
def no_filter_is_on(facts: dict[str, Any]) -> object:
    return "Seccomp:\t2" not in open("/proc/self/status").read()


@attempt("privileges")
def thirty_two_bit_calls(facts: dict[str, Any]) -> object:
    child = os.fork()
    if child == 0:
        os._exit(7 if syscall(0x40000000 + 39) > 0 else 0)  # getpid as an x32 call
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@attempt("kernel")
def programs_in_the_kernel(facts: dict[str, Any]) -> object:
    return syscall(321, ctypes.c_int(0), ctypes.create_string_buffer(128), ctypes.c_int(128)) >= 0


@attempt("kernel")
def performance_counters(facts: dict[str, Any]) -> object:
    return syscall(298, ctypes.create_string_buffer(128), 0, -1, -1, 0) >= 0


@attempt("kernel")
def userfaultfd(facts: dict[str, Any]) -> object:
    return syscall(323, ctypes.c_int(1)) >= 0


@attempt("kernel")
def io_uring(facts: dict[str, Any]) -> object:
    return syscall(425, ctypes.c_uint(4), ctypes.create_string_buffer(128)) >= 0


@attempt("kernel")
def keyrings(facts: dict[str, Any]) -> object:
    return syscall(250, ctypes.c_int(0), ctypes.c_int(-3), ctypes.c_int(1)) >= 0


@attempt("kernel")
def a_module(facts: dict[str, Any]) -> object:
    return syscall(313, ctypes.c_int(0), b"", ctypes.c_int(0)) == 0 or ctypes.get_errno() != 1


@attempt("kernel")
def the_clock(facts: dict[str, Any]) -> object:
    time.clock_settime(time.CLOCK_REALTIME, 0)
    return "set"


@attempt("kernel")
def the_host_name(facts: dict[str, Any]) -> object:
    socket.sethostname("escaped")
    return "set"


@attempt("kernel")
def the_kernels_log(facts: dict[str, Any]) -> object:
    return LIBC.klogctl(3, ctypes.create_string_buffer(64), 64) > 0
