"""Say why no confinement can be had here, and what would change that."""

import os
import platform
from collections.abc import Iterator
from pathlib import Path

from lookahead.errors import SandboxMissing

_MOST = 60


def sandbox_missing(cause: str) -> SandboxMissing:
    """One line, because a refusal shows no more. What would change it is for `lookahead doctor` to say."""
    short = " ".join(cause.split())
    short = short if len(short) <= _MOST else short[: _MOST - 1] + "…"
    return SandboxMissing(f"no sandbox can be had here ({short}); run `lookahead doctor`")


def advice() -> list[str]:
    """What would change it, one step a line."""
    return list(_advice()) or ["ask whoever runs this machine for user namespaces"]


def _advice() -> Iterator[str]:
    if platform.system() != "Linux":
        yield "run it on Linux (in a virtual machine, WSL 2 or a container): the sandbox is made of Linux namespaces"
        return
    if platform.machine() not in ("x86_64", "aarch64"):
        yield f"use an x86_64 or aarch64 machine: the system calls of {platform.machine()} are not listed"
    if _setting("/proc/sys/kernel/unprivileged_userns_clone") == "0":
        yield "sudo sysctl -w kernel.unprivileged_userns_clone=1    (Debian, Arch: user namespaces are switched off)"
    if _setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1":
        yield "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0    (Ubuntu 23.10 and later)"
    if _setting("/proc/sys/user/max_user_namespaces") == "0":
        yield "sudo sysctl -w user.max_user_namespaces=15000    (RHEL, CentOS, hardened kernels)"
    if any(os.path.exists(place) for place in ("/.dockerenv", "/run/.containerenv")) or "container" in os.environ:
        yield (
            "start the container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
            "--security-opt systempaths=unconfined (Docker, Podman), or hostUsers and procMount: Unmasked (Kubernetes)"
        )
    if os.environ.get("LOOKAHEAD_SANDBOX") == "missing":
        yield "unset LOOKAHEAD_SANDBOX: it says that there is none"


def _setting(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return ""
