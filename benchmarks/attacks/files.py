"""Attempts to write where the copy is not."""

import ctypes
import os
import struct
from pathlib import Path
from typing import Any

from attacks.trying import attempt, ran, syscall, written


@attempt("paths")
def an_absolute_path(facts: dict[str, Any]) -> object:
    return written(facts["outside"] + "/canary")


@attempt("paths")
def dots_upwards(facts: dict[str, Any]) -> object:
    return written("../" * 30 + facts["outside"].lstrip("/") + "/canary")


@attempt("paths")
def a_planted_link_to_a_file(facts: dict[str, Any]) -> object:
    return written("link-to-canary")


@attempt("paths")
def a_planted_link_to_a_folder(facts: dict[str, Any]) -> object:
    return written("link-to-outside/new-file")


@attempt("paths")
def a_new_link_to_a_file(facts: dict[str, Any]) -> object:
    os.symlink(facts["outside"] + "/canary", "mine")
    return written("mine")


@attempt("paths")
def a_link_to_the_root(facts: dict[str, Any]) -> object:
    os.symlink("/", "root")
    return written("root" + facts["outside"] + "/canary")


@attempt("paths")
def a_hard_link_out(facts: dict[str, Any]) -> object:
    os.link(facts["outside"] + "/canary", "hard")
    return written("hard")


@attempt("paths")
def a_planted_hard_link(facts: dict[str, Any]) -> object:
    return written("hard-link-to-canary")


@attempt("paths")
def the_real_file_by_truncation(facts: dict[str, Any]) -> object:
    os.truncate("keep.txt", 0)


@attempt("paths")
def the_real_file_by_shared_memory(facts: dict[str, Any]) -> object:
    import mmap

    with open("keep.txt", "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[:4] = b"gone"


@attempt("paths")
def system_programs(facts: dict[str, Any]) -> object:
    return written("/usr/bin/env") or "wrote"


@attempt("paths")
def system_settings(facts: dict[str, Any]) -> object:
    return written("/etc/passwd", "x::0:0::/:/bin/sh\n") or "wrote"


@attempt("paths")
def a_start_file_in_the_home(facts: dict[str, Any]) -> object:
    return written(facts["home"] + "/.bashrc")


@attempt("paths")
def everything_is_deleted(facts: dict[str, Any]) -> object:
    ran("rm", "-rf", "--no-preserve-root", "/")


@attempt("paths")
def a_renamed_folder_is_left(facts: dict[str, Any]) -> object:
    os.makedirs("a/b/c")
    os.chdir("a/b/c")
    os.rename("../../../a/b", "../../../moved")
    return os.path.exists("../../../../../../.." + facts["outside"] + "/canary")


@attempt("paths")
def the_scratch_of_this_sandbox(facts: dict[str, Any]) -> object:
    options = Path("/proc/self/mountinfo").read_text()
    return [place for place in ("/run/layers", "/run", facts["scratch"]) if os.path.exists(place + "/lock")] or (
        "session" in options and os.path.exists(facts["scratch"])
    )


@attempt("paths")
def a_file_handle(facts: dict[str, Any]) -> object:
    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 1) + b"\x02\0\0\0\0\0\0\0".ljust(128, b"\0"))
    return syscall(304, ctypes.c_int(os.open(".", os.O_RDONLY)), handle, ctypes.c_int(0)) >= 0


@attempt("lower layer")
def a_forged_whiteout(facts: dict[str, Any]) -> object:
    os.mknod("keep.txt.gone", 0o600 | 0o020000, os.makedev(0, 0))
    return "made"


@attempt("lower layer")
def a_forged_redirect(facts: dict[str, Any]) -> object:
    os.mkdir("forged")
    os.setxattr("forged", "user.overlay.redirect", b"/../../.." + facts["outside"].encode())
    return os.listdir("forged")


@attempt("lower layer")
def a_forged_metacopy(facts: dict[str, Any]) -> object:
    Path("fake").write_text("")
    os.setxattr("fake", "trusted.overlay.metacopy", b"")
    return "set"


@attempt("lower layer")
def the_real_folders_mode(facts: dict[str, Any]) -> object:
    os.chmod(".", 0o777)
    os.chmod("keep.txt", 0o777)
    os.utime("keep.txt", (1, 1))


@attempt("lower layer")
def the_real_files_attributes(facts: dict[str, Any]) -> object:
    os.setxattr("keep.txt", "user.escaped", b"1")
