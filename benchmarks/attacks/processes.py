"""Attempts on other processes, and at what should not be readable."""

import ctypes
import os
import signal
import sys
import time
from typing import Any

from attacks.trying import LIBC, attempt, syscall


@attempt("processes")
def an_outside_process_is_killed(facts: dict[str, Any]) -> object:
    if int(facts["victim"]) > 50:
        os.kill(facts["victim"], signal.SIGKILL)


@attempt("processes")
def the_caller_is_killed(facts: dict[str, Any]) -> object:
    os.kill(facts["parent"], signal.SIGTERM)


@attempt("processes")
def everything_is_killed(facts: dict[str, Any]) -> object:
    os.kill(-1, signal.SIGKILL)


@attempt("processes")
def process_one_is_killed(facts: dict[str, Any]) -> object:
    os.kill(1, signal.SIGKILL)
    time.sleep(0.05)
    return ""


@attempt("processes")
def process_one_is_traced(facts: dict[str, Any]) -> object:
    return LIBC.ptrace(16, 1, None, None) == 0


@attempt("processes")
def the_memory_of_another(facts: dict[str, Any]) -> object:
    return syscall(310, ctypes.c_int(1), None, 0, None, 0, 0) >= 0


@attempt("processes")
def another_process_descriptor_is_taken(facts: dict[str, Any]) -> object:
    process = os.pidfd_open(1)
    return syscall(438, ctypes.c_int(process), ctypes.c_int(0), ctypes.c_int(0)) >= 0


@attempt("processes")
def a_daemon_that_stays(facts: dict[str, Any]) -> object:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv(sys.executable, ["python", "-c", "import time; time.sleep(300)", facts["marker"]])
        os._exit(0)


@attempt("processes")
def a_daemon_that_ignores_signals(facts: dict[str, Any]) -> object:
    if os.fork() == 0:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        os.execv(sys.executable, ["python", "-c", "import time; time.sleep(300)", facts["marker"]])


@attempt("processes")
def letters_typed_into_the_terminal(facts: dict[str, Any]) -> object:
    import fcntl

    for place in (0, 1, 2, "/dev/tty", "/dev/console"):
        try:
            descriptor = place if isinstance(place, int) else os.open(place, os.O_RDWR)
            fcntl.ioctl(descriptor, 0x5412, b"x")
        except OSError:
            continue
        return place
    return ""


@attempt("secrets")
def a_key_in_the_home(facts: dict[str, Any]) -> object:
    return open(facts["home"] + "/.ssh/id_rsa").read()


@attempt("secrets")
def a_file_outside(facts: dict[str, Any]) -> object:
    return open(facts["outside"] + "/canary").read()


@attempt("secrets")
def a_file_outside_by_a_planted_link(facts: dict[str, Any]) -> object:
    return open("link-to-canary").read()


@attempt("secrets")
def password_hashes(facts: dict[str, Any]) -> object:
    return open("/etc/shadow").read()


@attempt("secrets")
def the_callers_environment(facts: dict[str, Any]) -> object:
    return os.environ.get("PLANTED_TOKEN")


@attempt("secrets")
def the_callers_temporary_files(facts: dict[str, Any]) -> object:
    return open(facts["temporary"]).read()


@attempt("secrets")
def inherited_descriptors(facts: dict[str, Any]) -> object:
    found = {int(name): os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if int(name) > 2}
    for number in found:
        try:
            os.write(number, b"escaped")
        except OSError:
            continue
    return [place for place in found.values() if not place.startswith("/proc/")]


@attempt("secrets")
def descriptors_by_number(facts: dict[str, Any]) -> object:
    for number in range(3, 1024):
        try:
            os.write(number, b"escaped")
        except OSError:
            continue
        return number
    return ""
