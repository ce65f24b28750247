"""Attempts to use up the machine: the harness expects a stop, and looks at what is left."""

import ctypes
import os
import signal
import time
from pathlib import Path
from typing import Any

from attacks.trying import attempt, syscall


@attempt("limits")
def a_fork_bomb(facts: dict[str, Any]) -> object:
    while True:
        try:
            os.fork()
        except OSError:
            time.sleep(0.01)


@attempt("limits")
def a_bomb_of_sleepers(facts: dict[str, Any]) -> object:
    while True:
        if os.fork() == 0:
            os.setsid()
            time.sleep(300)


@attempt("limits")
def one_gigabyte_of_output(facts: dict[str, Any]) -> object:
    block = b"x" * (1 << 20)
    for _ in range(1024):
        os.write(1, block)


@attempt("limits")
def all_the_memory(facts: dict[str, Any]) -> object:
    kept = []
    while True:
        kept.append(bytearray(os.urandom(1 << 16) * 256))


@attempt("limits")
def memory_without_a_process(facts: dict[str, Any]) -> object:
    return os.memfd_create("x")


@attempt("limits")
def memory_of_another_kind(facts: dict[str, Any]) -> object:
    return syscall(29, ctypes.c_int(0), ctypes.c_size_t(1 << 30), ctypes.c_int(0o1600)) >= 0


@attempt("limits")
def one_huge_file(facts: dict[str, Any]) -> object:
    with open("huge", "wb") as file:
        while True:
            file.write(b"x" * (1 << 20))


@attempt("limits")
def many_large_files(facts: dict[str, Any]) -> object:
    number = 0
    while True:
        Path(f"large-{number}").write_bytes(b"x" * (1 << 22))
        number += 1


@attempt("limits")
def a_huge_hole(facts: dict[str, Any]) -> object:
    os.truncate(os.open("hole", os.O_CREAT | os.O_RDWR), 1 << 42)
    return "made"


@attempt("limits")
def the_temporary_folder_is_filled(facts: dict[str, Any]) -> object:
    block, total = b"x" * (1 << 20), 0
    for number in range(4096):
        try:
            total += Path(f"/tmp/{number}").write_bytes(block)
        except OSError:
            return total > facts["scratch_limit"]
    return total


@attempt("limits")
def an_endless_loop(facts: dict[str, Any]) -> object:
    while True:
        pass


@attempt("limits")
def an_endless_sleep(facts: dict[str, Any]) -> object:
    for number in range(1, signal.NSIG):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            continue
    while True:
        time.sleep(100)
