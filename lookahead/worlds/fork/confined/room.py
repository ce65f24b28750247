"""Build the room: a root of its own that holds the copy, read-only system folders and a private /tmp, nothing else."""

import contextlib
import os
import stat

from . import linux
from .spec import Failed, Order, Room

_DEVICES = ("null", "zero", "full", "random", "urandom")
_SECRETS_OF_PROC = (
    "kcore", "kallsyms", "kpagecount", "kpageflags", "kpagecgroup", "vmallocinfo", "slabinfo", "timer_list",
    "sched_debug",
)  # fmt: skip
_LAYERS = "/run/layers"
_QUIET = linux.MS_NOSUID | linux.MS_NODEV


def build(plan: Room) -> tuple[bool, list[str]]:
    """Enter a room that lacks only the copy. Says whether the host's sockets are out of reach, and what is missing.

    The session's folder is still to be seen in it, until the copy is mounted.
    """
    linux.mount("", "/", "", linux.MS_REC | linux.MS_PRIVATE)
    os.chdir(plan["session"])
    room = os.path.join(plan["session"], "room")
    linux.mount("room", room, "tmpfs", _QUIET, "mode=755,size=4m")
    warnings: list[str] = []
    for name in ("dev", "proc", "sys", "etc", "tmp", "run", "var"):
        os.mkdir(f"{room}/{name}")
    for name, target in (*plan["links"], ("var/tmp", "/tmp"), ("var/run", "/run")):
        os.symlink(target, f"{room}/{name}")
    isolated = _furnish(plan, room)
    _devices(room, plan)
    _processes(room, plan, warnings)
    os.mkdir(room + _LAYERS)
    linux.bind(".", room + _LAYERS)
    try:
        linux.bind(plan["base"], f"{room}{_LAYERS}/base")
    except OSError as cause:
        raise Failed("copy", cause) from cause
    linux.tighten(room, linux.MS_RDONLY | _QUIET)
    linux.pivot_root(room)
    return isolated, warnings


def mount_copy(plan: Room, order: Order) -> None:
    """Put the copy in its place. Names inside the session are short and plain, so any path and many layers fit."""
    os.chdir(_LAYERS)
    try:
        if plan["whole"]:
            linux.bind("base", plan["path"])
            linux.tighten(plan["path"], _QUIET)
        else:
            below = ":".join([*(f"{layer}/up" for layer in order["layers"]), "base"])
            options = f"lowerdir={below},upperdir={order['layer']}/up,workdir={order['layer']}/work,userxattr"
            try:
                # Nothing of a copy needs to survive a power cut, so nothing of it is forced to the disk.
                linux.mount("copy", plan["path"], "overlay", _QUIET, options + ",volatile")
            except OSError:
                linux.mount("copy", plan["path"], "overlay", _QUIET, options)
    except OSError as cause:
        raise Failed("copy", cause) from cause
    os.chdir("/")
    linux.unmount(_LAYERS)


def _furnish(plan: Room, room: str) -> bool:
    """Mount what is seen, outermost first, and make the place where the copy will be."""
    path, isolated = plan["path"], True
    private = [place for place in ("/tmp", plan["home"]) if place and not _within(place, path)]
    seen = [place for place in plan["shown"] if not _within(place, path)]
    places = dict.fromkeys(seen, "shown") | dict.fromkeys(private, "private")
    places |= {"/etc": "etc", path: "copy"}
    for place in sorted(places, key=lambda name: (name.count("/"), name)):
        target, what = room + place, places[place]
        if what == "shown" and not os.path.isdir(place):
            _show_file(place, target)
            continue
        os.makedirs(target, exist_ok=True)
        if what == "private":
            mode = "1777" if place == "/tmp" else "755"
            linux.mount("private", target, "tmpfs", _QUIET, f"mode={mode},size={plan['scratch']},nr_inodes=100000")
        elif what != "copy":
            isolated &= _show(plan["etc"] if what == "etc" else place, target)
    return isolated


def _within(place: str, folder: str) -> bool:
    return place == folder or place.startswith(folder.rstrip("/") + "/")


def _show_file(place: str, target: str) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if not os.path.exists(target):
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    if stat.S_ISREG(os.stat(place).st_mode):
        linux.bind(place, target)
        linux.tighten(target, linux.MS_RDONLY | _QUIET)


def _show(place: str, target: str) -> bool:
    """Show a folder read-only. Through an overlay its sockets cannot be connected to; a plain bind lets that happen."""
    if not any(sign in place for sign in ":,\\"):
        with contextlib.suppress(OSError):
            linux.mount("shown", target, "overlay", linux.MS_RDONLY | _QUIET, f"lowerdir={place}:empty,userxattr")
            return True
    linux.bind(place, target, recursive=True)
    linux.tighten(target, linux.MS_RDONLY | _QUIET)
    return False


def _devices(room: str, plan: Room) -> None:
    linux.mount("dev", f"{room}/dev", "tmpfs", linux.MS_NOSUID, "mode=755,size=64k")
    for name in _DEVICES:
        os.close(os.open(f"{room}/dev/{name}", os.O_CREAT | os.O_WRONLY, 0o644))
        linux.bind(f"/dev/{name}", f"{room}/dev/{name}")
    links = (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2"))
    for name, target in links:
        os.symlink(target, f"{room}/dev/{name}")
    os.mkdir(f"{room}/dev/shm")
    linux.mount("private", f"{room}/dev/shm", "tmpfs", _QUIET, f"mode=1777,size={plan['scratch']},nr_inodes=10000")
    linux.tighten(f"{room}/dev", linux.MS_RDONLY | linux.MS_NOSUID)


def _processes(room: str, plan: Room, warnings: list[str]) -> None:
    proc = f"{room}/proc"
    try:
        linux.mount("proc", proc, "proc", _QUIET | linux.MS_NOEXEC)
    except OSError as cause:  # a container that hides parts of its own /proc forbids new ones
        warnings.append(f"no /proc inside: {cause}")
        return
    # Belts beside the filter: no user namespaces in here, and few process numbers to fill (the kernel's least is 301).
    for setting, value in (("user/max_user_namespaces", "0"), ("kernel/pid_max", str(max(301, plan["processes"] * 2)))):
        with contextlib.suppress(OSError), open(f"{proc}/sys/{setting}", "w", encoding="ascii") as file:
            file.write(value)
    for name in _SECRETS_OF_PROC:  # only root could read them
        if plan["privileged"] and os.path.exists(f"{proc}/{name}"):
            linux.bind(f"{room}/dev/null", f"{proc}/{name}")
    # Root outside may write /proc/sys and its like by ownership alone, so the whole of it is read-only.
    linux.tighten(proc, linux.MS_RDONLY | _QUIET | linux.MS_NOEXEC)
